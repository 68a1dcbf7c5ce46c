//! Pure. What a topic's configuration means, by Kafka's names.

use std::collections::BTreeMap;

use weir_core::model::TimestampType;

/// Names that Kafka knows and that mean nothing here: taken and kept, so that `describe` shows them.
const KEPT: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.storage.enable",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// What a topic does with its records.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// Old records go.
    pub delete: bool,
    /// Of each key the last record stays.
    pub compact: bool,
    /// Age at which records go; negative for never.
    pub retention_ms: i64,
    /// Bytes of a partition that stay; negative for all.
    pub retention_bytes: i64,
    /// Age at which tombstones go.
    pub delete_retention_ms: i64,
    /// Share of bytes that were not compacted from which on compaction runs.
    pub dirty_ratio: f64,
    /// Bytes of one record, where it was set.
    pub record_bytes_max: Option<usize>,
    /// What timestamps mean.
    pub timestamp_type: TimestampType,
    /// What was given, as it was given.
    pub given: BTreeMap<String, String>,
}

impl TopicConfig {
    /// Reads a configuration; every problem at once.
    pub fn parse(given: &BTreeMap<String, String>) -> Result<TopicConfig, Vec<String>> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let mut config = TopicConfig {
            delete: true,
            compact: false,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            delete_retention_ms: DAY_MS,
            dirty_ratio: 0.5,
            record_bytes_max: None,
            timestamp_type: TimestampType::CreateTime,
            given: given.clone(),
        };
        let problems: Vec<String> = given
            .iter()
            .filter_map(|(key, value)| {
                config.set(key, value.trim()).map_err(|expected| format!("{key}={value}: {expected}")).err()
            })
            .collect();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "cleanup.policy" => {
                let policies: Vec<&str> = value.split(',').map(str::trim).filter(|policy| !policy.is_empty()).collect();
                if policies.is_empty() || policies.iter().any(|policy| !["delete", "compact"].contains(policy)) {
                    return Err("expected delete, compact or both".into());
                }
                self.delete = policies.contains(&"delete");
                self.compact = policies.contains(&"compact");
            }
            "retention.ms" => self.retention_ms = number(value, -1)?,
            "retention.bytes" => self.retention_bytes = number(value, -1)?,
            "delete.retention.ms" => self.delete_retention_ms = number(value, 0)?,
            "max.message.bytes" => self.record_bytes_max = Some(number(value, 0)? as usize),
            "min.cleanable.dirty.ratio" => match value.parse() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => self.dirty_ratio = ratio,
                _ => return Err("expected a number from 0 to 1".into()),
            },
            "message.timestamp.type" => {
                self.timestamp_type = match value {
                    "CreateTime" => TimestampType::CreateTime,
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => return Err("expected CreateTime or LogAppendTime".into()),
                }
            }
            _ if KEPT.contains(&key) => {}
            _ => return Err("no topic configuration has this name".into()),
        }
        Ok(())
    }

    /// The cleanup policy as Kafka spells it.
    pub fn cleanup_policy(&self) -> &'static str {
        match (self.delete, self.compact) {
            (true, true) => "compact,delete",
            (false, true) => "compact",
            (_, false) => "delete",
        }
    }
}

fn number(value: &str, least: i64) -> Result<i64, String> {
    value.parse().ok().filter(|number| *number >= least).ok_or_else(|| format!("expected a number, at least {least}"))
}

/// What is wrong with a topic's name, by Kafka's rules.
pub fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    match name {
        "" => Err("a topic needs a name".into()),
        "." | ".." => Err(format!("a topic cannot be called {name}")),
        _ if name.len() > 249 => Err("a topic's name has at most 249 characters".into()),
        _ if !name.chars().all(legal) => {
            Err(format!("topic name {name:?} may hold only ASCII letters, digits, '.', '_' and '-'"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[(&str, &str)]) -> Result<TopicConfig, Vec<String>> {
        TopicConfig::parse(&given.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect())
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = parse(&[]).unwrap();
        assert_eq!((config.cleanup_policy(), config.retention_ms, config.retention_bytes), ("delete", 604_800_000, -1));
        assert_eq!(parse(&[("cleanup.policy", "delete, compact")]).unwrap().cleanup_policy(), "compact,delete");
        assert!(parse(&[("segment.ms", "100")]).unwrap().given.contains_key("segment.ms"));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = parse(&[("cleanup.policy", "keep"), ("retention.ms", "-2"), ("retentoin.ms", "1")]).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn names_follow_kafkas_rules() {
        ["a", "a.b_c-D9", &"x".repeat(249)].iter().for_each(|name| check_name(name).unwrap());
        ["", ".", "..", "a/b", "ä", "a b", &"x".repeat(250)].iter().for_each(|name| assert!(check_name(name).is_err()));
    }
}
