//! The running set: connectors and tasks that this worker runs, and how they are stopped.

mod connector;
mod noting;
mod running;

pub use connector::{ConnectorEvent, ConnectorParts, RunningConnector};
pub use noting::{NoteTopic, NotingConsumer, NotingProducer};
pub use running::{Desk, RunningTask, stop_all};

use std::sync::Arc;

use crate::model::TaskId;
use crate::task::TaskState;

/// Whom the states of tasks are told.
pub trait Statuses: Send + Sync {
    /// A task's state, and the version of its class where that is known.
    fn task(&self, id: &TaskId, state: TaskState, version: Option<&str>);

    /// A task has used a topic.
    fn topic(&self, id: &TaskId, topic: &str);
}

/// A shared [`Statuses`].
pub type SharedStatuses = Arc<dyn Statuses>;
