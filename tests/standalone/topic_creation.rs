//! Topics that sources make by rules of their own, on Kafka and on the embedded store.

use std::path::Path;

use serde_json::{Value, json};
use weir_core::port::Broker;
use weir_kafka::KafkaBroker;
use weir_tests::harness::http::request;
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{config, kafka};

use super::{on, properties};

/// A source with these rules, which writes three lines.
fn put(url: &str, folder: &Path, topic: &str, rules: &[(&str, &str)]) {
    let file = folder.join(format!("{topic}.txt"));
    std::fs::write(&file, "a\nb\nc\n").unwrap();
    let mut body = json!({"connector.class": "FileStreamSource", "file": file, "topic": topic});
    rules.iter().for_each(|(key, value)| body[format!("topic.creation.{key}")] = json!(value));
    let answer = request(
        "PUT",
        &format!("{url}/connectors/{topic}/config"),
        Some(("application/json", body.to_string().as_bytes())),
    );
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn task(url: &str, name: &str) -> Value {
    request("GET", &format!("{url}/connectors/{name}/status"), None).json()["tasks"][0].clone()
}

fn failure(worker: &mut Worker, url: &str, name: &str) -> String {
    worker.until("a failed task", || task(url, name)["state"] == "FAILED");
    task(url, name)["trace"].as_str().unwrap().to_owned()
}

/// How many partitions a topic has, and what becomes of its records.
fn described(topic: &str) -> Option<(i32, String)> {
    let broker = KafkaBroker::new(&config(&[("bootstrap.servers", &kafka::shared().bootstrap())])).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(broker.describe_topics(&[topic])).unwrap().remove(0)?;
    Some((found.partitions, found.cleanup_policy.unwrap_or_default()))
}

fn worker_on_kafka(folder: &Path, more: &str) -> Worker {
    let offsets = folder.join("offsets");
    let more = format!(
        "offset.storage.file.filename={}\nsandbox.path.ceiling={}\nlibrdkafka.topic.metadata.propagation.max.ms=1000\n{more}",
        offsets.display(),
        folder.display()
    );
    Worker::standalone(folder, &(on(&kafka::shared().bootstrap()) + &more), &[])
}

#[test]
fn topics_come_out_as_the_first_rule_that_holds_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = worker_on_kafka(folder, "");
    let url = worker.url();
    let rules = [
        ("groups", "compacted, fast"),
        ("default.partitions", "2"),
        ("default.replication.factor", "1"),
        ("compacted.include", "rules-c.*"),
        ("compacted.exclude", "rules-cx"),
        ("compacted.cleanup.policy", "compact"),
        ("fast.include", "rules-f\\d, rules-c1"),
        ("fast.partitions", "5"),
    ];
    let delete = "delete".to_owned();
    for (topic, expected) in [
        ("rules-c1", (2, "compact".to_owned())),
        ("rules-cx", (2, delete.clone())),
        ("rules-f1", (5, delete.clone())),
        ("rules-f1x", (2, delete)),
    ] {
        put(&url, folder, topic, &rules);
        worker.until(topic, || described(topic).is_some());
        assert_eq!(described(topic), Some(expected), "{topic}");
        // With an admin client of its own, it finds what is there.
        put(&url, folder, &format!("{topic}-2"), &rules[..3]);
    }
    worker.until("the second topic", || described("rules-f1-2") == Some((2, "delete".into())));
    assert!(worker.stop());
}

#[test]
fn a_topic_that_cannot_be_made_fails_the_task_with_its_name_its_rule_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = worker_on_kafka(folder, "");
    let url = worker.url();
    let one = [("default.partitions", "1"), ("default.replication.factor", "1")];
    let replicas = [one[0], ("default.replication.factor", "3")];
    put(&url, folder, "three-replicas", &replicas);
    put(
        &url,
        folder,
        "odd-setting",
        &[&one[..], &[("groups", "odd"), ("odd.include", ".*"), ("odd.bogus", "1")]].concat(),
    );
    put(&url, folder, "nobody-makes-it", &[]);
    for (topic, parts) in [
        (
            "three-replicas",
            ["topic creation group default (partitions=1, replication.factor=3)", "topic.creation.default.*"],
        ),
        (
            "odd-setting",
            ["topic creation group odd (partitions=1, replication.factor=1, bogus=1)", "topic.creation.odd.*"],
        ),
        ("nobody-makes-it", ["the topic is not there", "topic.creation.default.partitions"]),
    ] {
        let trace = failure(&mut worker, &url, topic);
        for part in parts {
            assert!(trace.contains(part), "{part}: {trace}");
        }
        assert_eq!(described(topic), None);
    }
    assert!(failure(&mut worker, &url, "three-replicas").contains("new topic three-replicas by the"));
    assert!(worker.stop());
}

#[test]
fn where_the_worker_makes_no_topics_rules_have_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = worker_on_kafka(folder, "topic.creation.enable=false\n");
    let url = worker.url();
    put(&url, folder, "not-by-rules", &[("default.partitions", "many")]);
    let trace = failure(&mut worker, &url, "not-by-rules");
    assert!(trace.contains("the topic is not there"), "{trace}");
    assert!(worker.stop());
}

#[test]
fn rules_hold_on_the_embedded_store_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = format!("{}sandbox.path.ceiling={}\n", properties(folder), folder.display());
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let rules = [("default.partitions", "3"), ("default.replication.factor", "1"), ("default.retention.ms", "1000000")];
    put(&url, folder, "by-rules", &rules);
    worker.until("the topic", || {
        let (done, said) = super::topics::topic(folder, &["describe", "by-rules"], "");
        done && said.starts_with("topic by-rules with 3 partitions\n") && said.contains("retention.ms=1000000")
    });
    put(&url, folder, "odd", &[rules[0], rules[1], ("default.bogus", "1")]);
    let trace = failure(&mut worker, &url, "odd");
    assert!(trace.contains("new topic odd by the topic creation group default") && trace.contains("bogus"), "{trace}");
    assert!(worker.stop());
}
