//! The source offsets of all connectors: a compacted log, and its content by key.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::model::Fault;
use crate::port::{CompactedLog, LogReader, LogRecord, OffsetReader, OffsetWriter, StoreError};

use super::offset_codec::{OffsetKey, canonical, decode_key, encode_key, encode_value};

struct Content {
    reader: Box<dyn LogReader>,
    offsets: HashMap<OffsetKey, String>,
}

impl Content {
    async fn read_to_end(&mut self) -> Result<(), StoreError> {
        for entry in self.reader.read_to_end().await? {
            let (Some(key), value) = (entry.record.key, entry.record.value) else { continue };
            let Some(key) = decode_key(&key) else {
                tracing::warn!(offset = entry.offset, "a record of the offsets topic is not understood and is ignored");
                continue;
            };
            match value.map(String::from_utf8) {
                None => {
                    self.offsets.remove(&key);
                }
                Some(Ok(text)) => {
                    self.offsets.insert(key, text);
                }
                Some(Err(_)) => tracing::warn!(offset = entry.offset, "a stored offset is not UTF-8 and is ignored"),
            }
        }
        Ok(())
    }
}

/// The source offsets of all connectors.
pub struct OffsetStore {
    log: Arc<dyn CompactedLog>,
    content: Mutex<Content>,
}

impl OffsetStore {
    /// The store over a log, read to its end.
    pub async fn open(log: Arc<dyn CompactedLog>) -> Result<Arc<OffsetStore>, StoreError> {
        let mut content = Content { reader: log.reader().await?, offsets: HashMap::new() };
        content.read_to_end().await?;
        Ok(Arc::new(OffsetStore { log, content: Mutex::new(content) }))
    }

    /// The stored offset of each partition of a connector. Reads to the log's end first.
    pub async fn read(&self, connector: &str, partitions: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut content = self.content.lock().await;
        content.read_to_end().await?;
        let find = |partition: &String| {
            let partition = canonical(partition)?;
            content.offsets.get(&OffsetKey { connector: connector.to_owned(), partition }).cloned()
        };
        Ok(partitions.iter().map(find).collect())
    }
}

#[async_trait]
impl OffsetWriter for OffsetStore {
    async fn write(&self, connector: &str, offsets: BTreeMap<Arc<str>, Option<String>>) -> Result<(), StoreError> {
        let mut records = Vec::new();
        for (partition, offset) in offsets {
            let unusable = |what: &str, text: &str| {
                StoreError::Unusable(format!("{connector}: source {what} {text} is not the JSON text of an object"))
            };
            let key = encode_key(connector, &partition).ok_or_else(|| unusable("partition", &partition))?;
            let value = match offset {
                None => None,
                Some(offset) => Some(encode_value(&offset).ok_or_else(|| unusable("offset", &offset))?),
            };
            records.push(LogRecord { key: Some(key), value });
        }
        self.log.append(records).await
    }
}

/// One connector's view of the store, as its instances read it.
pub struct ConnectorOffsets {
    /// The store.
    pub store: Arc<OffsetStore>,
    /// The connector.
    pub connector: String,
}

#[async_trait]
impl OffsetReader for ConnectorOffsets {
    async fn read(&self, partitions: Vec<String>) -> Result<Vec<Option<String>>, Fault> {
        self.store.read(&self.connector, &partitions).await.map_err(|error| match error {
            StoreError::Unavailable(reason) => Fault::Retriable(reason),
            other => Fault::Fatal(other.to_string()),
        })
    }
}
