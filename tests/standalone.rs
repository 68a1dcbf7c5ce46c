//! The binary, standalone: connector files, restarts, kill -9, brokers that go away, chains, sinks that share a group,
//! schema registries over TLS, topics on the command line, where plugins are found, and what a user is told.

#[path = "standalone/auto_restart.rs"]
mod auto_restart;
#[path = "standalone/bad_input.rs"]
mod bad_input;
#[path = "standalone/broker_restart.rs"]
mod broker_restart;
#[path = "standalone/chain.rs"]
mod chain;
#[path = "standalone/dead_letters.rs"]
mod dead_letters;
#[path = "standalone/demo.rs"]
mod demo;
#[path = "standalone/groups.rs"]
mod groups;
#[path = "standalone/large_records.rs"]
mod large_records;
#[path = "standalone/limits.rs"]
mod limits;
#[path = "standalone/plugin_check.rs"]
mod plugin_check;
#[path = "standalone/plugin_path.rs"]
mod plugin_path;
#[path = "standalone/registry_tls.rs"]
mod registry_tls;
#[path = "standalone/settings.rs"]
mod settings;
#[path = "standalone/tasks_max.rs"]
mod tasks_max;
#[path = "standalone/topic_creation.rs"]
mod topic_creation;
#[path = "standalone/topics.rs"]
mod topics;
#[path = "standalone/used_topics.rs"]
mod used_topics;
#[path = "standalone/variables.rs"]
mod variables;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use weir_tests::harness::http::request;
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

fn properties(folder: &Path) -> String {
    on(&format!("local:{}", folder.join("data").display()))
}

fn on(bootstrap: &str) -> String {
    format!(
        "bootstrap.servers={bootstrap}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\n\
         plugin.path={}\n",
        weir_tests::harness::built("guests").display(),
    )
}

fn source(folder: &Path, topic: &str) -> String {
    let file = folder.join("in.txt");
    format!(
        "name=source\nconnector.class=FileStreamSource\nfile={}\ntopic={topic}\nbatch.size=500\n\
         topic.creation.default.partitions=1\ntopic.creation.default.replication.factor=1\n",
        file.display()
    )
}

fn sink(folder: &Path, topic: &str) -> String {
    let file = folder.join("out.txt");
    format!(
        r#"{{"name": "sink-{topic}", "config": {{"connector.class": "FileStreamSink", "topics": "{topic}", "file": "{}"}}}}"#,
        file.display()
    )
}

fn start(folder: &Path, properties: &str, topic: &str) -> Worker {
    let (source, sink) = (source(folder, topic), sink(folder, topic));
    Worker::standalone(folder, properties, &[("source.properties", &source), ("sink.json", &sink)])
}

fn lines(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("out.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn append(folder: &Path, numbers: std::ops::Range<usize>) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("in.txt")).unwrap();
    let text: String = numbers.map(|n| format!("line {n}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_go_from_file_to_file_and_a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    append(folder, 0..100);
    let properties = properties(folder);
    let mut worker = start(folder, &properties, "lines");
    worker.until("the first lines", || lines(folder).len() == 100);
    append(folder, 100..150);
    worker.until("lines that came later", || lines(folder).len() == 150);
    assert!(worker.stop());
    append(folder, 150..200);
    let mut worker = start(folder, &properties, "lines");
    worker.until("lines that came while it was down", || lines(folder).len() >= 200);
    assert!(worker.stop());
    let expected: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    assert_eq!(lines(folder), expected, "each once, in order");
}

#[test]
fn killed_in_mid_stream_on_the_embedded_store_no_line_is_lost_and_the_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    kill_in_mid_stream(folder.path(), &properties(folder.path()), "lines");
}

#[test]
fn killed_in_mid_stream_on_kafka_no_line_is_lost_and_the_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    // The broker waits for a member that was killed as long as its session lasts.
    let offsets = folder.path().join("offsets");
    let more = format!("offset.storage.file.filename={}\nconsumer.session.timeout.ms=6000\n", offsets.display());
    kill_in_mid_stream(folder.path(), &(on(&kafka::shared().bootstrap()) + &more), "killed");
}

fn kill_in_mid_stream(folder: &Path, properties: &str, topic: &str) {
    const TOTAL: usize = 60_000;
    append(folder, 0..TOTAL / 2);
    for round in 1..=4 {
        let mut worker = start(folder, properties, topic);
        let before = lines(folder).len();
        worker.until("more lines", || lines(folder).len() > before + 500 || lines(folder).len() >= TOTAL / 2);
        if round == 2 {
            append(folder, TOTAL / 2..TOTAL);
        }
        worker.kill();
    }
    let mut worker = start(folder, properties, topic);
    let last = format!("line {}", TOTAL - 1);
    worker.until("the last line", || lines(folder).contains(&last));
    assert!(worker.stop());
    let mut seen = vec![false; TOTAL];
    let mut next = 0;
    for line in lines(folder) {
        // A line that the kill cut in two is delivered whole afterwards.
        let Some(number) = line.strip_prefix("line ").and_then(|n| n.parse::<usize>().ok()) else { continue };
        assert!(number <= next, "line {number} came before line {next}");
        seen[number] = true;
        next = next.max(number + 1);
    }
    let lost: Vec<usize> = (0..TOTAL).filter(|&n| !seen[n]).collect();
    assert!(lost.is_empty(), "{} lines are lost, first {:?}", lost.len(), lost.first());
}

#[test]
fn a_guest_in_an_endless_loop_fails_and_the_others_run_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    append(folder, 0..10);
    let looping = "name=looping\nconnector.class=test.HostileSource\nbehaviour=loop\n";
    let (source, sink) = (source(folder, "lines"), sink(folder, "lines"));
    let properties = properties(folder) + "task.call.cpu.max.ms=300\n";
    let connectors = [("loop.properties", looping), ("source.properties", &source), ("sink.json", &sink)];
    let mut worker = Worker::standalone(folder, &properties, &connectors);
    worker.until("the first lines", || lines(folder).len() == 10);
    let log = folder.join("weir.log");
    worker.until("the failure", || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        said.contains("test.HostileSource failed in poll") && said.contains("task.call.cpu.max.ms allows 300 ms")
    });
    append(folder, 10..20);
    worker.until("lines after the failure", || lines(folder).len() == 20);
    assert!(worker.stop());
}

#[test]
fn a_guest_that_blocks_at_stop_is_given_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocked = "name=blocked\nconnector.class=test.HostileSource\nbehaviour=dawdle\n";
    let properties = properties(folder) + "task.shutdown.graceful.timeout.ms=500\ntask.poll.timeout.ms=60000\n";
    let mut worker = Worker::standalone(folder, &properties, &[("blocked.properties", blocked)]);
    let log = folder.join("weir.log");
    worker.until("running", || std::fs::read_to_string(&log).unwrap_or_default().contains("running"));
    let began = std::time::Instant::now();
    assert!(worker.stop());
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn what_is_wrong_is_said_with_key_value_and_remedy() {
    let told = |properties: &str, connectors: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let (well, log) = Worker::standalone(folder.path(), properties, connectors).ended();
        assert!(!well, "{log}");
        log
    };
    let log = told("bootstrap.servers=local:memory\noffset.flush.interval.ms=soon\n", &[]);
    for part in ["key.converter: Missing required", "value.converter: Missing required", "Invalid value soon"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let converters = "bootstrap.servers=local:memory\nkey.converter=StringConverter\nvalue.converter=StringConverter\n";
    let log = told(converters, &[("c.properties", "name=c\nconnector.class=NoSuchClass\n")]);
    assert!(log.contains("which name matches NoSuchClass") && log.contains("weir.file.Source"), "{log}");
    let trusting = format!("{converters}sandbox.tls.ca.location=/nowhere/ca.pem\n");
    let log = told(&trusting, &[]);
    for part in ["Invalid value /nowhere/ca.pem for configuration sandbox.tls.ca.location", "Name a PEM file"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let twice = "name=c\nconnector.class=FileStreamSink\nfile=/tmp/x\ntopics=t\n";
    let log = told(converters, &[("a.properties", twice), ("b.properties", twice)]);
    assert!(log.contains("b.properties: ") && log.contains("has a connector named c, too"), "{log}");
    let log = told(converters, &[("c.json", "{\"name\": ")]);
    assert!(log.contains("c.json: not JSON"), "{log}");
    let log = told(converters, &[("c.properties", "connector.class=FileStreamSink\nfile=/tmp/x\n")]);
    assert!(log.contains("Missing required configuration \"name\""), "{log}");
}

#[test]
fn a_connector_of_the_command_line_has_standard_input_and_output_and_a_blocked_read_ends_with_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let source = "name=source\nconnector.class=FileStreamSource\ntopic=lines\n";
    let sink = "name=sink\nconnector.class=FileStreamSink\ntopics=lines\n";
    let out = std::fs::File::create(folder.join("stdout")).unwrap();
    let connectors = [("source.properties", source), ("sink.properties", sink)];
    let mut worker = Worker::with_stdio(folder, &properties(folder), &connectors, Stdio::piped(), Stdio::from(out));
    let mut stdin = worker.stdin();
    stdin.write_all(b"one\ntwo\nunfinished").unwrap();
    worker.until("the lines", || std::fs::read_to_string(folder.join("stdout")).unwrap() == "one\ntwo\n");
    let url = worker.url();
    assert_eq!(request("PUT", &format!("{url}/connectors/source/pause"), None).status, 202);
    worker.until("paused", || task_state(&url, "source") == "PAUSED");
    assert_eq!(request("PUT", &format!("{url}/connectors/source/resume"), None).status, 202);
    worker.until("running", || task_state(&url, "source") == "RUNNING");
    assert!(worker.stop());
    drop(stdin);
}

fn task_state(url: &str, name: &str) -> String {
    let status = request("GET", &format!("{url}/connectors/{name}/status"), None).json();
    status["tasks"][0]["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_connector_of_rest_has_neither_standard_input_nor_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder), &[]);
    let url = worker.url();
    for (class, topic) in [("FileStreamSource", "topic"), ("FileStreamSink", "topics")] {
        let body = json!({"name": class, "config": {"connector.class": class, topic: "lines"}}).to_string();
        let answer = request("POST", &format!("{url}/connectors"), Some(("application/json", body.as_bytes())));
        assert_eq!(answer.status, 400, "{}", answer.text);
        let said = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        for part in [
            "configuration file:",
            "without a value it asks for standard input or output",
            "command line",
            "name a file",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(request("GET", &format!("{url}/connectors"), None).json(), json!([]));
    assert!(worker.stop());
}

#[test]
fn a_named_pipe_is_refused_at_once_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pipe = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let source = format!("name=source\nconnector.class=FileStreamSource\ntopic=lines\nfile={}\n", pipe.display());
    let sink = format!("name=sink\nconnector.class=FileStreamSink\ntopics=lines\nfile={}\n", pipe.display());
    let connectors = [("source.properties", source.as_str()), ("sink.properties", sink.as_str())];
    let mut worker = Worker::standalone(folder, &properties(folder), &connectors);
    let url = worker.url();
    for name in ["source", "sink"] {
        worker.until("the refusal", || task_state(&url, name) == "FAILED");
        let status = request("GET", &format!("{url}/connectors/{name}/status"), None).text;
        assert!(status.contains("it is a named pipe") && status.contains(pipe.to_str().unwrap()), "{status}");
    }
    assert!(worker.stop());
}
