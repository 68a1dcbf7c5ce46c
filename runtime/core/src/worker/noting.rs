//! Producers and consumers that note which topics are used (KIP-558).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Position, RawRecords, TopicPartition};
use crate::port::{BrokerError, Consumer, ConsumerPolled, Producer, Sent, Ticket, TransactionalProducer};

/// Whom the use of a topic is told.
pub type NoteTopic = Arc<dyn Fn(&str) + Send + Sync>;

/// A producer that notes the topics to which it has written.
pub struct NotingProducer<P: ?Sized> {
    note: NoteTopic,
    /// The topic of the connector's offsets, which is not one that it uses.
    except: Option<Arc<str>>,
    /// Topics of records that were sent since the last answer.
    sent: Vec<Arc<str>>,
    inner: Box<P>,
}

impl<P: Producer + ?Sized> NotingProducer<P> {
    /// A producer around another.
    pub fn new(inner: Box<P>, note: NoteTopic, except: Option<Arc<str>>) -> NotingProducer<P> {
        NotingProducer { inner, note, except, sent: Vec::new() }
    }

    fn note(&mut self, answers: &[Sent]) {
        if answers.iter().any(|sent| sent.outcome.is_ok()) {
            self.sent.drain(..).for_each(|topic| (self.note)(&topic));
        }
    }
}

#[async_trait]
impl<P: Producer + ?Sized> Producer for NotingProducer<P> {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        for topic in records.topics_used() {
            if !self.sent.contains(topic) && self.except.as_ref() != Some(topic) {
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
        self.note(&answers);
        answers
    }
}

#[async_trait]
impl TransactionalProducer for NotingProducer<dyn TransactionalProducer> {
    async fn commit(&mut self) -> Result<Vec<Sent>, BrokerError> {
        let answers = self.inner.commit().await?;
        self.note(&answers);
        Ok(answers)
    }

    async fn abort(&mut self) -> Result<(), BrokerError> {
        self.sent.clear();
        self.inner.abort().await
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

    fn ends(&self) -> Vec<Position> {
        self.inner.ends()
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        self.inner.commit(positions).await
    }

    async fn close(&mut self) -> Result<(), BrokerError> {
        self.inner.close().await
    }
}
