//! Pure. Request bodies: JSON that holds exactly what a request may hold.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use weir_core::herder::AlteredOffset;
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

type Members = BTreeMap<String, Box<RawValue>>;

/// A member's value, as far as a request can use it.
enum Member {
    Null,
    Text(String),
    /// A boolean or a number, which Connect takes for its text: as it is written, so that 1.50 stays 1.50.
    Scalar(String),
    Object(Members),
    Array,
}

fn not_json(error: serde_json::Error) -> String {
    format!("The body is not JSON: {error}")
}

impl Member {
    fn read(json: &[u8]) -> Result<Member, String> {
        let json = json.trim_ascii();
        Ok(match json.first() {
            Some(b'{') => Member::Object(serde_json::from_slice(json).map_err(not_json)?),
            Some(b'"') => Member::Text(serde_json::from_slice(json).map_err(not_json)?),
            _ => match serde_json::from_slice::<Box<RawValue>>(json).map_err(not_json)?.get() {
                "null" => Member::Null,
                array if array.starts_with('[') => Member::Array,
                scalar => Member::Scalar(scalar.to_owned()),
            },
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Member::Null => "null",
            Member::Text(_) => "a string",
            Member::Scalar(text) if matches!(text.as_str(), "true" | "false") => "a boolean",
            Member::Scalar(_) => "a number",
            Member::Object(_) => "an object",
            Member::Array => "an array",
        }
    }
}

/// The member of that name, taken out; null when it is missing.
fn take(members: &mut Members, name: &str) -> Result<Member, String> {
    members.remove(name).map_or(Ok(Member::Null), |value| Member::read(value.get().as_bytes()))
}

fn object(body: &[u8], what: &str) -> Result<Members, String> {
    // A mark that says no more than that UTF-8 follows.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("The request has no body: send {what} as a JSON object"));
    }
    match Member::read(body)? {
        Member::Object(members) => Ok(members),
        other => Err(format!("Cannot deserialize value: {what} is a JSON object, but the body is {}", other.kind())),
    }
}

fn given(members: Members) -> Result<GivenConfig, String> {
    let mut given = GivenConfig::default();
    for (key, value) in members {
        match Member::read(value.get().as_bytes())? {
            Member::Text(text) | Member::Scalar(text) => drop(given.config.insert(key, text)),
            Member::Null => given.nulls.push(key),
            other @ (Member::Array | Member::Object(_)) => {
                return Err(format!(
                    "Cannot deserialize value: configuration {key} is {}, but every value is a string",
                    other.kind()
                ));
            }
        }
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
    let name = match take(&mut members, "name")? {
        Member::Null => String::new(),
        Member::Text(name) | Member::Scalar(name) => name.trim().to_owned(),
        other => return Err(format!("Cannot deserialize value: name is a string, not {}", other.kind())),
    };
    let config = match take(&mut members, "config")? {
        Member::Object(config) => given(config)?,
        Member::Null => return Err("The request has no config: give the connector's configuration".into()),
        other => return Err(format!("Cannot deserialize value: config is an object, not {}", other.kind())),
    };
    let target = match take(&mut members, "initial_state")? {
        Member::Null => None,
        Member::Text(state) => Some(initial_state(&state)?),
        other => return Err(format!("Cannot deserialize value: initial_state is a string, not {}", other.kind())),
    };
    match members.keys().next() {
        Some(unknown) => {
            Err(format!("Unrecognized field \"{unknown}\": a connector is made of name, config and initial_state"))
        }
        None => Ok(CreateRequest { name, given: config, target }),
    }
}

/// What a connector is to do at first, by its name in any case.
pub fn initial_state(state: &str) -> Result<TargetState, String> {
    match state.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok(TargetState::Started),
        "PAUSED" => Ok(TargetState::Paused),
        "STOPPED" => Ok(TargetState::Stopped),
        _ => Err(format!("Unknown initial_state {state:?}: it is RUNNING, PAUSED or STOPPED")),
    }
}

/// The body of a PUT of a logger's level.
pub fn level(body: &[u8]) -> Result<String, String> {
    let mut members = object(body, "the logger's level")?;
    match take(&mut members, "level")? {
        Member::Text(level) | Member::Scalar(level) => Ok(level),
        Member::Null => Err("Desired 'level' parameter was not specified in request.".into()),
        other => Err(format!("Cannot deserialize value: level is a string, not {}", other.kind())),
    }
}

/// An object's member that is an object itself, as text; none when it is null or missing.
fn object_text(members: &mut Members, name: &str) -> Result<Option<String>, String> {
    let Some(raw) = members.remove(name) else { return Ok(None) };
    match Member::read(raw.get().as_bytes())? {
        Member::Null => Ok(None),
        Member::Object(_) => Ok(Some(raw.get().to_owned())),
        other => Err(format!("Cannot deserialize value: {name} is an object or null, not {}", other.kind())),
    }
}

/// The body of a PATCH of a connector's offsets; empty when it holds none.
pub fn offsets(body: &[u8]) -> Result<Vec<AlteredOffset>, String> {
    let mut members = object(body, "the offsets")?;
    let listed = members.remove("offsets");
    if let Some(unknown) = members.keys().next() {
        return Err(format!("Unrecognized field \"{unknown}\": the body is made of offsets"));
    }
    let Some(listed) = listed.filter(|listed| listed.get() != "null") else { return Ok(Vec::new()) };
    let expected = |error| format!("Cannot deserialize value: offsets is an array of objects: {error}");
    let listed: Vec<Box<RawValue>> = serde_json::from_str(listed.get()).map_err(expected)?;
    let altered = |one: Box<RawValue>| {
        let mut members = match Member::read(one.get().as_bytes())? {
            Member::Object(members) => members,
            other => {
                let kind = other.kind();
                return Err(format!(
                    "Cannot construct instance: an offset is an object of partition and offset, not {kind}"
                ));
            }
        };
        let partition = object_text(&mut members, "partition")?.unwrap_or_else(|| "null".into());
        let offset = object_text(&mut members, "offset")?;
        match members.keys().next() {
            Some(unknown) => {
                Err(format!("Unrecognized field \"{unknown}\": an offset is made of partition and offset"))
            }
            None => Ok((partition, offset)),
        }
    };
    listed.into_iter().map(altered).collect()
}

/// A configuration with the name under which it is stored (ConnectorsResource.checkAndPutConnectorConfigName).
pub fn named(name: &str, mut given: GivenConfig) -> Result<GivenConfig, String> {
    match given.config.get("name") {
        Some(other) if other != name => {
            return Err(format!(
                "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
            ));
        }
        Some(_) => {}
        None => {
            given.nulls.retain(|key| key != "name");
            given.config.insert("name".into(), name.into());
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_are_taken_for_their_text_and_nulls_are_noted() {
        let read = br#"{"a": 1, "b": true, "c": "x", "d": null, "e": 1.50, "f": 1E+400, "g": -0, "h": "\u0041\\"}"#;
        let read = config(read).unwrap();
        let expected =
            [("a", "1"), ("b", "true"), ("c", "x"), ("e", "1.50"), ("f", "1E+400"), ("g", "-0"), ("h", "A\\")];
        let expected: Config = expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read, GivenConfig { config: expected, nulls: vec!["d".into()] });
    }

    #[test]
    fn a_connector_is_read_with_its_initial_state() {
        let read = create(br#"{"name": " c ", "config": {"k": "v"}, "initial_state": "paused"}"#).unwrap();
        assert_eq!((read.name.as_str(), read.target), ("c", Some(TargetState::Paused)));
        assert_eq!(create(br#"{"config": {}}"#).unwrap().name, "");
        assert_eq!(create(b"\xef\xbb\xbf {\"name\": 1.50, \"config\": {}}").unwrap().name, "1.50");
        let twice = create(br#"{"name": "a", "name": "b", "config": {"k": "1", "k": "2"}}"#).unwrap();
        assert_eq!((twice.name.as_str(), twice.given.config["k"].as_str()), ("b", "2"));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said() {
        for (body, part) in [
            ("", "no body"),
            (" \n", "no body"),
            ("{", "not JSON"),
            ("[]", "Cannot deserialize value"),
            ("7", "a number"),
            ("true", "a boolean"),
            ("nul", "not JSON"),
            ("{} x", "not JSON"),
            ("{'name': 'c'}", "not JSON"),
            (r#"{"name": "\ud800", "config": {}}"#, "not JSON"),
            (r#"{"name": "c", "config": {"k": NaN}}"#, "not JSON"),
            (r#"{"name": "c", "config": {"k": 01}}"#, "not JSON"),
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
    fn offsets_are_read_as_they_are_written() {
        let body =
            br#"{"offsets": [{"partition": {"f": "x"}, "offset": {"p": 1}}, {"offset": null, "partition": {}}, {}]}"#;
        let read = offsets(body).unwrap();
        let expected = [("{\"f\": \"x\"}", Some("{\"p\": 1}")), ("{}", None), ("null", None)];
        assert_eq!(read, expected.map(|(partition, offset)| (partition.to_owned(), offset.map(str::to_owned))));
        for empty in ["{}", r#"{"offsets": []}"#, r#"{"offsets": null}"#] {
            assert_eq!(offsets(empty.as_bytes()), Ok(vec![]), "{empty}");
        }
        for (body, part) in [
            ("[]", "Cannot deserialize value"),
            (r#"{"offsets": {}}"#, "Cannot deserialize value"),
            (r#"{"offsets": [{"partition": []}]}"#, "Cannot deserialize value"),
            (r#"{"offsets": [{"partition": {}, "offset": 7}]}"#, "Cannot deserialize value"),
            (r#"{"key": []}"#, "Unrecognized field"),
            (r#"{"offsets": [{"key": "val"}]}"#, "Unrecognized field"),
            (r#"{"offsets": [123]}"#, "Cannot construct instance"),
        ] {
            let error = offsets(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
    }

    #[test]
    fn a_name_in_the_configuration_has_to_be_the_connectors() {
        let given = |name: Option<&str>| GivenConfig {
            config: name.map(|name| ("name".to_owned(), name.to_owned())).into_iter().collect(),
            nulls: if name.is_none() { vec!["name".into()] } else { vec![] },
        };
        assert_eq!(named("c", given(None)).unwrap(), given(Some("c")));
        assert_eq!(named("d", given(Some("d"))).unwrap(), given(Some("d")));
        let expected = "Connector name configuration (d) doesn't match connector name in the URL (c)";
        assert_eq!(named("c", given(Some("d"))).unwrap_err(), expected);
    }
}
