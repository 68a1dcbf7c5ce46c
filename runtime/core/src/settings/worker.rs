//! Pure. A worker's settings, out of Connect's own worker properties.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Config, ConverterRole, Limits, Problem};

use super::connector::ConverterSettings;
use super::reader::Reader;

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
    /// `task.shutdown.graceful.timeout.ms`
    pub graceful_timeout: Duration,
    /// `offset.storage.topic`: on `local`, the topic of the embedded store.
    pub offset_topic: String,
    /// `plugin.path`
    pub plugin_path: Vec<PathBuf>,
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
}

/// The setting of a limit in milliseconds.
fn limit(reader: &mut Reader, key: &str, default: Duration) -> Duration {
    let limit = reader.millis(key, default);
    if limit.is_zero() {
        reader.problem(key, format!("Invalid value 0 for configuration {key}: Value must be at least 1"));
    }
    limit
}

impl WorkerSettings {
    /// Reads a worker's settings, or says everything that is wrong with them.
    pub fn parse(config: &Config) -> Result<WorkerSettings, Vec<Problem>> {
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
                None => Bootstrap::Kafka(servers.to_owned()),
            },
        };
        let mut converter = |role: ConverterRole, default: Option<&str>| {
            let key = role.property();
            let class = match (reader.get(key), default) {
                (Some(class), _) if !class.is_empty() => class.to_owned(),
                (_, Some(default)) => default.to_owned(),
                _ => reader.required(key),
            };
            ConverterSettings { class, settings: reader.below(&format!("{key}.")) }
        };
        let converters = [
            converter(ConverterRole::Key, None),
            converter(ConverterRole::Value, None),
            converter(ConverterRole::Header, Some("org.apache.kafka.connect.storage.SimpleHeaderConverter")),
        ];
        let seconds = Duration::from_secs;
        let defaults = Limits::default();
        let settings = WorkerSettings {
            bootstrap,
            converters,
            offset_flush_interval: limit(&mut reader, "offset.flush.interval.ms", seconds(60)),
            offset_flush_timeout: reader.millis("offset.flush.timeout.ms", seconds(5)),
            graceful_timeout: reader.millis("task.shutdown.graceful.timeout.ms", seconds(5)),
            offset_topic: reader.get("offset.storage.topic").unwrap_or("connect-offsets").to_owned(),
            plugin_path: reader.list("plugin.path").into_iter().map(PathBuf::from).collect(),
            batch_bytes_max: reader.number("batch.bytes.max", 1 << 20),
            buffer_memory: reader.number("producer.buffer.memory", 32 << 20),
            limits: Limits {
                memory_bytes: reader.number("task.memory.max.bytes", defaults.memory_bytes),
                call_cpu: limit(&mut reader, "task.call.cpu.max.ms", defaults.call_cpu),
                start: limit(&mut reader, "task.start.timeout.ms", defaults.start),
                poll_beyond: limit(&mut reader, "task.poll.timeout.ms", defaults.poll_beyond),
                put: limit(&mut reader, "task.put.timeout.ms", defaults.put),
                other: limit(&mut reader, "task.call.timeout.ms", defaults.other),
                log_lines_per_second: reader.number("task.log.lines.per.second", defaults.log_lines_per_second),
                log_line_bytes: reader.number("task.log.line.max.bytes", defaults.log_line_bytes),
            },
            producer: reader.below("producer."),
            consumer: reader.below("consumer."),
        };
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
