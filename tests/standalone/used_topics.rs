//! The topics that connectors use, on workers that do not note them or do not forget them (KIP-558).

use serde_json::json;

use super::{append, lines, properties, start};
use weir_tests::harness::http::request;

#[test]
fn topics_are_not_noted_or_not_forgotten_where_the_worker_is_set_to() {
    for (key, listed, reset) in [
        ("topic.tracking.enable", 403, (403, "Topic tracking is disabled.")),
        ("topic.tracking.allow.reset", 200, (403, "Topic tracking reset is disabled.")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        append(folder, 0..3);
        let mut worker = start(folder, &(properties(folder) + &format!("{key}=false\n")), "used");
        let url = worker.url();
        worker.until("lines", || lines(folder).len() == 3);
        let topics = format!("{url}/connectors/source/topics");
        let answer = request("GET", &topics, None);
        assert_eq!(answer.status, listed, "{key}: {answer:?}");
        if listed == 200 {
            worker.until("the topic", || request("GET", &topics, None).json()["source"]["topics"] == json!(["used"]));
        }
        let answer = request("PUT", &format!("{topics}/reset"), None);
        assert_eq!((answer.status, answer.json()["message"].as_str().unwrap_or_default()), reset, "{key}");
        let fence = request("PUT", &format!("{url}/connectors/source/fence"), None);
        let said = "Kafka Connect in standalone mode does not support exactly-once source connectors.";
        assert_eq!(
            (fence.status, fence.json()["message"].clone()),
            (400, json!(said)),
            "a worker of its own fences nobody"
        );
        assert!(worker.stop());
    }
}
