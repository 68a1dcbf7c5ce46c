//! Pure. The bounds on instances, out of a worker's settings.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::model::Limits;

use super::reader::Reader;

const STACK_BYTES: RangeInclusive<usize> = 64 << 10..=64 << 20;
/// Bytes that an instance has to be allowed: stock plugins need 1.25 MiB to say what they are, without which no worker starts,
/// and twice that for ordinary batches.
pub const MEMORY_BYTES_LEAST: u64 = 4 << 20;
/// More than all memories of 4 GiB together bounds nothing.
const MEMORY_BYTES: RangeInclusive<u64> = MEMORY_BYTES_LEAST..=16 << 30;
const COUNT: RangeInclusive<usize> = 1..=10_000;

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

/// Reads all limits.
pub(super) fn limits(reader: &mut Reader) -> Limits {
    let defaults = Limits::default();
    Limits {
        memory_bytes: within(reader, "task.memory.max.bytes", defaults.memory_bytes, MEMORY_BYTES),
        stack_bytes: within(reader, "task.stack.max.bytes", defaults.stack_bytes, STACK_BYTES),
        core_instances: within(reader, "task.core.instances.max", defaults.core_instances, COUNT),
        tables: within(reader, "task.tables.max", defaults.tables, COUNT),
        memories: within(reader, "task.memories.max", defaults.memories, COUNT),
        call_cpu: positive_millis(reader, "task.call.cpu.max.ms", defaults.call_cpu),
        start: positive_millis(reader, "task.start.timeout.ms", defaults.start),
        poll_beyond: positive_millis(reader, "task.poll.timeout.ms", defaults.poll_beyond),
        put: positive_millis(reader, "task.put.timeout.ms", defaults.put),
        other: positive_millis(reader, "task.call.timeout.ms", defaults.other),
        log_lines_per_second: reader.number("task.log.lines.per.second", defaults.log_lines_per_second),
        log_line_bytes: reader.number("task.log.line.max.bytes", defaults.log_line_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;

    #[test]
    fn limits_that_would_run_nothing_or_bound_nothing_are_refused_with_their_bounds() {
        for (key, value, remedy) in [
            ("task.stack.max.bytes", "1000", "from 65536 to 67108864"),
            ("task.memory.max.bytes", "1048576", "from 4194304 to"),
            ("task.tables.max", "0", "from 1 to 10000"),
            ("task.core.instances.max", "-1", "at least 0"),
            ("task.put.timeout.ms", "0", "at least 1"),
        ] {
            let config = Config::from([(key.to_owned(), value.to_owned())]);
            let mut reader = Reader::new(&config);
            limits(&mut reader);
            let problems = reader.finish().unwrap_err();
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, key));
            let message = &problems[0].message;
            assert!(message.contains(value) && message.contains(remedy), "{message}");
        }
    }
}
