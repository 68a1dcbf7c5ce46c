//! What a worker answers that is not in its group yet: to probes, and to other workers, before there is a key that could
//! sign what they ask.

use serde_json::json;
use weir_tests::harness::kafka::Kafka;

use super::{Answer, Group, answered};

#[test]
fn before_it_is_in_its_group_too_a_worker_takes_no_tasks_from_whoever_signs_nothing() {
    // As long as its coordinator waits for others to join, the worker has no assignment.
    let broker = Kafka::start(&["group.initial.rebalance.delay.ms=60000"]);
    let mut group = Group::on(&broker.bootstrap(), "unsigned", "");
    group.workers.push(None);
    group.launch(0);
    let (mut said, mut health) = (String::new(), Answer::parse(""));
    let worker = &mut group.workers[0].as_mut().unwrap().worker;
    let log = worker.log_file();
    worker.until("a refusal", || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let Some(address) = log.rsplit_once("address=").and_then(|(_, rest)| rest.lines().next()) else { return false };
        let url = format!("http://{address}");
        let answer = answered("POST", &format!("{url}/connectors/mine/tasks"), Some(&json!([{"task.class": "X"}])));
        said = answer.text.clone();
        assert!([0, 400, 503].contains(&answer.status), "{answer:?}");
        health = answered("GET", &format!("{url}/health"), None);
        answer.status == 400
    });
    let told = health.json();
    assert_eq!((health.status, &told["status"]), (503, &json!("starting")), "{health:?}");
    assert!(told["message"].as_str().unwrap().starts_with("Worker is still starting up."), "{health:?}");
    assert!(said.contains("Internal request missing required signature"), "{said}");
    let log = worker.log();
    assert!(!log.contains("joined the group"), "it was asked before it had joined:\n{log}");
}
