//! The states of tasks, in memory, each change logged.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::TaskId;
use crate::task::TaskState;
use crate::worker::Statuses;

/// The states of all tasks.
#[derive(Debug, Default)]
pub struct StatusBoard {
    tasks: Mutex<BTreeMap<TaskId, TaskState>>,
}

impl StatusBoard {
    /// A task's state; none for a task that nobody has heard of.
    pub fn of(&self, id: &TaskId) -> Option<TaskState> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets a connector's tasks.
    pub fn forget(&self, connector: &str) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|id, _| id.connector != connector);
    }
}

impl Statuses for StatusBoard {
    fn task(&self, id: &TaskId, state: TaskState) {
        match &state {
            TaskState::Running => tracing::info!(task = %id, "running"),
            TaskState::Paused => tracing::info!(task = %id, "paused"),
            TaskState::Unassigned => tracing::info!(task = %id, "stopped"),
            TaskState::Failed(failure) => tracing::error!(task = %id, "failed: {failure}"),
        }
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), state);
    }
}
