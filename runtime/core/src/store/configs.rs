//! The config topic: appends, and what they and others have written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::port::{Broker, BrokerError, CompactedLog, LogReader, LogRecord, StoreError, TransactionalProducer};

use super::config_codec::{ConfigRecord, Passed, decode, encode};

/// The wait before a log that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How a leader writes what only leaders may: in transactions, which no former leader can end any more
/// (KafkaConfigBackingStore.claimWritePrivileges).
pub struct LeadersPen {
    broker: Arc<dyn Broker>,
    topic: Arc<str>,
    id: String,
    /// How long it may take to claim it, and to write.
    within: Duration,
    producer: Option<Box<dyn TransactionalProducer>>,
}

impl LeadersPen {
    /// Writes to a topic under a transactional id, once that is claimed. Each is given up `within` a time.
    pub fn new(broker: Arc<dyn Broker>, topic: &str, id: String, within: Duration) -> LeadersPen {
        LeadersPen { broker, topic: topic.into(), id, within, producer: None }
    }

    async fn claimed(&mut self) -> Result<&mut Box<dyn TransactionalProducer>, BrokerError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                timeout(self.within, self.broker.own_transactional_producer(&self.id)).await.map_err(too_late)??
            }
        };
        Ok(self.producer.insert(producer))
    }

    async fn write(&mut self, records: &[LogRecord]) -> Result<(), StoreError> {
        let topic = self.topic.clone();
        let rows = LogRecord::rows(&topic, records)?;
        let written = async {
            let within = self.within;
            let producer = self.claimed().await?;
            producer.send(rows, &vec![0; records.len()])?;
            timeout(within, producer.commit()).await.map_err(too_late)?
        };
        match written.await {
            Ok(_) => Ok(()),
            Err(error) => {
                // It is of no more use. Whoever still leads claims anew, which also ends what is open: others wait for that.
                self.producer = None;
                if !matches!(error, BrokerError::Fenced(_))
                    && let Err(error) = self.claimed().await
                {
                    tracing::debug!(%error, "the config topic is claimed again with the next write");
                }
                Err(match error {
                    BrokerError::Fenced(_) => StoreError::Fenced,
                    BrokerError::Unavailable(why) => StoreError::Unavailable(why),
                    error @ (BrokerError::Rejected(_) | BrokerError::BadRecord(_) | BrokerError::Denied(_)) => {
                        StoreError::Unusable(format!("topic {topic}: {error}"))
                    }
                })
            }
        }
    }
}

fn too_late(_: Elapsed) -> BrokerError {
    BrokerError::Unavailable("the brokers did not answer in time".into())
}

/// Whether only the leader writes it.
fn is_leaders(record: &ConfigRecord) -> bool {
    !matches!(record, ConfigRecord::Target(..) | ConfigRecord::LoggerLevel { .. })
}

/// The records of the config topic, in their order.
pub struct ConfigStore {
    log: Arc<dyn CompactedLog>,
    /// How leaders write; none where they write as everybody does.
    pen: Option<LeadersPen>,
    reader: Box<dyn LogReader>,
    /// Behind the last record that counts, as Connect counts them.
    offset: i64,
    /// Whether the last reading did not come to the end.
    unread: bool,
    read_at: Instant,
}

impl ConfigStore {
    /// The store over a log, from its beginning.
    pub async fn open(log: Arc<dyn CompactedLog>) -> Result<ConfigStore, StoreError> {
        let reader = log.reader().await?;
        Ok(ConfigStore { log, pen: None, reader, offset: 0, unread: false, read_at: Instant::now() })
    }

    /// The same store, in which leaders write with a pen of theirs.
    pub fn with_pen(self, pen: LeadersPen) -> ConfigStore {
        ConfigStore { pen: Some(pen), ..self }
    }

    /// Claims the leaders' pen from whoever led before, or lays it down.
    pub async fn lead(&mut self, leads: bool) -> Result<(), BrokerError> {
        match &mut self.pen {
            Some(pen) if leads => pen.claimed().await.map(drop),
            Some(pen) => {
                pen.producer = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The position in the topic up to which it was read: what workers of a group tell each other.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Appends records. They come back with what is read next.
    pub async fn append(&mut self, records: &[ConfigRecord]) -> Result<(), StoreError> {
        let encoded = records.iter().map(|record| {
            let (key, value) = encode(record);
            LogRecord { key: Some(key.into_bytes()), value }
        });
        let encoded: Vec<LogRecord> = encoded.collect();
        match &mut self.pen {
            Some(pen) if records.iter().any(is_leaders) => pen.write(&encoded).await,
            _ => self.log.append(encoded).await,
        }
    }

    /// Everything that has come since the last reading.
    pub async fn read_to_end(&mut self) -> Result<Vec<ConfigRecord>, StoreError> {
        // Whoever reads may give up waiting.
        (self.unread, self.read_at) = (true, Instant::now() + AGAIN);
        let entries = self.reader.read_to_end().await?;
        self.unread = false;
        let mut records = Vec::new();
        for entry in entries {
            let Some(key) = entry.record.key else { continue };
            let decoded = decode(&key, entry.record.value.as_deref());
            if !matches!(decoded, Err(Passed::NotJson(_))) {
                self.offset = entry.offset + 1;
            }
            match decoded {
                Ok(record) => records.push(record),
                Err(Passed::NotOurs) => {}
                Err(Passed::NotJson(reason) | Passed::Unreadable(reason)) => {
                    tracing::warn!(offset = entry.offset, "a record of the config topic is ignored: {reason}");
                }
            }
        }
        Ok(records)
    }

    /// Puts off what is to be read: whoever reads gave up waiting.
    pub fn put_off(&mut self) {
        self.read_at = Instant::now() + AGAIN;
    }

    /// Waits until it is to be read: there is more, or a reading that failed is due again. Cancel safe.
    pub async fn news(&mut self) {
        tokio::select! {
            biased;
            () = sleep_until(self.read_at), if self.unread => {}
            changed = self.reader.changed(), if !self.unread => {
                if changed.is_err() {
                    sleep(AGAIN).await;
                }
            }
        }
    }
}
