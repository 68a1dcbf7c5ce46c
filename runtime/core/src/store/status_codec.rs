//! Pure. Records of the status topic as Connect writes and reads them (KafkaStatusBackingStore).

use serde_json::{Value, json};

use crate::model::TaskId;

use super::jackson;

/// A state as statuses name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It is stopped; connectors only.
    Stopped,
    /// It has failed.
    Failed,
    /// Nobody runs it.
    Unassigned,
    /// It is being restarted.
    Restarting,
}

const STATES: [(State, &str); 6] = [
    (State::Running, "RUNNING"),
    (State::Paused, "PAUSED"),
    (State::Stopped, "STOPPED"),
    (State::Failed, "FAILED"),
    (State::Unassigned, "UNASSIGNED"),
    (State::Restarting, "RESTARTING"),
];

impl State {
    /// The name in records and answers.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    fn of_name(name: &str) -> Option<State> {
        STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }
}

/// The status of a connector or task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Why it failed.
    pub trace: Option<String>,
    /// `host:port` of the worker that says so.
    pub worker_id: String,
    /// The group's generation when it said so; 0 in standalone.
    pub generation: i64,
    /// The version of the plugin; none when it was never made.
    pub version: Option<String>,
}

/// Whom a status record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusKey {
    /// A connector.
    Connector(String),
    /// A task.
    Task(TaskId),
    /// A topic that a connector has used.
    Topic {
        /// The connector.
        connector: String,
        /// The topic.
        topic: String,
    },
}

impl StatusKey {
    /// The record's key.
    pub fn encode(&self) -> String {
        match self {
            StatusKey::Connector(name) => format!("status-connector-{name}"),
            StatusKey::Task(id) => format!("status-task-{id}"),
            StatusKey::Topic { connector, topic } => format!("status-topic-{topic}:connector-{connector}"),
        }
    }

    /// What a key stands for; none when it is not one of these.
    pub fn decode(key: &[u8]) -> Option<StatusKey> {
        let key = std::str::from_utf8(key).ok()?;
        if let Some(name) = key.strip_prefix("status-connector-") {
            return Some(StatusKey::Connector(name.into()));
        }
        if let Some(rest) = key.strip_prefix("status-task-") {
            let (connector, index) = rest.rsplit_once('-')?;
            return Some(StatusKey::Task(TaskId { connector: connector.into(), index: index.parse().ok()? }));
        }
        // Topic names hold no colon, so the first one separates.
        let (topic, rest) = key.strip_prefix("status-topic-")?.split_once(':')?;
        Some(StatusKey::Topic { connector: rest.strip_prefix("connector-")?.into(), topic: topic.into() })
    }
}

impl Status {
    /// The record's value, members in Connect's order.
    pub fn encode(&self) -> Vec<u8> {
        jackson::text(&json!({
            "state": self.state.name(),
            "trace": self.trace,
            "worker_id": self.worker_id,
            "generation": self.generation,
            "version": self.version,
        }))
    }

    /// What a value says; none when it is not one of these.
    pub fn decode(value: &[u8]) -> Option<Status> {
        let value: Value = serde_json::from_slice(value).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Status {
            state: State::of_name(value.get("state")?.as_str()?)?,
            trace: text("trace"),
            worker_id: text("worker_id")?,
            generation: value.get("generation")?.as_i64()?,
            version: text("version"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_as_connect_writes_them_and_read_back() {
        let status = Status {
            state: State::Failed,
            trace: Some("boom\n".into()),
            worker_id: "127.0.0.1:8083".into(),
            generation: 3,
            version: None,
        };
        let written = String::from_utf8(status.encode()).unwrap();
        let expected =
            r#"{"state":"FAILED","trace":"boom\n","worker_id":"127.0.0.1:8083","generation":3,"version":null}"#;
        assert_eq!(written, expected);
        assert_eq!(Status::decode(written.as_bytes()), Some(status));
    }

    #[test]
    fn a_status_of_a_worker_without_versions_is_understood() {
        let old = br#"{"state":"RUNNING","trace":null,"worker_id":"w:1","generation":0}"#;
        assert_eq!(Status::decode(old).unwrap().state, State::Running);
        for bad in ["", "{}", r#"{"state":"DESTROYED","worker_id":"w","generation":1}"#, r#"{"state":1}"#] {
            assert_eq!(Status::decode(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn keys_survive_names_with_dashes_and_colons() {
        let id = TaskId { connector: "a-1".into(), index: 2 };
        for key in [
            StatusKey::Connector("a-1".into()),
            StatusKey::Task(id),
            StatusKey::Topic { connector: "a:b".into(), topic: "t.x".into() },
        ] {
            assert_eq!(StatusKey::decode(key.encode().as_bytes()), Some(key));
        }
        for bad in ["status-task-a", "status-task-a-x", "status-topic-t", "status-topic-t:x", "other", ""] {
            assert_eq!(StatusKey::decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
