//! A real Prometheus scrapes workers that run: every query of weir's dashboard and of published ones finds something,
//! every rule can be evaluated, and what fails is an alert.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use weir_tests::harness::polling::holds_within;

use super::prometheus::Prometheus;
use super::published::{Scrape, asked};
use super::workers::{CONNECTORS, Workers};
use super::{dashboard, panels, text};

/// Metrics that have no series while nothing has happened, each with what has to happen.
const NOT_BEFORE: [(&str, &str); 2] =
    [("weir_task_guest_traps_total", "a plugin traps"), ("weir_task_limit_hits_total", "a limit is hit")];

/// What is asked, and by whom.
struct Query {
    by: String,
    expression: String,
}

/// The example's configuration, but for the workers' addresses and a pace for tests.
fn configuration(workers: &mut Workers) -> PathBuf {
    let addresses: Vec<String> =
        workers.urls().iter().map(|url| url.trim_start_matches("http://").to_owned()).collect();
    let mut adapted = text("prometheus.yml");
    for (from, to) in [
        ("- targets: [localhost:8083]", format!("- targets: [{}]", addresses.join(", "))),
        ("scrape_interval: 15s", "scrape_interval: 1s".to_owned()),
        ("evaluation_interval: 15s", "evaluation_interval: 1s".to_owned()),
    ] {
        assert!(adapted.contains(from), "prometheus.yml has no {from}");
        adapted = adapted.replacen(from, &to, 1);
    }
    let file = workers.folder().join("prometheus.yml");
    std::fs::write(workers.folder().join("weir.rules.yml"), text("weir.rules.yml")).unwrap();
    std::fs::write(&file, adapted).unwrap();
    file
}

/// Asks until every query finds something; fails the test with those that do not.
fn until_found(prometheus: &Prometheus, mut open: Vec<Query>) {
    assert!(open.len() > 20);
    let all = holds_within(Duration::from_secs(60), || {
        open.retain(|query| !prometheus.query(&query.expression).is_ok_and(|found| !found.is_empty()));
        open.is_empty()
    });
    let missing = open.iter().map(|query| {
        let said = prometheus.query(&query.expression);
        format!("{}: {} {}\n", query.by, query.expression, said.err().unwrap_or_default())
    });
    assert!(all, "{} find nothing:\n{}", open.len(), missing.collect::<String>());
}

/// An expression of the dashboard, with what its variables stand for.
fn substituted(expression: &str) -> String {
    let values = [
        ("$__rate_interval", "1m"),
        ("$env", "production"),
        ("$cluster", "weir"),
        ("$instance", ".*"),
        ("$connector", ".*"),
        ("$task", ".*"),
    ];
    let done = values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!done.contains('$'), "{done} has a variable that the dashboard does not define");
    done
}

/// Every query of the dashboard's panels and variables.
fn of_the_dashboard() -> Vec<Query> {
    let dashboard = dashboard();
    let mut queries = Vec::new();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = substituted(target["expr"].as_str().expect("an expression"));
            if !NOT_BEFORE.iter().any(|(metric, _)| expression.contains(metric)) {
                queries.push(Query { by: format!("panel {}", panel["title"]), expression });
            }
        }
    }
    let variables = dashboard["templating"]["list"].as_array().expect("variables").iter();
    for variable in variables.filter(|variable| variable["type"] == "query") {
        let query = substituted(variable["query"]["query"].as_str().expect("a query"));
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inside.and_then(|inside| inside.rsplit_once(", ")).expect("label_values(series, label)");
        let expression = format!("count by ({label}) ({series}) unless count ({series})");
        queries.push(Query { by: format!("variable {}", variable["name"]), expression });
    }
    queries
}

/// Strimzi's tables join what there is of a connector or task: one row for each, whichever worker has it.
fn joins_are_one_to_one(prometheus: &Prometheus) {
    let schemes = [
        [
            "kafka_connect_connector_metrics",
            "kafka_connect_connector_task_metrics",
            "kafka_connect_task_error_metrics",
            "_info",
        ],
        ["kafka_connect_connector", "kafka_connect_connector_task", "kafka_connect_task_error", ""],
    ];
    let tasks: usize = CONNECTORS.iter().map(|(_, tasks)| tasks).sum();
    for [connector, task, errors, info] in schemes {
        let joined = ["connector_class", "connector_version", "connector_type"]
            .map(|label| format!(" * on(connector) group_left({label}) {connector}_{label}{info}"));
        let scraped = "strimzi_io_kind=~\"KafkaConnect.*\",strimzi_io_cluster=\"weir\"";
        let rows = prometheus.until(
            &format!(
                "sum by (connector, status, connector_class, kubernetes_pod_name, connector_version, connector_type) \
                 ({connector}_status{info}{{{scraped}}}{})",
                joined.concat()
            ),
            CONNECTORS.len(),
        );
        for row in &rows {
            let labels = ["status", "connector_class", "kubernetes_pod_name", "connector_version", "connector_type"];
            assert!(labels.iter().all(|label| row["metric"][label].is_string()), "{row}");
        }
        let rows = prometheus.until(
            &format!(
                "sum by (connector, status, kubernetes_pod_name, task) ({errors}_total_record_failures{{{scraped}}} \
                 * on(connector, task) group_left(status) {task}_status{info})"
            ),
            tasks,
        );
        let status = |of: &str| {
            let row = rows.iter().find(|row| row["metric"]["connector"] == of).expect("a row for each");
            row["metric"]["status"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!((status("copy").as_str(), status("resting").as_str()), ("running", "paused"));
    }
}

/// The names of metrics that an expression has. Labels are no metrics.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let metrics = words.filter(|word| ["kafka_connect_", "weir_", "process_"].iter().any(|own| word.starts_with(own)));
    metrics.filter(|word| *word != "kafka_connect_cluster_id").map(str::to_owned).collect()
}

/// Prometheus evaluates every rule, and every metric of theirs is there.
fn rules_are_well(prometheus: &Prometheus) {
    let known = prometheus.ask("label/__name__/values").expect("names");
    let known: BTreeSet<&str> = known.as_array().expect("names").iter().filter_map(Value::as_str).collect();
    let mut groups = Value::Null;
    let evaluated = holds_within(Duration::from_secs(60), || {
        groups = prometheus.ask("rules").expect("rules")["groups"].take();
        groups.as_array().is_some_and(|groups| groups.iter().all(|group| group["evaluationTime"].as_f64() > Some(0.0)))
    });
    assert!(evaluated, "{groups}");
    let rules: Vec<&Value> = groups
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|group| group["rules"].as_array().into_iter().flatten())
        .collect();
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        assert!(rule["health"] == "ok" && rule["lastError"].is_null(), "{rule}");
        for name in names(rule["query"].as_str().unwrap_or_default()) {
            let later = NOT_BEFORE.iter().any(|(metric, _)| *metric == name);
            assert!(later || known.contains(name.as_str()), "{}: {name} is not there", rule["name"]);
        }
    }
}

#[test]
fn every_query_of_our_dashboard_and_of_published_ones_finds_something_on_workers_that_run() {
    let mut workers = Workers::start("metrics.naming=both\n");
    let configuration = configuration(&mut workers);
    let prometheus = Prometheus::start(workers.folder(), &configuration);
    prometheus.until("up == 1", 2);
    until_found(&prometheus, of_the_dashboard());
    let published =
        asked().into_iter().map(|one| Query { by: format!("{} / {}", one.board, one.panel), expression: one.query() });
    until_found(&prometheus, published.collect());
    joins_are_one_to_one(&prometheus);
    rules_are_well(&prometheus);
    prometheus.until("ALERTS{alertname=\"TaskFailed\",connector=\"failing\",task=\"0\"}", 1);

    // Without a word about names there are those of Connect's own registry, which all boards but one read.
    workers.restart("");
    let mut missing = Vec::new();
    let all = holds_within(Duration::from_secs(60), || {
        let scrape = Scrape::of(&workers.metrics());
        missing = asked().into_iter().filter(|one| one.board != "strimzi-jmx" && !one.is_in(&scrape)).collect();
        missing.is_empty()
    });
    let said = missing.iter().map(|one| format!("{} / {}: {}\n", one.board, one.panel, one.query()));
    assert!(all, "{} are not there by default:\n{}", missing.len(), said.collect::<String>());
    let scrape = Scrape::of(&workers.metrics());
    assert!(!scrape.names().any(|name| name == "kafka_connect_worker_task_count"), "Strimzi's names are asked for");
}
