//! The running set: tasks that this worker runs, and how they are stopped.

mod running;

pub use running::{Desk, RunningTask, stop_all};

use std::sync::Arc;

use crate::model::TaskId;
use crate::task::TaskState;

/// Whom the states of tasks are told.
pub trait Statuses: Send + Sync {
    /// A task's state.
    fn task(&self, id: &TaskId, state: TaskState);
}

/// A shared [`Statuses`].
pub type SharedStatuses = Arc<dyn Statuses>;
