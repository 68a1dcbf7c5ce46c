//! Pure. A worker's settings, out of Connect's own worker properties.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Ceilings, Config, ConverterRole, Limits, Problem};

use super::checks;
use super::connector::ConverterSettings;
use super::distributed::DistributedSettings;
use super::limits::{limits, positive_millis};
use super::metrics::MetricsSettings;
use super::overrides::OverridePolicy;
use super::reader::Reader;
use super::rest::RestSettings;

/// Where topics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// `local:DIR`: in an embedded store.
    Local(PathBuf),
    /// `local:memory`: in memory, gone with the process.
    LocalMemory,
    /// `host:port,...`: in Kafka.
    Kafka(String),
}

/// Bytes that a plugin may have where `plugin.upload.max.bytes` says nothing.
pub const PLUGIN_BYTES_MAX: u64 = 64 << 20;

/// A worker's settings.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// `bootstrap.servers`
    pub bootstrap: Bootstrap,
    /// `key.converter`, `value.converter`, `header.converter` and what is below them.
    pub converters: [ConverterSettings; 3],
    /// `offset.flush.interval.ms`
    pub offset_flush_interval: Duration,
    /// `offset.flush.timeout.ms`
    pub offset_flush_timeout: Duration,
    /// `topic.creation.enable`: whether sources make topics by rules of their own (KIP-158).
    pub topic_creation: bool,
    /// `topic.tracking.enable`: whether the topics that connectors use are noted (KIP-558).
    pub topic_tracking: bool,
    /// `topic.tracking.allow.reset`: whether those notes may be forgotten over REST.
    pub topic_tracking_reset: bool,
    /// `task.shutdown.graceful.timeout.ms`
    pub graceful_timeout: Duration,
    /// `config.storage.topic`, on `local` a topic of the embedded store.
    pub config_topic: String,
    /// `offset.storage.topic`, likewise.
    pub offset_topic: String,
    /// `status.storage.topic`, likewise.
    pub status_topic: String,
    /// `offset.storage.file.filename`: where a standalone worker on Kafka keeps source offsets.
    pub offset_file: Option<PathBuf>,
    /// How REST is served.
    pub rest: RestSettings,
    /// `plugin.path`
    pub plugin_path: Vec<PathBuf>,
    /// `plugin.upload.dir`; on `local:DIR` by default `DIR/plugins`.
    pub plugin_upload_dir: Option<PathBuf>,
    /// `plugin.upload.max.bytes`
    pub plugin_upload_max_bytes: u64,
    /// `sandbox.path.ceiling` and `sandbox.endpoint.ceiling`
    pub ceilings: Ceilings,
    /// `sandbox.tls.ca.location`: certificates of authorities that guests' TLS trusts beside the web's.
    pub tls_ca: Option<PathBuf>,
    /// `batch.bytes.max`
    pub batch_bytes_max: usize,
    /// `producer.buffer.memory`
    pub buffer_memory: usize,
    /// Bounds on each instance.
    pub limits: Limits,
    /// Settings below `producer.`.
    pub producer: Config,
    /// Settings below `consumer.`.
    pub consumer: Config,
    /// `connector.client.config.override.policy`
    pub override_policy: OverridePolicy,
    /// How metrics are made and shown.
    pub metrics: MetricsSettings,
    /// What makes it one of a group; none in standalone.
    pub distributed: Option<DistributedSettings>,
    /// Keys of which nothing was read here: those of clients among them.
    pub unread: Vec<String>,
    /// Everything, for the clients that find their own keys in it.
    pub config: Config,
}

impl WorkerSettings {
    /// Reads a standalone worker's settings, or says everything that is wrong with them.
    pub fn parse(config: &Config) -> Result<WorkerSettings, Vec<Problem>> {
        WorkerSettings::parse_as(config, false)
    }

    /// Reads a distributed worker's settings, or says everything that is wrong with them.
    pub fn parse_distributed(config: &Config) -> Result<WorkerSettings, Vec<Problem>> {
        WorkerSettings::parse_as(config, true)
    }

    fn parse_as(config: &Config, distributed: bool) -> Result<WorkerSettings, Vec<Problem>> {
        let mut reader = Reader::new(config);
        let bootstrap = match reader.get("bootstrap.servers").unwrap_or("localhost:9092") {
            "local:memory" => Bootstrap::LocalMemory,
            "local:" => {
                let message = "Invalid value local: for configuration bootstrap.servers: name a directory, local:DIR";
                reader.problem("bootstrap.servers", message);
                Bootstrap::LocalMemory
            }
            servers => match servers.strip_prefix("local:") {
                Some(dir) => Bootstrap::Local(dir.into()),
                None => {
                    checks::servers(&mut reader, servers);
                    Bootstrap::Kafka(servers.to_owned())
                }
            },
        };
        let mut converter = |role: ConverterRole, default: Option<&str>| {
            let key = role.property();
            let class = match (reader.get(key), default) {
                (Some(class), _) if !class.is_empty() => class.to_owned(),
                (_, Some(default)) => default.to_owned(),
                _ => reader.required(key),
            };
            ConverterSettings::read(&mut reader, key, class)
        };
        let converters = [
            converter(ConverterRole::Key, None),
            converter(ConverterRole::Value, None),
            converter(ConverterRole::Header, Some("org.apache.kafka.connect.storage.SimpleHeaderConverter")),
        ];
        let seconds = Duration::from_secs;
        let upload_dir = match (reader.get("plugin.upload.dir").filter(|dir| !dir.is_empty()), &bootstrap) {
            (Some(dir), _) => Some(PathBuf::from(dir)),
            (None, Bootstrap::Local(dir)) => Some(dir.join("plugins")),
            (None, Bootstrap::LocalMemory | Bootstrap::Kafka(_)) => None,
        };
        let text = |key: &str, default: &str| match reader.get(key) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => default.to_owned(),
        };
        let (config_topic, offset_topic, status_topic) = (
            text("config.storage.topic", "connect-configs"),
            text("offset.storage.topic", "connect-offsets"),
            text("status.storage.topic", "connect-status"),
        );
        checks::own_topics(
            &mut reader,
            [
                ("config.storage.topic", &config_topic),
                ("offset.storage.topic", &offset_topic),
                ("status.storage.topic", &status_topic),
            ],
        );
        let offset_file = match &bootstrap {
            _ if distributed => None,
            Bootstrap::Kafka(_) => Some(reader.required("offset.storage.file.filename")),
            Bootstrap::Local(_) | Bootstrap::LocalMemory => {
                reader.get("offset.storage.file.filename").map(str::to_owned)
            }
        };
        let offset_file = offset_file.filter(|file| !file.is_empty()).map(PathBuf::from);
        let distributed = distributed.then(|| {
            if !matches!(bootstrap, Bootstrap::Kafka(_)) {
                let message = "Invalid value for configuration bootstrap.servers: distributed workers meet in Kafka, so \
                               name its servers; a worker on local: is started by weir standalone";
                reader.problem("bootstrap.servers", message);
            }
            for key in ["config.storage.topic", "offset.storage.topic", "status.storage.topic"] {
                reader.required(key);
            }
            DistributedSettings::read(&mut reader)
        });
        let endpoints = match reader.get("sandbox.endpoint.ceiling") {
            None => vec!["*:*".to_owned()],
            Some(_) => reader.list("sandbox.endpoint.ceiling"),
        };
        let paths: Vec<PathBuf> = reader.list("sandbox.path.ceiling").into_iter().map(PathBuf::from).collect();
        checks::ceilings(&mut reader, &paths, &endpoints);
        let rest = RestSettings::read(&mut reader);
        // They were read before, so that this could be: see `providers`.
        reader.get("config.providers");
        reader.below("config.providers.");
        let mut settings = WorkerSettings {
            rest,
            plugin_upload_dir: upload_dir,
            plugin_upload_max_bytes: reader.number("plugin.upload.max.bytes", PLUGIN_BYTES_MAX),
            tls_ca: reader.get("sandbox.tls.ca.location").filter(|file| !file.is_empty()).map(PathBuf::from),
            ceilings: Ceilings { paths, any_path: false, endpoints, stdio: false },
            config_topic,
            offset_topic,
            status_topic,
            offset_file,
            bootstrap,
            converters,
            offset_flush_interval: positive_millis(&mut reader, "offset.flush.interval.ms", seconds(60)),
            offset_flush_timeout: reader.millis("offset.flush.timeout.ms", seconds(5)),
            topic_creation: reader.boolean("topic.creation.enable", true),
            topic_tracking: reader.boolean("topic.tracking.enable", true),
            topic_tracking_reset: reader.boolean("topic.tracking.allow.reset", true),
            graceful_timeout: reader.millis("task.shutdown.graceful.timeout.ms", seconds(5)),
            plugin_path: reader.list("plugin.path").into_iter().map(PathBuf::from).collect(),
            batch_bytes_max: reader.number("batch.bytes.max", 1 << 20),
            buffer_memory: reader.number("producer.buffer.memory", 32 << 20),
            limits: limits(&mut reader, &Limits::default()),
            metrics: MetricsSettings::read(&mut reader),
            producer: reader.below("producer."),
            consumer: reader.below("consumer."),
            override_policy: OverridePolicy::read(&mut reader),
            distributed,
            unread: Vec::new(),
            config: config.clone(),
        };
        settings.unread = reader.unread();
        settings.unread.extend((!settings.rest.not_loaded.is_empty()).then(|| "rest.extension.classes".to_owned()));
        reader.finish().map(|()| settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_worker_file_of_connect_is_read_with_connects_defaults() {
        let settings = WorkerSettings::parse(&config(&[
            ("bootstrap.servers", "localhost:9092"),
            ("offset.storage.file.filename", "/tmp/connect.offsets"),
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", "true"),
            ("offset.flush.interval.ms", "10000"),
        ]))
        .unwrap();
        assert_eq!(settings.bootstrap, Bootstrap::Kafka("localhost:9092".into()));
        assert_eq!(settings.converters[1].settings, config(&[("schemas.enable", "true")]));
        assert_eq!(settings.offset_flush_interval, Duration::from_secs(10));
        assert_eq!(settings.graceful_timeout, Duration::from_secs(5));
        assert_eq!((settings.plugin_upload_dir, settings.ceilings.endpoints), (None, vec!["*:*".to_owned()]));
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let problems = WorkerSettings::parse(&config(&[
            ("bootstrap.servers", "local:"),
            ("offset.flush.interval.ms", "soon"),
            ("task.put.timeout.ms", "0"),
        ]))
        .unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = [
            "bootstrap.servers",
            "key.converter",
            "value.converter",
            "offset.flush.interval.ms",
            "task.put.timeout.ms",
        ];
        assert_eq!(keys, expected);
    }
}
