//! How often connectors and tasks started, and what a sandbox stopped.

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::make_topic;

use super::served::{Served, is, samples, task};

fn started(name: &str, guest: &str, more: &str) -> Served {
    Served::with(&format!("{name}-{}", std::process::id()), &[guest], more)
}

fn status(metrics: &Value) -> &Value {
    &metrics["connector"]["metrics"]["connector-metrics"]["status"]
}

#[test]
fn connectors_count_as_started_when_they_start_and_not_when_they_are_resumed() {
    let mut served = started("startups", "guest_hostile", "");
    make_topic(&served.topic("lines"), 1);
    std::fs::write(served.file("in.txt"), "").unwrap();
    let counted = |served: &Served| {
        let text = served.text();
        ["success_total", "failure_total", "success_percentage", "failure_percentage", "attempts_total"].map(|of| {
            let name = format!("kafka_connect_connect_worker_metrics_connector_startup_{of}");
            samples(&text, &name)[0].1.parse::<f64>().unwrap()
        })
    };
    let expect = |served: &mut Served, what: &str, successes: f64, failures: f64| {
        let found = counted(served);
        assert_eq!((found[0], found[1], found[4]), (successes, failures, successes + failures), "{what}");
        let shares = found[2] + found[3];
        assert!(shares == 0.0 || (shares - 1.0).abs() < 1e-9, "{what}: {found:?}");
    };
    expect(&mut served, "at first", 0.0, 0.0);
    let source =
        json!({"connector.class": "FileStreamSource", "file": served.file("in.txt"), "topic": served.topic("lines")});
    served.make("src", &source);
    let running = |metrics: &Value| status(metrics) == "running" && metrics["tasks"][0]["id"] == 0;
    served.until("running", "src", running);
    expect(&mut served, "made", 1.0, 0.0);
    served.ask("POST", "/connectors/src/restart");
    served.until("running again", "src", running);
    expect(&mut served, "restarted", 2.0, 0.0);
    for change in ["pause", "resume", "stop", "resume"] {
        served.ask("PUT", &format!("/connectors/src/{change}"));
        let state = match change {
            "pause" => "paused",
            "stop" => "stopped",
            _ => "running",
        };
        served.until(state, "src", |metrics| status(metrics) == state);
    }
    expect(&mut served, "paused, stopped and resumed", 2.0, 0.0);
    let url = format!("{}/connectors", served.url);
    let paused = json!({"name": "rests", "config": source, "initial_state": "PAUSED"});
    served.worker.until("it is taken", || matches!(send("POST", &url, &paused).status, 201 | 409));
    served.until("paused", "rests", |metrics| status(metrics) == "paused");
    served.ask("PUT", "/connectors/rests/resume");
    served.until("running", "rests", running);
    expect(&mut served, "made paused, and resumed", 2.0, 0.0);
    let broken = json!({"connector.class": "test.HostileSource", "behaviour": "trap", "call": "connector-start",
        "topic": served.topic("lines")});
    served.make("broken", &broken);
    served.until("failed", "broken", |metrics| status(metrics) == "failed");
    expect(&mut served, "one fails", 2.0, 1.0);
    let url = served.url.clone();
    // It is told that the start failed, too.
    assert_eq!(request("POST", &format!("{url}/connectors/broken/restart"), None).status, 500);
    served.worker.until("it fails again", || {
        let text = request("GET", &format!("{url}/metrics"), None).text;
        samples(&text, "kafka_connect_connect_worker_metrics_connector_startup_failure_total")[0].1 == "2"
    });
    expect(&mut served, "it fails again", 2.0, 2.0);
    assert!(served.worker.stop());
}

#[test]
fn what_ends_a_guest_is_counted_by_the_kind_of_trap_and_by_the_limit() {
    let mut served = started("ended", "guest_hostile", "");
    make_topic(&served.topic("lines"), 1);
    for (name, behaviour, group, counted) in [
        ("traps", "trap", "weir_task_guest_traps_total", "unreachable-code-reached"),
        ("recurses", "recurse", "weir_task_limit_hits_total", "task.stack.max.bytes"),
    ] {
        let config = json!({"connector.class": "test.HostileSource", "behaviour": behaviour, "call": "poll",
            "topic": served.topic("lines")});
        served.make(name, &config);
        let failed = |metrics: &Value| task(metrics, "connector-task-metrics", "status") == "failed";
        let metrics = served.until("failed", name, failed);
        assert_eq!(task(&metrics, "weir", group), &json!({counted: 1}), "{metrics}");
        assert!(is(task(&metrics, "weir", "weir_task_guest_memory_bytes"), "=0"), "its instance is gone: {metrics}");
    }
    assert!(served.worker.stop());
}

#[test]
fn records_of_transactions_that_are_given_up_are_not_on_their_way_any_more() {
    let mut served = started("given-up", "guest_echo", "exactly.once.source.support=enabled\n");
    let topic = served.topic("ranges");
    make_topic(&topic, 1);
    served.make(
        "ranges",
        &json!({"connector.class": "test.RangeSource", "exactly.once.support": "required", "topic": topic,
            "partitions": "1", "transaction.boundary": "connector", "ends": "true"}),
    );
    let of = |metrics: &Value, attribute: &str| task(metrics, "source-task-metrics", attribute).as_f64().unwrap_or(0.0);
    // Some were polled that were not written: they were given up.
    served.until("some given up", "ranges", |metrics| {
        of(metrics, "source-record-poll-total") > of(metrics, "source-record-write-total") + 100.0
            && of(metrics, "source-record-write-total") > 0.0
    });
    served.ask("PUT", "/connectors/ranges/pause");
    served.until("nothing on its way", "ranges", |metrics| {
        task(metrics, "connector-task-metrics", "status") == "paused"
            && task(metrics, "source-task-metrics", "source-record-active-count") == 0
    });
    assert!(served.worker.stop());
}
