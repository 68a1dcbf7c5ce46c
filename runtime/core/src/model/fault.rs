//! Pure. What can go wrong with a guest, by what has to happen next.

use std::fmt;
use std::time::Duration;

/// One thing wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about.
    pub key: String,
    /// What is wrong, with the value, and how to mend it.
    pub message: String,
}

impl Problem {
    /// Problems as text, a line each.
    pub fn lines(problems: &[Problem]) -> String {
        problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// A limit that ended a guest, with what it was and what was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Wall time of a call.
    Deadline {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// The limit.
        limit: Duration,
        /// What the call was told to wait, which it might besides.
        wait: Duration,
        /// What the call had used.
        used: Duration,
    },
    /// CPU time of a call.
    Cpu {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// The limit.
        limit: Duration,
        /// What the call had used.
        used: Duration,
    },
    /// Linear memory and tables of an instance.
    Memory {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// What the guest asked for, in bytes.
        asked: u64,
    },
    /// Stack of WebAssembly code, which overflowed.
    Stack {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// How many of something an instance may consist of.
    Count {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How many there would have been at least.
        asked: usize,
    },
    /// What a call may bring over to the host: as much as its instance may have.
    Answer {
        /// The worker setting that holds the limit.
        key: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Limit {
    /// The worker setting that holds the limit.
    pub fn key(&self) -> &'static str {
        match self {
            Limit::Deadline { key, .. }
            | Limit::Cpu { key, .. }
            | Limit::Memory { key, .. }
            | Limit::Stack { key, .. }
            | Limit::Count { key, .. }
            | Limit::Answer { key, .. } => key,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |d: &Duration| d.as_millis();
        match self {
            Limit::Deadline { key, limit, wait, used } => {
                write!(f, "still running after {} ms, {key} allows {} ms", ms(used), ms(limit))?;
                if wait.is_zero() { Ok(()) } else { write!(f, " beyond its wait of {} ms", ms(wait)) }
            }
            Limit::Cpu { key, limit, used } => write!(f, "used {} ms of CPU, {key} allows {} ms", ms(used), ms(limit)),
            Limit::Memory { key, limit, asked } => {
                write!(f, "asked for {asked} bytes of memory, {key} allows {limit} bytes")
            }
            Limit::Stack { key, limit } => write!(f, "used up its stack, {key} allows {limit} bytes"),
            Limit::Count { key, what, limit, asked } => write!(f, "needs {asked} {what} or more, {key} allows {limit}"),
            Limit::Answer { key, limit } => {
                write!(f, "answered more than the {limit} bytes that {key} allows; answer less at a time")
            }
        }
    }
}

/// What a guest, or the host on a guest's behalf, failed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The same call may go through later.
    #[error("{0}")]
    Retriable(String),
    /// A record cannot be processed, others can.
    #[error("{0}")]
    Data(String),
    /// The configuration is wrong.
    #[error("{}", Problem::lines(.0))]
    Config(Vec<Problem>),
    /// The guest cannot go on, by its own word.
    #[error("{0}")]
    Fatal(String),
    /// The guest broke down: a trap, with its backtrace, or an answer that breaks the contract.
    #[error("{0}")]
    Trapped(String),
    /// A limit ended the call, and its instance with it.
    #[error("{call} {limit}")]
    Limited {
        /// The call.
        call: &'static str,
        /// The limit.
        limit: Limit,
    },
    /// The host does not allow something: key, value and the ceiling it passes.
    #[error("{0}")]
    Denied(String),
    /// The call was dropped because the task had to stop.
    #[error("{0} was still running when the time to stop gracefully had passed")]
    Abandoned(&'static str),
}

impl Fault {
    /// Whether the instance that failed so may not be called again.
    pub fn ends_instance(&self) -> bool {
        match self {
            Fault::Retriable(_) | Fault::Data(_) | Fault::Config(_) | Fault::Fatal(_) | Fault::Denied(_) => false,
            Fault::Trapped(_) | Fault::Limited { .. } | Fault::Abandoned(_) => true,
        }
    }
}

/// A row that failed on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Position of the row in the batch that was handed over.
    pub row: u32,
    /// Position of the transformation step that failed; 0 elsewhere.
    pub step: u32,
    /// Why.
    pub fault: Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_told_beside_what_a_call_was_told_to_wait() {
        let ms = Duration::from_millis;
        let of = |wait| Limit::Deadline { key: "task.poll.timeout.ms", limit: ms(500), wait: ms(wait), used: ms(1002) };
        assert_eq!(of(0).to_string(), "still running after 1002 ms, task.poll.timeout.ms allows 500 ms");
        let beyond = "still running after 1002 ms, task.poll.timeout.ms allows 500 ms beyond its wait of 500 ms";
        assert_eq!(of(500).to_string(), beyond);
    }
}
