//! Pure. Bounds on instances.

use std::time::Duration;

/// Bounds on one instance, with Connect-style worker keys (see `settings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory and tables, in bytes: `task.memory.max.bytes`.
    pub memory_bytes: u64,
    /// Stack of WebAssembly code, in bytes: `task.stack.max.bytes`.
    pub stack_bytes: usize,
    /// Core instances: `task.core.instances.max`.
    pub core_instances: usize,
    /// Tables: `task.tables.max`.
    pub tables: usize,
    /// Linear memories: `task.memories.max`.
    pub memories: usize,
    /// CPU time of one call: `task.call.cpu.max.ms`.
    pub call_cpu: Duration,
    /// Wall time of `start`: `task.start.timeout.ms`.
    pub start: Duration,
    /// Wall time of `poll` beyond its max-wait: `task.poll.timeout.ms`.
    pub poll_beyond: Duration,
    /// Wall time of `put` and `pre-commit`: `task.put.timeout.ms`.
    pub put: Duration,
    /// Wall time of every other call: `task.call.timeout.ms`.
    pub other: Duration,
    /// Log lines kept per second: `task.log.lines.per.second`.
    pub log_lines_per_second: u32,
    /// Bytes kept of one log line: `task.log.line.max.bytes`.
    pub log_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 64 << 20,
            stack_bytes: 1 << 20,
            core_instances: 64,
            tables: 64,
            memories: 16,
            call_cpu: Duration::from_secs(30),
            start: Duration::from_secs(60),
            poll_beyond: Duration::from_secs(5),
            put: Duration::from_secs(120),
            other: Duration::from_secs(10),
            log_lines_per_second: 100,
            log_line_bytes: 8 << 10,
        }
    }
}
