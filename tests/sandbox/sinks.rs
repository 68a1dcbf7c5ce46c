//! Sinks that lie about what they were given: a lie in `put` ends its task, and nothing is committed on a lie's word.

use tokio::sync::mpsc;
use weir_core::model::{OptionalCalls, RawRecords, Subscription, TaskId};
use weir_core::port::{Broker, NewTopic};
use weir_core::process::Converters;
use weir_core::process::Reports;
use weir_core::settings::Tolerance;
use weir_core::task::{Grace, Reporter, SinkParts, TaskState, run_sink};
use weir_local::{Local, Settings};

use super::*;

fn converters() -> Converters {
    let make = |role| {
        let class = "org.apache.kafka.connect.converters.ByteArrayConverter";
        let nobody: weir_convert::Http = std::sync::Arc::new(|_| unreachable!("it asks nobody"));
        (class.to_owned(), weir_convert::converter(class, &config(&[]), role, &nobody).unwrap())
    };
    Converters {
        key: make(weir_convert::Role::Key),
        value: make(weir_convert::Role::Value),
        header: make(weir_convert::Role::Header),
    }
}

/// A broker with two rows in `topic`.
async fn two_rows_in_a_topic() -> Arc<Local> {
    let broker = Local::memory(Settings::default()).unwrap();
    let topic = NewTopic { name: "topic".into(), partitions: 1, replication_factor: -1, config: Default::default() };
    broker.create_topic(&topic).await.unwrap();
    let mut rows = RawRecords { rows: 2, topics: vec!["topic".into()], ..RawRecords::default() };
    ["a", "b"].iter().for_each(|value| rows.value.push(value.as_bytes()));
    let mut producer = broker.producer(&Default::default()).await.unwrap();
    producer.send(rows, &[0, 1]).unwrap();
    let mut answered = 0;
    while answered < 2 {
        answered += producer.answers().await.len();
    }
    broker
}

fn id() -> TaskId {
    TaskId { connector: "c".into(), index: 0 }
}

/// Runs a task of the lying sink until it ends, or is stopped once it took all there is. How it ended, and the offset
/// that is committed then.
async fn run(liar: &Arc<dyn weir_core::port::Component>, lie: &str) -> (TaskState, Option<i64>) {
    let broker = two_rows_in_a_topic().await;
    let guest = liar.sink_task(context("test.LiarSink", &[("lie", lie)], &tight())).await.unwrap();
    let settings = config(&[("group.id", "connect-c")]);
    let topics = Subscription::Topics(vec!["topic".into()]);
    let (_commands, commands) = mpsc::channel(1);
    let (_wishes, wishes) = mpsc::channel(1);
    let (report, mut states) = mpsc::unbounded_channel();
    let (grace, counts) = (Grace::default(), Arc::<weir_core::observe::SinkTaskCounts>::default());
    let task = tokio::spawn(run_sink(SinkParts {
        id: id(),
        class: "test.LiarSink".into(),
        guest,
        wants: OptionalCalls { pre_commit: true, ..OptionalCalls::default() },
        chain: Default::default(),
        converters: converters(),
        retries: Default::default(),
        reporter: Arc::new(Reporter::new(Tolerance::None, Reports::counted(id(), Default::default()))),
        consumer: broker.consumer(&topics, &settings).await.unwrap(),
        flush_interval: Duration::from_millis(10),
        batch_bytes: BATCH,
        grace: grace.clone(),
        commands,
        wishes,
        report: Arc::new(move |state| drop(report.send(state))),
        paused: false,
        counts: counts.clone(),
    }));
    let until = Instant::now() + Duration::from_secs(30);
    while !task.is_finished() && counts.sent.get() < 2 {
        assert!(Instant::now() < until, "{lie}: the task neither ends nor takes what there is");
        tokio::task::yield_now().await;
    }
    grace.stopping.cancel();
    task.await.unwrap();
    let mut last = None;
    while let Some(state) = states.recv().await {
        last = Some(state);
    }
    let committed = broker.group_offsets("connect-c").await.unwrap().first().map(|position| position.offset);
    (last.unwrap(), committed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_about_a_batch_ends_the_task_with_the_call_and_the_lie() {
    let plugins = plugins(tight());
    let liar = component(&plugins, "guest_liar").await;
    assert_eq!(run(&liar, "").await, (TaskState::Unassigned, Some(2)));
    for (lie, named) in [
        ("failed rows out of order", "failed rows: not by rising row within the batch"),
        ("row failed twice", "failed rows: not by rising row within the batch"),
        ("failed row that was not there", "failed rows: not by rising row within the batch"),
        ("retry from a row that was not there", "retry from row 2 of 2"),
        ("row failed and offered again", "a row is both failed and to be offered again from row 1"),
    ] {
        let (TaskState::Failed(failure), committed) = run(&liar, lie).await else { panic!("{lie}: no failure") };
        let told = format!("test.LiarSink failed in put\nCaused by: put broke the contract: {named}");
        assert!(failure.trace.ends_with(&told), "{lie}: {failure}");
        assert_eq!(committed, None, "{lie}: nothing of the batch was delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_about_what_to_commit_commits_nothing_and_the_task_goes_on() {
    let plugins = plugins(tight());
    let liar = component(&plugins, "guest_liar").await;
    for lie in ["position beyond what was put", "position below the first", "partition that it has not"] {
        assert_eq!(run(&liar, lie).await, (TaskState::Unassigned, None), "{lie}");
    }
}
