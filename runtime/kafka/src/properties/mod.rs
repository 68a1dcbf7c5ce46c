//! Pure. Settings of Java's Kafka clients, as librdkafka's. An allow-list: every documented key is mapped, ignored
//! with a warning, or refused with a remedy; so is whatever is in no table.

mod jaas;
mod rules;
mod stores;
mod tables;

use std::collections::BTreeMap;

pub use weir_core::model::ClientKind;
use weir_core::model::Problem;
use weir_core::port::ClientSettings;

use rules::Rule;

/// Who wrote settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator, in the worker's file: `librdkafka.*` is taken too.
    Worker,
    /// Whoever may configure a connector.
    Connector,
}

/// librdkafka's keys that only the worker's file may set, with this prefix.
pub const NATIVE_PREFIX: &str = "librdkafka.";

/// Settings as librdkafka takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
    /// The settings that properties were read out of, by property; those that hold secrets are left out.
    pub origins: BTreeMap<String, String>,
    /// Settings that have no effect here, and why.
    pub ignored: BTreeMap<String, &'static str>,
}

impl Mapped {
    fn set(&mut self, key: &str, name: &str, value: String) {
        self.properties.insert(name.into(), value);
        self.origins.insert(name.into(), key.into());
    }
}

/// What is missing where users log in by name, by the key that Java's clients read.
pub(crate) fn login_missing(properties: &BTreeMap<String, String>) -> Option<Problem> {
    let get = |name: &str| properties.get(name).map_or("", String::as_str);
    let mechanism = [get("sasl.mechanism"), get("sasl.mechanisms")].into_iter().find(|text| !text.is_empty())?;
    let by_name = mechanism == "PLAIN" || mechanism.starts_with("SCRAM-SHA-");
    let logs_in = get("security.protocol").to_ascii_lowercase().starts_with("sasl");
    (logs_in && by_name && get("sasl.username").is_empty()).then(|| {
        let module = jaas::module(mechanism);
        let remedy =
            format!("is missing, and {mechanism} needs it: {module} required username=\"...\" password=\"...\";");
        Problem { key: "sasl.jaas.config".into(), message: remedy }
    })
}

/// Maps settings, or says everything that is wrong with them.
pub fn map(kind: ClientKind, origin: Origin, settings: &ClientSettings) -> Result<Mapped, Vec<Problem>> {
    let (mut mapped, mut problems) = (Mapped::default(), Vec::new());
    for (key, value) in settings {
        let value = value.trim();
        if let Some(native) = key.strip_prefix(NATIVE_PREFIX) {
            match origin {
                Origin::Worker => mapped.set(key, native, value.into()),
                Origin::Connector => {
                    let remedy = format!("keys of librdkafka are taken from the worker's file only; set {key} there");
                    problems.push(problem(key, value, &remedy));
                }
            }
            continue;
        }
        match tables::rule(kind, key) {
            Some(rule) => apply(rule, key, value, &mut mapped, &mut problems),
            None => {
                let remedy = format!(
                    "no setting of {} is called so; take it out, or correct its name",
                    match kind {
                        ClientKind::Producer => "a producer",
                        ClientKind::Consumer => "a consumer",
                        ClientKind::Admin => "an admin client",
                    }
                );
                problems.push(problem(key, value, &remedy));
            }
        }
    }
    jaas::map(settings, &mut mapped.properties, &mut problems);
    stores::map(settings, &mut mapped.properties, &mut problems);
    if problems.is_empty() { Ok(mapped) } else { Err(problems) }
}

/// The settings that a client of this kind knows; a worker's file holds others beside them.
pub fn known(kind: ClientKind, settings: &ClientSettings) -> ClientSettings {
    let known = |key: &str| key.starts_with(NATIVE_PREFIX) || tables::rule(kind, key).is_some();
    settings.iter().filter(|(key, _)| known(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether clients of this kind know a setting.
pub fn is_known(kind: ClientKind, key: &str) -> bool {
    tables::rule(kind, key).is_some()
}

/// The settings that a worker's file has for tasks' clients of this kind, and that they know.
pub fn of_tasks(kind: ClientKind, worker: &ClientSettings) -> ClientSettings {
    let of_kind = |(key, value): (&String, &String)| {
        let key = key.strip_prefix(kind.prefix()).filter(|key| is_known(kind, key))?;
        Some((key.to_owned(), value.clone()))
    };
    worker.iter().filter_map(of_kind).collect()
}

/// Whether a key of a worker's file has an effect on clients; none for one that no client knows. Keys with the prefix of
/// a kind are that kind's only.
pub fn has_effect(key: &str) -> Option<bool> {
    if key.starts_with(NATIVE_PREFIX) {
        return Some(true);
    }
    let all = ClientKind::ALL.into_iter();
    let rules = match all.clone().find_map(|kind| Some((kind, key.strip_prefix(kind.prefix())?))) {
        Some((kind, key)) => vec![tables::rule(kind, key)],
        None => all.map(|kind| tables::rule(kind, key)).collect(),
    };
    rules.into_iter().flatten().map(|rule| !matches!(rule, Rule::Ignored(_))).reduce(|one, other| one || other)
}

fn apply(rule: Rule, key: &str, value: &str, mapped: &mut Mapped, problems: &mut Vec<Problem>) {
    match rule {
        Rule::Same => mapped.set(key, key, value.into()),
        Rule::Named(name) => mapped.set(key, name, value.into()),
        Rule::Read(read) => match read(value) {
            Ok(found) => found.into_iter().for_each(|(name, value)| mapped.set(key, name, value)),
            Err(remedy) => problems.push(problem(key, value, &remedy)),
        },
        Rule::Elsewhere => {}
        Rule::Ignored(why) => _ = mapped.ignored.insert(key.into(), why),
        Rule::Refused(_) if value.is_empty() => {}
        Rule::Refused(remedy) => problems.push(problem(key, value, remedy)),
    }
}

/// A problem with a setting; values that may be secrets are left out.
pub(crate) fn problem(key: &str, value: &str, remedy: &str) -> Problem {
    let secret = ["password", "jaas", "secret", "keystore.key", "token"].iter().any(|part| key.contains(part));
    let message = if secret { remedy.to_string() } else { format!("{key}={value}: {remedy}") };
    Problem { key: key.into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(entries: &[(&str, &str)]) -> ClientSettings {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn mapped(kind: ClientKind, entries: &[(&str, &str)]) -> Vec<(String, String)> {
        map(kind, Origin::Connector, &settings(entries)).unwrap().properties.into_iter().collect()
    }

    fn refusal(kind: ClientKind, entries: &[(&str, &str)]) -> String {
        Problem::lines(&map(kind, Origin::Connector, &settings(entries)).unwrap_err())
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn what_both_know_keeps_its_meaning() {
        let producer = [("linger.ms", "5"), ("max.request.size", "2000000"), ("compression.type", "lz4")];
        let expected = [pair("compression.type", "lz4"), pair("linger.ms", "5"), pair("message.max.bytes", "2000000")];
        assert_eq!(mapped(ClientKind::Producer, &producer), expected);
        let consumer =
            [("fetch.max.wait.ms", "7"), ("isolation.level", "READ_COMMITTED"), ("auto.offset.reset", "none")];
        let expected = [
            pair("auto.offset.reset", "error"),
            pair("fetch.wait.max.ms", "7"),
            pair("isolation.level", "read_committed"),
        ];
        assert_eq!(mapped(ClientKind::Consumer, &consumer), expected);
    }

    #[test]
    fn class_names_of_assignors_become_names() {
        let of = |classes: &str| mapped(ClientKind::Consumer, &[("partition.assignment.strategy", classes)]);
        let assignor = |name: &str| format!("org.apache.kafka.clients.consumer.{name}");
        let key = "partition.assignment.strategy";
        assert_eq!(of(&assignor("CooperativeStickyAssignor")), [pair(key, "cooperative-sticky")]);
        let both = format!("{}, {}", assignor("RangeAssignor"), assignor("RoundRobinAssignor"));
        assert_eq!(of(&both), [pair(key, "range,roundrobin")]);
        // Java's own default: members that speak either; librdkafka speaks one at a time.
        let mixed = format!("{},{}", assignor("RangeAssignor"), assignor("CooperativeStickyAssignor"));
        assert_eq!(of(&mixed), [pair(key, "range")]);
        let refused = refusal(ClientKind::Consumer, &[(key, "com.example.Mine")]);
        assert!(refused.contains("com.example.Mine") && refused.contains("CooperativeStickyAssignor"), "{refused}");
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_name() {
        let refused = refusal(ClientKind::Producer, &[("lingr.ms", "5"), ("plugin.library.paths", "evil.so")]);
        assert!(refused.contains("lingr.ms=5") && refused.contains("plugin.library.paths=evil.so"), "{refused}");
    }

    #[test]
    fn librdkafkas_own_settings_come_from_the_worker_only() {
        let native = settings(&[("librdkafka.debug", "cgrp")]);
        let taken = map(ClientKind::Consumer, Origin::Worker, &native).unwrap();
        assert_eq!(taken.properties, BTreeMap::from([pair("debug", "cgrp")]));
        assert!(map(ClientKind::Consumer, Origin::Connector, &native).is_err());
    }

    #[test]
    fn what_has_no_effect_is_said_and_what_the_framework_sets_is_not() {
        let given = settings(&[
            ("metric.reporters", "x"),
            ("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer"),
            ("metrics.context.connect.group.id", "g"),
        ]);
        let mapped = map(ClientKind::Producer, Origin::Connector, &given).unwrap();
        assert_eq!((mapped.properties.len(), mapped.ignored.len()), (0, 1), "{mapped:?}");
    }

    #[test]
    fn a_worker_file_holds_more_than_client_settings() {
        let worker = settings(&[("bootstrap.servers", "a:1"), ("key.converter", "x"), ("rest.port", "1")]);
        assert_eq!(known(ClientKind::Admin, &worker), settings(&[("bootstrap.servers", "a:1")]));
    }

    #[test]
    fn a_workers_key_is_known_by_its_prefix() {
        for (key, effect) in [
            ("producer.linger.ms", Some(true)),
            ("consumer.linger.ms", None),
            ("linger.ms", Some(true)),
            ("admin.retries", Some(false)),
            ("retries", Some(true)),
            ("metric.reporters", Some(false)),
            ("producer.interceptor.classes", Some(false)),
            ("librdkafka.debug", Some(true)),
            ("producer.bogus", None),
            ("bogus", None),
        ] {
            assert_eq!(has_effect(key), effect, "{key}");
        }
    }

    #[test]
    fn every_problem_is_said_at_once_and_no_secret() {
        let given = [
            ("auto.offset.reset", "by_duration:P1D"),
            ("ssl.truststore.location", "trust.jks"),
            ("sasl.jaas.config", "com.example.Login required password=\"hunter2\";"),
        ];
        let refused = refusal(ClientKind::Consumer, &given);
        assert_eq!(refused.lines().count(), 3, "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
