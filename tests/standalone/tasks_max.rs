//! `tasks.max.enforce`: a set of tasks that is larger than it may be by now (KIP-1004).

use serde_json::{Value, json};
use weir_tests::harness::http::{Answer, request};
use weir_tests::harness::worker::Worker;

use super::on;

fn send(method: &str, url: &str, body: &Value) -> Answer {
    request(method, url, Some(("application/json", body.to_string().as_bytes())))
}

#[test]
fn tasks_of_a_set_that_is_too_large_fail_when_they_are_started_unless_that_is_not_enforced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = format!("{}sandbox.path.ceiling={}\n", on("local:memory"), folder.display());
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let states = |name: &str| -> Vec<String> {
        let status = request("GET", &format!("{url}/connectors/{name}/status"), None).json();
        let state = |task: &Value| task["state"].as_str().unwrap_or_default().to_owned();
        status["tasks"].as_array().into_iter().flatten().map(state).collect()
    };
    for (name, enforce, restarted) in [("enforced", "true", "FAILED"), ("lenient", "false", "PAUSED")] {
        let put = |tasks: u32| {
            let file = folder.join(name);
            let config = json!({
                "connector.class": "FileStreamSink", "topics": "t", "file": file, "tasks.max": tasks,
                "tasks.max.enforce": enforce,
            });
            send("PUT", &format!("{url}/connectors/{name}/config"), &config).status
        };
        assert_eq!(put(3), 201);
        worker.until("its tasks", || states(name) == ["RUNNING"; 3]);
        assert_eq!(send("PUT", &format!("{url}/connectors/{name}/pause"), &json!({})).status, 202);
        worker.until("its rest", || states(name) == ["PAUSED"; 3]);
        // As long as it rests, nobody asks it for fewer.
        assert_eq!(put(1), 200);
        assert_eq!(request("POST", &format!("{url}/connectors/{name}/tasks/1/restart"), None).status, 204);
        let log = worker.log_file();
        let said = format!("The connector {name} has generated 3 tasks, which is greater than 1");
        worker.until("a word on it", || match restarted {
            "FAILED" => states(name)[1] == "FAILED",
            _ => std::fs::read_to_string(&log).unwrap_or_default().contains(&said),
        });
        worker.until("its restart", || states(name)[1] == restarted);
        let trace = request("GET", &format!("{url}/connectors/{name}/tasks/1/status"), None).json()["trace"].clone();
        let disallowed =
            trace.as_str().is_some_and(|trace| trace.starts_with(&said) && trace.contains("is disallowed"));
        assert_eq!(disallowed, restarted == "FAILED", "{trace}");
    }
    let log = worker.log();
    assert!(log.contains("WARN") && log.contains("will be disallowed in future releases"), "{log}");
    assert!(worker.stop());
}
