//! A line in the log for each request, which can be silenced while the worker runs.

use serde_json::json;
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;

use super::properties;

#[test]
fn every_request_leaves_a_line_until_its_logger_is_silenced() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    let (file, level) = (worker.log_file(), format!("{url}/admin/loggers/weir_server::rest::request_log"));
    let ask = |name: &str| assert_eq!(request("GET", &format!("{url}/connectors/{name}"), None).status, 404);
    let line = |name: &str| {
        let log = std::fs::read_to_string(&file).unwrap();
        log.lines().find(|line| line.contains(&format!("\"GET /connectors/{name} HTTP/1.1\" 404"))).map(str::to_owned)
    };
    ask("first");
    worker.until("a line", || line("first").is_some());
    let said = line("first").unwrap();
    assert!(said.contains("weir_server::rest::request_log: 127.0.0.1 - - ["), "{said}");
    assert_eq!(send("PUT", &level, &json!({"level": "WARN"})).status, 200);
    ask("unsaid");
    assert_eq!(send("PUT", &level, &json!({"level": "INFO"})).status, 200);
    ask("last");
    worker.until("another line", || line("last").is_some());
    assert_eq!(line("unsaid"), None);
    assert!(worker.stop());
}
