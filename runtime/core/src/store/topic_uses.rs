//! Which topics connectors have used (KIP-558): in memory for whoever asks, and as records of the status topic.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::model::TaskId;
use crate::port::LogRecord;

use super::status_codec::StatusKey;

#[derive(Default)]
struct Content {
    /// Connector and topic.
    uses: BTreeSet<(String, String)>,
    unwritten: Vec<LogRecord>,
}

/// Which topics connectors have used.
#[derive(Default)]
pub struct TopicUses(Mutex<Content>);

impl TopicUses {
    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a record of the status topic.
    pub(super) fn take(&self, connector: String, topic: String, there: bool) {
        self.with(|content| match there {
            true => drop(content.uses.insert((connector, topic))),
            false => drop(content.uses.remove(&(connector, topic))),
        });
    }

    /// Notes that a task has used a topic; answers whether that is news.
    pub(super) fn note(&self, id: &TaskId, topic: &str) -> bool {
        self.with(|content| {
            let news = content.uses.insert((id.connector.clone(), topic.to_owned()));
            if news {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let found = json!({"topic": {
                    "name": topic, "connector": id.connector, "task": id.index, "discoverTimestamp": since.as_millis() as u64
                }});
                content.unwritten.push(record(&id.connector, topic, Some(found.to_string())));
            }
            news
        })
    }

    /// The topics that a connector has used, in order.
    pub(super) fn of(&self, connector: &str) -> Vec<String> {
        let first = (connector.to_owned(), String::new());
        self.with(|content| {
            let own = content.uses.range(first..).take_while(|(name, _)| name == connector);
            own.map(|(_, topic)| topic.clone()).collect()
        })
    }

    /// The connectors of which uses are known.
    pub(super) fn connectors(&self) -> BTreeSet<String> {
        self.with(|content| content.uses.iter().map(|(connector, _)| connector.clone()).collect())
    }

    /// Forgets the topics that a connector has used.
    pub(super) fn forget(&self, connector: &str) {
        for topic in self.of(connector) {
            self.with(|content| {
                content.uses.remove(&(connector.to_owned(), topic.clone()));
                content.unwritten.push(record(connector, &topic, None));
            });
        }
    }

    /// What is to be written; whoever takes it writes it or gives it back.
    pub(super) fn take_unwritten(&self) -> Vec<LogRecord> {
        self.with(|content| std::mem::take(&mut content.unwritten))
    }

    /// Takes back what could not be written, before what has come since.
    pub(super) fn give_back(&self, mut records: Vec<LogRecord>) {
        self.with(|content| {
            records.append(&mut content.unwritten);
            content.unwritten = records;
        });
    }
}

fn record(connector: &str, topic: &str, value: Option<String>) -> LogRecord {
    let key = StatusKey::Topic { connector: connector.to_owned(), topic: topic.to_owned() };
    LogRecord { key: Some(key.encode().into_bytes()), value: value.map(String::into_bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_once_as_connect_writes_it_and_forgotten_with_a_tombstone() {
        let uses = TopicUses::default();
        let id = TaskId { connector: "c".into(), index: 3 };
        assert!(uses.note(&id, "t"));
        assert!(!uses.note(&id, "t"));
        uses.take("c".into(), "u".into(), true);
        uses.take("c2".into(), "t".into(), true);
        assert_eq!(uses.of("c"), ["t", "u"]);
        let written = uses.take_unwritten();
        let [LogRecord { key: Some(key), value: Some(value) }] = &written[..] else { panic!("{written:?}") };
        assert_eq!(key, b"status-topic-t:connector-c");
        let value = String::from_utf8_lossy(value);
        assert!(value.starts_with(r#"{"topic":{"name":"t","connector":"c","task":3,"discoverTimestamp":1"#), "{value}");
        uses.forget("c");
        uses.give_back(written);
        let keys: Vec<bool> = uses.take_unwritten().iter().map(|record| record.value.is_some()).collect();
        assert_eq!((uses.of("c"), uses.of("c2"), keys), (vec![], vec!["t".to_owned()], vec![true, false, false]));
    }
}
