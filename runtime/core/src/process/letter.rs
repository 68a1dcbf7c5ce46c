//! Pure. Dead letters on their way back to the topics that they came from, or were meant for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{RawHeaders, RawRecords};

use super::error_context::{INCOMPLETE, NAMES, PREFIX};

/// What becomes of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It goes back to this topic, into this partition where it had one.
    Back(Arc<str>, Option<i32>),
    /// Another connector gave it up.
    OfAnother,
    /// It does not say where it is from, or is not the whole record.
    Unknown,
}

/// Where the headers of a row stand that its connector has added: the last of each name, for a record may have brought such
/// headers itself.
fn context(headers: &RawHeaders, row: usize) -> BTreeMap<&str, usize> {
    let known = |at: usize| {
        let name = headers.names[headers.name[at] as usize].strip_prefix(PREFIX)?;
        NAMES.contains(&name).then_some((name, at))
    };
    headers.range(row).filter_map(known).collect()
}

/// Reads where a connector's letter goes back to. Letters without context are the connector's, and go to its only topic.
pub fn way(letters: &RawRecords, row: usize, connector: &str, only_topic: Option<&Arc<str>>) -> Way {
    let said = context(&letters.headers, row);
    let text = |name: &str| std::str::from_utf8(letters.headers.value.get(*said.get(name)?)?).ok();
    if said.contains_key(INCOMPLETE) {
        return Way::Unknown;
    }
    if text("connector.name").is_some_and(|name| name != connector) {
        return Way::OfAnother;
    }
    // The letter can be anybody's, and producers answer to a partition below 0 as if nothing could be written any more.
    let partition = text("partition").and_then(|partition| partition.parse::<i32>().ok()).filter(|number| *number >= 0);
    match (text("topic"), only_topic) {
        (Some(topic), _) => Way::Back(topic.into(), partition),
        (None, Some(topic)) => Way::Back(topic.clone(), None),
        (None, None) => Way::Unknown,
    }
}

/// The records of letters, each with the topic and the partition that it goes back to: as they were before they were
/// letters.
pub fn taken_back(letters: &RawRecords, rows: &[u32], ways: &[(Arc<str>, Option<i32>)]) -> RawRecords {
    let chosen = letters.select(rows);
    let (mut topics, mut partitions) = (Table::default(), Table::default());
    let topic = ways.iter().map(|(topic, _)| topics.position(topic)).collect();
    let partition = ways.iter().map(|(_, partition)| partitions.position(partition)).collect();
    RawRecords {
        topics: topics.entries,
        topic,
        partitions: partitions.entries,
        partition,
        offset: Vec::new(),
        headers: own_headers(&chosen.headers, rows.len()),
        ..chosen
    }
}

struct Table<T> {
    entries: Vec<T>,
    positions: BTreeMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { entries: Vec::new(), positions: BTreeMap::new() }
    }
}

impl<T: Clone + Ord> Table<T> {
    fn position(&mut self, entry: &T) -> u32 {
        if let Some(&known) = self.positions.get(entry) {
            return known;
        }
        let position = self.entries.len() as u32;
        self.entries.push(entry.clone());
        self.positions.insert(entry.clone(), position);
        position
    }
}

/// The headers that a record had before it was a letter.
fn own_headers(headers: &RawHeaders, rows: usize) -> RawHeaders {
    let mut own = RawHeaders { names: headers.names.clone(), ..RawHeaders::default() };
    for row in 0..rows {
        let added: BTreeSet<usize> = context(headers, row).into_values().collect();
        headers.range(row).filter(|at| !added.contains(at)).for_each(|at| own.push_of(headers, at));
        own.ends.push(own.name.len() as u32);
    }
    if own.name.is_empty() { RawHeaders::default() } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters, each with these headers.
    fn letters(headers: &[&[(&str, &str)]]) -> RawRecords {
        let mut letters = RawRecords { rows: headers.len(), topics: vec!["dead".into()], ..RawRecords::default() };
        for (row, headers) in headers.iter().enumerate() {
            letters.value.push(row.to_string().as_bytes());
            for (name, value) in *headers {
                letters.headers.name.push(letters.headers.names.len() as u32);
                letters.headers.names.push((*name).into());
                letters.headers.value.push(value.as_bytes());
            }
            letters.headers.ends.push(letters.headers.name.len() as u32);
        }
        letters
    }

    #[test]
    fn a_letter_goes_where_it_says_or_to_the_only_topic_and_others_letters_are_left() {
        let (name, topic, partition) =
            ("__connect.errors.connector.name", "__connect.errors.topic", "__connect.errors.partition");
        let letters = letters(&[
            &[(name, "c"), (topic, "t"), (partition, "3")],
            &[(topic, "t"), (partition, "no number")],
            &[(name, "d"), (topic, "t")],
            &[],
            &[(topic, "t"), (partition, "-1")],
        ]);
        let only: Arc<str> = "only".into();
        let ways: Vec<Way> = (0..5).map(|row| way(&letters, row, "c", Some(&only))).collect();
        let back = |topic: &str, partition| Way::Back(topic.into(), partition);
        let expected = [back("t", Some(3)), back("t", None), Way::OfAnother, back("only", None), back("t", None)];
        assert_eq!(ways, expected);
        assert_eq!(way(&letters, 3, "c", None), Way::Unknown);
    }

    #[test]
    fn what_a_record_brought_itself_is_not_believed_and_comes_back_with_it() {
        let (topic, name) = ("__connect.errors.topic", "__connect.errors.connector.name");
        let letters = letters(&[
            &[(topic, "forged"), (name, "d"), (topic, "t"), (name, "c")],
            &[(topic, "t"), ("__connect.errors.incomplete", "true")],
        ]);
        assert_eq!(way(&letters, 0, "c", None), Way::Back("t".into(), None));
        assert_eq!(way(&letters, 1, "c", None), Way::Unknown);
        let back = taken_back(&letters, &[0], &[("t".into(), None)]);
        let headers: Vec<_> = back.headers.of(0).map(|(name, value)| (name, value.unwrap())).collect();
        assert_eq!(headers, [(topic, &b"forged"[..]), (name, b"d")]);
    }

    #[test]
    fn what_is_taken_back_is_as_it_was() {
        let stage = ("__connect.errors.stage", "TASK_PUT");
        let letters = letters(&[&[("own", "1"), stage], &[stage], &[stage, ("own", "2")]]);
        let back = taken_back(&letters, &[0, 2], &[("a".into(), Some(1)), ("b".into(), None)]);
        assert_eq!((&**back.topic_of(0), &**back.topic_of(1)), ("a", "b"));
        assert_eq!((back.partition_of(0), back.partition_of(1)), (Some(1), None));
        let headers = |row| back.headers.of(row).map(|(name, value)| (name, value.unwrap())).collect::<Vec<_>>();
        assert_eq!((headers(0), headers(1)), (vec![("own", &b"1"[..])], vec![("own", &b"2"[..])]));
        assert_eq!((back.value.get(0), back.value.get(1)), (Some(&b"0"[..]), Some(&b"2"[..])));
        assert_eq!(taken_back(&letters, &[1], &[("a".into(), None)]).headers, RawHeaders::default());
    }
}
