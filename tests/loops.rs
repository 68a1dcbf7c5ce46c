//! The loops of source and sink tasks over the in-memory engine, with a paused clock: nothing sleeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use weir_core::model::{Config, Fault, OptionalCalls, RawRecords, RowFault, Subscription, TaskId};
use weir_core::port::{Broker, ConsumerPolled, NewTopic, SinkDelivery, SinkRetry};
use weir_core::process::Converters;
use weir_core::store::OffsetStore;
use weir_core::task::{Command, Grace, SinkParts, SourceParts, TaskState, run_sink, run_source};
use weir_local::{Local, Settings};
use weir_tests::harness::fakes::{Diary, FakeSink, FakeSource};

fn converters() -> Converters {
    let make = |role: weir_convert::Role| {
        let class = "org.apache.kafka.connect.storage.StringConverter";
        (class.to_owned(), weir_convert::converter(class, &Config::new(), role).unwrap())
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

    async fn stop(self) -> Vec<TaskState> {
        self.grace.stopping.cancel();
        self.done.await.unwrap();
        Arc::try_unwrap(self.states).map_or_else(|s| s.lock().unwrap().clone(), |s| s.into_inner().unwrap())
    }
}

async fn source(world: &World, guest: FakeSource) -> Handle {
    let (commands, told) = mpsc::channel(4);
    let (states, report) = recorder();
    let grace = Grace::default();
    let all = OptionalCalls { acknowledged: true, committed: true, ..OptionalCalls::default() };
    let parts = SourceParts {
        id: id(),
        class: "Fake".into(),
        guest: Box::new(guest),
        wants: all,
        chain: Default::default(),
        converters: converters(),
        broker: world.broker.clone(),
        producer: world.broker.producer(&Default::default()).await.unwrap(),
        offsets: world.offsets.clone(),
        flush_interval: Duration::from_secs(1),
        flush_timeout: Duration::from_secs(5),
        buffer_bytes: 1 << 20,
        grace: grace.clone(),
        commands: told,
        report,
        paused: false,
        counts: Default::default(),
    };
    Handle { grace, commands, states, done: tokio::spawn(run_source(parts)) }
}

async fn sink(world: &World, guest: FakeSink) -> Handle {
    let (commands, told) = mpsc::channel(4);
    let (_, wishes) = mpsc::channel(4);
    let (states, report) = recorder();
    let grace = Grace::default();
    let settings = [("group.id".to_owned(), "connect-c".to_owned())].into();
    let subscription = Subscription::Topics(vec!["topic".into()]);
    let parts = SinkParts {
        id: id(),
        class: "Fake".into(),
        guest: Box::new(guest),
        wants: OptionalCalls { pre_commit: true, ..OptionalCalls::default() },
        chain: Default::default(),
        converters: converters(),
        consumer: world.broker.consumer(&subscription, &settings).await.unwrap(),
        flush_interval: Duration::from_secs(1),
        batch_bytes: 1 << 20,
        grace: grace.clone(),
        commands: told,
        wishes,
        report,
        paused: false,
        counts: Default::default(),
    };
    Handle { grace, commands, states, done: tokio::spawn(run_sink(parts)) }
}

fn texts(values: &[&str]) -> Result<Vec<String>, Fault> {
    Ok(values.iter().map(|value| value.to_string()).collect())
}

/// Everything in the topic.
async fn content(world: &World) -> Vec<String> {
    let settings = [("group.id".to_owned(), "reader".to_owned())].into();
    let subscription = Subscription::Topics(vec!["topic".into()]);
    let mut consumer = world.broker.consumer(&subscription, &settings).await.unwrap();
    let mut values = Vec::new();
    loop {
        match consumer.poll(Duration::from_millis(10), 1 << 20).await.unwrap() {
            ConsumerPolled::Records(raw) => values
                .extend((0..raw.rows).map(|row| String::from_utf8_lossy(raw.value.get(row).unwrap()).into_owned())),
            ConsumerPolled::Nothing => return values,
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

#[tokio::test(start_paused = true)]
async fn a_source_writes_in_order_commits_and_tells_its_guest() {
    let world = world().await;
    let diary = Diary::default();
    let task =
        source(&world, FakeSource::new(vec![texts(&["a", "b"]), texts(&[]), texts(&["c"])], diary.clone())).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!(content(&world).await, ["a", "b", "c"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":3}"));
    let states = task.stop().await;
    assert_eq!(states, [TaskState::Running, TaskState::Unassigned]);
    let happened = diary.all();
    assert_eq!(happened.first().map(String::as_str), Some("start"));
    assert_eq!(happened.last().map(String::as_str), Some("stop"));
    let acknowledged: Vec<&String> = happened.iter().filter(|what| what.starts_with("acknowledged")).collect();
    assert!(!acknowledged.is_empty(), "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_stopped_commits_what_is_in_the_topic() {
    let world = world().await;
    let diary = Diary::default();
    let task = source(&world, FakeSource::new(vec![texts(&["a"])], diary.clone())).await;
    task.until("running", || !task.states.lock().unwrap().is_empty()).await;
    task.stop().await;
    let count = content(&world).await.len();
    assert_eq!(stored(&world).await.is_some(), count == 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_may_go_through_later_is_tried_again_and_a_fatal_one_fails_the_task() {
    let world = world().await;
    let polls = vec![Err(Fault::Retriable("later".into())), texts(&["a"]), Err(Fault::Fatal("no more".into()))];
    let task = source(&world, FakeSource::new(polls, Diary::default())).await;
    let states = task.states.clone();
    task.until("the failure", || matches!(states.lock().unwrap().last(), Some(TaskState::Failed(_)))).await;
    task.done.await.unwrap();
    assert_eq!(content(&world).await, ["a"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"), "what was written is committed at the end");
    let states = states.lock().unwrap().clone();
    let [TaskState::Running, TaskState::Failed(failure)] = &states[..] else { panic!("{states:?}") };
    assert_eq!(failure.trace, "Fake failed in poll\nCaused by: no more");
}

#[tokio::test(start_paused = true)]
async fn a_paused_source_brings_nothing_and_loses_nothing() {
    let world = world().await;
    let task = source(&world, FakeSource::new(vec![texts(&["a"])], Diary::default())).await;
    let states = task.states.clone();
    let last = move |state: TaskState| states.lock().unwrap().last() == Some(&state);
    task.until("running", || last(TaskState::Running)).await;
    task.commands.send(Command::Pause).await.unwrap();
    task.until("paused", || last(TaskState::Paused)).await;
    task.commands.send(Command::Resume).await.unwrap();
    task.until("running again", || last(TaskState::Running)).await;
    task.stop().await;
    assert_eq!(content(&world).await.len(), 1);
}

fn fake_sink(answers: Vec<Result<SinkDelivery, Fault>>, diary: &Diary) -> FakeSink {
    FakeSink { answers: VecDeque::from(answers), diary: diary.clone(), pre_commit: None }
}

#[tokio::test(start_paused = true)]
async fn a_sink_opens_puts_commits_and_closes_in_this_order() {
    let world = world().await;
    fill(&world, &["a", "b"]).await;
    let diary = Diary::default();
    let task = sink(&world, fake_sink(vec![], &diary)).await;
    task.until("the put", || diary.all().contains(&"put a b".to_owned())).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!(committed(&world).await, Some(2));
    assert_eq!(diary.all(), ["start", "open topic-0 at 0", "put a b", "pre-commit", "close topic-0", "stop"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_may_go_through_later_is_offered_again_from_its_row_on() {
    let world = world().await;
    fill(&world, &["a", "b", "c"]).await;
    let diary = Diary::default();
    let retry = SinkRetry { from: 1, after: Some(Duration::from_secs(3)), reason: "busy".into() };
    let answers = vec![Err(Fault::Retriable("later".into())), Ok(SinkDelivery { faults: vec![], retry: Some(retry) })];
    let task = sink(&world, fake_sink(answers, &diary)).await;
    task.until("the last put", || diary.all().contains(&"put b c".to_owned())).await;
    fill(&world, &["d"]).await;
    task.until("what came later", || diary.all().contains(&"put d".to_owned())).await;
    task.stop().await;
    let puts: Vec<String> = diary.all().into_iter().filter(|what| what.starts_with("put")).collect();
    assert_eq!(puts, ["put a b c", "put a b c", "put b c", "put d"]);
    assert_eq!(committed(&world).await, Some(4));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_fails_for_good_ends_the_task_and_the_rows_before_it_count() {
    let world = world().await;
    fill(&world, &["a", "b", "c"]).await;
    let diary = Diary::default();
    let fault = RowFault { row: 1, step: 0, fault: Fault::Data("b is bad".into()) };
    let task = sink(&world, fake_sink(vec![Ok(SinkDelivery { faults: vec![fault], retry: None })], &diary)).await;
    let states = task.states.clone();
    task.until("the failure", || matches!(states.lock().unwrap().last(), Some(TaskState::Failed(_)))).await;
    task.done.await.unwrap();
    assert_eq!(committed(&world).await, Some(1));
    let states = states.lock().unwrap().clone();
    let Some(TaskState::Failed(failure)) = states.last() else { panic!("{states:?}") };
    assert!(failure.trace.starts_with("Exiting WorkerSinkTask due to unrecoverable exception."), "{failure}");
    assert!(failure.trace.contains("b is bad"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_answers_lower_is_committed_no_further() {
    let world = world().await;
    fill(&world, &["a", "b", "c"]).await;
    let diary = Diary::default();
    let guest = FakeSink { pre_commit: Some(1), ..fake_sink(vec![], &diary) };
    let task = sink(&world, guest).await;
    task.until("the put", || diary.all().contains(&"put a b c".to_owned())).await;
    task.stop().await;
    assert_eq!(committed(&world).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_paused_sink_reads_nothing_and_loses_nothing() {
    let world = world().await;
    let diary = Diary::default();
    let task = sink(&world, fake_sink(vec![], &diary)).await;
    let states = task.states.clone();
    let last = move |state: TaskState| states.lock().unwrap().last() == Some(&state);
    task.until("running", || last(TaskState::Running)).await;
    task.until("opened", || diary.all().iter().any(|what| what.starts_with("open"))).await;
    task.commands.send(Command::Pause).await.unwrap();
    task.until("paused", || last(TaskState::Paused)).await;
    fill(&world, &["a"]).await;
    for _ in 0..3_000 {
        tokio::time::advance(Duration::from_millis(10)).await;
        tokio::task::yield_now().await;
    }
    assert!(!diary.all().contains(&"put a".to_owned()), "{:?}", diary.all());
    task.commands.send(Command::Resume).await.unwrap();
    task.until("the put", || diary.all().contains(&"put a".to_owned())).await;
    task.stop().await;
    assert_eq!(committed(&world).await, Some(1));
}
