//! Loggers, whose levels can be changed while the worker runs (KIP-495, KIP-976).

use std::collections::BTreeMap;

/// A logger's level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggerLevel {
    /// Its name: OFF, ERROR, WARN, INFO, DEBUG or TRACE.
    pub level: String,
    /// When it was last changed, in milliseconds since 1970; none when it never was.
    pub last_modified: Option<u64>,
}

/// There is no level of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoLevel(pub String);

/// The loggers of a worker. All of them together are called `root`.
pub trait Loggers: Send + Sync {
    /// Every logger that is known, by name.
    fn all(&self) -> BTreeMap<String, LoggerLevel>;

    /// A logger, or the level that those have whose names begin so; none when there are none.
    fn get(&self, name: &str) -> Option<LoggerLevel>;

    /// Whether there is a level of that name.
    fn check(&self, level: &str) -> Result<(), NoLevel>;

    /// Sets a logger, and all whose names begin with its own. Answers the names of those whose level is another now, in
    /// order.
    fn set(&self, name: &str, level: &str) -> Result<Vec<String>, NoLevel>;
}
