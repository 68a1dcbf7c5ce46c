//! The loops of source and sink tasks over the in-memory engine, with a paused clock: nothing sleeps.

mod errors;
mod exactly_once;
mod sinks;
mod sources;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use weir_core::model::{Config, Fault, OptionalCalls, RawRecords, Subscription, TaskId};
use weir_core::port::{Broker, ConsumerPolled, NewTopic, Session};
use weir_core::process::{Converters, Reports, Retries};
use weir_core::settings::Tolerance;
use weir_core::store::OffsetStore;
use weir_core::task::{
    Command, Delivery, Grace, Reporter, SinkParts, SourceParts, TaskState, Topics, run_sink, run_source,
};
use weir_local::{Local, Settings};
use weir_tests::harness::BATCH;
use weir_tests::harness::fakes::{FakeSink, FakeSource};

fn converters() -> Converters {
    let make = |role: weir_convert::Role| {
        let class = "org.apache.kafka.connect.storage.StringConverter";
        let nobody: weir_convert::Http = std::sync::Arc::new(|_| unreachable!("it asks nobody"));
        (class.to_owned(), weir_convert::converter(class, &Config::new(), role, &nobody).unwrap())
    };
    Converters {
        key: make(weir_convert::Role::Key),
        value: make(weir_convert::Role::Value),
        header: make(weir_convert::Role::Header),
    }
}

fn id() -> TaskId {
    TaskId { connector: "c".into(), index: 0 }
}

type States = Arc<Mutex<Vec<TaskState>>>;

fn recorder() -> (States, Arc<dyn Fn(TaskState) + Send + Sync>) {
    let states = States::default();
    let kept = states.clone();
    (states, Arc::new(move |state| kept.lock().unwrap().push(state)))
}

struct World {
    broker: Arc<Local>,
    offsets: Arc<OffsetStore>,
}

async fn world() -> World {
    let broker = Local::memory(Settings::default()).unwrap();
    let topic = |name: &str, policy: &str| NewTopic {
        name: name.into(),
        partitions: 1,
        replication_factor: -1,
        config: [("cleanup.policy".to_owned(), policy.to_owned())].into(),
    };
    broker.create_topic(&topic("topic", "delete")).await.unwrap();
    let log = broker.compacted_log(&topic("offsets", "compact")).await.unwrap();
    World { broker, offsets: OffsetStore::open(log).await.unwrap() }
}

struct Handle {
    grace: Grace,
    commands: mpsc::Sender<Command>,
    states: States,
    done: tokio::task::JoinHandle<()>,
}

impl Handle {
    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if holds() {
                return;
            }
            tokio::time::advance(Duration::from_millis(10)).await;
            tokio::task::yield_now().await;
        }
        panic!("waited in vain for: {what}; states: {:?}", self.states.lock().unwrap());
    }

    /// Lets time go by, in which something might happen.
    async fn idle(&self) {
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_millis(10)).await;
            tokio::task::yield_now().await;
        }
    }

    fn last(&self) -> Option<TaskState> {
        self.states.lock().unwrap().last().cloned()
    }

    async fn stop(self) -> Vec<TaskState> {
        self.grace.stopping.cancel();
        self.done.await.unwrap();
        Arc::try_unwrap(self.states).map_or_else(|s| s.lock().unwrap().clone(), |s| s.into_inner().unwrap())
    }
}

async fn source(world: &World, guest: FakeSource) -> Handle {
    source_of(world, guest, |_| {}).await
}

/// A source whose parts are not all the usual ones.
async fn source_of(world: &World, guest: FakeSource, change: impl FnOnce(&mut SourceParts)) -> Handle {
    let (commands, told) = mpsc::channel(4);
    let (states, report) = recorder();
    let grace = Grace::default();
    let all = OptionalCalls { acknowledged: true, committed: true, ..OptionalCalls::default() };
    let mut parts = SourceParts {
        id: id(),
        class: "Fake".into(),
        guest: Box::new(guest),
        wants: all,
        chain: Default::default(),
        converters: converters(),
        retries: Retries::default(),
        tolerance: Tolerance::None,
        reports: Reports::counted(id(), Default::default()),
        topics: Topics::new(world.broker.clone(), Vec::new()),
        delivery: Delivery::AtLeastOnce(world.broker.producer(&Default::default()).await.unwrap()),
        offsets: world.offsets.clone(),
        flush_interval: Duration::from_secs(1),
        flush_timeout: Duration::from_secs(5),
        batch_bytes: BATCH,
        buffer_bytes: 1 << 20,
        grace: grace.clone(),
        commands: told,
        report,
        paused: false,
        counts: Default::default(),
    };
    change(&mut parts);
    Handle { grace, commands, states, done: tokio::spawn(run_source(parts)) }
}

async fn sink(world: &World, guest: FakeSink) -> Handle {
    sink_of(world, guest, "topic", false).await
}

async fn sink_of(world: &World, guest: FakeSink, topic: &str, paused: bool) -> Handle {
    sink_with(world, guest, topic, |parts| parts.paused = paused).await
}

/// A sink whose parts are not all the usual ones.
async fn sink_with(world: &World, mut guest: FakeSink, topic: &str, change: impl FnOnce(&mut SinkParts)) -> Handle {
    let (commands, told) = mpsc::channel(4);
    let (wish, wishes) = mpsc::channel(4);
    guest.worker = Some(wish);
    let (states, report) = recorder();
    let grace = Grace::default();
    let settings = [("group.id".to_owned(), "connect-c".to_owned())].into();
    let subscription = Subscription::Topics(vec![topic.into()]);
    let mut parts = SinkParts {
        id: id(),
        class: "Fake".into(),
        guest: Box::new(guest),
        wants: OptionalCalls { pre_commit: true, ..OptionalCalls::default() },
        chain: Default::default(),
        converters: converters(),
        retries: Retries::default(),
        reporter: Arc::new(Reporter::new(Tolerance::None, Reports::counted(id(), Default::default()))),
        consumer: world.broker.consumer(&subscription, &settings).await.unwrap(),
        flush_interval: Duration::from_secs(1),
        batch_bytes: BATCH,
        grace: grace.clone(),
        commands: told,
        wishes,
        report,
        paused: false,
        counts: Default::default(),
    };
    change(&mut parts);
    Handle { grace, commands, states, done: tokio::spawn(run_sink(parts)) }
}

fn texts(values: &[&str]) -> Result<Vec<String>, Fault> {
    Ok(values.iter().map(|value| value.to_string()).collect())
}

/// The values of everything in the topic.
async fn content(world: &World) -> Vec<String> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap()).into_owned();
    let all = read(world, "topic").await;
    all.iter().flat_map(|raw| (0..raw.rows).map(move |row| text(raw.value.get(row)))).collect()
}

/// Everything in a topic.
async fn read(world: &World, topic: &str) -> Vec<RawRecords> {
    let settings = [("group.id".to_owned(), "reader".to_owned())].into();
    let subscription = Subscription::Topics(vec![topic.into()]);
    let mut consumer = world.broker.consumer(&subscription, &settings).await.unwrap();
    let mut all = Vec::new();
    loop {
        match consumer.poll(Duration::from_millis(10), 1 << 20).await.unwrap() {
            ConsumerPolled::Records(raw) => all.push(raw),
            ConsumerPolled::Nothing => return all,
            _ => {}
        }
    }
}

async fn fill(world: &World, values: &[&str]) {
    let mut raw = RawRecords { rows: values.len(), topics: vec!["topic".into()], ..RawRecords::default() };
    values.iter().for_each(|value| raw.value.push(value.as_bytes()));
    let mut producer = world.broker.producer(&Default::default()).await.unwrap();
    let tickets: Vec<u64> = (0..values.len() as u64).collect();
    producer.send(raw, &tickets).unwrap();
    let mut answered = 0;
    while answered < values.len() {
        answered += producer.answers().await.len();
    }
}

async fn stored(world: &World) -> Option<String> {
    world.offsets.read("c", &["{\"p\":0}".into()]).await.unwrap().remove(0)
}

async fn committed(world: &World) -> Option<i64> {
    world.broker.group_offsets("connect-c").await.unwrap().first().map(|position| position.offset)
}
