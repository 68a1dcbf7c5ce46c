//! Compacted logs: what the stores of configurations, offsets and statuses stand on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::RawRecords;

/// What a store's log answered, by the caller's next move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or cannot for now: try again.
    #[error("{0}")]
    Unavailable(String),
    /// A newer worker owns this store: step down, write nothing.
    #[error("a newer worker owns this store")]
    Fenced,
    /// It cannot be used as it is: wrong partitions, wrong cleanup policy, not allowed.
    #[error("{0}")]
    Unusable(String),
}

/// A record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none deletes what the key had.
    pub value: Option<Vec<u8>>,
}

impl LogRecord {
    /// Records as a producer takes them, or why a compacted topic cannot have them.
    pub fn rows(topic: &Arc<str>, records: &[LogRecord]) -> Result<RawRecords, StoreError> {
        let mut rows = RawRecords { rows: records.len(), topics: vec![topic.clone()], ..RawRecords::default() };
        for record in records {
            let Some(key) = &record.key else {
                let why = format!("topic {topic} is compacted and takes no record without key");
                return Err(StoreError::Unusable(why));
            };
            rows.key.push(key);
            rows.value.push_option(record.value.as_deref());
        }
        Ok(rows)
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// What was written.
    pub record: LogRecord,
}

/// A compacted topic as a log of keyed records.
#[async_trait]
pub trait CompactedLog: Send + Sync {
    /// Appends records in order, each to the partition of its key (murmur2, as Java). Returns once all are safe.
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError>;

    /// A reader from the beginning.
    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError>;
}

/// Reads a log: what stands in it, then what is added.
#[async_trait]
pub trait LogReader: Send {
    /// Everything up to the end as it is at the call; empty when this reader is there. Entries of one partition come
    /// in their order.
    async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError>;

    /// Waits until there may be more than was read. Cancel safe.
    async fn changed(&mut self) -> Result<(), StoreError>;
}
