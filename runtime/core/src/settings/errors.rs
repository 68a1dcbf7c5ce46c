//! Pure. What is done about records that fail (`errors.*`, KIP-298).

use std::time::Duration;

use super::reader::Reader;

/// What becomes of a task that meets a record that cannot be processed (`errors.tolerance`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tolerance {
    /// It fails.
    #[default]
    None,
    /// It goes on without the record.
    All,
}

/// For how long, and how often, a record is tried that may go through later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// `errors.retry.timeout`: since the first try; none for ever.
    pub timeout: Option<Duration>,
    /// `errors.retry.delay.max.ms`: the longest wait between two tries.
    pub delay_max: Duration,
}

impl RetrySettings {
    /// Whether anything is tried a second time.
    pub fn any(&self) -> bool {
        self.timeout.is_none_or(|timeout| !timeout.is_zero())
    }
}

impl Default for RetrySettings {
    fn default() -> RetrySettings {
        RetrySettings { timeout: Some(Duration::ZERO), delay_max: Duration::from_secs(60) }
    }
}

/// Where records go that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterSettings {
    /// `errors.deadletterqueue.topic.name`
    pub topic: String,
    /// `errors.deadletterqueue.topic.replication.factor`
    pub replication_factor: i16,
    /// `errors.deadletterqueue.context.headers.enable`: whether headers say what was wrong.
    pub context_headers: bool,
}

/// What is done about records that fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorSettings {
    /// What becomes of the task.
    pub tolerance: Tolerance,
    /// When they are tried again.
    pub retries: RetrySettings,
    /// `errors.log.enable`, and then `errors.log.include.messages`: whether lines name the record.
    pub log: Option<bool>,
    /// Where they go; none for nowhere.
    pub dead_letters: Option<DeadLetterSettings>,
}

const TOLERANCE: &str = "errors.tolerance";
const TIMEOUT: &str = "errors.retry.timeout";
const DELAY_MAX: &str = "errors.retry.delay.max.ms";
/// The key that names the topic of dead letters.
pub const DEAD_LETTER_TOPIC: &str = "errors.deadletterqueue.topic.name";
const REPLICATION_FACTOR: &str = "errors.deadletterqueue.topic.replication.factor";

impl ErrorSettings {
    /// Reads them out of a connector's configuration.
    pub(super) fn read(reader: &mut Reader) -> ErrorSettings {
        let tolerance = match reader.get(TOLERANCE).map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => Tolerance::None,
            Some("all") => Tolerance::All,
            Some(other) => {
                let message =
                    format!("Invalid value {other} for configuration {TOLERANCE}: String must be one of: none, all");
                reader.problem(TOLERANCE, message);
                Tolerance::None
            }
        };
        let log = reader.boolean("errors.log.enable", false);
        let messages = reader.boolean("errors.log.include.messages", false);
        ErrorSettings {
            tolerance,
            retries: retries(reader),
            log: log.then_some(messages),
            dead_letters: dead_letters(reader),
        }
    }
}

fn retries(reader: &mut Reader) -> RetrySettings {
    let RetrySettings { delay_max, .. } = RetrySettings::default();
    // As in Connect, whatever is negative means without end.
    let timeout = u64::try_from(reader.number::<i64>(TIMEOUT, 0)).ok().map(Duration::from_millis);
    let delay = reader.number::<i64>(DELAY_MAX, delay_max.as_millis() as i64);
    let delay_max = match u64::try_from(delay) {
        Ok(millis) if millis > 0 => Duration::from_millis(millis),
        _ => {
            let message = format!(
                "Invalid value {delay} for configuration {DELAY_MAX}: a wait between tries is at least 1 millisecond"
            );
            reader.problem(DELAY_MAX, message);
            delay_max
        }
    };
    RetrySettings { timeout, delay_max }
}

fn dead_letters(reader: &mut Reader) -> Option<DeadLetterSettings> {
    let replication_factor = reader.number(REPLICATION_FACTOR, 3);
    let context_headers = reader.boolean("errors.deadletterqueue.context.headers.enable", false);
    let topic = reader.get(DEAD_LETTER_TOPIC).filter(|topic| !topic.is_empty())?.to_owned();
    Some(DeadLetterSettings { topic, replication_factor, context_headers })
}

#[cfg(test)]
mod tests {
    use crate::model::{Config, Problem};

    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<ErrorSettings, Vec<Problem>> {
        let config: Config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut reader = Reader::new(&config);
        let settings = ErrorSettings::read(&mut reader);
        reader.finish().map(|()| settings)
    }

    #[test]
    fn where_nothing_is_said_the_first_bad_record_fails_the_task_at_once_and_in_silence() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings, ErrorSettings::default());
        assert_eq!((settings.tolerance, settings.retries.any()), (Tolerance::None, false));
        assert_eq!((settings.log, settings.dead_letters), (None, None));
    }

    #[test]
    fn all_of_them_are_read() {
        let settings = read(&[
            ("errors.tolerance", " ALL "),
            ("errors.retry.timeout", "-1"),
            ("errors.retry.delay.max.ms", "500"),
            ("errors.log.enable", "true"),
            ("errors.log.include.messages", "true"),
            ("errors.deadletterqueue.topic.name", " letters "),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
            ("errors.deadletterqueue.context.headers.enable", "true"),
        ]);
        let dead_letters = DeadLetterSettings { topic: "letters".into(), replication_factor: 1, context_headers: true };
        let retries = RetrySettings { timeout: None, delay_max: Duration::from_millis(500) };
        let expected =
            ErrorSettings { tolerance: Tolerance::All, retries, log: Some(true), dead_letters: Some(dead_letters) };
        assert_eq!(settings, Ok(expected));
        assert!(retries.any());
    }

    #[test]
    fn whatever_is_wrong_is_said_at_once_with_its_key() {
        let problems = read(&[
            ("errors.tolerance", "some"),
            ("errors.retry.timeout", "soon"),
            ("errors.retry.delay.max.ms", "0"),
            ("errors.log.enable", "yes"),
            ("errors.deadletterqueue.topic.replication.factor", "99999"),
        ]);
        let problems = problems.unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = ["errors.tolerance", "errors.log.enable", TIMEOUT, DELAY_MAX, REPLICATION_FACTOR];
        assert_eq!(keys, expected);
        assert!(problems.iter().all(|Problem { key, message }| message.contains(key.as_str())), "{problems:?}");
    }
}
