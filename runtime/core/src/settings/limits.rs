//! Pure. The bounds on instances: a worker's, and a connector's own within them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{Config, ConfigKey, ConfigType, DefaultValue, Importance, Limits, Problem, Width};

use super::framework::key;
use super::reader::Reader;

const STACK_BYTES: RangeInclusive<usize> = 64 << 10..=64 << 20;
/// Bytes that an instance has to be allowed: stock plugins need 1.25 MiB to say what they are, without which no worker starts,
/// and twice that for ordinary batches.
pub const MEMORY_BYTES_LEAST: u64 = 4 << 20;
/// More than all memories of 4 GiB together bounds nothing.
const MEMORY_BYTES: RangeInclusive<u64> = MEMORY_BYTES_LEAST..=16 << 30;
const COUNT: RangeInclusive<usize> = 1..=10_000;
const ANSWER_BYTES: RangeInclusive<u64> = 1..=1 << 40;
const WEIGHT: RangeInclusive<u32> = 1..=10_000;
const CORES: RangeInclusive<f64> = 0.01..=1_024.0;
const CPU_CORES: &str = "task.cpu.max.cores";
const STACK: &str = "task.stack.max.bytes";

/// A number within bounds, or its default.
fn within<T: FromStr + Copy + Display + PartialOrd>(
    reader: &mut Reader,
    key: &str,
    default: T,
    bounds: RangeInclusive<T>,
) -> T {
    let number = reader.number(key, default);
    if !bounds.contains(&number) {
        let (least, most) = (bounds.start(), bounds.end());
        let message = format!("Invalid value {number} for configuration {key}: say a number from {least} to {most}");
        reader.problem(key, message);
    }
    number
}

/// Milliseconds of which there must be some.
pub(super) fn positive_millis(reader: &mut Reader, key: &str, default: Duration) -> Duration {
    let limit = reader.millis(key, default);
    if limit.is_zero() {
        reader.problem(key, format!("Invalid value 0 for configuration {key}: Value must be at least 1"));
    }
    limit
}

/// Cores as nanoseconds of each second, where they are given.
fn cores(reader: &mut Reader, key: &str) -> Option<u64> {
    reader.get(key)?;
    Some((within(reader, key, *CORES.end(), CORES) * 1e9) as u64)
}

/// Reads all limits.
pub(super) fn limits(reader: &mut Reader, defaults: &Limits) -> Limits {
    let cpu = cores(reader, CPU_CORES);
    Limits {
        memory_bytes: within(reader, "task.memory.max.bytes", defaults.memory_bytes, MEMORY_BYTES),
        stack_bytes: within(reader, STACK, defaults.stack_bytes, STACK_BYTES),
        core_instances: within(reader, "task.core.instances.max", defaults.core_instances, COUNT),
        tables: within(reader, "task.tables.max", defaults.tables, COUNT),
        memories: within(reader, "task.memories.max", defaults.memories, COUNT),
        call_cpu: positive_millis(reader, "task.call.cpu.max.ms", defaults.call_cpu),
        cpu_nanos_per_second: cpu.or(defaults.cpu_nanos_per_second),
        cpu_weight: within(reader, "task.cpu.weight", defaults.cpu_weight, WEIGHT),
        start: positive_millis(reader, "task.start.timeout.ms", defaults.start),
        poll_beyond: positive_millis(reader, "task.poll.timeout.ms", defaults.poll_beyond),
        put: positive_millis(reader, "task.put.timeout.ms", defaults.put),
        other: positive_millis(reader, "task.call.timeout.ms", defaults.other),
        http_requests: within(reader, "task.http.requests.max", defaults.http_requests, COUNT),
        http_response_bytes: within(reader, "task.http.response.max.bytes", defaults.http_response_bytes, ANSWER_BYTES),
        log_lines_per_second: reader.number("task.log.lines.per.second", defaults.log_lines_per_second),
        log_line_bytes: reader.number("task.log.line.max.bytes", defaults.log_line_bytes),
    }
}

/// The limits of a connector's instances: its own, each at most its worker's, or the worker's.
pub fn of_connector(worker: &Limits, config: &Config) -> Result<Limits, Vec<Problem>> {
    let mut reader = Reader::new(config);
    let own = limits(&mut reader, worker);
    let millis = |time: Duration| time.as_millis() as f64;
    let cores = |limits: &Limits| limits.cpu_nanos_per_second.map_or(f64::INFINITY, |nanos| nanos as f64 / 1e9);
    for (key, own, most) in [
        ("task.memory.max.bytes", own.memory_bytes as f64, worker.memory_bytes as f64),
        ("task.core.instances.max", own.core_instances as f64, worker.core_instances as f64),
        ("task.tables.max", own.tables as f64, worker.tables as f64),
        ("task.memories.max", own.memories as f64, worker.memories as f64),
        ("task.call.cpu.max.ms", millis(own.call_cpu), millis(worker.call_cpu)),
        (CPU_CORES, cores(&own), cores(worker)),
        ("task.cpu.weight", f64::from(own.cpu_weight), f64::from(worker.cpu_weight)),
        ("task.start.timeout.ms", millis(own.start), millis(worker.start)),
        ("task.poll.timeout.ms", millis(own.poll_beyond), millis(worker.poll_beyond)),
        ("task.put.timeout.ms", millis(own.put), millis(worker.put)),
        ("task.call.timeout.ms", millis(own.other), millis(worker.other)),
        ("task.http.requests.max", own.http_requests as f64, worker.http_requests as f64),
        ("task.http.response.max.bytes", own.http_response_bytes as f64, worker.http_response_bytes as f64),
        ("task.log.lines.per.second", f64::from(own.log_lines_per_second), f64::from(worker.log_lines_per_second)),
        ("task.log.line.max.bytes", own.log_line_bytes as f64, worker.log_line_bytes as f64),
    ] {
        if own > most && !reader.is_wrong(key) {
            let message =
                format!("Invalid value {own} for configuration {key}: this worker's own {key} allows {most} at most");
            reader.problem(key, message);
        }
    }
    if own.stack_bytes != worker.stack_bytes {
        let message = format!("{STACK} is of a whole worker: set it in the worker's properties, or leave it out");
        reader.problem(STACK, message);
    }
    reader.finish().map(|()| own)
}

/// The limits that a configuration names.
pub(super) fn definitions(config: &Config) -> Vec<ConfigKey> {
    let limits = LIMITS.iter().filter(|(name, ..)| config.contains_key(*name)).enumerate();
    let limit = |(place, (name, kind, called, text)): (usize, &Limited)| {
        let documentation = format!("{text} At most what the worker's own {name} allows, which is the default.");
        let (default, order) = (DefaultValue::Null, place as i32);
        key(name, *kind, default, Importance::Low, SANDBOX, order, Width::Short, called, &documentation)
    };
    limits.map(limit).collect()
}

/// A limit's key, type, name for people and text.
type Limited = (&'static str, ConfigType, &'static str, &'static str);

/// The group of keys that bound a connector's instances.
const SANDBOX: &str = "Sandbox";

const LIMITS: &[Limited] = &[
    (
        "task.memory.max.bytes",
        ConfigType::Long,
        "Memory",
        "Bytes of memory and tables of each of the connector's instances.",
    ),
    (
        "task.core.instances.max",
        ConfigType::Int,
        "Core instances",
        "Core instances of each of the connector's instances.",
    ),
    ("task.tables.max", ConfigType::Int, "Tables", "Tables of each of the connector's instances."),
    ("task.memories.max", ConfigType::Int, "Memories", "Linear memories of each of the connector's instances."),
    (
        "task.call.cpu.max.ms",
        ConfigType::Long,
        "CPU time of a call",
        "Milliseconds of CPU time that one call may take.",
    ),
    (
        "task.cpu.max.cores",
        ConfigType::Double,
        "CPU share",
        "Cores, and hundredths of them, that each of the connector's tasks may use over time.",
    ),
    (
        "task.cpu.weight",
        ConfigType::Int,
        "CPU weight",
        "What each of the connector's tasks gets of the CPU beside others, where not all get what they want.",
    ),
    ("task.start.timeout.ms", ConfigType::Long, "Time to start", "Milliseconds that instantiating and start may take."),
    ("task.poll.timeout.ms", ConfigType::Long, "Time of polls", "Milliseconds that poll may take beyond its wait."),
    (
        "task.put.timeout.ms",
        ConfigType::Long,
        "Time of puts",
        "Milliseconds that put, pre-commit and a chain on a batch may take.",
    ),
    ("task.call.timeout.ms", ConfigType::Long, "Time of calls", "Milliseconds that any other call may take."),
    (
        "task.http.requests.max",
        ConfigType::Int,
        "HTTP requests",
        "HTTP requests of each of the connector's instances that are under way at a time.",
    ),
    (
        "task.http.response.max.bytes",
        ConfigType::Long,
        "Length of HTTP answers",
        "Bytes of the body of one HTTP answer.",
    ),
    (
        "task.log.lines.per.second",
        ConfigType::Int,
        "Log lines",
        "Log lines kept a second of each of the connector's instances.",
    ),
    ("task.log.line.max.bytes", ConfigType::Int, "Length of log lines", "Bytes kept of a log line."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_would_run_nothing_or_bound_nothing_are_refused_with_their_bounds() {
        for (key, value, remedy) in [
            ("task.stack.max.bytes", "1000", "from 65536 to 67108864"),
            ("task.memory.max.bytes", "1048576", "from 4194304 to"),
            ("task.tables.max", "0", "from 1 to 10000"),
            ("task.core.instances.max", "-1", "at least 0"),
            ("task.put.timeout.ms", "0", "at least 1"),
            ("task.cpu.weight", "0", "from 1 to 10000"),
            ("task.cpu.max.cores", "0", "from 0.01 to 1024"),
            ("task.cpu.max.cores", "250m", "Not a number"),
            ("task.cpu.max.cores", "NaN", "from 0.01 to 1024"),
        ] {
            let config = Config::from([(key.to_owned(), value.to_owned())]);
            let mut reader = Reader::new(&config);
            limits(&mut reader, &Limits::default());
            let problems = reader.finish().unwrap_err();
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, key));
            let message = &problems[0].message;
            assert!(message.contains(value) && message.contains(remedy), "{message}");
        }
    }

    #[test]
    fn a_connector_has_its_workers_limits_or_less() {
        let worker = Limits { cpu_nanos_per_second: Some(500_000_000), ..Limits::default() };
        let of = |pairs: &[(&str, &str)]| {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            of_connector(&worker, &pairs.iter().map(own).collect())
        };
        assert_eq!(of(&[("name", "c")]), Ok(worker.clone()));
        let own =
            of(&[("task.memory.max.bytes", "8388608"), ("task.cpu.max.cores", "0.25"), ("task.cpu.weight", "30")]);
        let own = own.unwrap();
        assert_eq!((own.memory_bytes, own.cpu_nanos_per_second, own.cpu_weight), (8 << 20, Some(250_000_000), 30));
        for (key, value, most) in [
            ("task.memory.max.bytes", "67108865", "67108864"),
            ("task.cpu.max.cores", "0.75", "0.5"),
            ("task.cpu.max.cores", "250m", "Not a number"),
            ("task.cpu.weight", "101", "100"),
            ("task.tables.max", "20000", "from 1 to 10000"),
            ("task.put.timeout.ms", "120001", "120000"),
            ("task.log.lines.per.second", "101", "100"),
            ("task.stack.max.bytes", "65536", "worker's properties"),
        ] {
            let problems = of(&[(key, value)]).unwrap_err();
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, key));
            assert!(problems[0].message.contains(most), "{}", problems[0].message);
        }
    }
}
