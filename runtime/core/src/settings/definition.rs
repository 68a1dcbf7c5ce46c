//! Pure. Checks a value against its definition, with Connect's words (ConfigDef.parseType, its validators).

use crate::model::{Config, ConfigKey, ConfigType, DefaultValue, Validator};

/// What became of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The value as clients see it; none when it is not set or cannot be read.
    pub value: Option<String>,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

/// How passwords are shown.
const HIDDEN: &str = "[hidden]";

/// Checks the value that a configuration has for a key.
pub fn check(key: &ConfigKey, config: &Config) -> Checked {
    let name = &key.name;
    let mut errors = Vec::new();
    let given = match (config.get(name), &key.default) {
        (Some(text), _) => Some(text.trim().to_owned()),
        (None, DefaultValue::Value(text)) => Some(text.clone()),
        // Connect's ranges refuse null; an optional key could not have one then.
        (None, DefaultValue::Null) => return Checked::default(),
        (None, DefaultValue::Required) => {
            errors.push(format!("Missing required configuration \"{name}\" which has no default value."));
            None
        }
    };
    finish(key, given, errors)
}

/// Checks a key that was given as null: no default stands in for it.
pub fn check_null(key: &ConfigKey) -> Checked {
    finish(key, None, Vec::new())
}

fn finish(key: &ConfigKey, given: Option<String>, mut errors: Vec<String>) -> Checked {
    let name = &key.name;
    let parsed = match given.as_deref().map(|text| parse(key.kind, text)) {
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err(expected)) => {
            let given = given.as_deref().unwrap_or_default();
            errors.push(format!("Invalid value {given} for configuration {name}: {expected}"));
            None
        }
    };
    let failed = key.validators.iter().find_map(|validator| validate(validator, key.kind, parsed.as_deref()));
    if let Some(message) = failed {
        let shown = parsed.as_deref().unwrap_or("null");
        let shown = if key.kind == ConfigType::Password { HIDDEN } else { shown };
        errors.push(format!("Invalid value {shown} for configuration {name}: {message}"));
    }
    let hidden = key.kind == ConfigType::Password && parsed.is_some();
    Checked { value: if hidden { Some(HIDDEN.to_owned()) } else { parsed }, errors }
}

/// A value of a type in the form in which it is shown, or what was expected.
fn parse(kind: ConfigType, text: &str) -> Result<String, &'static str> {
    match kind {
        ConfigType::Boolean => match text.to_ascii_lowercase().as_str() {
            shown @ ("true" | "false") => Ok(shown.to_owned()),
            _ => Err("Expected value to be either true or false"),
        },
        ConfigType::Int => number::<i32>(text, "Not a number of type INT"),
        ConfigType::Short => number::<i16>(text, "Not a number of type SHORT"),
        ConfigType::Long => number::<i64>(text, "Not a number of type LONG"),
        ConfigType::Double => match text.parse::<f64>() {
            Ok(number) => Ok(double_text(number)),
            Err(_) => Err("Not a number of type DOUBLE"),
        },
        ConfigType::List => Ok(entries(text).collect::<Vec<&str>>().join(",")),
        ConfigType::String | ConfigType::Class | ConfigType::Password => Ok(text.to_owned()),
    }
}

/// A double as Java prints it.
fn double_text(number: f64) -> String {
    let mut text = Vec::new();
    weir_data::java_text::double(number, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn number<T: std::str::FromStr + ToString>(text: &str, expected: &'static str) -> Result<String, &'static str> {
    text.parse::<T>().map(|number| number.to_string()).map_err(|_| expected)
}

/// The entries of a list.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.split(',').map(str::trim)).into_iter().flatten()
}

/// What a validator says about a value; none when it is content.
fn validate(validator: &Validator, kind: ConfigType, value: Option<&str>) -> Option<String> {
    let of_list = kind == ConfigType::List;
    match (validator, value) {
        (Validator::AtLeast(_) | Validator::Between(..), None) => Some("Value must be non-null".into()),
        (Validator::AtLeast(least), Some(text)) => bound(text, *least, None),
        (Validator::Between(least, most), Some(text)) => bound(text, *least, Some(*most)),
        // A list is checked even when it has no value: its parse failure left none.
        (Validator::NonEmpty, Some(text)) if text.trim().is_empty() => {
            Some(if of_list { "Empty list".into() } else { "String must be non-empty".into() })
        }
        (Validator::OneOf(allowed), Some(text)) => {
            let fits = |one: &str| allowed.iter().any(|known| known == one);
            let ok = if of_list { entries(text).all(fits) } else { fits(text) };
            (!ok).then(|| format!("String must be one of: {}", allowed.join(", ")))
        }
        (Validator::OneOfIgnoringCase(allowed), Some(text)) => {
            let fits = |one: &str| allowed.iter().any(|known| known.eq_ignore_ascii_case(one));
            let ok = if of_list { entries(text).all(fits) } else { fits(text) };
            (!ok).then(|| format!("String must be one of (case insensitive): {}", allowed.join(", ")))
        }
        // Java's syntax differs from any at hand here: who uses the expression reads it, and says what is wrong.
        (Validator::Regex, _) | (Validator::NonEmpty, _) => None,
        (Validator::OneOf(_) | Validator::OneOfIgnoringCase(_), None) => None,
    }
}

fn bound(text: &str, least: f64, most: Option<f64>) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    match most {
        _ if number < least => Some(format!("Value must be at least {}", plain(least))),
        Some(most) if number > most => Some(format!("Value must be no more than {}", plain(most))),
        _ => None,
    }
}

/// A bound as Java prints it where it is a whole number.
fn plain(bound: f64) -> String {
    if bound.fract() == 0.0 && bound.abs() < 1e15 { format!("{}", bound as i64) } else { bound.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Importance, Width};

    fn checked(kind: ConfigType, validators: Vec<Validator>, value: Option<&str>) -> (Option<String>, Vec<String>) {
        let key = ConfigKey {
            name: "k".into(),
            kind,
            default: DefaultValue::Null,
            importance: Importance::High,
            documentation: String::new(),
            validators,
            group: None,
            order: -1,
            width: Width::None,
            display_name: "k".into(),
            dependents: vec![],
            recommended: false,
            grant: None,
        };
        let config = value.map(|value| ("k".to_owned(), value.to_owned())).into_iter().collect();
        let Checked { value, errors } = check(&key, &config);
        (value, errors)
    }

    #[test]
    fn values_are_shown_as_connect_shows_them() {
        for (kind, given, shown) in [
            (ConfigType::Boolean, " TRUE ", "true"),
            (ConfigType::Int, " +7", "7"),
            (ConfigType::List, " a , b,c ", "a,b,c"),
            (ConfigType::List, "  ", ""),
            (ConfigType::Double, "1", "1.0"),
            (ConfigType::Password, "secret", "[hidden]"),
            (ConfigType::String, " x ", "x"),
        ] {
            assert_eq!(checked(kind, vec![], Some(given)), (Some(shown.into()), vec![]), "{given}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_is_checked_as_no_value_too() {
        let (value, errors) = checked(ConfigType::Int, vec![Validator::AtLeast(1.0)], Some("abc"));
        assert_eq!(value, None);
        let expected = [
            "Invalid value abc for configuration k: Not a number of type INT",
            "Invalid value null for configuration k: Value must be non-null",
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn what_a_validator_refuses_is_named() {
        let one_of = |words: &[&str]| Validator::OneOf(words.iter().map(|word| word.to_string()).collect());
        for (kind, validator, given, part) in [
            (
                ConfigType::Int,
                Validator::AtLeast(1.0),
                "0",
                "Invalid value 0 for configuration k: Value must be at least 1",
            ),
            (ConfigType::Int, Validator::Between(1.0, 2.0), "3", "Value must be no more than 2"),
            (ConfigType::String, Validator::NonEmpty, " ", "String must be non-empty"),
            (ConfigType::List, Validator::NonEmpty, "", "Empty list"),
            (ConfigType::String, one_of(&["a", "b"]), "c", "String must be one of: a, b"),
            (ConfigType::List, one_of(&["a", "b"]), "a,c", "String must be one of: a, b"),
        ] {
            let (_, errors) = checked(kind, vec![validator], Some(given));
            assert!(errors.len() == 1 && errors[0].contains(part), "{errors:?}");
        }
    }

    #[test]
    fn an_optional_key_is_checked_when_it_has_a_value() {
        let bounded = |value| checked(ConfigType::Long, vec![Validator::AtLeast(0.0)], value);
        assert_eq!(bounded(None), (None, vec![]));
        assert_eq!(bounded(Some("-1")).1.len(), 1);
    }

    #[test]
    fn a_required_key_that_is_not_given_is_named() {
        let key = super::super::framework::of(crate::model::ClassKind::Source, "1")
            .into_iter()
            .find(|key| key.name == "connector.class")
            .unwrap();
        let expected = "Missing required configuration \"connector.class\" which has no default value.";
        assert_eq!(check(&key, &Config::new()).errors, [expected]);
    }
}
