//! Has Apache's own workers live a life, and keeps what they wrote down: the records of the three internal topics of a
//! distributed worker, and the offsets file of a standalone one. `make compare` asks for it; what weir makes of them is
//! held in runtime/core/tests/store_golden.rs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use weir_core::model::Subscription;
use weir_core::port::{Broker, ConsumerPolled};
use weir_kafka::KafkaBroker;
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{config, kafka};

use super::{answered, status};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/core/tests/golden")
}

/// Compiles the source that the workers run into a folder of `plugin.path`.
fn recorded_source(folder: &Path) {
    let classes = kafka::home().join("libs").join("*");
    let mut javac = Command::new("javac");
    javac
        .arg("-cp")
        .arg(classes)
        .arg("-d")
        .arg(folder.join("plugins/recorded"))
        .arg(golden().join("RecordedSource.java"));
    assert!(javac.status().expect("a JDK").success());
}

/// A worker of Apache's, asked in short.
struct Apache {
    worker: Worker,
    url: String,
}

impl Apache {
    fn start(kind: &str, folder: &Path, more: &str) -> Apache {
        let properties = format!(
            "bootstrap.servers={}\n\
             plugin.path={}\n\
             plugin.discovery=only_scan\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n\
             offset.flush.interval.ms=200\n\
             {more}",
            kafka::shared().bootstrap(),
            folder.join("plugins").display(),
        );
        let (worker, url) = Worker::apache(kind, folder, &properties);
        Apache { worker, url }
    }

    /// Asks until it is answered as it should be: a worker may be between two rounds.
    fn ask(&mut self, method: &str, path: &str, body: Option<Value>) {
        let url = format!("{}/{path}", self.url);
        self.worker
            .until(&format!("{method} {path}"), || (200..300).contains(&answered(method, &url, body.as_ref()).status));
    }

    fn put(&mut self, name: &str, config: Value) {
        self.ask("PUT", &format!("connectors/{name}/config"), Some(config));
    }

    /// Waits until a connector and each of its tasks are in these states.
    fn settle(&mut self, name: &str, connector: &str, tasks: &[&str]) {
        let url = self.url.clone();
        self.worker.until(&format!("{name} {connector} {tasks:?}"), || {
            let status = status(&url, name);
            let states =
                status["tasks"].as_array().into_iter().flatten().map(|task| task["state"].as_str().unwrap_or(""));
            status["connector"]["state"] == connector && states.eq(tasks.iter().copied())
        });
    }

    /// Waits until so many partitions of a source have offsets.
    fn stored(&mut self, name: &str, partitions: usize) {
        let url = format!("{}/connectors/{name}/offsets", self.url);
        self.worker.until("stored offsets", || {
            answered("GET", &url, None).json()["offsets"].as_array().is_some_and(|offsets| offsets.len() == partitions)
        });
    }
}

fn source(tasks: u32, more: &[(&str, &str)]) -> Value {
    let mut config = json!({"connector.class": "RecordedSource", "tasks.max": tasks.to_string(), "topic": "recorded"});
    more.iter().for_each(|(key, value)| config[key] = json!(value));
    config
}

/// All records of a topic, in the order of their partitions and offsets.
fn dump(topic: &str) -> Vec<Value> {
    let broker = KafkaBroker::new(&config(&[("bootstrap.servers", &kafka::shared().bootstrap())])).expect("a client");
    let settings = config(&[("group.id", &format!("dump-{topic}")), ("auto.offset.reset", "earliest")]);
    let read = async {
        let mut consumer = broker.consumer(&Subscription::Topics(vec![topic.into()]), &settings).await.unwrap();
        let (mut records, mut assigned) = (Vec::new(), false);
        loop {
            match consumer.poll(Duration::from_secs(3), 1 << 20).await.unwrap() {
                ConsumerPolled::Records(raw) => {
                    assert!(raw.headers.ends.iter().all(|end| *end == 0), "Connect writes no headers there");
                    let text =
                        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text"));
                    records.extend((0..raw.rows).map(|row| (text(raw.key.get(row)), text(raw.value.get(row)))));
                }
                ConsumerPolled::Assigned(_) => assigned = true,
                ConsumerPolled::Nothing if assigned => break,
                _ => {}
            }
        }
        consumer.close().await.unwrap();
        records
    };
    let records = tokio::runtime::Runtime::new().unwrap().block_on(read);
    records.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

#[test]
#[ignore = "asks Apache anew: make compare"]
fn a_distributed_workers_records_are_kept() {
    let made = tempfile::tempdir().unwrap();
    recorded_source(made.path());
    weir_tests::harness::make_topic("recorded", 1);
    let topics: String = ["config", "offset", "status"]
        .map(|of| {
            format!("{of}.storage.topic=recorded-{of}\n{of}.storage.replication.factor=1\n{of}.storage.partitions=1\n")
        })
        .concat();
    let more = format!(
        "group.id=recorded\n\
         rest.advertised.host.name=127.0.0.1\n\
         scheduled.rebalance.max.delay.ms=500\n\
         exactly.once.source.support=enabled\n\
         {topics}"
    );
    let mut apache = Apache::start("Distributed", made.path(), &more.replace("config.storage.partitions=1\n", ""));
    let running = ["RUNNING", "RUNNING"];
    apache.put("two-tasks", source(2, &[("text", "\u{fc} \"quoted\" \\ </x>\n\u{1f}\u{2028}")]));
    apache.put("sink", json!({"connector.class": "FileStreamSink", "topics": "recorded"}));
    apache.settle("two-tasks", "RUNNING", &running);
    apache.settle("sink", "RUNNING", &["RUNNING"]);
    apache.stored("two-tasks", 10);
    apache.ask("PUT", "connectors/two-tasks/pause", None);
    apache.settle("two-tasks", "PAUSED", &["PAUSED", "PAUSED"]);
    apache.ask("PUT", "connectors/two-tasks/resume", None);
    apache.settle("two-tasks", "RUNNING", &running);
    apache.ask("POST", "connectors/two-tasks/restart?includeTasks=true&onlyFailed=false", None);
    apache.settle("two-tasks", "RUNNING", &running);
    apache.ask("POST", "connectors/sink/tasks/0/restart", None);
    apache.settle("sink", "RUNNING", &["RUNNING"]);
    apache.ask("PUT", "connectors/two-tasks/stop", None);
    apache.settle("two-tasks", "STOPPED", &[]);
    let altered = json!({"offsets": [
        {"partition": {"z": "last", "a": 1, "m": null}, "offset": {"b": 2.5, "a": 2}},
        {"partition": {"file": "in-0.txt"}, "offset": null},
    ]});
    apache.ask("PATCH", "connectors/two-tasks/offsets", Some(altered));
    apache.ask("DELETE", "connectors/two-tasks/offsets", None);
    apache.ask("PUT", "connectors/two-tasks/topics/reset", None);
    apache.put("two-tasks", source(1, &[]));
    apache.ask("PUT", "connectors/two-tasks/resume", None);
    apache.settle("two-tasks", "RUNNING", &["RUNNING"]);
    apache.put("a%20%22b%22%20%C3%BC-1", source(1, &[("fails", "task")]));
    apache.settle("a%20%22b%22%20%C3%BC-1", "RUNNING", &["FAILED"]);
    apache.put("broken", source(1, &[("fails", "connector")]));
    apache.settle("broken", "FAILED", &[]);
    apache.ask("POST", "connectors/broken/restart?includeTasks=false&onlyFailed=true", None);
    apache.settle("broken", "FAILED", &[]);
    apache.ask("PUT", "admin/loggers/org.apache.zookeeper?scope=cluster", Some(json!({"level": "ERROR"})));
    apache.ask(
        "POST",
        "connectors",
        Some(json!({"name": "born-stopped", "config": source(1, &[]), "initial_state": "STOPPED"})),
    );
    apache.settle("born-stopped", "STOPPED", &[]);
    apache.ask("DELETE", "connectors/broken", None);
    apache.ask("DELETE", "connectors/two-tasks", None);
    let Apache { worker, .. } = apache;
    worker.stop(); // a JVM that was told to stop does not call that success
    let mut lines = String::new();
    for of in ["config", "offset", "status"] {
        for mut record in dump(&format!("recorded-{of}")) {
            record["topic"] = json!(of);
            lines += &format!("{record}\n");
        }
    }
    std::fs::write(golden().join("store_records-4.3.1.jsonl"), lines).unwrap();
}

#[test]
#[ignore = "asks Apache anew: make compare"]
fn a_standalone_workers_offsets_file_is_kept() {
    let made = tempfile::tempdir().unwrap();
    recorded_source(made.path());
    let file = made.path().join("offsets");
    let more = format!("offset.storage.file.filename={}\n", file.display());
    weir_tests::harness::make_topic("recorded-alone", 1);
    let mut apache = Apache::start("Standalone", made.path(), &more);
    apache.put("source-1", source(2, &[("topic", "recorded-alone")]));
    apache.put("source-2", source(1, &[("topic", "recorded-alone")]));
    apache.stored("source-1", 10);
    apache.stored("source-2", 5);
    apache.ask("PUT", "connectors/source-2/stop", None);
    apache.settle("source-2", "STOPPED", &[]);
    apache.ask("DELETE", "connectors/source-2/offsets", None);
    let Apache { worker, .. } = apache;
    worker.stop();
    let bytes = std::fs::read(file).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(golden().join("offsets_file-4.3.1.hex"), hex + "\n").unwrap();
}
