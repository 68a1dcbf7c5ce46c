//! Where one source connector's offsets are: in the worker's topic, or in one of its own with a copy in the worker's
//! (Connect's ConnectorOffsetBackingStore).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::model::Fault;
use crate::port::{LogRecord, OffsetReader, OffsetWriter, StoreError};

use super::offset_codec::canonical;
use super::offsets::OffsetStore;

/// The wait before a log that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Offsets by source partition; none forgets one.
type Offsets = BTreeMap<Arc<str>, Option<String>>;

/// The offsets of a source connector.
#[derive(Clone)]
pub struct SourceOffsets {
    /// Those of all connectors of the worker.
    pub workers: Arc<OffsetStore>,
    /// Those in the topic that the connector names (`offsets.storage.topic`); they go before the worker's.
    pub own: Option<Arc<OffsetStore>>,
}

impl SourceOffsets {
    /// The stored offset of each partition.
    pub async fn read(&self, connector: &str, partitions: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut offsets = self.workers.read(connector, partitions).await?;
        if let Some(own) = &self.own {
            for (offset, own) in offsets.iter_mut().zip(own.read(connector, partitions).await?) {
                *offset = own.or(offset.take());
            }
        }
        Ok(offsets)
    }

    /// All stored offsets, by partition.
    pub async fn all(&self, connector: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut all = self.workers.all(connector).await?;
        if let Some(own) = &self.own {
            let own = own.all(connector).await?;
            let is_own = |partition: &str| own.iter().any(|(one, _)| canonical(one) == canonical(partition));
            all.retain(|(partition, _)| !is_own(partition));
            all.extend(own);
        }
        Ok(all)
    }

    /// What takes the place of offsets where they are read first, each in the words in which it is stored there.
    pub async fn restated(&self, connector: &str, altered: &[(String, Option<String>)]) -> Result<Offsets, StoreError> {
        self.own.as_ref().unwrap_or(&self.workers).restated(connector, altered).await
    }

    /// Where a copy of what the connector stores goes; none where there is but one place.
    pub fn copies(&self) -> Option<Arc<dyn OffsetWriter>> {
        self.own.is_some().then(|| Arc::new(Copies(self.workers.clone())) as Arc<_>)
    }
}

/// The worker's store, in whose own words each offset is written.
struct Copies(Arc<OffsetStore>);

#[async_trait]
impl OffsetWriter for Copies {
    async fn write(&self, connector: &str, offsets: Offsets) -> Result<(), StoreError> {
        // What is forgotten has to have the words in which it is stored; to look for those of what is kept would have every
        // commit wait for the transactions of others.
        if offsets.values().all(Option::is_some) {
            return self.0.write(connector, offsets).await;
        }
        let altered: Vec<_> = offsets.into_iter().map(|(partition, offset)| (partition.to_string(), offset)).collect();
        self.0.write(connector, self.0.restated(connector, &altered).await?).await
    }

    fn records(&self, connector: &str, offsets: &Offsets) -> Result<Vec<LogRecord>, StoreError> {
        self.0.records(connector, offsets)
    }
}

#[async_trait]
impl OffsetWriter for SourceOffsets {
    /// Which are forgotten, the worker's store hears first: from there they must not come back. What is kept is copied to
    /// it, where that can be.
    async fn write(&self, connector: &str, offsets: Offsets) -> Result<(), StoreError> {
        let (Some(own), Some(copies)) = (&self.own, self.copies()) else {
            return self.workers.write(connector, offsets).await;
        };
        let (kept, forgotten): (Offsets, Offsets) =
            offsets.clone().into_iter().partition(|(_, offset)| offset.is_some());
        if !forgotten.is_empty() {
            copies.write(connector, forgotten).await?;
        }
        own.write(connector, offsets).await?;
        if !kept.is_empty()
            && let Err(error) = copies.write(connector, kept).await
        {
            tracing::warn!(connector, %error, "offsets are stored, but the copy in the worker's own topic is not");
        }
        Ok(())
    }
    fn records(&self, connector: &str, offsets: &Offsets) -> Result<Vec<LogRecord>, StoreError> {
        self.workers.records(connector, offsets)
    }
}

/// One connector's offsets, as its instances read them.
pub struct ConnectorOffsets {
    /// Where they are.
    pub offsets: SourceOffsets,
    /// The connector.
    pub connector: String,
}

#[async_trait]
impl OffsetReader for ConnectorOffsets {
    async fn read(&self, partitions: Vec<String>) -> Result<Vec<Option<String>>, Fault> {
        // As Connect's (KafkaBasedLog.readToEnd) it waits for a log that does not answer now: the call's deadline bounds it.
        loop {
            match self.offsets.read(&self.connector, &partitions).await {
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(connector = self.connector, reason, "offsets cannot be read, which is tried again");
                    sleep(AGAIN).await;
                }
                answer => return answer.map_err(|error| Fault::Fatal(error.to_string())),
            }
        }
    }
}
