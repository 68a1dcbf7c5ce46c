//! Connect's REST against the binary, on the embedded store and on Kafka: the walk of a connector's life, uploads, and
//! what is refused.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::harness::http::{Answer, request};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{built, guest, kafka};

fn properties(folder: &Path, bootstrap: &str) -> String {
    let here = folder.display();
    format!(
        "bootstrap.servers={bootstrap}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\n\
         offset.storage.file.filename={here}/offsets\n\
         plugin.upload.dir={here}/uploads\n\
         sandbox.path.ceiling={here}\n"
    )
}

fn send(method: &str, url: &str, body: &Value) -> Answer {
    request(method, url, Some(("application/json", body.to_string().as_bytes())))
}

fn get(url: &str) -> Value {
    request("GET", url, None).json()
}

fn states(url: &str, name: &str) -> (String, Vec<String>) {
    let status = get(&format!("{url}/connectors/{name}/status"));
    let text = |state: &Value| state["state"].as_str().unwrap_or_default().to_owned();
    (text(&status["connector"]), status["tasks"].as_array().into_iter().flatten().map(text).collect())
}

fn lines(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("out.txt")).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn walk(bootstrap: &str, topic: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in.txt"), "a\nb\n").unwrap();
    let mut worker = Worker::standalone(folder, &properties(folder, bootstrap), &[]);
    let url = worker.url();
    assert_eq!(get(&url)["version"], "4.3.1");
    let source = json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": topic});
    let named = json!({"name": "src", "config": source});
    assert_eq!(send("POST", &format!("{url}/connectors"), &named).status, 201);
    assert_eq!(send("POST", &format!("{url}/connectors"), &named).status, 409);
    let sink = json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": topic});
    assert_eq!(send("PUT", &format!("{url}/connectors/snk/config"), &sink).status, 201);
    worker.until("the lines", || lines(folder) == ["a", "b"]);
    assert_eq!(get(&format!("{url}/connectors")), json!(["snk", "src"]));
    let running = ("RUNNING".to_owned(), vec!["RUNNING".to_owned()]);
    worker.until("running", || states(&url, "src") == running);

    let put = |what: &str| request("PUT", &format!("{url}/connectors/src/{what}"), None).status;
    assert_eq!(put("pause"), 202);
    worker.until("paused", || states(&url, "src") == ("PAUSED".into(), vec!["PAUSED".into()]));
    std::fs::write(folder.join("in.txt"), "a\nb\nc\n").unwrap();
    assert_eq!(put("resume"), 202);
    worker.until("what came in the pause", || lines(folder) == ["a", "b", "c"]);
    assert_eq!(put("stop"), 204);
    worker.until("stopped", || states(&url, "src") == ("STOPPED".into(), vec![]));
    assert_eq!(put("resume"), 202);
    worker.until("running again", || states(&url, "src") == running);

    let post = |what: &str| request("POST", &format!("{url}/connectors/src/{what}"), None).status;
    assert_eq!((post("restart"), post("tasks/0/restart"), post("tasks/7/restart")), (204, 204, 404));
    assert_eq!(post("restart?includeTasks=true&onlyFailed=false"), 202);
    worker.until("running after restarts", || states(&url, "src") == running);
    let metrics = request("GET", &format!("{url}/metrics"), None).text;
    assert!(metrics.contains("sink_record_send_total{connector=\"snk\",task=\"0\"} 3"), "{metrics}");

    let delete = || request("DELETE", &format!("{url}/connectors/src"), None).status;
    assert_eq!((delete(), delete()), (204, 404));
    assert_eq!(request("GET", &format!("{url}/connectors/src/status"), None).status, 404);
    assert_eq!(lines(folder), ["a", "b", "c"], "each once");
    assert!(worker.stop());
}

#[test]
fn a_connector_lives_its_life_on_the_embedded_store() {
    walk("local:memory", "lines");
}

#[test]
fn a_connector_lives_its_life_on_kafka() {
    walk(&kafka::shared().bootstrap(), "rest-walk");
}

#[test]
fn what_is_wrong_is_refused_in_connects_form() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    let connectors = format!("{url}/connectors");
    let outside =
        json!({"name": "x", "config": {"connector.class": "FileStreamSink", "topics": "t", "file": "/etc/x"}});
    for (answer, status, part) in [
        (request("GET", &format!("{url}/nope"), None), 404, "HTTP 404 Not Found"),
        (request("DELETE", &url, None), 405, "HTTP 405 Method Not Allowed"),
        (request("POST", &connectors, Some(("text/plain", b"{}"))), 415, "HTTP 415 Unsupported Media Type"),
        (request("POST", &connectors, Some(("application/json", b"{"))), 400, "not JSON"),
        (send("POST", &connectors, &json!({"name": "x", "config": {}})), 400, "contains no connector type"),
        (send("POST", &connectors, &json!({"name": "x", "config": {"connector.class": "No"}})), 400, "matches No"),
        (send("POST", &connectors, &outside), 400, "sandbox.path.ceiling"),
        (request("PUT", &format!("{url}/connectors/x/pause"), None), 404, "Unknown connector x"),
        (request("POST", &format!("{url}/connectors/x/restart"), None), 404, "Unknown connector: x"),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json()["error_code"], status, "{answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().contains(part), "{answer:?}");
    }
    let validate = format!("{url}/connector-plugins/FileStreamSink/config/validate");
    let checked = send("PUT", &validate, &json!({"connector.class": "FileStreamSink", "tasks.max": "0"})).json();
    assert_eq!(checked["error_count"], 5, "tasks.max, name, file, and both of topics: {checked}");
    assert!(worker.stop());
}

fn upload(url: &str, wasm: &[u8]) -> Answer {
    request("POST", &format!("{url}/connector-plugins"), Some(("application/wasm", wasm)))
}

#[test]
fn an_uploaded_class_is_usable_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = properties(folder, &format!("local:{}", folder.join("data").display()));
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let wasm = guest("counter_source");
    let answer = upload(&url, &wasm);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["classes"][0]["class"], "example.CounterSource");
    assert_eq!(upload(&url, &wasm).status, 200, "the same again");
    let counter = json!({"connector.class": "example.CounterSource", "topic": "n", "interval.ms": "1"});
    assert_eq!(send("PUT", &format!("{url}/connectors/counter/config"), &counter).status, 201);
    worker.until("running", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    worker.until("running after the restart", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());
}

#[test]
fn what_is_no_plugin_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker =
        Worker::standalone(folder, &(properties(folder, "local:memory") + "plugin.upload.max.bytes=2000000\n"), &[]);
    let url = worker.url();
    let before = get(&format!("{url}/connector-plugins?connectorsOnly=false"));
    let stock = std::fs::read(built("guests/weir_file.wasm")).unwrap();
    // (component (import "foo:bar/baz" (instance (export "f" (func)))))
    let unknown = b"\0asm\x0d\0\x01\0\
        \x07\x0e\x01\x42\x02\x01\x40\0\x01\0\x04\0\x01f\x01\0\
        \x0a\x10\x01\0\x0bfoo:bar/baz\x05\0";
    let mut cut = guest("counter_source");
    cut.truncate(cut.len() / 2);
    for (what, wasm, status, reason) in [
        ("garbage", b"not wasm at all".to_vec(), 400, "not WebAssembly"),
        ("nothing", Vec::new(), 400, "0 bytes"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), 400, "core WebAssembly module"),
        ("a component that imports the unknown", unknown.to_vec(), 400, "foo:bar/baz"),
        ("a component for another world", b"\0asm\x0d\0\x01\0".to_vec(), 400, "another world"),
        ("half a component", cut, 400, "does not compile"),
        ("too much", vec![0; 2_000_001], 413, "plugin.upload.max.bytes"),
    ] {
        let answer = upload(&url, &wasm);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap_or_default().contains(reason), "{what}: {answer:?}");
    }
    let answer = upload(&url, &stock);
    assert_eq!(answer.status, 409, "a stock name: {answer:?}");
    assert!(answer.text.contains("weir.file.S"), "{answer:?}");
    let media = request("POST", &format!("{url}/connector-plugins"), Some(("application/json", b"{}")));
    assert_eq!(media.status, 415);
    assert_eq!(get(&format!("{url}/connector-plugins?connectorsOnly=false")), before);
    assert_eq!(std::fs::read_dir(folder.join("uploads")).unwrap().count(), 0);
    assert!(worker.stop());
}
