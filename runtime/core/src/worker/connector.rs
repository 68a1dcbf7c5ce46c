//! A connector that runs: its instance is started, asked for task configurations, watched, and stopped.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::model::Config;
use crate::port::Instance;
use crate::task::{Grace, TaskFailure};

use super::running::of_panic;

/// How long a connector's `watch` may wait for a reason to make new task configurations.
const WATCH: Duration = Duration::from_secs(1);

/// What a connector tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectorEvent {
    /// It wants these tasks. The first one says that it has started.
    Tasks(Vec<Config>),
    /// It has failed, and does nothing more.
    Failed(TaskFailure),
}

/// Makes whole task configurations out of what an instance answers, or says why they cannot be.
pub type Complete = Box<dyn Fn(Vec<Config>) -> Result<Vec<Config>, TaskFailure> + Send + Sync>;

/// What a connector is made of.
pub struct ConnectorParts {
    /// Its instance, not started.
    pub instance: Box<dyn Instance>,
    /// The class, for messages.
    pub class: String,
    /// Whether it wants `watch`.
    pub watch: bool,
    /// `tasks.max`
    pub tasks_max: u32,
    /// How its task configurations are made whole.
    pub complete: Complete,
}

/// A connector that runs.
pub struct RunningConnector {
    grace: Grace,
    done: JoinHandle<()>,
}

impl RunningConnector {
    /// Starts a connector on the data runtime. What keeps it from running, and a panic, are told as its failure.
    pub fn start<F, M, T>(data: &tokio::runtime::Handle, make: M, tell: T) -> RunningConnector
    where
        M: FnOnce(Grace) -> F + Send + 'static,
        F: Future<Output = Result<ConnectorParts, TaskFailure>> + Send + 'static,
        T: Fn(ConnectorEvent) + Send + Sync + 'static,
    {
        let grace = Grace::default();
        let (given, tell) = (grace.clone(), Arc::new(tell));
        let told = tell.clone();
        let done = data.spawn(async move {
            let life = async move {
                let over = given.over.clone();
                let run = async move {
                    match make(given.clone()).await {
                        Ok(parts) => run(parts, &given, &*tell).await,
                        Err(failure) => Err(failure),
                    }
                };
                tokio::select! {
                    biased;
                    outcome = run => outcome,
                    () = over.cancelled() => Ok(()),
                }
            };
            match AssertUnwindSafe(life).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => told(ConnectorEvent::Failed(failure)),
                Err(panic) => told(ConnectorEvent::Failed(of_panic(&*panic, "the connector"))),
            }
        });
        RunningConnector { grace, done }
    }

    /// Stops it, within a time after which it is given up.
    pub async fn stop(mut self, name: &str, graceful: Duration) {
        self.grace.stopping.cancel();
        if tokio::time::timeout(graceful, &mut self.done).await.is_err() {
            tracing::warn!(connector = name, "the connector did not stop within {graceful:?} and is given up");
            self.grace.over.cancel();
            // A guest in the middle of its computation ends at the next tick.
            if tokio::time::timeout(Duration::from_secs(1), &mut self.done).await.is_err() {
                self.done.abort();
            }
        }
    }
}

async fn run(mut parts: ConnectorParts, grace: &Grace, tell: impl Fn(ConnectorEvent)) -> Result<(), TaskFailure> {
    let class = parts.class.clone();
    let failed = |call: &'static str| move |fault| TaskFailure::of_call(&class, call, &fault);
    parts.instance.start().await.map_err(failed.clone()("start"))?;
    let mut due = true;
    while !grace.stopping.is_cancelled() {
        if due {
            let configs = parts.instance.task_configs(parts.tasks_max).await.map_err(failed.clone()("task-configs"))?;
            tell(ConnectorEvent::Tasks((parts.complete)(configs)?));
        }
        if !parts.watch {
            grace.stopping.cancelled().await;
            break;
        }
        let until = Instant::now() + WATCH;
        due = parts.instance.watch(WATCH).await.map_err(failed.clone()("watch"))?;
        if !due {
            // One that answers at once must not be asked without end.
            let _ = tokio::time::timeout_at(until, grace.stopping.cancelled()).await;
        }
    }
    parts.instance.stop().await.map_err(failed("stop"))
}
