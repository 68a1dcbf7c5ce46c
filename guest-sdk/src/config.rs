//! Pure. A configuration: text by key, read with types, defaults of the class filled in.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::bindings::plugin::exports::weir::connect::plugin::DefaultValue;
use crate::class::Class;
use crate::error::{Error, Result};

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
}

impl Config {
    /// A configuration of these entries, without defaults.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Config {
        let values = entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Config { values, defaults: BTreeMap::new() }
    }

    /// The same configuration with a class's defaults behind it.
    pub fn with_defaults(mut self, class: &Class) -> Config {
        for key in &class.keys {
            if let DefaultValue::Value(value) = &key.definition.default {
                self.defaults.insert(key.definition.name.clone(), value.clone());
            }
        }
        self
    }

    pub(crate) fn from_wit(entries: Vec<(String, String)>, class: &Class) -> Config {
        Config { values: entries.into_iter().collect(), defaults: BTreeMap::new() }.with_defaults(class)
    }

    pub(crate) fn into_wit(self) -> Vec<(String, String)> {
        self.values.into_iter().collect()
    }

    /// A value or its default, without space around it (ConfigDef.parseType).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).or_else(|| self.defaults.get(key)).map(|value| value.trim())
    }

    /// Sets a value.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.values.insert(key.to_owned(), value.to_string());
    }

    /// The given values as they stand, defaults left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A value that must be there.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.get(key).ok_or_else(|| Error::config(key, "is missing and has no default"))
    }

    /// A value of any type that reads from text: numbers, mostly.
    pub fn parse<T: FromStr>(&self, key: &str) -> Result<T> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| Error::config(key, format!("cannot read {text:?} as a {}", std::any::type_name::<T>())))
    }

    /// A value that is `true` or `false`, in any case.
    pub fn boolean(&self, key: &str) -> Result<bool> {
        let text = self.text(key)?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Error::config(key, format!("expected true or false, found {text:?}"))),
        }
    }

    /// A comma-separated list; nothing and blank text are the empty list.
    pub fn list(&self, key: &str) -> Vec<&str> {
        let text = self.get(key).unwrap_or("");
        if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Key;

    #[test]
    fn values_are_read_with_their_defaults_and_named_when_wrong() {
        let class = Class::new("test", "1").key(Key::int("size").default(7)).key(Key::text("name"));
        let config = Config::new([("list", " a, b "), ("bad", "x"), ("file", " f ")]).with_defaults(&class);
        assert_eq!((config.get("file"), config.text("file")), (Some("f"), Ok("f")));
        assert_eq!(config.parse::<i32>("size"), Ok(7));
        assert_eq!(config.list("list"), ["a", "b"]);
        assert_eq!(config.list("none"), Vec::<&str>::new());
        for error in [config.text("name").unwrap_err(), config.parse::<i32>("name").unwrap_err()] {
            assert_eq!(error.to_string(), "name: is missing and has no default\n");
        }
        assert_eq!(config.parse::<i32>("bad").unwrap_err().to_string(), "bad: cannot read \"x\" as a i32\n");
        assert!(config.boolean("bad").is_err());
    }
}
