//! The running set in the herder's hands: carries out what the plan says, and hears what became of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::model::{Ceilings, Config, TaskId, VersionRange, Work};

use crate::store::{State, StatusKey, StatusStore, TargetState};
use crate::task::TaskFailure;
use crate::worker::{ConnectorEvent, RunningConnector, RunningTask, stop_all};

use super::builder::Builder;
use super::cluster_state::ClusterState;
use super::plan::{Action, ConnectorSlot, Running, TaskSlot};
use super::runnable::Runnable;

/// How long a connector may take to stop (Connect's CONNECTOR_GRACEFUL_SHUTDOWN_TIMEOUT_MS).
const CONNECTOR_GRACE: Duration = Duration::from_secs(5);

/// What became of something that was on its way.
pub enum Arrival {
    /// A connector's instance has stopped.
    ConnectorStopped(String),
    /// A task has stopped.
    TaskStopped(TaskId),
    /// A connector said something. The number tells its instance from those before.
    Told(String, u64, ConnectorEvent),
}

/// Connectors and tasks that run here.
pub struct RunningSet {
    /// Where each of them is.
    pub slots: Running,
    /// What connectors may open, where that is not what the worker's settings say.
    pub ceilings: BTreeMap<String, Ceilings>,
    /// Makes what runs.
    pub builder: Arc<Builder>,
    alone: bool,
    statuses: Arc<StatusStore>,
    instances: BTreeMap<String, (u64, RunningConnector)>,
    tasks: BTreeMap<TaskId, RunningTask>,
    stopping: JoinSet<Arrival>,
    /// Numbers instances.
    started: u64,
    // Unbounded: each instance has said one thing at most that was not read, plus one for each second.
    tell: mpsc::UnboundedSender<Arrival>,
    told: mpsc::UnboundedReceiver<Arrival>,
}

impl RunningSet {
    /// Nothing runs yet. Connectors with ceilings of their own are held back until they are configured. States of what
    /// is gone are forgotten here if this worker is `alone`, else by the group's leader.
    pub fn new(
        builder: Arc<Builder>,
        statuses: Arc<StatusStore>,
        ceilings: BTreeMap<String, Ceilings>,
        alone: bool,
    ) -> RunningSet {
        let (tell, told) = mpsc::unbounded_channel();
        RunningSet {
            slots: Running { held: ceilings.keys().cloned().collect(), ..Running::default() },
            ceilings,
            builder,
            alone,
            statuses,
            instances: BTreeMap::new(),
            tasks: BTreeMap::new(),
            stopping: JoinSet::new(),
            started: 0,
            tell,
            told,
        }
    }

    /// Waits for something to arrive. Cancel safe.
    pub async fn arrival(&mut self) -> Arrival {
        loop {
            tokio::select! {
                biased;
                Some(told) = self.told.recv() => return told,
                Some(stopped) = self.stopping.join_next() => match stopped {
                    Ok(arrival) => return arrival,
                    Err(error) => tracing::error!(%error, "stopping panicked, which is a bug in weir"),
                },
                else => std::future::pending().await,
            }
        }
    }

    /// Takes in what arrived; answers the tasks that a connector wants.
    pub fn take(
        &mut self,
        arrival: Arrival,
        state: &ClusterState,
        mine: Option<&Work>,
    ) -> Option<(String, Vec<Config>)> {
        let touched = match &arrival {
            Arrival::ConnectorStopped(name) | Arrival::Told(name, ..) => Some(name.clone()),
            Arrival::TaskStopped(_) => None,
        };
        let wanted = self.taken(arrival, state, mine);
        touched.iter().for_each(|name| self.show(name));
        wanted
    }

    /// Shows whether a connector is here, and what it is at.
    fn show(&self, name: &str) {
        let state = |slot: &ConnectorSlot| match slot {
            ConnectorSlot::Running(_) => "running",
            ConnectorSlot::Failed(_) => "failed",
            ConnectorSlot::Resting(TargetState::Stopped) => "stopped",
            ConnectorSlot::Resting(_) => "paused",
            ConnectorSlot::Starting(_) | ConnectorSlot::Stopping => "unassigned",
        };
        self.builder.tasks.show_connector(name, self.slots.connectors.get(name).map(state));
    }

    fn taken(&mut self, arrival: Arrival, state: &ClusterState, mine: Option<&Work>) -> Option<(String, Vec<Config>)> {
        match arrival {
            Arrival::ConnectorStopped(name) => {
                self.slots.connectors.remove(&name);
                self.builder.has_stopped(&Runnable::Connector(name.clone()));
                if mine.is_some_and(|mine| !mine.connectors.contains(&name)) {
                    self.given_up(&name, state);
                }
                self.forget_if_gone(&name, state);
                None
            }
            Arrival::TaskStopped(id) => {
                self.slots.tasks.remove(&id);
                self.builder.has_stopped(&Runnable::Task(id.clone()));
                if self.alone {
                    self.statuses.keep_tasks(&id.connector, state.get(&id.connector).map_or(0, |c| c.tasks.len()));
                }
                self.forget_if_gone(&id.connector, state);
                None
            }
            Arrival::Told(name, number, event) => {
                // What a former instance says is history.
                let current = self.instances.get(&name).is_some_and(|(current, _)| *current == number);
                let slot = self.slots.connectors.get_mut(&name).filter(|_| current)?;
                let (ConnectorSlot::Starting(generation) | ConnectorSlot::Running(generation)) = *slot else {
                    return None;
                };
                match event {
                    ConnectorEvent::Tasks(configs) => {
                        if matches!(slot, ConnectorSlot::Starting(_)) {
                            *slot = ConnectorSlot::Running(generation);
                            let version = state.get(&name).and_then(|c| self.version(&c.config));
                            tracing::info!(connector = name, tasks = configs.len(), "connector started");
                            let key = StatusKey::Connector(name.clone());
                            self.statuses.put(key, State::Running, None, version.as_deref());
                        }
                        Some((name, configs))
                    }
                    ConnectorEvent::Failed(failure) => {
                        *slot = ConnectorSlot::Failed(generation);
                        self.failed(&name, failure, state);
                        None
                    }
                }
            }
        }
    }

    fn version(&self, config: &Config) -> Option<String> {
        let plugins = self.builder.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = config.get("connector.plugin.version").and_then(|text| VersionRange::parse(text).ok().flatten());
        let found = plugins.find_within(config.get("connector.class")?.trim(), wanted.as_ref());
        found.ok().map(|found| found.class.version.clone())
    }

    fn failed(&self, name: &str, failure: TaskFailure, state: &ClusterState) {
        tracing::error!(connector = name, "failed: {failure}");
        let version = state.get(name).and_then(|connector| self.version(&connector.config));
        let key = StatusKey::Connector(name.to_owned());
        self.statuses.put(key, State::Failed, Some(failure.trace), version.as_deref());
    }

    /// Says that a connector runs here no more, if it is one still.
    fn given_up(&self, name: &str, state: &ClusterState) {
        if state.get(name).is_some() {
            self.statuses.put(StatusKey::Connector(name.to_owned()), State::Unassigned, None, None);
        }
    }

    fn forget_if_gone(&self, name: &str, state: &ClusterState) {
        let runs = self.slots.connectors.contains_key(name) || self.slots.of(name).next().is_some();
        if runs || state.get(name).is_some() {
            return;
        }
        self.builder.tasks.forget(name);
        if self.alone {
            self.statuses.forget(name);
        }
    }

    fn graceful(&self) -> Duration {
        self.builder.settings.graceful_timeout
    }

    /// What a connector may open.
    pub fn ceilings_of(&self, name: &str) -> Ceilings {
        self.ceilings.get(name).unwrap_or(&self.builder.settings.ceilings).clone()
    }

    /// Carries an action out, or begins to.
    pub fn act(&mut self, action: Action, state: &ClusterState) {
        let touched = match &action {
            Action::StartConnector(name)
            | Action::StopConnector(name)
            | Action::Rest(name, _)
            | Action::Forget(name) => Some(name.clone()),
            Action::StartTask(_) | Action::StopTask(_) | Action::Tell(..) => None,
        };
        self.carry_out(action, state);
        touched.iter().for_each(|name| self.show(name));
    }

    fn carry_out(&mut self, action: Action, state: &ClusterState) {
        match action {
            Action::StartConnector(name) => self.start_connector(name, state),
            Action::StopConnector(name) => {
                self.slots.connectors.insert(name.clone(), ConnectorSlot::Stopping);
                let instance = self.instances.remove(&name);
                self.stopping.spawn(async move {
                    if let Some((_, instance)) = instance {
                        instance.stop(&name, CONNECTOR_GRACE).await;
                    }
                    Arrival::ConnectorStopped(name)
                });
            }
            Action::Rest(name, target) => {
                let shown = if target == TargetState::Stopped { State::Stopped } else { State::Paused };
                let version = state.get(&name).and_then(|connector| self.version(&connector.config));
                tracing::info!(connector = name, "{}", shown.name().to_lowercase());
                self.statuses.put(StatusKey::Connector(name.clone()), shown, None, version.as_deref());
                self.slots.connectors.insert(name, ConnectorSlot::Resting(target));
            }
            Action::Forget(name) => {
                self.slots.connectors.remove(&name);
                self.given_up(&name, state);
                self.forget_if_gone(&name, state);
            }
            Action::StartTask(id) => self.start_task(id, state),
            Action::StopTask(id) => {
                self.slots.tasks.insert(id.clone(), TaskSlot::Stopping);
                let (task, graceful) = (self.tasks.remove(&id), self.graceful());
                self.stopping.spawn(async move {
                    stop_all(task.into_iter().collect(), graceful).await;
                    Arrival::TaskStopped(id)
                });
            }
            Action::Tell(id, command) => {
                let taken = self.tasks.get(&id).is_none_or(|task| task.tell(command));
                if let Some(TaskSlot::Live { paused, .. }) = self.slots.tasks.get_mut(&id).filter(|_| taken) {
                    *paused = command == crate::task::Command::Pause;
                }
            }
        }
    }

    fn start_connector(&mut self, name: String, state: &ClusterState) {
        let Some(connector) = state.get(&name) else { return };
        self.started += 1;
        let (number, tell, told) = (self.started, self.tell.clone(), name.clone());
        let (config, ceilings) = (connector.config.clone(), self.ceilings_of(&name));
        // To be resumed is no start to Connect's metrics.
        let counted = !matches!(self.slots.connectors.get(&name), Some(ConnectorSlot::Resting(_)));
        let (tasks, attempted) = (self.builder.tasks.clone(), OnceLock::new());
        let instance = self.builder.start_connector(&name, config, ceilings, move |event| {
            if counted && attempted.set(()).is_ok() {
                tasks.connector_startups.attempted(matches!(event, ConnectorEvent::Tasks(_)));
            }
            // The herder stops before its connectors only when the worker ends.
            let _ = tell.send(Arrival::Told(told.clone(), number, event));
        });
        self.instances.insert(name.clone(), (number, instance));
        self.slots.connectors.insert(name, ConnectorSlot::Starting(connector.generation));
    }

    fn start_task(&mut self, id: TaskId, state: &ClusterState) {
        let Some(connector) = state.get(&id.connector) else { return };
        let (generation, paused) = (connector.task_generation, connector.target == TargetState::Paused);
        let config = connector.tasks.get(id.index as usize).cloned().unwrap_or_default();
        let (version, ceilings) = (self.version(&connector.config), self.ceilings_of(&id.connector));
        let (given, of) = (connector.config.clone(), connector.tasks.len());
        let task = self.builder.start_task(id.clone(), version, given, (config, of, generation), (ceilings, paused));
        self.tasks.insert(id.clone(), task);
        self.slots.tasks.insert(id, TaskSlot::Live { generation, paused });
    }

    /// Marks what a restart is for, and says so.
    pub fn restart(&mut self, name: &str, connector: bool, tasks: &[TaskId]) {
        let restarting = |key| self.statuses.put(key, State::Restarting, None, None);
        let itself = connector && !matches!(self.slots.connectors.get(name), None | Some(ConnectorSlot::Resting(_)));
        if itself {
            restarting(StatusKey::Connector(name.to_owned()));
        }
        let here: Vec<&TaskId> = tasks.iter().filter(|id| self.slots.tasks.contains_key(id)).collect();
        here.iter().for_each(|&id| restarting(StatusKey::Task(id.clone())));
        if itself || !here.is_empty() {
            tracing::info!(connector = name, itself, tasks = here.len(), "restarted as asked for");
        }
        self.slots.restart(name, connector, tasks);
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        let graceful = self.graceful();
        for (name, (_, instance)) in std::mem::take(&mut self.instances) {
            self.stopping.spawn(async move {
                instance.stop(&name, CONNECTOR_GRACE).await;
                Arrival::ConnectorStopped(name)
            });
        }
        stop_all(std::mem::take(&mut self.tasks).into_values().collect(), graceful).await;
        while self.stopping.join_next().await.is_some() {}
        // Also of what rested or had failed (WorkerConnector.doShutdown).
        for name in self.slots.connectors.keys() {
            self.statuses.put(StatusKey::Connector(name.clone()), State::Unassigned, None, None);
        }
    }
}
