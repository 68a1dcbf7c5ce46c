//! Pure. Which of a connector's dead letters go back, and where to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ClassKind, Pattern, RawRecords, Subscription};
use crate::process::{Way, way};

/// What became of a connector's dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// The queue.
    pub topic: String,
    /// Letters that were not looked at before.
    pub letters: u64,
    /// How many of them went back, or would have, by topic.
    pub back: BTreeMap<String, u64>,
    /// Of a source: how many its transformations filtered.
    pub filtered: u64,
    /// How many failed once more, or were refused, and are letters again.
    pub failed: u64,
    /// How many another connector gave up, which shares the queue.
    pub of_others: u64,
    /// How many do not say where they are from, name a topic that the sink does not read, or are not the whole record.
    /// They stay in the queue.
    pub unknown: u64,
    /// Whether all were looked at. What came meanwhile is left for the next time.
    pub complete: bool,
}

/// Where a connector's letters can be from.
#[derive(Debug)]
pub(super) enum Origins {
    /// A sink's: what it reads.
    Topics(Vec<Arc<str>>),
    Pattern(Pattern),
    /// A source's: wherever it may write.
    Anywhere,
}

impl Origins {
    pub fn of(kind: ClassKind, subscription: Option<&Subscription>) -> Result<Origins, String> {
        match (kind, subscription) {
            (ClassKind::Sink, Some(Subscription::Topics(topics))) => {
                Ok(Origins::Topics(topics.iter().map(|topic| topic.as_str().into()).collect()))
            }
            (ClassKind::Sink, Some(Subscription::Pattern(pattern))) => Pattern::new(pattern).map(Origins::Pattern),
            _ => Ok(Origins::Anywhere),
        }
    }

    /// The one that there is, where there is one.
    fn only(&self) -> Option<&Arc<str>> {
        match self {
            Origins::Topics(topics) if topics.len() == 1 => topics.first(),
            Origins::Topics(_) | Origins::Pattern(_) | Origins::Anywhere => None,
        }
    }

    fn hold(&self, topic: &Arc<str>) -> bool {
        match self {
            Origins::Topics(topics) => topics.contains(topic),
            Origins::Pattern(pattern) => pattern.matches(topic),
            Origins::Anywhere => true,
        }
    }
}

/// A topic, and the partition of it where there is one that is meant.
pub(super) type Place = (Arc<str>, Option<i32>);

/// What is found in letters.
pub(super) struct Tally {
    pub redriven: Redriven,
    pub connector: String,
    pub origins: Origins,
}

impl Tally {
    /// The rows that go back, and where to.
    pub fn sort(&mut self, letters: &RawRecords) -> (Vec<u32>, Vec<Place>) {
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        let counts = &mut self.redriven;
        counts.letters += letters.rows as u64;
        for row in 0..letters.rows {
            match way(letters, row, &self.connector, self.origins.only()) {
                Way::Back(topic, partition) if self.origins.hold(&topic) => {
                    *counts.back.entry(topic.to_string()).or_default() += 1;
                    rows.push(row as u32);
                    places.push((topic, partition));
                }
                Way::OfAnother => counts.of_others += 1,
                Way::Back(..) | Way::Unknown => counts.unknown += 1,
            }
        }
        (rows, places)
    }

    /// A record that was counted as going back did not.
    pub fn stays(&mut self, topic: &str) {
        if let Some(back) = self.redriven.back.get_mut(topic) {
            *back = back.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::RawHeaders;

    use super::*;

    /// Letters that name a connector and a topic.
    fn letters(named: &[(&str, &str)]) -> RawRecords {
        let mut headers = RawHeaders::default();
        for (connector, topic) in named {
            for (name, value) in [("connector.name", connector), ("topic", topic)] {
                headers.name.push(headers.names.len() as u32);
                headers.names.push(format!("__connect.errors.{name}").into());
                headers.value.push(value.as_bytes());
            }
            headers.ends.push(headers.name.len() as u32);
        }
        RawRecords { rows: named.len(), topics: vec!["dead".into()], headers, ..RawRecords::default() }
    }

    fn tally(subscription: Option<Subscription>) -> Tally {
        let kind = if subscription.is_some() { ClassKind::Sink } else { ClassKind::Source };
        let origins = Origins::of(kind, subscription.as_ref()).unwrap();
        Tally { redriven: Redriven::default(), connector: "c".into(), origins }
    }

    #[test]
    fn of_a_queue_that_connectors_share_only_ones_own_go_back_and_only_to_what_it_reads() {
        let letters = letters(&[("c", "a"), ("d", "a"), ("c", "elsewhere"), ("c", "a")]);
        let topics = || vec!["a".to_owned(), "b".to_owned()];
        for (subscription, rows, unknown) in [
            (Some(Subscription::Topics(topics())), vec![0, 3], 1),
            (Some(Subscription::Pattern("a|b".into())), vec![0, 3], 1),
            (None, vec![0, 2, 3], 0),
        ] {
            let mut tally = tally(subscription);
            assert_eq!(tally.sort(&letters).0, rows);
            let found = &tally.redriven;
            assert_eq!((found.letters, found.of_others, found.unknown), (4, 1, unknown));
            assert_eq!(found.back["a"], 2);
        }
    }

    #[test]
    fn what_did_not_go_back_is_not_counted_so() {
        let mut tally = tally(None);
        tally.sort(&letters(&[("c", "a"), ("c", "a")]));
        tally.stays("a");
        tally.stays("never");
        assert_eq!(tally.redriven.back, BTreeMap::from([("a".to_owned(), 1)]));
    }
}
