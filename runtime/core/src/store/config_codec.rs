//! Pure. Records of the config topic as Connect writes and reads them (KafkaConfigBackingStore).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::model::{Config, TaskId};
use crate::port::SessionKey;

use super::jackson;

/// What a connector is meant to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetState {
    /// Run.
    #[default]
    Started,
    /// Keep its tasks, idle.
    Paused,
    /// Have no tasks.
    Stopped,
}

impl TargetState {
    /// The name in records (`state.v2`).
    pub fn name(self) -> &'static str {
        match self {
            TargetState::Started => "STARTED",
            TargetState::Paused => "PAUSED",
            TargetState::Stopped => "STOPPED",
        }
    }

    /// The name that workers before 3.5 understand (`state`).
    fn old_name(self) -> &'static str {
        match self {
            TargetState::Stopped => "PAUSED",
            other => other.name(),
        }
    }

    fn of_name(name: &str) -> Option<TargetState> {
        [TargetState::Started, TargetState::Paused, TargetState::Stopped].into_iter().find(|s| s.name() == name)
    }
}

/// A record of the config topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigRecord {
    /// A connector's configuration; none removes the connector.
    Connector(String, Option<Config>),
    /// A task's configuration, which holds once its set is committed.
    Task(TaskId, Config),
    /// The set of a connector's tasks is whole, and this many.
    Commit(String, u32),
    /// What a connector is meant to do; none forgets it.
    Target(String, Option<TargetState>),
    /// Restart a connector, its tasks too or not, only what has failed or all.
    Restart {
        /// The connector.
        name: String,
        /// Its tasks too.
        include_tasks: bool,
        /// Only what has failed.
        only_failed: bool,
    },
    /// Older tasks of a source connector are fenced, and this many may write from now on (KIP-618).
    Fencing(String, u32),
    /// The key for requests between workers.
    SessionKey(SessionKey),
    /// A logger is to have this level on every worker (KIP-976).
    LoggerLevel {
        /// The logger.
        logger: String,
        /// Its level's name.
        level: String,
    },
}

fn properties(config: &Config) -> Value {
    let members: Map<String, Value> = config.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
    json!({ "properties": members })
}

/// Key and value of a record.
pub fn encode(record: &ConfigRecord) -> (String, Option<Vec<u8>>) {
    let (key, value) = match record {
        ConfigRecord::Connector(name, config) => (format!("connector-{name}"), config.as_ref().map(properties)),
        ConfigRecord::Task(id, config) => (format!("task-{id}"), Some(properties(config))),
        ConfigRecord::Commit(name, tasks) => (format!("commit-{name}"), Some(json!({ "tasks": tasks }))),
        ConfigRecord::Target(name, state) => {
            let value = state.map(|state| json!({ "state": state.old_name(), "state.v2": state.name() }));
            (format!("target-state-{name}"), value)
        }
        ConfigRecord::Restart { name, include_tasks, only_failed } => {
            let value = json!({ "include-tasks": include_tasks, "only-failed": only_failed });
            (format!("restart-connector-{name}"), Some(value))
        }
        ConfigRecord::Fencing(name, tasks) => (format!("tasks-fencing-{name}"), Some(json!({ "task-count": tasks }))),
        ConfigRecord::SessionKey(SessionKey { key, algorithm, created }) => {
            let value = json!({ "key": STANDARD.encode(key), "algorithm": algorithm, "creation-timestamp": created });
            ("session-key".to_owned(), Some(value))
        }
        ConfigRecord::LoggerLevel { logger, level } => {
            (format!("logger-cluster-{logger}"), Some(json!({ "level": level })))
        }
    };
    (key, value.as_ref().map(jackson::text))
}

/// Why a record is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A record that this version does not know.
    NotOurs,
    /// A record whose value is not JSON, which Connect does not count either; the text says what is wrong.
    NotJson(String),
    /// A record that cannot be read; the text says what is wrong.
    Unreadable(String),
}

/// What a record says.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<ConfigRecord, Passed> {
    let wrong = |what: &str| Passed::Unreadable(format!("{}: {what}", String::from_utf8_lossy(key)));
    let not_json =
        |what: &str| Passed::NotJson(format!("{}: the value is not JSON: {what}", String::from_utf8_lossy(key)));
    let key_text = std::str::from_utf8(key).map_err(|_| wrong("the key is not UTF-8"))?;
    let value: Option<Value> = match value {
        None => None,
        Some(bytes) => Some(serde_json::from_slice(bytes).map_err(|e| not_json(&e.to_string()))?),
    };
    let config = || -> Result<Config, Passed> {
        let members = value.as_ref().and_then(|value| value.get("properties")).and_then(Value::as_object);
        let members = members.ok_or_else(|| wrong("the value has no object properties"))?;
        // A null stands for a key that is not set.
        let text = |(key, value): (&String, &Value)| match value {
            Value::String(text) => Some(Ok((key.clone(), text.clone()))),
            Value::Null => None,
            _ => Some(Err(wrong(&format!("property {key} is not text")))),
        };
        members.iter().filter_map(text).collect()
    };
    // In Connect's order, since some prefixes begin with others.
    if let Some(name) = key_text.strip_prefix("target-state-") {
        let Some(value) = &value else { return Ok(ConfigRecord::Target(name.into(), None)) };
        let text = value.get("state.v2").or_else(|| value.get("state")).and_then(Value::as_str);
        let state = text.and_then(TargetState::of_name).ok_or_else(|| wrong("it names no known state"))?;
        return Ok(ConfigRecord::Target(name.into(), Some(state)));
    }
    if let Some(name) = key_text.strip_prefix("connector-") {
        let config = if value.is_some() { Some(config()?) } else { None };
        return Ok(ConfigRecord::Connector(name.into(), config));
    }
    if let Some(rest) = key_text.strip_prefix("task-") {
        // Names may hold dashes: the number stands behind the last.
        let id = rest.rsplit_once('-').and_then(|(name, index)| Some((name, index.parse().ok()?)));
        let (name, index) = id.ok_or_else(|| wrong("it names no task"))?;
        return Ok(ConfigRecord::Task(TaskId { connector: name.into(), index }, config()?));
    }
    let count = |member: &str| {
        let count = value.as_ref().and_then(|value| value.get(member)).and_then(Value::as_u64);
        count.and_then(|count| u32::try_from(count).ok()).ok_or_else(|| wrong("it has no count of tasks"))
    };
    if let Some(name) = key_text.strip_prefix("commit-") {
        return Ok(ConfigRecord::Commit(name.into(), count("tasks")?));
    }
    if let Some(name) = key_text.strip_prefix("tasks-fencing-") {
        return Ok(ConfigRecord::Fencing(name.into(), count("task-count")?));
    }
    if let Some(name) = key_text.strip_prefix("restart-connector-") {
        let value = value.ok_or_else(|| wrong("it has no value"))?;
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (include_tasks, only_failed) = (flag("include-tasks"), flag("only-failed"));
        return Ok(ConfigRecord::Restart { name: name.into(), include_tasks, only_failed });
    }
    if let Some(logger) = key_text.strip_prefix("logger-cluster-") {
        let level = value.as_ref().and_then(|value| value.get("level")).and_then(Value::as_str);
        let level = level.ok_or_else(|| wrong("it names no level"))?.to_owned();
        return Ok(ConfigRecord::LoggerLevel { logger: logger.into(), level });
    }
    if key_text == "session-key" {
        let member = |name: &str| value.as_ref().and_then(|value| value.get(name));
        let text = |name: &str| member(name).and_then(Value::as_str).ok_or_else(|| wrong(&format!("it has no {name}")));
        let key = STANDARD.decode(text("key")?).map_err(|error| wrong(&format!("its key is not base64: {error}")))?;
        let created = member("creation-timestamp").and_then(Value::as_i64);
        let created = created.ok_or_else(|| wrong("it has no creation-timestamp"))?;
        return Ok(ConfigRecord::SessionKey(SessionKey { key, algorithm: text("algorithm")?.to_owned(), created }));
    }
    Err(Passed::NotOurs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn written(record: &ConfigRecord) -> (String, Option<String>) {
        let (key, value) = encode(record);
        (key, value.map(|value| String::from_utf8(value).unwrap()))
    }

    #[test]
    fn records_are_written_as_connect_writes_them_and_read_back() {
        let task = TaskId { connector: "a-1".into(), index: 12 };
        for (record, key, value) in [
            (
                ConfigRecord::Connector("a-1".into(), Some(config(&[("name", "a-1")]))),
                "connector-a-1",
                Some(r#"{"properties":{"name":"a-1"}}"#),
            ),
            (ConfigRecord::Connector("a".into(), None), "connector-a", None),
            (ConfigRecord::Task(task, config(&[])), "task-a-1-12", Some(r#"{"properties":{}}"#)),
            (ConfigRecord::Commit("a".into(), 3), "commit-a", Some(r#"{"tasks":3}"#)),
            (
                ConfigRecord::Target("a".into(), Some(TargetState::Stopped)),
                "target-state-a",
                Some(r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
            ),
            (ConfigRecord::Target("a".into(), None), "target-state-a", None),
            (
                ConfigRecord::Restart { name: "a".into(), include_tasks: true, only_failed: false },
                "restart-connector-a",
                Some(r#"{"include-tasks":true,"only-failed":false}"#),
            ),
            (
                ConfigRecord::SessionKey(SessionKey { key: vec![1, 2], algorithm: "HmacSHA256".into(), created: 7 }),
                "session-key",
                Some(r#"{"key":"AQI=","algorithm":"HmacSHA256","creation-timestamp":7}"#),
            ),
            (
                ConfigRecord::LoggerLevel { logger: "a.b".into(), level: "DEBUG".into() },
                "logger-cluster-a.b",
                Some(r#"{"level":"DEBUG"}"#),
            ),
        ] {
            assert_eq!(written(&record), (key.to_owned(), value.map(str::to_owned)));
            assert_eq!(decode(key.as_bytes(), value.map(str::as_bytes)), Ok(record));
        }
    }

    #[test]
    fn a_state_of_an_old_worker_is_understood() {
        let read = |value: &str| decode(b"target-state-a", Some(value.as_bytes()));
        assert_eq!(read(r#"{"state":"PAUSED"}"#), Ok(ConfigRecord::Target("a".into(), Some(TargetState::Paused))));
        assert!(matches!(read(r#"{"state":"FLYING"}"#), Err(Passed::Unreadable(_))));
    }

    #[test]
    fn what_is_not_ours_or_broken_is_passed_over() {
        for key in ["", "other"] {
            assert_eq!(decode(key.as_bytes(), Some(b"{}")), Err(Passed::NotOurs), "{key}");
        }
        for (key, value) in [
            ("connector-a", "[]"),
            ("connector-a", r#"{"properties":{"k":[1]}}"#),
            ("task-a", r#"{"properties":{}}"#),
            ("task-a-x", r#"{"properties":{}}"#),
            ("logger-cluster-x", "{}"),
            ("tasks-fencing-a", r#"{"tasks":1}"#),
            ("tasks-fencing-a", r#"{"task-count":-1}"#),
            ("commit-a", r#"{"tasks":1.5}"#),
            ("commit-a", r#"{"tasks":-1}"#),
            ("commit-a", r#"{"tasks":99999999999}"#),
        ] {
            let passed = decode(key.as_bytes(), Some(value.as_bytes()));
            assert!(matches!(passed, Err(Passed::Unreadable(_))), "{key} {value}: {passed:?}");
        }
        assert!(matches!(decode(b"\xff", None), Err(Passed::Unreadable(_))));
        assert!(matches!(decode(b"connector-a", Some(b"{")), Err(Passed::NotJson(_))));
    }

    #[test]
    fn a_null_property_is_a_key_that_is_not_set() {
        let record = decode(b"connector-a", Some(br#"{"properties":{"k":null,"l":"v"}}"#));
        assert_eq!(record, Ok(ConfigRecord::Connector("a".into(), Some(config(&[("l", "v")])))));
    }
}
