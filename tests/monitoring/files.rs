//! The files by themselves: promtool takes them, every alert is explained and tested, every panel says what it shows.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Stdio;

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::worker::Worker;

use super::prometheus::promtool;
use super::{dashboard, panels, text};

#[test]
fn promtool_takes_the_configurations_and_the_rules_and_every_alert_fires_when_it_should() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "config", "kubernetes.yml"],
        ["check", "rules", "weir.rules.yml"],
        ["test", "rules", "weir.rules.test.yml"],
    ] {
        let (code, said) = promtool(&arguments, Stdio::null());
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    }
}

#[test]
fn every_alert_is_explained_and_tested_both_ways() {
    let (rules, tests) = (text("weir.rules.yml"), text("weir.rules.test.yml"));
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10);
    let evaluated: Vec<&str> = tests.split("- alertname: ").skip(1).collect();
    for alert in alerts {
        let name = alert.lines().next().unwrap_or_default();
        for part in ["labels: {severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        let results: BTreeSet<bool> = evaluated
            .iter()
            .filter(|one| one.lines().next() == Some(name))
            .map(|one| one.contains("exp_alerts: []"))
            .collect();
        assert_eq!(results.len(), 2, "{name} is tested where it fires and where it does not");
    }
}

/// Whether two panels lie one on the other.
fn overlap(one: &Value, other: &Value) -> bool {
    let side = |panel: &Value, name: &str| panel["gridPos"][name].as_u64().expect("a place");
    let along = |at: &str, size: &str| {
        side(one, at) < side(other, at) + side(other, size) && side(other, at) < side(one, at) + side(one, size)
    };
    along("x", "w") && along("y", "h")
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit_and_has_its_own_place() {
    let dashboard = dashboard();
    let rows: BTreeSet<String> = dashboard["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|row| row["title"].to_string())
        .collect();
    for row in ["Overview", "Connector", "Task", "Sandbox", "Group"] {
        assert!(rows.contains(&json!(row).to_string()), "{row}: {rows:?}");
    }
    let panels = panels(&dashboard);
    let mut ids = BTreeSet::new();
    for (at, panel) in panels.iter().enumerate() {
        let title = panel["title"].as_str().expect("a title");
        let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        assert!(said(&panel["description"]) && said(&panel["fieldConfig"]["defaults"]["unit"]), "{title}");
        assert!(ids.insert(panel["id"].as_u64()), "{title} has the id of another panel");
        for target in panel["targets"].as_array().expect("queries") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let several = panel["targets"].as_array().map_or(0, Vec::len) > 1 && panel["type"] != "table";
            assert!(said(&target["legendFormat"]) || !several, "{title} does not say which of its lines is which");
        }
        assert!(panels[..at].iter().all(|other| !overlap(panel, other)), "{title} lies on another panel");
    }
}

#[test]
fn promtool_reads_the_text_that_a_worker_serves() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in.txt"), "one\ntwo\n").unwrap();
    let properties = "bootstrap.servers=local:memory\n\
                      key.converter=org.apache.kafka.connect.storage.StringConverter\n\
                      value.converter=org.apache.kafka.connect.storage.StringConverter\n\
                      metrics.naming=both\n";
    let connector = |name: &str, class: &str, topic: &str, file: &str| {
        let config = json!({"connector.class": class, topic: "lines", "file": folder.join(file)});
        json!({"name": name, "config": config}).to_string()
    };
    let source = connector("source", "FileStreamSource", "topic", "in.txt");
    let sink = connector("sink", "FileStreamSink", "topics", "out.txt");
    let mut worker = Worker::standalone(folder, properties, &[("source.json", &source), ("sink.json", &sink)]);
    let url = worker.url();
    worker.until("both lines", || std::fs::read_to_string(folder.join("out.txt")).is_ok_and(|out| out == "one\ntwo\n"));
    let answer = request("GET", &format!("{url}/metrics"), None);
    assert_eq!(answer.content_type.as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    std::fs::write(folder.join("metrics"), &answer.text).unwrap();
    let (code, said) = promtool(&["check", "metrics"], File::open(folder.join("metrics")).unwrap().into());
    // 3 is what it thinks of names, which are Kafka's.
    assert!(matches!(code, Some(0 | 3)), "{said}");
    assert!(worker.stop());
}
