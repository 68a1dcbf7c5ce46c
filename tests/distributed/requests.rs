//! Requests by way of a worker that does not lead, what only workers may ask, and records of requests that are history.

use weir_tests::harness::polling::wait;

use super::faults::topics;
use super::*;

/// The worker that leads, and one that does not.
fn leader_and_follower(group: &Group) -> (usize, usize) {
    let led = group.leader();
    (led, (led + 1) % group.workers.len())
}

#[test]
fn whoever_asks_a_follower_gets_what_the_leader_answers() {
    let mut group = Group::of(2, "followed");
    let (_, by) = leader_and_follower(&group);
    let url = group.urls()[by].clone();
    let ask = |method: &str, path: &str, body: Option<&Value>| answered(method, &format!("{url}{path}"), body);
    let source = group.source(0);
    append(&group.file("in-0.txt"), &["a".into(), "b".into()]);
    let made = ask("POST", "/connectors", Some(&json!({"name": "one", "config": source})));
    assert_eq!(
        (made.status, made.location.as_deref()),
        (201, Some(format!("{url}/connectors/one").as_str())),
        "{made:?}"
    );
    group.until_running(&["one".into()], 1);
    let patched =
        ask("PATCH", "/connectors/one/config", Some(&json!({"batch.size": "7", "topic.creation.groups": null})));
    assert_eq!((patched.status, patched.json()["config"]["batch.size"].clone()), (200, json!("7")), "{patched:?}");
    group.until("offsets", |_| ask("GET", "/connectors/one/offsets", None).json()["offsets"] != json!([]));
    assert_eq!(ask("PUT", "/connectors/one/stop", None).status, 204);
    group.until("no tasks", |urls| status(&urls[by], "one")["tasks"] == json!([]));
    let mut offsets = ask("GET", "/connectors/one/offsets", None).json();
    offsets["offsets"][0]["offset"] = json!({"position": 2});
    let altered = ask("PATCH", "/connectors/one/offsets", Some(&offsets));
    assert_eq!(altered.status, 200, "{altered:?}");
    group.until("what was altered", |_| ask("GET", "/connectors/one/offsets", None).json() == offsets);
    let reset = ask("DELETE", "/connectors/one/offsets", None);
    assert_eq!(reset.status, 200, "{reset:?}");
    group.until("no offsets", |_| ask("GET", "/connectors/one/offsets", None).json()["offsets"] == json!([]));
    for (method, path, body) in [
        ("POST", "/connectors", Some(json!({"name": "two", "config": source}))),
        ("PATCH", "/connectors/one/config", Some(json!({}))),
        ("PATCH", "/connectors/one/offsets", Some(offsets)),
        ("DELETE", "/connectors/one/offsets", None),
        ("DELETE", "/connectors/one", None),
    ] {
        let answer = ask(method, &format!("{path}?forward=false"), body.as_ref());
        assert_eq!(answer.status, 409, "{method} {path}: {answer:?}");
        let said = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(said.starts_with("Cannot complete request"), "{method} {path}: {said}");
    }
}

#[test]
fn what_only_workers_may_ask_is_refused_to_whoever_signs_nothing() {
    let group = Group::of(2, "signed");
    for url in group.urls() {
        for (method, path) in [("POST", "/connectors/none/tasks"), ("PUT", "/connectors/none/fence")] {
            let body = (method == "POST").then(|| json!([]));
            let answer = answered(method, &format!("{url}{path}"), body.as_ref());
            let said = answer.json()["message"].clone();
            assert_eq!((answer.status, said), (400, json!("Internal request missing required signature")), "{path}");
        }
    }
}

#[test]
fn restarts_and_levels_that_were_asked_for_before_a_worker_started_are_not_carried_out_again() {
    let mut group = Group::of(1, "history");
    let source = group.source(0);
    assert_eq!(group.put(0, "one", &source).status, 201);
    group.until_running(&["one".into()], 1);
    let Member { worker, .. } = group.workers[0].take().unwrap();
    assert!(worker.stop());
    let restart = r#"{"include-tasks":true,"only-failed":false}"#.to_owned();
    let records = [
        ("restart-connector-one".to_owned(), Some(restart)),
        ("logger-cluster-com.example.old".to_owned(), Some(r#"{"level":"TRACE"}"#.to_owned())),
        ("target-state-one".to_owned(), None),
        ("tasks-fencing-one".to_owned(), Some(r#"{"task-count":4294967295}"#.to_owned())),
    ];
    topics::write(&group, "config", &records);
    group.start(0);
    group.until_running(&["one".into()], 1);
    let url = group.urls()[0].clone();
    wait("what follows to be heard", || {
        let set = json!({"level": "DEBUG"});
        answered("PUT", &format!("{url}/admin/loggers/com.example.new?scope=cluster"), Some(&set)).status == 204
    });
    group.until("the new level", |_| {
        answered("GET", &format!("{url}/admin/loggers/com.example.new"), None).json()["level"] == "DEBUG"
    });
    assert_eq!(answered("GET", &format!("{url}/admin/loggers/com.example.old"), None).status, 404);
    // However often a slow worker loses its session: only what is asked for leaves this line.
    let asked_for = "restarted as asked for";
    let log = group.workers[0].as_ref().unwrap().worker.log();
    assert!(!log.contains(asked_for), "{log}");
    assert_eq!(answered("POST", &format!("{url}/connectors/one/restart?includeTasks=true"), None).status, 202);
    wait("what is asked for now to be carried out", || {
        group.workers[0].as_ref().unwrap().worker.log().contains(asked_for)
    });
}
