//! Pure. What only a sink's, or only a source's, configuration is checked for.

use crate::model::{ClassKind, Config, Pattern, Problem};
use crate::settings::DEAD_LETTER_TOPIC;

use super::validate::Validation;

/// What is wrong with a connector's of this kind; `workers` is the group of its workers, where they are in one.
pub(super) fn check_kind(kind: ClassKind, config: &Config, workers: Option<&str>, validation: &mut Validation) {
    if kind == ClassKind::Sink {
        check_topics(config, validation);
    }
    let Some(workers) = workers else { return };
    check_name(config, validation);
    if kind == ClassKind::Sink {
        check_group(config, workers, validation);
    }
}

/// What workers ask of each other goes by URLs, in which two names mean something else.
fn check_name(config: &Config, validation: &mut Validation) {
    if let Some(name) = config.get("name").map(|name| name.trim()).filter(|name| matches!(*name, "." | "..")) {
        let message = format!(
            "Invalid value {name} for configuration name: workers cannot ask each other for it; give the connector another \
             name"
        );
        validation.add(Problem { key: "name".into(), message });
    }
}

fn check_topics(config: &Config, validation: &mut Validation) {
    let pattern = config.get("topics.regex").map(|pattern| pattern.trim()).unwrap_or_default();
    if let (false, Err(reason)) = (pattern.is_empty(), Pattern::new(pattern)) {
        let message = format!("Invalid value {pattern} for configuration topics.regex: Invalid regex: {reason}");
        validation.add(Problem { key: "topics.regex".into(), message });
    }
    require_topics(config, validation);
    check_dead_letters(config, validation);
}

/// A sink must not read what it has given up (SinkConnectorConfig.validate).
fn check_dead_letters(config: &Config, validation: &mut Validation) {
    let Some(letters) = given(config, DEAD_LETTER_TOPIC) else { return };
    if let Some(topics) =
        given(config, "topics").filter(|topics| topics.split(',').any(|topic| topic.trim() == letters))
    {
        let message = format!(
            "The DLQ topic '{letters}' may not be included in the list of topics ('{topics}') consumed by the connector"
        );
        validation.add(Problem { key: "topics".into(), message });
    }
    let Some(pattern) = given(config, "topics.regex") else { return };
    if Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(letters)) {
        let message = format!(
            "The DLQ topic '{letters}' may not be included in the regex matching the topics ('{pattern}') consumed by the \
             connector"
        );
        validation.add(Problem { key: "topics.regex".into(), message });
    }
}

/// A sink must not be in the group in which its workers are (DistributedHerder.validateSinkConnectorGroupId).
fn check_group(config: &Config, workers: &str, validation: &mut Validation) {
    const OVERRIDE: &str = "consumer.override.group.id";
    match (config.get(OVERRIDE).map(|group| group.trim()), config.get("name").map(|name| name.trim())) {
        (Some(group), _) if group == workers => {
            let message = format!("Consumer group {group} conflicts with Connect worker group {workers}");
            validation.add(Problem { key: OVERRIDE.into(), message });
        }
        (None, Some(name)) if workers.strip_prefix("connect-") == Some(name) => {
            let message =
                format!("Consumer group for sink connector named {name} conflicts with Connect worker group {workers}");
            validation.add(Problem { key: "name".into(), message });
        }
        _ => {}
    }
}

fn given<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// SinkConnectorConfig.validate: one of the two, and on each of them what is wrong.
fn require_topics(config: &Config, validation: &mut Validation) {
    let given = |key: &str| given(config, key).is_some();
    let message = match (given("topics"), given("topics.regex")) {
        (false, false) => "Must configure one of topics or topics.regex",
        (true, true) => "topics and topics.regex are mutually exclusive options, but both are set.",
        (true, false) | (false, true) => return,
    };
    for key in ["topics", "topics.regex"] {
        validation.entry(key).checked.errors.push(message.into());
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::framework;

    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_sink_needs_topics_or_a_pattern_and_not_both() {
        for (entries, errors) in [
            (&[][..], 2),
            (&[("topics", "a")], 0),
            (&[("topics", ""), ("topics.regex", "a.*")], 0),
            (&[("topics", "a"), ("topics.regex", "a.*")], 2),
        ] {
            let mut checked = Validation::new("X");
            let topics = framework::of(ClassKind::Sink, "1").into_iter().filter(|key| key.name.starts_with("topics"));
            topics.for_each(|key| checked.push(key, &config(entries)));
            require_topics(&config(entries), &mut checked);
            assert_eq!(checked.errors().count(), errors, "{entries:?}");
        }
    }

    #[test]
    fn a_sink_does_not_read_what_it_has_given_up() {
        for (entries, key) in [
            (&[("topics", "a, dead")][..], Some("topics")),
            (&[("topics.regex", "d.*")], Some("topics.regex")),
            (&[("topics", "a,deadly"), ("topics.regex", "dea")], None),
        ] {
            let mut checked = Validation::new("X");
            check_dead_letters(&config(&[entries, &[(DEAD_LETTER_TOPIC, " dead ")]].concat()), &mut checked);
            let wrong: Vec<String> = checked.errors().cloned().collect();
            assert_eq!(wrong.len(), usize::from(key.is_some()), "{entries:?}: {wrong:?}");
            assert!(wrong.iter().all(|said| said.starts_with("The DLQ topic 'dead' may not be included in the ")));
            if let Some(key) = key {
                assert_eq!(checked.entry(key).checked.errors, wrong);
            }
        }
    }

    #[test]
    fn a_sink_is_kept_out_of_the_group_of_its_workers() {
        let checked = |entries: &[(&str, &str)]| {
            let mut checked = Validation::new("X");
            check_group(&config(entries), "connect-cluster", &mut checked);
            checked.errors().cloned().collect::<Vec<_>>()
        };
        let conflicts = "conflicts with Connect worker group connect-cluster";
        let named = format!("Consumer group for sink connector named cluster {conflicts}");
        assert_eq!(checked(&[("name", "cluster")]), [named]);
        let key = "consumer.override.group.id";
        let named = format!("Consumer group connect-cluster {conflicts}");
        assert_eq!(checked(&[("name", "x"), (key, "connect-cluster")]), [named]);
        assert!(checked(&[("name", "cluster"), (key, "other")]).is_empty());
    }

    #[test]
    fn a_name_that_means_something_else_in_urls_is_refused_in_a_group() {
        let wrong = |workers| {
            let mut checked = Validation::new("X");
            check_kind(ClassKind::Source, &config(&[("name", "..")]), workers, &mut checked);
            checked.errors().count()
        };
        assert_eq!((wrong(Some("workers")), wrong(None)), (1, 0));
    }
}
