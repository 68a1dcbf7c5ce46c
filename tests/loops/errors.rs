//! Records that fail: tried again alone, passed over, reported, and never in the way of their batch mates.

use std::collections::VecDeque;

use super::*;
use weir_core::model::RowFault;
use weir_core::observe::ErrorCounts;
use weir_core::port::{Converter, SinkDelivery};
use weir_core::process::DeadLetters;
use weir_core::settings::RetrySettings;
use weir_tests::harness::fakes::{Diary, FailingSteps, FakeConverter, WatchedProducer};

/// Retries without end that take at most a second each.
fn for_ever(counts: &Arc<ErrorCounts>) -> Retries {
    let settings = RetrySettings { timeout: None, delay_max: Duration::from_secs(1) };
    Retries { settings, counts: counts.clone() }
}

/// Reports into the topic `dead`, with all that headers can say.
async fn letters(world: &World, counts: &Arc<ErrorCounts>) -> Reports {
    // It may be there already.
    let topic = NewTopic { name: "dead".into(), partitions: 1, replication_factor: -1, config: Default::default() };
    world.broker.create_topic(&topic).await.unwrap();
    let producer = world.broker.producer(&Default::default()).await.unwrap();
    let letters = DeadLetters::new("dead", true, producer, 1 << 20);
    let mut reports = Reports { letters: Some(letters), ..Reports::counted(id(), counts.clone()) };
    reports.written_down = Some(converters());
    reports
}

/// The dead letters: value, and some of the headers.
async fn dead(world: &World) -> Vec<String> {
    let said = |raw: &RawRecords, row: usize| {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"null")).into_owned();
        let header = |name: &str| {
            let mut all = raw.headers.of(row);
            all.find(|(known, _)| known.strip_prefix("__connect.errors.") == Some(name)).map(|(_, value)| text(value))
        };
        let named = ["stage", "topic", "offset", "source.offset", "exception.message"].map(header);
        let named: Vec<String> = named.into_iter().flatten().collect();
        format!("{}: {}", text(raw.value.get(row)), named.join(" "))
    };
    let all = read(world, "dead").await;
    all.iter().flat_map(|raw| (0..raw.rows).map(|row| said(raw, row)).collect::<Vec<_>>()).collect()
}

fn fake_converter() -> (String, Box<dyn Converter>) {
    ("Fake".to_owned(), Box::new(FakeConverter::default()))
}

/// A sink that keeps what it takes.
fn quiet(diary: &Diary) -> FakeSink {
    FakeSink { diary: diary.clone(), ..FakeSink::default() }
}

fn puts(diary: &Diary) -> Vec<String> {
    diary.all().into_iter().filter(|what| what.starts_with("put")).collect()
}

fn count(counts: &ErrorCounts) -> [u64; 5] {
    [&counts.failures, &counts.errors, &counts.skipped, &counts.retries, &counts.letters].map(|counter| counter.get())
}

/// A sink that tolerates everything, whose dead letters are written.
async fn tolerant(world: &World, guest: FakeSink, counts: &Arc<ErrorCounts>, diary: &Diary) -> Handle {
    let reporter = Arc::new(Reporter::new(Tolerance::All, letters(world, counts).await));
    sink_with(world, guest, "topic", |parts| {
        parts.converters.value = fake_converter();
        parts.chain = FailingSteps::chain(diary);
        parts.reporter = reporter;
        parts.retries.counts = counts.clone();
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_sink_passes_over_what_fails_and_its_dead_letters_are_stored_before_it_commits() {
    let world = world().await;
    fill(&world, &["a", "bad", "b", "bad too", "c"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let task = tolerant(&world, quiet(&diary), &counts, &diary).await;
    task.until("the put", || !puts(&diary).is_empty()).await;
    task.stop().await;
    assert_eq!(puts(&diary), ["put a b c"]);
    assert!(diary.all().contains(&"apply a, b, c".to_owned()), "what failed in a converter came to the chain");
    assert_eq!(committed(&world).await, Some(5));
    let stage = "VALUE_CONVERTER topic";
    assert_eq!(dead(&world).await, [format!("bad: {stage} 1 it is bad"), format!("bad too: {stage} 3 it is bad")]);
    assert_eq!(count(&counts), [2, 2, 2, 0, 2]);
    assert!(counts.last_error.get() > 0);
}

#[tokio::test(start_paused = true)]
async fn without_tolerance_the_rows_before_the_first_bad_one_are_put_and_it_is_reported_and_named() {
    let world = world().await;
    fill(&world, &["a", "bad", "b", "bad too"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let reporter = Arc::new(Reporter::new(Tolerance::None, letters(&world, &counts).await));
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.converters.value = fake_converter();
        parts.reporter = reporter;
    })
    .await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    assert_eq!((puts(&diary), committed(&world).await), (vec!["put a".to_owned()], Some(1)));
    let Some(TaskState::Failed(failure)) = task.last() else { panic!("it runs") };
    let expected = "Tolerance exceeded in error handler\nCaused by: error in stage VALUE_CONVERTER with class Fake, where \
                    consumed record is {topic='topic', partition=0, offset=1}: it is bad";
    assert_eq!(failure.trace, expected);
    assert_eq!(dead(&world).await, ["bad: VALUE_CONVERTER topic 1 it is bad"]);
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_record_is_tried_again_alone_while_later_ones_wait_and_order_is_kept() {
    let world = world().await;
    fill(&world, &["a", "late 2", "b", "late 1", "c"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let retries = for_ever(&counts);
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.chain = FailingSteps::chain(&diary);
        parts.retries = retries;
    })
    .await;
    task.until("the put", || !puts(&diary).is_empty()).await;
    fill(&world, &["d"]).await;
    task.until("what came later", || puts(&diary).len() == 2).await;
    task.stop().await;
    let applied: Vec<String> = diary.all().into_iter().filter(|what| what.starts_with("apply")).collect();
    assert_eq!(applied, ["apply a, late 2, b, late 1, c", "apply late 2, late 1", "apply late 2", "apply d"]);
    assert_eq!(puts(&diary), ["put a late 2 b late 1 c", "put d"]);
    assert_eq!((committed(&world).await, count(&counts)), (Some(6), [3, 0, 0, 3, 0]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_go_through_later_is_made_again_with_all_of_its_rows() {
    let world = world().await;
    fill(&world, &["a", "all late"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let retries = for_ever(&counts);
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.chain = FailingSteps::chain(&diary);
        parts.retries = retries;
    })
    .await;
    task.until("the put", || !puts(&diary).is_empty()).await;
    task.stop().await;
    assert_eq!(puts(&diary), ["put a all late"]);
    assert_eq!(count(&counts), [2, 0, 0, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_late_record_is_given_up_when_its_time_has_passed_and_then_follows_the_tolerance() {
    for (tolerance, expected, offset) in [(Tolerance::All, "put a b", 3), (Tolerance::None, "put a", 1)] {
        let world = world().await;
        fill(&world, &["a", "late for ever", "b"]).await;
        let (diary, counts) = (Diary::default(), Arc::default());
        let reporter = Arc::new(Reporter::new(tolerance, letters(&world, &counts).await));
        let settings = RetrySettings { timeout: Some(Duration::from_secs(2)), delay_max: Duration::from_secs(60) };
        let task = sink_with(&world, quiet(&diary), "topic", |parts| {
            parts.converters.value = fake_converter();
            parts.reporter = reporter;
            parts.retries = Retries { settings, counts: counts.clone() };
        })
        .await;
        task.until("the put", || !puts(&diary).is_empty()).await;
        task.stop().await;
        assert_eq!((puts(&diary), committed(&world).await), (vec![expected.to_owned()], Some(offset)));
        // Tried at 0, 0.3, 0.9 and 2 s.
        assert_eq!(count(&counts)[..4], [4, 1, u64::from(tolerance == Tolerance::All), 3]);
        assert_eq!(dead(&world).await, ["late for ever: VALUE_CONVERTER topic 1 it is late"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_with_a_late_record_stops_at_once_and_loses_nothing() {
    let world = world().await;
    fill(&world, &["a", "late for ever", "b"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let retries = for_ever(&counts);
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.chain = FailingSteps::chain(&diary);
        parts.retries = retries;
    })
    .await;
    task.until("some tries", || counts.retries.get() > 3).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!((puts(&diary), committed(&world).await), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn rows_that_a_put_names_as_wrong_are_passed_over_where_that_is_tolerated() {
    let world = world().await;
    fill(&world, &["a", "b", "c"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let fault = |row, fault| RowFault { row, step: 0, fault };
    let faults = vec![fault(1, Fault::Data("b is bad".into()))];
    let answers = VecDeque::from([Ok(SinkDelivery { faults, retry: None })]);
    let guest = FakeSink { diary: diary.clone(), answers, ..FakeSink::default() };
    let task = tolerant(&world, guest, &counts, &diary).await;
    task.until("the put", || !puts(&diary).is_empty()).await;
    fill(&world, &["d"]).await;
    task.until("what came later", || puts(&diary).len() == 2).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!(committed(&world).await, Some(4));
    assert_eq!(dead(&world).await, ["b: TASK_PUT topic 1 b is bad"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_more_than_a_row_ends_the_task_whatever_is_tolerated() {
    let world = world().await;
    fill(&world, &["a", "b", "c", "d"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let fault = |row, fault| RowFault { row, step: 0, fault };
    let faults = vec![fault(0, Fault::Data("a is bad".into())), fault(2, Fault::Fatal("nothing goes".into()))];
    let answers = VecDeque::from([Ok(SinkDelivery { faults, retry: None })]);
    let guest = FakeSink { diary: diary.clone(), answers, ..FakeSink::default() };
    let task = tolerant(&world, guest, &counts, &diary).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    task.stop().await;
    assert_eq!(committed(&world).await, Some(2));
    assert_eq!(dead(&world).await, ["a: TASK_PUT topic 0 a is bad"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_guest_reports_is_a_dead_letter_and_without_tolerance_the_end() {
    for (tolerance, counted) in [(Tolerance::All, [1, 0, 0, 0, 1]), (Tolerance::None, [1, 1, 0, 0, 1])] {
        let world = world().await;
        fill(&world, &["a", "errant", "b"]).await;
        let (diary, counts) = (Diary::default(), Arc::default());
        let reporter = Arc::new(Reporter::new(tolerance, letters(&world, &counts).await));
        let guest =
            FakeSink { diary: diary.clone(), errants: Some((reporter.clone() as Arc<_>, 0)), ..FakeSink::default() };
        let task = sink_with(&world, guest, "topic", |parts| parts.reporter = reporter).await;
        task.until("the put", || !puts(&diary).is_empty()).await;
        let tolerant = tolerance == Tolerance::All;
        if !tolerant {
            task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
            let Some(TaskState::Failed(failure)) = task.last() else { panic!("it runs") };
            let expected = "Tolerance exceeded in error handler\nCaused by: error in stage TASK_PUT with class \
                            org.apache.kafka.connect.sink.SinkTask, where consumed record is {topic='topic', partition=0, \
                            offset=1}: it is errant";
            assert_eq!(failure.trace, expected);
        }
        task.stop().await;
        assert_eq!((committed(&world).await, count(&counts)), (tolerant.then_some(3), counted));
        assert_eq!(dead(&world).await, ["errant: TASK_PUT topic 1 it is errant"]);
        let told = diary.all().into_iter().find(|what| what.starts_with("reported")).unwrap();
        assert_eq!(told.contains("Ok"), tolerant, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_while_dead_letters_are_not_stored() {
    let world = world().await;
    fill(&world, &["a", "bad"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let mut reports = letters(&world, &counts).await;
    let letters = reports.letters.as_mut().unwrap();
    let inner = world.broker.producer(&Default::default()).await.unwrap();
    letters.producer = Box::new(WatchedProducer { silent: true, ..WatchedProducer::new(inner, &diary) });
    let reporter = Arc::new(Reporter::new(Tolerance::All, reports));
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.converters.value = fake_converter();
        parts.reporter = reporter;
    })
    .await;
    task.until("the letter", || diary.all().iter().any(|what| what.starts_with("send"))).await;
    task.idle().await;
    assert_eq!(committed(&world).await, None);
    task.grace.over.cancel();
    task.stop().await;
    assert_eq!(committed(&world).await, None);
}

/// A source that tolerates everything, whose dead letters are written.
async fn tolerant_source(world: &World, guest: FakeSource, counts: &Arc<ErrorCounts>, diary: &Diary) -> Handle {
    let reports = letters(world, counts).await;
    source_of(world, guest, |parts| {
        parts.chain = FailingSteps::chain(diary);
        parts.tolerance = Tolerance::All;
        parts.reports = reports;
        parts.retries = for_ever(counts);
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_source_passes_over_what_fails_and_commits_past_it_once_its_letter_is_stored() {
    let world = world().await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let guest = FakeSource::new(vec![texts(&["a", "bad", "late 2", "b"])], diary.clone());
    let task = tolerant_source(&world, guest, &counts, &diary).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    task.stop().await;
    assert_eq!(content(&world).await, ["a", "late 2", "b"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":4}"));
    assert_eq!(dead(&world).await, ["bad: TRANSFORMATION topic {\"n\":2} it is bad"]);
    assert_eq!(count(&counts), [3, 1, 1, 2, 1]);
    assert!(diary.all().contains(&"acknowledged 2 at --1@-1".to_owned()), "its guest was not told: {:?}", diary.all());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_waits_with_a_late_record_commits_what_came_before_and_stops_at_once() {
    let world = world().await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let guest = FakeSource::new(vec![texts(&["a"]), texts(&["late for ever", "b"])], diary.clone());
    let task = tolerant_source(&world, guest, &counts, &diary).await;
    task.until("some tries", || counts.retries.get() > 3).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"));
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!(content(&world).await, ["a"]);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":1}"));
}

#[tokio::test(start_paused = true)]
async fn without_tolerance_a_source_sends_what_stands_before_the_first_bad_row_and_names_it() {
    let world = world().await;
    let diary = Diary::default();
    let guest = FakeSource::new(vec![texts(&["a", "bad", "b"])], diary.clone());
    let task = source_of(&world, guest, |parts| parts.chain = FailingSteps::chain(&diary)).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    let Some(TaskState::Failed(failure)) = task.last() else { panic!("it runs") };
    let expected = "Tolerance exceeded in error handler\nCaused by: error in stage TRANSFORMATION with class Fake, where \
                    source record is {sourcePartition={\"p\":0}, sourceOffset={\"n\":2}}: it is bad";
    assert_eq!(failure.trace, expected);
    task.stop().await;
    assert_eq!((content(&world).await, stored(&world).await.as_deref()), (vec!["a".to_owned()], Some("{\"n\":1}")));
}

#[tokio::test(start_paused = true)]
async fn records_that_the_brokers_refuse_are_passed_over_where_that_is_tolerated() {
    let world = world().await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let guest = FakeSource::new(vec![texts(&["a", "b"])], diary.clone());
    let reports = letters(&world, &counts).await;
    let inner = world.broker.producer(&Default::default()).await.unwrap();
    let producer = WatchedProducer { silent: true, ..WatchedProducer::new(inner, &diary) };
    let refuses = producer.refuses.clone();
    let task = source_of(&world, guest, |parts| {
        parts.tolerance = Tolerance::All;
        parts.reports = reports;
        parts.delivery = Delivery::AtLeastOnce(Box::new(producer));
    })
    .await;
    task.until("what was sent", || diary.all().iter().any(|what| what.starts_with("send 2"))).await;
    refuses.cancel();
    task.until("both letters", || counts.letters.get() == 2).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    let expected = ["a: KAFKA_PRODUCE topic {\"n\":1} it is refused", "b: KAFKA_PRODUCE topic {\"n\":2} it is refused"];
    assert_eq!(dead(&world).await, expected);
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":2}"));
    task.grace.over.cancel();
    task.stop().await;
}

/// Letters into a queue that takes only small ones.
async fn small_letters(world: &World, counts: &Arc<ErrorCounts>) -> Reports {
    let most = [("max.message.bytes".to_owned(), "1500".to_owned())].into();
    let topic = NewTopic { name: "dead".into(), partitions: 1, replication_factor: -1, config: most };
    world.broker.create_topic(&topic).await.unwrap();
    letters(world, counts).await
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_too_large_is_stood_for_by_one_that_says_where_its_record_is() {
    let world = world().await;
    fill(&world, &["a", &format!("bad {}", "x".repeat(3_000)), "b"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let reporter = Arc::new(Reporter::new(Tolerance::All, small_letters(&world, &counts).await));
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.converters.value = fake_converter();
        parts.reporter = reporter;
    })
    .await;
    task.until("the put", || !puts(&diary).is_empty()).await;
    assert_eq!(task.stop().await, [TaskState::Running, TaskState::Unassigned]);
    assert_eq!((puts(&diary), committed(&world).await), (vec!["put a b".to_owned()], Some(3)));
    assert_eq!(dead(&world).await, ["null: VALUE_CONVERTER topic 1 it is bad"]);
    let letter = read_again(&world, "dead").await;
    assert!(letter.contains(&"__connect.errors.incomplete".to_owned()), "{letter:?}");
    assert_eq!((counts.letters.get(), counts.letter_failures.get()), (1, 1));
}

/// The names of all headers in a topic, read by another group.
async fn read_again(world: &World, topic: &str) -> Vec<String> {
    let settings = [("group.id".to_owned(), "another-reader".to_owned())].into();
    let mut consumer = world.broker.consumer(&Subscription::Topics(vec![topic.into()]), &settings).await.unwrap();
    loop {
        if let ConsumerPolled::Records(raw) = consumer.poll(Duration::from_secs(1), 1 << 20).await.unwrap() {
            return (0..raw.rows).flat_map(|row| raw.headers.of(row).map(|(name, _)| name.to_owned())).collect();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_gone_fails_the_task_and_nothing_is_committed_past_what_it_did_not_take() {
    let world = world().await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let task = tolerant(&world, quiet(&diary), &counts, &diary).await;
    assert!(world.broker.delete_topic("dead").await.unwrap());
    fill(&world, &["a", "bad", "b"]).await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    let Some(TaskState::Failed(failure)) = task.last() else { panic!("it runs") };
    assert!(failure.trace.starts_with("The dead letter queue dead cannot be written to\nCaused by: "), "{failure}");
    task.stop().await;
    assert_eq!((puts(&diary), committed(&world).await), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_given_up_while_its_rows_wait_to_be_tried_again() {
    let world = world().await;
    super::sinks::fill_two(&world, ["a", "late for ever"], ["b", "late for ever"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let retries = for_ever(&counts);
    let task = sink_with(&world, quiet(&diary), "two", |parts| {
        parts.chain = FailingSteps::chain(&diary);
        parts.retries = retries;
    })
    .await;
    task.until("some tries", || counts.retries.get() > 3).await;
    let theirs = super::sinks::another_member(&world).await;
    assert!(theirs == ["a", "late for ever"] || theirs == ["b", "late for ever"], "{theirs:?}");
    let tried = counts.retries.get();
    task.until("tries of what stays", || counts.retries.get() > tried + 3).await;
    let mine = if theirs[0] == "a" { "b" } else { "a" };
    let last = diary.all().into_iter().rfind(|what| what.starts_with("apply") && what.contains(','));
    assert_eq!(last, Some(format!("apply {mine}, late for ever")));
    task.stop().await;
    assert_eq!(puts(&diary), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_tolerated_a_late_record_behind_a_bad_one_is_not_waited_for() {
    let world = world().await;
    fill(&world, &["a", "bad", "late for ever"]).await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let retries = for_ever(&counts);
    let task = sink_with(&world, quiet(&diary), "topic", |parts| {
        parts.converters.value = fake_converter();
        parts.retries = retries;
    })
    .await;
    task.until("the failure", || matches!(task.last(), Some(TaskState::Failed(_)))).await;
    task.stop().await;
    assert_eq!((puts(&diary), committed(&world).await), (vec!["put a".to_owned()], Some(1)));
    assert_eq!((counts.failures.get(), counts.retries.get()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_source_of_which_everything_is_filtered_keeps_none_of_it() {
    let world = world().await;
    let (diary, counts) = (Diary::default(), Arc::default());
    let guest = FakeSource::new((0..200).map(|_| texts(&["filtered"; 10])).collect(), diary.clone());
    let reports = letters(&world, &counts).await;
    let task = source_of(&world, guest, |parts| {
        parts.chain = weir_tests::harness::fakes::FakeSteps::chain(|_| false, &diary);
        parts.tolerance = Tolerance::All;
        parts.reports = reports;
        parts.buffer_bytes = 1_000;
    })
    .await;
    task.until("all of it", || diary.all().contains(&"polled 2000".to_owned())).await;
    task.until("the commit", || diary.all().contains(&"committed".to_owned())).await;
    task.stop().await;
    assert_eq!(stored(&world).await.as_deref(), Some("{\"n\":2000}"));
}
