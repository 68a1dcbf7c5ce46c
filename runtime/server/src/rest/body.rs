//! Pure. Request bodies: JSON that holds exactly what a request may hold.

use serde_json::{Map, Value};

use weir_core::model::Config;
use weir_core::store::TargetState;

/// A configuration that came in a body: what has values, and the keys that were given as null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenConfig {
    /// Keys with values.
    pub config: Config,
    /// Keys given as null.
    pub nulls: Vec<String>,
}

/// What a POST to `/connectors` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// `name`, trimmed; empty when it is missing.
    pub name: String,
    /// `config`
    pub given: GivenConfig,
    /// `initial_state`
    pub target: Option<TargetState>,
}

fn object(body: &[u8], what: &str) -> Result<Map<String, Value>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("The request has no body: send {what} as a JSON object"));
    }
    let value = serde_json::from_slice(body).map_err(|error| format!("The body is not JSON: {error}"))?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(format!("Cannot deserialize value: {what} is a JSON object, but the body is {}", kind(&other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn given(members: Map<String, Value>) -> Result<GivenConfig, String> {
    let mut given = GivenConfig::default();
    for (key, value) in members {
        let text = match value {
            Value::String(text) => text,
            // Connect takes numbers and booleans for their text.
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null => {
                given.nulls.push(key);
                continue;
            }
            Value::Array(_) | Value::Object(_) => {
                return Err(format!(
                    "Cannot deserialize value: configuration {key} is {}, but every value is a string",
                    kind(&value)
                ));
            }
        };
        given.config.insert(key, text);
    }
    Ok(given)
}

/// The body of a PUT of a configuration.
pub fn config(body: &[u8]) -> Result<GivenConfig, String> {
    given(object(body, "the configuration")?)
}

/// The body of a POST to `/connectors`.
pub fn create(body: &[u8]) -> Result<CreateRequest, String> {
    let mut members = object(body, "the connector, with name and config,")?;
    let name = match members.remove("name") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(name)) => name.trim().to_owned(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(other) => return Err(format!("Cannot deserialize value: name is a string, not {}", kind(&other))),
    };
    let config = match members.remove("config") {
        Some(Value::Object(config)) => given(config)?,
        None | Some(Value::Null) => return Err("The request has no config: give the connector's configuration".into()),
        Some(other) => return Err(format!("Cannot deserialize value: config is an object, not {}", kind(&other))),
    };
    let target = match members.remove("initial_state") {
        None | Some(Value::Null) => None,
        Some(Value::String(state)) => Some(match state.to_ascii_uppercase().as_str() {
            "RUNNING" => TargetState::Started,
            "PAUSED" => TargetState::Paused,
            "STOPPED" => TargetState::Stopped,
            _ => return Err(format!("Unknown initial_state {state:?}: it is RUNNING, PAUSED or STOPPED")),
        }),
        Some(other) => {
            return Err(format!("Cannot deserialize value: initial_state is a string, not {}", kind(&other)));
        }
    };
    match members.keys().next() {
        Some(unknown) => {
            Err(format!("Unrecognized field \"{unknown}\": a connector is made of name, config and initial_state"))
        }
        None => Ok(CreateRequest { name, given: config, target }),
    }
}

/// A configuration with the name under which it is stored (ConnectorsResource.checkAndPutConnectorConfigName).
pub fn named(name: &str, mut config: Config) -> Result<Config, String> {
    match config.get("name") {
        Some(other) if other != name => {
            Err(format!("Connector name configuration ({other}) doesn't match connector name in the URL ({name})"))
        }
        Some(_) => Ok(config),
        None => {
            config.insert("name".into(), name.into());
            Ok(config)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_are_taken_for_their_text_and_nulls_are_noted() {
        let read = config(br#"{"a": 1, "b": true, "c": "x", "d": null, "e": 1.50}"#).unwrap();
        let expected = [("a", "1"), ("b", "true"), ("c", "x"), ("e", "1.5")];
        let expected: Config = expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read, GivenConfig { config: expected, nulls: vec!["d".into()] });
    }

    #[test]
    fn a_connector_is_read_with_its_initial_state() {
        let read = create(br#"{"name": " c ", "config": {"k": "v"}, "initial_state": "paused"}"#).unwrap();
        assert_eq!((read.name.as_str(), read.target), ("c", Some(TargetState::Paused)));
        assert_eq!(create(br#"{"config": {}}"#).unwrap().name, "");
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said() {
        for (body, part) in [
            ("", "no body"),
            (" \n", "no body"),
            ("{", "not JSON"),
            ("[]", "Cannot deserialize value"),
            ("7", "a number"),
            (r#"{"name": "c"}"#, "no config"),
            (r#"{"name": ["c"], "config": {}}"#, "name is a string"),
            (r#"{"name": "c", "config": []}"#, "config is an object"),
            (r#"{"name": "c", "config": {"k": [1]}}"#, "configuration k is an array"),
            (r#"{"name": "c", "config": {}, "colour": 1}"#, "Unrecognized field \"colour\""),
            (r#"{"name": "c", "config": {}, "initial_state": "FLYING"}"#, "FLYING"),
        ] {
            let error = create(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
    }

    #[test]
    fn a_name_in_the_configuration_has_to_be_the_connectors() {
        assert_eq!(named("c", Config::new()).unwrap()["name"], "c");
        let other = Config::from([("name".to_owned(), "d".to_owned())]);
        assert!(named("d", other.clone()).is_ok());
        let expected = "Connector name configuration (d) doesn't match connector name in the URL (c)";
        assert_eq!(named("c", other).unwrap_err(), expected);
    }
}
