//! Records that nobody should have written, before a running sink: each that cannot be read is a letter that names its topic,
//! partition, offset and stage, or ends the task with that where nothing is tolerated; those around it go through.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weir_core::model::RawRecords;
use weir_core::port::Broker;
use weir_kafka::KafkaBroker;
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{apicurio, config, kafka, make_topic};

use super::dead_letters::{Letter, read};
use super::{lines, on};

/// Writes records, in this order.
fn write(topic: &str, values: &[Option<Vec<u8>>]) {
    let mut raw = RawRecords { rows: values.len(), topics: vec![topic.into()], ..RawRecords::default() };
    raw.headers.names.push("without a value".into());
    for (value, row) in values.iter().zip(1..) {
        raw.value.push_option(value.as_deref());
        raw.headers.name.push(0);
        raw.headers.value.push_absent();
        raw.headers.ends.push(row);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = KafkaBroker::new(&config(&[("bootstrap.servers", &kafka::shared().bootstrap())])).unwrap();
        let mut producer = broker.producer(&BTreeMap::new()).await.unwrap();
        producer.send(raw, &vec![0; values.len()]).unwrap();
        let mut answered = 0;
        while answered < values.len() {
            let answers = producer.answers().await;
            assert!(answers.iter().all(|sent| sent.outcome.is_ok()), "{answers:?}");
            answered += answers.len();
        }
    });
}

fn sink(folder: &Path, topic: &str, converter: &Value) -> Value {
    let mut sink = json!({
        "name": topic,
        "connector.class": "FileStreamSink",
        "topics": topic,
        "file": folder.join("out.txt"),
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": format!("{topic}-dead"),
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    });
    sink.as_object_mut().unwrap().extend(converter.as_object().unwrap().clone());
    sink
}

/// Has a sink read records, of which those at `bad` cannot be read and the others come to `good`.
fn check(topic: &str, converter: Value, values: &[Option<Vec<u8>>], bad: &[usize], good: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_topic(topic, 1);
    write(topic, values);
    let properties = on(&kafka::shared().bootstrap())
        + &format!("offset.storage.file.filename={0}/offsets\nsandbox.path.ceiling={0}\n", folder.display())
        + "sandbox.endpoint.ceiling=127.0.0.1:*\n";
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let put = |config: &Value| {
        let answer = send("PUT", &format!("{url}/connectors/{topic}/config"), config);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    };
    let tolerant = sink(folder, topic, &converter);
    put(&tolerant);
    worker.until("the good ones", || lines(folder).len() >= good.len());
    assert_eq!(lines(folder), good);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let letters = runtime.block_on(read(&format!("{topic}-dead"), bad.len()));
    for (Letter { headers, .. }, at) in letters.iter().zip(bad) {
        let header = |name: &str| headers[&format!("__connect.errors.{name}")].as_str();
        assert_eq!((header("topic"), header("partition"), header("offset")), (topic, "0", at.to_string().as_str()));
        assert_eq!(header("stage"), "VALUE_CONVERTER", "{headers:?}");
    }
    // Where nothing is tolerated the first of them ends the task, and is named.
    let mut strict = tolerant;
    strict["errors.tolerance"] = json!("none");
    strict["consumer.override.group.id"] = json!(format!("strict-{topic}"));
    put(&strict);
    let mut trace = String::new();
    worker.until("the failure", || {
        let status = request("GET", &format!("{url}/connectors/{topic}/status"), None).json();
        trace = status["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned();
        status["tasks"][0]["state"] == "FAILED"
    });
    let place = format!("topic='{topic}', partition=0, offset={}", bad[0]);
    assert!(trace.contains(&place) && trace.contains("VALUE_CONVERTER"), "{trace}");
    assert!(worker.stop());
}

#[test]
fn json_that_cannot_be_read_is_named_and_its_mates_go_through() {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let values = [
        text(r#"{"n":1}"#),
        text("no JSON"),
        Some(vec![b'"', 0xff, 0xfe, b'"']),
        text(&"[".repeat(10_000)),
        text(&r#"{"a":"#.repeat(10_000)),
        text(r#"{"n":1"#),
        text(r#"{"n":1,"n":2}"#),
        None,
        text(&format!(r#"{{"n":{}}}"#, "9".repeat(10_000))),
        text(r#"{"n":9}"#),
    ];
    let converter = json!({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
    });
    check("bad-json", converter, &values, &[1, 2, 3, 4, 5, 8], &["{n=1}", "{n=2}", "null", "{n=9}"]);
}

#[test]
fn avro_that_cannot_be_read_is_named_and_its_mates_go_through() {
    let registry = apicurio::shared();
    let schema = json!({"schema": r#"{"type":"record","name":"R","fields":[{"name":"s","type":"string"}]}"#});
    let answer = registry.ask("POST", "/subjects/bad-avro-value/versions", &schema.to_string()).unwrap();
    let id = serde_json::from_str::<Value>(&answer).unwrap()["id"].as_u64().unwrap() as u32;
    let record = |id: u32, payload: &[u8]| Some([&[0][..], &id.to_be_bytes(), payload].concat());
    let values = [
        record(id, b"\x02a"),
        Some(vec![0, 0]),
        Some(vec![]),
        Some(b"\x01\x00\x00\x00\x01\x02a".to_vec()),
        record(987_654, b"\x02a"),
        record(id, b"\x10a"),
        record(id, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        record(id, b"\x02\xff"),
        None,
        record(id, b"\x02z"),
    ];
    let converter = json!({
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": registry.url(),
    });
    check(
        "bad-avro",
        converter,
        &values,
        &[1, 2, 3, 4, 5, 6],
        &["Struct{s=a}", "Struct{s=\u{fffd}}", "null", "Struct{s=z}"],
    );
}
