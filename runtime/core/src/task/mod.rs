//! One task's life: what it may do when (pure), its loops, and which offsets may be committed (pure).

mod delivery;
mod guest_calls;
mod lifecycle;
mod polls;
mod reporter;
mod sink_batch;
mod sink_commits;
mod sink_loop;
mod sink_put;
mod source_batch;
mod source_commit;
mod source_loop;
mod source_send;
mod submitted;
mod topics;

pub use delivery::{Delivery, ExactlyOnce, NotCommitted};
pub use guest_calls::Grace;
pub use lifecycle::{Effect, Event, Exit, Lifecycle, TaskState};
pub use reporter::Reporter;
pub use sink_commits::{Judged, SinkCommits};
pub use sink_loop::{SinkParts, run_sink};
pub use source_loop::{SourceParts, run_source};
pub use submitted::{Committable, SubmittedRecords};
pub use topics::{NotMade, TopicRule, Topics};

use crate::model::{Fault, TaskId};

/// Why a task ended, with the trace that its status shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// What happened, causes below.
    pub trace: String,
}

impl TaskFailure {
    /// A failure and what caused it.
    pub fn new(what: impl Into<String>, cause: impl std::fmt::Display) -> TaskFailure {
        TaskFailure { trace: format!("{}\nCaused by: {cause}", what.into()) }
    }

    /// The failure of one of the guest's calls.
    pub fn of_call(class: &str, call: &str, fault: &Fault) -> TaskFailure {
        TaskFailure::new(format!("{class} failed in {call}"), fault)
    }
}

/// Says that a task's guest did not stop cleanly. Where the task has failed that is no news: an instance that ended, or never
/// began, cannot stop.
fn not_stopped(id: &TaskId, fault: Option<Fault>, life: &Lifecycle) {
    match fault {
        Some(fault) if life.has_failed() => tracing::debug!(task = %id, %fault, "the failed task did not stop cleanly"),
        Some(fault) => tracing::warn!(task = %id, %fault, "the task did not stop cleanly"),
        None => {}
    }
}

impl std::fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.trace)
    }
}

/// What the owner of a task tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stop polling or delivering, stay ready.
    Pause,
    /// Go on.
    Resume,
}
