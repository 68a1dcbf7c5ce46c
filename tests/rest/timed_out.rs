//! What the worker is at, as requests are told that take too long (Connect's StagedTimeoutException) or come too early.

use serde_json::json;
use weir_tests::harness::guest;
use weir_tests::harness::http::{request, send};
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

#[test]
fn whoever_comes_before_it_has_started_is_told_that_plugins_are_compiled_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    // With a cache of its own, in which nothing is compiled yet.
    let mut worker = Worker::confined(folder.path(), &properties(folder.path(), "local:memory"));
    let (log, mut told) = (worker.log_file(), Vec::new());
    worker.until("it to start", || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let Some((_, address)) = said.split_once("address=") else { return false };
        let answer = request("GET", &format!("http://{}/connectors", address.lines().next().unwrap_or_default()), None);
        told.push(answer.text);
        answer.status == 200
    });
    let loads = "Worker is still starting up. The worker is currently loading plugins";
    assert!(told.iter().any(|text| text.contains(loads)), "{told:?}");
    assert!(worker.stop());
}
