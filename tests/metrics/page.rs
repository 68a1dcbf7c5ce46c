//! docs/metrics.md says what the table says. After a change of the table: `WEIR_WRITE_PAGE=1 make test`, or this test alone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use weir_core::observe::{Kind, Metric, names, table};
use weir_core::settings::Naming;

use super::names::connects;

const HEAD: &str = "# Metrics\n\n\
    What `GET /metrics` serves. This page is written from the table in `runtime/core/src/observe/table.rs` and \
    `client_table.rs` beside it, which also gives HELP and UNIT; a test holds all three together.\n\n\
    - Names: `metrics.naming=confluent` (default) puts group and attribute together mechanically, as below; `strimzi` gives \
    the names of Strimzi's JMX exporter; `both` gives both. What begins with `weir_` or `process_` has one name.\n\
    - Formats: Prometheus' text format 0.0.4, or OpenMetrics where `Accept` prefers it; the same names in both.\n\
    - A text is a label of a series that is always 1 (`…_info`). Of a state there is one series, that of the state now, from \
    the worker that owns the connector or task; series go with their task, and stay while it is failed.\n\
    - Rates, averages and maxima are of a window of two samples of `metrics.sample.window.ms` (30,000), as in Kafka: NaN \
    is an average of nothing, a rate of nothing is 0. What is called a percentage is a ratio from 0 to 1, as in Connect.\n\
    - `GET /connectors/{name}/metrics` has a connector's as JSON, by group and attribute, from all workers of the group.\n\
    - Totals of a task begin anew with the task: with a restart, a stop and resume, a change of its configuration or a move to \
    another worker; not with a pause.\n\
    - `kafka_consumer_*`, `kafka_producer_*` and `kafka_admin_client_*` are told by librdkafka as it sends and receives, and \
    have what is here and no more (retries, the sizes of batches and throttling are known to its statistics alone, which \
    weir leaves off); there are none on `local:`. A `client.id` that several clients have gets a number.\n\
    - Labels of weir's own: `connector`, `task` and `tenant` (empty until there are tenants); `call` of calls, `direction` \
    of what crosses, `kind` of traps, `limit` (the setting that holds it), `topic` and `partition` of lag, `plugin` (its first \
    class) and `version` of compilations.\n\
    - Where weir counts otherwise than Connect: `offset-commit-skip-*` are commits given up because the worker was no member \
    of its group (answers are never late here); rows that a sink's put names as failed count as errors, and as skipped where that is \
    tolerated; a failed task keeps its series, one that could not be made its status and count.\n\
    - `kafka_connect_connector_metrics`, `kafka_connect_app` and `kafka_connect_app_info` are Confluent's forms of what stands \
    elsewhere; `metrics.naming=strimzi` leaves them out.\n";

fn row(metric: &Metric) -> String {
    let own = names(metric, Naming::Confluent);
    let called = own.iter().map(|name| format!("`{}`", name.name)).collect::<Vec<_>>().join(", ");
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Info => "text",
        Kind::Histogram => "histogram",
    };
    format!("| {called} | {kind} | {} | {} |\n", metric.unit, metric.help)
}

fn page() -> String {
    let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for own in connects() {
        // A connector's counts of tasks stand in the group of the worker.
        let known = tags.entry(own.group).or_default();
        own.tags.into_iter().for_each(|tag| {
            if !known.contains(&tag) {
                known.push(tag)
            }
        });
    }
    let mut page = HEAD.to_owned();
    let mut current = None;
    for metric in table::all() {
        if current != Some(metric.group) {
            current = Some(metric.group);
            let labels = tags.get(metric.group).map(|tags| tags.join(", ")).unwrap_or_default();
            let labels = if labels.is_empty() { String::new() } else { format!(" ({labels})") };
            let title = if metric.group.is_empty() { "weir's own, and the process" } else { metric.group };
            // A string takes everything.
            let _ =
                write!(page, "\n## {title}{labels}\n\n| name | kind | unit | meaning |\n| --- | --- | --- | --- |\n");
        }
        page += &row(metric);
    }
    page
}

#[test]
fn the_page_of_metrics_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("WEIR_WRITE_PAGE").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page(), "docs/metrics.md is not what the table says: run this test with WEIR_WRITE_PAGE=1");
}
