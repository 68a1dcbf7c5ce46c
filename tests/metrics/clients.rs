//! What a worker's clients of Kafka count, by client and node.

use serde_json::json;
use weir_tests::harness::make_topic;

use super::served::{Served, is, samples, task, value};

#[test]
fn what_the_clients_of_tasks_send_and_fetch_is_counted() {
    let mut served = Served::start("clients", "");
    let topic = served.topic("lines");
    make_topic(&topic, 1);
    std::fs::write(served.file("in.txt"), "1\n2\n3\n4\n5\n6\n7\n").unwrap();
    served.make("src", &json!({"connector.class": "FileStreamSource", "file": served.file("in.txt"), "topic": topic}));
    served.make("snk", &json!({"connector.class": "FileStreamSink", "file": served.file("out.txt"), "topics": topic}));
    served.until("all sent", "snk", |metrics| task(metrics, "sink-task-metrics", "sink-record-send-total") == 7);
    let text = served.text();
    for (name, client, expected) in [
        ("producer_producer_metrics_record_send_total", "connector-producer-src-0", "=7"),
        ("producer_producer_metrics_record_send_rate", "connector-producer-src-0", ">0"),
        ("producer_producer_metrics_record_error_total", "connector-producer-src-0", "=0"),
        ("producer_producer_metrics_request_latency_avg", "connector-producer-src-0", ">=0"),
        ("producer_producer_metrics_request_size_max", "connector-producer-src-0", ">0"),
        ("producer_producer_metrics_outgoing_byte_rate", "connector-producer-src-0", ">0"),
        ("producer_producer_node_metrics_request_rate", "connector-producer-src-0", ">0"),
        ("consumer_consumer_fetch_manager_metrics_records_consumed_total", "connector-consumer-snk-0", "=7"),
        ("consumer_consumer_fetch_manager_metrics_records_consumed_rate", "connector-consumer-snk-0", ">0"),
        ("consumer_consumer_fetch_manager_metrics_bytes_consumed_total", "connector-consumer-snk-0", "=7"),
        ("consumer_consumer_fetch_manager_metrics_fetch_latency_max", "connector-consumer-snk-0", ">=0"),
        ("consumer_consumer_metrics_connection_count", "connector-consumer-snk-0", ">=1"),
        ("consumer_consumer_node_metrics_incoming_byte_rate", "connector-consumer-snk-0", ">0"),
    ] {
        let name = format!("kafka_{name}");
        let of_client = |labels: &str| labels.contains(&format!("client_id=\"{client}\""));
        let found: Vec<_> = samples(&text, &name).into_iter().filter(|(labels, _)| of_client(labels)).collect();
        assert!(found.iter().any(|(_, number)| is(&value(number), expected)), "{name} of {client}: {found:?}");
    }
    // The worker's client in its group has its own beside those of the whole worker.
    let group = samples(&text, "kafka_connect_connect_metrics_connection_count")[0].0;
    for name in [
        "kafka_connect_app_info_version_info",
        "kafka_connect_app_info_start_time_ms",
        "kafka_connect_kafka_metrics_count_count",
    ] {
        let whose: Vec<_> = samples(&text, name).into_iter().map(|(labels, _)| labels.contains("client_id=")).collect();
        assert_eq!(whose.iter().filter(|of_client| **of_client).count(), 1, "{name}: {group}");
        assert!(whose.contains(&false), "{name}");
    }
    assert!(served.worker.stop());
}
