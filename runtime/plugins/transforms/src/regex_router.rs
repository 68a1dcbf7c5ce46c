//! Pure. RegexRouter: another topic for records of topics that a regular expression matches.

use weir_sdk::prelude::*;

use crate::naming;
use crate::pattern::{Pattern, Replacement};
use crate::settings::{invalid, text};

/// Connect's RegexRouter.
pub struct RegexRouter {
    pattern: Pattern,
    replacement: Replacement,
    /// The topic asked about last, and where it goes.
    last: Option<(String, Option<String>)>,
}

impl Transformation for RegexRouter {
    fn class() -> Class {
        naming::transformation("RegexRouter")
            .doc(
                "Update the record topic using the configured regular expression and replacement string.<p/>Under the \
                 hood, the regex is compiled to a <code>java.util.regex.Pattern</code>. If the pattern matches the input \
                 topic, <code>java.util.regex.Matcher#replaceFirst()</code> is used with the replacement string to \
                 obtain the new topic.",
            )
            .key(
                Key::text("regex")
                    .importance(Importance::High)
                    .regex()
                    .doc("Regular expression to use for matching."),
            )
            .key(Key::text("replacement").importance(Importance::High).doc("Replacement string."))
    }

    fn configure(config: &Config) -> Result<Self> {
        let regex = text(config, "regex")?;
        let pattern = Pattern::new(regex).map_err(|why| invalid("regex", regex, &format!("Invalid regex: {why}")))?;
        Ok(RegexRouter { pattern, replacement: Replacement::new(text(config, "replacement")?), last: None })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::TOPIC, writes: Parts::TOPIC }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let topic = record.topic();
        if !self.last.as_ref().is_some_and(|(last, _)| last == topic) {
            let matches = self.pattern.matches(topic);
            let routed = matches.then(|| self.replacement.first(&self.pattern, topic)).transpose();
            self.last = Some((topic.to_owned(), routed.map_err(Error::data)?));
        }
        if let Some((_, Some(routed))) = &self.last {
            record.set_topic(routed);
        }
        Ok(Outcome::Keep)
    }
}
