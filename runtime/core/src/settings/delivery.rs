//! Pure. How the records of sources are delivered: at least once or, with their offsets in transactions, exactly once
//! (KIP-618).

use std::time::Duration;

use super::reader::Reader;

/// `exactly.once.source.support` of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// Sources deliver at least once.
    #[default]
    Disabled,
    /// Likewise, but the leader writes configurations in transactions: all workers have to before any may be enabled.
    Preparing,
    /// Sources deliver exactly once.
    Enabled,
}

impl ExactlyOnceSupport {
    pub(super) fn read(reader: &mut Reader) -> ExactlyOnceSupport {
        use ExactlyOnceSupport::{Disabled, Enabled, Preparing};
        let known = [("disabled", Disabled), ("preparing", Preparing), ("enabled", Enabled)];
        any_case(reader, "exactly.once.source.support", &known).unwrap_or_default()
    }

    /// Whether the leader writes in transactions.
    pub fn leader_writes_in_transactions(self) -> bool {
        self != ExactlyOnceSupport::Disabled
    }
}

/// Where a source task's transactions end (`transaction.boundary`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionBoundary {
    /// Behind every batch.
    #[default]
    Poll,
    /// Behind the batch with which `transaction.boundary.interval.ms` has passed; none stands for the worker's
    /// `offset.flush.interval.ms`.
    Interval(Option<Duration>),
    /// Where the task says.
    Connector,
}

/// What a source's configuration says of delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverySettings {
    /// `exactly.once.support`: whether it has to be exactly once.
    pub required: bool,
    /// `transaction.boundary`
    pub boundary: TransactionBoundary,
    /// `offsets.storage.topic`: where its offsets are; none for the worker's topic.
    pub offsets_topic: Option<String>,
}

impl DeliverySettings {
    /// Reads them out of a connector's configuration.
    pub fn read(reader: &mut Reader) -> DeliverySettings {
        let required = any_case(reader, "exactly.once.support", &[("requested", false), ("required", true)]);
        const INTERVAL: &str = "transaction.boundary.interval.ms";
        let interval = reader.get(INTERVAL).is_some().then(|| reader.millis(INTERVAL, Duration::ZERO));
        use TransactionBoundary::{Connector, Interval, Poll};
        let known = [("poll", Poll), ("interval", Interval(interval)), ("connector", Connector)];
        DeliverySettings {
            required: required.unwrap_or(false),
            boundary: any_case(reader, "transaction.boundary", &known).unwrap_or_default(),
            offsets_topic: reader.get("offsets.storage.topic").filter(|topic| !topic.is_empty()).map(str::to_owned),
        }
    }
}

/// One of several words, in any case.
fn any_case<T: Copy>(reader: &mut Reader, key: &str, known: &[(&str, T)]) -> Option<T> {
    let text = reader.get(key)?;
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    if found.is_none() {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let words = words.join(", ");
        let message =
            format!("Invalid value {text} for configuration {key}: String must be one of (case insensitive): {words}");
        reader.problem(key, message);
    }
    found.map(|(_, meant)| *meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;

    fn read<T>(entries: &[(&str, &str)], read: impl Fn(&mut Reader) -> T) -> Result<T, Vec<String>> {
        let config: Config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut reader = Reader::new(&config);
        let settings = read(&mut reader);
        reader.finish().map(|()| settings).map_err(|problems| problems.into_iter().map(|p| p.message).collect())
    }

    #[test]
    fn words_are_taken_in_any_case_and_all_defaults_are_connects() {
        assert_eq!(read(&[], DeliverySettings::read), Ok(DeliverySettings::default()));
        let given = [
            ("exactly.once.support", "REQUIRED"),
            ("transaction.boundary", "Interval"),
            ("transaction.boundary.interval.ms", "7"),
            ("offsets.storage.topic", " own "),
        ];
        let expected = DeliverySettings {
            required: true,
            boundary: TransactionBoundary::Interval(Some(Duration::from_millis(7))),
            offsets_topic: Some("own".into()),
        };
        assert_eq!(read(&given, DeliverySettings::read), Ok(expected));
        let worker = |value| read(&[("exactly.once.source.support", value)], ExactlyOnceSupport::read);
        assert_eq!(worker("Enabled"), Ok(ExactlyOnceSupport::Enabled));
        assert_eq!(read(&[], ExactlyOnceSupport::read), Ok(ExactlyOnceSupport::Disabled));
    }

    #[test]
    fn another_word_is_refused_with_those_that_there_are() {
        let wrong = [
            ("exactly.once.support", "maybe"),
            ("transaction.boundary", "row"),
            ("transaction.boundary.interval.ms", "-1"),
        ];
        let said = read(&wrong, DeliverySettings::read).unwrap_err();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().any(|said| said.ends_with("(case insensitive): poll, interval, connector")), "{said:?}");
    }
}
