//! Pure. What only a distributed worker is configured with.

use std::time::Duration;

use crate::model::{Config, GroupProtocol};

use super::delivery::ExactlyOnceSupport;
use super::limits::positive_millis;
use super::reader::Reader;

/// One of the three internal topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// How many partitions it is made with; -1 for the broker's default.
    pub partitions: i32,
    /// How many replicas it is made with; -1 for the broker's default.
    pub replication_factor: i16,
    /// What else it is made with.
    pub config: Config,
    /// What is said of settings that have no effect on it, in Connect's words.
    pub ignored: Vec<String>,
}

impl InternalTopic {
    /// Reads what is below `NAME.storage.` (DistributedConfig.topicSettings).
    fn read(reader: &mut Reader, name: &str, partitions: i32) -> InternalTopic {
        let prefix = format!("{name}.storage.");
        let (mut config, mut ignored) = (Config::new(), Vec::new());
        for key in reader.keys_below(&prefix) {
            // A worker of its own may have it, and for topics it is none.
            if key == "file.filename" {
                continue;
            }
            let value = reader.get(&format!("{prefix}{key}")).unwrap_or_default();
            match key {
                "topic" | "replication.factor" => {}
                "partitions" if name == "config" => ignored.push(format!(
                    "Ignoring '{prefix}{key}={value}' setting, since config topic partitions is always 1"
                )),
                "partitions" => {}
                "cleanup.policy" => {
                    ignored.push(format!("Ignoring '{prefix}{key}={value}' setting, since compaction is always used"))
                }
                _ => _ = config.insert(key.to_owned(), value.to_owned()),
            }
        }
        InternalTopic {
            partitions: match reader.number(&format!("{prefix}partitions"), partitions) {
                _ if name == "config" => 1,
                partitions => partitions,
            },
            replication_factor: reader.number(&format!("{prefix}replication.factor"), 3),
            config,
            ignored,
        }
    }
}

/// The settings of a worker in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributedSettings {
    /// `group.id`
    pub group: String,
    /// `session.timeout.ms`
    pub session: Duration,
    /// `heartbeat.interval.ms`
    pub heartbeat: Duration,
    /// `rebalance.timeout.ms`
    pub rebalance: Duration,
    /// `retry.backoff.ms`
    pub retry: Duration,
    /// `connect.protocol`
    pub protocol: GroupProtocol,
    /// `scheduled.rebalance.max.delay.ms`
    pub max_delay: Duration,
    /// `worker.sync.timeout.ms`
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`
    pub unsync_backoff: Duration,
    /// `inter.worker.key.generation.algorithm`, and that of signatures.
    pub key_algorithm: String,
    /// `inter.worker.verification.algorithms`: those by which what others signed is taken.
    pub verifies: Vec<String>,
    /// `inter.worker.key.size` in bits; none for the algorithm's own.
    pub key_bits: Option<usize>,
    /// `inter.worker.key.ttl.ms`; zero for no rotation.
    pub key_ttl: Duration,
    /// `exactly.once.source.support`
    pub exactly_once: ExactlyOnceSupport,
    /// The topics of configurations, offsets and statuses, as they are made.
    pub topics: [InternalTopic; 3],
}

/// MACs for requests between workers, by Java's names, and the bits of their keys (KeyGenerator's defaults).
pub const MAC_ALGORITHMS: [(&str, usize); 3] = [("HmacSHA256", 256), ("HmacSHA384", 384), ("HmacSHA512", 512)];

fn one_of<'a>(reader: &mut Reader, key: &str, default: &'a str, allowed: &[&'a str]) -> &'a str {
    let Some(text) = reader.get(key) else { return default };
    allowed.iter().copied().find(|name| *name == text).unwrap_or_else(|| {
        let allowed = allowed.join(", ");
        reader.problem(key, format!("Invalid value {text} for configuration {key}: String must be one of: {allowed}"));
        default
    })
}

impl DistributedSettings {
    /// How often the worker says that it lives: as `heartbeat.interval.ms` says, or more often, so that answers leave enough
    /// of the session for an append at any time.
    pub fn beat(&self) -> Duration {
        self.heartbeat.min(self.session / 3)
    }

    /// How long an append to an internal topic is tried.
    pub fn append_within(&self) -> Duration {
        self.session / 3
    }

    /// When an append that begins now has landed or never will. Beats that are answered leave more of the session than
    /// that, by default two thirds of it.
    pub fn appended_by(&self) -> Duration {
        self.session / 2
    }

    pub(super) fn read(reader: &mut Reader) -> DistributedSettings {
        let millis = Duration::from_millis;
        let algorithms = MAC_ALGORITHMS.map(|(name, _)| name);
        let protocol = one_of(reader, "connect.protocol", "sessioned", &["eager", "compatible", "sessioned"]);
        let key_algorithm = one_of(reader, "inter.worker.key.generation.algorithm", "HmacSHA256", &algorithms);
        let signature = one_of(reader, "inter.worker.signature.algorithm", "HmacSHA256", &algorithms);
        if key_algorithm != signature {
            let message = format!(
                "Invalid value {signature} for configuration inter.worker.signature.algorithm: weir signs with what \
                 keys are made for, {key_algorithm}; say the same in both"
            );
            reader.problem("inter.worker.signature.algorithm", message);
        }
        let verifies = match reader.get("inter.worker.verification.algorithms") {
            None => vec!["HmacSHA256".to_owned()],
            Some(_) => reader.list("inter.worker.verification.algorithms"),
        };
        if !verifies.iter().any(|verified| verified == signature) {
            let message = format!(
                "Invalid value {} for configuration inter.worker.verification.algorithms: it has to name {signature}, \
                 the inter.worker.signature.algorithm",
                verifies.join(",")
            );
            reader.problem("inter.worker.verification.algorithms", message);
        }
        let mut topic = |name, partitions| InternalTopic::read(reader, name, partitions);
        let topics = [topic("config", 1), topic("offset", 25), topic("status", 5)];
        let settings = DistributedSettings {
            group: reader.required("group.id"),
            session: positive_millis(reader, "session.timeout.ms", millis(10_000)),
            heartbeat: positive_millis(reader, "heartbeat.interval.ms", millis(3_000)),
            rebalance: positive_millis(reader, "rebalance.timeout.ms", millis(60_000)),
            retry: reader.millis("retry.backoff.ms", millis(100)),
            protocol: match protocol {
                "eager" => GroupProtocol::Eager,
                "compatible" => GroupProtocol::Compatible,
                _ => GroupProtocol::Sessioned,
            },
            max_delay: reader.millis("scheduled.rebalance.max.delay.ms", millis(300_000)),
            sync_timeout: reader.millis("worker.sync.timeout.ms", millis(3_000)),
            unsync_backoff: reader.millis("worker.unsync.backoff.ms", millis(300_000)),
            key_algorithm: key_algorithm.to_owned(),
            verifies,
            key_bits: reader
                .get("inter.worker.key.size")
                .is_some()
                .then(|| reader.number("inter.worker.key.size", 256)),
            key_ttl: reader.millis("inter.worker.key.ttl.ms", millis(3_600_000)),
            exactly_once: ExactlyOnceSupport::read(reader),
            topics,
        };
        if let Some(bits) = settings.key_bits.filter(|bits| !(128..=4096).contains(bits)) {
            let message = format!("Invalid value {bits} for configuration inter.worker.key.size: say 128 to 4096 bits");
            reader.problem("inter.worker.key.size", message);
        }
        if settings.heartbeat >= settings.session {
            let message = format!(
                "Invalid value {} for configuration heartbeat.interval.ms: it has to be below session.timeout.ms, {} ms",
                settings.heartbeat.as_millis(),
                settings.session.as_millis()
            );
            reader.problem("heartbeat.interval.ms", message);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<DistributedSettings, Vec<String>> {
        let config: Config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut reader = Reader::new(&config);
        let settings = DistributedSettings::read(&mut reader);
        reader.finish().map(|()| settings).map_err(|problems| problems.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn connects_defaults_hold() {
        let settings = read(&[("group.id", "g"), ("config.storage.partitions", "7")]).unwrap();
        assert_eq!((settings.session.as_millis(), settings.max_delay.as_secs()), (10_000, 300));
        assert_eq!(settings.protocol, GroupProtocol::Sessioned);
        assert_eq!(
            settings.topics.map(|topic| (topic.partitions, topic.replication_factor)),
            [(1, 3), (25, 3), (5, 3)]
        );
    }

    #[test]
    fn internal_topics_get_what_is_below_their_prefix_but_for_what_the_worker_decides() {
        let settings = read(&[
            ("group.id", "g"),
            ("config.storage.topic", "c"),
            ("config.storage.partitions", "7"),
            ("config.storage.min.insync.replicas", "2"),
            ("offset.storage.partitions", "9"),
            ("offset.storage.replication.factor", "1"),
            ("offset.storage.file.filename", "/f"),
            ("status.storage.cleanup.policy", "delete"),
            ("status.storage.segment.ms", " 1000 "),
        ]);
        let [config, offset, status] = settings.unwrap().topics;
        let one = |key: &str, value: &str| Config::from([(key.to_owned(), value.to_owned())]);
        assert_eq!((config.partitions, config.config), (1, one("min.insync.replicas", "2")));
        assert_eq!((offset.partitions, offset.replication_factor, offset.config), (9, 1, Config::new()));
        assert_eq!(status.config, one("segment.ms", "1000"));
        let said = [
            "Ignoring 'config.storage.partitions=7' setting, since config topic partitions is always 1",
            "Ignoring 'status.storage.cleanup.policy=delete' setting, since compaction is always used",
        ];
        assert_eq!([config.ignored, offset.ignored, status.ignored].concat(), said);
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let wrong = read(&[
            ("connect.protocol", "lazy"),
            ("inter.worker.signature.algorithm", "HmacSHA512"),
            ("heartbeat.interval.ms", "10000"),
            ("inter.worker.key.size", "0"),
            ("offset.storage.partitions", "many"),
        ]);
        let keys = [
            "connect.protocol",
            "inter.worker.signature.algorithm",
            "inter.worker.verification.algorithms",
            "offset.storage.partitions",
            "group.id",
            "inter.worker.key.size",
            "heartbeat.interval.ms",
        ];
        assert_eq!(wrong.unwrap_err(), keys);
    }
}
