//! A request that takes too long is answered with what the worker is at (Connect's StagedTimeoutException).

use serde_json::json;
use weir_tests::harness::guest;
use weir_tests::harness::http::send;
use weir_tests::harness::worker::Worker;

use super::properties;
use super::uploads::upload;

#[test]
fn a_request_that_takes_too_long_is_told_what_the_worker_is_at() {
    let folder = tempfile::tempdir().unwrap();
    let calls = "task.start.timeout.ms=600000\n";
    let properties = properties(folder.path(), "local:memory") + calls;
    let mut worker = Worker::standalone(folder.path(), &properties, &[]);
    let url = worker.url();
    assert_eq!(upload(&url, &guest("guest_hostile")).status, 201);
    let dawdles = json!({"connector.class": "test.HostileSource", "behaviour": "dawdle", "call": "connector-start"});
    let named = json!({"name": "slow", "config": dawdles});
    let answer = send("POST", &format!("{url}/connectors"), &named);
    assert_eq!(answer.status, 500, "{answer:?}");
    let answer = answer.json();
    let said = answer["message"].as_str().unwrap_or_default();
    let begins = "Request timed out. The worker is currently starting the connector slow, which began at 20";
    assert!(said.starts_with(begins), "{said}");
    assert!(worker.stop());
}
