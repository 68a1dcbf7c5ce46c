//! The topics as they are now: configurations, where partitions begin and end, and who waits for more.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{Range, ReadTransaction, ReadableTable};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::store::{EntryKey, Failure, PARTITIONS, PartitionRow, TOPICS};
use crate::topic_config::TopicConfig;

/// A topic as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TopicRow {
    pub id: u64,
    pub partitions: i32,
    pub config: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub id: u64,
    pub name: Arc<str>,
    pub config: TopicConfig,
    pub partitions: Vec<Partition>,
    pub deleted: AtomicBool,
}

/// Where a partition begins and ends. All offsets below the end are safe on disk.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    start: AtomicI64,
    end: AtomicI64,
    bytes: AtomicU64,
    compacted: AtomicI64,
    compacted_bytes: AtomicU64,
    waiting: Mutex<Vec<Arc<Notify>>>,
}

/// A partition's numbers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub start: i64,
    pub end: i64,
    pub bytes: u64,
    /// The offset up to which it was compacted.
    pub compacted: i64,
    /// Its bytes when that was done.
    pub compacted_bytes: u64,
}

impl Extent {
    pub fn of_row((end, start, bytes, compacted, compacted_bytes): PartitionRow) -> Extent {
        Extent { start, end, bytes, compacted, compacted_bytes }
    }

    pub fn row(&self) -> PartitionRow {
        (self.end, self.start, self.bytes, self.compacted, self.compacted_bytes)
    }
}

impl Partition {
    pub fn start(&self) -> i64 {
        self.start.load(Ordering::Acquire)
    }

    pub fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    pub fn extent(&self) -> Extent {
        Extent {
            start: self.start(),
            end: self.end(),
            bytes: self.bytes.load(Ordering::Relaxed),
            compacted: self.compacted.load(Ordering::Relaxed),
            compacted_bytes: self.compacted_bytes.load(Ordering::Relaxed),
        }
    }

    /// Makes committed numbers visible and wakes who waits for more records.
    pub fn publish(&self, extent: Extent) {
        self.bytes.store(extent.bytes, Ordering::Relaxed);
        self.compacted.store(extent.compacted, Ordering::Relaxed);
        self.compacted_bytes.store(extent.compacted_bytes, Ordering::Relaxed);
        self.start.store(extent.start, Ordering::Release);
        if self.end.swap(extent.end, Ordering::AcqRel) != extent.end {
            self.wake();
        }
    }

    pub fn wake(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|signal| signal.notify_one());
    }

    /// Wakes `signal` from now on whenever records arrive.
    pub fn watch(&self, signal: &Arc<Notify>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|waiting| Arc::ptr_eq(waiting, signal)) {
            waiting.push(signal.clone());
        }
    }

    pub fn unwatch(&self, signal: &Arc<Notify>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|waiting| !Arc::ptr_eq(waiting, signal));
    }
}

impl Topic {
    pub fn new(name: &str, row: &TopicRow) -> Topic {
        // What was checked when the topic was made may have been written by another version: keep its records.
        let config = TopicConfig::parse(&row.config).unwrap_or_else(|_| TopicConfig {
            given: row.config.clone(),
            retention_ms: -1,
            ..TopicConfig::parse(&BTreeMap::new()).expect("defaults are right")
        });
        let partitions = (0..row.partitions).map(|_| Partition::default()).collect();
        Topic { id: row.id, name: name.into(), config, partitions, deleted: AtomicBool::new(false) }
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub fn partition(&self, partition: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<BTreeMap<Arc<str>, Arc<Topic>>>);

impl Catalog {
    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Topic>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub fn insert(&self, topic: Arc<Topic>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(topic.name.clone(), topic);
    }

    pub fn remove(&self, name: &str) {
        if let Some(topic) = self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name) {
            topic.deleted.store(true, Ordering::Release);
            topic.partitions.iter().for_each(Partition::wake);
        }
    }

    /// Topics and their numbers of partitions.
    pub fn sizes(&self) -> BTreeMap<Arc<str>, i32> {
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().map(|(name, topic)| (name.clone(), topic.partitions.len() as i32)).collect()
    }

    /// Takes over what the store says: at the start, and after a failure that may or may not have left something.
    pub fn load(&self, read: &ReadTransaction) -> Result<(), Failure> {
        let mut stored = BTreeMap::new();
        for entry in read.open_table(TOPICS)?.iter()? {
            let (name, row) = entry?;
            match serde_json::from_slice::<TopicRow>(row.value()) {
                Ok(row) => _ = stored.insert(Arc::<str>::from(name.value()), row),
                Err(e) => tracing::error!(topic = name.value(), error = %e, "topic cannot be read and is left out"),
            }
        }
        let partitions = read.open_table(PARTITIONS)?;
        let known: Vec<Arc<str>> = self.all().iter().map(|topic| topic.name.clone()).collect();
        known.iter().filter(|name| !stored.contains_key(*name)).for_each(|name| self.remove(name));
        for (name, row) in stored {
            let topic = match self.get(&name).filter(|topic| topic.id == row.id) {
                Some(topic) => topic,
                None => Arc::new(Topic::new(&name, &row)),
            };
            for (number, partition) in topic.partitions.iter().enumerate() {
                let row = partitions.get((row.id, number as i32))?.map(|row| row.value());
                partition.publish(row.map(Extent::of_row).unwrap_or_default());
            }
            self.insert(topic);
        }
        Ok(())
    }
}

/// The entries that hold offsets from `from` on, in order.
pub(crate) fn entries_from<'a>(
    entries: &'a impl ReadableTable<EntryKey, &'static [u8]>,
    topic: u64,
    partition: i32,
    from: i64,
) -> Result<Range<'a, EntryKey, &'static [u8]>, Failure> {
    // The entry that begins at or before `from` may hold it.
    let first = entries.range((topic, partition, i64::MIN)..=(topic, partition, from))?.next_back().transpose()?;
    let first = first.map_or(from, |(key, _)| key.value().2);
    let bounds = (Bound::Included((topic, partition, first)), Bound::Included((topic, partition, i64::MAX)));
    Ok(entries.range(bounds)?)
}
