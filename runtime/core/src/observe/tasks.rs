//! The tasks that run here, with what they count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::TaskId;

use super::{ErrorCounts, GuestMeter, SinkTaskCounts, SourceTaskCounts};

/// What a task counts, by its kind.
#[derive(Clone, Debug)]
pub enum TaskCounts {
    /// A source task.
    Source(Arc<SourceTaskCounts>),
    /// A sink task.
    Sink(Arc<SinkTaskCounts>),
}

/// A task that runs here.
#[derive(Clone, Debug)]
pub struct ObservedTask {
    /// Its class.
    pub class: String,
    /// The class's version.
    pub version: String,
    /// What it counts.
    pub counts: TaskCounts,
    /// What it counts of records that fail.
    pub errors: Arc<ErrorCounts>,
    /// What its instances use.
    pub meter: Arc<GuestMeter>,
}

/// The tasks that run here.
#[derive(Debug, Default)]
pub struct Tasks(Mutex<BTreeMap<TaskId, Arc<ObservedTask>>>);

impl Tasks {
    /// Shows a task until the answer is dropped.
    pub fn show(self: &Arc<Self>, id: TaskId, task: ObservedTask) -> Shown {
        let task = Arc::new(task);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), task.clone());
        Shown { tasks: self.clone(), id, task }
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<(TaskId, Arc<ObservedTask>)> {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|(id, task)| (id.clone(), task.clone())).collect()
    }
}

/// A task that is shown.
#[derive(Debug)]
pub struct Shown {
    tasks: Arc<Tasks>,
    id: TaskId,
    task: Arc<ObservedTask>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut tasks = self.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The next task of this id may be shown already.
        if tasks.get(&self.id).is_some_and(|task| Arc::ptr_eq(task, &self.task)) {
            tasks.remove(&self.id);
        }
    }
}
