//! GET /metrics: what is served under which names, held against Connect's groups and attributes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use weir_core::observe::{names, table};
use weir_core::settings::Naming;
use weir_tests::harness::guest;
use weir_tests::harness::http::{request, request_with, send};
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
    let mut series = BTreeSet::new();
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
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let name = of_histogram.filter(|_| family.kind == "histogram").unwrap_or(name);
        assert_eq!(name, current, "out of its block: {line}");
        let (labels, value) = rest.rsplit_once(' ').unwrap();
        assert!(series.insert(line.rsplit_once(' ').unwrap().0), "a second time: {line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let labels = labels.trim_matches(['{', '}']).split(',').filter(|label| !label.is_empty());
        family.samples.push(labels.map(|label| label.split('=').next().unwrap().to_owned()).collect());
    }
    families
}

#[test]
fn every_name_that_is_served_is_one_of_the_tables_in_either_format() {
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
        let own = "weir_guest_gauge_wettest_day_mm{connector=\"src\",task=\"0\",tenant=\"\"} 10.9";
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
    let own = "weir_guest_counter_dry_days_total{connector=\"src\",task=\"0\",tenant=\"\"} 1\n";
    assert!(answer.text.contains(own), "{}", answer.text);
    assert_eq!(answer.content_type.as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    let served = families(&answer.text);
    let known: BTreeSet<String> =
        table::all().flat_map(|metric| names(metric, Naming::Confluent)).map(|name| name.name).collect();
    for (name, family) in &served {
        assert!(!family.help.is_empty() && !family.samples.is_empty(), "{name}");
        assert!(known.contains(name) || name.starts_with("weir_guest_"), "{name} is not in the table");
    }
    // In no group, and on no Kafka: the rest is all there.
    let elsewhere = ["_rebalance_", "_coordinator_", "_connect_metrics_", "_node_metrics_", "_transaction_size_"];
    let elsewhere = |name: &str| {
        elsewhere.iter().any(|part| name.contains(part))
            || ["kafka_consumer", "kafka_producer", "kafka_admin"].iter().any(|client| name.starts_with(client))
    };
    let seldom = [
        "weir_guest_counter_{}_total",
        "weir_guest_gauge_{}",
        "weir_task_guest_traps_total",
        "weir_task_limit_hits_total",
        "kafka_connect_connector_predicate_metrics_predicate_class_info",
        "kafka_connect_connector_predicate_metrics_predicate_version_info",
        "weir_plugin_compile_seconds",
    ];
    for name in known.iter().map(String::as_str).filter(|name| !elsewhere(name) && !seldom.contains(name)) {
        let later = ["weir_task_consumer_lag_records", "weir_task_commit_seconds"].contains(&name);
        assert!(served.contains_key(name) || later, "{name} is not served");
    }
    let wanted = "application/openmetrics-text; version=1.0.0, text/plain;q=0.5";
    let open = request_with("GET", &format!("{url}/metrics"), &[("Accept", wanted)], None);
    assert_eq!(open.content_type.as_deref(), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text.ends_with("\n# EOF\n"), "{}", open.text);
    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line[..line.find(['{', ' ']).unwrap()].to_owned()).collect()
    };
    assert_eq!(names(&answer.text), names(&open.text), "names are the same in both formats");
    assert!(worker.stop());
}
