//! Brokers: topics, producers, consumers in groups. Kafka fills these ports, and the embedded store does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{ClientKind, Position, Problem, RawRecords, Subscription, TopicPartition};
use crate::observe::ClientStats;

/// What a broker answered, by the caller's next move. Messages are for statuses and logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It did not answer, or cannot for now: try again.
    #[error("{0}")]
    Unavailable(String),
    /// It will not do this: trying again does not help.
    #[error("{0}")]
    Rejected(String),
    /// It will not take this record, for what it is: too large, say. Others it takes.
    #[error("{0}")]
    BadRecord(String),
    /// Somebody newer has taken over: stop, write nothing.
    #[error("{0}")]
    Fenced(String),
    /// The principal may not do this.
    #[error("{0}")]
    Denied(String),
}

/// Client settings by their Java names, defaults and overrides merged.
pub type ClientSettings = std::collections::BTreeMap<String, String>;

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its `cleanup.policy`: `delete`, `compact` or both; none when it may not be read.
    pub cleanup_policy: Option<String>,
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 for the broker's default.
    pub partitions: i32,
    /// How many replicas; -1 for the broker's default.
    pub replication_factor: i16,
    /// Topic configuration by its Kafka names: `cleanup.policy`, `retention.ms`, `retention.bytes`, ...
    pub config: std::collections::BTreeMap<String, String>,
}

/// Whether a topic had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there.
    Existed,
}

/// A broker or a cluster of them.
#[async_trait]
pub trait Broker: Send + Sync {
    /// The cluster's id.
    async fn cluster_id(&self) -> Result<String, BrokerError>;

    /// Descriptions of the named topics; none for one that does not exist.
    async fn describe_topics(&self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, BrokerError>;

    /// Where each partition of a topic ends: the offset that its next record gets. The topic has to be there.
    async fn topic_ends(&self, topic: &str) -> Result<Vec<Position>, BrokerError>;

    /// Whether a topic that a producer writes to has to be made by the worker. A broker that makes them by itself, or
    /// refuses to, as it is configured, answers false.
    fn makes_missing_topics(&self) -> bool {
        true
    }

    /// Makes a topic, or finds that it exists.
    async fn create_topic(&self, topic: &NewTopic) -> Result<Created, BrokerError>;

    /// The same brokers, asked about topics and groups by a client of its own: with this id unless the worker names
    /// another, and with settings over the worker's. None where that would change nothing.
    fn with_admin(&self, _: &str, _: &ClientSettings) -> Result<Option<Arc<dyn Broker>>, BrokerError> {
        Ok(None)
    }

    /// Says what is wrong with a client's settings, as far as it shows before there is one; of an admin client's with
    /// those that go over the worker's.
    fn check_client(&self, _: ClientKind, _: &ClientSettings) -> Result<(), Vec<Problem>> {
        Ok(())
    }

    /// The clients that there are, with what they count.
    fn clients(&self) -> Vec<(ClientKind, Arc<ClientStats>)> {
        Vec::new()
    }

    /// A producer for one task.
    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError>;

    /// A producer that writes in transactions under an id, once whoever had it before is fenced: what that one had not
    /// committed is given up, and it commits nothing more.
    async fn transactional_producer(
        &self,
        id: &str,
        _: &ClientSettings,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        Err(BrokerError::Rejected(format!("transactional.id={id}: there are no transactions here")))
    }

    /// The same, for the worker itself: with the settings with which its logs are written.
    async fn own_transactional_producer(&self, id: &str) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        self.transactional_producer(id, &ClientSettings::new()).await
    }

    /// Fences whoever writes in transactions under an id, as an admin client does it.
    async fn fence(&self, id: &str) -> Result<(), BrokerError> {
        self.own_transactional_producer(id).await.map(drop)
    }

    /// A consumer that joins `group.id` of its settings and reads a subscription.
    async fn consumer(
        &self,
        subscription: &Subscription,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Consumer>, BrokerError>;

    /// The committed offsets of a group, by partition.
    async fn group_offsets(&self, group: &str) -> Result<Vec<Position>, BrokerError>;

    /// Sets the committed offsets of some partitions of a group, and forgets those that are none. While the group has
    /// members, that is refused as [`BrokerError::Fenced`].
    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError>;

    /// Forgets a group with all its committed offsets, if there is one. While it has members, that is refused as
    /// [`BrokerError::Fenced`].
    async fn delete_group(&self, group: &str) -> Result<(), BrokerError>;

    /// A compacted topic as a log, made when it is missing and may be.
    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn super::CompactedLog>, BrokerError>;

    /// The same, written and read by clients with settings of their own.
    async fn compacted_log_of(
        &self,
        topic: &NewTopic,
        _producer: &ClientSettings,
        _consumer: &ClientSettings,
    ) -> Result<Arc<dyn super::CompactedLog>, BrokerError> {
        self.compacted_log(topic).await
    }
}

/// A number that a loop gives a record to know its answer by.
pub type Ticket = u64;

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The record's ticket.
    pub ticket: Ticket,
    /// Its partition and offset, or why it is in no topic.
    pub outcome: Result<(i32, i64), BrokerError>,
}

/// Writes records. A dropped producer gives up what is not answered.
#[async_trait]
pub trait Producer: Send {
    /// Takes records with one ticket each. Never waits: what it holds is bounded by the caller, who looks at
    /// [`Producer::unanswered_bytes`] first. Records of one partition are written in the order in which they were
    /// taken. Keyed records without partition go where Java's default partitioner puts them (murmur2).
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError>;

    /// Bytes of records that were taken and are not answered; above 0 as long as any answer is outstanding.
    fn unanswered_bytes(&self) -> usize;

    /// Answers in the order of arrival, at least one; waits when there is none. Cancel safe.
    async fn answers(&mut self) -> Vec<Sent>;
}

/// Writes records in transactions. The first record after a commit begins the next one; until it is committed, whoever reads
/// only what is committed sees nothing of it. Answers may come before, and say where a record will be.
#[async_trait]
pub trait TransactionalProducer: Producer {
    /// Commits everything that was sent since the last commit, which readers see at once or a moment later. Answers what was
    /// not answered yet. Where a record was refused,
    /// or the transaction cannot be committed, nothing of it is, and the producer is of no more use.
    async fn commit(&mut self) -> Result<Vec<Sent>, BrokerError>;

    /// Gives up everything that was sent since the last commit.
    async fn abort(&mut self) -> Result<(), BrokerError>;
}

/// What a consumer has to say.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a batch, and records are the common answer")]
pub enum Polled {
    /// Nothing came in time.
    Nothing,
    /// Records, at least one.
    Records(RawRecords),
    /// Partitions to read from now on, with the position of each.
    Assigned(Vec<Position>),
    /// Partitions to give up. Reading stops, and others get them once [`Consumer::release`] was called.
    Revoked(Vec<TopicPartition>),
    /// Partitions that others have already: nothing may be committed for them.
    Lost(Vec<TopicPartition>),
}

/// Reads records as a member of a group.
#[async_trait]
pub trait Consumer: Send {
    /// What there is, waiting at most `max_wait`. Records come in batches of at most about `max_bytes`, always at
    /// least one. Cancel safe.
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<Polled, BrokerError>;

    /// Gives up the partitions that [`Polled::Revoked`] named.
    async fn release(&mut self) -> Result<(), BrokerError>;

    /// Stops reading partitions; membership stays. Partitions that the consumer has not, or has lost without having
    /// said so yet, are left alone; so they are by [`Consumer::resume`] and [`Consumer::seek`].
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError>;

    /// Takes up reading partitions.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError>;

    /// Reads from these positions on.
    async fn seek(&mut self, positions: &[Position]) -> Result<(), BrokerError>;

    /// The offset behind the last record of each partition that is read, as far as it was seen. Asks nobody.
    fn ends(&self) -> Vec<Position> {
        Vec::new()
    }

    /// Commits positions and waits for the answer.
    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError>;

    /// Leaves the group. The last call.
    async fn close(&mut self) -> Result<(), BrokerError>;
}
