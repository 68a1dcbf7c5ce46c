//! What a herder can be asked, what it answers, and the handle with which others ask and look.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{mpsc, oneshot, watch};

use crate::model::{Ceilings, ClassKind, Config, TaskId};
use crate::plugin::Registry;
use crate::port::Loggers;
use crate::store::{State, Status, StatusStore, TargetState};

use super::builder::Builder;
use super::cluster_state::ClusterState;
use super::offsets::OffsetChange;
use super::stage::Stages;

/// Why a request was not done, by what the asker can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HerderError {
    /// The request is wrong: change it.
    #[error("{0}")]
    Invalid(String),
    /// What it is about is not there.
    #[error("{0}")]
    NotFound(String),
    /// It stands against what is there.
    #[error("{0}")]
    Conflict(String),
    /// Another worker has to do it: where that one answers REST, if that is known.
    #[error("Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")]
    Elsewhere(Option<String>),
    /// Who does it is about to be decided anew: ask again.
    #[error(
        "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"
    )]
    Rebalancing,
    /// This worker has not heard from its group for too long to act for it: ask again, or another worker.
    #[error(
        "Cannot complete request momentarily: Kafka does not answer this worker, or its group goes on without it. Try again, \
         or ask another worker"
    )]
    OutOfTouch,
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The worker is stopping: ask another, or later.
    #[error("Worker is shutting down")]
    Stopping,
}

impl HerderError {
    /// The same error in other words.
    pub fn map(self, words: impl FnOnce(String) -> String) -> HerderError {
        match self {
            HerderError::Invalid(text) => HerderError::Invalid(words(text)),
            HerderError::NotFound(text) => HerderError::NotFound(words(text)),
            HerderError::Conflict(text) => HerderError::Conflict(words(text)),
            HerderError::Failed(text) => HerderError::Failed(words(text)),
            error @ (HerderError::Elsewhere(_)
            | HerderError::Rebalancing
            | HerderError::OutOfTouch
            | HerderError::Stopping) => error,
        }
    }
}

/// Where an answer goes.
pub type Answer<T> = oneshot::Sender<Result<T, HerderError>>;

/// A connector's configuration to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The configuration, `name` among it.
    pub config: Config,
    /// What a new connector is meant to do; none leaves it as it is.
    pub target: Option<TargetState>,
    /// Whether a connector of that name may be there.
    pub replace: bool,
    /// What its configuration may open, where that is not what the worker's settings say.
    pub ceilings: Option<Ceilings>,
    /// The stored configuration that it was made from: while that is another by now, it is not stored.
    pub made_from: Option<Config>,
}

/// What a herder can be asked.
#[expect(missing_docs, reason = "the variants' fields are what their lines name")]
pub enum Request {
    /// Store a configuration, valid or not, and start the connector anew. Answers once it has started.
    Put { put: Put, answer: Answer<(ConnectorInfo, bool)> },
    /// Stop a connector and forget it. Answers once nothing of it runs.
    Delete { name: String, answer: Answer<()> },
    /// Set what a connector is meant to do. Answers once that is stored.
    Target { name: String, target: TargetState, answer: Answer<()> },
    /// Restart a connector's instance. Answers once it has started.
    RestartConnector { name: String, answer: Answer<()> },
    /// Restart a connector with its tasks or without, all or what has failed (KIP-745). Answers what will be
    /// restarted.
    Restart { name: String, include_tasks: bool, only_failed: bool, answer: Answer<ConnectorStatus> },
    /// Restart a task. Answers once it was started.
    RestartTask { id: TaskId, answer: Answer<()> },
    /// Store the tasks that a connector on another worker wants. Answers once that is stored.
    Tasks { name: String, configs: Vec<Config>, answer: Answer<()> },
    /// Keep older tasks of a source connector from writing. Answers once that is done and noted.
    Fence { name: String, answer: Answer<()> },
    /// Answers whether a task is of its connector's last task set, of this generation, and this worker's.
    Claim { id: TaskId, generation: u64, answer: Answer<()> },
    /// Alter or reset the offsets of a stopped connector. Answers what has come of it, in words.
    Offsets { name: String, change: OffsetChange, answer: Answer<String> },
    /// Set a logger's level on every worker. Answers once that is stored.
    LoggerLevel { logger: String, level: String, answer: Answer<()> },
    /// Answers as soon as it is read.
    Ping { answer: Answer<()> },
}

impl Request {
    /// Whether every worker may do it, whoever leads.
    pub fn is_anybodys(&self) -> bool {
        matches!(
            self,
            Request::Ping { .. }
                | Request::Claim { .. }
                | Request::LoggerLevel { .. }
                | Request::Target { target: TargetState::Started | TargetState::Paused, .. }
        )
    }

    /// Answers that it was not done.
    pub fn refuse(self, error: HerderError) {
        // Whoever asked may have gone.
        match self {
            Request::Put { answer, .. } => drop(answer.send(Err(error))),
            Request::Restart { answer, .. } => drop(answer.send(Err(error))),
            Request::Offsets { answer, .. } => drop(answer.send(Err(error))),
            Request::Delete { answer, .. }
            | Request::Target { answer, .. }
            | Request::RestartConnector { answer, .. }
            | Request::RestartTask { answer, .. }
            | Request::Tasks { answer, .. }
            | Request::Fence { answer, .. }
            | Request::Claim { answer, .. }
            | Request::LoggerLevel { answer, .. }
            | Request::Ping { answer } => drop(answer.send(Err(error))),
        }
    }
}

/// A connector, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: String,
    /// Its configuration as it was given.
    pub config: Config,
    /// Its tasks.
    pub tasks: Vec<TaskId>,
    /// What it is; none when its class is not there.
    pub kind: Option<ClassKind>,
}

/// The state of a connector and its tasks, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// Its own state.
    pub connector: Status,
    /// Its tasks' states, by number.
    pub tasks: Vec<(TaskId, Status)>,
    /// What it is; none when its class is not there.
    pub kind: Option<ClassKind>,
}

/// What is shared with whoever looks: written by the herder alone.
#[derive(Clone)]
pub struct View {
    /// What the config topic says.
    pub state: Arc<RwLock<ClusterState>>,
    /// The states of connectors and tasks.
    pub statuses: Arc<StatusStore>,
    /// The plugins.
    pub plugins: Arc<RwLock<Registry>>,
    /// Whether the workers of the group sign what they ask of each other.
    pub signs: Arc<AtomicBool>,
    /// The worker's loggers.
    pub loggers: Arc<dyn Loggers>,
    /// What the herder is at.
    pub stages: Stages,
    /// Where those workers answer REST that requests may be sent on to.
    pub reachable: watch::Sender<BTreeSet<String>>,
}

impl View {
    /// What the config topic says, now. Not to be held over an await.
    pub fn state(&self) -> RwLockReadGuard<'_, ClusterState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plugins, now. Not to be held over an await.
    pub fn plugins(&self) -> RwLockReadGuard<'_, Registry> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self, config: &Config) -> Option<ClassKind> {
        let found = self.plugins().find(config.get("connector.class")?)?.class.kind;
        matches!(found, ClassKind::Source | ClassKind::Sink).then_some(found)
    }

    /// The names of all connectors, in order.
    pub fn connectors(&self) -> Vec<String> {
        self.state().connectors().keys().cloned().collect()
    }

    /// A connector.
    pub fn info(&self, name: &str) -> Option<ConnectorInfo> {
        let state = self.state();
        let connector = state.get(name)?;
        let tasks = (0..connector.tasks.len()).map(|index| TaskId { connector: name.into(), index: index as u32 });
        Some(ConnectorInfo {
            name: name.to_owned(),
            config: connector.config.clone(),
            tasks: tasks.collect(),
            kind: self.kind(&connector.config),
        })
    }

    /// The configurations of a connector's tasks.
    pub fn task_configs(&self, name: &str) -> Option<Vec<(TaskId, Config)>> {
        let state = self.state();
        let tasks = state.get(name)?.tasks.iter().enumerate();
        Some(tasks.map(|(at, c)| (TaskId { connector: name.into(), index: at as u32 }, c.clone())).collect())
    }

    /// The state of a connector; none when nobody has heard of it.
    pub fn status(&self, name: &str) -> Option<ConnectorStatus> {
        let connector = self.statuses.connector(name)?;
        let kind = self.state().get(name).and_then(|connector| self.kind(&connector.config));
        Some(ConnectorStatus { name: name.to_owned(), connector, tasks: self.statuses.tasks(name), kind })
    }
}

impl ConnectorStatus {
    /// What a restart of this connector means (KIP-745): whether its instance is restarted, and which tasks are.
    pub fn restarted(&self, include_tasks: bool, only_failed: bool) -> (bool, Vec<TaskId>) {
        let meant = |status: &Status| !only_failed || status.state == State::Failed;
        let tasks = self.tasks.iter().filter(|(_, status)| include_tasks && meant(status));
        (meant(&self.connector), tasks.map(|(id, _)| id.clone()).collect())
    }

    /// The same connector with what is restarted shown so, and all else as it was.
    pub fn restarting(mut self, include_tasks: bool, only_failed: bool) -> ConnectorStatus {
        let (connector, restarted) = self.restarted(include_tasks, only_failed);
        if connector {
            self.connector.state = State::Restarting;
        }
        for (_, status) in self.tasks.iter_mut().filter(|(id, _)| restarted.contains(id)) {
            status.state = State::Restarting;
        }
        self
    }
}

/// Asks a herder and looks at what it has made.
#[derive(Clone)]
pub struct Herder {
    requests: mpsc::Sender<Request>,
    /// What there is.
    pub view: View,
    /// Makes and checks connectors.
    pub builder: Arc<Builder>,
}

impl Herder {
    /// A handle on the herder that reads these requests.
    pub fn new(requests: mpsc::Sender<Request>, view: View, builder: Arc<Builder>) -> Herder {
        Herder { requests, view, builder }
    }

    /// Asks, and waits for the answer.
    pub async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, HerderError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| HerderError::Stopping)?;
        answered.await.unwrap_or(Err(HerderError::Stopping))
    }
}
