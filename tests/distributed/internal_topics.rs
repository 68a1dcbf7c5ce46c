//! What the internal topics are made with, which topics are none, and what becomes of task sets that are half there.

use std::process::Command;

use serde_json::json;
use weir_core::port::NewTopic;
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

use super::faults::topics;
use super::{Group, Member};

/// The settings that a topic was given, as Kafka's own tool tells them.
fn settings(topic: &str) -> String {
    let told = Command::new("java")
        .env("CLASSPATH", kafka::home().join("libs").join("*"))
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "kafka.admin.ConfigCommand", "--describe"])
        .args(["--bootstrap-server", &kafka::shared().bootstrap(), "--entity-type", "topics", "--entity-name", topic])
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn internal_topics_are_made_with_what_stands_below_their_prefix_and_compacted_all_the_same() {
    let more = "config.storage.min.insync.replicas=1\noffset.storage.segment.ms=7200000\n\
                status.storage.cleanup.policy=delete\nstatus.storage.file.delete.delay.ms=1234\n";
    let mut group = Group::on(&kafka::shared().bootstrap(), "internal-topics", more);
    group.begin(1);
    for (topic, given) in [
        ("config", "min.insync.replicas=1 "),
        ("offset", "segment.ms=7200000 "),
        ("status", "file.delete.delay.ms=1234 "),
    ] {
        let told = settings(&format!("{}-{topic}", group.name));
        assert!(told.contains(given) && told.contains("cleanup.policy=compact "), "{topic}: {told}");
    }
    let log = group.workers[0].as_ref().unwrap().worker.log();
    let ignored = "Ignoring 'status.storage.cleanup.policy=delete' setting, since compaction is always used";
    assert!(log.contains(ignored) && !log.contains("are not used"), "{log}");
}

/// What a worker of the group says that ends instead of starting.
fn refusal(group: &Group, properties: &str) -> String {
    let folder = group.dir.path().join("worker");
    std::fs::create_dir_all(&folder).unwrap();
    let (well, log) = Worker::distributed(&folder, properties).ended();
    assert!(!well, "{log}");
    log
}

#[test]
fn a_topic_that_would_lose_what_is_in_it_or_cannot_be_made_ends_the_worker_with_its_keys() {
    let group = Group::of(0, "unfit");
    // As brokers make topics.
    let topic = format!("{}-status", group.name);
    topics::make(&group.bootstrap, &topic);
    let log = refusal(&group, &group.properties());
    let said = format!(
        "Topic '{topic}' supplied via the 'status.storage.topic' property is required to have 'cleanup.policy=compact' to \
         guarantee consistency and durability of connector and task statuses, but found the topic currently has \
         'cleanup.policy=delete'."
    );
    assert!(log.contains(&said), "{log}");

    let group = Group::of(0, "parted");
    let topic = format!("{}-config", group.name);
    let config = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
    topics::make_as(&group.bootstrap, &NewTopic { name: topic.clone(), partitions: 2, replication_factor: 1, config });
    let log = refusal(&group, &group.properties());
    let said = format!(
        "Topic '{topic}' supplied via the 'config.storage.topic' property is required to have a single partition in order \
         to guarantee consistency of connector configurations, but found 2 partitions."
    );
    assert!(log.contains(&said), "{log}");

    let group = Group::of(0, "replicas");
    let three =
        group.properties().replace("config.storage.replication.factor=1", "config.storage.replication.factor=3");
    let log = refusal(&group, &three);
    for part in ["config.storage.topic=replicas-", "config.storage.replication.factor=3: correct these keys"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[test]
fn a_task_set_that_was_left_half_written_is_made_again_and_stored() {
    let mut group = Group::of(1, "half-written");
    let sink = json!({
        "connector.class": "FileStreamSink", "file": group.file("out.txt"), "topics": "half-written", "tasks.max": "2"
    });
    assert_eq!(group.put(0, "sink", &sink).status, 201);
    group.until_running(&["sink".to_owned()], 2);
    let Member { worker, .. } = group.workers[0].take().unwrap();
    assert!(worker.stop());
    // As of a leader that was killed between two records of three tasks, and another that has committed all the same.
    let task = json!({"properties": {"task.class": "weir.file.Sink", "topics": "half-written"}});
    let commit = |tasks: usize| ("commit-sink".to_owned(), Some(json!({"tasks": tasks}).to_string()));
    topics::write(&group, "config", &[("task-sink-0".to_owned(), Some(task.to_string())), commit(3)]);
    group.start(0);
    group.until_running(&["sink".to_owned()], 2);
    let said = |of: &str| {
        let mut entries = topics::entries(&group, "config").into_iter();
        let last = entries.rfind(|entry| entry.record.key.as_deref() == Some(of.as_bytes())).unwrap();
        String::from_utf8(last.record.value.unwrap()).unwrap()
    };
    assert_eq!(said("commit-sink"), commit(2).1.unwrap());
    assert!(said("task-sink-0").contains("out.txt") && said("task-sink-1").contains("out.txt"));
}
