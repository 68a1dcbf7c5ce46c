//! Where one source connector's offsets are: in the worker's topic, or in one of its own with a copy in the worker's
//! (Connect's ConnectorOffsetBackingStore).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::model::Fault;
use crate::port::{LogRecord, OffsetCopies, OffsetReader, OffsetWriter, Offsets, StoreError};

use super::offset_codec::canonical;
use super::offsets::OffsetStore;

/// The wait before a log that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

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

    /// The same. As Connect's (KafkaBasedLog.readToEnd) it waits for a log that does not answer now.
    pub async fn read_once_there(
        &self,
        connector: &str,
        partitions: &[String],
    ) -> Result<Vec<Option<String>>, StoreError> {
        loop {
            match self.read(connector, partitions).await {
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(connector, reason, "offsets cannot be read, which is tried again");
                    sleep(AGAIN).await;
                }
                answer => return answer,
            }
        }
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
    pub fn copies(&self) -> Option<Arc<dyn OffsetCopies>> {
        self.own.is_some().then(|| Arc::new(Copies(self.workers.clone())) as Arc<_>)
    }
}

/// The worker's store.
struct Copies(Arc<OffsetStore>);

#[async_trait]
impl OffsetCopies for Copies {
    async fn before(&self, connector: &str, offsets: &Offsets) -> Result<(), StoreError> {
        let forgotten = offsets.iter().filter(|(_, offset)| offset.is_none());
        let forgotten: Vec<_> = forgotten.map(|(partition, _)| (partition.to_string(), None)).collect();
        if forgotten.is_empty() {
            return Ok(());
        }
        // What takes its place has to have the words in which it is stored there.
        self.0.write(connector, self.0.restated(connector, &forgotten).await?).await
    }

    async fn after(&self, connector: &str, offsets: &Offsets) {
        // In the words of the connector's own: to look for others would have every commit wait for the transactions of others.
        let kept: Offsets = offsets.clone().into_iter().filter(|(_, offset)| offset.is_some()).collect();
        if !kept.is_empty()
            && let Err(error) = self.0.write(connector, kept).await
        {
            tracing::warn!(connector, %error, "offsets are stored, but the copy in the worker's own topic is not");
        }
    }
}

#[async_trait]
impl OffsetWriter for SourceOffsets {
    async fn write(&self, connector: &str, offsets: Offsets) -> Result<(), StoreError> {
        let (Some(own), Some(copies)) = (&self.own, self.copies()) else {
            return self.workers.write(connector, offsets).await;
        };
        copies.before(connector, &offsets).await?;
        own.write(connector, offsets.clone()).await?;
        copies.after(connector, &offsets).await;
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
        // The call's deadline bounds it.
        let read = self.offsets.read_once_there(&self.connector, &partitions).await;
        read.map_err(|error| Fault::Fatal(error.to_string()))
    }
}
