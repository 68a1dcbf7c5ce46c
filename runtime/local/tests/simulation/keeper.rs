//! A sink whose tasks keep what they were given no sooner than they are asked what may be committed.

use async_trait::async_trait;
use weir_core::model::{Fault, Position, TopicPartition};
use weir_core::port::{SinkDelivery, SinkRecords, SinkTask};

use crate::guests::Place;
use crate::links::Link;

/// The class of the sink.
pub const CLASS: &str = "sim.Keeper";

/// A task.
pub struct KeeperTask {
    /// What it was given since it was asked last.
    given: Vec<i64>,
    link: Link,
    place: Place,
}

impl KeeperTask {
    /// A task that was given nothing yet.
    pub fn new(link: Link, place: Place) -> KeeperTask {
        KeeperTask { given: Vec::new(), link, place }
    }
}

#[async_trait]
impl SinkTask for KeeperTask {
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn open(&mut self, _: &[Position]) -> Result<(), Fault> {
        Ok(())
    }

    async fn put(&mut self, records: &SinkRecords) -> Result<SinkDelivery, Fault> {
        self.link.pass().await;
        self.place.go_on()?;
        self.given.extend(&records.records.offset);
        Ok(SinkDelivery::default())
    }

    async fn pre_commit(&mut self, positions: &[Position]) -> Result<Vec<Position>, Fault> {
        self.link.pass().await;
        self.place.keep(self.given.drain(..));
        Ok(positions.to_vec())
    }

    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), Fault> {
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
