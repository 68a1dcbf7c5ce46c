//! Topics as a command line sees them: the operations, the same with and without a worker that runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;
use weir_core::model::{Position, RawRecords, TopicPartition};
use weir_core::port::{Broker, BrokerError, Created, NewTopic};

use crate::catalog::Topic;
use crate::commit::{Done, Job, Op, Reply};
use crate::local::Local;
use crate::partitioner::Partitioner;
use crate::producer::{answer, place};
use crate::read::{Stretch, read};

/// A topic with its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicDetails {
    /// Its name.
    pub name: String,
    /// What of its configuration was given.
    pub config: BTreeMap<String, String>,
    /// Its partitions, from 0.
    pub partitions: Vec<PartitionDetails>,
}

/// A partition's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionDetails {
    /// The offset of the first record that it may still have.
    pub start: i64,
    /// The offset that the next record gets.
    pub end: i64,
    /// Bytes that its records take in the store.
    pub bytes: u64,
}

/// What became of each record, in their order.
pub type Outcomes = Vec<Result<(i32, i64), BrokerError>>;

/// Operations on topics and their records.
#[async_trait]
pub trait TopicAdmin: Send + Sync {
    /// Every topic, by name.
    async fn list(&self) -> Result<Vec<TopicDetails>, BrokerError>;

    /// One topic; none when it does not exist.
    async fn describe(&self, topic: &str) -> Result<Option<TopicDetails>, BrokerError>;

    /// Makes a topic, or finds that it exists.
    async fn create(&self, topic: &NewTopic) -> Result<Created, BrokerError>;

    /// Deletes a topic; false when it does not exist.
    async fn delete(&self, topic: &str) -> Result<bool, BrokerError>;

    /// Writes records and says what became of each.
    async fn produce(&self, records: RawRecords) -> Result<Outcomes, BrokerError>;

    /// Records from these positions on, and the positions to go on from. Waits at most `max_wait` where there are none
    /// yet, and answers without any then.
    async fn read(
        &self,
        from: &[Position],
        max_wait: Duration,
        max_bytes: usize,
    ) -> Result<(RawRecords, Vec<Position>), BrokerError>;
}

fn details(topic: &Topic) -> TopicDetails {
    let numbers = |partition: &crate::catalog::Partition| {
        let extent = partition.extent();
        PartitionDetails { start: extent.start, end: extent.end, bytes: extent.bytes }
    };
    TopicDetails {
        name: topic.name.to_string(),
        config: topic.config.given.clone(),
        partitions: topic.partitions.iter().map(numbers).collect(),
    }
}

#[async_trait]
impl TopicAdmin for Local {
    async fn list(&self) -> Result<Vec<TopicDetails>, BrokerError> {
        Ok(self.engine.shared.catalog.all().iter().map(|topic| details(topic)).collect())
    }

    async fn describe(&self, topic: &str) -> Result<Option<TopicDetails>, BrokerError> {
        Ok(self.topic(topic).map(|topic| details(&topic)))
    }

    async fn create(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        self.create_topic(topic).await
    }

    async fn delete(&self, topic: &str) -> Result<bool, BrokerError> {
        self.delete_topic(topic).await
    }

    async fn produce(&self, records: RawRecords) -> Result<Outcomes, BrokerError> {
        let shared = &self.engine.shared;
        let mut partitioner = Partitioner::new(16 << 10, shared.settings.seed ^ shared.settings.clock.now() as u64);
        let (parts, placed) = place(shared, &mut partitioner, shared.settings.record_bytes_max, &records);
        let partitions: Vec<i32> = parts.iter().map(|part| part.partition).collect();
        let tickets: Vec<u64> = (0..records.rows as u64).collect();
        let done = if parts.is_empty() {
            Ok(Done::Nothing)
        } else {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let reply: Reply = Box::new(move |done| _ = answer.send(done));
            shared.submit(Job { op: Op::Append(parts), reply, patient: None });
            answered.await.unwrap_or_else(|_| Err(BrokerError::Unavailable("the store has ended".into())))
        };
        Ok(answer(&tickets, placed, &partitions, &done).into_iter().map(|sent| sent.outcome).collect())
    }

    async fn read(
        &self,
        from: &[Position],
        max_wait: Duration,
        max_bytes: usize,
    ) -> Result<(RawRecords, Vec<Position>), BrokerError> {
        let shared = &self.engine.shared;
        let watched = Watched { topics: self.watched(from)?, signal: Arc::new(Notify::new()) };
        for (topic, at) in &watched.topics {
            if let Some(partition) = topic.partition(at.partition.partition) {
                partition.watch(&watched.signal);
            }
        }
        let deadline = Instant::now() + max_wait;
        loop {
            let mut next = from.to_vec();
            let mut stretches = Vec::new();
            for (index, (topic, at)) in watched.topics.iter().enumerate() {
                let Some(partition) = topic.partition(at.partition.partition) else { continue };
                next[index].offset = at.offset.max(partition.start());
                let (from, end) = (next[index].offset, partition.end());
                if from < end {
                    let partition = at.partition.partition;
                    stretches.push((index, Stretch { topic: topic.clone(), partition, from, end }));
                }
            }
            if !stretches.is_empty() {
                let wanted: Vec<Stretch> = stretches.iter().map(|(_, stretch)| stretch.clone()).collect();
                let (records, reached) = shared.blocking(move |shared| read(shared, &wanted, max_bytes)).await?;
                for ((index, _), reached) in stretches.iter().zip(reached) {
                    next[*index].offset = reached;
                }
                return Ok((records, next));
            }
            tokio::select! {
                biased;
                () = watched.signal.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Ok((RawRecords::default(), next)),
            }
            if let Some((topic, _)) = watched.topics.iter().find(|(topic, _)| topic.is_deleted()) {
                return Err(BrokerError::Rejected(format!("topic {} was deleted", topic.name)));
            }
        }
    }
}

impl Local {
    fn watched(&self, from: &[Position]) -> Result<Vec<(Arc<Topic>, Position)>, BrokerError> {
        let find = |at: &Position| {
            let TopicPartition { topic, partition } = &at.partition;
            let found = self.topic(topic);
            let found = found.ok_or_else(|| BrokerError::Rejected(format!("topic {topic} does not exist")))?;
            match found.partition(*partition) {
                Some(_) => Ok((found, at.clone())),
                None => Err(BrokerError::Rejected(format!("topic {topic} has no partition {partition}"))),
            }
        };
        from.iter().map(find).collect()
    }
}

/// Watches partitions until it is dropped.
struct Watched {
    topics: Vec<(Arc<Topic>, Position)>,
    signal: Arc<Notify>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (topic, at) in &self.topics {
            if let Some(partition) = topic.partition(at.partition.partition) {
                partition.unwatch(&self.signal);
            }
        }
    }
}
