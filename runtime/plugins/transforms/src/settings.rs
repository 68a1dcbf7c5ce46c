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
