//! What runs by a configuration, and what this worker does by itself with what runs here.

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::model::TaskId;
use crate::store::State;

use super::request::{Herder, HerderError, Request};

/// A connector or a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runnable {
    /// A connector's instance.
    Connector(String),
    /// A task.
    Task(TaskId),
}

/// The state of what this worker runs; none where another does, or nobody.
pub(super) fn here(herder: &Herder, what: &Runnable, worker_id: &str) -> Option<State> {
    let statuses = &herder.view.statuses;
    let status = match what {
        Runnable::Connector(name) => statuses.connector(name),
        Runnable::Task(id) => statuses.of_task(id),
    };
    status.filter(|status| status.worker_id == worker_id).map(|status| status.state)
}

/// Restarts something that runs here, for a reason.
pub(super) async fn restart(herder: &Herder, what: &Runnable, reason: &str) -> Result<(), HerderError> {
    tracing::info!(?what, reason, "it is restarted");
    let asked = match what.clone() {
        Runnable::Connector(name) => herder.ask(|answer| Request::RestartConnector { name, answer }).await,
        Runnable::Task(id) => herder.ask(|answer| Request::RestartTask { id, answer }).await,
    };
    if let Err(error) = &asked {
        tracing::warn!(?what, %error, "it could not be restarted");
    }
    asked
}

/// Acts whenever something is due, until it is cancelled; `news` says that what is due first may be something else now.
pub(super) async fn whenever_due(
    cancel: CancellationToken,
    news: &Notify,
    first: impl Fn() -> Option<Instant>,
    act: impl Fn(Instant),
) {
    loop {
        let changed = news.notified();
        let first = first();
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => act(Instant::now()),
            () = changed => {}
        }
    }
}
