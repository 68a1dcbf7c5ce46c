//! One cluster, weir's and Apache's workers: after each other on the same topics, and side by side in one group.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_tests::harness::worker::Worker;

use super::{Group, answered, append, status};

/// How often each line arrived in the sink's file.
fn arrived(group: &Group) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(group.file("out.txt")).unwrap_or_default();
    let mut arrived = BTreeMap::new();
    for line in text.lines() {
        *arrived.entry(line.to_owned()).or_insert(0) += 1;
    }
    arrived
}

fn sink(group: &Group) -> Value {
    json!({
        "connector.class": "FileStreamSink",
        "file": group.file("out.txt").display().to_string(),
        "topics": format!("{}-lines", group.name),
    })
}

fn apache(group: &Group) -> (Worker, String) {
    let folder = group.dir.path().join("apache");
    std::fs::create_dir_all(&folder).unwrap();
    let properties = format!("rest.advertised.host.name=127.0.0.1\nplugin.discovery=only_scan\n{}", group.properties());
    Worker::apache("Distributed", &folder, &properties)
}

/// Lines through the cluster: each of them arrives, and once.
fn lines_flow(group: &Group, worker: &mut Worker, round: &str) {
    let lines: Vec<String> = (0..10).map(|line| format!("{round} {line}")).collect();
    append(&group.file("in-0.txt"), &lines);
    worker.until("every line", || {
        let arrived = arrived(group);
        lines.iter().all(|line| arrived.contains_key(line))
    });
}

/// `source` and `sink` run with a task each, `resting` is paused, as a worker sees it.
fn is_as_it_was(url: &str) -> bool {
    let state = |name: &str, state: &str| {
        let status = status(url, name);
        status["connector"]["state"] == state && status["tasks"][0]["state"] == state
    };
    state("source", "RUNNING") && state("sink", "RUNNING") && state("resting", "PAUSED")
}

fn settle(worker: &mut Worker, url: &str) {
    worker.until("connectors as they were", || is_as_it_was(url));
}

#[test]
fn apache_takes_over_where_weir_stopped_and_weir_where_apache_did() {
    let mut group = Group::of(1, "takeover");
    assert_eq!(group.put(0, "source", &group.source(0)).status, 201);
    assert_eq!(group.put(0, "sink", &sink(&group)).status, 201);
    assert_eq!(group.put(0, "resting", &group.source(1)).status, 201);
    let url = group.urls()[0].clone();
    group.until("tasks", |urls| status(&urls[0], "resting")["tasks"][0]["state"] == "RUNNING");
    assert_eq!(answered("PUT", &format!("{url}/connectors/resting/pause"), None).status, 202);
    let mut weir = group.workers[0].take().unwrap().worker;
    settle(&mut weir, &url);
    lines_flow(&group, &mut weir, "weir");
    assert!(weir.stop());

    let (mut java, url) = apache(&group);
    settle(&mut java, &url);
    lines_flow(&group, &mut java, "apache");
    let late = group.source(2);
    assert_eq!(answered("PUT", &format!("{url}/connectors/late/config"), Some(&late)).status, 201);
    java.until("a connector of Apache's", || status(&url, "late")["tasks"][0]["state"] == "RUNNING");
    java.stop(); // a JVM that was told to stop does not call that success

    group.start(0);
    let super::Member { worker: mut weir, url } = group.workers[0].take().unwrap();
    settle(&mut weir, &url);
    weir.until("a connector of Apache's", || status(&url, "late")["tasks"][0]["state"] == "RUNNING");
    lines_flow(&group, &mut weir, "weir again");
    assert!(weir.stop());
    assert!(arrived(&group).values().all(|times| *times == 1), "offsets are taken over: {:?}", arrived(&group));
}

/// What the status topic says last of each connector and task, for whoever comes after a worker.
fn left_behind(group: &Group) -> BTreeMap<String, String> {
    let mut left = BTreeMap::new();
    for entry in super::faults::topics::entries(group, "status") {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
        let (key, status) = (text(entry.record.key), text(entry.record.value));
        if !key.starts_with("status-topic-") {
            let status: Value = serde_json::from_str(&status).unwrap_or_default();
            left.insert(key, status["state"].as_str().unwrap_or_default().to_owned());
        }
    }
    left
}

/// Connector and task of `resting` are paused, `stopped` has none, `task-fails` has one that fails, `fails` does itself
/// too; all as this worker runs them.
fn rests_and_fails(worker: &mut Worker, url: &str) {
    let mut seen = Vec::new();
    let expected = [
        ("resting", "PAUSED", json!("PAUSED")),
        ("stopped", "STOPPED", Value::Null),
        ("task-fails", "RUNNING", json!("FAILED")),
        ("fails", "FAILED", json!("FAILED")),
    ];
    worker.until("states as they were", || {
        seen = expected.iter().map(|(name, ..)| status(url, name)).collect();
        seen.iter().zip(&expected).all(|(status, (_, connector, task))| {
            let of = |part: &Value| url.ends_with(part["worker_id"].as_str().unwrap_or("?"));
            let (first, has) = (&status["tasks"][0], !task.is_null());
            status["connector"]["state"] == *connector
                && first["state"] == *task
                && of(&status["connector"])
                && (!has || of(first))
        })
    });
}

#[test]
fn what_rests_or_has_failed_is_unassigned_once_its_worker_stops_and_is_so_again_on_the_next_as_with_apache() {
    let providers = "config.providers=file\n\
                     config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n";
    let mut group = Group::on(&super::kafka::shared().bootstrap(), "left-behind", providers);
    group.begin(1);
    let url = group.urls()[0].clone();
    let mut folder_for_a_file = sink(&group);
    folder_for_a_file["file"] = json!(group.dir.path().display().to_string());
    let (mut of_a_variable, variable) = (group.source(2), group.file("topic.properties"));
    std::fs::write(&variable, format!("topic={}-lines\n", group.name)).unwrap();
    of_a_variable["topic"] = json!(format!("${{file:{}:topic}}", variable.display()));
    super::faults::topics::make(&group.bootstrap, &format!("{}-lines", group.name));
    for (name, config) in [
        ("resting", group.source(0)),
        ("stopped", group.source(1)),
        ("task-fails", folder_for_a_file),
        ("fails", of_a_variable),
    ] {
        let made = group.put(0, name, &config);
        assert_eq!(made.status, 201, "{made:?}");
    }
    group.until("tasks", |urls| {
        ["resting", "stopped", "fails"].iter().all(|name| status(&urls[0], name)["tasks"][0]["state"] == "RUNNING")
    });
    assert_eq!(answered("PUT", &format!("{url}/connectors/resting/pause"), None).status, 202);
    assert_eq!(answered("PUT", &format!("{url}/connectors/stopped/stop"), None).status, 204);
    std::fs::remove_file(variable).unwrap();
    assert_eq!(answered("POST", &format!("{url}/connectors/fails/restart?includeTasks=true"), None).status, 202);
    let mut weir = group.workers[0].take().unwrap().worker;
    rests_and_fails(&mut weir, &url);
    assert!(weir.stop());
    let ours = left_behind(&group);

    let (mut java, url) = apache(&group);
    rests_and_fails(&mut java, &url);
    java.stop(); // a JVM that was told to stop does not call that success
    let mut theirs = left_behind(&group);
    // Apache gives up a connector whatever its state is, but for one that it could not even make: weir has one kind of
    // failure only. A task that has failed stays failed for all to see.
    assert_eq!(theirs.insert("status-connector-fails".into(), "UNASSIGNED".into()).as_deref(), Some("FAILED"));
    assert_eq!(ours, theirs);
    let state = |key: &str| ours[key].as_str();
    for name in ["resting", "stopped", "task-fails", "fails"] {
        assert_eq!(state(&format!("status-connector-{name}")), "UNASSIGNED", "{ours:?}");
    }
    assert_eq!([state("status-task-resting-0"), state("status-task-task-fails-0")], ["UNASSIGNED", "FAILED"]);

    group.start(0);
    let super::Member { worker: mut weir, url } = group.workers[0].take().unwrap();
    rests_and_fails(&mut weir, &url);
    assert!(weir.stop());
}

/// A life of a standalone worker: it is given a source and a sink, and lines go through.
fn lives(group: &Group, worker: &mut Worker, url: &str, round: &str) {
    let source = json!({
        "connector.class": "FileStreamSource",
        "file": group.file("in-0.txt").display().to_string(),
        "topic": format!("{}-lines", group.name),
        "topic.creation.default.partitions": "1",
        "topic.creation.default.replication.factor": "1",
    });
    for (name, config) in [("source", source), ("sink", sink(group))] {
        let made = answered("PUT", &format!("{url}/connectors/{name}/config"), Some(&config));
        assert_eq!(made.status, 201, "{made:?}");
        worker.until("a task", || status(url, name)["tasks"][0]["state"] == "RUNNING");
    }
    lines_flow(group, worker, round);
}

#[test]
fn a_standalone_workers_offsets_file_goes_from_weir_to_apache_and_back() {
    let group = Group::of(0, "alone");
    group.source(0);
    super::faults::topics::make(&group.bootstrap, &format!("{}-lines", group.name));
    let folder = group.dir.path().to_owned();
    let properties = format!(
        "bootstrap.servers={}\noffset.storage.file.filename={}\noffset.flush.interval.ms=500\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n",
        group.bootstrap,
        folder.join("offsets").display()
    );
    let ours = format!("{properties}sandbox.path.ceiling={}\n", folder.display());
    let theirs = format!("plugin.discovery=only_scan\n{properties}");
    let weir = |round: &str| {
        let mut weir = Worker::standalone(&folder, &ours, &[]);
        let url = weir.url();
        lives(&group, &mut weir, &url, round);
        assert!(weir.stop());
    };
    weir("weir");
    let (mut java, url) = Worker::apache("Standalone", &folder, &theirs);
    lives(&group, &mut java, &url, "apache");
    java.stop(); // a JVM that was told to stop does not call that success
    weir("weir again");
    let arrived = arrived(&group);
    assert!(arrived.len() == 30 && arrived.values().all(|times| *times == 1), "{arrived:?}");
}

#[test]
fn weir_and_apache_share_one_group() {
    let mut group = Group::of(0, "mixed");
    let (mut java, theirs) = apache(&group);
    group.workers.push(None);
    group.start(0);
    let ours = group.urls()[0].clone();
    // Each is asked; one of the two leads, and the other sends on.
    for (number, url) in [(0, &ours), (1, &theirs), (2, &ours), (3, &theirs)] {
        let source = group.source(number);
        let url = format!("{url}/connectors/source-{number}/config");
        java.until("a connector", || matches!(answered("PUT", &url, Some(&source)).status, 200 | 201));
    }
    let parts = |url: &str| -> Vec<Value> {
        let statuses = (0..4).map(|number| status(url, &format!("source-{number}")));
        statuses.flat_map(|status| [status["connector"].clone(), status["tasks"][0].clone()]).collect()
    };
    java.until("a share for each", || {
        [&ours, &theirs].iter().all(|url| {
            let parts = parts(url);
            let on = |owner: &str| {
                parts.iter().filter(|part| owner.ends_with(part["worker_id"].as_str().unwrap_or("?"))).count()
            };
            parts.iter().all(|part| part["state"] == "RUNNING") && on(&ours) == 4 && on(&theirs) == 4
        })
    });
    for (number, url) in [(0, &theirs), (1, &ours), (2, &theirs), (3, &ours)] {
        for path in [format!("source-{number}/restart"), format!("source-{number}/tasks/0/restart")] {
            let url = format!("{url}/connectors/{path}");
            java.until("a restart", || answered("POST", &url, None).status == 204);
        }
    }
    java.kill();
    group.until("all on weir", |urls| {
        let parts = parts(&urls[0]);
        parts.iter().all(|part| part["state"] == "RUNNING" && ours.ends_with(part["worker_id"].as_str().unwrap_or("?")))
    });
}
