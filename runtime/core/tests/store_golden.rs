//! What weir reads out of the records and the offsets file that Apache Connect 4.3.1's own workers wrote, and that it
//! writes them alike: see golden/README.md. Only the order of properties is not held: there it is that of a Java map.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use weir_core::model::{Config, TaskId};
use weir_core::port::SessionKey;
use weir_core::store::{
    ConfigRecord, OffsetKey, State, Status, StatusKey, TargetState, decode_config, decode_key, decode_offset_file,
    encode_config, encode_key, encode_offset_file, encode_value,
};

const RECORDS: &str = include_str!("golden/store_records-4.3.1.jsonl");
const OFFSETS_FILE: &str = include_str!("golden/offsets_file-4.3.1.hex");

/// A record's key and value.
type Record = (String, Option<String>);

fn records(topic: &str) -> Vec<Record> {
    let all = RECORDS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found: Vec<Record> = all
        .filter(|record| record["topic"] == topic)
        .map(|record| (text(&record["key"]).unwrap(), text(&record["value"])))
        .collect();
    assert!(found.len() > 20, "{topic}: {} records", found.len());
    found
}

fn config(entries: &[(&str, &str)]) -> Config {
    entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn source(tasks: &str, name: &str, more: &[(&str, &str)]) -> Config {
    let mut config = config(&[("connector.class", "RecordedSource"), ("topic", "recorded")]);
    config.extend([("tasks.max".to_owned(), tasks.to_owned()), ("name".to_owned(), name.to_owned())]);
    config.extend(more.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    config
}

fn task_of(config: Config, number: &str) -> Config {
    let more = [("task", number), ("task.class", "RecordedSource$RecordedTask")];
    config.into_iter().chain(more.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The connector that a record is about.
fn owner(record: &ConfigRecord) -> &str {
    match record {
        ConfigRecord::Connector(name, _) | ConfigRecord::Commit(name, _) | ConfigRecord::Target(name, _) => name,
        ConfigRecord::Task(TaskId { connector, .. }, _) => connector,
        ConfigRecord::Restart { name, .. } | ConfigRecord::Fencing(name, _) => name,
        ConfigRecord::SessionKey(_) | ConfigRecord::LoggerLevel { .. } => "",
    }
}

#[test]
fn every_record_of_the_config_topic_is_read_and_written_alike() {
    const TEXT: (&str, &str) = ("text", "\u{fc} \"quoted\" \\ </x>\n\u{1f}\u{2028}");
    const ODD: &str = "a \"b\" \u{fc}-1";
    let id = |connector: &str, index| TaskId { connector: connector.into(), index };
    let connector = |name: &str, config| ConfigRecord::Connector(name.into(), config);
    let task = |name: &str, index, config| ConfigRecord::Task(id(name, index), config);
    let commit = |name: &str, tasks| ConfigRecord::Commit(name.into(), tasks);
    let target = |name: &str, state| ConfigRecord::Target(name.into(), state);
    let fencing = |name: &str, tasks| ConfigRecord::Fencing(name.into(), tasks);
    let restart = |name: &str, include_tasks, only_failed| ConfigRecord::Restart {
        name: name.into(),
        include_tasks,
        only_failed,
    };
    let two = || source("2", "two-tasks", &[TEXT]);
    let one = || source("1", "two-tasks", &[]);
    let odd = || source("1", ODD, &[("fails", "task")]);
    let sink = || config(&[("connector.class", "FileStreamSink"), ("topics", "recorded"), ("name", "sink")]);
    let mut sink_task = sink();
    sink_task.insert("task.class".into(), "org.apache.kafka.connect.file.FileStreamSinkTask".into());
    let (started, paused, stopped) = (TargetState::Started, TargetState::Paused, TargetState::Stopped);
    let mut expected = vec![
        connector("two-tasks", Some(two())),
        connector("sink", Some(sink())),
        task("sink", 0, sink_task),
        commit("sink", 1),
        task("two-tasks", 0, task_of(two(), "0")),
        task("two-tasks", 1, task_of(two(), "1")),
        commit("two-tasks", 2),
        fencing("two-tasks", 2),
        target("two-tasks", Some(paused)),
        target("two-tasks", Some(started)),
        restart("two-tasks", true, false),
        commit("two-tasks", 0),
        target("two-tasks", Some(stopped)),
        fencing("two-tasks", 0),
        connector("two-tasks", Some(one())),
        target("two-tasks", Some(started)),
        task("two-tasks", 0, task_of(one(), "0")),
        commit("two-tasks", 1),
        fencing("two-tasks", 1),
        connector(ODD, Some(odd())),
        task(ODD, 0, task_of(odd(), "0")),
        commit(ODD, 1),
        fencing(ODD, 1),
        connector("broken", Some(source("1", "broken", &[("fails", "connector")]))),
        restart("broken", false, true),
        target("born-stopped", Some(stopped)),
        connector("born-stopped", Some(source("1", "born-stopped", &[]))),
        connector("broken", None),
        target("broken", None),
        connector("two-tasks", None),
        target("two-tasks", None),
        ConfigRecord::LoggerLevel { logger: "org.apache.zookeeper".into(), level: "ERROR".into() },
    ];
    let mut session_keys = 0;
    for (key, value) in records("config") {
        let record = decode_config(key.as_bytes(), value.as_deref().map(str::as_bytes));
        let record = record.unwrap_or_else(|other| panic!("{key}: {other:?}"));
        let (written_key, written) = encode_config(&record);
        let written = written.map(|written| String::from_utf8(written).unwrap());
        assert_eq!(written_key, key);
        match (&record, &value) {
            (ConfigRecord::Connector(_, Some(_)) | ConfigRecord::Task(..), Some(value)) => {
                let written = written.unwrap();
                assert_eq!((parsed(&written), written.len()), (parsed(value), value.len()), "{key}: but for the order");
            }
            _ => assert_eq!(written, value, "{key}"),
        }
        if let ConfigRecord::SessionKey(SessionKey { key, algorithm, created }) = &record {
            assert_eq!((key.len(), algorithm.as_str()), (32, "HmacSHA256"));
            assert!(*created > 1_700_000_000_000, "{created}");
            session_keys += 1;
            continue;
        }
        // Records of different connectors may change places, those of one do not.
        let at = expected.iter().position(|next| owner(next) == owner(&record));
        assert_eq!(at.map(|at| expected.remove(at)), Some(record));
    }
    assert_eq!((expected, session_keys), (vec![], 1));
}

#[test]
fn every_record_of_the_status_topic_is_read_and_written_alike() {
    let (mut seen, mut forgotten) = (BTreeMap::<StatusKey, BTreeSet<&str>>::new(), BTreeSet::new());
    for (key, value) in records("status") {
        let read = StatusKey::decode(key.as_bytes()).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(read.encode(), key);
        let Some(value) = value else {
            forgotten.insert(read);
            continue;
        };
        if let StatusKey::Topic { connector, topic } = &read {
            let said = parsed(&value);
            assert_eq!(
                (said["topic"]["name"].as_str(), said["topic"]["connector"].as_str()),
                (Some(&**topic), Some(&**connector))
            );
            assert_eq!(Status::decode(value.as_bytes()), None, "a use of a topic is no state");
            continue;
        }
        let status = Status::decode(value.as_bytes()).unwrap_or_else(|| panic!("{value}"));
        assert_eq!(String::from_utf8(status.encode()).unwrap(), value);
        assert!(status.worker_id.starts_with("127.0.0.1:") && status.generation > 0, "{status:?}");
        assert_eq!(status.trace.is_some(), status.state == State::Failed, "{status:?}");
        if let (StatusKey::Task(_), Some(trace)) = (&read, &status.trace) {
            let begins =
                "org.apache.kafka.connect.errors.ConnectException: the task does as it was told\n\t\"twice\"\n\tat ";
            assert!(trace.starts_with(begins) && trace.contains("Caused by: java.lang.RuntimeException: \u{fc}ber\n"));
        }
        seen.entry(read).or_default().insert(status.state.name());
    }
    let states = |key: StatusKey| seen.get(&key).into_iter().flatten().copied().collect::<Vec<_>>();
    let connector = |name: &str| StatusKey::Connector(name.into());
    let task = |connector: &str, index| StatusKey::Task(TaskId { connector: connector.into(), index });
    let all = ["PAUSED", "RESTARTING", "RUNNING", "STOPPED", "UNASSIGNED"];
    assert_eq!(states(connector("two-tasks")), all);
    assert_eq!(states(connector("broken")), ["FAILED", "RESTARTING", "UNASSIGNED"]);
    assert_eq!(states(task("two-tasks", 1)), ["PAUSED", "RESTARTING", "RUNNING", "UNASSIGNED"]);
    assert_eq!(states(task("a \"b\" \u{fc}-1", 0)), ["FAILED", "RUNNING"]);
    for key in [connector("two-tasks"), connector("broken"), task("two-tasks", 0), task("two-tasks", 1)] {
        assert!(forgotten.contains(&key), "{key:?}");
    }
    assert!(forgotten.contains(&StatusKey::Topic { connector: "two-tasks".into(), topic: "recorded".into() }));
}

/// The partitions of the recorded source by the number of its task, in Java's order of members and in the other.
fn partitions(task: &str) -> Vec<Value> {
    let path = "C:\\a/b \"c\" \u{fc}\u{20ac}\u{1f600}\u{2028}\t\u{1}\u{1f}\u{7f}";
    vec![
        json!({"file": format!("in-{task}.txt")}),
        json!({"table": "orders", "shard": 1, "task": task}),
        json!({"task": task, "none": null, "ratio": 0.5, "whole": 2.0}),
        json!({"path": path, "task": task}),
        json!({"task": task, "numbers": true}),
        json!({"given": "up", "task": task}),
    ]
}

fn key_of(connector: &str, partition: &Value) -> OffsetKey {
    decode_key(json!([connector, partition]).to_string().as_bytes()).unwrap().0
}

/// Holds a key and a value to what weir writes for the same; the key.
fn held(key: &str, value: Option<&str>) -> OffsetKey {
    let (read, _) = decode_key(key.as_bytes()).unwrap_or_else(|| panic!("{key}"));
    let partition = parsed(key)[1].to_string();
    let written = encode_key(&read.connector, &partition).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), key);
    if let Some(value) = value {
        assert_eq!(String::from_utf8(encode_value(value).unwrap()).unwrap(), value);
    }
    read
}

#[test]
fn every_record_of_the_offsets_topic_is_read_and_written_alike() {
    let mut last = BTreeMap::new();
    let mut told = BTreeMap::<OffsetKey, BTreeSet<Option<String>>>::new();
    for (key, value) in records("offset") {
        let read = held(&key, value.as_deref());
        told.entry(read.clone()).or_default().insert(value.clone());
        last.insert(read, value);
    }
    let altered = json!({"z": "last", "a": 1, "m": null});
    let all: BTreeSet<OffsetKey> =
        partitions("0").iter().chain(&partitions("1")).chain([&altered]).map(|it| key_of("two-tasks", it)).collect();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), all, "orders of members make no other keys");
    let numbers = concat!(
        r#"{"byte":-1,"short":300,"int":-2147483648,"long":9223372036854775807,"#,
        r#""float":0.1,"double":1.0E300,"small":1.0E-5,"large":1.0E7,"zero":-0.0}"#
    );
    let text = r#"{"text":"\n\r\b\f</script>","bytes":"AAH/","none":null}"#;
    let values = [
        Some(r#"{"position":12}"#),
        Some(r#"{"lsn":-1,"snapshot":false}"#),
        Some("{}"),
        Some(text),
        Some(numbers),
        None,
    ];
    for ((first, second), value) in partitions("0").iter().zip(&partitions("1")).zip(values) {
        let value = value.map(str::to_owned);
        assert_eq!(last[&key_of("two-tasks", first)], value, "{first}: brought again after the reset");
        assert_eq!(last[&key_of("two-tasks", second)], None, "{second}: reset");
        assert!(told[&key_of("two-tasks", second)].contains(&value), "{second}");
    }
    assert_eq!(last[&key_of("two-tasks", &altered)], None);
    assert!(
        told[&key_of("two-tasks", &altered)].iter().flatten().any(|value| parsed(value) == json!({"a": 2, "b": 2.5}))
    );
}

#[test]
fn the_offsets_file_is_read_and_written_alike() {
    let hex = OFFSETS_FILE.trim();
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let entries = decode_offset_file(&bytes).unwrap();
    let borrowed: Vec<_> = entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
    assert_eq!(encode_offset_file(borrowed.into_iter()), bytes);
    let mut connectors = BTreeMap::<String, BTreeSet<OffsetKey>>::new();
    let mut given_up = BTreeSet::new();
    for (key, value) in entries {
        let (key, value) = (String::from_utf8(key).unwrap(), value.map(|value| String::from_utf8(value).unwrap()));
        let read = held(&key, value.as_deref());
        if value.is_none() {
            given_up.insert(read.clone());
        }
        connectors.entry(read.connector.clone()).or_default().insert(read);
    }
    let keys = |connector: &str, partitions: Vec<Value>| -> BTreeSet<OffsetKey> {
        partitions.iter().map(|partition| key_of(connector, partition)).collect()
    };
    assert_eq!(connectors["source-1"], keys("source-1", [partitions("0"), partitions("1")].concat()));
    assert_eq!(connectors["source-2"], keys("source-2", partitions("0")));
    // Connect resets a key by the bytes that its own REST makes of it, so the task's own may stand beside its null.
    assert!(given_up.is_superset(&connectors["source-2"]), "its offsets were reset");
}
