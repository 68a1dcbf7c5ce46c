//! A task that runs: how it is told things, and how it ends.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::TaskId;
use crate::task::{Command, Grace};

/// Requests that may wait for a task that is busy. Pause and resume are all there is.
pub(super) const COMMANDS: usize = 16;

/// A task that runs.
pub struct RunningTask {
    pub(super) id: TaskId,
    pub(super) grace: Grace,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) done: JoinHandle<()>,
}

impl RunningTask {
    /// Which task it is.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Asks it to pause or to go on.
    pub async fn tell(&self, command: Command) {
        // A task that has ended needs no telling.
        let _ = self.commands.send(command).await;
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&self) {
        self.grace.stopping.cancel();
    }
}

/// Stops tasks. They share one time to stop gracefully, after which whatever still runs is given up.
pub async fn stop_all(mut tasks: Vec<RunningTask>, graceful: Duration) {
    tasks.iter().for_each(RunningTask::ask_to_stop);
    let until = tokio::time::Instant::now() + graceful;
    for task in &mut tasks {
        if tokio::time::timeout_at(until, &mut task.done).await.is_err() {
            tracing::warn!(task = %task.id, "the task did not stop within task.shutdown.graceful.timeout.ms");
            task.grace.over.cancel();
        }
    }
    // What was given up ends at its next await; a guest in the middle of its computation at the next tick.
    let until = tokio::time::Instant::now() + graceful.max(Duration::from_secs(1));
    for task in &mut tasks {
        if !task.done.is_finished() && tokio::time::timeout_at(until, &mut task.done).await.is_err() {
            task.done.abort();
        }
    }
}
