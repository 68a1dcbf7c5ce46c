//! The config topic: appends, and what they and others have written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::port::{CompactedLog, LogReader, LogRecord, StoreError};

use super::config_codec::{ConfigRecord, Passed, decode, encode};

/// The wait before a log that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// The records of the config topic, in their order.
pub struct ConfigStore {
    log: Arc<dyn CompactedLog>,
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
        Ok(ConfigStore { log, reader, offset: 0, unread: false, read_at: Instant::now() })
    }

    /// The position in the topic up to which it was read: what workers of a group tell each other.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Appends records. They come back with what is read next.
    pub async fn append(&mut self, records: &[ConfigRecord]) -> Result<(), StoreError> {
        let records = records.iter().map(|record| {
            let (key, value) = encode(record);
            LogRecord { key: Some(key.into_bytes()), value }
        });
        self.log.append(records.collect()).await
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
