//! What is written and how: operations on the store, applied many at a time in one transaction, then made visible.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use redb::{ReadableTable, Table, WriteTransaction};
use weir_core::port::{BrokerError, Created};

use crate::catalog::{Catalog, Extent, Topic, TopicRow};
use crate::store::{ENTRIES, EntryKey, Failure, GRAVES, META, OFFSETS, PARTITIONS, Store, TOPICS};

/// One change of the store.
pub(crate) enum Op {
    /// Records, part by part.
    Append(Vec<Part>),
    Create {
        name: String,
        partitions: i32,
        config: BTreeMap<String, String>,
    },
    Delete {
        name: String,
    },
    /// Committed offsets of a group: topic id, partition, offset; none forgets.
    Commit {
        group: String,
        offsets: Vec<(u64, i32, Option<i64>)>,
    },
    /// Entries that are too old, by their first offsets, with their bytes; the partition begins at `start` then.
    Trim {
        topic: Arc<Topic>,
        partition: i32,
        entries: Vec<(i64, u64)>,
        start: i64,
    },
    /// Entries that compaction replaces. `done` is the offset up to which it is through, said with the last of them.
    Rewrite {
        topic: Arc<Topic>,
        partition: i32,
        old: Vec<(i64, u64)>,
        new: Vec<(i64, Vec<u8>)>,
        done: Option<i64>,
    },
    /// The store's id, where it has none.
    Name {
        id: String,
    },
    /// The next entries of a deleted topic; answers whether there were any.
    Bury {
        topic: u64,
        partitions: i32,
    },
}

/// Records of one partition, encoded.
pub(crate) struct Part {
    pub topic: Arc<Topic>,
    pub partition: i32,
    /// Frames with the number of offsets that each covers.
    pub frames: Vec<(Vec<u8>, u32)>,
}

/// What an operation answers.
#[derive(Debug)]
pub(crate) enum Done {
    /// The first offset of each part.
    Appended(Vec<i64>),
    Created(Created),
    /// The store's id.
    Named(String),
    /// Whether there was something.
    Found(bool),
    Nothing,
}

pub(crate) type Reply = Box<dyn FnOnce(Result<Done, BrokerError>) + Send>;

/// An operation and who waits for its answer.
pub(crate) struct Job {
    pub op: Op,
    pub reply: Reply,
    /// Whether it waits for room on a full disk, as long as whom it is for lives.
    pub patient: Option<Weak<()>>,
}

impl Job {
    pub fn bytes(&self) -> usize {
        match &self.op {
            Op::Append(parts) => parts.iter().flat_map(|part| &part.frames).map(|(frame, _)| frame.len()).sum(),
            Op::Rewrite { new, .. } => new.iter().map(|(_, bytes)| bytes.len()).sum(),
            _ => 0,
        }
    }
}

/// Entries of a deleted topic that go in one transaction.
const BURIED: usize = 256;

/// Writes groups of jobs. There is one in a store.
pub(crate) struct Committer {
    store: Arc<Store>,
    catalog: Arc<Catalog>,
    topics_changed: Box<dyn Fn() + Send>,
    entry_bytes_max: usize,
    generation: u64,
}

/// What a transaction did so far and is to be seen only when it is committed.
#[derive(Default)]
struct Staged {
    extents: BTreeMap<(u64, i32), (Arc<Topic>, Extent)>,
    created: BTreeMap<String, Arc<Topic>>,
    deleted: Vec<String>,
}

impl Committer {
    pub fn new(
        store: Arc<Store>,
        catalog: Arc<Catalog>,
        entry_bytes_max: usize,
        topics_changed: Box<dyn Fn() + Send>,
    ) -> Committer {
        let generation = store.generation();
        Committer { store, catalog, topics_changed, entry_bytes_max, generation }
    }

    /// Applies jobs in one transaction and answers them. When there is none, they come back unanswered.
    pub fn commit(&mut self, jobs: Vec<Job>) -> Result<(), (Vec<Job>, BrokerError)> {
        let ops: Vec<&Op> = jobs.iter().map(|job| &job.op).collect();
        match self.apply_all(&ops) {
            Ok(answers) => {
                jobs.into_iter().zip(answers).for_each(|(job, answer)| (job.reply)(answer));
                Ok(())
            }
            Err(error) => Err((jobs, error)),
        }
    }

    /// Applies one operation.
    pub fn apply(&mut self, op: Op) -> Result<Done, BrokerError> {
        self.apply_all(&[&op])?.pop().unwrap_or(Ok(Done::Nothing))
    }

    fn apply_all(&mut self, ops: &[&Op]) -> Result<Vec<Result<Done, BrokerError>>, BrokerError> {
        if self.generation != self.store.generation() {
            let generation = self.store.generation();
            self.store.read(|read| self.catalog.load(read))?;
            (self.topics_changed)();
            self.generation = generation;
        }
        let mut staged = Staged::default();
        let answers = self.store.write(|write| {
            let mut entries = write.open_table(ENTRIES)?;
            let mut pending = Pending::new(self.entry_bytes_max);
            let mut answers = Vec::with_capacity(ops.len());
            for op in ops {
                if let Op::Append(parts) = op {
                    answers.push(append(parts, &mut staged, &mut pending, &mut entries)?);
                    continue;
                }
                pending.flush(&mut entries)?;
                answers.push(self.apply_op(op, &mut staged, write, &mut entries)?);
            }
            pending.flush(&mut entries)?;
            let mut rows = write.open_table(PARTITIONS)?;
            for ((topic, partition), (_, extent)) in &staged.extents {
                rows.insert((*topic, *partition), extent.row())?;
            }
            Ok(answers)
        })?;
        self.publish(staged);
        Ok(answers)
    }

    fn apply_op(
        &self,
        op: &Op,
        staged: &mut Staged,
        write: &WriteTransaction,
        entries: &mut Entries<'_>,
    ) -> Result<Result<Done, BrokerError>, Failure> {
        Ok(Ok(match op {
            Op::Append(_) => Done::Nothing,
            Op::Create { name, partitions, config } => {
                let mut topics = write.open_table(TOPICS)?;
                if topics.get(name.as_str())?.is_some() {
                    return Ok(Ok(Done::Created(Created::Existed)));
                }
                let row = TopicRow { id: next_topic(write)?, partitions: *partitions, config: config.clone() };
                let json = serde_json::to_vec(&row).map_err(|e| Failure::Broken(e.to_string()))?;
                topics.insert(name.as_str(), json.as_slice())?;
                staged.created.insert(name.clone(), Arc::new(Topic::new(name, &row)));
                Done::Created(Created::New)
            }
            Op::Delete { name } => {
                let removed = write.open_table(TOPICS)?.remove(name.as_str())?.map(|row| row.value().to_vec());
                let Some(removed) = removed else { return Ok(Ok(Done::Found(false))) };
                if let Ok(row) = serde_json::from_slice::<TopicRow>(&removed) {
                    write.open_table(GRAVES)?.insert(row.id, row.partitions)?;
                    staged.extents.retain(|(topic, _), _| *topic != row.id);
                }
                staged.created.remove(name);
                staged.deleted.push(name.clone());
                Done::Found(true)
            }
            Op::Commit { group, offsets } => {
                let mut table = write.open_table(OFFSETS)?;
                for (topic, partition, offset) in offsets {
                    let key = (group.as_str(), *topic, *partition);
                    match offset {
                        Some(offset) => drop(table.insert(key, offset)?),
                        None => drop(table.remove(key)?),
                    }
                }
                Done::Nothing
            }
            Op::Trim { topic, partition, entries: old, start } => {
                let Some(extent) = staged.extent(topic, *partition) else { return Ok(Ok(Done::Nothing)) };
                for (base, bytes) in old {
                    if entries.remove((topic.id, *partition, *base))?.is_some() {
                        extent.bytes = extent.bytes.saturating_sub(*bytes);
                    }
                }
                extent.start = extent.start.max(*start).min(extent.end);
                Done::Nothing
            }
            Op::Rewrite { topic, partition, old, new, done } => {
                let Some(extent) = staged.extent(topic, *partition) else { return Ok(Ok(Done::Nothing)) };
                for (base, bytes) in old {
                    if entries.remove((topic.id, *partition, *base))?.is_some() {
                        extent.bytes = extent.bytes.saturating_sub(*bytes);
                    }
                }
                for (base, bytes) in new {
                    entries.insert((topic.id, *partition, *base), bytes.as_slice())?;
                    extent.bytes += bytes.len() as u64;
                }
                if let Some(done) = done {
                    (extent.compacted, extent.compacted_bytes) = (*done, extent.bytes);
                }
                Done::Nothing
            }
            Op::Name { id } => {
                let mut meta = write.open_table(META)?;
                let found = meta.get("cluster id")?.map(|id| String::from_utf8_lossy(id.value()).into_owned());
                if found.is_none() {
                    meta.insert("cluster id", id.as_bytes())?;
                }
                Done::Named(found.unwrap_or_else(|| id.clone()))
            }
            Op::Bury { topic, partitions } => Done::Found(bury(*topic, *partitions, write, entries)?),
        }))
    }

    fn publish(&self, staged: Staged) {
        for name in &staged.deleted {
            self.catalog.remove(name);
        }
        let changed = !staged.deleted.is_empty() || !staged.created.is_empty();
        staged.created.into_values().for_each(|topic| self.catalog.insert(topic));
        for ((_, partition), (topic, extent)) in staged.extents {
            if let Some(partition) = topic.partition(partition) {
                partition.publish(extent);
            }
        }
        if changed {
            (self.topics_changed)();
        }
    }
}

impl Staged {
    /// A partition's numbers as this transaction sees them; none when the topic is gone.
    fn extent(&mut self, topic: &Arc<Topic>, partition: i32) -> Option<&mut Extent> {
        if topic.deleted.load(Ordering::Acquire) || self.deleted.iter().any(|name| **name == *topic.name) {
            return None;
        }
        let extent = topic.partition(partition)?.extent();
        Some(&mut self.extents.entry((topic.id, partition)).or_insert_with(|| (topic.clone(), extent)).1)
    }
}

type Entries<'txn> = Table<'txn, EntryKey, &'static [u8]>;

/// Frames that go into the store as one entry each partition, so that small appends share one.
struct Pending {
    bytes_max: usize,
    open: BTreeMap<(u64, i32), (i64, Vec<u8>)>,
}

impl Pending {
    fn new(bytes_max: usize) -> Pending {
        Pending { bytes_max, open: BTreeMap::new() }
    }

    fn add(&mut self, at: (u64, i32), offset: i64, frame: &[u8], entries: &mut Entries<'_>) -> Result<(), Failure> {
        let (base, bytes) = self.open.entry(at).or_insert_with(|| (offset, Vec::new()));
        if !bytes.is_empty() && bytes.len() + frame.len() > self.bytes_max {
            entries.insert((at.0, at.1, *base), bytes.as_slice())?;
            *base = offset;
            bytes.clear();
        }
        bytes.extend_from_slice(frame);
        Ok(())
    }

    fn flush(&mut self, entries: &mut Entries<'_>) -> Result<(), Failure> {
        for ((topic, partition), (base, bytes)) in std::mem::take(&mut self.open) {
            entries.insert((topic, partition, base), bytes.as_slice())?;
        }
        Ok(())
    }
}

fn append(
    parts: &[Part],
    staged: &mut Staged,
    pending: &mut Pending,
    entries: &mut Entries<'_>,
) -> Result<Result<Done, BrokerError>, Failure> {
    // All or nothing: what is refused is refused before anything is written.
    for part in parts {
        if staged.extent(&part.topic, part.partition).is_none() {
            return Ok(Err(BrokerError::Rejected(format!("topic {} was deleted", part.topic.name))));
        }
    }
    let mut offsets = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(extent) = staged.extent(&part.topic, part.partition) else { continue };
        offsets.push(extent.end);
        for (frame, span) in &part.frames {
            pending.add((part.topic.id, part.partition), extent.end, frame, entries)?;
            extent.end += i64::from(*span);
            extent.bytes += frame.len() as u64;
        }
    }
    Ok(Ok(Done::Appended(offsets)))
}

fn next_topic(write: &WriteTransaction) -> Result<u64, Failure> {
    let mut meta = write.open_table(META)?;
    let last = meta.get("last topic")?.map(|id| id.value().try_into().map(u64::from_le_bytes));
    let id = match last {
        None => 1,
        Some(Ok(last)) => last + 1,
        Some(Err(_)) => return Err(Failure::Broken("the last topic's id is damaged".into())),
    };
    meta.insert("last topic", id.to_le_bytes().as_slice())?;
    Ok(id)
}

/// Removes the next entries of a deleted topic, at last the rest of it.
fn bury(topic: u64, partitions: i32, write: &WriteTransaction, entries: &mut Entries<'_>) -> Result<bool, Failure> {
    let keys: Vec<_> = entries
        .range((topic, 0, i64::MIN)..=(topic, partitions, i64::MAX))?
        .take(BURIED)
        .map(|entry| entry.map(|(key, _)| key.value()))
        .collect::<Result<_, _>>()?;
    for key in &keys {
        entries.remove(key)?;
    }
    if keys.len() == BURIED {
        return Ok(true);
    }
    let mut rows = write.open_table(PARTITIONS)?;
    for partition in 0..partitions {
        rows.remove((topic, partition))?;
    }
    write.open_table(OFFSETS)?.retain(|(_, committed, _), _| committed != topic)?;
    write.open_table(GRAVES)?.remove(topic)?;
    Ok(false)
}
