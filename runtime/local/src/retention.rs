//! Pure. Which entries of a partition are too old or too many.

use crate::topic_config::TopicConfig;

/// What retention needs to know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its first offset.
    pub base: i64,
    /// Its highest timestamp; none when the entry cannot be read.
    pub newest: Option<i64>,
    /// Its bytes.
    pub bytes: u64,
}

/// How many of a partition's oldest entries go, given the partition's bytes.
pub fn expired(entries: &[Aged], config: &TopicConfig, partition_bytes: u64, now: i64) -> usize {
    let mut left = partition_bytes;
    for (at, entry) in entries.iter().enumerate() {
        // What cannot be read is as old as what follows it.
        let newest = entries[at..].iter().find_map(|entry| entry.newest);
        let old =
            config.retention_ms >= 0 && newest.is_some_and(|newest| now.saturating_sub(newest) > config.retention_ms);
        let rest = left.saturating_sub(entry.bytes);
        let much = config.retention_bytes >= 0 && left > 0 && rest >= config.retention_bytes as u64;
        if !(old || much) {
            return at;
        }
        left = rest;
    }
    entries.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(retention_ms: &str, retention_bytes: &str) -> TopicConfig {
        let given = [("retention.ms", retention_ms), ("retention.bytes", retention_bytes)];
        TopicConfig::parse(&given.map(|(key, value)| (key.to_string(), value.to_string())).into()).unwrap()
    }

    fn entries(newest: &[Option<i64>]) -> Vec<Aged> {
        newest.iter().enumerate().map(|(at, newest)| Aged { base: at as i64, newest: *newest, bytes: 100 }).collect()
    }

    #[test]
    fn age_and_bytes_take_the_oldest_first() {
        let three = entries(&[Some(0), Some(50), Some(100)]);
        for (ms, bytes, now, gone) in [
            ("-1", "-1", 1_000_000, 0),
            ("60", "-1", 60, 0),
            ("60", "-1", 61, 1),
            ("60", "-1", 1000, 3),
            ("-1", "300", 0, 0),
            ("-1", "200", 0, 1),
            ("-1", "199", 0, 1),
            ("-1", "0", 0, 3),
            ("60", "100", 61, 2),
        ] {
            assert_eq!(expired(&three, &config(ms, bytes), 300, now), gone, "{ms} {bytes} {now}");
        }
    }

    #[test]
    fn a_young_entry_protects_what_comes_after_it() {
        assert_eq!(expired(&entries(&[Some(100), Some(0)]), &config("60", "-1"), 200, 100), 0);
    }

    #[test]
    fn an_unreadable_entry_goes_with_the_one_after_it() {
        let all = entries(&[None, Some(0), None, Some(100), None]);
        assert_eq!(expired(&all, &config("60", "-1"), 500, 100), 2);
        assert_eq!(expired(&all, &config("60", "-1"), 500, 1000), 4);
    }
}
