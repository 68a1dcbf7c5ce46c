//! Sink tasks of two workers in one consumer group: they come and go while lines flow, and partitions move between them.

use std::path::Path;

use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, make_topic};

use super::{append, lines, on, sink, source};

/// Lines that come between two looks.
const STEP: usize = 20;

/// A worker with one sink. It commits when partitions move and when it stops, and at no other time.
fn member(folder: &Path, topic: &str, assignor: &str) -> Worker {
    let properties = format!(
        "{}offset.storage.file.filename={}\n\
         offset.flush.interval.ms=3600000\n\
         consumer.heartbeat.interval.ms=200\n\
         consumer.partition.assignment.strategy={assignor}\n",
        on(&kafka::shared().bootstrap()),
        folder.join("offsets").display(),
    );
    Worker::standalone(folder, &properties, &[("sink.json", &sink(folder, topic))])
}

fn every_line_once_while_partitions_move(topic: &str, assignor: &str) {
    let made = tempfile::tempdir().unwrap();
    let [from, first, second] = ["from", "first", "second"].map(|name| made.path().join(name));
    for folder in [&from, &first, &second] {
        std::fs::create_dir(folder).unwrap();
    }
    make_topic(topic, 4);
    let offsets = format!("offset.storage.file.filename={}\n", from.join("offsets").display());
    let properties = on(&kafka::shared().bootstrap()) + &offsets;
    let feeding = Worker::standalone(&from, &properties, &[("source.properties", &source(&from, topic))]);
    let mut sent = 0;
    // Lines flow as long as something is waited for.
    let mut until_more = |worker: &mut Worker, folder: &Path| {
        let before = lines(folder).len();
        worker.until("lines of its partitions", || {
            append(&from, sent..sent + STEP);
            sent += STEP;
            lines(folder).len() > before + 20 * STEP
        });
    };
    let mut one = member(&first, topic, assignor);
    until_more(&mut one, &first);
    let mut two = member(&second, topic, assignor);
    until_more(&mut two, &second);
    until_more(&mut one, &first);
    assert!(one.stop());
    until_more(&mut two, &second);
    let mut one = member(&first, topic, assignor);
    until_more(&mut one, &first);
    until_more(&mut two, &second);
    assert!(two.stop());
    until_more(&mut one, &first);
    let all = || {
        let lines = [lines(&first), lines(&second)].concat();
        // The last line of a file may be half written yet.
        let number = |line: &String| line.strip_prefix("line ")?.parse().ok();
        let mut numbers: Vec<usize> = lines.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    };
    one.until("every line", || all().len() >= sent);
    assert!(one.stop());
    let mut one = member(&first, topic, assignor);
    append(&from, sent..sent + 1);
    one.until("the line after a restart", || all().last() == Some(&sent));
    assert!(one.stop());
    assert!(feeding.stop());
    assert_eq!(all(), (0..=sent).collect::<Vec<_>>(), "none is lost, and none comes twice");
}

#[test]
fn every_line_comes_once_while_members_come_and_go_cooperatively() {
    let assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    every_line_once_while_partitions_move("moving-cooperatively", assignor);
}

#[test]
fn every_line_comes_once_while_eager_members_come_and_go() {
    every_line_once_while_partitions_move("moving-eagerly", "org.apache.kafka.clients.consumer.RangeAssignor");
}
