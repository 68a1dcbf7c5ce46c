//! A task that runs: how it is told things, and how it ends.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::model::TaskId;
use crate::observe::{ObservedTask, Shown, TaskPhase};
use crate::port::Session;
use crate::task::{Command, Grace, TaskFailure, TaskState};

use super::SharedStatuses;

/// Requests that may wait for a task that is busy. Pause and resume are all there is.
const COMMANDS: usize = 16;

/// A task that runs.
pub struct RunningTask {
    id: TaskId,
    grace: Grace,
    commands: mpsc::Sender<Command>,
    done: JoinHandle<()>,
    /// It is shown as long as it is this worker's, also when it has failed.
    _shown: Shown,
}

/// What a task is given to live with.
pub struct Desk {
    /// Which task it is.
    pub id: TaskId,
    /// How it ends.
    pub grace: Grace,
    /// What it is told.
    pub commands: mpsc::Receiver<Command>,
    /// Whom it tells its state.
    pub report: Arc<dyn Fn(TaskState) + Send + Sync>,
    /// Where it shows what it is made of.
    pub observed: Arc<ObservedTask>,
}

fn phase(state: &TaskState) -> TaskPhase {
    match state {
        TaskState::Running => TaskPhase::Running,
        TaskState::Paused => TaskPhase::Paused,
        TaskState::Failed(_) => TaskPhase::Failed,
        TaskState::Unassigned => TaskPhase::Unassigned,
    }
}

impl RunningTask {
    /// Starts a task on the data runtime, which writes nothing beyond the worker's session. A failure that keeps it from
    /// running, and a panic, are told as its state.
    pub fn start<F>(
        data: &tokio::runtime::Handle,
        (id, shown): (TaskId, Shown),
        version: Option<String>,
        statuses: SharedStatuses,
        session: Option<Arc<Session>>,
        run: impl FnOnce(Desk) -> F + Send + 'static,
    ) -> RunningTask
    where
        F: Future<Output = Result<(), TaskFailure>> + Send + 'static,
    {
        let (commands, told) = mpsc::channel(COMMANDS);
        let grace = Grace { session, ..Grace::default() };
        let (reported, told_phase) = (id.clone(), shown.told());
        let report: Arc<dyn Fn(TaskState) + Send + Sync> = Arc::new(move |state| {
            told_phase(phase(&state));
            statuses.task(&reported, state, version.as_deref());
        });
        let observed = shown.task.clone();
        let desk = Desk { id: id.clone(), grace: grace.clone(), commands: told, report: report.clone(), observed };
        let context = tracing::error_span!("task", owner = format_args!("{}|task-{}", id.connector, id.index));
        let life = async move {
            match AssertUnwindSafe(run(desk)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => report(TaskState::Failed(failure)),
                Err(panic) => report(TaskState::Failed(of_panic(&*panic, "the task"))),
            }
        };
        let done = data.spawn(life.instrument(context));
        RunningTask { id, grace, commands, done, _shown: shown }
    }

    /// Which task it is.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Asks it to pause or to go on; answers whether that was taken. A task that has not taken the last sixteen such
    /// requests takes no more until it has.
    pub fn tell(&self, command: Command) -> bool {
        match self.commands.try_send(command) {
            // A task that has ended needs no telling.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
        }
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&self) {
        self.grace.stopping.cancel();
    }
}

/// The failure that a panic is.
pub(super) fn of_panic(panic: &(dyn std::any::Any + Send), who: &str) -> TaskFailure {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    TaskFailure { trace: format!("weir has a bug, please report it: {who} panicked: {text}") }
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
