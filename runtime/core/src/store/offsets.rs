//! The source offsets of all connectors: a compacted log, and its content by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::port::{CompactedLog, LogReader, LogRecord, OffsetWriter, Offsets, StoreError};

use super::offset_codec::{OffsetKey, canonical, decode_key, encode};

struct Content {
    reader: Box<dyn LogReader>,
    offsets: BTreeMap<OffsetKey, Stored>,
}

/// A stored offset.
struct Stored {
    /// The partition as it stands in the record's key: what takes its place has to have the very same key.
    partition: String,
    offset: String,
}

impl Content {
    async fn read_to_end(&mut self) -> Result<(), StoreError> {
        for entry in self.reader.read_to_end().await? {
            let (Some(key), value) = (entry.record.key, entry.record.value) else { continue };
            let Some((key, partition)) = decode_key(&key) else {
                tracing::warn!(offset = entry.offset, "a record of the offsets topic is not understood and is ignored");
                continue;
            };
            match value.map(String::from_utf8) {
                None => {
                    self.offsets.remove(&key);
                }
                Some(Ok(offset)) => {
                    self.offsets.insert(key, Stored { partition, offset });
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
        let store = OffsetStore::over(log).await?;
        store.content.lock().await.read_to_end().await?;
        Ok(store)
    }

    /// The store over a log that is read when it is first asked: what a task that is gone has left open in it may have to be
    /// ended before, by the task that takes its place.
    pub async fn over(log: Arc<dyn CompactedLog>) -> Result<Arc<OffsetStore>, StoreError> {
        let content = Content { reader: log.reader().await?, offsets: BTreeMap::new() };
        Ok(Arc::new(OffsetStore { log, content: Mutex::new(content) }))
    }

    /// The stored offset of each partition of a connector. Reads to the log's end first.
    pub async fn read(&self, connector: &str, partitions: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut content = self.content.lock().await;
        content.read_to_end().await?;
        let find = |partition: &String| {
            let partition = canonical(partition)?;
            let stored = content.offsets.get(&OffsetKey { connector: connector.to_owned(), partition })?;
            Some(stored.offset.clone())
        };
        Ok(partitions.iter().map(find).collect())
    }

    /// All stored offsets of a connector, by partition, both as JSON text. Reads to the log's end first.
    pub async fn all(&self, connector: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut content = self.content.lock().await;
        content.read_to_end().await?;
        let first = OffsetKey { connector: connector.to_owned(), partition: String::new() };
        let own = content.offsets.range(first..).take_while(|(key, _)| key.connector == connector);
        Ok(own.map(|(_, stored)| (stored.partition.clone(), stored.offset.clone())).collect())
    }

    /// Partitions with what takes the place of their offsets, each in the words in which it is stored already. The last
    /// of several for one partition holds.
    pub async fn restated(&self, connector: &str, altered: &[(String, Option<String>)]) -> Result<Offsets, StoreError> {
        let mut content = self.content.lock().await;
        content.read_to_end().await?;
        let mut restated = BTreeMap::new();
        for (partition, offset) in altered {
            let canonical = canonical(partition).unwrap_or_else(|| partition.clone());
            let key = OffsetKey { connector: connector.to_owned(), partition: canonical };
            let words = content.offsets.get(&key).map_or(partition, |stored| &stored.partition);
            restated.insert(key.partition, (Arc::from(words.as_str()), offset.clone()));
        }
        Ok(restated.into_values().collect())
    }
}

#[async_trait]
impl OffsetWriter for OffsetStore {
    async fn write(&self, connector: &str, offsets: Offsets) -> Result<(), StoreError> {
        self.log.append(encode(connector, &offsets)?).await
    }

    fn records(&self, connector: &str, offsets: &Offsets) -> Result<Vec<LogRecord>, StoreError> {
        encode(connector, offsets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{LogEntry, OffsetReader as _};
    use crate::store::{ConnectorOffsets, SourceOffsets};

    /// A log of one offset whose reader answers at the third try.
    struct Shaky;

    struct ShakyReader(u32);

    #[async_trait]
    impl CompactedLog for Shaky {
        async fn append(&self, _: Vec<LogRecord>) -> Result<(), StoreError> {
            Ok(())
        }

        async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
            Ok(Box::new(ShakyReader(0)))
        }
    }

    #[async_trait]
    impl LogReader for ShakyReader {
        async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError> {
            self.0 += 1;
            match self.0 {
                // The first is the store's own, when it is opened.
                1 => Ok(Vec::new()),
                2..=3 => Err(StoreError::Unavailable("nobody answers".into())),
                _ => {
                    let (key, value) = (br#"["c",{"f":"x"}]"#.to_vec(), br#"{"p":7}"#.to_vec());
                    let record = LogRecord { key: Some(key), value: Some(value) };
                    Ok(vec![LogEntry { partition: 0, offset: 0, timestamp: 0, record }])
                }
            }
        }

        async fn changed(&mut self) -> Result<(), StoreError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_asks_for_its_offsets_waits_for_a_log_that_does_not_answer_now() {
        let store = OffsetStore::open(Arc::new(Shaky)).await.unwrap();
        let partitions = vec![r#"{"f": "x"}"#.to_owned(), r#"{"f":"y"}"#.to_owned()];
        assert!(store.read("c", &partitions).await.is_err());
        let reader = ConnectorOffsets { offsets: SourceOffsets { workers: store, own: None }, connector: "c".into() };
        assert_eq!(reader.read(partitions).await, Ok(vec![Some(r#"{"p":7}"#.into()), None]));
    }

    #[tokio::test]
    async fn offsets_are_restated_in_the_words_in_which_they_are_stored() {
        let store = OffsetStore::open(Arc::new(Shaky)).await.unwrap();
        while store.all("c").await.is_err() {}
        assert_eq!(store.all("c").await.unwrap(), [(r#"{"f":"x"}"#.to_owned(), r#"{"p":7}"#.to_owned())]);
        assert_eq!(store.all("").await.unwrap(), []);
        let altered = |partition: &str, offset: Option<&str>| (partition.to_owned(), offset.map(str::to_owned));
        let altered = [
            altered(r#"{ "f" : "x" }"#, Some(r#"{"p":1}"#)),
            altered(r#"{"f":"z"}"#, Some("{}")),
            altered(r#"{"f": "x"}"#, None),
        ];
        let restated = store.restated("c", &altered).await.unwrap();
        let expected = [(r#"{"f":"x"}"#, None), (r#"{"f":"z"}"#, Some("{}"))];
        let expected: Vec<_> = expected.iter().map(|(p, o)| (Arc::<str>::from(*p), o.map(str::to_owned))).collect();
        assert_eq!(restated.into_iter().collect::<Vec<_>>(), expected);
    }
}
