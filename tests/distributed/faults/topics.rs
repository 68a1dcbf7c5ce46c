//! What stands in a group's topics, and what a zombie must not have written there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use weir_core::model::{RawRecords, Subscription};
use weir_core::port::{Broker, ConsumerPolled, LogEntry, NewTopic};
use weir_kafka::KafkaBroker;
use weir_tests::harness::config;

use super::Group;

pub fn broker(bootstrap: &str) -> KafkaBroker {
    KafkaBroker::new(&config(&[("bootstrap.servers", bootstrap)])).expect("a client")
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions: 1, replication_factor: 1, config: BTreeMap::new() }
}

/// Makes a topic of one partition.
pub fn make(bootstrap: &str, name: &str) {
    make_as(bootstrap, &topic(name));
}

/// Makes a topic as it is described.
pub fn make_as(bootstrap: &str, topic: &NewTopic) {
    run(broker(bootstrap).create_topic(topic)).expect("a topic");
}

/// Everything in one of a group's internal topics, each partition in its order.
pub fn entries(group: &Group, of: &str) -> Vec<LogEntry> {
    let topic = topic(&format!("{}-{of}", group.name));
    run(async {
        let log = broker(&group.bootstrap).compacted_log(&topic).await.expect("an internal topic");
        log.reader().await.expect("a reader").read_to_end().await.expect("an answer")
    })
}

/// Writes to one of a group's internal topics, as a producer of Java's would.
pub fn write(group: &Group, of: &str, records: &[(String, Option<String>)]) {
    let topic = format!("{}-{of}", group.name);
    let mut raw = RawRecords { rows: records.len(), topics: vec![topic.as_str().into()], ..RawRecords::default() };
    for (key, value) in records {
        raw.key.push(key.as_bytes());
        raw.value.push_option(value.as_deref().map(str::as_bytes));
    }
    run(async {
        let mut producer = broker(&group.bootstrap).producer(&BTreeMap::new()).await.expect("a producer");
        let tickets: Vec<u64> = (0..records.len() as u64).collect();
        producer.send(raw, &tickets).expect("they are taken");
        let mut answered = 0;
        while answered < records.len() {
            for sent in producer.answers().await {
                sent.outcome.expect("it is written");
                answered += 1;
            }
        }
    });
}

/// How often each line stands in the topic of a group's lines.
pub fn lines(group: &Group) -> BTreeMap<String, usize> {
    values(&group.bootstrap, &format!("{}-lines", group.name), "read_uncommitted")
}

/// How often each value stands in a topic for whoever reads it in this isolation.
pub fn values(bootstrap: &str, topic: &str, isolation: &str) -> BTreeMap<String, usize> {
    let settings = config(&[
        ("group.id", &format!("{topic}-checks-{isolation}")),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", isolation),
    ]);
    run(async {
        let subscription = Subscription::Topics(vec![topic.to_owned()]);
        let mut consumer = broker(bootstrap).consumer(&subscription, &settings).await.expect("a consumer");
        let (mut lines, mut assigned) = (BTreeMap::new(), false);
        loop {
            match consumer.poll(Duration::from_secs(2), 1 << 20).await.expect("records") {
                ConsumerPolled::Records(raw) => {
                    for row in 0..raw.rows {
                        let line = String::from_utf8(raw.value.get(row).expect("a line").to_vec()).expect("text");
                        *lines.entry(line).or_insert(0) += 1;
                    }
                }
                ConsumerPolled::Assigned(_) => assigned = true,
                ConsumerPolled::Nothing if assigned => break,
                _ => {}
            }
        }
        consumer.close().await.expect("it leaves");
        lines
    })
}

/// A worker's word about something never comes after another worker's of the same generation or a later one.
pub fn nobody_speaks_for_others(group: &Group) {
    let mut said: BTreeMap<Vec<u8>, (i64, String)> = BTreeMap::new();
    for LogEntry { record, partition, offset, .. } in entries(group, "status") {
        let (Some(key), Some(value)) = (record.key, record.value) else { continue };
        let status: Value = serde_json::from_slice(&value).unwrap_or_default();
        // What a connector used is nobody's word.
        let (Some(worker), Some(generation)) = (status["worker_id"].as_str(), status["generation"].as_i64()) else {
            continue;
        };
        if let Some((before, by)) = said.get(&key) {
            let text = String::from_utf8_lossy(&key);
            let place = format!("{text} at {offset} of partition {partition}");
            assert!(by == worker || *before < generation, "{place}: {worker} says {status} after {by} in {before}");
        }
        said.insert(key, (generation, worker.to_owned()));
    }
    assert!(!said.is_empty(), "somebody has said something");
}

/// No stored position of a file is before one that was stored earlier.
pub fn no_offset_goes_back(group: &Group) {
    let mut reached: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    for LogEntry { record, .. } in entries(group, "offset") {
        let (Some(key), Some(value)) = (record.key, record.value) else { continue };
        let position = serde_json::from_slice::<Value>(&value).unwrap_or_default()["position"].as_i64().expect("one");
        let before = reached.insert(key.clone(), position).unwrap_or(0);
        assert!(before <= position, "{}: {position} after {before}", String::from_utf8_lossy(&key));
    }
    assert!(!reached.is_empty(), "somebody has stored something");
}

/// What the consumers of the sink have committed.
pub fn committed(group: &Group) -> i64 {
    let offsets = run(broker(&group.bootstrap).group_offsets("connect-sink")).unwrap_or_default();
    let of_lines = |topic: &str| topic == format!("{}-lines", group.name);
    offsets.iter().filter(|position| of_lines(&position.partition.topic)).map(|position| position.offset).sum()
}
