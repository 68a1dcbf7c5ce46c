//! Clients that others wrote, unchanged, against the binary: kafka-connect-py, kpops, and schemathesis over /openapi.json;
//! and what is answered to every scenario against what the document says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::scenario::{Scenario, Stage};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, make_topic, python};

/// Longer than any of them takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(180);

fn worker(folder: &Path, more: &str) -> (Worker, String) {
    let properties = format!(
        "bootstrap.servers=local:memory\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\n\
         sandbox.path.ceiling={}\n\
         {more}",
        folder.display()
    );
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    (worker, url)
}

/// Runs a script against a worker of its own; its arguments are the worker's address, a folder, and what else there is.
fn walk(script: &str, more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (worker, url) = worker(folder.path(), "");
    walk_over(&url, folder.path(), script, more);
    assert!(worker.stop());
}

fn walk_over(url: &str, folder: &Path, script: &str, more: &[&str]) {
    let (script, here) = (python::script(script), folder.display().to_string());
    let arguments = [&[script.as_str(), url, &here], more].concat();
    python::run(folder, &arguments, WITHIN);
}

#[test]
fn kafka_connect_py_takes_a_connector_through_its_life() {
    walk("kafka_connect_py.py", &[]);
}

#[test]
fn kpops_deploys_resets_cleans_and_destroys_a_pipeline() {
    walk("kpops_pipeline.py", &[]);
}

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_say() {
    walk("schemathesis_run.py", &["25"]);
}

#[test]
fn schemathesis_finds_none_over_a_worker_that_sends_on_to_the_leader_either() {
    let folder = tempfile::tempdir().unwrap();
    let group = format!("asked-{}", std::process::id());
    let mut properties = format!(
        "bootstrap.servers={}\ngroup.id={group}\nsandbox.path.ceiling={}\noffset.flush.interval.ms=200\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n",
        kafka::shared().bootstrap(),
        folder.path().display()
    );
    for of in ["config", "offset", "status"] {
        properties += &format!("{of}.storage.topic={group}-{of}\n{of}.storage.replication.factor=1\n");
    }
    // Sources need their topic, and consumers look for new ones every five minutes.
    make_topic("lines", 1);
    let member = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut worker = Worker::distributed(&folder, &properties);
        let url = worker.url();
        (worker, url)
    };
    let ((first, leader), (mut second, follower)) = (member("first"), member("second"));
    let (leads, log) = (format!("leader=\"{leader}/\""), second.log_file());
    second.until(&leads, || std::fs::read_to_string(&log).unwrap_or_default().contains(&leads));
    walk_over(&follower, folder.path(), "schemathesis_run.py", &["8"]);
    let requests = first.log();
    assert!(requests.contains("forward=true"), "nothing was sent on:\n{requests}");
    assert!(first.stop() && second.stop());
}

#[test]
fn answers_to_every_scenario_are_as_the_document_says() {
    let mut played = Vec::new();
    let made = tempfile::tempdir().unwrap();
    for scenario in Scenario::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")) {
        let folder = made.path().join(&scenario.name);
        std::fs::create_dir(&folder).unwrap();
        scenario.lay_out(&folder);
        let (worker, url) = worker(&folder, &scenario.properties());
        let topic = format!("topic-of-{}", scenario.name);
        let exchanges = scenario.play(&Stage { folder: &folder, topic: &topic, url: &url }).into_iter().map(|played| {
            let raw = played.raw;
            json!({
                "step": format!("{}: {}", scenario.name, played.step),
                "request": played.request,
                "status": raw.status,
                "headers": raw.headers.into_iter().collect::<BTreeMap<String, String>>(),
                "text": raw.text,
            })
        });
        let exchanges: Vec<Value> = exchanges.collect();
        let document = request("GET", &format!("{url}/openapi.json"), None).json();
        played.push(json!({"document": document, "exchanges": exchanges}));
        assert!(worker.stop());
    }
    let file = made.path().join("played.json");
    std::fs::write(&file, Value::from(played).to_string()).unwrap();
    python::run(made.path(), &[&python::script("fits_the_document.py"), &file.display().to_string()], WITHIN);
}
