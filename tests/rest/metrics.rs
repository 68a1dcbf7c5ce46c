//! GET /metrics: what is served under which names, held against Connect's groups and attributes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use weir_core::observe::table;
use weir_tests::harness::guest;
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;

use super::uploads::upload;
use super::{properties, states};

/// What `/metrics` says of one name.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    /// The labels of each of its samples.
    samples: Vec<BTreeSet<String>>,
}

/// Reads the text format 0.0.4: each name in one block, its HELP and TYPE before its samples.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            current = name.to_owned();
            let family = Family { help: help.to_owned(), ..Family::default() };
            assert!(families.insert(current.clone(), family).is_none(), "a second block: {line}");
            continue;
        }
        let family = families.get_mut(&current).unwrap_or_else(|| panic!("before any HELP: {line}"));
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert!(name == current && family.samples.is_empty() && family.kind.is_empty(), "out of place: {line}");
            family.kind = kind.to_owned();
            continue;
        }
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        assert_eq!(name, current, "out of its block: {line}");
        let (labels, value) = rest.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let labels = labels.trim_matches(['{', '}']).split(',').filter(|label| !label.is_empty());
        family.samples.push(labels.map(|label| label.split('=').next().unwrap().to_owned()).collect());
    }
    families
}

/// Kind and labels under every name that Connect's metrics have when they are put together mechanically: domain, group
/// and attribute; a text is a label of a number that is always 1.
fn connects_names() -> BTreeMap<String, (&'static str, Vec<BTreeSet<String>>)> {
    let mut names: BTreeMap<String, (&str, Vec<BTreeSet<String>>)> = BTreeMap::new();
    let plain = |text: &str| text.replace(['-', '.'], "_");
    for line in include_str!("../metrics/connect-4.3.1.txt").lines().skip(1) {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (domain, group, attribute, kind, tags) = (word(), word(), word(), word(), word());
        let mut labels: BTreeSet<String> = tags.split(',').filter(|tag| !tag.is_empty()).map(plain).collect();
        let group = format!("{}_{}", plain(domain), plain(group));
        let mut name = format!("{group}_{}", plain(attribute));
        if kind == "info" {
            labels.insert(plain(attribute));
            name += "_info";
            // Confluent's exporter has the texts of a group under the group's own name.
            names.entry(group).or_insert(("gauge", vec![])).1.push(labels.clone());
        }
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        names.insert(name, (kind, vec![labels]));
    }
    names
}

#[test]
fn every_metric_is_served_under_the_name_that_connects_have_mechanically() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let days = "date,precipitation,temp_max,temp_min,wind,weather\n2012-01-01,0.0,12.8,5.0,4.7,drizzle\n\
                2012-01-02,10.9,10.6,2.8,4.5,rain\n2012-01-03,0.8,11.7,7.2,2.3,rain\n";
    std::fs::write(folder.join("in.txt"), days).unwrap();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    assert_eq!(upload(&url, &guest("weather")).status, 201);
    let source = json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": "lines",
        "transforms": "w", "transforms.w.type": "example.Weather"});
    let sink = json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": "lines"});
    for (name, config) in [("src", source), ("snk", sink)] {
        assert_eq!(send("PUT", &format!("{url}/connectors/{name}/config"), &config).status, 201);
        worker.until("running", || states(&url, name).1 == ["RUNNING"]);
    }
    worker.until("lines went through", || {
        let own = "weir_task_guest_gauge{connector=\"src\",task=\"0\",name=\"wettest_day_mm\"} 10.9";
        request("GET", &format!("{url}/metrics"), None).text.contains(own)
    });
    // A folder stands where its file is to be.
    let failing =
        json!({"connector.class": "FileStreamSink", "file": folder, "topics": "lines", "auto.restart": "true"});
    assert_eq!(send("PUT", &format!("{url}/connectors/failing/config"), &failing).status, 201);
    worker.until("a failure", || {
        request("GET", &format!("{url}/metrics"), None).text.contains("weir_auto_restarts_total{connector=\"failing\"")
    });
    let answer = request("GET", &format!("{url}/metrics"), None);
    let own = "weir_task_guest_counter_total{connector=\"src\",task=\"0\",name=\"dry_days\"} 1\n";
    assert!(answer.text.contains(own), "{}", answer.text);
    assert_eq!(answer.content_type.as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    let served = families(&answer.text);
    let names: BTreeSet<&str> = served.keys().map(String::as_str).collect();
    assert_eq!(names, table::ALL.iter().map(|metric| metric.name).collect(), "the whole table is served");
    let connects = connects_names();
    for (name, family) in &served {
        assert!(!family.help.is_empty() && !family.samples.is_empty(), "{name}");
        if ["weir_", "process_"].iter().any(|own| name.starts_with(own)) {
            assert!(["counter", "gauge"].contains(&family.kind.as_str()), "{name}");
            continue;
        }
        let (kind, labels) = connects.get(name).unwrap_or_else(|| panic!("Connect has no {name}"));
        assert_eq!(family.kind, *kind, "{name}");
        for sample in &family.samples {
            assert!(labels.contains(sample), "{name} has labels {sample:?}, not one of {labels:?}");
        }
    }
    assert!(worker.stop());
}
