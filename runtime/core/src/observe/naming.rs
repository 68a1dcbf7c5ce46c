//! Pure. The names under which Prometheus sees Connect's metrics: mechanical ones, which the boards of two exporters read,
//! or those of a third. What is not Connect's has one name.

use crate::settings::Naming;

use super::metric::{Kind, Metric};

/// A name of a metric, and how its samples look under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name, with what its kind puts behind it (`_total`, `_info`).
    pub name: String,
    /// Whether it is a counter there.
    pub counter: bool,
    /// Whether it is there without its `_total`, too: to OpenMetrics both were one counter, so that neither is one.
    pub also_bare: bool,
    /// Whether labels have no hyphen in it rather than an underscore (`clientid`).
    pub run_together: bool,
}

/// Totals that published boards ask for with `_total` and without: an exporter of theirs takes it off.
const ALSO_BARE: [(&str, &str); 4] = [
    ("connect-worker-rebalance-metrics", "completed-rebalances-total"),
    ("connect-metrics", "failed-authentication-total"),
    ("producer-metrics", "outgoing-byte-total"),
    ("producer-node-metrics", "incoming-byte-total"),
];

fn underscored(text: &str) -> String {
    text.replace('-', "_")
}

/// The MBean domain that a group is of.
fn domain(group: &str) -> &'static str {
    match group {
        _ if group.starts_with("consumer") => "kafka_consumer",
        _ if group.starts_with("producer") => "kafka_producer",
        _ if group.starts_with("admin-client") => "kafka_admin_client",
        _ => "kafka_connect",
    }
}

fn mechanical(metric: &Metric) -> String {
    let Metric { group, attribute, kind, .. } = metric;
    let info = if *kind == Kind::Info { "_info" } else { "" };
    format!("{}_{}_{}{info}", domain(group), underscored(group), underscored(attribute))
}

fn strimzi(metric: &Metric) -> String {
    let domain = domain(metric.group);
    let group = metric.group.strip_suffix("metrics").unwrap_or(metric.group).trim_end_matches('-');
    // The domain says that already.
    let own = domain.strip_prefix("kafka_").map(|own| own.replace('_', "-")).unwrap_or_default();
    let rest = match group.strip_prefix(own.as_str()) {
        Some(rest) if rest.is_empty() || rest.starts_with('-') => rest.trim_start_matches('-'),
        _ => group,
    };
    let rest = if rest.is_empty() { String::new() } else { format!("{}_", underscored(rest)) };
    format!("{domain}_{rest}{}", underscored(metric.attribute))
}

/// The names of a metric.
pub fn names(metric: &Metric, naming: Naming) -> Vec<Name> {
    let counter = metric.kind == Kind::Counter;
    if metric.group.is_empty() {
        let of_confluent = metric.attribute.starts_with("kafka_connect_");
        let hidden = of_confluent && naming == Naming::Strimzi;
        let name = Name { name: metric.attribute.to_owned(), counter, also_bare: false, run_together: false };
        return if hidden { Vec::new() } else { vec![name] };
    }
    let mut names = Vec::new();
    if naming != Naming::Strimzi {
        let also_bare = ALSO_BARE.contains(&(metric.group, metric.attribute));
        let name = mechanical(metric);
        let bare = name.strip_suffix("_total").filter(|_| also_bare).map(str::to_owned);
        names.push(Name { name, counter, also_bare, run_together: false });
        names.extend(bare.map(|name| Name { name, counter: false, also_bare, run_together: false }));
    }
    let strimzi = strimzi(metric);
    // Where both put the same together, one name is enough.
    if naming != Naming::Confluent && names.iter().all(|name| name.name != strimzi) {
        names.push(Name { name: strimzi, counter, also_bare: false, run_together: true });
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::table;
    use super::*;

    #[test]
    fn no_two_metrics_have_one_name_and_counters_are_called_totals() {
        let mut seen = BTreeMap::new();
        for metric in table::all() {
            assert!(metric.help.ends_with('.'), "{}", metric.attribute);
            for name in names(metric, Naming::Both) {
                // Braces stand for the name that a guest gives.
                let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_{}".contains(&b);
                assert!(name.name.bytes().all(good), "{}", name.name);
                assert!(!name.counter || name.name.ends_with("_total"), "{}", name.name);
                // OpenMetrics knows a counter by its name without the suffix.
                let is_counter = name.counter && !name.also_bare;
                let family = if is_counter { name.name.trim_end_matches("_total") } else { &name.name };
                let before = seen.insert(family.to_owned(), metric.attribute);
                assert_eq!(before, None, "{} twice", name.name);
            }
        }
    }

    #[test]
    fn metrics_stand_where_their_index_says() {
        for (index, metric) in table::all().enumerate() {
            assert_eq!(metric.index, index, "{}", metric.attribute);
        }
    }

    #[test]
    fn strimzi_takes_the_domain_out_of_the_group() {
        let name = |metric: &Metric| names(metric, Naming::Strimzi)[0].name.clone();
        for (group, attribute, expected) in [
            ("connect-metrics", "io-ratio", "kafka_connect_io_ratio"),
            ("connector-metrics", "status", "kafka_connect_connector_status"),
            ("producer-node-metrics", "incoming-byte-total", "kafka_producer_node_incoming_byte_total"),
            ("admin-client-metrics", "connection-count", "kafka_admin_client_connection_count"),
        ] {
            assert_eq!(name(table::find(group, attribute).unwrap()), expected);
        }
        assert_eq!(names(&table::APP, Naming::Strimzi), []);
    }
}
