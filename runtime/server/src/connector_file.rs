//! Pure. Connector files of the command line: properties, a JSON object of strings with `name`, or the JSON that one
//! POSTs to `/connectors`.

use serde_json::Value;

use weir_core::model::Config;
use weir_core::settings::parse_properties;
use weir_core::store::TargetState;

use crate::rest::initial_state;

/// What a connector file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorFile {
    /// The configuration.
    pub config: Config,
    /// What the connector is to do at first; none leaves it as it is.
    pub target: Option<TargetState>,
}

/// Reads a connector file.
pub fn parse(text: &str) -> Result<ConnectorFile, String> {
    let alone = |config: Config| ConnectorFile { config, target: None };
    if !text.trim_start().starts_with('{') {
        return parse_properties(text).map(alone);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(members) = value else { return Err("not a JSON object".into()) };
    match (members.get("name"), members.get("config")) {
        (Some(Value::String(name)), Some(Value::Object(config))) => {
            let mut config = strings(config)?;
            match config.get("name") {
                Some(other) if other != name => {
                    return Err(format!("config has name {other:?}, beside it stands name {name:?}: make them one"));
                }
                _ => {}
            }
            config.insert("name".into(), name.clone());
            let target = match members.get("initial_state") {
                None | Some(Value::Null) => None,
                Some(Value::String(state)) => Some(initial_state(state)?),
                Some(other) => return Err(format!("initial_state is a string, not {other}")),
            };
            Ok(ConnectorFile { config, target })
        }
        _ => strings(&members).map(alone),
    }
}

fn strings(members: &serde_json::Map<String, Value>) -> Result<Config, String> {
    members
        .iter()
        .map(|(key, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(format!("key {key}: {value} is not text: put it in quotation marks"));
                }
            };
            Ok((key.clone(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_mean_the_same() {
        let expected = Config::from([("name".into(), "c".into()), ("tasks.max".into(), "1".into())]);
        for text in [
            "name=c\ntasks.max=1",
            r#"{"name": "c", "tasks.max": 1}"#,
            r#" {"name": "c", "config": {"tasks.max": "1"}, "initial_state": null}"#,
            r#"{"name": "c", "config": {"name": "c", "tasks.max": "1"}}"#,
        ] {
            assert_eq!(parse(text), Ok(ConnectorFile { config: expected.clone(), target: None }), "{text}");
        }
    }

    #[test]
    fn what_is_posted_may_say_what_the_connector_is_to_do_at_first() {
        let file = parse(r#"{"name": "c", "config": {}, "initial_state": "stopped"}"#).unwrap();
        assert_eq!(file.target, Some(TargetState::Stopped));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("{", "not JSON"),
            (r#"{"a": [1]}"#, "key a"),
            (r#"{"a": null}"#, "key a"),
            (r#"{"name": "c", "config": {"name": "d"}}"#, "make them one"),
            (r#"{"name": "c", "config": {}, "initial_state": "FLYING"}"#, "FLYING"),
            (r#"{"name": "c", "config": {}, "initial_state": 1}"#, "not 1"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
