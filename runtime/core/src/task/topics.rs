//! The topics that a source's records go to, made where they are missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Pattern;
use crate::port::{Broker, BrokerError, NewTopic};
use crate::settings::TopicGroup;

use super::TaskFailure;

/// A group of topics, and how it is found that a topic is in it.
pub struct TopicRule {
    /// How its topics are made.
    pub group: TopicGroup,
    /// Which topics are in it; none for all.
    pub include: Option<Pattern>,
    /// Which are not.
    pub exclude: Option<Pattern>,
}

impl TopicRule {
    fn holds(&self, topic: &str) -> bool {
        let matches = |pattern: &Option<Pattern>| pattern.as_ref().map(|pattern| pattern.matches(topic));
        matches(&self.include).unwrap_or(true) && !matches(&self.exclude).unwrap_or(false)
    }
}

/// Makes topics.
pub struct Topics {
    broker: Arc<dyn Broker>,
    rules: Vec<TopicRule>,
}

/// Why a topic could not be made.
#[derive(Debug)]
pub enum NotMade {
    /// The brokers do not answer: later it may work.
    Yet(String),
    /// The task cannot go on.
    Ever(TaskFailure),
}

impl Topics {
    /// Topics that are made as their first rule says, of which the last holds for every topic. Without rules they are
    /// left to the broker's own making, where it makes any.
    pub fn new(broker: Arc<dyn Broker>, rules: Vec<TopicRule>) -> Topics {
        Topics { broker, rules }
    }

    /// Whether there is anything to do before a topic is written to.
    pub fn makes_any(&self) -> bool {
        !self.rules.is_empty() || self.broker.makes_missing_topics()
    }

    /// Makes a topic that is not there. One that is needs no right to make topics.
    pub async fn make(&self, topic: &Arc<str>) -> Result<(), NotMade> {
        let described = self.broker.describe_topics(&[topic]).await;
        if described.map_err(|error| not_made(topic, None, error))?.iter().any(Option::is_some) {
            return Ok(());
        }
        let rule = self.rules.iter().find(|rule| rule.holds(topic)).map(|rule| &rule.group);
        let name = topic.to_string();
        let new = match rule {
            Some(group) => NewTopic {
                name,
                partitions: group.partitions,
                replication_factor: group.replication_factor,
                config: group.config.clone(),
            },
            None => NewTopic { name, partitions: -1, replication_factor: -1, config: BTreeMap::new() },
        };
        let created = self.broker.create_topic(&new).await.map_err(|error| not_made(topic, rule, error))?;
        let group = rule.map_or("none", |group| &group.name);
        tracing::info!(%topic, group, ?created, "the topic was missing");
        Ok(())
    }
}

/// What is said, and what to do: names the topic and the rule.
fn not_made(topic: &str, rule: Option<&TopicGroup>, error: BrokerError) -> NotMade {
    let error = match error {
        BrokerError::Unavailable(reason) => return NotMade::Yet(reason),
        error => error,
    };
    let by = rule.map_or(String::new(), |group| {
        format!(
            " by the topic creation group {} (partitions={}, replication.factor={}{})",
            group.name,
            group.partitions,
            group.replication_factor,
            group.config.iter().map(|(key, value)| format!(", {key}={value}")).collect::<String>(),
        )
    });
    let or_mend = match (&error, rule) {
        (BrokerError::Rejected(_), Some(group)) => format!(", or correct {}", group.key("*")),
        _ => String::new(),
    };
    let what = format!(
        "Task failed to create new topic {topic}{by}. Ensure that the task is authorized to create topics or that the topic \
         exists{or_mend}, and restart the task"
    );
    NotMade::Ever(TaskFailure::new(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> TopicGroup {
        TopicGroup {
            name: name.into(),
            include: None,
            exclude: None,
            partitions: 2,
            replication_factor: -1,
            config: BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]),
        }
    }

    fn only(name: &'static str) -> Option<Pattern> {
        Some(Pattern::new(name).unwrap())
    }

    #[test]
    fn a_rule_holds_for_what_it_includes_unless_it_excludes_it() {
        for (include, exclude, holds) in [
            (None, None, true),
            (only("t"), None, true),
            (only("u"), None, false),
            (only("t"), only("t"), false),
            (None, only("u"), true),
        ] {
            let rule = TopicRule { group: group("g"), include, exclude };
            assert_eq!(rule.holds("t"), holds);
        }
    }

    #[test]
    fn a_topic_that_cannot_be_made_is_named_with_its_rule_and_the_remedy() {
        let of = |rule, error| match not_made("t", rule, error) {
            NotMade::Yet(reason) => reason,
            NotMade::Ever(failure) => failure.trace,
        };
        assert_eq!(of(None, BrokerError::Unavailable("later".into())), "later");
        let slow = group("slow");
        let rejected = of(Some(&slow), BrokerError::Rejected("no such setting".into()));
        for part in [
            "topic t by the topic creation group slow (partitions=2, replication.factor=-1, retention.ms=5)",
            "or correct topic.creation.slow.*, and restart",
            "no such setting",
        ] {
            assert!(rejected.contains(part), "{part}: {rejected}");
        }
        let denied = of(None, BrokerError::Denied("no right".into()));
        assert!(
            denied.contains("new topic t. Ensure that the task is authorized") && denied.contains("no right"),
            "{denied}"
        );
    }
}
