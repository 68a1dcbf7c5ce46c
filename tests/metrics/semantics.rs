//! What is counted where: records that are filtered, fail, are tried again, passed over and written down, and what a
//! restart, a stop and a change of the configuration do to totals.

use serde_json::{Value, json};
use weir_tests::harness::make_topic;

use super::served::{Served, is, task};

/// Looks at attributes of a group of a connector's first task.
fn expect(metrics: &Value, group: &str, expected: &[(&str, &str)]) {
    for (attribute, expected) in expected {
        let found = task(metrics, group, attribute);
        assert!(is(found, expected), "{group} {attribute} is {found}, not {expected}: {metrics}");
    }
}

/// Makes a topic of lines.
fn lines(served: &mut Served, name: &str, text: &[u8], count: u64) -> String {
    let topic = served.topic(name);
    make_topic(&topic, 1);
    std::fs::write(served.file(name), text).unwrap();
    let source = format!("{name}-source");
    served.make(&source, &json!({"connector.class": "FileStreamSource", "file": served.file(name), "topic": topic}));
    let written = |metrics: &Value| task(metrics, "source-task-metrics", "source-record-write-total") == count;
    served.until("all written", &source, written);
    topic
}

#[test]
fn records_are_counted_where_connect_counts_them() {
    let mut served = Served::start("counted", "");
    let orders = b"{\"n\":\"1\"}\nno JSON\n{\"n\":\"2\"}\nnull\n{\"n\":\"many\"}\n{\"n\":\"3\"}\nnull\n";
    let topic = lines(&mut served, "orders", orders, 7);
    let class = |name: &str| format!("org.apache.kafka.connect.{name}");
    let mut sink = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": served.file("out.txt"),
        "value.converter": class("json.JsonConverter"), "value.converter.schemas.enable": "false",
        "transforms": "drop,number",
        "transforms.drop.type": class("transforms.Filter"), "transforms.drop.predicate": "nothing",
        "transforms.number.type": class("transforms.Cast$Value"), "transforms.number.spec": "n:int32",
        "predicates": "nothing", "predicates.nothing.type": class("transforms.predicates.RecordIsTombstone"),
        "errors.tolerance": "all", "errors.log.enable": "true",
        "errors.deadletterqueue.topic.name": served.topic("dead"),
        "errors.deadletterqueue.topic.replication.factor": "1",
    });
    served.make("snk", &sink);
    let all_read = |metrics: &Value| {
        let of = |attribute| task(metrics, "sink-task-metrics", attribute);
        of("sink-record-read-total") == 7 && of("sink-record-active-count") == 0 && of("sink-record-send-total") == 3
    };
    let metrics = served.until("all read", "snk", all_read);
    expect(
        &metrics,
        "task-error-metrics",
        &[
            ("total-record-failures", "=2"),
            ("total-record-errors", "=2"),
            ("total-records-skipped", "=2"),
            ("total-retries", "=0"),
            ("total-errors-logged", "=2"),
            ("deadletterqueue-produce-requests", "=2"),
            ("deadletterqueue-produce-failures", "=0"),
            ("last-error-timestamp", ">1700000000000"),
        ],
    );
    expect(&metrics, "weir", &[("weir_task_queue_records", "=0"), ("weir_task_restarts_total", "=0")]);
    let crossed = &metrics["tasks"][0]["metrics"]["weir"]["weir_task_boundary_records_total"];
    // Six that are JSON into the chain, of which three into the sink; three out of the chain.
    assert_eq!((&crossed["in"], &crossed["out"]), (&json!(9), &json!(3)), "{metrics}");
    let latency = &metrics["tasks"][0]["metrics"]["weir"]["weir_task_record_latency_seconds"];
    assert_eq!(latency["count"], 3, "{metrics}");

    // A restart of the connector alone leaves its tasks as they are.
    served.ask("POST", "/connectors/snk/restart");
    let anew = |metrics: &Value| metrics["connector"]["metrics"]["connector-metrics"]["status"] == "running";
    let metrics = served.until("running again", "snk", anew);
    expect(&metrics, "sink-task-metrics", &[("sink-record-read-total", "=7")]);
    // A change of the configuration, and a stop and resume, begin anew.
    sink["errors.log.enable"] = "false".into();
    served.make("snk", &sink);
    let begun = |restarts: u64| {
        move |metrics: &Value| {
            task(metrics, "connector-task-metrics", "status") == "running"
                && task(metrics, "weir", "weir_task_restarts_total") == restarts
        }
    };
    let metrics = served.until("its task anew", "snk", begun(1));
    expect(&metrics, "sink-task-metrics", &[("sink-record-read-total", "=0")]);
    expect(&metrics, "task-error-metrics", &[("total-record-failures", "=0"), ("last-error-timestamp", "=0")]);
    served.ask("PUT", "/connectors/snk/stop");
    served.until("stopped", "snk", |metrics| metrics["tasks"] == json!([]));
    served.ask("PUT", "/connectors/snk/resume");
    let metrics = served.until("its task once more", "snk", begun(2));
    expect(&metrics, "sink-task-metrics", &[("sink-record-read-total", "=0")]);

    // What a source's chain drops was polled, and is not written.
    let dropped = json!({"connector.class": "FileStreamSource", "file": served.file("orders"), "topic": topic,
        "transforms": "drop", "transforms.drop.type": class("transforms.Filter")});
    served.make("drops", &dropped);
    let polled = |metrics: &Value| task(metrics, "source-task-metrics", "source-record-poll-total") == 7;
    let metrics = served.until("all polled", "drops", polled);
    expect(
        &metrics,
        "source-task-metrics",
        &[("source-record-write-total", "=0"), ("source-record-active-count", "=0")],
    );
    assert!(served.worker.stop());
}

#[test]
fn a_record_that_is_tried_again_counts_each_try_and_is_passed_over_once() {
    let mut served = Served::start("tried", "");
    // A registry's record, and no registry.
    let topic = lines(&mut served, "framed", b"\0\0\0\0\x01x\n", 1);
    let sink = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": served.file("out.txt"),
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": "http://127.0.0.1:1",
        "value.converter.max.retries": "0", "errors.tolerance": "all", "errors.retry.timeout": "1500", "errors.retry.delay.max.ms": "300",
    });
    served.make("snk", &sink);
    let over = |metrics: &Value| task(metrics, "task-error-metrics", "total-records-skipped") == 1;
    let metrics = served.until("it is passed over", "snk", over);
    expect(&metrics, "task-error-metrics", &[("total-record-errors", "=1"), ("total-retries", ">=2")]);
    let of = |attribute| task(&metrics, "task-error-metrics", attribute).as_u64().unwrap();
    assert_eq!(of("total-record-failures"), of("total-retries") + 1, "each try failed: {metrics}");
    expect(&metrics, "weir", &[("weir_task_backpressure_ratio", ">0")]);
    expect(&metrics, "sink-task-metrics", &[("sink-record-read-total", "=1"), ("sink-record-send-total", "=0")]);
    assert!(served.worker.stop());
}
