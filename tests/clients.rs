//! Clients that others wrote, unchanged, against the binary: kafka-connect-py, kpops, and schemathesis over /openapi.json;
//! and what is answered to every scenario against what the document says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::python;
use weir_tests::harness::scenario::{Scenario, Stage};
use weir_tests::harness::worker::Worker;

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

/// Runs a script against a worker of its own; its arguments are the worker's address and a folder.
fn walk(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (worker, url) = worker(folder.path(), "");
    let here = folder.path().display().to_string();
    python::run(folder.path(), &[&python::script(script), &url, &here], WITHIN);
    assert!(worker.stop());
}

#[test]
fn kafka_connect_py_takes_a_connector_through_its_life() {
    walk("kafka_connect_py.py");
}

#[test]
fn kpops_deploys_resets_cleans_and_destroys_a_pipeline() {
    walk("kpops_pipeline.py");
}

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_say() {
    walk("schemathesis_run.py");
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
