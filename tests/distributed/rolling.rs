//! Another version of weir on every worker, one after the other: stopped as service managers stop it, and started again.

use std::time::Instant;

use super::*;

#[test]
fn a_rolling_restart_under_load_delivers_every_line_once() {
    let mut group = Group::of(3, "rolling");
    let names: Vec<String> = (0..3).map(|number| format!("source-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        assert_eq!(group.put(number, name, &group.source(number)).status, 201);
    }
    let out = group.file("out.txt");
    let topics = format!("{}-lines", group.name);
    let sink = json!({"connector.class": "FileStreamSink", "file": out, "topics": topics});
    assert_eq!(group.put(0, "sink", &sink).status, 201);
    let all = [&names[..], &["sink".to_owned()]].concat();
    group.until_running(&all, 1);
    let mut expected = Vec::new();
    let mut write = |group: &Group, round: &str| {
        for number in 0..names.len() {
            let lines: Vec<String> = (0..200).map(|line| format!("{round} {number} {line}")).collect();
            append(&group.file(&format!("in-{number}.txt")), &lines);
            expected.extend(lines);
        }
    };
    for at in 0..3 {
        write(&group, &format!("before {at}"));
        let Member { worker, .. } = group.workers[at].take().unwrap();
        let began = Instant::now();
        assert!(worker.stop(), "it ends well, within the time that examples/deploy gives it");
        println!("a worker with its share stopped within {:?}", began.elapsed());
        write(&group, &format!("without {at}"));
        group.start(at);
        group.until_running(&all, 1);
    }
    expected.sort();
    group.until("every line", |_| std::fs::read_to_string(&out).unwrap_or_default().lines().count() >= expected.len());
    let text = std::fs::read_to_string(&out).unwrap();
    let mut arrived: Vec<&str> = text.lines().collect();
    arrived.sort_unstable();
    assert_eq!(arrived, expected);
}
