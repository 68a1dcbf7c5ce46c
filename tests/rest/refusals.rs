//! What is wrong with a request is said in Connect's form, whoever in the house finds it.

use serde_json::json;
use weir_tests::harness::http::{Answer, Wire, request, send};
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

use super::{get, properties};

fn assert_refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.content_type.as_deref(), Some("application/json"), "{answer:?}");
    assert_eq!(answer.json()["error_code"], status, "{answer:?}");
    assert!(answer.json()["message"].as_str().is_some_and(|message| message.contains(part)), "{part}: {answer:?}");
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
        (
            send("POST", &connectors, &outside),
            400,
            "for configuration file: path /etc/x is not below sandbox.path.ceiling",
        ),
        (request("PUT", &format!("{url}/connectors/x/pause"), None), 404, "Unknown connector x"),
        (request("POST", &format!("{url}/connectors/x/restart"), None), 404, "Unknown connector: x"),
    ] {
        assert_refused(&answer, status, part);
    }
    let validate = format!("{url}/connector-plugins/FileStreamSink/config/validate");
    let checked = send("PUT", &validate, &json!({"connector.class": "FileStreamSink", "tasks.max": "0"})).json();
    assert_eq!(checked["error_count"], 5, "tasks.max, name, file, and both of topics: {checked}");
    assert!(worker.stop());
}

#[test]
fn overrides_that_clients_would_refuse_are_refused_with_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, &kafka::shared().bootstrap()), &[]);
    let url = worker.url();
    let file = folder.join("in.txt");
    let source = |key: &str, value: &str| {
        let config = json!({"connector.class": "FileStreamSource", "topic": "t", "file": file, key: value});
        send("POST", &format!("{url}/connectors"), &json!({"name": "x", "config": config}))
    };
    let compression = source("producer.override.compression.type", "bogus");
    let said = "configuration producer.override.compression.type: compression.type=bogus: expected none, gzip, snappy";
    assert_refused(&compression, 400, said);
    let linger = source("producer.override.linger.ms", "-5");
    assert_refused(&linger, 400, "configuration producer.override.linger.ms: linger.ms=-5: ");
    let (class, key) = ("FileStreamSink", "consumer.override.isolation.level");
    let sink = json!({"name": "x", "connector.class": class, "topics": "t", "file": file, key: "some"});
    let checked = send("PUT", &format!("{url}/connector-plugins/{class}/config/validate"), &sink).json();
    assert_eq!(checked["error_count"], 1, "{checked}");
    let wrong = checked["configs"].as_array().unwrap().iter().find(|entry| entry["value"]["name"] == key).unwrap();
    assert!(wrong["value"]["errors"][0].as_str().unwrap().contains("expected read_committed or"), "{wrong}");
    assert!(worker.stop());
}

#[test]
fn names_that_are_not_utf_8_and_empty_ones_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    for (method, path, part) in [
        ("GET", "/connectors/%FF", "Connector \u{fffd} not found"),
        ("GET", "/connectors/%FF/", "Connector \u{fffd} not found"),
        ("GET", "/connectors/a%C3%28b/status", "No status found for connector a\u{fffd}(b"),
        ("GET", "/connectors/%FF/config", "Connector \u{fffd} not found"),
        ("GET", "/connectors/%FF/tasks?x=%FF", "Connector \u{fffd} not found"),
        ("GET", "/connectors/%FF/tasks/0/status", "No status found for task \u{fffd}-0"),
        ("GET", "/connectors/x/tasks/%FF/status", "HTTP 404 Not Found"),
        ("POST", "/connectors/%FF/tasks/0/restart", "Unknown connector: \u{fffd}"),
        ("POST", "/connectors/%FF/restart", "Unknown connector: \u{fffd}"),
        ("PUT", "/connectors/%FF/pause", "Unknown connector \u{fffd}"),
        ("PUT", "/connectors/%FF/resume", "Unknown connector \u{fffd}"),
        ("PUT", "/connectors/%FF/stop", "Unknown connector \u{fffd}"),
        ("DELETE", "/connectors/%FF", "Connector \u{fffd} not found"),
        ("GET", "/connector-plugins/%FF/config", "Unknown plugin \u{fffd}."),
        ("GET", "/%FF", "HTTP 404 Not Found"),
    ] {
        assert_refused(&request(method, &format!("{url}{path}"), None), 404, part);
    }
    for path in [
        "//connectors",
        "/connectors//status",
        "/connectors//",
        "/connectors/x/;a/status",
        "/connector-plugins//config",
    ] {
        assert_refused(&request("GET", &format!("{url}{path}"), None), 404, "HTTP 404 Not Found");
    }
    let validate = format!("{url}/connector-plugins/%FF/config/validate");
    let answer = send("PUT", &validate, &json!({"connector.class": "FileStreamSink"}));
    assert_refused(&answer, 400, "does not match request type \u{fffd}");
    assert_eq!(get(&format!("{url}/connectors?expand=%FF&expand")), json!({}));
    assert!(worker.stop());
}

#[test]
fn what_http_itself_finds_wrong_is_said_in_connects_form_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    let connectors = format!("{url}/connectors");
    let most = vec![b' '; (8 << 20) + 1];
    assert_refused(&request("POST", &connectors, Some(("application/json", &most))), 413, "more than 8388608 bytes");
    let validate = format!("{url}/connector-plugins/FileStreamSink/config/validate");
    assert_refused(&request("PUT", &validate, Some(("application/json", &most))), 413, "more than 8388608 bytes");
    for path in
        ["/", "/health", "/connectors", "/connectors/x", "/connector-plugins", "/connector-plugins/", "/metrics"]
    {
        assert_refused(&request("PATCH", &format!("{url}{path}"), None), 405, "HTTP 405 Method Not Allowed");
    }
    let plugins = format!("{url}/connector-plugins/");
    assert_refused(&request("POST", &plugins, Some(("application/json", b"{}"))), 415, "application/wasm");
    for (method, path, media) in [
        ("POST", "/connectors", "application/json"),
        ("PUT", "/connectors/x/config", "application/json"),
        ("POST", "/connector-plugins", "application/wasm"),
    ] {
        let headers = [("content-type", media), ("transfer-encoding", "chunked")];
        let mut wire = Wire::begin(&url, method, path, &headers);
        wire.send(b"2\r\n{}\r\nno length\r\n");
        assert_refused(&wire.answer(), 400, "before its end");
    }
    assert!(worker.stop());
}

#[test]
fn what_a_step_cannot_be_set_up_with_is_refused_when_the_connector_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    let config = json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": "t",
        "transforms": "route", "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.route.regex": "((", "transforms.route.replacement": "x", "transforms.route.predicate": "named",
        "predicates": "named", "predicates.named.pattern": "[",
        "predicates.named.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"});
    let answer = send("PUT", &format!("{url}/connectors/x/config"), &config);
    assert_refused(&answer, 400, "contains the following 2 error(s):\nInvalid value (( for configuration regex");
    assert_refused(&answer, 400, "\nInvalid value [ for configuration pattern");
    assert_eq!(get(&format!("{url}/connectors")), json!([]));
    assert!(worker.stop());
}

#[test]
fn more_steps_than_there_may_be_are_refused_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    let aliases: Vec<String> = (0..50_000).map(|number| format!("a{number}")).collect();
    let config =
        json!({"name": "x", "connector.class": "FileStreamSource", "topic": "t", "transforms": aliases.join(",")});
    let began = std::time::Instant::now();
    let checked = send("PUT", &format!("{url}/connector-plugins/FileStreamSource/config/validate"), &config);
    assert_eq!(checked.status, 200, "{checked:?}");
    assert!(checked.text.contains("it has 50000 aliases, at most 1000 may be"), "{}", &checked.text[..2000]);
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(worker.stop());
}
