//! Guests in Rust, for the loops: what they bring and do is what the test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_core::model::{
    Acknowledgements, BatchTables, Boundary, BoundaryKind, Config, Fault, Polled, Position, Problem, RawRecords,
    Records, RowFault, SchemaHandle, StepParts, Subscription, TopicPartition,
};
use weir_core::port::{
    Broker, BrokerError, ChainSegment, ClientSettings, CompactedLog, Consumer, Converted, Converter, Created,
    ErrantReporter, NewTopic, Producer, Sent, Serialized, SinkDelivery, SinkRecords, SinkTask, SourceTask, Ticket,
    TopicColumn, TopicDescription, Transformations, Transformed, Wish,
};
use weir_core::process::{Chain, ChainSegmentPlace};
use weir_data::{Cells, Column, Node, Schema, Type};

/// What happened to a fake, in order.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    /// Notes something.
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What polls bring.
pub type Polls = Arc<Mutex<VecDeque<Result<Vec<String>, Fault>>>>;

/// A source that brings the batches it was given, then nothing.
pub struct FakeSource {
    /// What each poll brings: the values, or a fault. More may be added while it runs.
    pub polls: Polls,
    /// What happened.
    pub diary: Diary,
    /// Values brought so far, which is also the offset.
    pub brought: u64,
    /// The plain string schema.
    pub schema: SchemaHandle,
    /// Whether it hangs when it has nothing more to bring.
    pub hangs: bool,
    /// The topics that it names; records go to the last.
    pub topics: Vec<&'static str>,
    /// From which number on values go to a topic of this name instead.
    pub elsewhere: Option<(u64, &'static str)>,
    /// Behind which values transactions end, and how.
    pub ends: Vec<(u64, BoundaryKind)>,
    /// Who asks the task to stop while it brings the value of this number.
    pub stops: Option<(u64, CancellationToken)>,
}

impl FakeSource {
    /// A source of these polls.
    pub fn new(polls: Vec<Result<Vec<String>, Fault>>, diary: Diary) -> FakeSource {
        let schema = SchemaHandle::new(Schema::of(Node::new(Type::String)));
        FakeSource {
            polls: Arc::new(Mutex::new(polls.into())),
            diary,
            brought: 0,
            schema,
            hangs: false,
            topics: vec!["topic"],
            elsewhere: None,
            ends: Vec::new(),
            stops: None,
        }
    }
}

#[async_trait]
impl SourceTask for FakeSource {
    async fn start(&mut self) -> Result<(), Fault> {
        self.diary.note("start");
        Ok(())
    }

    async fn poll(&mut self, max_wait: Duration, _: usize) -> Result<Polled, Fault> {
        let poll = self.polls.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(poll) = poll else {
            if self.hangs {
                self.diary.note("hangs");
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(max_wait).await;
            return Ok(Polled::default());
        };
        let values = poll?;
        let (mut value, mut offset, mut row_id) = (Column::default(), Column::default(), Vec::new());
        for text in &values {
            self.brought += 1;
            value.push(text.as_bytes());
            offset.push(format!("{{\"n\":{}}}", self.brought).as_bytes());
            row_id.push(self.brought);
            if let Some((_, task)) = self.stops.as_ref().filter(|(at, _)| *at == self.brought) {
                task.cancel();
            }
        }
        if !values.is_empty() {
            self.diary.note(format!("polled {}", self.brought));
        }
        let before = self.brought - values.len() as u64;
        let boundary = |(number, kind): &(u64, BoundaryKind)| {
            (before < *number && *number <= self.brought)
                .then(|| Boundary { row: (number - before - 1) as u32, kind: *kind })
        };
        let boundaries = self.ends.iter().filter_map(boundary).collect();
        if let Some((_, topic)) = self.elsewhere.filter(|(from, _)| *from <= self.brought) {
            self.topics = vec![topic];
        }
        let mut records = Records { rows: values.len(), ..Records::default() };
        records.tables.topics = self.topics.iter().map(|&topic| topic.into()).collect();
        records.topic = vec![self.topics.len() as u32 - 1; values.len()];
        records.tables.schemas.push(Some(self.schema.clone()));
        records.value = Cells { column: value, schema: vec![] };
        Ok(Polled {
            records,
            source_partitions: vec!["{\"p\":0}".into()],
            source_offset: offset,
            row_id,
            boundaries,
            ..Polled::default()
        })
    }

    async fn acknowledged(&mut self, rows: &Acknowledgements) -> Result<(), Fault> {
        for (at, id) in rows.row_id.iter().enumerate() {
            let topic = &rows.topics[rows.topic[at] as usize];
            self.diary.note(format!("acknowledged {id} at {topic}-{}@{}", rows.partition[at], rows.offset[at]));
        }
        Ok(())
    }

    async fn committed(&mut self) -> Result<(), Fault> {
        self.diary.note("committed");
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        self.diary.note("stop");
        Ok(())
    }
}

/// A sink that keeps what it takes, and answers puts as it was told.
#[derive(Default)]
pub struct FakeSink {
    /// What the next puts of records answer; after them, all is delivered.
    pub answers: VecDeque<Result<SinkDelivery, Fault>>,
    /// What happened.
    pub diary: Diary,
    /// What pre-commit answers instead of what it is asked.
    pub pre_commit: Option<i64>,
    /// What its puts of records ask for, one after the other.
    pub asks: VecDeque<Vec<Wish>>,
    /// What it asks for when there is nothing, once.
    pub asks_when_idle: Vec<Wish>,
    /// Whom it asks.
    pub worker: Option<mpsc::Sender<Wish>>,
    /// Whether puts of records never end.
    pub hangs: bool,
    /// How long pre-commit takes.
    pub pre_commit_takes: Duration,
    /// Whether each pre-commit asks for a commit.
    pub never_done: bool,
    /// Whom it reports what is `errant`, at which offset of `topic-0` a batch begins.
    pub errants: Option<(Arc<dyn ErrantReporter>, i64)>,
}

impl FakeSink {
    fn ask(&self, wishes: Vec<Wish>) {
        for wish in wishes {
            self.worker.as_ref().expect("a worker").try_send(wish).expect("room for a wish");
        }
    }
}

#[async_trait]
impl SinkTask for FakeSink {
    async fn start(&mut self) -> Result<(), Fault> {
        self.diary.note("start");
        Ok(())
    }

    async fn open(&mut self, partitions: &[Position]) -> Result<(), Fault> {
        for position in partitions {
            self.diary.note(format!("open {} at {}", position.partition, position.offset));
        }
        Ok(())
    }

    async fn put(&mut self, batch: &SinkRecords) -> Result<SinkDelivery, Fault> {
        if batch.records.rows == 0 {
            let wishes = std::mem::take(&mut self.asks_when_idle);
            if !wishes.is_empty() {
                self.diary.note("idle");
            }
            self.ask(wishes);
            return Ok(SinkDelivery::default());
        }
        let value = |row| String::from_utf8_lossy(batch.records.value.column.get(row).unwrap_or_default()).into_owned();
        let values: Vec<String> = (0..batch.records.rows).map(value).collect();
        self.diary.note(format!("put {}", values.join(" ")));
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if let Some((errants, first)) = &mut self.errants {
            for (at, _) in (0..).zip(&values).filter(|(_, value)| *value == "errant") {
                let partition = TopicPartition { topic: "topic".into(), partition: 0 };
                let reported = errants.report(partition, *first + at, "it is errant".into()).await;
                self.diary.note(format!("reported: {reported:?}"));
            }
            *first += values.len() as i64;
        }
        let wishes = self.asks.pop_front().unwrap_or_default();
        self.ask(wishes);
        self.answers.pop_front().unwrap_or(Ok(SinkDelivery::default()))
    }

    async fn pre_commit(&mut self, positions: &[Position]) -> Result<Vec<Position>, Fault> {
        self.diary.note("pre-commit");
        tokio::time::sleep(self.pre_commit_takes).await;
        if self.never_done {
            self.ask(vec![Wish::Commit]);
        }
        let lowered = |p: &Position| Position { offset: self.pre_commit.unwrap_or(p.offset), ..p.clone() };
        Ok(positions.iter().map(lowered).collect())
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), Fault> {
        partitions.iter().for_each(|partition| self.diary.note(format!("close {partition}")));
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        self.diary.note("stop");
        Ok(())
    }
}

/// Chain steps that keep what passes the test, and note how many rows came.
pub struct FakeSteps {
    /// Which values are kept.
    pub keeps: fn(&str) -> bool,
    /// What happened.
    pub diary: Diary,
}

impl FakeSteps {
    /// A chain of these steps.
    pub fn chain(keeps: fn(&str) -> bool, diary: &Diary) -> Chain {
        let place = ChainSegmentPlace { instance: 0, segment: 0, gate: None, classes: vec!["Fake".into()] };
        Chain { instances: vec![Box::new(FakeSteps { keeps, diary: diary.clone() })], segments: vec![place] }
    }
}

#[async_trait]
impl Transformations for FakeSteps {
    async fn validate(&mut self, _: &str, _: &Config) -> Result<Vec<Problem>, Fault> {
        Ok(Vec::new())
    }

    async fn configure(&mut self, _: u32, _: &ChainSegment) -> Result<Vec<StepParts>, Fault> {
        Ok(vec![])
    }

    async fn apply(&mut self, _: u32, records: Records) -> Result<Transformed, Fault> {
        self.diary.note(format!("apply {}", records.rows));
        let value = |row: u32| String::from_utf8_lossy(records.value.column.get(row as usize).unwrap_or_default());
        let kept: Vec<u32> = (0..records.rows as u32).filter(|&row| (self.keeps)(&value(row))).collect();
        Ok(Transformed { records: records.select(&kept), kept: Some(kept), failed: vec![] })
    }
}

/// What a text fails with: `bad` for good, `late N` N times before it goes through.
#[derive(Default)]
struct Failing(BTreeMap<String, u32>);

impl Failing {
    fn fault(&mut self, text: &str) -> Option<Fault> {
        if text.starts_with("bad") {
            return Some(Fault::Data("it is bad".into()));
        }
        let times: u32 = text.strip_prefix("late ")?.parse().unwrap_or(u32::MAX);
        let failed = self.0.entry(text.to_owned()).or_default();
        *failed += 1;
        (*failed <= times).then(|| Fault::Retriable("it is late".into()))
    }
}

/// A converter that passes text on, but for what is `bad` or `late`.
#[derive(Default)]
pub struct FakeConverter(Failing);

impl FakeConverter {
    fn pass(&mut self, from: &Column) -> (Column, Vec<RowFault>) {
        let (mut column, mut faults) = (Column::default(), Vec::new());
        for row in 0..from.ends.len() {
            let cell = from.get(row);
            let text = String::from_utf8_lossy(cell.unwrap_or_default());
            let fault = self.0.fault(&text);
            column.push_option(cell.filter(|_| fault.is_none()));
            faults.extend(fault.map(|fault| RowFault { row: row as u32, step: 0, fault }));
        }
        (column, faults)
    }
}

#[async_trait]
impl Converter for FakeConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let (column, faults) = self.pass(&bytes);
        tables.schemas.push(None);
        Converted { cells: Cells { column, schema: vec![] }, faults }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, _: &BatchTables) -> Serialized {
        let (bytes, faults) = self.pass(&cells.column);
        Serialized { bytes, faults }
    }
}

/// Chain steps that pass text on, but for what is `bad` or `late`, and note what came.
pub struct FailingSteps {
    failing: Failing,
    diary: Diary,
}

impl FailingSteps {
    /// A chain of these steps.
    pub fn chain(diary: &Diary) -> Chain {
        let place = ChainSegmentPlace { instance: 0, segment: 0, gate: None, classes: vec!["Fake".into()] };
        let steps = FailingSteps { failing: Failing::default(), diary: diary.clone() };
        Chain { instances: vec![Box::new(steps)], segments: vec![place] }
    }
}

#[async_trait]
impl Transformations for FailingSteps {
    async fn validate(&mut self, _: &str, _: &Config) -> Result<Vec<Problem>, Fault> {
        Ok(Vec::new())
    }

    async fn configure(&mut self, _: u32, _: &ChainSegment) -> Result<Vec<StepParts>, Fault> {
        Ok(vec![])
    }

    async fn apply(&mut self, _: u32, records: Records) -> Result<Transformed, Fault> {
        let text = |row: u32| String::from_utf8_lossy(records.value.column.get(row as usize).unwrap_or_default());
        let texts: Vec<String> = (0..records.rows as u32).map(|row| text(row).into_owned()).collect();
        self.diary.note(format!("apply {}", texts.join(", ")));
        if texts.iter().any(|text| text == "all late") && self.failing.fault("late 1").is_some() {
            return Err(Fault::Retriable("all of it is late".into()));
        }
        let (mut kept, mut failed) = (Vec::new(), Vec::new());
        for (row, text) in (0..).zip(&texts) {
            match self.failing.fault(text) {
                Some(fault) => failed.push(RowFault { row, step: 0, fault }),
                None => kept.push(row),
            }
        }
        Ok(Transformed { records: records.select(&kept), kept: Some(kept), failed })
    }
}

/// A producer that is watched, and may be kept from answering.
pub struct WatchedProducer {
    /// What sends.
    pub inner: Box<dyn Producer>,
    /// What happened.
    pub diary: Diary,
    /// Whether answers are kept back.
    pub silent: bool,
    /// Once it is cancelled, what answers are kept back of is refused.
    pub refuses: CancellationToken,
    /// What was sent and not refused.
    pub sent: Vec<Ticket>,
}

impl WatchedProducer {
    /// Watches a producer.
    pub fn new(inner: Box<dyn Producer>, diary: &Diary) -> WatchedProducer {
        let refuses = CancellationToken::new();
        WatchedProducer { inner, diary: diary.clone(), silent: false, refuses, sent: Vec::new() }
    }
}

#[async_trait]
impl Producer for WatchedProducer {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        self.diary.note(format!("send {} behind {} bytes", records.rows, self.inner.unanswered_bytes()));
        self.sent.extend_from_slice(tickets);
        self.inner.send(records, tickets)
    }

    fn unanswered_bytes(&self) -> usize {
        self.inner.unanswered_bytes()
    }

    async fn answers(&mut self) -> Vec<Sent> {
        if self.silent {
            self.refuses.cancelled().await;
            if self.sent.is_empty() {
                std::future::pending::<()>().await;
            }
            let refused = |ticket| Sent { ticket, outcome: Err(BrokerError::BadRecord("it is refused".into())) };
            return self.sent.drain(..).map(refused).collect();
        }
        self.inner.answers().await
    }
}

/// A broker that can make no topic now.
pub struct NoNewTopics(pub Arc<dyn Broker>);

#[async_trait]
impl Broker for NoNewTopics {
    async fn cluster_id(&self) -> Result<String, BrokerError> {
        self.0.cluster_id().await
    }

    async fn describe_topics(&self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, BrokerError> {
        self.0.describe_topics(names).await
    }

    async fn topic_ends(&self, topic: &str) -> Result<Vec<Position>, BrokerError> {
        self.0.topic_ends(topic).await
    }

    async fn create_topic(&self, _: &NewTopic) -> Result<Created, BrokerError> {
        Err(BrokerError::Unavailable("no topic is made now".into()))
    }

    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError> {
        self.0.producer(settings).await
    }

    async fn consumer(
        &self,
        subscription: &Subscription,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        self.0.consumer(subscription, settings).await
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<Position>, BrokerError> {
        self.0.group_offsets(group).await
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError> {
        self.0.alter_group_offsets(group, offsets).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), BrokerError> {
        self.0.delete_group(group).await
    }

    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        self.0.compacted_log(topic).await
    }
}
