//! Plugins: components, and the instances that run for connectors, tasks and chains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::{
    Acknowledgements, Class, Config, Fault, Grants, Limits, Polled, Position, Problem, Recommendation, Records,
    Refusal, RowFault, StepParts, Support, TopicPartition,
};
use crate::observe::GuestMeter;

/// Runs plugins.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Compiles a component (or finds it compiled), checks what it imports and exports, and asks it what it is.
    async fn load(&self, wasm: Bytes) -> Result<Arc<dyn Component>, Refusal>;

    /// Forgets what was kept of a component that was loaded and is not to be used.
    fn forget(&self, hash: &str);
}

/// Which half of a component a connector instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorKind {
    /// `source-connector`.
    Source,
    /// `sink-connector`.
    Sink,
}

/// A component that was loaded.
#[async_trait]
pub trait Component: Send + Sync {
    /// SHA-256 of its bytes, in hexadecimal.
    fn hash(&self) -> &str;

    /// Its size in bytes.
    fn size(&self) -> u64;

    /// What it imports, by name, in order.
    fn imports(&self) -> &[String];

    /// Its classes.
    fn classes(&self) -> &[Class];

    /// What was done here to have it compiled.
    fn compilation(&self) -> Compilation {
        Compilation::default()
    }

    /// An instance for a connector.
    async fn connector(&self, kind: ConnectorKind, context: Context) -> Result<Box<dyn Instance>, Fault>;

    /// An instance for a source task.
    async fn source_task(&self, context: Context) -> Result<Box<dyn SourceTask>, Fault>;

    /// An instance for a sink task.
    async fn sink_task(&self, context: Context) -> Result<Box<dyn SinkTask>, Fault>;

    /// An instance for the steps of one task in this component.
    async fn transformations(&self, context: Context) -> Result<Box<dyn Transformations>, Fault>;

    /// What the context's class offers for its keys under the context's configuration, in an instance of its own.
    async fn recommend(&self, context: Context) -> Result<Vec<Recommendation>, Fault>;
}

/// What was done on this worker to have a component compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compilation {
    /// How often it was compiled.
    pub compiles: u64,
    /// How often it was there compiled.
    pub cache_hits: u64,
    /// How long the last compilation took; none where there was none.
    pub took: Option<Duration>,
}

/// Reads the source offsets stored for a connector.
#[async_trait]
pub trait OffsetReader: Send + Sync {
    /// The stored offset of each partition, both as JSON text.
    async fn read(&self, partitions: Vec<String>) -> Result<Vec<Option<String>>, Fault>;
}

/// Stores the source offsets of connectors.
#[async_trait]
pub trait OffsetWriter: Send + Sync {
    /// Stores offsets of a connector's source partitions, both as JSON text of one object; null forgets. Returns once
    /// they are safe.
    async fn write(&self, connector: &str, offsets: Offsets) -> Result<(), super::StoreError>;

    /// The records that would store them, for whoever writes them in a transaction.
    fn records(&self, connector: &str, offsets: &Offsets) -> Result<Vec<super::LogRecord>, super::StoreError>;
}

/// Offsets by source partition, both as JSON text of one object; none forgets one.
pub type Offsets = BTreeMap<Arc<str>, Option<String>>;

/// A copy of offsets that stand in a topic of a connector's own, in the worker's (Connect's ConnectorOffsetBackingStore).
#[async_trait]
pub trait OffsetCopies: Send + Sync {
    /// Has the copy forget what is forgotten, before it is: from the copy it must not come back.
    async fn before(&self, connector: &str, offsets: &Offsets) -> Result<(), super::StoreError>;

    /// Copies what is stored, where that can be.
    async fn after(&self, connector: &str, offsets: &Offsets);
}

/// Takes reports of rows that a sink took and cannot use (KIP-610).
#[async_trait]
pub trait ErrantReporter: Send + Sync {
    /// Reports the row at an original partition and offset. Returns once the report is on its way; offsets are not
    /// committed past the row before the report is stored.
    async fn report(&self, partition: TopicPartition, offset: i64, reason: String) -> Result<(), Fault>;
}

/// What a guest asks of its worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop delivery from partitions.
    Pause(Vec<TopicPartition>),
    /// Take up delivery from partitions.
    Resume(Vec<TopicPartition>),
    /// Deliver from these positions on.
    Rewind(Vec<Position>),
    /// Commit offsets early.
    Commit,
    /// Make new task configurations.
    Reconfigure,
}

/// What an instance is given when it is made.
#[derive(Clone)]
pub struct Context {
    /// Who it runs for, as log lines and statuses name it: `name` or `name|task-0`.
    pub owner: Arc<str>,
    /// The tenant whose it is, who has one share of the CPU; empty where there are none.
    pub tenant: Arc<str>,
    /// The class it is.
    pub class: Arc<str>,
    /// Its configuration.
    pub config: Arc<Config>,
    /// What is opened to it.
    pub grants: Arc<Grants>,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// Stored source offsets.
    pub offsets: Option<Arc<dyn OffsetReader>>,
    /// Where errant rows are reported; none where reports go nowhere.
    pub errants: Option<Arc<dyn ErrantReporter>>,
    /// Where its wishes go; dropped when full, with a log line.
    pub wishes: Option<mpsc::Sender<Wish>>,
    /// Cancelled when the task is asked to stop.
    pub stopping: CancellationToken,
    /// What it uses.
    pub meter: Arc<GuestMeter>,
}

/// What a source connector is asked about exactly-once delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportOf {
    /// Whether its configuration can take part in it.
    Delivery,
    /// Whether tasks of its configuration can say where transactions end.
    Boundaries,
}

impl SupportOf {
    /// The call that asks it.
    pub fn call(self) -> &'static str {
        match self {
            SupportOf::Delivery => "exactly-once-support",
            SupportOf::Boundaries => "can-define-boundaries",
        }
    }
}

/// A connector's instance.
#[async_trait]
pub trait Instance: Send {
    /// Problems in its configuration beyond what the definition checks.
    async fn validate(&mut self) -> Result<Vec<Problem>, Fault>;

    /// Starts it.
    async fn start(&mut self) -> Result<(), Fault>;

    /// Configurations for at most `max_tasks` tasks.
    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>, Fault>;

    /// Shows offsets that a person wants to alter, before it is started: partitions and offsets as JSON text of one object
    /// each, none where an offset is to be forgotten. Answers whether the external system's state was altered too.
    async fn alter_offsets(&mut self, offsets: &[(String, Option<String>)]) -> Result<bool, Fault>;

    /// Answers a question about exactly-once delivery, before it is started; sinks are asked none.
    async fn supports(&mut self, _: SupportOf) -> Result<Support, Fault> {
        Ok(Support::Unsupported)
    }

    /// Waits for a reason to make new task configurations.
    async fn watch(&mut self, max_wait: Duration) -> Result<bool, Fault>;

    /// Stops it.
    async fn stop(&mut self) -> Result<(), Fault>;
}

/// A source task's instance.
#[async_trait]
pub trait SourceTask: Send {
    /// Starts it.
    async fn start(&mut self) -> Result<(), Fault>;

    /// The next records, in a batch that is wished to end once it holds `max_bytes`; it may be larger.
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<Polled, Fault>;

    /// Where rows went.
    async fn acknowledged(&mut self, rows: &Acknowledgements) -> Result<(), Fault>;

    /// Offsets were stored.
    async fn committed(&mut self) -> Result<(), Fault>;

    /// Stops it.
    async fn stop(&mut self) -> Result<(), Fault>;
}

/// Records for a sink.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SinkRecords {
    /// The records, offsets included.
    pub records: Records,
    /// Topic and partition of each row before transformations, as positions in the records' tables; none when they
    /// are unchanged.
    pub original: Option<(Vec<u32>, Vec<u32>)>,
}

/// Rows to offer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRetry {
    /// The first row to offer again; the rows before are delivered.
    pub from: u32,
    /// How long to wait; none leaves it to the loop.
    pub after: Option<Duration>,
    /// Why.
    pub reason: String,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkDelivery {
    /// Rows that failed for good, by rising row.
    pub faults: Vec<RowFault>,
    /// Rows to offer again.
    pub retry: Option<SinkRetry>,
}

/// A sink task's instance.
#[async_trait]
pub trait SinkTask: Send {
    /// Starts it.
    async fn start(&mut self) -> Result<(), Fault>;

    /// Partitions that are delivered from now on.
    async fn open(&mut self, partitions: &[Position]) -> Result<(), Fault>;

    /// Delivers records.
    async fn put(&mut self, records: &SinkRecords) -> Result<SinkDelivery, Fault>;

    /// Makes what was put last, and answers up to where.
    async fn pre_commit(&mut self, positions: &[Position]) -> Result<Vec<Position>, Fault>;

    /// Partitions that are no longer delivered.
    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), Fault>;

    /// Stops it.
    async fn stop(&mut self) -> Result<(), Fault>;
}

/// The predicate that guards a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepGuard {
    /// The predicate's class.
    pub class: String,
    /// Its configuration.
    pub config: Config,
    /// Turns the answer round.
    pub negate: bool,
}

/// One step of a chain in one component: a transformation, or a predicate standing alone, which keeps the rows for
/// which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its class.
    pub class: String,
    /// Its configuration.
    pub config: Config,
    /// What guards it.
    pub guard: Option<StepGuard>,
}

/// Neighbouring steps of a chain in one component.
pub type ChainSegment = Vec<Step>;

/// What came out of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transformed {
    /// The records that are left.
    pub records: Records,
    /// The input row each came from; none when all were kept.
    pub kept: Option<Vec<u32>>,
    /// Rows that failed, by rising row of the input.
    pub failed: Vec<RowFault>,
}

/// An instance for chain steps.
#[async_trait]
pub trait Transformations: Send {
    /// Problems in a class's configuration beyond what its definition checks.
    async fn validate(&mut self, class: &str, config: &Config) -> Result<Vec<Problem>, Fault>;

    /// Sets up a segment and answers what its steps touch.
    async fn configure(&mut self, segment: u32, steps: &ChainSegment) -> Result<Vec<StepParts>, Fault>;

    /// Runs records through a segment.
    async fn apply(&mut self, segment: u32, records: Records) -> Result<Transformed, Fault>;
}
