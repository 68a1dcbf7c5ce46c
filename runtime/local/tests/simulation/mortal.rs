//! The broker as one life of a worker has it: with the life its consumers are gone, and leave their groups. (What a worker
//! has spawned is not; it waits for ever.)

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use weir_core::model::{Position, Subscription, TopicPartition};
use weir_core::port::{
    Broker, BrokerError, ClientSettings, CompactedLog, Consumer, ConsumerPolled, Created, NewTopic, Producer,
    TopicDescription, TransactionalProducer,
};
use weir_local::Local;

use crate::links::{FarTransactions, Link};

type Held = Arc<AsyncMutex<Option<Box<dyn Consumer>>>>;

/// The broker for a life.
pub struct Mortal {
    inner: Arc<Local>,
    /// What its transactions go over.
    link: Link,
    consumers: Mutex<Vec<Held>>,
    dead: CancellationToken,
}

impl Mortal {
    /// The broker for a life that begins.
    pub fn new(inner: Arc<Local>, link: Link) -> Mortal {
        Mortal { inner, link, consumers: Mutex::default(), dead: CancellationToken::new() }
    }

    /// The life is over.
    pub fn end(&self) {
        self.dead.cancel();
        for held in self.consumers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that is polled drops it by itself.
            if let Ok(mut consumer) = held.try_lock() {
                consumer.take();
            }
        }
    }
}

#[async_trait]
impl Broker for Mortal {
    async fn cluster_id(&self) -> Result<String, BrokerError> {
        self.inner.cluster_id().await
    }

    async fn describe_topics(&self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, BrokerError> {
        self.inner.describe_topics(names).await
    }

    async fn topic_ends(&self, topic: &str) -> Result<Vec<Position>, BrokerError> {
        self.inner.topic_ends(topic).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        self.inner.create_topic(topic).await
    }

    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError> {
        self.inner.producer(settings).await
    }

    async fn transactional_producer(
        &self,
        id: &str,
        _: &ClientSettings,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        FarTransactions::take(&*self.inner, id, &self.link, &self.dead).await
    }

    async fn consumer(
        &self,
        subscription: &Subscription,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let held: Held = Arc::new(AsyncMutex::new(Some(self.inner.consumer(subscription, settings).await?)));
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).push(held.clone());
        Ok(Box::new(MortalConsumer { held, dead: self.dead.clone() }))
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<Position>, BrokerError> {
        self.inner.group_offsets(group).await
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError> {
        self.inner.alter_group_offsets(group, offsets).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), BrokerError> {
        self.inner.delete_group(group).await
    }

    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        self.inner.compacted_log(topic).await
    }
}

struct MortalConsumer {
    held: Held,
    dead: CancellationToken,
}

impl MortalConsumer {
    /// Does something with the consumer, for as long as its life goes on.
    fn with(&self, act: impl FnOnce(&mut dyn Consumer) -> Result<(), BrokerError>) -> Result<(), BrokerError> {
        match self.held.try_lock() {
            Ok(mut held) => held.as_mut().map_or(Ok(()), |consumer| act(&mut **consumer)),
            Err(_) => Ok(()),
        }
    }
}

/// Calls the consumer, unless its life ends meanwhile: then it is dropped, and the call never returns.
macro_rules! alive {
    ($self:ident, $consumer:ident, $call:expr) => {{
        let mut held = $self.held.lock().await;
        let Some($consumer) = held.as_mut() else { return pending().await };
        tokio::select! {
            biased;
            () = $self.dead.cancelled() => {}
            answer = $call => return answer,
        }
        held.take();
        drop(held);
        pending().await
    }};
}

#[async_trait]
impl Consumer for MortalConsumer {
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<ConsumerPolled, BrokerError> {
        alive!(self, consumer, consumer.poll(max_wait, max_bytes))
    }

    async fn release(&mut self) -> Result<(), BrokerError> {
        alive!(self, consumer, consumer.release())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.with(|consumer| consumer.pause(partitions))
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.with(|consumer| consumer.resume(partitions))
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        alive!(self, consumer, consumer.seek(positions))
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        alive!(self, consumer, consumer.commit(positions))
    }

    async fn close(&mut self) -> Result<(), BrokerError> {
        alive!(self, consumer, consumer.close())
    }
}
