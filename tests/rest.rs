//! Connect's REST against the binary, on the embedded store and on Kafka: the walk of a connector's life, uploads, what
//! is refused, disks without room, and metrics.

#[path = "rest/admin_overrides.rs"]
mod admin_overrides;
#[path = "rest/full_disk.rs"]
mod full_disk;
#[path = "rest/gone_senders.rs"]
mod gone_senders;
#[path = "rest/metrics.rs"]
mod metrics;
#[path = "rest/openapi.rs"]
mod openapi;
#[path = "rest/recommendations.rs"]
mod recommendations;
#[path = "rest/refusals.rs"]
mod refusals;
#[path = "rest/request_log.rs"]
mod request_log;
#[path = "rest/secured.rs"]
mod secured;
#[path = "rest/timed_out.rs"]
mod timed_out;
#[path = "rest/uploads.rs"]
mod uploads;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::kafka;
use weir_tests::harness::weir;
use weir_tests::harness::worker::Worker;

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

fn walk(folder: &Path, bootstrap: &str, topic: &str) {
    std::fs::write(folder.join("in.txt"), "a\nb\n").unwrap();
    let mut worker = Worker::standalone(folder, &properties(folder, bootstrap), &[]);
    let url = worker.url();
    assert_eq!(get(&url)["version"], "4.3.1");
    let source = json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": topic,
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"});
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
fn a_build_in_a_clone_names_its_commit_over_rest_and_on_the_command_line() {
    let run = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let commit = get(&worker.url())["commit"].as_str().unwrap().to_owned();
    let said = run(Command::new(weir()).arg("--version"));
    assert!(said.starts_with("weir ") && said.ends_with(&format!(" ({commit})\n")), "{said} {commit}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    if run(Command::new("git").args(["rev-parse", "--show-toplevel"]).current_dir(&root)).trim()
        == root.to_str().unwrap()
    {
        // Not HEAD itself: the binary may be of an earlier commit.
        assert!(commit.len() == 16 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{commit}");
    } else {
        assert_eq!(commit, "unknown");
    }
    assert!(worker.stop());
}

#[test]
fn a_connector_lives_its_life_on_the_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    walk(folder.path(), &format!("local:{}", folder.path().join("data").display()), "lines");
}

#[test]
fn a_connector_lives_its_life_in_memory() {
    walk(tempfile::tempdir().unwrap().path(), "local:memory", "lines");
}

#[test]
fn a_connector_lives_its_life_on_kafka() {
    walk(tempfile::tempdir().unwrap().path(), &kafka::shared().bootstrap(), "rest-walk");
}
