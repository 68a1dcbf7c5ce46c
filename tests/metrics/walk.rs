//! Every metric of Connect's, through the life of connectors and tasks: it is there, and has the value that it should have.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::make_topic;
use weir_tests::harness::polling::Repeated;

use super::names::connects;
use super::served::{Served, is, samples, task, value};

/// The states of walk.txt, by its columns.
const STATES: [&str; 5] = ["running", "idle", "paused", "resumed", "restarted"];

/// What was looked at, so that nothing is forgotten.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<(String, String)>,
    wrong: Vec<String>,
}

impl Walk {
    fn look(&mut self, what: &str, (group, attribute): (&str, &str), found: &Value, expected: &str) {
        self.seen.insert((group.to_owned(), attribute.to_owned()));
        if !is(found, expected) {
            self.wrong.push(format!("{what}: {group} {attribute} is {found}, not {expected}"));
        }
    }

    /// Looks at everything that a task says in a state.
    fn task(&mut self, kind: &str, state: &str, metrics: &Value) {
        let column = STATES.iter().position(|own| *own == state).unwrap();
        for line in include_str!("walk.txt").lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == "task" || words[0] == kind {
                let of = (words[1], words[2]);
                self.look(&format!("{kind}, {state}"), of, task(metrics, of.0, of.1), words[3 + column]);
            }
        }
    }

    /// What a connector is, and how many tasks it has in which state on its worker.
    fn connector(&mut self, metrics: &Value, status: &str, of_tasks: &str) {
        let own = &metrics["connector"]["metrics"]["connector-metrics"];
        for attribute in ["connector-class", "connector-type", "connector-version"] {
            self.look(status, ("connector-metrics", attribute), &own[attribute], "text");
        }
        self.look(status, ("connector-metrics", "status"), &own["status"], status);
        let here = &metrics["workers"][0]["metrics"]["connect-worker-metrics"];
        for state in ["total", "running", "paused", "failed", "unassigned", "destroyed", "restarting"] {
            let expected = match of_tasks {
                "none" => "null",
                _ if state == of_tasks || state == "total" => "=1",
                _ => "=0",
            };
            let attribute = format!("connector-{state}-task-count");
            self.look(status, ("connect-worker-metrics", &attribute), &here[&attribute], expected);
        }
    }
}

/// Adds lines to a file.
fn add(served: &Served, file: &str, from: usize, to: usize) {
    let mut text = String::new();
    // A string takes everything.
    (from..to).for_each(|number| _ = writeln!(text, "line {number}"));
    let file = OpenOptions::new().create(true).append(true).open(served.file(file));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Waits until so many records went through both tasks, and are committed.
fn through(served: &mut Served, records: u64) -> (Value, Value) {
    let done = |group: &'static str, total: &'static str, active: &'static str| {
        move |metrics: &Value| {
            task(metrics, group, total) == records && task(metrics, group, active) == 0 && succeeded(metrics)
        }
    };
    let source = done("source-task-metrics", "source-record-write-total", "source-record-active-count");
    let source = served.until("all written", "src", source);
    let sink = done("sink-task-metrics", "sink-record-send-total", "sink-record-active-count");
    (source, served.until("all sent", "snk", sink))
}

/// Whether a commit has succeeded within the window.
fn succeeded(metrics: &Value) -> bool {
    task(metrics, "connector-task-metrics", "offset-commit-success-percentage") == 1
}

#[test]
fn every_metric_has_the_value_that_it_should_have_from_running_to_restarted() {
    let (mut served, mut walk) = (Served::start("walk", "metrics.sample.window.ms=5000\n"), Walk::default());
    make_topic(&served.topic("lines"), 1);
    add(&served, "in.txt", 0, 1_000);
    let said = Said::of(&served);
    let source = json!({"connector.class": "FileStreamSource", "file": served.file("in.txt"), "topic": served.topic("lines"),
        "transforms": "mark", "transforms.mark.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.mark.header": "h", "transforms.mark.value.literal": "v", "transforms.mark.predicate": "ours",
        "predicates": "ours", "predicates.ours.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.ours.pattern": ".*-lines"});
    let sink =
        json!({"connector.class": "FileStreamSink", "file": served.file("out.txt"), "topics": served.topic("lines")});
    served.make("src", &source);
    served.make("snk", &sink);
    let mut look = |state: &str, source: &Value, sink: &Value| {
        walk.task("source", state, source);
        walk.task("sink", state, sink);
        let (status, of_tasks) = if state == "paused" { ("paused", "paused") } else { ("running", "running") };
        walk.connector(source, status, of_tasks);
        walk.connector(sink, status, of_tasks);
        let parts = &source["tasks"][0]["metrics"];
        for (group, alias, part) in
            [("connector-transform-metrics", "mark", "transform"), ("connector-predicate-metrics", "ours", "predicate")]
        {
            for attribute in [format!("{part}-class"), format!("{part}-version")] {
                walk.look(state, (group, &attribute), &parts[group][alias][&attribute], "text");
            }
        }
    };
    let (source, sink) = through(&mut served, 1_000);
    look("running", &source, &sink);
    let worker_says = after_a_beat(&mut served, said);
    let quiet = |metrics: &Value| {
        // The source's window ends with its last answer.
        let of = |group, attribute| task(metrics, group, attribute);
        let source = of("source-task-metrics", "source-record-active-count-max");
        let sink = of("connector-task-metrics", "batch-size-max");
        (source.is_null() && sink.is_null()) || (of("connector-task-metrics", "connector-type") == "sink" && sink == 0)
    };
    let source = served.until("quiet", "src", quiet);
    let sink = served.until("quiet", "snk", quiet);
    look("idle", &source, &sink);
    for name in ["src", "snk"] {
        served.ask("PUT", &format!("/connectors/{name}/pause"));
    }
    let paused = |metrics: &Value| {
        task(metrics, "connector-task-metrics", "status") == "paused"
            && metrics["connector"]["metrics"]["connector-metrics"]["status"] == "paused"
            && is(task(metrics, "connector-task-metrics", "pause-ratio"), "0..1")
    };
    let source = served.until("paused", "src", paused);
    let sink = served.until("paused", "snk", paused);
    look("paused", &source, &sink);
    for name in ["src", "snk"] {
        served.ask("PUT", &format!("/connectors/{name}/resume"));
    }
    add(&served, "in.txt", 1_000, 1_010);
    let (source, sink) = through(&mut served, 1_010);
    look("resumed", &source, &sink);
    for name in ["src", "snk"] {
        served.ask("POST", &format!("/connectors/{name}/tasks/0/restart"));
    }
    let anew = |metrics: &Value| is(task(metrics, "connector-task-metrics", "pause-ratio"), "=0") && succeeded(metrics);
    let source = served.until("restarted", "src", anew);
    let sink = served.until("restarted", "snk", |metrics| {
        anew(metrics) && task(metrics, "sink-task-metrics", "partition-count") == 1 && quiet(metrics)
    });
    look("restarted", &source, &sink);
    for name in ["src", "snk"] {
        served.ask("PUT", &format!("/connectors/{name}/stop"));
        let status = |metrics: &Value| metrics["connector"]["metrics"]["connector-metrics"]["status"] == "stopped";
        let stopped = served.until("stopped", name, |metrics| status(metrics) && metrics["tasks"] == json!([]));
        walk.connector(&stopped, "stopped", "none");
    }
    assert!(!served.text().contains("task=\"0\""), "what a task says goes with it: {}", served.text());
    worker_metrics(&mut walk, &worker_says);
    failures(&mut served, &mut walk);
    transactions(&mut walk);
    assert!(walk.wrong.is_empty(), "{}", walk.wrong.join("\n"));
    let all: BTreeSet<_> = connects().iter().map(|own| (own.group.to_owned(), own.attribute.to_owned())).collect();
    let forgotten: Vec<_> = all.difference(&walk.seen).collect();
    assert!(forgotten.is_empty(), "these were not looked at: {forgotten:?}");
    assert!(served.worker.stop());
}

/// What a worker says all the time, as a text each time.
struct Said {
    texts: Arc<Mutex<Vec<String>>>,
    listening: Repeated,
}

impl Said {
    fn of(served: &Served) -> Said {
        let (texts, url) = (Arc::new(Mutex::new(Vec::new())), format!("{}/metrics", served.url));
        let heard = texts.clone();
        let listening = Repeated::every(Duration::from_millis(100), move || {
            heard.lock().unwrap().push(request("GET", &url, None).text);
            true
        });
        Said { texts, listening }
    }
}

/// What the worker says until it has sent a heartbeat.
fn after_a_beat(served: &mut Served, said: Said) -> Vec<String> {
    let beats = |text: &String| samples(text, "kafka_connect_connect_coordinator_metrics_heartbeat_total")[0].1 != "0";
    served.worker.until("a heartbeat", || said.texts.lock().unwrap().last().is_some_and(beats));
    said.listening.end();
    std::mem::take(&mut *said.texts.lock().unwrap())
}

/// The groups that are of the worker and its clients, in the text format.
fn worker_metrics(walk: &mut Walk, texts: &[String]) {
    let expected = include_str!("worker.txt").lines().filter(|line| !line.starts_with('#'));
    for line in expected {
        let words: Vec<&str> = line.split(' ').collect();
        let [group, attribute, expected] = words[..] else { panic!("{line}") };
        let own = connects().into_iter().find(|own| (own.group, own.attribute) == (group, attribute)).unwrap();
        let plain = |text: &str| text.replace(['-', '.'], "_");
        let name = format!("{}_{}_{}", plain(own.domain), plain(group), plain(attribute));
        let info = own.kind == "info";
        let name = if info { format!("{name}_info") } else { name };
        let label = format!("{}=\"", plain(attribute));
        let read = |(labels, number): (&str, &str)| match labels.split(&label).nth(1) {
            Some(word) if info => json!(word.split('"').next()),
            _ => value(number),
        };
        let found: Vec<Value> = texts.iter().flat_map(|text| samples(text, &name)).map(read).collect();
        // Of several clients or nodes one has done it, at some time.
        let one = found.iter().find(|found| is(found, expected)).or(found.last()).cloned().unwrap_or_default();
        walk.look("the worker", (group, attribute), &one, expected);
    }
    let number = |attribute: &str, expected: &str| {
        let name = format!("kafka_connect_connect_worker_metrics_{}", attribute.replace('-', "_"));
        let all: Vec<Value> = texts.iter().filter_map(|text| Some(value(samples(text, &name).first()?.1))).collect();
        all.iter().find(|found| is(found, expected)).or(all.last()).cloned().unwrap_or_default()
    };
    for (attribute, expected) in [
        ("connector-count", "=2"),
        ("task-count", "=2"),
        ("connector-startup-attempts-total", "=2"),
        ("connector-startup-success-total", "=2"),
        ("connector-startup-failure-total", "=0"),
        ("connector-startup-success-percentage", "=1"),
        ("connector-startup-failure-percentage", "=0"),
        ("task-startup-attempts-total", "=2"),
        ("task-startup-success-total", "=2"),
        ("task-startup-failure-total", "=0"),
        ("task-startup-success-percentage", "=1"),
        ("task-startup-failure-percentage", "=0"),
    ] {
        walk.look("the worker", ("connect-worker-metrics", attribute), &number(attribute, expected), expected);
    }
}

/// A task that fails in its work, one that does not start, and one that cannot be made.
fn failures(served: &mut Served, walk: &mut Walk) {
    let startups = |served: &Served| {
        let text = served.text();
        ["success", "failure"].map(|of| {
            let name = format!("kafka_connect_connect_worker_metrics_task_startup_{of}_total");
            samples(&text, &name)[0].1.parse::<u64>().unwrap()
        })
    };
    let before = startups(served);
    let sink = |file: &str, more: Value| {
        let mut config =
            json!({"connector.class": "FileStreamSink", "file": served.file(file), "topics": served.topic("lines")});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let json_of = json!({"value.converter": "org.apache.kafka.connect.json.JsonConverter", "consumer.override.auto.offset.reset": "earliest"});
    let (works, starts, made) = (
        sink("x.txt", json_of),
        sink("", json!({})),
        sink(
            "y.txt",
            json!({"errors.deadletterqueue.topic.name": served.topic("none"),
            "errors.deadletterqueue.topic.replication.factor": "9"}),
        ),
    );
    let failed = |metrics: &Value| {
        task(metrics, "connector-task-metrics", "status") == "failed"
            && metrics["connector"]["metrics"]["connector-metrics"]["status"] == "running"
    };
    for (name, config) in [("works", &works), ("starts", &starts), ("made", &made)] {
        served.make(name, config);
        let metrics = served.until("failed", name, failed);
        walk.connector(&metrics, "running", "failed");
    }
    let metrics = served.until("no partition", "works", |metrics| {
        task(metrics, "sink-task-metrics", "partition-count") == 0
            && is(task(metrics, "connector-task-metrics", "running-ratio"), "0..1")
    });
    for (attribute, expected) in [
        ("total-record-failures", "=1"),
        ("total-record-errors", "=1"),
        ("total-records-skipped", "=0"),
        ("last-error-timestamp", ">1700000000000"),
    ] {
        let of = ("task-error-metrics", attribute);
        walk.look("failed", of, task(&metrics, of.0, of.1), expected);
    }
    // Totals stay as they were; of what is over there is no average.
    let over = |metrics: &Value| {
        let rates = ["sink-record-read-rate", "offset-commit-completion-rate"];
        task(metrics, "connector-task-metrics", "batch-size-max").is_null()
            && rates.iter().all(|rate| is(task(metrics, "sink-task-metrics", rate), "=0"))
    };
    let metrics = served.until("its window over", "works", over);
    for (group, attribute, expected) in [
        ("sink-task-metrics", "sink-record-read-total", ">=1"),
        ("sink-task-metrics", "sink-record-read-rate", "=0"),
        ("sink-task-metrics", "sink-record-send-total", "=0"),
        ("sink-task-metrics", "sink-record-send-rate", "=0"),
        ("sink-task-metrics", "put-batch-avg-time-ms", "null"),
        ("sink-task-metrics", "put-batch-max-time-ms", "null"),
        ("sink-task-metrics", "offset-commit-skip-total", "=0"),
        ("sink-task-metrics", "offset-commit-completion-rate", "=0"),
        ("sink-task-metrics", "partition-count", "=0"),
        ("connector-task-metrics", "batch-size-avg", "null"),
        ("connector-task-metrics", "running-ratio", "0..1"),
        ("connector-task-metrics", "pause-ratio", "=0"),
        ("connector-task-metrics", "connector-type", "sink"),
        ("connector-task-metrics", "value-converter-class", "org.apache.kafka.connect.json.JsonConverter"),
        ("task-error-metrics", "total-record-failures", "=1"),
        ("task-error-metrics", "total-retries", "=0"),
    ] {
        walk.look("failed", (group, attribute), task(&metrics, group, attribute), expected);
    }
    let after = startups(served);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [1, 2], "one ran before it failed");
    let text = served.text();
    for name in ["works", "starts", "made"] {
        let status = format!("{{connector=\"{name}\",task=\"0\",status=\"failed\"}}");
        let found = samples(&text, "kafka_connect_connector_task_metrics_status_info");
        let own: Vec<_> = found.iter().filter(|(labels, _)| labels.contains(&format!("\"{name}\""))).collect();
        assert_eq!(own, [&(status.as_str(), "1")], "of a state there is one series");
    }
    // A task that failed is as new once it is restarted and can work.
    let url = served.url.clone();
    let fine =
        json!({"connector.class": "FileStreamSink", "file": served.file("z.txt"), "topics": served.topic("lines")});
    served.make("starts", &fine);
    served.until("runs", "starts", |metrics| task(metrics, "connector-task-metrics", "status") == "running");
    assert_eq!(request("GET", &format!("{url}/connectors/nobody/metrics"), None).status, 404);
}

/// The sizes of transactions, of a worker whose sources deliver exactly once.
fn transactions(walk: &mut Walk) {
    let mut served = Served::start("walk-once", "exactly.once.source.support=enabled\n");
    make_topic(&served.topic("lines"), 1);
    add(&served, "in.txt", 0, 500);
    served.make(
        "once",
        &json!({"connector.class": "FileStreamSource", "file": served.file("in.txt"), "topic": served.topic("lines")}),
    );
    let all = |metrics: &Value| task(metrics, "source-task-metrics", "source-record-write-total") == 500;
    let metrics = served.until("all committed", "once", all);
    for attribute in ["transaction-size-min", "transaction-size-max", "transaction-size-avg"] {
        let of = ("source-task-metrics", attribute);
        walk.look("exactly once", of, task(&metrics, of.0, of.1), ">=1");
    }
    assert!(is(task(&metrics, "source-task-metrics", "transaction-size-max"), ">=1"));
    assert!(served.worker.stop());
}
