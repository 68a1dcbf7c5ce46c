//! Pure. TopicNameMatches: whether a regular expression matches the whole name of a record's topic.

use weir_sdk::prelude::*;

use crate::naming;
use crate::pattern::Pattern;
use crate::settings::{self, invalid};

/// Connect's TopicNameMatches.
pub struct TopicNameMatches {
    pattern: Pattern,
    /// The topic asked about last, and the answer.
    last: Option<(String, bool)>,
}

impl Predicate for TopicNameMatches {
    fn class() -> Class {
        naming::predicate("TopicNameMatches")
            .doc("A predicate which is true for records with a topic name that matches the configured regular expression.")
            .key(
                Key::text("pattern")
                    .non_empty()
                    .regex()
                    .doc("A Java regular expression for matching against the name of a record's topic."),
            )
    }

    fn configure(config: &Config) -> Result<Self> {
        let text = settings::non_empty(config, "pattern")?;
        let pattern = Pattern::new(text).map_err(|why| invalid("pattern", text, &format!("Invalid regex: {why}")))?;
        Ok(TopicNameMatches { pattern, last: None })
    }

    fn reads(&self) -> Parts {
        Parts::TOPIC
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        let topic = record.topic();
        match &self.last {
            Some((last, matches)) if last == topic => Ok(*matches),
            _ => {
                let matches = self.pattern.matches(topic);
                self.last = Some((topic.to_owned(), matches));
                Ok(matches)
            }
        }
    }
}
