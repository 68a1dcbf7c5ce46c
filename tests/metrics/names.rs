//! The table of metrics, held against those of Apache's Kafka Connect 4.3.1 and the names that exporters give them.

use std::collections::BTreeSet;

use weir_core::observe::{Kind, Metric, names, table};
use weir_core::settings::Naming;

/// A metric of Connect's.
pub struct Connects {
    pub domain: &'static str,
    pub group: &'static str,
    pub attribute: &'static str,
    pub kind: &'static str,
    pub tags: Vec<&'static str>,
    strimzi: Option<&'static str>,
}

/// Every metric of Connect's that a reporter sees: of app-info, JMX has each twice.
pub fn connects() -> Vec<Connects> {
    let of = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [domain, group, attribute, kind, tags, strimzi] = words[..] else { panic!("{line}") };
        let tags = tags.split(',').filter(|tag| *tag != "-").collect();
        Connects { domain, group, attribute, kind, tags, strimzi: Some(strimzi).filter(|name| *name != "-") }
    };
    include_str!("connect-4.3.1.txt").lines().skip(1).map(of).collect()
}

fn found(group: &str, attribute: &str) -> &'static Metric {
    table::find(group, attribute).unwrap_or_else(|| panic!("{group} {attribute} is not in the table"))
}

#[test]
fn every_metric_of_connects_is_in_the_table_under_the_names_that_exporters_give_it() {
    let plain = |text: &str| text.replace(['-', '.'], "_");
    for Connects { domain, group, attribute, kind, strimzi, .. } in connects() {
        let metric = found(group, attribute);
        let expected = match kind {
            "info" => Kind::Info,
            // What counts and is not called so is a gauge, as OpenMetrics would call it otherwise.
            "counter" if attribute.ends_with("-total") => Kind::Counter,
            _ => Kind::Gauge,
        };
        assert_eq!(metric.kind, expected, "{group} {attribute}");
        let info = if kind == "info" { "_info" } else { "" };
        let mechanical = format!("{}_{}_{}{info}", plain(domain), plain(group), plain(attribute));
        assert_eq!(names(metric, Naming::Confluent)[0].name, mechanical);
        if let Some(strimzi) = strimzi {
            assert_eq!(names(metric, Naming::Strimzi)[0].name, strimzi);
        }
    }
}

#[test]
fn a_group_of_connects_has_no_metric_that_connect_has_not() {
    let connects = connects();
    let theirs: BTreeSet<_> = connects.iter().map(|own| (own.group, own.attribute)).collect();
    // Of Kafka's clients the list has only what boards read.
    let clients = ["consumer-", "producer-", "admin-client-"];
    let of_connect =
        |metric: &&Metric| !metric.group.is_empty() && !clients.iter().any(|client| metric.group.starts_with(client));
    for metric in table::all().filter(of_connect) {
        assert!(theirs.contains(&(metric.group, metric.attribute)), "{} {}", metric.group, metric.attribute);
    }
}
