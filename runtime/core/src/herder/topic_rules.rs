//! The rules of a source connector by which its topics are made, and who makes them.

use crate::model::{Config, Pattern, Problem, TaskId};
use crate::settings::{ConnectorSettings, check_topic_groups, topic_groups};
use crate::task::{TopicRule, Topics};

use super::builder::{Builder, Failure};

impl Builder {
    /// The rules by which a source's topics are made; none where it has none or the worker makes none.
    pub(super) fn topic_rules(&self, config: &Config) -> Result<Vec<TopicRule>, Vec<Problem>> {
        if !self.settings.topic_creation {
            return check_topic_groups(config).map(|()| Vec::new());
        }
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        for group in topic_groups(config)? {
            let mut read = |pattern: &Option<String>, rest: &str| {
                let pattern = pattern.as_deref().map(Pattern::new).transpose();
                pattern.unwrap_or_else(|said| {
                    let key = group.key(rest);
                    let message =
                        format!("Invalid value for configuration {key}: Syntax error in regular expression: {said}");
                    problems.push(Problem { key, message });
                    None
                })
            };
            let (include, exclude) = (read(&group.include, "include"), read(&group.exclude, "exclude"));
            rules.push(TopicRule { group, include, exclude });
        }
        if problems.is_empty() { Ok(rules) } else { Err(problems) }
    }

    /// What makes the topics of a source's task.
    pub(super) fn topics(&self, settings: &ConnectorSettings, id: &TaskId) -> Result<Topics, Failure> {
        let rules = self.topic_rules(&settings.config).map_err(Failure::Config)?;
        let broker = match rules.is_empty() {
            true => self.broker.clone(),
            false => self.admin(settings, &format!("connector-adminclient-{id}"))?,
        };
        Ok(Topics::new(broker, rules))
    }
}
