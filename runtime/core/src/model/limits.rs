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
    /// CPU time over time, of all instances of a task together, in nanoseconds a second: `task.cpu.max.cores`. What goes
    /// beyond waits. None: as much as there is.
    pub cpu_nanos_per_second: Option<u64>,
    /// What a task has to others of its tenant where they do not all get what they want: `task.cpu.weight`.
    pub cpu_weight: u32,
    /// Wall time of `start`: `task.start.timeout.ms`.
    pub start: Duration,
    /// Wall time of `poll` beyond its max-wait: `task.poll.timeout.ms`.
    pub poll_beyond: Duration,
    /// Wall time of `put` and `pre-commit`: `task.put.timeout.ms`.
    pub put: Duration,
    /// Wall time of every other call: `task.call.timeout.ms`.
    pub other: Duration,
    /// HTTP requests of an instance that are under way, answers that it still reads among them: `task.http.requests.max`.
    pub http_requests: usize,
    /// Bytes of one HTTP answer's body: `task.http.response.max.bytes`.
    pub http_response_bytes: u64,
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
            cpu_nanos_per_second: None,
            cpu_weight: 100,
            start: Duration::from_secs(60),
            poll_beyond: Duration::from_secs(5),
            put: Duration::from_secs(120),
            other: Duration::from_secs(10),
            http_requests: 16,
            http_response_bytes: 64 << 20,
            log_lines_per_second: 100,
            log_line_bytes: 8 << 10,
        }
    }
}
