//! Two hundred connectors that clients make while workers come and go.

use weir_tests::harness::kafka;

use super::watch::Watch;
use super::*;

const CONNECTORS: usize = 200;

/// What every worker says of all connectors: how many run with a task, each on workers that are there.
fn running(url: &str, ids: &BTreeSet<String>) -> usize {
    let shown = answered("GET", &format!("{url}/connectors?expand=status"), None).json();
    let good = |part: &Value| part["state"] == "RUNNING" && ids.contains(part["worker_id"].as_str().unwrap_or("?"));
    let all = shown.as_object().into_iter().flatten().filter(|(_, shown)| {
        let status = &shown["status"];
        let tasks = status["tasks"].as_array().map_or(&[][..], Vec::as_slice);
        good(&status["connector"]) && tasks.len() == 1 && good(&tasks[0])
    });
    all.count()
}

#[test]
fn two_hundred_connectors_that_are_made_while_workers_come_and_go_run_once_each() {
    let mut group = Group::on(&kafka::shared().bootstrap(), "many", QUICK);
    group.begin(3);
    let first = group.source(0);
    group.insist(0, "source-0", &first);
    let mut watch = Watch::over(&group.urls(), "source-0", true);
    // At these numbers a worker is killed, and another one later on is there again.
    let mut fate = [(40, 0, false), (80, 0, true), (120, 1, false), (160, 1, true)].into_iter().peekable();
    for number in 1..CONNECTORS {
        if let Some((_, at, comes)) = fate.next_if(|(due, ..)| *due == number) {
            if comes {
                group.start(at);
                watch.ask(&group.workers[at].as_ref().unwrap().url);
            } else {
                watch.ask_no_more(&group.workers[at].as_ref().unwrap().url.clone());
                group.kill(at);
            }
        }
        let source = group.source(number);
        let live: Vec<usize> = (0..3).filter(|at| group.workers[*at].is_some()).collect();
        group.insist(live[number % live.len()], &format!("source-{number}"), &source);
    }
    let ids = group.ids();
    group.until("all of them to run", |urls| urls.iter().all(|url| running(url, &ids) == CONNECTORS));
    // As the system sees it, too: each file is open once, on the worker that is said to run its task.
    let names: Vec<String> = (0..CONNECTORS).map(|number| format!("source-{number}")).collect();
    let held = |group: &Group| {
        let mut held: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for member in group.workers.iter().flatten() {
            open_files(member.worker.id()).into_iter().for_each(|file| *held.entry(file).or_insert(0) += 1);
        }
        (0..CONNECTORS).filter(|at| held.get(&group.file(&format!("in-{at}.txt"))) == Some(&1)).count()
    };
    wait("each file to be open once", || held(&group) == CONNECTORS);
    for number in 0..CONNECTORS {
        append(&group.file(&format!("in-{number}.txt")), &[line(number, 0)]);
    }
    let sink = sink(&group);
    group.insist(0, "sink", &sink);
    let out = out(&group);
    wait("a line of each", || {
        let arrived = arrived(&out);
        (0..CONNECTORS).all(|number| arrived.contains_key(&line(number, 0)))
    });
    assert_eq!(
        answered("GET", &format!("{}/connectors", group.urls()[0]), None).json().as_array().unwrap().len(),
        CONNECTORS + 1
    );
    group.until_running(&names[..3], 1);
    watch.end();
    topics::nobody_speaks_for_others(&group);
}
