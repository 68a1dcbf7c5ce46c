//! kill -9 of the broker, which comes back on the same port and data after longer than a session.

use weir_core::port::{Broker, LogRecord, NewTopic, StoreError};
use weir_tests::harness::kafka::Kafka;

use super::trial::Trial;
use super::*;

/// How long the broker is away at least: longer than a session.
const AWAY: Duration = Duration::from_secs(7);
/// How long an append may take.
const APPEND: Duration = Duration::from_secs(2);

#[test]
fn a_broker_that_is_killed_and_comes_back_finds_the_group_complete_and_nothing_lost() {
    let mut kafka = Kafka::start(&[]);
    let group = Group::on(&kafka.bootstrap(), "broker", QUICK);
    let (mut group, names) = with_sources_and_a_sink(group, 3, 4);
    let trial = Trial::begin(&group, 4, false);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let log = runtime.block_on(async {
        let (name, config) = (format!("{}-status", group.name), BTreeMap::new());
        let topic = NewTopic { name, partitions: 1, replication_factor: 1, config };
        topics::broker(&group.bootstrap).appends_within(APPEND).compacted_log(&topic).await.unwrap()
    });

    kafka.stop();
    let stopped = Instant::now();
    let record = LogRecord { key: Some(b"status-topic-t:connector-none".to_vec()), value: None };
    let appended = runtime.block_on(log.append(vec![record]));
    assert!(matches!(appended, Err(StoreError::Unavailable(_))), "{appended:?}");
    assert!(stopped.elapsed() < APPEND + Duration::from_secs(3), "it took {:?}", stopped.elapsed());
    wait("time to pass without a broker", || stopped.elapsed() > AWAY);
    kafka.restart();
    let from = trial.feed.round();
    group.until_each_runs_once(&names);
    group.until_shared(&names);
    wait("lines after it", || trial.feed.is_there(from..from + 20));
    let late = group.source(4);
    group.insist(1, "source-4", &late);
    group.until_each_runs_once(&["source-4".to_owned()]);
    trial.end(&group, &[]);
}
