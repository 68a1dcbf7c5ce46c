//! A connector's own settings of its admin client, where offsets are read, altered and reset.

use serde_json::json;
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, make_topic};

use super::{get, lines, properties};

#[test]
fn offsets_are_reached_with_the_connectors_own_admin_client() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_topic("admin-overrides", 1);
    let mut worker = Worker::standalone(folder, &properties(folder, &kafka::shared().bootstrap()), &[]);
    let url = worker.url();
    std::fs::write(folder.join("in.txt"), "a\nb\n").unwrap();
    let source =
        json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": "admin-overrides"});
    assert_eq!(send("PUT", &format!("{url}/connectors/in/config"), &source).status, 201);
    // Nobody listens there: its tasks get along without an admin client, and its offsets are out of reach.
    let mut sink = json!({
        "connector.class": "FileStreamSink",
        "topics": "admin-overrides",
        "file": folder.join("out.txt"),
        "admin.override.bootstrap.servers": "127.0.0.1:1",
        "admin.override.default.api.timeout.ms": "1000",
    });
    assert_eq!(send("PUT", &format!("{url}/connectors/out/config"), &sink).status, 201);
    worker.until("the lines", || lines(folder) == ["a", "b"]);
    let offsets = format!("{url}/connectors/out/offsets");
    let refused = request("GET", &offsets, None);
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(refused.text.contains("Failed to retrieve consumer group offsets for sink connector out"), "{refused:?}");
    sink["admin.override.bootstrap.servers"] = json!(kafka::shared().bootstrap());
    assert_eq!(send("PUT", &format!("{url}/connectors/out/config"), &sink).status, 200);
    worker.until("offsets", || get(&offsets)["offsets"][0]["offset"]["kafka_offset"] == 2);
    sink["admin.override.librdkafka.debug"] = json!("all");
    let refused = send("PUT", &format!("{url}/connectors/out/config"), &sink);
    assert_eq!(refused.status, 200, "a client that a sink's tasks do not have is not looked at: {refused:?}");
    let refused = request("GET", &offsets, None);
    assert!(refused.status == 500 && refused.text.contains("worker's file only"), "{refused:?}");
    assert!(worker.stop());
}
