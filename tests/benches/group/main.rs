//! The control plane of distributed workers, weir beside Apache Kafka Connect on one broker: from a request to what runs,
//! many connectors, a lost worker, and many idle tasks.

#[path = "../contender/mod.rs"]
mod contender;

use std::path::Path;
use std::time::{Duration, Instant};

use contender::{Contender, Kind, Mode};
use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::kafka::Kafka;
use weir_tests::harness::make_topic_on;

/// How often a worker is started on topics that are there.
const STARTS: usize = 5;
/// How often a connector is created to see how long it takes.
const CREATES: usize = 15;
/// Connectors of one task that are created one by one.
const MANY: usize = 200;
/// Connectors of 20 tasks that have nothing to do.
const IDLE: usize = 50;
const TASKS: usize = 20;
/// What is counted while nothing happens.
const WATCHED: Duration = Duration::from_secs(5);
/// How often what runs is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// How many connectors, and how many tasks, a worker says are RUNNING.
fn running(worker: &Contender) -> (usize, usize) {
    let all = request("GET", &format!("{}/connectors?expand=status", worker.url), None).json();
    let runs = |state: &Value| state["state"] == "RUNNING";
    let statuses = all.as_object().into_iter().flatten().map(|(_, about)| &about["status"]);
    statuses.fold((0, 0), |(connectors, tasks), status| {
        let running = status["tasks"].as_array().into_iter().flatten().filter(|task| runs(task)).count();
        (connectors + usize::from(runs(&status["connector"])), tasks + running)
    })
}

/// A source that waits for a file that is not there, or a sink of a topic in which nothing is.
fn waits(folder: &Path, source: bool) -> Value {
    match source {
        true => json!({"connector.class": "FileStreamSource", "file": folder.join("none.txt"), "topic": "empty"}),
        false => json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": "empty"}),
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A worker whose group has its topics: the one that was started last, and the median of the seconds until REST answered.
/// And how many seconds the first took, who made the topics.
fn start_often(kind: Kind, folder: &Path, bootstrap: &str) -> (Contender, f64, f64) {
    let start = || Contender::start(kind, Mode::Distributed("many", 0), folder, bootstrap);
    let (mut worker, cold) = start();
    // Nobody ends it before it is in its group: it would have to wait for that at the next start.
    worker.joined();
    let mut warm = Vec::new();
    for _ in 0..STARTS {
        worker.stop();
        let ready;
        (worker, ready) = start();
        worker.joined();
        warm.push(ready.as_secs_f64());
    }
    (worker, median(warm), cold.as_secs_f64())
}

/// From the request until the connector and its task are seen to run.
fn create_until_running(worker: &mut Contender, folder: &Path) -> f64 {
    let mut took = Vec::new();
    for number in 0..CREATES {
        let name = format!("one-{number}");
        let began = Instant::now();
        worker.create(&name, &waits(folder, true));
        worker.until("a task that runs", LOOK, |worker| {
            let status = request("GET", &format!("{}/connectors/{name}/status", worker.url), None).json();
            status["connector"]["state"] == "RUNNING" && status["tasks"][0]["state"] == "RUNNING"
        });
        took.push(milliseconds(began.elapsed()));
        worker.delete(&name);
    }
    median(took)
}

/// Creates many connectors one by one; answers the seconds until all run.
fn create_many(worker: &mut Contender, folder: &Path) -> f64 {
    let began = Instant::now();
    for number in 0..MANY {
        worker.create(&format!("many-{number}"), &waits(folder, number % 2 == 0));
    }
    worker.until("all to run", Duration::from_millis(20), |worker| running(worker) == (MANY, MANY));
    began.elapsed().as_secs_f64()
}

/// Kills one of three workers; answers the seconds until another says that all runs elsewhere.
fn lose_one(kind: Kind, first: &mut Contender, folder: &Path, bootstrap: &str) -> f64 {
    let (_second, _) = Contender::start(kind, Mode::Distributed("many", 1), folder, bootstrap);
    let (third, _) = Contender::start(kind, Mode::Distributed("many", 2), folder, bootstrap);
    let lost = third.url.trim_start_matches("http://").to_owned();
    let runs_on = |worker: &Contender, id: &str| {
        let all = request("GET", &format!("{}/connectors?expand=status", worker.url), None).text;
        all.matches(&format!("\"worker_id\":\"{id}\"")).count()
    };
    let moved = |worker: &Contender| running(worker) == (MANY, MANY);
    first.until("a share for the third", Duration::from_millis(50), |worker| {
        runs_on(worker, &lost) > MANY / 2 && moved(worker)
    });
    let began = Instant::now();
    drop(third);
    first.until("what it ran to run elsewhere", Duration::from_millis(20), |worker| {
        runs_on(worker, &lost) == 0 && moved(worker)
    });
    began.elapsed().as_secs_f64()
}

/// How often the metrics of many tasks are asked for.
const SCRAPES: usize = 9;

/// A worker that finds many idle tasks at its start.
fn idle_tasks(folder: &Path, bootstrap: &str) {
    let (mut worker, _) = Contender::start(Kind::Weir, Mode::Distributed("idle", 0), folder, bootstrap);
    for number in 0..IDLE {
        let source = number % 2 == 0;
        let mut config = match source {
            true => json!({"connector.class": "test.EchoSource", "rows": "0", "bytes": "1", "topic": "empty"}),
            false => waits(folder, false),
        };
        config["tasks.max"] = TASKS.to_string().into();
        worker.create(&format!("idle-{number}"), &config);
    }
    let all = (IDLE, IDLE * TASKS);
    worker.until("all to run", Duration::from_millis(50), |worker| running(worker) == all);
    drop(worker);
    let began = Instant::now();
    let (mut worker, _) = Contender::start(Kind::Weir, Mode::Distributed("idle", 0), folder, bootstrap);
    let id = worker.url.trim_start_matches("http://").to_owned();
    worker.until("all to run again", Duration::from_millis(50), |worker| {
        let text = request("GET", &format!("{}/connectors?expand=status", worker.url), None).text;
        running(worker) == all && text.matches(&format!("\"worker_id\":\"{id}\"")).count() == all.0 + all.1
    });
    let took = began.elapsed().as_secs_f64();
    let cpu = watched(&worker);
    let used = worker.used();
    let (mut scrapes, mut bytes) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let began = Instant::now();
        bytes = request("GET", &format!("{}/metrics", worker.url), None).text.len();
        scrapes.push(began.elapsed().as_secs_f64() * 1e3);
    }
    scrapes.sort_by(f64::total_cmp);
    println!(
        "\na scrape of {} tasks: {:.0} ms (< 50), {:.1} MB",
        IDLE * TASKS,
        scrapes[SCRAPES / 2],
        bytes as f64 / 1e6
    );
    println!(
        "\nweir, {} idle tasks of {IDLE} connectors: all run {took:.1} s after kill -9 and start (6 s of them the lost \
         session's; target < 10 s), {:.0} MB (< 1,000), {} threads, {} mappings, {cpu:.2} cores",
        IDLE * TASKS,
        used.resident_bytes as f64 / 1e6,
        used.threads,
        used.mappings,
    );
}

/// The cores that a worker uses while nothing happens.
fn watched(worker: &Contender) -> f64 {
    let before = worker.used().cpu;
    std::thread::sleep(WATCHED);
    (worker.used().cpu - before).as_secs_f64() / WATCHED.as_secs_f64()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if words.iter().any(|word| !"group".contains(word.as_str())) {
        return;
    }
    let kafka = Kafka::start_for_benchmarks();
    let bootstrap = kafka.bootstrap();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_topic_on(&bootstrap, "empty", TASKS as i32);
    println!(
        "\ndistributed workers on one Kafka 4.3.1 broker on this machine; session.timeout.ms=6000, 1 s of delay; REST answers: \
         median of {STARTS} starts on topics that are there"
    );
    println!(
        "| worker  | REST answers after | create until RUNNING | {MANY} one by one until all run | memory | threads | idle \
         cores | one of 3 lost until all run |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for kind in [Kind::Apache, Kind::Weir] {
        let (mut worker, warm, cold) = start_often(kind, folder, &bootstrap);
        println!("| {}, its first start, which makes the topics | {cold:>6.3} s | | | | | | |", kind.name());
        let created = create_until_running(&mut worker, folder);
        let many = create_many(&mut worker, folder);
        let (cores, used) = (watched(&worker), worker.used());
        let lost = lose_one(kind, &mut worker, folder, &bootstrap);
        println!(
            "| {:<7} | {warm:>6.3} s | {created:>5.0} ms | {many:>5.1} s | {:>4.0} MB | {} | {cores:.2} | {lost:.1} s |",
            kind.name(),
            used.resident_bytes as f64 / 1e6,
            used.threads,
        );
    }
    println!("| target  | < 0.3 s | < 150 ms | ≤ 4 s | ≤ 200 MB | | | 7 s: session and delay |");
    idle_tasks(folder, &bootstrap);
}
