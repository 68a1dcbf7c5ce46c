//! Records of a megabyte and of twenty on Kafka: they go through where their limits allow, and who has a narrower one says
//! which.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

use super::{lines, on, sink, source};

const MEGABYTE: usize = 1_000_000;

fn long_line(bytes: usize) -> String {
    let text = format!("{bytes} of caf\u{e9} \"quoted\" \\ ");
    text.chars()
        .cycle()
        .scan(0, |length, one| {
            *length += one.len_utf8();
            (*length <= bytes).then_some(one)
        })
        .collect()
}

fn write_lines(folder: &Path, sizes: &[usize]) -> Vec<String> {
    let long: Vec<String> = sizes.iter().map(|&bytes| long_line(bytes)).collect();
    std::fs::write(folder.join("in.txt"), long.join("\n") + "\n").unwrap();
    long
}

fn offsets(folder: &Path) -> String {
    format!("offset.storage.file.filename={}\n", folder.join("offsets").display())
}

/// Not `assert_eq`: nobody wants to read what differs.
fn assert_there(folder: &Path, expected: &[String]) {
    let there = lines(folder);
    let sizes = |lines: &[String]| lines.iter().map(String::len).collect::<Vec<_>>();
    assert_eq!(sizes(&there), sizes(expected));
    assert!(there == expected, "lines came otherwise than they were");
}

/// What a record of twenty megabytes takes: a producer, a topic and a sandbox that have room for it.
const WITH_ROOM: &str = "producer.max.request.size=25000000\ntask.memory.max.bytes=268435456\n";
const TOPIC_WITH_ROOM: &str = "topic.creation.default.max.message.bytes=25000000\n";

#[test]
fn a_megabyte_goes_through_without_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let expected = write_lines(folder, &[MEGABYTE, 5, MEGABYTE, MEGABYTE]);
    let properties = on(&kafka::shared().bootstrap()) + &offsets(folder);
    let mut worker = super::start(folder, &properties, "megabytes");
    worker.until("every line", || lines(folder).len() == expected.len());
    assert_there(folder, &expected);
    assert!(worker.stop());
}

#[test]
fn twenty_megabytes_go_through_as_text_where_their_limits_allow() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let expected = write_lines(folder, &[20 * MEGABYTE, 5, MEGABYTE, 20 * MEGABYTE]);
    let properties = on(&kafka::shared().bootstrap()) + &offsets(folder) + WITH_ROOM;
    let source = source(folder, "twenty") + TOPIC_WITH_ROOM;
    let sink = sink(folder, "twenty");
    let mut worker = Worker::standalone(folder, &properties, &[("source.properties", &source), ("sink.json", &sink)]);
    worker.until("every line", || lines(folder).len() == expected.len());
    assert_there(folder, &expected);
    assert!(worker.stop());
}

#[test]
fn twenty_megabytes_go_through_json_and_chains_where_their_limits_allow() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let expected = write_lines(folder, &[5, 20 * MEGABYTE, MEGABYTE]);
    let properties = on(&kafka::shared().bootstrap()) + &offsets(folder) + WITH_ROOM;
    let json = "value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=true\n";
    let hoisted = "transforms=hoist\ntransforms.hoist.type=org.apache.kafka.connect.transforms.HoistField$Value\n\
                   transforms.hoist.field=line\n";
    let source = source(folder, "hoisted") + TOPIC_WITH_ROOM + json + hoisted;
    let mut sink: Value = serde_json::from_str(&sink(folder, "hoisted")).unwrap();
    for (key, value) in [
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("transforms", "extract"),
        ("transforms.extract.type", "org.apache.kafka.connect.transforms.ExtractField$Value"),
        ("transforms.extract.field", "line"),
    ] {
        sink["config"][key] = json!(value);
    }
    let connectors = [("source.properties", source.as_str()), ("sink.json", &sink.to_string())];
    let mut worker = Worker::standalone(folder, &properties, &connectors);
    worker.until("every line", || lines(folder).len() == expected.len());
    assert_there(folder, &expected);
    assert!(worker.stop());
}

#[test]
fn who_has_no_room_for_a_record_says_which_key_to_raise() {
    for (topic, room, says) in [
        ("no-request", "task.memory.max.bytes=268435456\n", "max.request.size"),
        ("no-topic", "producer.max.request.size=25000000\ntask.memory.max.bytes=268435456\n", "max.message.bytes"),
        ("no-memory", "producer.max.request.size=25000000\ntask.memory.max.bytes=8388608\n", "task.memory.max.bytes"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_lines(folder, &[5, 20 * MEGABYTE]);
        let properties = on(&kafka::shared().bootstrap()) + &offsets(folder) + room;
        let mut worker = super::start(folder, &properties, topic);
        let url = worker.url();
        let status = || request("GET", &format!("{url}/connectors/source/status"), None).json();
        worker.until("the task to fail", || status()["tasks"][0]["state"] == "FAILED");
        let trace = status()["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned();
        assert!(trace.contains(says) && trace.len() < 5_000, "{topic}: {trace:.3000}");
        assert!(worker.stop());
    }
}
