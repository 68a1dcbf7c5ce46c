//! The http-sink example in a worker: what it posts, what it does when the server is away, busy or unwilling, and which
//! servers it trusts.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::harness::guest;
use weir_tests::harness::http::request;
use weir_tests::harness::server::Server;
use weir_tests::harness::worker::Worker;

/// A worker with the example uploaded and lines on their way into a topic.
fn worker(folder: &Path, lines: usize) -> (Worker, String) {
    worker_with(folder, lines, "")
}

fn worker_with(folder: &Path, lines: usize, more: &str) -> (Worker, String) {
    let properties = format!(
        "bootstrap.servers=local:memory\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\n\
         sandbox.path.ceiling={0}\n\
         sandbox.endpoint.ceiling=127.0.0.1:*,localhost:*\n\
         {more}\n",
        folder.display()
    );
    let text: String = (0..lines).map(|line| format!("line {line}\n")).collect();
    std::fs::write(folder.join("in.txt"), text).unwrap();
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let wasm = guest("http_sink");
    let answer = request("POST", &format!("{url}/connector-plugins"), Some(("application/wasm", &wasm)));
    assert_eq!(answer.status, 201, "{answer:?}");
    let source = json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": "lines"});
    assert_eq!(create(&url, "lines", &source), 201);
    (worker, url)
}

fn create(url: &str, name: &str, config: &Value) -> u16 {
    let body = json!({"name": name, "config": config}).to_string();
    request("POST", &format!("{url}/connectors"), Some(("application/json", body.as_bytes()))).status
}

fn sink(port: u16) -> Value {
    json!({
        "connector.class": "example.HttpSink", "topics": "lines", "url": format!("http://127.0.0.1:{port}/in?x=1"),
        "batch.max.records": "40", "content": "values", "authorization": "Bearer open sesame"
    })
}

#[test]
fn nothing_is_lost_while_the_server_is_away_breaks_off_fails_and_asks_for_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut worker, url) = worker(folder.path(), 100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Nobody answers at first: connections are taken and closed.
    let closing = listener.try_clone().unwrap();
    let closed = std::thread::spawn(move || (0..2).for_each(|_| drop(closing.accept().unwrap())));
    assert_eq!(create(&url, "post", &sink(port)), 201);
    worker.until("two broken connections", || closed.is_finished());
    let server = Server::on(listener, &[(503, None), (200, None), (429, Some("1")), (500, None)]);
    let accepted = |server: &Server| -> Vec<String> {
        let posted = server.posted().into_iter().filter(|posted| posted.status == 200);
        posted.flat_map(|posted| serde_json::from_str::<Vec<String>>(&posted.body).unwrap()).collect()
    };
    worker.until("all lines", || accepted(&server).len() >= 100);
    let expected: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
    assert_eq!(accepted(&server), expected, "in order, and each once, since no answer was lost");
    let posted = server.posted();
    let busy = posted.iter().position(|posted| posted.status == 429).expect("it said so");
    let waited = posted[busy + 1].at - posted[busy].at;
    assert!(waited >= Duration::from_secs(1), "Retry-After: 1, and it came after {waited:?}");
    assert_eq!(posted[0].headers["content-type"], "application/json");
    assert_eq!(posted[0].headers["authorization"], "Bearer open sesame");
    assert!(posted.iter().all(|posted| posted.body.matches("line").count() <= 40), "batch.max.records");
    let status = request("GET", &format!("{url}/connectors/post/status"), None).json();
    assert_eq!(status["tasks"][0]["state"], "RUNNING", "{status}");
    assert!(worker.stop());
}

#[test]
fn what_the_server_refuses_fails_the_task_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let (mut worker, url) = worker(folder.path(), 3);
    let server = Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), &[(422, None)]);
    let mut config = sink(server.address.port());
    config["content"] = "records".into();
    assert_eq!(create(&url, "post", &config), 201);
    let status = || request("GET", &format!("{url}/connectors/post/status"), None).json();
    worker.until("a failed task", || status()["tasks"][0]["state"] == "FAILED");
    let trace = status()["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned();
    assert!(trace.contains("/in?x=1: the server answered 422: not now, not this"), "{trace}");
    let body: Value = serde_json::from_str(&server.posted()[0].body).unwrap();
    assert_eq!(body[0]["topic"], "lines");
    assert_eq!(body[0]["offset"], 0);
    assert_eq!(body[0]["value"], "line 0");
    assert!(worker.stop());
}

#[test]
fn a_server_is_reached_over_tls_when_its_authority_and_its_name_are_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (server, authority) = Server::secure(TcpListener::bind("127.0.0.1:0").unwrap(), "localhost", &[]);
    let port = server.address.port();
    let to = |host: &str| {
        let mut config = sink(port);
        config["url"] = format!("https://{host}:{port}/").into();
        config
    };
    let mut said = String::new();
    let mut until_said = |worker: &mut Worker, part: &str| {
        let log = folder.join("weir.log");
        worker.until(part, || {
            said = std::fs::read_to_string(&log).unwrap();
            said.contains(part)
        });
        said.lines().find(|line| line.contains(part)).unwrap_or_default().to_owned()
    };
    let (mut worker, url) = worker_with(folder, 3, "");
    assert_eq!(create(&url, "post", &to("localhost")), 201);
    let line = until_said(&mut worker, &format!("there is no TLS with localhost:{port}"));
    assert!(
        line.contains("post|task-0") && line.contains("UnknownIssuer") && line.contains("sandbox.tls.ca.location"),
        "{line}"
    );
    until_said(&mut worker, "the worker does not trust the server's certificate");
    assert!(worker.stop());

    std::fs::write(folder.join("authority.pem"), authority).unwrap();
    let trusting = format!("sandbox.tls.ca.location={}", folder.join("authority.pem").display());
    let (mut worker, url) = worker_with(folder, 3, &trusting);
    assert_eq!(create(&url, "post", &to("127.0.0.1")), 201);
    let line = until_said(&mut worker, &format!("there is no TLS with 127.0.0.1:{port}"));
    assert!(line.contains("not valid for name \"127.0.0.1\""), "{line}");
    assert!(server.posted().is_empty());
    assert_eq!(create(&url, "named", &to("localhost")), 201);
    worker.until("the lines", || !server.posted().is_empty());
    assert_eq!(server.posted()[0].body, r#"["line 0","line 1","line 2"]"#);
    assert!(worker.stop());
}

#[test]
fn an_endpoint_above_the_ceiling_is_refused_when_the_connector_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, url) = worker(folder.path(), 1);
    let mut config = sink(80);
    config["url"] = "http://example.com/".into();
    let body = json!({"name": "post", "config": config}).to_string();
    let answer = request("POST", &format!("{url}/connectors"), Some(("application/json", body.as_bytes())));
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.text.contains("example.com:80") && answer.text.contains("sandbox.endpoint.ceiling"), "{answer:?}");
    assert!(worker.stop());
}
