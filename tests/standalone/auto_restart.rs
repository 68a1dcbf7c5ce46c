//! `auto.restart`: what has failed is started again by itself, which its status and the metrics say.

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;

use super::on;

#[test]
fn what_has_failed_is_started_again_until_it_runs_and_without_auto_restart_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = format!("{}sandbox.path.ceiling={}\n", on("local:memory"), folder.display());
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let put = |name: &str, more: Value| {
        // A folder stands where its file is to be.
        let file = folder.join(name);
        std::fs::create_dir_all(&file).unwrap();
        let mut config = json!({"connector.class": "FileStreamSink", "topics": "t", "file": file});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        send("PUT", &format!("{url}/connectors/{name}/config"), &config)
    };
    let task = |name: &str| request("GET", &format!("{url}/connectors/{name}/status"), None).json()["tasks"][0].clone();
    assert_eq!(put("wrong", json!({"auto.restart": "maybe"})).status, 400);
    assert_eq!(put("never", json!({})).status, 201);
    assert_eq!(put("once", json!({"auto.restart": true, "auto.restart.max.attempts": 1})).status, 201);
    assert_eq!(put("again", json!({"auto.restart": true})).status, 201);
    let trace = |name: &str| task(name)["trace"].as_str().unwrap_or_default().to_owned();
    worker.until("its first failure", || trace("again").ends_with("auto.restart: attempt 1 of 5 follows in 1 s"));
    worker.until("its second failure", || trace("again").ends_with("auto.restart: attempt 2 of 5 follows in 2 s"));
    worker.until("an end of it", || trace("once").contains("auto.restart: given up after 1 attempt;"));
    ["never", "once", "again"].iter().for_each(|name| std::fs::remove_dir(folder.join(name)).unwrap());
    worker.until("it to run", || task("again")["state"] == "RUNNING");
    for left in ["never", "once"] {
        assert_eq!(task(left)["state"], "FAILED", "{left}");
    }
    assert!(!trace("never").contains("auto.restart"));
    let metrics = request("GET", &format!("{url}/metrics"), None).text;
    for line in [
        "weir_auto_restarts_total{connector=\"once\",task=\"0\",tenant=\"\"} 1",
        "weir_auto_restart_attempts{connector=\"once\",task=\"0\",tenant=\"\"} 1",
    ] {
        assert!(metrics.lines().any(|said| said.starts_with(line)), "{line}: {metrics}");
    }
    assert!(!metrics.contains("weir_auto_restarts_total{connector=\"never\""));

    // A restart by hand, and another connector of that name, are tried from the start.
    std::fs::create_dir(folder.join("once")).ok();
    let restarted = request("POST", &format!("{url}/connectors/once/tasks/0/restart"), None);
    assert_eq!(restarted.status, 204, "{restarted:?}");
    worker.until("tries after a restart", || trace("once").contains("auto.restart: attempt 1 of 1"));
    worker.until("an end of them", || trace("once").contains("auto.restart: given up"));
    assert_eq!(request("DELETE", &format!("{url}/connectors/once"), None).status, 204);
    let said = || request("GET", &format!("{url}/metrics"), None).text;
    worker.until("it to be forgotten", || !said().contains("weir_auto_restarts_total{connector=\"once\""));
    assert!(worker.stop());
}
