//! Pure. What only a sink's, or only a source's, configuration is checked for.

use crate::model::{Config, Pattern, Problem};

use super::validate::Validation;

/// What is wrong with a sink's; `workers` is the group of its workers, where they are in one.
pub(super) fn check_sink(config: &Config, workers: Option<&str>, validation: &mut Validation) {
    check_topics(config, validation);
    if let Some(workers) = workers {
        check_group(config, workers, validation);
    }
}

fn check_topics(config: &Config, validation: &mut Validation) {
    let pattern = config.get("topics.regex").map(|pattern| pattern.trim()).unwrap_or_default();
    if let (false, Err(reason)) = (pattern.is_empty(), Pattern::new(pattern)) {
        let message = format!("Invalid value {pattern} for configuration topics.regex: Invalid regex: {reason}");
        validation.add(Problem { key: "topics.regex".into(), message });
    }
    require_topics(config, validation);
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

/// What a source asks for and the worker cannot give yet must not be passed over in silence.
pub(super) fn check_source(config: &Config, validation: &mut Validation) {
    let given = |key: &str| config.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    if given("exactly.once.support").is_some_and(|support| support.eq_ignore_ascii_case("required")) {
        let message = "This worker does not have exactly-once source support enabled.".to_owned();
        validation.add(Problem { key: "exactly.once.support".into(), message });
    }
    if let Some(topic) = given("offsets.storage.topic") {
        let message = format!(
            "Invalid value {topic} for configuration offsets.storage.topic: offsets are kept in the worker's topic alone; \
             take the key out"
        );
        validation.add(Problem { key: "offsets.storage.topic".into(), message });
    }
}

/// SinkConnectorConfig.validate: one of the two, and on each of them what is wrong.
fn require_topics(config: &Config, validation: &mut Validation) {
    let given = |key: &str| config.get(key).is_some_and(|text| !text.trim().is_empty());
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
    use crate::model::ClassKind;
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
    fn a_source_that_asks_for_what_the_worker_cannot_give_is_refused() {
        let wrong = |entries: &[(&str, &str)]| {
            let mut checked = Validation::new("X");
            check_source(&config(entries), &mut checked);
            checked.errors().count()
        };
        assert_eq!(wrong(&[("exactly.once.support", "requested"), ("offsets.storage.topic", " ")]), 0);
        assert_eq!(wrong(&[("exactly.once.support", "REQUIRED"), ("offsets.storage.topic", "own")]), 2);
    }
}
