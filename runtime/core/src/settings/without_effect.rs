//! Pure. Keys of a worker's file that have no effect, and what to say of them.

use crate::model::Config;

/// Keys of Connect's workers of which some, or all, workers of weir read nothing.
const UNSUPPORTED: &[&str] = &[
    "config.storage.replication.factor",
    "connect.protocol",
    "connector.client.config.override.allowlist",
    "exactly.once.source.support",
    "group.id",
    "heartbeat.interval.ms",
    "inter.worker.key.generation.algorithm",
    "inter.worker.key.size",
    "inter.worker.key.ttl.ms",
    "inter.worker.signature.algorithm",
    "inter.worker.verification.algorithms",
    "internal.key.converter",
    "internal.value.converter",
    "offset.storage.partitions",
    "offset.storage.replication.factor",
    "plugin.discovery",
    "rebalance.timeout.ms",
    "rest.extension.classes",
    "scheduled.rebalance.max.delay.ms",
    "session.timeout.ms",
    "ssl.client.auth",
    "status.storage.partitions",
    "status.storage.replication.factor",
    "topic.tracking.allow.reset",
    "topic.tracking.enable",
    "worker.sync.timeout.ms",
    "worker.unsync.backoff.ms",
];

/// The same, with whatever is below.
const UNSUPPORTED_BELOW: &[&str] = &[
    "admin.listeners.https.",
    // Settings of the internal topics as they are made, which are a group's.
    "config.storage.",
    "internal.key.converter.",
    "internal.value.converter.",
    "listeners.https.",
    "offset.storage.",
    "status.storage.",
];

/// Prefixes of keys that are for the clients of tasks.
const OF_CLIENTS: [&str; 3] = ["producer.", "consumer.", "admin."];
/// With what those begin that only look like them.
const OF_LISTENERS: &str = "admin.listeners";

/// One line that names every key without effect and says what to do; none where all have one. `unread` are the keys of which
/// the worker read nothing; `client` says whether a key has an effect on clients, and none for a key that they do not know.
pub fn without_effect(config: &Config, unread: &[String], client: impl Fn(&str) -> Option<bool>) -> Option<String> {
    let (mut unknown, mut unsupported) = (Vec::new(), Vec::new());
    for key in config.keys().map(String::as_str) {
        let is_unread = unread.iter().any(|name| name == key);
        let is_workers = UNSUPPORTED.contains(&key) || UNSUPPORTED_BELOW.iter().any(|below| key.starts_with(below));
        let of_clients = OF_CLIENTS.iter().any(|prefix| key.starts_with(prefix)) && !key.starts_with(OF_LISTENERS);
        match client(key) {
            _ if is_unread && is_workers => unsupported.push(key),
            Some(false) if is_unread || of_clients => unsupported.push(key),
            None if is_unread || of_clients => unknown.push(key),
            Some(_) | None => {}
        }
    }
    let part = |keys: Vec<&str>, what: &str| (!keys.is_empty()).then(|| format!("{} ({what})", keys.join(", ")));
    let parts = [
        part(unknown, "unknown: correct their names, or take them out"),
        part(unsupported, "not supported here: take them out"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("these configurations were supplied but are not used: {}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::WorkerSettings;

    fn said(distributed: bool, entries: &[(&str, &str)]) -> Option<String> {
        let needed = [("key.converter", "A"), ("value.converter", "B"), ("offset.storage.file.filename", "/f")];
        let topics = ["config", "offset", "status"].map(|name| (format!("{name}.storage.topic"), name.to_owned()));
        let entries = needed.iter().chain(entries).map(|(key, value)| (key.to_string(), value.to_string()));
        let config: Config = entries.chain(topics).collect();
        let parse = if distributed { WorkerSettings::parse_distributed } else { WorkerSettings::parse };
        let settings = parse(&config).unwrap();
        without_effect(&config, &settings.unread, |key| match key {
            "metric.reporters" | "producer.interceptor.classes" => Some(false),
            "ssl.protocol" | "producer.linger.ms" | "producer.buffer.memory" => Some(true),
            _ => None,
        })
    }

    #[test]
    fn every_key_without_effect_is_named_once_with_its_prefix_and_what_to_do() {
        let line = said(
            false,
            &[
                ("bogus", "1"),
                ("consumer.bogus", "1"),
                ("metric.reporters", "R"),
                ("producer.interceptor.classes", "I"),
                ("rest.extension.classes", "E"),
                ("producer.linger.ms", "5"),
                ("producer.buffer.memory", "1000000"),
                ("ssl.protocol", "TLS"),
                ("key.converter.schemas.enable", "false"),
                ("admin.listeners", "https://:1"),
                ("admin.listeners.https.ssl.keystore.type", "PEM"),
            ],
        );
        let expected = "these configurations were supplied but are not used: bogus, consumer.bogus (unknown: correct \
                        their names, or take them out); metric.reporters, producer.interceptor.classes, \
                        rest.extension.classes (not supported here: take them out)";
        assert_eq!(line.as_deref(), Some(expected));
        assert_eq!(said(false, &[]), None);
    }

    #[test]
    fn what_only_groups_read_has_no_effect_on_a_worker_of_its_own() {
        let entries = [("group.id", "g"), ("config.storage.min.insync.replicas", "2"), ("rebalance.timeout.ms", "1")];
        let keys = |line: Option<String>| line.unwrap().split_once(": ").unwrap().1.to_owned();
        let alone =
            "config.storage.min.insync.replicas, group.id, rebalance.timeout.ms (not supported here: take them out)";
        assert_eq!(keys(said(false, &entries)), alone);
        let grouped = said(true, &entries);
        assert_eq!(keys(grouped), "offset.storage.file.filename (not supported here: take them out)");
    }
}
