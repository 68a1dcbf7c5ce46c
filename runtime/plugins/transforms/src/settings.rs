//! Pure. Values in configurations, and what Connect says of wrong ones.

use weir_sdk::prelude::*;

/// Whether a list may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// It may.
    Allowed,
    /// It must name something.
    Refused,
}

/// A list of names.
pub fn names(config: &Config, key: &str, empty: Empty) -> Result<Vec<String>> {
    let list = config.list(key);
    if list.is_empty() && empty == Empty::Refused {
        config.text(key)?;
        let why = format!("Configuration '{key}' must not be empty. Valid values include: any non-empty value");
        return Err(Error::config(key, why));
    }
    if list.contains(&"") {
        return Err(Error::config(key, format!("Configuration '{key}' values must not be empty.")));
    }
    Ok(list.into_iter().map(str::to_owned).collect())
}

/// Text, which Connect takes without the blanks around it.
pub fn text<'c>(config: &'c Config, key: &str) -> Result<&'c str> {
    config.text(key).map(str::trim)
}

/// Text that is one of these.
pub fn one_of<'c>(config: &'c Config, key: &str, allowed: &[&str]) -> Result<&'c str> {
    let text = text(config, key)?;
    if allowed.contains(&text) {
        return Ok(text);
    }
    Err(invalid(key, text, &format!("String must be one of: {}", allowed.join(", "))))
}

/// Text that is not empty.
pub fn non_empty<'c>(config: &'c Config, key: &str) -> Result<&'c str> {
    let text = text(config, key)?;
    if text.is_empty() { Err(invalid(key, text, "String must be non-empty")) } else { Ok(text) }
}

/// A list that is not empty; its names may be.
pub fn filled_list(config: &Config, key: &str) -> Result<Vec<String>> {
    config.text(key)?;
    let list = config.list(key);
    if list.is_empty() {
        return Err(invalid(key, "[]", "Empty list"));
    }
    Ok(list.into_iter().map(str::to_owned).collect())
}

/// What is wrong with a list that must name something. That it is missing is for the host to say.
pub fn wrong_names(config: &Config, key: &str) -> Vec<Problem> {
    let given = config.get(key).map(|_| names(config, key, Empty::Refused));
    given.and_then(Result::err).map_or_else(Vec::new, problems)
}

/// What is said of `replace.null.with.default`.
pub fn replace_null(config: &Config) -> Result<bool> {
    const KEY: &str = "replace.null.with.default";
    let text = text(config, KEY)?;
    let why = "Expected value to be either true or false";
    config.boolean(KEY).map_err(|_| invalid(KEY, text, why))
}

/// A list as Java prints it.
pub fn shown(list: &[&str]) -> String {
    format!("[{}]", list.join(", "))
}

/// A value that Connect calls invalid.
pub fn invalid(key: &str, value: &str, why: &str) -> Error {
    Error::config(key, format!("Invalid value {value} for configuration {key}: {why}"))
}

/// The problems of an error about a configuration.
pub fn problems(error: Error) -> Vec<Problem> {
    match error {
        Error::Config(problems) => problems,
        Error::Retriable(_) | Error::Data(_) | Error::Fatal(_) => Vec::new(),
    }
}

/// Three readings, or every problem of theirs.
pub fn all3<A, B, C>(a: Result<A>, b: Result<B>, c: Result<C>) -> Result<(A, B, C)> {
    match (a, b, c) {
        (Ok(a), Ok(b), Ok(c)) => Ok((a, b, c)),
        (a, b, c) => Err(Error::Config([a.err(), b.err(), c.err()].into_iter().flatten().flat_map(problems).collect())),
    }
}
