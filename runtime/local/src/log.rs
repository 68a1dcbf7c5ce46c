//! A compacted topic as a log: appends that are safe when they return, readers from the beginning.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;
use weir_core::model::{RawRecords, TimestampType};
use weir_core::port::{BrokerError, CompactedLog, LogEntry, LogReader, LogRecord, StoreError};

use crate::catalog::Topic;
use crate::codec::encode;
use crate::commit::{Op, Part};
use crate::local::Engine;
use crate::murmur2::partition_of_key;
use crate::read::{Stretch, read};
use crate::rows::batches;

/// Bytes read in one transaction.
const READ_BYTES: usize = 1 << 20;

pub(crate) struct Log {
    engine: Arc<Engine>,
    topic: Arc<Topic>,
}

impl Log {
    pub fn new(engine: Arc<Engine>, topic: Arc<Topic>) -> Log {
        Log { engine, topic }
    }
}

fn store_error(error: BrokerError) -> StoreError {
    match error {
        BrokerError::Unavailable(why) => StoreError::Unavailable(why),
        BrokerError::Fenced(_) => StoreError::Fenced,
        BrokerError::Rejected(why) | BrokerError::BadRecord(why) | BrokerError::Denied(why) => {
            StoreError::Unusable(why)
        }
    }
}

#[async_trait]
impl CompactedLog for Log {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let partitions = self.topic.partitions.len();
        let mut rows = RawRecords { rows: records.len(), ..RawRecords::default() };
        let mut by_partition: Vec<Vec<u32>> = vec![Vec::new(); partitions];
        for (row, record) in records.iter().enumerate() {
            let Some(key) = &record.key else {
                let why = format!("topic {} is compacted and takes no record without key", self.topic.name);
                return Err(StoreError::Unusable(why));
            };
            by_partition[partition_of_key(key, partitions as i32) as usize].push(row as u32);
            rows.key.push(key);
            rows.value.push_option(record.value.as_deref());
        }
        let settings = &self.engine.shared.settings;
        let now = settings.clock.now();
        let mut parts = Vec::new();
        for (partition, picked) in by_partition.iter().enumerate().filter(|(_, picked)| !picked.is_empty()) {
            let batches = batches(&rows, picked, settings.entry_bytes_max, now, TimestampType::CreateTime);
            let frame = |batch: crate::codec::Batch| {
                let mut frame = Vec::new();
                encode(&batch, &mut frame);
                (frame, batch.span)
            };
            let frames = batches.into_iter().map(frame).collect();
            parts.push(Part { topic: self.topic.clone(), partition: partition as i32, frames });
        }
        let (answer, answered) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |done| _ = answer.send(done));
        self.engine.shared.submit(crate::commit::Job { op: Op::Append(parts), reply, patient: None });
        let done = answered.await.unwrap_or_else(|_| Err(BrokerError::Unavailable("the store has ended".into())));
        done.map(drop).map_err(store_error)
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        let signal = Arc::new(Notify::new());
        self.topic.partitions.iter().for_each(|partition| partition.watch(&signal));
        let positions = self.topic.partitions.iter().map(|partition| partition.start()).collect();
        Ok(Box::new(Reader { engine: self.engine.clone(), topic: self.topic.clone(), signal, positions }))
    }
}

struct Reader {
    engine: Arc<Engine>,
    topic: Arc<Topic>,
    signal: Arc<Notify>,
    positions: Vec<i64>,
}

impl Reader {
    fn check(&self) -> Result<(), StoreError> {
        if self.topic.is_deleted() {
            return Err(StoreError::Unusable(format!("topic {} was deleted", self.topic.name)));
        }
        Ok(())
    }

    fn behind(&self) -> bool {
        self.topic.partitions.iter().zip(&self.positions).any(|(partition, position)| *position < partition.end())
    }
}

#[async_trait]
impl LogReader for Reader {
    async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError> {
        self.check()?;
        let ends: Vec<i64> = self.topic.partitions.iter().map(|partition| partition.end()).collect();
        let mut positions = self.positions.clone();
        let mut log = Vec::new();
        loop {
            let behind = positions.iter().zip(&ends).enumerate().filter(|(_, (from, end))| from < end);
            let stretches: Vec<Stretch> = behind
                .map(|(partition, (from, end))| Stretch {
                    topic: self.topic.clone(),
                    partition: partition as i32,
                    from: *from,
                    end: *end,
                })
                .collect();
            if stretches.is_empty() {
                break;
            }
            let wanted = stretches.clone();
            let shared = &self.engine.shared;
            let (records, reached) =
                shared.blocking(move |shared| read(shared, &wanted, READ_BYTES)).await.map_err(store_error)?;
            for (stretch, reached) in stretches.iter().zip(reached) {
                positions[stretch.partition as usize] = reached;
            }
            log.extend((0..records.rows).map(|row| LogEntry {
                partition: records.partition_of(row).unwrap_or(0),
                offset: records.offset[row],
                timestamp: records.timestamp[row],
                record: LogRecord {
                    key: records.key.get(row).map(<[u8]>::to_vec),
                    value: records.value.get(row).map(<[u8]>::to_vec),
                },
            }));
        }
        self.positions = positions;
        Ok(log)
    }

    async fn changed(&mut self) -> Result<(), StoreError> {
        loop {
            self.check()?;
            if self.behind() {
                return Ok(());
            }
            self.signal.notified().await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.topic.partitions.iter().for_each(|partition| partition.unwatch(&self.signal));
    }
}
