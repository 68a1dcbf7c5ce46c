//! Records that fail in a running worker: their mates go on, they are letters with their whole context, metrics count
//! them, and over REST they go back once what was wrong is mended. Letters are those that Apache writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_core::model::{RawRecords, Subscription};
use weir_core::port::{Broker, ConsumerPolled};
use weir_kafka::KafkaBroker;
use weir_tests::harness::http::{Answer, request, send};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{config, kafka, make_topic};

use super::{lines, on, properties};

const ORDERS: &str = "{\"n\":\"1\"}\nno JSON\n{\"n\":\"2\"}\n{\"n\":\"many\"}\n{\"n\":\"3\"}\n";

fn file(name: &str, config: &Value) -> String {
    json!({"name": name, "config": config}).to_string()
}

fn source(folder: &Path, topic: &str) -> Value {
    json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": topic})
}

/// A sink that casts a number, and passes over what it cannot.
fn sink(folder: &Path, topic: &str) -> Value {
    json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "topics": topic,
        "file": folder.join("out.txt"),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "transforms": "number",
        "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.number.spec": "n:int32",
        "errors.tolerance": "all",
        "errors.log.enable": "true",
        "errors.log.include.messages": "true",
        "errors.deadletterqueue.topic.name": format!("{topic}-dead"),
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    })
}

fn redrive(url: &str, name: &str, query: &str) -> Answer {
    request("POST", &format!("{url}/connectors/{name}/dead-letters/redrive{query}"), None)
}

fn metric(url: &str, name: &str, connector: &str) -> u64 {
    shown(url, name, connector).unwrap_or_else(|| panic!("{name} of {connector} is not shown"))
}

/// The same; none before there is a task.
fn shown(url: &str, name: &str, connector: &str) -> Option<u64> {
    let metrics = request("GET", &format!("{url}/metrics"), None).text;
    let begins = format!("kafka_connect_task_error_metrics_{name}{{connector=\"{connector}\"");
    let line = metrics.lines().find(|line| line.starts_with(&begins))?;
    Some(line.rsplit(' ').next()?.parse::<f64>().ok()? as u64)
}

/// Connectors that come over REST may open files of this folder.
fn open_to(folder: &Path, properties: &str) -> String {
    format!("{properties}sandbox.path.ceiling={}\n", folder.display())
}

fn walk(folder: &Path, properties: &str, topic: &str) {
    std::fs::write(folder.join("in.txt"), ORDERS).unwrap();
    let connectors =
        [("source.json", file("orders", &source(folder, topic))), ("sink.json", file("sink", &sink(folder, topic)))];
    let connectors: Vec<(&str, &str)> = connectors.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut worker = Worker::standalone(folder, &open_to(folder, properties), &connectors);
    let url = worker.url();
    worker.until("the good ones", || lines(folder).len() >= 3);
    assert_eq!(lines(folder), ["{n=1}", "{n=2}", "{n=3}"]);
    for (name, expected) in [
        ("total_record_failures", 2),
        ("total_record_errors", 2),
        ("total_records_skipped", 2),
        ("total_retries", 0),
        ("total_errors_logged", 2),
        ("deadletterqueue_produce_requests", 2),
        ("deadletterqueue_produce_failures", 0),
    ] {
        assert_eq!(metric(&url, name, "sink"), expected, "{name}");
    }
    assert!(metric(&url, "last_error_timestamp", "sink") > 1_700_000_000_000);
    let log = worker.log();
    let said = "Error encountered in task sink-0. Executing stage 'VALUE_CONVERTER' with class \
                'org.apache.kafka.connect.json.JsonConverter', where consumed record is {topic='";
    assert!(log.contains(said) && log.contains("partition=0, offset=1, timestamp="), "{log}");

    let counted = |answer: Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let said = answer.json();
        assert_eq!((&said["topic"], &said["complete"]), (&json!(format!("{topic}-dead")), &json!(true)), "{said}");
        ["letters", "back", "failed", "unknown", "of_other_connectors"].map(|name| said[name].as_u64().unwrap())
    };
    assert_eq!(counted(redrive(&url, "sink", "?dryRun=true")), [2, 2, 0, 0, 0]);
    assert_eq!(counted(redrive(&url, "sink", "?dryRun=true")), [2, 2, 0, 0, 0], "a dry run changes something");
    assert_eq!(lines(folder).len(), 3);

    // While nothing is mended, what goes back comes again, and a redrive ends all the same.
    assert_eq!(counted(redrive(&url, "sink", "")), [2, 2, 0, 0, 0]);
    worker.until("the same letters again", || metric(&url, "deadletterqueue_produce_requests", "sink") == 4);

    let mut mended = sink(folder, topic);
    mended["value.converter"] = json!("org.apache.kafka.connect.storage.StringConverter");
    mended["transforms"] = json!("");
    assert_eq!(send("PUT", &format!("{url}/connectors/sink/config"), &mended).status, 200);
    assert_eq!(counted(redrive(&url, "sink", "")), [2, 2, 0, 0, 0]);
    worker.until("what went back", || lines(folder).len() >= 5);
    assert_eq!(lines(folder)[3..], ["no JSON", "{\"n\":\"many\"}"]);
    assert_eq!(counted(redrive(&url, "sink", "")), [0, 0, 0, 0, 0], "what has gone back goes back again");
    let none = redrive(&url, "orders", "");
    assert_eq!((none.status, none.text.contains("errors.deadletterqueue.topic.name")), (400, true), "{}", none.text);
    assert_eq!(redrive(&url, "nobody", "").status, 404);
    assert!(worker.stop());
}

#[test]
fn bad_records_are_letters_and_go_back_once_mended_on_the_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    walk(folder.path(), &properties(folder.path()), "orders");
    let tail = ["tail", "orders-dead", "--from-beginning", "--max-messages", "1", "--print-headers"];
    let (done, said) = super::topics::topic(folder.path(), &tail, "");
    assert!(done && said.starts_with("__connect.errors.topic:orders,__connect.errors.partition:0,"), "{said}");
    assert!(said.ends_with("\tno JSON"), "{said}");
}

fn on_kafka(folder: &Path) -> String {
    on(&kafka::shared().bootstrap()) + &format!("offset.storage.file.filename={}\n", folder.join("offsets").display())
}

#[test]
fn bad_records_are_letters_and_go_back_once_mended_on_kafka() {
    let folder = tempfile::tempdir().unwrap();
    make_topic("walked-orders", 1);
    walk(folder.path(), &on_kafka(folder.path()), "walked-orders");
}

/// A source passes over a line that is no observation, and goes on behind it. Once its chain is mended the line goes
/// through it, if its letter says where it was meant to go.
fn source_walk(folder: &Path, properties: &str, topic: &str, context: bool) {
    std::fs::write(folder.join("in.txt"), "2012-01-01,0.3,12.8,5.0,4.7,drizzle\nnone\n2012-01-02,1,2,3,4,rain\n")
        .unwrap();
    let mut config = source(folder, topic);
    for (key, value) in [
        ("transforms", "weather"),
        ("transforms.weather.type", "example.Weather"),
        ("transforms.weather.units", "metric"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
        ("errors.tolerance", "all"),
        ("errors.log.enable", "true"),
        ("errors.log.include.messages", "true"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
    ] {
        config[key] = json!(value);
    }
    config["errors.deadletterqueue.topic.name"] = json!(format!("{topic}-dead"));
    config["errors.deadletterqueue.context.headers.enable"] = json!(context.to_string());
    let mut reads = json!({"connector.class": "FileStreamSink", "topics": topic, "file": folder.join("out.txt")});
    reads["value.converter"] = json!("org.apache.kafka.connect.storage.StringConverter");
    let connectors = [("source.json", file("days", &config)), ("sink.json", file("reads", &reads))];
    let connectors: Vec<(&str, &str)> = connectors.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut worker = Worker::standalone(folder, &open_to(folder, properties), &connectors);
    let url = worker.url();
    worker.until("the good ones", || lines(folder).len() == 2);
    worker.until("the letter", || shown(&url, "deadletterqueue_produce_requests", "days") == Some(1));
    let log = worker.log();
    let said = "where source record is = SourceRecord{sourcePartition={\"filename\":";
    assert!(log.contains(said) && log.contains("\"payload\":\"none\""), "{log}");
    let stored = || {
        let offsets = request("GET", &format!("{url}/connectors/days/offsets"), None).json();
        offsets["offsets"][0]["offset"]["position"].as_u64()
    };
    let whole = std::fs::metadata(folder.join("in.txt")).unwrap().len();
    worker.until("the offset behind it", || stored() == Some(whole));
    config["transforms"] = json!("");
    assert_eq!(send("PUT", &format!("{url}/connectors/days/config"), &config).status, 200);
    let counted = |query| {
        let said = redrive(&url, "days", query).json();
        ["letters", "back", "unknown", "failed"].map(|name| said[name].as_u64().unwrap_or_else(|| panic!("{said}")))
    };
    let expected = if context { [1, 1, 0, 0] } else { [1, 0, 1, 0] };
    assert_eq!(counted("?dryRun=true"), expected);
    assert_eq!(counted(""), expected);
    if context {
        worker.until("what went back", || lines(folder).len() == 3);
        assert_eq!(lines(folder)[2], "\"none\"");
    }
    assert_eq!(counted(""), [0, 0, 0, 0]);
    assert!(worker.stop());
}

#[test]
fn a_sources_bad_records_are_letters_and_go_through_its_mended_chain() {
    for context in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        source_walk(folder.path(), &properties(folder.path()), "days", context);
    }
}

/// What a guest reports is a letter by its original place, whatever transformations made of its topic.
#[test]
fn what_a_guest_reports_is_a_letter_by_where_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.txt"), "a\nb\n").unwrap();
    let mut config = json!({"connector.class": "test.HostileSink", "call": "report", "topics": "reported"});
    for (key, value) in [
        ("transforms", "elsewhere"),
        ("transforms.elsewhere.type", "org.apache.kafka.connect.transforms.RegexRouter"),
        ("transforms.elsewhere.regex", "reported"),
        ("transforms.elsewhere.replacement", "renamed"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "reported-dead"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ] {
        config[key] = json!(value);
    }
    let feed = file("feed", &source(folder.path(), "reported"));
    let sink = file("reports", &config);
    let mut worker =
        Worker::standalone(folder.path(), &properties(folder.path()), &[("a.json", &feed), ("b.json", &sink)]);
    let url = worker.url();
    worker.until("both letters", || shown(&url, "deadletterqueue_produce_requests", "reports") == Some(2));
    assert_eq!(metric(&url, "total_record_failures", "reports"), 2);
    assert_eq!(metric(&url, "total_records_skipped", "reports"), 0);
    let dry = redrive(&url, "reports", "?dryRun=true").json();
    assert_eq!(dry["back_by_topic"], json!({"reported": 2}), "{dry}");
    assert_eq!(redrive(&url, "reports", "?dry_run=true").status, 400, "what is misspelt is done");
    assert!(worker.stop());
}

#[test]
fn a_queue_that_cannot_be_made_fails_the_task_with_its_name_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    make_topic("queue-refused", 1);
    let mut config = sink(folder.path(), "queue-refused");
    config["errors.deadletterqueue.topic.replication.factor"] = json!("3");
    let mut worker =
        Worker::standalone(folder.path(), &on_kafka(folder.path()), &[("b.json", &file("refused", &config))]);
    let url = worker.url();
    let status = || request("GET", &format!("{url}/connectors/refused/status"), None).json();
    worker.until("the failure", || status()["tasks"][0]["state"] == "FAILED");
    let trace = status()["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned();
    let expected = "Could not initialize dead letter queue with topic=queue-refused-dead\nCaused by: ";
    assert!(trace.starts_with(expected), "{trace}");
    assert!(trace.contains("errors.deadletterqueue.topic.replication.factor=3"), "{trace}");
    let missing = redrive(&url, "refused", "");
    assert_eq!((missing.status, missing.text.contains("is not there")), (400, true), "{}", missing.text);
    assert!(worker.stop());
}

/// All records of a topic of the shared Kafka.
pub async fn read(topic: &str, count: usize) -> Vec<Letter> {
    let broker = KafkaBroker::new(&config(&[("bootstrap.servers", &kafka::shared().bootstrap())])).unwrap();
    let group = format!("reader-of-{topic}-{}", std::process::id());
    let settings = config(&[("group.id", &group), ("auto.offset.reset", "earliest")]);
    let subscription = Subscription::Topics(vec![topic.to_owned()]);
    let mut consumer = broker.consumer(&subscription, &settings).await.unwrap();
    let (mut all, until) = (Vec::new(), std::time::Instant::now() + Duration::from_secs(60));
    while all.len() < count {
        assert!(std::time::Instant::now() < until, "{topic}: {} of {count}", all.len());
        if let ConsumerPolled::Records(raw) = consumer.poll(Duration::from_millis(100), 1 << 20).await.unwrap() {
            all.extend((0..raw.rows).map(|row| Letter::of(&raw, row)));
        }
    }
    consumer.close().await.unwrap();
    all
}

#[derive(Debug, PartialEq)]
pub struct Letter {
    key: Option<String>,
    value: Option<String>,
    timestamp: Option<i64>,
    names: Vec<String>,
    pub headers: BTreeMap<String, String>,
}

impl Letter {
    fn of(raw: &RawRecords, row: usize) -> Letter {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers: Vec<(String, String)> =
            raw.headers.of(row).map(|(name, value)| (name.to_owned(), text(value.unwrap_or(b"null")))).collect();
        Letter {
            key: raw.key.get(row).map(text),
            value: raw.value.get(row).map(text),
            timestamp: raw.timestamp_of(row),
            names: headers.iter().map(|(name, _)| name.clone()).collect(),
            headers: headers.into_iter().collect(),
        }
    }
}

#[test]
fn letters_are_those_that_apache_writes() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make_topic("letters-compared", 1);
    let mut feeding = on_kafka(ours.path());
    feeding.push_str("client.id=feeds\n");
    std::fs::write(ours.path().join("in.txt"), ORDERS).unwrap();
    let compared = |folder: &Path, queue: &str| {
        let mut config = sink(folder, "letters-compared");
        config["errors.deadletterqueue.topic.name"] = json!(queue);
        config["consumer.override.group.id"] = json!(format!("group-of-{queue}"));
        config["name"] = json!("compared");
        config
    };
    let (own, apaches) = (compared(ours.path(), "letters-own"), compared(theirs.path(), "letters-apaches"));
    let feed = file("feed", &source(ours.path(), "letters-compared"));
    let mut worker =
        Worker::standalone(ours.path(), &feeding, &[("feed.json", &feed), ("sink.json", &file("compared", &own))]);
    worker.until("the good ones", || lines(ours.path()).len() >= 3);
    assert!(worker.stop());
    let properties = on_kafka(theirs.path())
        .lines()
        .filter(|line| !line.starts_with("plugin.path"))
        .fold(String::new(), |all, line| all + line + "\n");
    let (mut java, url) = Worker::apache("Standalone", theirs.path(), &properties);
    assert_eq!(send("POST", &format!("{url}/connectors"), &json!({"name": "compared", "config": apaches})).status, 201);
    java.until("the good ones", || lines(theirs.path()).len() >= 3);
    java.stop();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (own, apaches) = runtime.block_on(async { (read("letters-own", 2).await, read("letters-apaches", 2).await) });
    for (own, apaches) in own.iter().zip(&apaches) {
        assert_eq!(own.names, apaches.names);
        assert_eq!((&own.key, &own.value, own.timestamp), (&apaches.key, &apaches.value, apaches.timestamp));
        for (name, value) in &apaches.headers {
            let name = name.strip_prefix("__connect.errors.").unwrap();
            let own = &own.headers[&format!("__connect.errors.{name}")];
            match name {
                // Java's frames, and the words of Java's own parsers.
                "exception.stacktrace" | "exception.message" => assert!(!own.is_empty(), "{name}"),
                // A stock class answers to Apache's names, and has its own.
                "class.name" => assert_eq!(own.rsplit(['.', '$']).next(), value.rsplit(['.', '$']).next()),
                _ => assert_eq!(own, value, "{name}"),
            }
        }
    }
}
