//! Pure. Reads values of their types out of text, and collects what is wrong.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{Config, Problem};

/// Reads one configuration.
#[derive(Debug)]
pub struct Reader<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
    /// The keys that were asked for.
    asked: RefCell<BTreeSet<&'a str>>,
}

/// The entries of a configuration below a prefix: the rest of each key, the key, the value.
pub fn below<'a>(config: &'a Config, prefix: &str) -> impl Iterator<Item = (&'a str, &'a String, &'a String)> {
    let from = config.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    from.map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, key, value)))
}

/// Why a text is no number of a type, and what would be one.
fn not_a_number<T>(text: &str) -> &'static str {
    let fraction = matches!(std::any::type_name::<T>(), "f64" | "f32");
    match text.parse::<i128>() {
        Ok(number) if number < 0 => "Value must be at least 0",
        Ok(_) => "Value is too large",
        Err(_) if fraction => "Not a number",
        Err(_) => "Not a whole number: write digits alone, without a unit",
    }
}

impl<'a> Reader<'a> {
    /// A reader of a configuration.
    pub fn new(config: &'a Config) -> Reader<'a> {
        Reader { config, problems: Vec::new(), asked: RefCell::default() }
    }

    /// What was wrong; nothing when all was right.
    pub fn finish(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    /// Notes a problem.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), message: message.into() });
    }

    /// Whether a problem with a key was noted.
    pub fn is_wrong(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Notes problems.
    pub fn problems(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// Text, when it is given.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let (key, text) = self.config.get_key_value(key)?;
        self.asked.borrow_mut().insert(key);
        Some(text.trim())
    }

    /// Text that must be given and not be blank.
    pub fn required(&mut self, key: &str) -> String {
        match self.get(key) {
            Some(text) if !text.is_empty() => text.to_owned(),
            Some(_) => {
                self.problem(key, format!("Invalid value for configuration {key}: it is empty. Give it a value."));
                String::new()
            }
            None => {
                self.problem(key, format!("Missing required configuration \"{key}\" which has no default value."));
                String::new()
            }
        }
    }

    /// A number, or its default.
    pub fn number<T: FromStr + Copy>(&mut self, key: &str, default: T) -> T {
        let Some(text) = self.get(key) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problem(key, format!("Invalid value {text} for configuration {key}: {}", not_a_number::<T>(text)));
            default
        })
    }

    /// Milliseconds, or their default.
    pub fn millis(&mut self, key: &str, default: Duration) -> Duration {
        Duration::from_millis(self.number(key, default.as_millis() as u64))
    }

    /// `true` or `false` in any case, or the default.
    pub fn boolean(&mut self, key: &str, default: bool) -> bool {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                let message =
                    format!("Invalid value {other} for configuration {key}: Expected value to be either true or false");
                self.problem(key, message);
                default
            }
        }
    }

    /// A comma-separated list; nothing is the empty list.
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            None | Some("") => Vec::new(),
            Some(text) => text.split(',').map(|entry| entry.trim().to_owned()).collect(),
        }
    }

    /// The entries below a prefix, which is taken off.
    pub fn below(&self, prefix: &str) -> Config {
        let found = below(self.config, prefix).map(|(rest, key, value)| {
            self.asked.borrow_mut().insert(key);
            (rest.to_owned(), value.clone())
        });
        found.collect()
    }

    /// The keys below a prefix, which is taken off. They count as asked for only when they are.
    pub fn keys_below(&self, prefix: &str) -> Vec<&'a str> {
        below(self.config, prefix).map(|(rest, _, _)| rest).collect()
    }

    /// The keys that nobody asked for so far.
    pub fn unread(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        self.config.keys().filter(|key| !asked.contains(key.as_str())).cloned().collect()
    }
}
