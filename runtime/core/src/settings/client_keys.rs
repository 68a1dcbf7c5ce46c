//! Pure. The definitions of the settings that Java's clients have (their ConfigDef in Kafka 4.3.1), which `make compare`
//! writes out of Apache's own classes.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::model::{ClientKind, ConfigKey, ConfigType, DefaultValue, Importance, Width};

/// One object a line: the letters of the clients, and what their definition says.
const KEYS: &str = include_str!("client_keys-4.3.1.jsonl");

type Keys = HashMap<String, ConfigKey>;

static PRODUCER: LazyLock<Keys> = LazyLock::new(|| read('P'));
static CONSUMER: LazyLock<Keys> = LazyLock::new(|| read('C'));
static ADMIN: LazyLock<Keys> = LazyLock::new(|| read('A'));

fn keys(kind: ClientKind) -> &'static Keys {
    match kind {
        ClientKind::Producer => &PRODUCER,
        ClientKind::Consumer => &CONSUMER,
        ClientKind::Admin => &ADMIN,
    }
}

/// The definition of a client's setting; none for one that Java does not know.
pub fn client_key(kind: ClientKind, name: &str) -> Option<&'static ConfigKey> {
    keys(kind).get(name)
}

/// The names of a client's settings.
pub fn client_key_names(kind: ClientKind) -> impl Iterator<Item = &'static str> {
    keys(kind).keys().map(String::as_str)
}

fn read(client: char) -> Keys {
    let of_client = |key: &Value| key["clients"].as_str().is_some_and(|clients| clients.contains(client));
    let keys = KEYS.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(of_client);
    keys.map(|key| key_of(&key)).map(|key| (key.name.clone(), key)).collect()
}

fn key_of(key: &Value) -> ConfigKey {
    let text = |member: &str| key[member].as_str().map(str::to_owned);
    let name = text("name").unwrap_or_default();
    ConfigKey {
        kind: kind_of(key["type"].as_str().unwrap_or_default()),
        default: match text("default") {
            Some(text) => DefaultValue::Value(text),
            None if key["required"] == true => DefaultValue::Required,
            None => DefaultValue::Null,
        },
        importance: match key["importance"].as_str() {
            Some("HIGH") => Importance::High,
            Some("MEDIUM") => Importance::Medium,
            _ => Importance::Low,
        },
        documentation: text("documentation").unwrap_or_default(),
        // Connect reads the values, and leaves it to the clients to check them.
        validators: Vec::new(),
        group: text("group"),
        order: -1,
        width: Width::None,
        display_name: name.clone(),
        dependents: Vec::new(),
        recommended: false,
        grant: None,
        name,
    }
}

fn kind_of(name: &str) -> ConfigType {
    match name {
        "BOOLEAN" => ConfigType::Boolean,
        "INT" => ConfigType::Int,
        "SHORT" => ConfigType::Short,
        "LONG" => ConfigType::Long,
        "DOUBLE" => ConfigType::Double,
        "LIST" => ConfigType::List,
        "CLASS" => ConfigType::Class,
        "PASSWORD" => ConfigType::Password,
        _ => ConfigType::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_keys_as_java_defines_them() {
        let of = |kind, name| client_key(kind, name).map(|key| (key.kind, key.default.clone(), key.importance));
        let value = |text: &str| DefaultValue::Value(text.into());
        for (kind, name, expected) in [
            (ClientKind::Producer, "linger.ms", Some((ConfigType::Long, value("5"), Importance::Medium))),
            (ClientKind::Consumer, "linger.ms", None),
            (ClientKind::Consumer, "group.id", Some((ConfigType::String, DefaultValue::Null, Importance::High))),
            (ClientKind::Admin, "retries", Some((ConfigType::Int, value("2147483647"), Importance::Low))),
            (
                ClientKind::Producer,
                "sasl.jaas.config",
                Some((ConfigType::Password, DefaultValue::Null, Importance::Medium)),
            ),
            (
                ClientKind::Producer,
                "key.serializer",
                Some((ConfigType::Class, DefaultValue::Required, Importance::High)),
            ),
        ] {
            assert_eq!(of(kind, name), expected, "{name}");
        }
    }

    #[test]
    fn every_line_is_read() {
        for line in KEYS.lines() {
            let key: Value = serde_json::from_str(line).unwrap();
            let name = key["name"].as_str().unwrap();
            for (letter, kind) in "PCA".chars().zip(ClientKind::ALL) {
                let said = key["clients"].as_str().unwrap().contains(letter);
                let same = |known: &ConfigKey| key["documentation"] == known.documentation.as_str();
                assert!(!said || client_key(kind, name).is_some_and(same), "{kind:?} {name}");
            }
        }
    }
}
