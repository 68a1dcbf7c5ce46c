//! The embedded broker: opening it, topics, and handing out producers, consumers and logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use weir_core::model::{Pattern, Position, Subscription, TopicPartition};
use weir_core::port::{
    Broker, BrokerError, ClientSettings, CompactedLog, Consumer, Created, NewTopic, Producer, TopicDescription,
    TransactionalProducer,
};

use crate::catalog::{Catalog, Topic};
use crate::commit::{Committer, Done, Job, Op};
use crate::consumer::{LocalConsumer, Reset};
use crate::group::Wish;
use crate::groups::Groups;
use crate::lock::DirLock;
use crate::log::Log;
use crate::partitioner::Partitioner;
use crate::producer::LocalProducer;
use crate::reader::Reader;
use crate::settings::Settings;
use crate::store::{META, OFFSETS, Place, Store};
use crate::topic_config::{TopicConfig, check_name};
use crate::transactions::{Holders, LocalTransactions};
use crate::upkeep::{self, Upkeep};
use crate::writer::{Grouping, Writer};

const PARTITIONS_MAX: i32 = 10_000;

/// A broker inside the process. Clones are handles on the same one; the last handle closes it.
#[derive(Clone)]
pub struct Local {
    pub(crate) engine: Arc<Engine>,
}

/// What a handle holds. Threads and reads in progress hold only what is shared.
pub(crate) struct Engine {
    pub shared: Arc<Shared>,
    upkeep: Mutex<Option<Upkeep>>,
}

/// The parts of a broker. The lock is let go of last.
pub(crate) struct Shared {
    pub writer: Writer,
    reader: Option<Reader>,
    pub store: Arc<Store>,
    pub catalog: Arc<Catalog>,
    pub groups: Arc<Groups>,
    pub settings: Settings,
    upkeep_due: AtomicI64,
    drawn: AtomicI64,
    pub holders: Holders,
    _lock: Option<DirLock>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(upkeep) = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take() {
            upkeep.stop();
        }
        self.shared.writer.close();
    }
}

impl Local {
    /// Opens the store in a directory, which is made where it is missing. Another process that has it open is named
    /// in the error.
    pub fn open(dir: &Path, settings: Settings) -> Result<Arc<Local>, BrokerError> {
        let lock = DirLock::take(dir)?;
        Local::start(Place::Dir(dir.to_path_buf()), Some(lock), settings)
    }

    /// A store in memory. It has no threads: what is written is done when the call returns, and retention and
    /// compaction run with appends once they are due.
    pub fn memory(settings: Settings) -> Result<Arc<Local>, BrokerError> {
        Local::start(Place::Memory, None, settings)
    }

    pub(crate) fn start(place: Place, lock: Option<DirLock>, settings: Settings) -> Result<Arc<Local>, BrokerError> {
        let threads = place != Place::Memory;
        let store = Arc::new(Store::open(place, settings.cache_bytes)?);
        let catalog = Arc::new(Catalog::default());
        store.read(|read| catalog.load(read))?;
        let groups = Arc::new(Groups::default());
        let topics_changed = {
            let (catalog, groups) = (catalog.clone(), groups.clone());
            Box::new(move || groups.topics_changed(&catalog.sizes()))
        };
        let committer = Committer::new(store.clone(), catalog.clone(), settings.entry_bytes_max, topics_changed);
        let grouping = Grouping { delay_max: settings.group_delay_max, bytes_max: settings.group_bytes_max };
        let no_thread = |e: std::io::Error| BrokerError::Unavailable(format!("no thread for the store: {e}"));
        let writer =
            if threads { Writer::thread(committer, grouping).map_err(no_thread)? } else { Writer::inline(committer) };
        let upkeep_due = AtomicI64::new(settings.clock.now() + settings.upkeep_interval.as_millis() as i64);
        let drawn = AtomicI64::new(0);
        let reader = if threads { Some(Reader::start().map_err(no_thread)?) } else { None };
        let holders = Holders::default();
        let shared =
            Shared { writer, reader, store, catalog, groups, settings, upkeep_due, drawn, holders, _lock: lock };
        let shared = Arc::new(shared);
        let upkeep = if threads { Some(Upkeep::start(shared.clone()).map_err(no_thread)?) } else { None };
        Ok(Arc::new(Local { engine: Arc::new(Engine { shared, upkeep: Mutex::new(upkeep) }) }))
    }

    /// How a producer places its records, and the largest that it takes.
    fn placing(&self, settings: &ClientSettings) -> Result<(Partitioner, usize), BrokerError> {
        let batch_bytes = number(settings, "batch.size")?.unwrap_or(16 << 10);
        let ours = &self.engine.shared.settings;
        let record_bytes_max = number(settings, "max.request.size")?.unwrap_or(ours.record_bytes_max);
        let nth = self.engine.shared.drawn.fetch_add(1, Ordering::Relaxed) as u64;
        let partitioner = Partitioner::new(batch_bytes, ours.seed ^ nth.wrapping_mul(0xd134_2543_de82_ef95));
        Ok((partitioner, record_bytes_max.min(ours.record_bytes_max)))
    }

    /// Where the store is.
    pub fn place(&self) -> &Place {
        &self.engine.shared.store.place
    }

    /// Deletes a topic with its records and committed offsets; false when there is none. Room is given back in the
    /// background.
    pub async fn delete_topic(&self, name: &str) -> Result<bool, BrokerError> {
        let found = match self.engine.shared.writer.done(Op::Delete { name: name.to_string() }).await? {
            Done::Found(found) => found,
            _ => false,
        };
        if found {
            match &*self.engine.upkeep.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(upkeep) => upkeep.nudge(),
                None => upkeep::bury(&self.engine.shared)?,
            }
        }
        Ok(found)
    }

    /// Runs retention and compaction now, on this thread, and returns when they are done.
    pub fn upkeep(&self) -> Result<(), BrokerError> {
        upkeep::run(&self.engine.shared, &|| false)
    }

    fn without_members(&self, group: &str) -> Result<(), BrokerError> {
        match self.engine.shared.groups.with(group, |_| ()) {
            Some(()) => Err(BrokerError::Fenced(format!("group {group} has members"))),
            None => Ok(()),
        }
    }

    async fn commit(&self, group: &str, offsets: Vec<(u64, i32, Option<i64>)>) -> Result<(), BrokerError> {
        self.engine.shared.writer.done(Op::Commit { group: group.to_owned(), offsets }).await.map(drop)
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.engine.shared.catalog.get(name)
    }
}

impl Shared {
    /// Has a job done; in memory, upkeep goes with it when it is due.
    pub fn submit(&self, job: Job) {
        self.writer.submit(job);
        if let Writer::Inline(_) = self.writer {
            let now = self.settings.clock.now();
            if now >= self.upkeep_due.load(Ordering::Relaxed) {
                self.upkeep_due.store(now + self.settings.upkeep_interval.as_millis() as i64, Ordering::Relaxed);
                if let Err(error) = upkeep::run(self, &|| false) {
                    tracing::warn!(%error, "upkeep failed");
                }
            }
        }
    }

    /// The committed offsets of a group for some partitions.
    pub fn committed(&self, group: &str, of: &[(u64, i32)]) -> Result<Vec<Option<i64>>, BrokerError> {
        self.store.read(|read| {
            let table = read.open_table(OFFSETS)?;
            let offset = |(topic, partition): &(u64, i32)| -> Result<Option<i64>, crate::store::Failure> {
                Ok(redb::ReadableTable::get(&table, (group, *topic, *partition))?.map(|offset| offset.value()))
            };
            of.iter().map(offset).collect()
        })
    }

    /// Runs a read where it blocks nobody: on the reader's thread, or here when everything is in memory.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Shared>,
        read: impl FnOnce(&Shared) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let Some(reader) = &self.reader else { return read(self) };
        let shared = self.clone();
        reader.run(move || read(&shared)).await
    }
}

/// What to make of a request for a topic; every problem at once.
fn check_topic(topic: &NewTopic, settings: &Settings) -> Result<(i32, BTreeMap<String, String>), BrokerError> {
    let mut problems: Vec<String> = check_name(&topic.name).err().into_iter().collect();
    problems.extend(TopicConfig::parse(&topic.config).err().into_iter().flatten());
    let partitions = if topic.partitions == -1 { settings.partitions_default } else { topic.partitions };
    if !(1..=PARTITIONS_MAX).contains(&partitions) {
        problems.push(format!("{partitions} partitions: expected 1 to {PARTITIONS_MAX}, or -1 for the default"));
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        problems.push(format!(
            "replication factor {}: the embedded store keeps one copy; use 1 or -1",
            topic.replication_factor
        ));
    }
    if problems.is_empty() {
        Ok((partitions, topic.config.clone()))
    } else {
        Err(BrokerError::Rejected(format!("topic {} cannot be made: {}", topic.name, problems.join("; "))))
    }
}

#[async_trait]
impl Broker for Local {
    async fn cluster_id(&self) -> Result<String, BrokerError> {
        let key = "cluster id";
        let found = self.engine.shared.store.read(|read| {
            let meta = read.open_table(META)?;
            let id = redb::ReadableTable::get(&meta, key)?.map(|id| String::from_utf8_lossy(id.value()).into_owned());
            Ok(id)
        })?;
        match found {
            Some(id) => Ok(id),
            None => match self.engine.shared.writer.done(Op::Name { id: draw_id(self.place()) }).await? {
                Done::Named(id) => Ok(id),
                _ => Err(BrokerError::Unavailable("the store has no id".into())),
            },
        }
    }

    async fn describe_topics(&self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, BrokerError> {
        let describe = |topic: Arc<Topic>| TopicDescription {
            name: topic.name.clone(),
            partitions: topic.partitions.len() as i32,
            cleanup_policy: Some(topic.config.cleanup_policy().into()),
        };
        Ok(names.iter().map(|name| self.topic(name).map(describe)).collect())
    }

    async fn topic_ends(&self, topic: &str) -> Result<Vec<Position>, BrokerError> {
        let found = self.topic(topic);
        let found = found.ok_or_else(|| BrokerError::Rejected(format!("topic {topic} does not exist")))?;
        let at = |partition| TopicPartition { topic: found.name.clone(), partition };
        let ends = found.partitions.iter().zip(0..);
        Ok(ends.map(|(partition, number)| Position { partition: at(number), offset: partition.end() }).collect())
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        if self.topic(&topic.name).is_some() {
            return Ok(Created::Existed);
        }
        let (partitions, config) = check_topic(topic, &self.engine.shared.settings)?;
        match self.engine.shared.writer.done(Op::Create { name: topic.name.clone(), partitions, config }).await? {
            Done::Created(created) => Ok(created),
            _ => Err(BrokerError::Unavailable(format!("topic {} was not made", topic.name))),
        }
    }

    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError> {
        let (partitioner, record_bytes_max) = self.placing(settings)?;
        Ok(Box::new(LocalProducer::new(self.engine.clone(), partitioner, record_bytes_max)))
    }

    async fn transactional_producer(
        &self,
        id: &str,
        settings: &ClientSettings,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        let (partitioner, record_bytes_max) = self.placing(settings)?;
        Ok(Box::new(LocalTransactions::new(self.engine.clone(), partitioner, record_bytes_max, id)))
    }

    async fn consumer(
        &self,
        subscription: &Subscription,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let group = settings.get("group.id").filter(|group| !group.is_empty());
        let group = group.ok_or_else(|| BrokerError::Rejected("a consumer needs group.id".into()))?;
        let reset = Reset::parse(settings.get("auto.offset.reset").map_or("earliest", String::as_str));
        let reset = reset.map_err(BrokerError::Rejected)?;
        let wish = match subscription {
            Subscription::Topics(topics) => Wish::Topics(topics.iter().cloned().collect::<BTreeSet<_>>()),
            Subscription::Pattern(pattern) => Wish::Pattern(Pattern::new(pattern).map_err(BrokerError::Rejected)?),
        };
        let signal = Arc::new(Notify::new());
        let shared = &self.engine.shared;
        let id = shared.groups.join(group, wish, &signal, shared.catalog.sizes());
        Ok(Box::new(LocalConsumer::new(self.engine.clone(), group.clone(), id, signal, reset)))
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<Position>, BrokerError> {
        let shared = &self.engine.shared;
        let names: BTreeMap<u64, Arc<str>> =
            shared.catalog.all().into_iter().map(|topic| (topic.id, topic.name.clone())).collect();
        let mut positions: Vec<Position> = shared.store.read(|read| {
            let table = read.open_table(OFFSETS)?;
            let mut positions = Vec::new();
            for entry in redb::ReadableTable::range(&table, (group, 0, i32::MIN)..=(group, u64::MAX, i32::MAX))? {
                let (key, offset) = entry?;
                let (_, topic, partition) = key.value();
                let named = names.get(&topic).map(|topic| TopicPartition { topic: topic.clone(), partition });
                positions.extend(named.map(|partition| Position { partition, offset: offset.value() }));
            }
            Ok(positions)
        })?;
        positions.sort();
        Ok(positions)
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError> {
        self.without_members(group)?;
        let mut changes = Vec::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            match self.topic(&partition.topic) {
                Some(topic) if usize::try_from(partition.partition).is_ok_and(|at| at < topic.partitions.len()) => {
                    changes.push((topic.id, partition.partition, *offset));
                }
                _ if offset.is_none() => {} // nothing is there to be forgotten
                _ => return Err(BrokerError::Rejected(format!("{partition}: there is no such topic or partition"))),
            }
        }
        self.commit(group, changes).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), BrokerError> {
        self.without_members(group)?;
        let positions = self.group_offsets(group).await?;
        let forget =
            |position: Position| Some((self.topic(&position.partition.topic)?.id, position.partition.partition, None));
        self.commit(group, positions.into_iter().filter_map(forget).collect()).await
    }

    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        let mut wanted = topic.clone();
        wanted.config.entry("cleanup.policy".into()).or_insert_with(|| "compact".into());
        self.create_topic(&wanted).await?;
        let found = self.topic(&topic.name);
        let found = found.ok_or_else(|| BrokerError::Unavailable(format!("topic {} was deleted", topic.name)))?;
        if found.config.cleanup_policy() != "compact" {
            return Err(BrokerError::Rejected(format!(
                "topic {} has cleanup.policy={}, and a store needs cleanup.policy=compact, or its records would go with time; name another topic, or delete this one",
                topic.name,
                found.config.cleanup_policy()
            )));
        }
        Ok(Arc::new(Log::new(self.engine.clone(), found)))
    }
}

fn number(settings: &ClientSettings, key: &str) -> Result<Option<usize>, BrokerError> {
    let Some(value) = settings.get(key) else { return Ok(None) };
    let number = value.trim().parse().map_err(|_| BrokerError::Rejected(format!("{key}={value}: expected a number")));
    number.map(Some)
}

/// An id like Kafka's own: 22 letters of 16 random bytes. In memory it is always the same.
fn draw_id(place: &Place) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if *place == Place::Memory {
        return "local-memory".into();
    }
    let mut bits = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0) as u128;
    bits = bits << 64 | u128::from(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1));
    (0..22).map(|at| LETTERS[(bits >> (at * 6)) as usize & 63] as char).collect()
}
