//! Sinks: what is delivered is committed and nothing beyond; retries, wishes, pauses, revocation, faults.

use std::collections::VecDeque;

use super::*;
use weir_core::model::{Position, RowFault, TopicPartition};
use weir_core::port::{SinkDelivery, SinkRetry, Wish};
use weir_tests::harness::fakes::{Diary, FakeConverter};

fn fake_sink(answers: Vec<Result<SinkDelivery, Fault>>, diary: &Diary) -> FakeSink {
    FakeSink { answers: VecDeque::from(answers), diary: diary.clone(), ..FakeSink::default() }
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

fn puts(diary: &Diary) -> Vec<String> {
    diary.all().into_iter().filter(|what| what.starts_with("put")).collect()
}

fn busy_for(seconds: u64) -> Result<SinkDelivery, Fault> {
    let retry = SinkRetry { from: 0, after: Some(Duration::from_secs(seconds)), reason: "busy".into() };
    Ok(SinkDelivery { faults: vec![], retry: Some(retry) })
}

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_begins_paused_opens_its_partitions_when_it_is_resumed() {
    let world = world().await;
    fill(&world, &["a"]).await;
    let diary = Diary::default();
    let task = sink_of(&world, fake_sink(vec![], &diary), "topic", true).await;
    task.idle().await;
    assert_eq!(diary.all(), Vec::<String>::new(), "its guest does not run");
    task.commands.send(Command::Resume).await.unwrap();
    task.until("the put", || diary.all().contains(&"put a".to_owned())).await;
    task.stop().await;
    let happened: Vec<String> = diary.all().into_iter().filter(|what| what != "pre-commit").collect();
    assert_eq!(happened[..3], ["start", "open topic-0 at 0", "put a"]);
    assert_eq!(committed(&world).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_rewind_comes_before_the_next_put_and_nothing_is_committed_past_it() {
    let world = world().await;
    fill(&world, &["a", "b", "c"]).await;
    let diary = Diary::default();
    let rewind = Wish::Rewind(vec![Position { partition: partition("topic", 0), offset: 1 }]);
    let foreign = Wish::Rewind(vec![Position { partition: partition("topic", 7), offset: 0 }]);
    let guest = FakeSink { asks: VecDeque::from([vec![rewind, foreign]]), ..fake_sink(vec![busy_for(3600)], &diary) };
    let task = sink(&world, guest).await;
    task.until("the second put", || puts(&diary).len() == 2).await;
    task.stop().await;
    assert_eq!(puts(&diary), ["put a b c", "put b c"]);
    assert_eq!(committed(&world).await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_rewind_to_where_no_offset_is_fails_the_task() {
    let world = world().await;
    fill(&world, &["a"]).await;
    let diary = Diary::default();
    // To librdkafka, -1 is the end.
    let rewind = Wish::Rewind(vec![Position { partition: partition("topic", 0), offset: -1 }]);
    let guest = FakeSink { asks: VecDeque::from([vec![rewind]]), ..fake_sink(vec![], &diary) };
    let task = sink(&world, guest).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    let Some(TaskState::Failed(failure)) = task.last() else { panic!() };
    assert!(failure.trace.contains("offset -1 of topic-0"), "{failure}");
    task.done.await.unwrap();
    assert_eq!(committed(&world).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_its_guest_paused_waits_for_its_guest() {
    let world = world().await;
    fill(&world, &["a"]).await;
    let diary = Diary::default();
    let own = || vec![partition("topic", 0)];
    let guest = FakeSink {
        asks: VecDeque::from([vec![Wish::Pause(own()), Wish::Pause(own())]]),
        asks_when_idle: vec![Wish::Resume(own())],
        ..fake_sink(vec![], &diary)
    };
    let task = sink(&world, guest).await;
    task.until("the first put", || puts(&diary).len() == 1).await;
    fill(&world, &["b"]).await;
    task.until("the second put", || puts(&diary).len() == 2).await;
    let happened = diary.all();
    let at = |what: &str| happened.iter().position(|it| it == what).unwrap_or_else(|| panic!("{what}: {happened:?}"));
    assert!(at("idle") < at("put b"), "{happened:?}");
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waits_when_a_partition_is_revoked_is_read_again_without_it() {
    let world = world().await;
    fill_two(&world, ["a", "b"], ["c", "d"]).await;
    let diary = Diary::default();
    let task = sink_of(&world, fake_sink(vec![busy_for(3600), busy_for(3600)], &diary), "two", false).await;
    task.until("the first put", || !puts(&diary).is_empty()).await;
    let theirs = another_member(&world).await;
    let mine = if theirs == ["a", "b"] { ["c", "d"] } else { ["a", "b"] };
    let delivered = || puts(&diary).iter().any(|put| *put == format!("put {}", mine.join(" ")));
    task.until("the rows of the partition that stays", delivered).await;
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_converted_behind_a_batch_that_waits_loses_nothing_at_revocation() {
    let world = world().await;
    fill_two(&world, ["a", "bad"], ["c", "bad"]).await;
    let diary = Diary::default();
    let task = sink_with(&world, fake_sink(vec![busy_for(3600)], &diary), "two", |parts| {
        parts.converters.value = ("Fake".into(), Box::new(FakeConverter::default()));
    })
    .await;
    task.until("the first put", || !puts(&diary).is_empty()).await;
    let theirs = another_member(&world).await;
    let mine = if theirs == ["a", "bad"] { "c" } else { "a" };
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    task.done.await.unwrap();
    assert_eq!(puts(&diary).last(), Some(&format!("put {mine}")), "what stood before the bad row was delivered");
    let committed = world.broker.group_offsets("connect-c").await.unwrap();
    let own = partition("two", i32::from(mine == "c"));
    assert_eq!(committed, [Position { partition: own, offset: 1 }], "up to the bad row, and nothing of the others");
}

/// Two rows in each partition of the topic `two`.
pub(super) async fn fill_two(world: &World, first: [&str; 2], second: [&str; 2]) {
    let two = NewTopic { name: "two".into(), partitions: 2, replication_factor: -1, config: Default::default() };
    world.broker.create_topic(&two).await.unwrap();
    let mut raw = RawRecords { rows: 4, topics: vec!["two".into()], ..RawRecords::default() };
    (raw.partitions, raw.partition) = (vec![Some(0), Some(1)], vec![0, 0, 1, 1]);
    first.iter().chain(&second).for_each(|value| raw.value.push(value.as_bytes()));
    world.broker.producer(&Default::default()).await.unwrap().send(raw, &[0, 1, 2, 3]).unwrap();
}

/// Joins the group of a task that reads `two`; the two rows of the partition that comes over with it.
pub(super) async fn another_member(world: &World) -> Vec<String> {
    let settings = [("group.id".to_owned(), "connect-c".to_owned())].into();
    let subscription = Subscription::Topics(vec!["two".into()]);
    let mut other = world.broker.consumer(&subscription, &settings).await.unwrap();
    let mut theirs = Vec::new();
    while theirs.len() < 2 {
        if let ConsumerPolled::Records(raw) = other.poll(Duration::from_millis(10), 1 << 20).await.unwrap() {
            theirs.extend((0..raw.rows).map(|row| String::from_utf8_lossy(raw.value.get(row).unwrap()).into_owned()));
        }
    }
    theirs
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_given_up_in_a_call_says_nothing_more() {
    let world = world().await;
    fill(&world, &["a"]).await;
    let diary = Diary::default();
    let task = sink(&world, FakeSink { hangs: true, ..fake_sink(vec![], &diary) }).await;
    task.until("the call that hangs", || diary.all().contains(&"put a".to_owned())).await;
    task.grace.stopping.cancel();
    task.grace.over.cancel();
    task.done.await.unwrap();
    assert_eq!(*task.states.lock().unwrap(), [TaskState::Running], "no failure, and no end: another may own the task");
    assert_eq!(committed(&world).await, None, "what was not delivered is not committed");
}

/// What a sink does whose guest would keep it busy for ever: it puts what comes, and it stops.
async fn still_works_and_stops(guest: FakeSink) {
    let diary = guest.diary.clone();
    let world = world().await;
    fill(&world, &["a"]).await;
    let task = sink(&world, guest).await;
    task.until("the first commit", || diary.all().contains(&"pre-commit".to_owned())).await;
    fill(&world, &["b"]).await;
    task.until("the next put", || diary.all().contains(&"put b".to_owned())).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!(committed(&world).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_pre_commit_that_takes_longer_than_the_interval_leaves_time_for_puts() {
    let diary = Diary::default();
    still_works_and_stops(FakeSink { pre_commit_takes: Duration::from_secs(2), ..fake_sink(vec![], &diary) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_pre_commit_that_asks_for_the_next_leaves_time_for_puts() {
    let diary = Diary::default();
    still_works_and_stops(FakeSink { never_done: true, ..fake_sink(vec![], &diary) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_busy_for_no_time_at_all_does_not_keep_its_task_from_stopping() {
    const OFTEN: usize = 50_000;
    let world = world().await;
    fill(&world, &["a"]).await;
    let diary = Diary::default();
    let task = sink(&world, fake_sink((0..OFTEN).map(|_| busy_for(0)).collect(), &diary)).await;
    task.until("the first puts", || puts(&diary).len() > 2).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert!(puts(&diary).len() < OFTEN, "it stopped in the middle");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_session_of_its_worker_a_sink_commits_nothing_until_it_is_back() {
    let world = world().await;
    fill(&world, &["a", "b"]).await;
    let (session, diary) = (Arc::new(Session::default()), Diary::default());
    let within = |parts: &mut SinkParts| parts.grace.session = Some(session.clone());
    let task = sink_with(&world, fake_sink(vec![], &diary), "topic", within).await;
    task.until("the put", || diary.all().contains(&"put a b".to_owned())).await;
    task.idle().await;
    assert_eq!(committed(&world).await, None);
    assert!(!diary.all().contains(&"pre-commit".to_owned()), "nor is it made ready: {:?}", diary.all());
    session.extend_to(Some(tokio::time::Instant::now() + Duration::from_secs(1_000)));
    task.until("the commit", || diary.all().contains(&"pre-commit".to_owned())).await;
    session.extend_to(None);
    fill(&world, &["c"]).await;
    task.until("the last put", || diary.all().contains(&"put c".to_owned())).await;
    task.stop().await;
    assert_eq!(committed(&world).await, Some(2), "what it put last is another worker's to put again");
}
