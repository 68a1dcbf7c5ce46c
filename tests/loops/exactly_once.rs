//! Sources that deliver exactly once: records and their offsets are there together or not at all.

use std::collections::BTreeMap;

use weir_core::model::BoundaryKind;
use weir_core::port::{OffsetWriter, StoreError, TransactionalProducer};
use weir_core::settings::TransactionBoundary;
use weir_core::store::{ConfigRecord, ConfigStore, LeadersPen, SourceOffsets};
use weir_core::task::ExactlyOnce;
use weir_tests::harness::fakes::{Diary, FakeSteps};

use super::*;

const MINUTE: TransactionBoundary = TransactionBoundary::Interval(Some(Duration::from_secs(60)));

async fn writer(world: &World) -> Box<dyn TransactionalProducer> {
    world.broker.transactional_producer("g-c-0", &Default::default()).await.unwrap()
}

/// A source with transactions that end there.
async fn once(world: &World, guest: FakeSource, boundary: TransactionBoundary) -> Handle {
    once_of(world, guest, boundary, |_| {}).await
}

async fn once_of(
    world: &World,
    guest: FakeSource,
    boundary: TransactionBoundary,
    change: impl FnOnce(&mut SourceParts),
) -> Handle {
    let transactions = ExactlyOnce::new(writer(world).await, boundary, ("offsets".into(), world.offsets.clone()), None);
    let change = |parts: &mut SourceParts| {
        parts.delivery = Delivery::ExactlyOnce(transactions);
        change(parts);
    };
    source_of(world, guest, change).await
}

fn failure(states: &[TaskState]) -> String {
    match states.last() {
        Some(TaskState::Failed(failure)) => failure.trace.clone(),
        _ => panic!("{states:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_committed_with_its_offsets_and_its_task_is_told_then_in_that_order() {
    let (world, diary) = (world().await, Diary::default());
    let guest = FakeSource::new(vec![texts(&["a", "b"]), texts(&["c"])], diary.clone());
    let task = once(&world, guest, TransactionBoundary::Poll).await;
    task.until("the second", || diary.all().contains(&"acknowledged 3 at topic-0@2".to_owned())).await;
    assert_eq!(content(&world).await, ["a", "b", "c"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":3}"));
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    let told = diary.all();
    let first =
        ["start", "polled 2", "acknowledged 1 at topic-0@0", "acknowledged 2 at topic-0@1", "committed", "polled 3"];
    assert_eq!(told[..6], first);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_goes_in_pieces_is_one_transaction() {
    let (world, diary) = (world().await, Diary::default());
    let all: Vec<String> = (0..50).map(|n| format!("{n:0>100}")).collect();
    let guest = FakeSource::new(vec![Ok(all.clone())], diary.clone());
    let task = once_of(&world, guest, TransactionBoundary::Poll, |parts| parts.batch_bytes = 1_000).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!(content(&world).await, all);
    assert_eq!(diary.all().iter().position(|what| what == "committed"), Some(52), "once, behind all of them");
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_interval_collects_batches_until_it_has_passed_whether_more_come_or_not() {
    let (world, diary) = (world().await, Diary::default());
    let guest = FakeSource::new(vec![texts(&["a"]), texts(&["b"])], diary.clone());
    let task = once(&world, guest, MINUTE).await;
    task.until("the second", || diary.all().contains(&"polled 2".to_owned())).await;
    task.idle().await;
    assert_eq!((content(&world).await, stored(&world).await), (vec![], None), "after ten seconds");
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!(content(&world).await, ["a", "b"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":2}"));
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_ends_its_own_transactions_by_the_row_and_what_it_gives_up_does_not_come_again() {
    use BoundaryKind::{Abort, Commit};
    let (world, diary) = (world().await, Diary::default());
    let mut guest = FakeSource::new(vec![texts(&["a", "b", "x", "y"]), texts(&["c", "open"])], diary.clone());
    guest.ends = vec![(1, Commit), (4, Abort), (5, Commit)];
    let task = once(&world, guest, TransactionBoundary::Connector).await;
    task.until("the last", || diary.all().contains(&"polled 6".to_owned())).await;
    task.idle().await;
    assert_eq!(content(&world).await, ["a", "c"], "b was of the transaction that was given up");
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":5}"));
    let told: Vec<String> = diary.all().into_iter().filter(|what| what.starts_with("ack")).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[1..4].iter().all(|what| what.ends_with("-1@-1")), "{told:?}");
    task.stop().await;
    assert_eq!(content(&world).await, ["a", "c"], "the task alone says where transactions end, at its end, too");
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":5}"));
}

#[tokio::test(start_paused = true)]
async fn what_a_task_gives_up_moves_its_offsets_on_although_nothing_else_comes() {
    let (world, diary) = (world().await, Diary::default());
    let mut guest = FakeSource::new(vec![texts(&["a", "b"])], diary.clone());
    guest.ends = vec![(2, BoundaryKind::Abort)];
    let task = once(&world, guest, TransactionBoundary::Connector).await;
    task.until("the end", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!((content(&world).await, stored(&world).await.as_deref()), (vec![], Some("{\"n\":2}")));
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_commits_nothing_of_its_open_transaction() {
    let (world, diary) = (world().await, Diary::default());
    let guest = FakeSource::new(vec![texts(&["a"]), Err(Fault::Fatal("no more".into()))], diary.clone());
    let task = once(&world, guest, MINUTE).await;
    let states = task.states.clone();
    task.until("the failure", || matches!(states.lock().unwrap().last(), Some(TaskState::Failed(_)))).await;
    task.done.await.unwrap();
    assert_eq!((content(&world).await, stored(&world).await), (vec![], None));
    let mut next = writer(&world).await;
    next.commit().await.unwrap();
    assert_eq!(content(&world).await, Vec::<String>::new(), "nor does anybody after it");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_or_pauses_commits_what_is_open() {
    for pauses in [true, false] {
        let (world, diary) = (world().await, Diary::default());
        let task = once(&world, FakeSource::new(vec![texts(&["a"])], diary.clone()), MINUTE).await;
        task.until("the poll", || diary.all().contains(&"polled 1".to_owned())).await;
        if pauses {
            task.commands.send(Command::Pause).await.unwrap();
            task.until("paused", || task.last() == Some(TaskState::Paused)).await;
        } else {
            task.grace.stopping.cancel();
            task.until("the end", || task.last() == Some(TaskState::Unassigned)).await;
        }
        assert_eq!((content(&world).await, stored(&world).await.as_deref()), (vec!["a".to_owned()], Some("{\"n\":1}")));
        task.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_was_fenced_commits_nothing_and_says_what_may_be_the_reason() {
    let (world, diary) = (world().await, Diary::default());
    let task = once(&world, FakeSource::new(vec![texts(&["a"])], diary.clone()), MINUTE).await;
    task.until("the poll", || diary.all().contains(&"polled 1".to_owned())).await;
    let _newer = writer(&world).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    assert_eq!((content(&world).await, stored(&world).await), (vec![], None));
    let said = failure(&task.states.lock().unwrap());
    assert!(
        said.starts_with("Failed to flush offsets and/or records for task c-0\nCaused by: transactional.id=g-c-0"),
        "{said}"
    );
    assert!(said.contains("increase the transaction timeout"), "{said}");
    task.done.await.unwrap();
    assert!(!diary.all().contains(&"committed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_task_does_not_write_to_the_topic_of_its_offsets() {
    let (world, diary) = (world().await, Diary::default());
    let mut guest = FakeSource::new(vec![texts(&["a"])], diary.clone());
    guest.topics = vec!["offsets"];
    let task = once(&world, guest, TransactionBoundary::Poll).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    let said = failure(&task.states.lock().unwrap());
    assert!(said.starts_with("Source tasks may not produce to their own offsets topics"), "{said}");
    task.done.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_filtered_are_told_with_the_commit_and_their_offsets_are_in_it() {
    let (world, diary) = (world().await, Diary::default());
    let guest = FakeSource::new(vec![texts(&["a", "drop"]), texts(&["drop"])], diary.clone());
    let steps = Diary::default();
    let task = once_of(&world, guest, TransactionBoundary::Poll, |parts| {
        parts.chain = FakeSteps::chain(|value| value != "drop", &steps);
    })
    .await;
    task.until("the last", || diary.all().contains(&"acknowledged 3 at --1@-1".to_owned())).await;
    assert_eq!((content(&world).await, stored(&world).await.as_deref()), (vec!["a".to_owned()], Some("{\"n\":3}")));
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_ends_its_transaction_fails_before_what_waits_for_that_fills_the_memory() {
    let (world, diary) = (world().await, Diary::default());
    let batch: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let polls = (0..100).map(|_| Ok(batch.clone())).collect();
    let (guest, steps) = (FakeSource::new(polls, diary.clone()), Diary::default());
    let task = once_of(&world, guest, TransactionBoundary::Connector, |parts| {
        parts.chain = FakeSteps::chain(|_| false, &steps);
        parts.buffer_bytes = 100_000;
    })
    .await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    let said = failure(&task.states.lock().unwrap());
    assert!(said.contains("beyond producer.buffer.memory=100000: have its connector end transactions"), "{said}");
    assert_eq!(stored(&world).await, None);
    task.done.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_brokers_refuse_fails_its_transaction_whatever_is_tolerated() {
    let (world, diary) = (world().await, Diary::default());
    let config = [("max.message.bytes".to_owned(), "1000".to_owned())].into();
    let strict = NewTopic { name: "strict".into(), partitions: 1, replication_factor: -1, config };
    world.broker.create_topic(&strict).await.unwrap();
    let mut guest = FakeSource::new(vec![texts(&["a", &"x".repeat(2_000)])], diary.clone());
    guest.topics = vec!["strict"];
    let task = once_of(&world, guest, TransactionBoundary::Poll, |parts| parts.tolerance = Tolerance::All).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    assert!(read(&world, "strict").await.is_empty());
    assert_eq!(stored(&world).await, None);
    task.done.await.unwrap();
}

async fn own_store(world: &World, topic: &str) -> SourceOffsets {
    let config = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
    let topic = NewTopic { name: topic.into(), partitions: 1, replication_factor: -1, config };
    let log = world.broker.compacted_log(&topic).await.unwrap();
    SourceOffsets { workers: world.offsets.clone(), own: Some(OffsetStore::open(log).await.unwrap()) }
}

#[tokio::test(start_paused = true)]
async fn offsets_in_a_topic_of_the_connectors_own_go_before_the_workers_which_has_a_copy() {
    let world = world().await;
    let partition = |name: &str| format!("{{\"p\":{name}}}");
    let offsets = |entries: &[(&str, Option<&str>)]| -> BTreeMap<Arc<str>, Option<String>> {
        entries.iter().map(|(name, offset)| (partition(name).into(), offset.map(str::to_owned))).collect()
    };
    world.offsets.write("c", offsets(&[("0", Some("{\"n\":1}")), ("1", Some("{\"n\":2}"))])).await.unwrap();
    let both = own_store(&world, "own").await;
    let asked = [partition("0"), partition("1")];
    let read = |one: &str| Some(one.to_owned());
    assert_eq!(both.read("c", &asked).await.unwrap(), [read("{\"n\":1}"), read("{\"n\":2}")], "from before");
    let transactions = ExactlyOnce::new(
        writer(&world).await,
        TransactionBoundary::Poll,
        ("own".into(), Arc::new(both.clone())),
        both.copies(),
    );
    let diary = Diary::default();
    let task = source_of(&world, FakeSource::new(vec![texts(&["a", "b", "c"])], diary.clone()), |parts| {
        parts.delivery = Delivery::ExactlyOnce(transactions);
    })
    .await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!(both.read("c", &asked).await.unwrap(), [read("{\"n\":3}"), read("{\"n\":2}")]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":3}"), "the copy");
    task.stop().await;
    both.write("c", offsets(&[("0", None)])).await.unwrap();
    assert_eq!(both.read("c", &asked).await.unwrap(), [None, read("{\"n\":2}")], "forgotten in both");
    let all = both.all("c").await.unwrap();
    assert_eq!(all, [(partition("1"), "{\"n\":2}".to_owned())]);
}

#[tokio::test]
async fn a_former_leader_writes_nothing_more_until_it_claims_the_topic_again() {
    let world = world().await;
    let open = async || {
        let config = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
        let topic = NewTopic { name: "configs".into(), partitions: 1, replication_factor: -1, config };
        let log = world.broker.compacted_log(&topic).await.unwrap();
        let pen = LeadersPen::new(world.broker.clone(), "configs", "connect-cluster-g".into(), Duration::from_secs(9));
        ConfigStore::open(log).await.unwrap().with_pen(pen)
    };
    let (mut former, mut next) = (open().await, open().await);
    let commit = |tasks| [ConfigRecord::Commit("c".into(), tasks)];
    former.lead(true).await.unwrap();
    former.append(&commit(1)).await.unwrap();
    next.lead(true).await.unwrap();
    assert_eq!(former.append(&commit(2)).await, Err(StoreError::Fenced));
    let target = [ConfigRecord::Target("c".into(), None)];
    former.append(&target).await.unwrap();
    next.append(&commit(3)).await.unwrap();
    former.lead(true).await.unwrap();
    assert_eq!(next.append(&commit(4)).await, Err(StoreError::Fenced));
    former.append(&commit(5)).await.unwrap();
    let read = next.read_to_end().await.unwrap();
    let expected = [&commit(1)[..], &target, &commit(3), &commit(5)].concat();
    assert_eq!(read, expected);
}
