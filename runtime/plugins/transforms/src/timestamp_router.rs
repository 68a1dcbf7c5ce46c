//! Pure. TimestampRouter: a topic made of the topic and the record's timestamp.

use weir_sdk::prelude::*;

use crate::date_format::DateFormat;
use crate::naming;
use crate::settings::{invalid, text};

const TOPIC: &str = "${topic}";
const TIMESTAMP: &str = "${timestamp}";

/// Connect's TimestampRouter.
pub struct TimestampRouter {
    topic_format: String,
    timestamp_format: DateFormat,
    printed: Vec<u8>,
    /// The topic routed last, with the timestamp as printed, and where it goes.
    last: Option<(String, Vec<u8>, String)>,
}

impl Transformation for TimestampRouter {
    fn class() -> Class {
        naming::transformation("TimestampRouter")
            .doc(
                "Update the record's topic field as a function of the original topic value and the record timestamp.\
                 <p/>This is mainly useful for sink connectors, since the topic field is often used to determine the \
                 equivalent entity name in the destination system(e.g. database table or search index name).",
            )
            .key(Key::text("topic.format").default("${topic}-${timestamp}").importance(Importance::High).doc(
                "Format string which can contain <code>${topic}</code> and <code>${timestamp}</code> as placeholders \
                 for the topic and timestamp, respectively.",
            ))
            .key(Key::text("timestamp.format").default("yyyyMMdd").importance(Importance::High).doc(
                "Format string for the timestamp that is compatible with <code>java.text.SimpleDateFormat</code>.",
            ))
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        timestamp_format(config).err().map_or_else(Vec::new, crate::settings::problems)
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(TimestampRouter {
            topic_format: text(config, "topic.format")?.to_owned(),
            timestamp_format: timestamp_format(config)?,
            printed: Vec::new(),
            last: None,
        })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::TOPIC | Parts::TIMESTAMP, writes: Parts::TOPIC }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let topic = record.topic();
        let Some(timestamp) = record.timestamp() else {
            return Err(Error::data(format!("Timestamp missing on record: it is for topic {topic}")));
        };
        self.printed.clear();
        self.timestamp_format.print(timestamp, &mut self.printed);
        match &self.last {
            Some((last, printed, routed)) if last == topic && *printed == self.printed => {
                record.set_topic(routed);
            }
            _ => {
                let printed = String::from_utf8_lossy(&self.printed);
                let routed = self.topic_format.replace(TOPIC, topic).replace(TIMESTAMP, &printed);
                self.last = Some((topic.to_owned(), self.printed.clone(), routed.clone()));
                record.set_topic(&routed);
            }
        }
        Ok(Outcome::Keep)
    }
}

fn timestamp_format(config: &Config) -> Result<DateFormat> {
    let pattern = text(config, "timestamp.format")?;
    DateFormat::new(pattern).map_err(|why| invalid("timestamp.format", pattern, &why))
}
