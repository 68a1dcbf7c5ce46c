//! Where log lines go, and the levels of loggers, which can be changed while the worker runs (KIP-495). A logger is named
//! as log lines name it: `weir_core::herder::herd`. What it is set to holds for all whose names begin with its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use weir_core::port::{LoggerLevel, Loggers, NoLevel, Secrets};

use crate::log_lines::Text;

/// The name under which all loggers together are known.
const ROOT: &str = "root";
/// Loggers that write nothing can be set, too, and so many are kept.
const SET_MAX: usize = 1_000;

/// The names of levels, as log4j 2 has them; the first of each level is the one that is shown.
const LEVELS: [(&str, LevelFilter); 8] = [
    ("OFF", LevelFilter::OFF),
    ("ERROR", LevelFilter::ERROR),
    ("FATAL", LevelFilter::ERROR),
    ("WARN", LevelFilter::WARN),
    ("INFO", LevelFilter::INFO),
    ("DEBUG", LevelFilter::DEBUG),
    ("TRACE", LevelFilter::TRACE),
    ("ALL", LevelFilter::TRACE),
];

fn name_of(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("OFF", |(name, _)| name)
}

fn level_of(name: &str) -> Result<LevelFilter, NoLevel> {
    let found = LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    found.map(|(_, level)| *level).ok_or_else(|| NoLevel(name.to_owned()))
}

/// Levels by the beginnings of loggers' names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Levels {
    root: LevelFilter,
    set: BTreeMap<String, LevelFilter>,
    /// When levels were changed, in milliseconds since 1970.
    changed: BTreeMap<String, u64>,
}

impl Levels {
    fn of(&self, name: &str) -> LevelFilter {
        // Of the names that this one begins with, the longest is the last.
        let begins = self.set.range(..=name.to_owned()).rev().find(|(set, _)| name.starts_with(set.as_str()));
        begins.map_or(self.root, |(_, level)| *level)
    }

    fn targets(&self) -> Targets {
        Targets::new().with_default(self.root).with_targets(self.set.clone())
    }

    /// Sets a logger and all whose names begin with its own, of those that are known; answers whose level is another now,
    /// and who was not known before.
    fn set(&mut self, name: &str, level: LevelFilter, known: &BTreeSet<String>, now: u64) -> Vec<String> {
        let all = name.eq_ignore_ascii_case(ROOT);
        let name = if all { ROOT } else { name };
        let meant = |known: &&String| all || known.starts_with(name);
        let mut affected: BTreeSet<String> = known.iter().filter(meant).cloned().chain([name.to_owned()]).collect();
        affected.retain(|logger| match logger == ROOT {
            true => self.root != level,
            false => self.of(logger) != level || !known.contains(logger),
        });
        self.set.retain(|set, _| !(all || set.starts_with(name)));
        match all {
            true => self.root = level,
            false => drop(self.set.insert(name.to_owned(), level)),
        }
        for logger in &affected {
            self.changed.insert(logger.clone(), now);
        }
        affected.into_iter().collect()
    }
}

impl Levels {
    /// Forgets loggers that write nothing, the oldest first, as long as they are too many.
    fn bound(&mut self, met: &BTreeSet<String>) {
        while self.changed.len() > SET_MAX {
            let silent = self.changed.iter().filter(|(name, _)| *name != ROOT && !met.contains(*name));
            let Some(oldest) = silent.min_by_key(|(_, at)| **at).map(|(name, _)| name.clone()) else { return };
            self.changed.remove(&oldest);
            self.set.remove(&oldest);
        }
    }
}

/// Notes the names of loggers when they are first met.
#[derive(Clone, Default)]
struct Met(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Met {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() {
            locked(&self.0).insert(metadata.target().to_owned());
        }
        Interest::always()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loggers of this process.
pub struct ProcessLoggers {
    levels: Mutex<Levels>,
    met: Met,
    filter: reload::Handle<Targets, Registry>,
}

impl ProcessLoggers {
    fn known(&self, levels: &Levels) -> BTreeSet<String> {
        let set = levels.set.keys().chain(levels.changed.keys());
        locked(&self.met.0).iter().chain(set).cloned().chain([ROOT.to_owned()]).collect()
    }
}

fn shown(levels: &Levels, name: &str) -> LoggerLevel {
    let level = if name == ROOT { levels.root } else { levels.of(name) };
    LoggerLevel { level: name_of(level).to_owned(), last_modified: levels.changed.get(name).copied() }
}

impl Loggers for ProcessLoggers {
    fn all(&self) -> BTreeMap<String, LoggerLevel> {
        let levels = locked(&self.levels);
        self.known(&levels).into_iter().map(|name| (name.clone(), shown(&levels, &name))).collect()
    }

    fn get(&self, name: &str) -> Option<LoggerLevel> {
        let levels = locked(&self.levels);
        let name = if name.eq_ignore_ascii_case(ROOT) { ROOT } else { name };
        let below = format!("{name}::");
        let is_known = self.known(&levels).iter().any(|known| known == name || known.starts_with(&below));
        is_known.then(|| shown(&levels, name))
    }

    fn check(&self, level: &str) -> Result<(), NoLevel> {
        level_of(level).map(drop)
    }

    fn set(&self, name: &str, level: &str) -> Result<Vec<String>, NoLevel> {
        let level = level_of(level)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let mut levels = locked(&self.levels);
        let known = self.known(&levels);
        let changed = levels.set(name, level, &known, now);
        levels.bound(&locked(&self.met.0));
        // It fails only where the subscriber is gone, which is with the process.
        let _ = self.filter.reload(levels.targets());
        Ok(changed)
    }
}

/// Writes lines of JSON to standard error, without what variables of configurations stand for.
struct Discreet(Secrets);

impl Discreet {
    fn said(&self, line: &str) -> String {
        if !self.0.are_in(line) {
            return line.to_owned();
        }
        let Ok(mut event) = serde_json::from_str::<Value>(line) else { return self.0.hide(line.to_owned()) };
        // Level, time and logger hold no secrets, whatever a secret looks like.
        for value in event["fields"].as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
            if let Value::String(text) = value {
                *text = self.0.hide(std::mem::take(text));
            }
        }
        format!("{event}\n")
    }
}

impl Write for Discreet {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let said = self.said(&String::from_utf8_lossy(line));
        std::io::stderr().write_all(said.as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Sends log lines to standard error, so that standard output is free for a sink. `WEIR_LOG` chooses what is kept, as
/// `info` or `warn,weir_core=debug`; `WEIR_LOG_FORMAT=json` writes an object a line.
pub fn to_stderr(secrets: Secrets) -> Arc<ProcessLoggers> {
    let chosen = std::env::var("WEIR_LOG").unwrap_or_default();
    let parsed = chosen.parse::<Targets>();
    let wrong = parsed.is_err();
    let targets = parsed
        .ok()
        .filter(|_| !chosen.trim().is_empty())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let levels = Levels {
        root: targets.default_level().unwrap_or(LevelFilter::ERROR),
        set: targets.iter().map(|(target, level)| (target.to_owned(), level)).collect(),
        changed: BTreeMap::new(),
    };
    let (filter, handle) = reload::Layer::new(levels.targets());
    let met = Met::default();
    let format = std::env::var("WEIR_LOG_FORMAT").unwrap_or_default();
    let lines = match format.as_str() {
        "json" => {
            let lines = tracing_subscriber::fmt::layer().with_writer(move || Discreet(secrets.clone()));
            lines.json().with_span_list(false).boxed()
        }
        _ => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            lines.event_format(Text(secrets)).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
    };
    tracing_subscriber::registry().with(filter).with(lines).with(met.clone()).init();
    if wrong {
        tracing::warn!(
            "WEIR_LOG={chosen} is not understood, so info and above is kept: say info, or warn,weir_core=debug"
        );
    }
    if !["", "json", "text"].contains(&format.as_str()) {
        tracing::warn!("WEIR_LOG_FORMAT={format} is not known, so lines are text: say text or json");
    }
    Arc::new(ProcessLoggers { levels: Mutex::new(levels), met, filter: handle })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::settings::Variable;

    fn levels() -> Levels {
        Levels { root: LevelFilter::INFO, set: BTreeMap::new(), changed: BTreeMap::new() }
    }

    fn known(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_level_holds_for_all_names_that_begin_so_and_only_changes_are_told() {
        let (mut levels, met) = (levels(), known(&["a::b", "a::c", "d"]));
        assert_eq!(levels.set("a", LevelFilter::DEBUG, &met, 1), ["a", "a::b", "a::c"]);
        assert_eq!(levels.set("a", LevelFilter::DEBUG, &known(&["a", "a::b"]), 2), Vec::<String>::new());
        assert_eq!(levels.set("a::c", LevelFilter::WARN, &met, 3), ["a::c"]);
        let of = |levels: &Levels, name| name_of(levels.of(name));
        let each = |levels: &Levels| ["a::b", "a::c", "a::c::d", "d"].map(|name| of(levels, name));
        assert_eq!(each(&levels), ["DEBUG", "WARN", "WARN", "INFO"]);
        assert_eq!(shown(&levels, "a::c").last_modified, Some(3));
        assert_eq!(shown(&levels, "d").last_modified, None);
        assert_eq!(levels.set("e", LevelFilter::INFO, &met, 4), ["e"], "it is a logger from now on");
        assert_eq!(levels.set("a", LevelFilter::WARN, &met, 4), ["a", "a::b"]);
        assert_eq!(each(&levels), ["WARN", "WARN", "WARN", "INFO"]);
        assert_eq!(levels.set("Root", LevelFilter::WARN, &met, 5), ["d", "root"]);
        assert_eq!((levels.set.len(), each(&levels)), (0, ["WARN"; 4]));
    }

    #[test]
    fn loggers_that_write_nothing_are_kept_in_bounds_the_latest_of_them() {
        let (mut levels, met) = (levels(), known(&["met"]));
        levels.set("met", LevelFilter::WARN, &met, 0);
        for number in 0..SET_MAX as u64 + 5 {
            let all = levels.changed.keys().cloned().chain(met.clone()).collect();
            levels.set(&format!("name-{number:05}"), LevelFilter::WARN, &all, number + 1);
            levels.bound(&met);
        }
        assert_eq!((levels.changed.len(), levels.set.len()), (SET_MAX, SET_MAX));
        assert!(levels.set.contains_key("met") && !levels.set.contains_key("name-00005"));
        assert_eq!(levels.set("root", LevelFilter::INFO, &met, 9_999), ["met"]);
        assert_eq!(levels.set.len(), 0);
    }

    #[test]
    fn a_name_between_two_that_are_set_takes_the_one_it_begins_with() {
        let mut levels = levels();
        for (name, level) in [("a", LevelFilter::DEBUG), ("a::b::c", LevelFilter::TRACE), ("a::bb", LevelFilter::WARN)]
        {
            levels.set.insert(name.into(), level);
        }
        let of = |name| name_of(levels.of(name));
        assert_eq!(
            ["a::b::x", "a::b::c", "a::bb::y", "a::c", "b"].map(of),
            ["DEBUG", "TRACE", "WARN", "DEBUG", "INFO"]
        );
    }

    #[test]
    fn lines_of_json_stay_lines_of_json_whatever_a_secret_looks_like() {
        let secrets = Secrets::default();
        let variable = |key: &str| Variable { provider: "f".into(), path: "/a\"b".into(), key: key.into() };
        secrets.add(&[(variable("x"), "pass\"word".to_owned()), (variable("y"), "INFO".to_owned())].into());
        let discreet = Discreet(secrets);
        let line = |message: &str| {
            format!("{}\n", serde_json::json!({"level": "INFO", "fields": {"message": message, "n": 1}}))
        };
        assert_eq!(discreet.said(&line("plain")), line("plain"));
        assert_eq!(discreet.said(&line("a pass\"word, INFO")), line("a ${f:/a\"b:x}, ${f:/a\"b:y}"));
    }

    #[test]
    fn names_of_levels_are_log4js() {
        let of = |name| level_of(name).map(name_of).map_err(|NoLevel(name)| name);
        assert_eq!(["off", "FATAL", " all"].map(of), [Ok("OFF"), Ok("ERROR"), Ok("TRACE")]);
        assert_eq!(of("loud"), Err("loud".into()));
    }
}
