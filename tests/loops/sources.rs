//! Sources: what they bring arrives in order, is acknowledged and committed; pauses, stops, faults.

use super::*;
use weir_core::model::Limits;
use weir_tests::harness::fakes::{Diary, FakeSteps, NoNewTopics, WatchedProducer};
use weir_tests::harness::{component, context, plugins};

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
    task.until("the poll", || diary.all().contains(&"polled 1".to_owned())).await;
    task.stop().await;
    assert_eq!(content(&world).await, ["a"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"));
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
    let diary = Diary::default();
    let guest = FakeSource::new(vec![texts(&["a"])], diary.clone());
    let polls = guest.polls.clone();
    let task = source(&world, guest).await;
    task.until("the first batch", || diary.all().contains(&"polled 1".to_owned())).await;
    task.commands.send(Command::Pause).await.unwrap();
    task.until("paused", || task.last() == Some(TaskState::Paused)).await;
    polls.lock().unwrap().push_back(texts(&["b"]));
    task.idle().await;
    assert_eq!(polls.lock().unwrap().len(), 1, "a paused task is not polled");
    assert_eq!(content(&world).await, ["a"]);
    task.commands.send(Command::Resume).await.unwrap();
    task.until("the second batch", || diary.all().contains(&"polled 2".to_owned())).await;
    task.stop().await;
    assert_eq!(content(&world).await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_is_told_where_each_of_its_rows_went() {
    let world = world().await;
    let diary = Diary::default();
    let task = source(&world, FakeSource::new(vec![texts(&["a", "b"])], diary.clone())).await;
    task.until("the second", || diary.all().contains(&"acknowledged 2 at topic-0@1".to_owned())).await;
    assert!(diary.all().contains(&"acknowledged 1 at topic-0@0".to_owned()), "{:?}", diary.all());
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_given_up_in_a_call_says_nothing_more() {
    let world = world().await;
    let diary = Diary::default();
    let guest = FakeSource { hangs: true, ..FakeSource::new(vec![texts(&["a"])], diary.clone()) };
    let task = source(&world, guest).await;
    task.until("the call that hangs", || diary.all().contains(&"hangs".to_owned())).await;
    task.grace.stopping.cancel();
    task.grace.over.cancel();
    task.done.await.unwrap();
    assert_eq!(*task.states.lock().unwrap(), [TaskState::Running], "no failure, and no end: another may own the task");
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"), "what is proven is committed");
}

#[tokio::test]
async fn a_guest_is_told_just_what_became_of_each_of_its_rows() {
    let component = component(&plugins(Limits::default()), "guest_echo").await;
    let given = context("test.TellingSource", &[("topic", "topic"), ("rows", "a,drop,b")], &Limits::default());
    let guest = component.source_task(given).await.unwrap();
    tokio::time::pause();
    let world = world().await;
    let diary = Diary::default();
    let task = source_of(&world, FakeSource::new(vec![], Diary::default()), |parts| {
        parts.guest = guest;
        parts.chain = FakeSteps::chain(|value| value != "drop", &diary);
    })
    .await;
    let mut told = Vec::new();
    for _ in 0..1_000 {
        told = content(&world).await;
        if told.len() >= 5 {
            break;
        }
        tokio::time::advance(Duration::from_millis(10)).await;
        tokio::task::yield_now().await;
    }
    task.idle().await;
    assert_eq!(told.split_off(2).len(), 3, "one for each row");
    let mut told = content(&world).await.split_off(2);
    told.sort();
    assert_eq!(told, ["a is at topic-0@0", "b is at topic-0@1", "drop was dropped"]);
    task.stop().await;
}

/// A hundred values of a hundred bytes, in one poll.
fn hundred() -> Vec<String> {
    (0..100).map(|n| format!("{n:0>100}")).collect()
}

fn noted(diary: &Diary, what: &str) -> Vec<String> {
    diary.all().into_iter().filter(|noted| noted.starts_with(what)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_asked_for_goes_on_its_way_in_pieces_as_far_as_there_is_room() {
    let world = world().await;
    let diary = Diary::default();
    let inner = world.broker.producer(&Default::default()).await.unwrap();
    let producer = WatchedProducer::new(inner, &diary);
    let task = source_of(&world, FakeSource::new(vec![Ok(hundred())], Diary::default()), |parts| {
        parts.delivery = Delivery::AtLeastOnce(Box::new(producer));
        parts.chain = FakeSteps::chain(|_| true, &diary);
        (parts.batch_bytes, parts.buffer_bytes) = (1000, 1500);
    })
    .await;
    task.until("the last piece", || noted(&diary, "send").len() == 13).await;
    task.stop().await;
    assert_eq!(content(&world).await, hundred());
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":100}"));
    // A row counts its value, 28, and its offset of 7 to 9 bytes: eight bring a piece to 1000.
    let mut expected = vec!["apply 8"; 12];
    expected.push("apply 4");
    assert_eq!(noted(&diary, "apply"), expected);
    for send in noted(&diary, "send") {
        let behind: usize = send.split(' ').nth(3).unwrap().parse().unwrap();
        assert!(behind <= 1500, "{send}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_comes_between_two_pieces_and_nothing_is_lost() {
    let world = world().await;
    let diary = Diary::default();
    let task = source_of(&world, FakeSource::new(vec![Ok(hundred())], Diary::default()), |parts| {
        parts.chain = FakeSteps::chain(|_| true, &diary);
        parts.batch_bytes = 1000;
        parts.paused = true;
    })
    .await;
    task.until("paused", || task.last() == Some(TaskState::Paused)).await;
    task.commands.send(Command::Resume).await.unwrap();
    task.commands.send(Command::Pause).await.unwrap();
    task.until("the pause between", || task.states.lock().unwrap().len() == 3).await;
    task.idle().await;
    let pieces = noted(&diary, "apply").len();
    assert!(pieces < 13, "{pieces}");
    task.commands.send(Command::Resume).await.unwrap();
    task.until("the rest", || noted(&diary, "apply").len() == 13).await;
    task.stop().await;
    assert_eq!(content(&world).await, hundred());
}

#[tokio::test(start_paused = true)]
async fn what_a_stop_finds_unsent_is_neither_sent_nor_committed() {
    let world = world().await;
    let diary = Diary::default();
    let inner = world.broker.producer(&Default::default()).await.unwrap();
    let producer = WatchedProducer { silent: true, ..WatchedProducer::new(inner, &diary) };
    let task = source_of(&world, FakeSource::new(vec![Ok(hundred())], Diary::default()), |parts| {
        parts.delivery = Delivery::AtLeastOnce(Box::new(producer));
        (parts.batch_bytes, parts.buffer_bytes) = (1000, 500);
    })
    .await;
    task.until("the first piece", || !noted(&diary, "send").is_empty()).await;
    task.idle().await;
    task.stop().await;
    assert_eq!(content(&world).await, hundred()[..8]);
    assert_eq!(stored(&world).await, None, "nothing was answered");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_waits_is_stopped_all_the_same() {
    let world = world().await;
    let mut guest = FakeSource::new((0..500).map(|_| texts(&["a"])).collect(), Diary::default());
    let stop = tokio_util::sync::CancellationToken::new();
    guest.stops = Some((10, stop.clone()));
    let task = source_of(&world, guest, |parts| parts.grace.stopping = stop).await;
    task.done.await.unwrap();
    assert_eq!(content(&world).await.len(), 10);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":10}"));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_fails_the_task_though_it_is_paused_at_that_moment() {
    let world = world().await;
    let diary = Diary::default();
    let inner = world.broker.producer(&Default::default()).await.unwrap();
    let producer = WatchedProducer { silent: true, ..WatchedProducer::new(inner, &diary) };
    let refuses = producer.refuses.clone();
    let guest = FakeSource::new(vec![texts(&["a"])], Diary::default());
    let task = source_of(&world, guest, |parts| parts.delivery = Delivery::AtLeastOnce(Box::new(producer))).await;
    task.until("the record", || !noted(&diary, "send").is_empty()).await;
    // Both come while the guest is waiting for something to bring.
    task.commands.send(Command::Pause).await.unwrap();
    tokio::task::yield_now().await;
    refuses.cancel();
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    task.done.await.unwrap();
    assert_eq!(stored(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn topics_are_made_for_records_that_are_written_and_no_others() {
    let world = world().await;
    let guest =
        FakeSource { topics: vec!["unused", "topic"], ..FakeSource::new(vec![texts(&["a"])], Diary::default()) };
    let task = source(&world, guest).await;
    task.until("the record", || task.last() == Some(TaskState::Running)).await;
    task.idle().await;
    task.stop().await;
    assert_eq!(content(&world).await, ["a"]);
    assert_eq!(world.broker.describe_topics(&["unused"]).await.unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_committed_while_the_next_topic_cannot_be_made() {
    let world = world().await;
    let polls = vec![texts(&["a"]), texts(&["b"])];
    let guest = FakeSource { elsewhere: Some((2, "elsewhere")), ..FakeSource::new(polls, Diary::default()) };
    let task = source_of(&world, guest, |parts| {
        parts.topics = Topics::new(Arc::new(NoNewTopics(world.broker.clone())), Vec::new())
    })
    .await;
    task.idle().await;
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"));
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_session_of_its_worker_a_source_sends_nothing_until_it_is_back_or_told_to_stop() {
    let world = world().await;
    let (session, diary) = (Arc::new(Session::default()), Diary::default());
    let holds = || session.extend_to(Some(tokio::time::Instant::now() + Duration::from_secs(1_000)));
    holds();
    let guest = FakeSource::new(vec![texts(&["a"])], diary.clone());
    let polls = guest.polls.clone();
    let task = source_of(&world, guest, |parts| parts.grace.session = Some(session.clone())).await;
    let told = |what: &str| diary.all().contains(&what.to_owned());
    task.until("the first", || told("acknowledged 1 at topic-0@0")).await;
    session.extend_to(None);
    polls.lock().unwrap().push_back(texts(&["b"]));
    task.idle().await;
    assert_eq!(content(&world).await, ["a"], "another worker may have read it by now");
    holds();
    task.until("the second", || told("acknowledged 2 at topic-0@1")).await;
    session.extend_to(None);
    polls.lock().unwrap().push_back(texts(&["c"]));
    task.idle().await;
    assert_eq!(task.stop().await.last(), Some(&TaskState::Unassigned));
    assert_eq!(content(&world).await, ["a", "b"]);
}
