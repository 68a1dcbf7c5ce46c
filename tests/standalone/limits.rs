//! Limits of a connector's own, within those of its worker.

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;

use super::on;

#[test]
fn a_connector_has_limits_of_its_own_up_to_its_workers() {
    let folder = tempfile::tempdir().unwrap();
    let properties = format!("{}task.cpu.max.cores=0.5\n", on("local:memory"));
    let mut worker = Worker::standalone(folder.path(), &properties, &[]);
    let url = worker.url();
    let config = |more: Value| {
        let mut config = json!({"connector.class": "test.HostileSource"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let put = |name: &str, more: Value| send("PUT", &format!("{url}/connectors/{name}/config"), &config(more));
    for (key, asked, most) in [
        ("task.memory.max.bytes", "67108865", "67108864"),
        ("task.cpu.max.cores", "0.75", "0.5"),
        ("task.put.timeout.ms", "120001", "120000"),
        ("task.memory.max.bytes", "1", "from 4194304"),
        ("task.stack.max.bytes", "65536", "worker's properties"),
    ] {
        let refused = put("refused", json!({ (key): asked }));
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!([key, most].iter().all(|part| refused.text.contains(part)), "{}", refused.text);
    }
    // What validation shows beside Connect's keys is what was named.
    let checked = send(
        "PUT",
        &format!("{url}/connector-plugins/test.HostileSource/config/validate"),
        &config(json!({"name": "checked", "task.cpu.max.cores": "0.25"})),
    )
    .json();
    let shown: Vec<&str> = checked["configs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["definition"]["name"].as_str())
        .filter(|name| name.starts_with("task."))
        .collect();
    assert_eq!((shown, &checked["error_count"]), (vec!["task.cpu.max.cores"], &json!(0)));

    assert_eq!(put("hoards", json!({"behaviour": "hoard", "task.memory.max.bytes": "8388608"})).status, 201);
    let trace = || {
        let status = request("GET", &format!("{url}/connectors/hoards/status"), None).json();
        status["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned()
    };
    worker.until("its limit", || trace().contains("task.memory.max.bytes") && trace().contains("8388608"));
    assert_eq!(put("small", json!({"task.memory.max.bytes": "8388608"})).status, 201);
    let limit = "weir_task_guest_memory_limit_bytes{connector=\"small\",task=\"0\",tenant=\"\"} 8388608";
    worker
        .until("its limit among the metrics", || request("GET", &format!("{url}/metrics"), None).text.contains(limit));
    assert!(worker.stop());
}
