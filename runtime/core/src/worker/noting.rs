//! Producers and consumers that note which topics are used (KIP-558).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Position, RawRecords, TopicPartition};
use crate::port::{BrokerError, Consumer, ConsumerPolled, Producer, Sent, Ticket};

/// Whom the use of a topic is told.
pub type NoteTopic = Arc<dyn Fn(&str) + Send + Sync>;

/// A producer that notes the topics to which it has written.
pub struct NotingProducer {
    inner: Box<dyn Producer>,
    note: NoteTopic,
    /// Topics of records that were sent since the last answer.
    sent: Vec<Arc<str>>,
}

impl NotingProducer {
    /// A producer around another.
    pub fn new(inner: Box<dyn Producer>, note: NoteTopic) -> NotingProducer {
        NotingProducer { inner, note, sent: Vec::new() }
    }
}

#[async_trait]
impl Producer for NotingProducer {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        for topic in records.topics_used() {
            if !self.sent.contains(topic) {
                self.sent.push(topic.clone());
            }
        }
        self.inner.send(records, tickets)
    }

    fn unanswered_bytes(&self) -> usize {
        self.inner.unanswered_bytes()
    }

    async fn answers(&mut self) -> Vec<Sent> {
        let answers = self.inner.answers().await;
        if answers.iter().any(|sent| sent.outcome.is_ok()) {
            self.sent.drain(..).for_each(|topic| (self.note)(&topic));
        }
        answers
    }
}

/// A consumer that notes the topics that it has read.
pub struct NotingConsumer {
    inner: Box<dyn Consumer>,
    note: NoteTopic,
}

impl NotingConsumer {
    /// A consumer around another.
    pub fn new(inner: Box<dyn Consumer>, note: NoteTopic) -> NotingConsumer {
        NotingConsumer { inner, note }
    }
}

#[async_trait]
impl Consumer for NotingConsumer {
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<ConsumerPolled, BrokerError> {
        let polled = self.inner.poll(max_wait, max_bytes).await?;
        if let ConsumerPolled::Records(records) = &polled {
            records.topics_used().for_each(|topic| (self.note)(topic));
        }
        Ok(polled)
    }

    async fn release(&mut self) -> Result<(), BrokerError> {
        self.inner.release().await
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.inner.resume(partitions)
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        self.inner.seek(positions).await
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        self.inner.commit(positions).await
    }

    async fn close(&mut self) -> Result<(), BrokerError> {
        self.inner.close().await
    }
}
