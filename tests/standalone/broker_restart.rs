//! A broker that goes away for a while beside a worker with a source and a sink: nothing is lost, and no task fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use weir_tests::harness::http::request;
use weir_tests::harness::kafka::Kafka;
use weir_tests::harness::worker::Worker;

use super::{append, lines, on, start};

/// How long the broker is away at least, its own starting not counted.
const AWAY: Duration = Duration::from_secs(5);

/// The states of the connectors and of their tasks.
fn states(url: &str) -> BTreeSet<String> {
    let shown = request("GET", &format!("{url}/connectors?expand=status"), None).json();
    let connectors = shown.as_object().into_iter().flatten().map(|(_, shown)| &shown["status"]);
    let states = connectors.flat_map(|status| {
        let tasks = status["tasks"].as_array().into_iter().flatten();
        tasks.chain([&status["connector"]]).map(|state| state["state"].as_str().unwrap_or_default().to_owned())
    });
    states.collect()
}

fn until_there(worker: &mut Worker, folder: &std::path::Path, numbers: std::ops::Range<usize>) {
    worker.until("every line", || {
        let there: BTreeSet<String> = lines(folder).into_iter().collect();
        numbers.clone().all(|number| there.contains(&format!("line {number}")))
    });
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_no_line_and_no_task() {
    let mut kafka = Kafka::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let offsets = format!("offset.storage.file.filename={}\n", folder.join("offsets").display());
    append(folder, 0..1000);
    let mut worker = start(folder, &(on(&kafka.bootstrap()) + &offsets), "lines");
    let url = worker.url();
    until_there(&mut worker, folder, 0..1000);
    let running = BTreeSet::from(["RUNNING".to_owned()]);
    assert_eq!(states(&url), running);

    append(folder, 1000..3000);
    kafka.stop();
    let stopped = Instant::now();
    append(folder, 3000..5000);
    worker.until("time to pass without a broker", || {
        assert_eq!(states(&url), running);
        stopped.elapsed() > AWAY
    });
    kafka.restart();
    append(folder, 5000..6000);
    until_there(&mut worker, folder, 0..6000);
    assert_eq!(states(&url), running);
    assert!(worker.stop());
    let known: BTreeSet<String> = (0..6000).map(|number| format!("line {number}")).collect();
    assert!(lines(folder).iter().all(|line| known.contains(line)));
    // What was delivered twice while it was away may be there twice, but all is committed now.
    let before = lines(folder).len();
    let mut worker = start(folder, &(on(&kafka.bootstrap()) + &offsets), "lines");
    append(folder, 6000..6001);
    until_there(&mut worker, folder, 0..6001);
    assert_eq!(lines(folder).len(), before + 1, "a restart goes on where it was");
    assert!(worker.stop());
}
