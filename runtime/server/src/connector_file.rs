//! Pure. Connector files of the command line: properties, a JSON object of strings with `name`, or the JSON that one
//! POSTs to `/connectors`.

use serde_json::Value;

use weir_core::model::Config;
use weir_core::settings::parse_properties;

/// The configuration in a connector file.
pub fn parse(text: &str) -> Result<Config, String> {
    if !text.trim_start().starts_with('{') {
        return parse_properties(text);
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
            Ok(config)
        }
        _ => strings(&members),
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
            r#" {"name": "c", "config": {"tasks.max": "1"}, "initial_state": "RUNNING"}"#,
            r#"{"name": "c", "config": {"name": "c", "tasks.max": "1"}}"#,
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("{", "not JSON"),
            (r#"{"a": [1]}"#, "key a"),
            (r#"{"a": null}"#, "key a"),
            (r#"{"name": "c", "config": {"name": "d"}}"#, "make them one"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
