//! A standalone worker: every connector and every task is its own. One owner takes requests one after another.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::{Config, TaskId};
use crate::plugin::Ceilings;
use crate::port::Instance;
use crate::settings::ConnectorSettings;
use crate::worker::{RunningTask, stop_all};

use super::builder::{Builder, Failure};
use super::statuses::StatusBoard;

/// What a standalone worker can be asked.
pub enum Request {
    /// Make a connector, or give it another configuration. Answers how many tasks it has.
    Put {
        /// Its configuration, `name` among it.
        config: Config,
        /// What its configuration may open.
        ceilings: Ceilings,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<usize, Failure>>,
    },
    /// Stop a connector and forget it. Answers whether it was there.
    Delete {
        /// Its name.
        name: String,
        /// Where the answer goes.
        answer: oneshot::Sender<bool>,
    },
}

struct Running {
    instance: Box<dyn Instance>,
    tasks: Vec<RunningTask>,
}

/// A standalone worker.
pub struct Standalone {
    builder: Arc<Builder>,
    board: Arc<StatusBoard>,
    requests: mpsc::Receiver<Request>,
    cancel: CancellationToken,
    connectors: BTreeMap<String, Running>,
}

impl Standalone {
    /// A standalone worker that stops when `cancel` is cancelled.
    pub fn new(
        builder: Arc<Builder>,
        board: Arc<StatusBoard>,
        requests: mpsc::Receiver<Request>,
        cancel: CancellationToken,
    ) -> Standalone {
        Standalone { builder, board, requests, cancel, connectors: BTreeMap::new() }
    }

    /// Takes requests until it is cancelled, then stops everything.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                request = self.requests.recv() => match request {
                    Some(request) => self.handle(request).await,
                    None => break,
                },
            }
        }
        let (mut instances, mut tasks) = (Vec::new(), Vec::new());
        for (name, running) in std::mem::take(&mut self.connectors) {
            instances.push((name, running.instance));
            tasks.extend(running.tasks);
        }
        stop_all(tasks, self.builder.settings.graceful_timeout).await;
        for (name, instance) in instances {
            stop_instance(&name, instance).await;
        }
    }

    async fn handle(&mut self, request: Request) {
        // Whoever asked may have gone; what was asked is done all the same.
        match request {
            Request::Put { config, ceilings, answer } => {
                let _ = answer.send(self.put(config, ceilings).await);
            }
            Request::Delete { name, answer } => {
                let there = self.stop(&name).await;
                self.board.forget(&name);
                let _ = answer.send(there);
            }
        }
    }

    async fn put(&mut self, config: Config, ceilings: Ceilings) -> Result<usize, Failure> {
        let settings = Arc::new(ConnectorSettings::parse(&config).map_err(Failure::Config)?);
        self.stop(&settings.name).await;
        let (instance, configs) = self.builder.start_connector(&settings, &ceilings).await?;
        let tasks: Vec<RunningTask> = configs
            .into_iter()
            .enumerate()
            .map(|(index, config)| {
                let id = TaskId { connector: settings.name.clone(), index: index as u32 };
                self.builder.start_task(id, settings.clone(), config, ceilings.clone(), false)
            })
            .collect();
        let count = tasks.len();
        tracing::info!(connector = settings.name, tasks = count, "connector started");
        self.connectors.insert(settings.name.clone(), Running { instance, tasks });
        Ok(count)
    }

    async fn stop(&mut self, name: &str) -> bool {
        let Some(Running { instance, tasks }) = self.connectors.remove(name) else { return false };
        stop_all(tasks, self.builder.settings.graceful_timeout).await;
        stop_instance(name, instance).await;
        true
    }
}

async fn stop_instance(name: &str, mut instance: Box<dyn Instance>) {
    if let Err(fault) = instance.stop().await {
        tracing::warn!(connector = name, %fault, "the connector did not stop cleanly");
    }
}
