//! A connector that runs: its instance is started, asked for task configurations, watched, and stopped.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::model::Config;
use crate::port::{Instance, Wish};
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
    /// What it asks for.
    pub wishes: mpsc::Receiver<Wish>,
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
    pub fn start<F, M, T>(data: &tokio::runtime::Handle, name: &str, make: M, tell: T) -> RunningConnector
    where
        M: FnOnce(Grace) -> F + Send + 'static,
        F: Future<Output = Result<ConnectorParts, TaskFailure>> + Send + 'static,
        T: Fn(ConnectorEvent) + Send + Sync + 'static,
    {
        let grace = Grace::default();
        let (given, tell) = (grace.clone(), Arc::new(tell));
        let told = tell.clone();
        let life = async move {
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
        };
        let context = tracing::error_span!("connector", owner = format_args!("{name}|worker"));
        let done = data.spawn(life.instrument(context));
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
        // One that always has a reason must not be asked without end.
        let not_before = Instant::now() + WATCH;
        if due {
            let configs = parts.instance.task_configs(parts.tasks_max).await.map_err(failed.clone()("task-configs"))?;
            tell(ConnectorEvent::Tasks((parts.complete)(configs)?));
        }
        due = if parts.watch {
            parts.instance.watch(WATCH).await.map_err(failed.clone()("watch"))?
        } else {
            tokio::select! {
                biased;
                () = grace.stopping.cancelled() => false,
                wish = parts.wishes.recv() => wish == Some(Wish::Reconfigure),
            }
        };
        while let Ok(wish) = parts.wishes.try_recv() {
            due |= wish == Wish::Reconfigure;
        }
        let _ = tokio::time::timeout_at(not_before, grace.stopping.cancelled()).await;
    }
    parts.instance.stop().await.map_err(failed("stop"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::{Fault, Problem};

    /// Wants one task more each time it is asked, and to be asked as often as it says.
    struct Growing {
        tasks: usize,
        reasons: Vec<bool>,
        wish: mpsc::Sender<Wish>,
    }

    #[async_trait::async_trait]
    impl Instance for Growing {
        async fn validate(&mut self) -> Result<Vec<Problem>, Fault> {
            Ok(Vec::new())
        }

        async fn start(&mut self) -> Result<(), Fault> {
            Ok(())
        }

        async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>, Fault> {
            self.tasks += 1;
            if self.tasks == 1 {
                let _ = self.wish.try_send(Wish::Reconfigure);
            }
            Ok(vec![Config::new(); self.tasks.min(max_tasks as usize)])
        }

        async fn alter_offsets(&mut self, _: &[(String, Option<String>)]) -> Result<bool, Fault> {
            Ok(false)
        }

        async fn watch(&mut self, max_wait: Duration) -> Result<bool, Fault> {
            match self.reasons.pop() {
                Some(reason) => Ok(reason),
                None => {
                    tokio::time::sleep(max_wait).await;
                    Ok(false)
                }
            }
        }

        async fn stop(&mut self) -> Result<(), Fault> {
            Ok(())
        }
    }

    /// How many tasks it wanted each time, and when, until it is stopped after ten seconds.
    async fn wanted(watch: bool, reasons: Vec<bool>) -> Vec<(usize, u64)> {
        let (wish, wishes) = mpsc::channel(8);
        let instance = Box::new(Growing { tasks: 0, reasons, wish });
        let complete = Box::new(Ok);
        let parts = ConnectorParts { instance, class: "Growing".into(), watch, tasks_max: 9, wishes, complete };
        let (grace, began, told) = (Grace::default(), Instant::now(), Mutex::new(Vec::new()));
        let tell = |event| {
            let ConnectorEvent::Tasks(tasks) = event else { panic!("{event:?}") };
            told.lock().unwrap().push((tasks.len(), began.elapsed().as_secs()));
        };
        let stop = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            grace.stopping.cancel();
        };
        let (ran, ()) = tokio::join!(run(parts, &grace, tell), stop);
        assert_eq!(ran, Ok(()));
        told.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connector_that_asks_for_new_configurations_gets_asked_for_them() {
        assert_eq!(wanted(false, vec![]).await, [(1, 0), (2, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watched_connector_is_asked_at_most_once_a_second() {
        assert_eq!(wanted(true, vec![true, false, true]).await, [(1, 0), (2, 1), (3, 3)]);
    }
}
