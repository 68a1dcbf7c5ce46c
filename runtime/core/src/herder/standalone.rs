//! A standalone worker's herder: the single owner of decisions. Every change goes to the config topic first; what
//! comes back from there is planned and carried out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{Ceilings, Config, TaskId};

use crate::port::StoreError;
use crate::store::{ConfigRecord, ConfigStore, TargetState};

use super::builder::Builder;
use super::cluster_state::Change;
use super::plan::{ConnectorSlot, TaskSlot, plan};
use super::request::{Answer, ConnectorInfo, ConnectorStatus, HerderError, Put, Request, View};
use super::running_set::{Arrival, RunningSet};

/// The wait before a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Somebody who waits until a connector is settled.
struct Waiter {
    name: String,
    then: Then,
}

enum Then {
    Made { created: bool, answer: Answer<(ConnectorInfo, bool)> },
    Restarted(Answer<()>),
    Gone(Answer<()>),
    TaskRestarted(TaskId, Answer<()>),
}

/// A standalone worker's herder.
pub struct Standalone {
    view: View,
    configs: ConfigStore,
    running: RunningSet,
    requests: mpsc::Receiver<Request>,
    waiters: Vec<Waiter>,
    /// Task sets that connectors want and that could not be stored, and when that is tried again.
    unstored: BTreeMap<String, Vec<Config>>,
    store_at: Instant,
    cancel: CancellationToken,
}

impl Standalone {
    /// A herder that stops when `cancel` is cancelled. Connectors with ceilings of their own are held back until they
    /// are configured.
    pub fn new(
        builder: Arc<Builder>,
        view: View,
        configs: ConfigStore,
        ceilings: BTreeMap<String, Ceilings>,
        requests: mpsc::Receiver<Request>,
        cancel: CancellationToken,
    ) -> Standalone {
        let running = RunningSet::new(builder, view.statuses.clone(), ceilings);
        let (waiters, unstored, store_at) = (Vec::new(), BTreeMap::new(), Instant::now());
        Standalone { view, configs, running, requests, waiters, unstored, store_at, cancel }
    }

    /// Takes requests until it is cancelled, then stops everything.
    pub async fn run(mut self) {
        if let Err(error) = self.read().await {
            tracing::error!(%error, "the config topic cannot be read, which is tried again");
        }
        let view = self.view.clone();
        view.statuses.retain(|name| view.state().get(name).is_some());
        loop {
            self.carry_out();
            self.answer_waiters();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                arrival = self.running.arrival() => self.arrived(arrival).await,
                () = tokio::time::sleep_until(self.store_at), if !self.unstored.is_empty() => self.store_again().await,
                () = changed(&mut self.configs) => {
                    if let Err(error) = self.read().await {
                        tracing::warn!(%error, "the config topic cannot be read, which is tried again");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
                request = self.requests.recv() => match request {
                    Some(request) => self.handle(request).await,
                    None => break,
                },
            }
        }
        // Whoever waits hears from the dropped answer that the worker is stopping.
        self.waiters.clear();
        self.running.stop().await;
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let records = self.configs.read_to_end().await?;
        self.apply(records);
        Ok(())
    }

    async fn write(&mut self, records: &[ConfigRecord]) -> Result<(), HerderError> {
        let failed = |error| HerderError::Failed(format!("Error writing connector configuration: {error}"));
        let records = self.configs.write(records).await.map_err(failed)?;
        self.apply(records);
        Ok(())
    }

    fn apply(&mut self, records: Vec<ConfigRecord>) {
        for record in records {
            let change = self.view.state.write().unwrap_or_else(std::sync::PoisonError::into_inner).apply(record);
            match change {
                Some(Change::Restart { name, include_tasks, only_failed }) => {
                    if let Some(status) = self.view.status(&name) {
                        let (connector, tasks) = status.restarted(include_tasks, only_failed);
                        self.running.restart(&name, connector, &tasks);
                    }
                }
                Some(Change::Removed(name)) => drop(self.running.ceilings.remove(&name)),
                // The plan sees these by itself.
                Some(Change::Configured(_) | Change::Tasks(_) | Change::Target(_)) | None => {}
            }
        }
    }

    fn carry_out(&mut self) {
        let state = self.view.state.clone();
        let state = state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for action in plan(&state, &self.running.slots) {
            self.running.act(action, &state);
        }
    }

    async fn arrived(&mut self, arrival: Arrival) {
        let state = self.view.state.clone();
        let wanted = {
            let state = state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.running.take(arrival, &state)
        };
        if let Some((name, configs)) = wanted {
            self.retask(name, configs).await;
        }
    }

    /// Stores a connector's task set, unless it is the one that is there (Herder's taskConfigsChanged).
    async fn retask(&mut self, name: String, configs: Vec<Config>) {
        let same = self.view.state().get(&name).is_none_or(|connector| {
            !connector.inconsistent
                && connector.tasks == configs
                && connector.applied.as_ref() == Some(&connector.config)
        });
        self.unstored.remove(&name);
        if same {
            return;
        }
        let (count, wanted) = (configs.len() as u32, configs.clone());
        let of_task =
            |(index, config)| ConfigRecord::Task(TaskId { connector: name.clone(), index: index as u32 }, config);
        let mut records: Vec<ConfigRecord> = configs.into_iter().enumerate().map(of_task).collect();
        records.push(ConfigRecord::Commit(name.clone(), count));
        if let Err(error) = self.write(&records).await {
            tracing::warn!(connector = name, %error, "its tasks cannot be stored, which is tried again");
            self.unstored.insert(name, wanted);
            self.store_at = Instant::now() + AGAIN;
        }
    }

    /// Tries again to store the task sets that could not be. Requests are answered in between: one may make room.
    async fn store_again(&mut self) {
        for (name, configs) in std::mem::take(&mut self.unstored) {
            self.retask(name, configs).await;
        }
    }

    async fn handle(&mut self, request: Request) {
        // Whoever asked may have gone; what was asked is done all the same.
        match request {
            Request::Ping { answer } => drop(answer.send(Ok(()))),
            Request::Put { put, answer } => {
                let name = put.config.get("name").cloned().unwrap_or_default();
                match self.put(&name, put).await {
                    Ok(created) => self.waiters.push(Waiter { name, then: Then::Made { created, answer } }),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Request::Delete { name, answer } => {
                let gone = [ConfigRecord::Connector(name.clone(), None), ConfigRecord::Target(name.clone(), None)];
                let done = match self.known(&name, "Connector {} not found") {
                    Ok(()) => self.write(&gone).await,
                    Err(error) => Err(error),
                };
                match done {
                    Ok(()) => self.waiters.push(Waiter { name, then: Then::Gone(answer) }),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Request::Target { name, target, answer } => drop(answer.send(self.target(name, target).await)),
            Request::RestartConnector { name, answer } => match self.known(&name, "Unknown connector: {}") {
                Ok(()) => {
                    self.running.restart(&name, true, &[]);
                    self.waiters.push(Waiter { name, then: Then::Restarted(answer) });
                }
                Err(error) => drop(answer.send(Err(error))),
            },
            Request::Restart { name, include_tasks, only_failed, answer } => {
                drop(answer.send(self.restart(name, include_tasks, only_failed).await));
            }
            Request::RestartTask { id, answer } => match self.known_task(&id) {
                Ok(()) => {
                    self.running.restart(&id.connector, false, std::slice::from_ref(&id));
                    let name = id.connector.clone();
                    self.waiters.push(Waiter { name, then: Then::TaskRestarted(id, answer) });
                }
                Err(error) => drop(answer.send(Err(error))),
            },
        }
    }

    fn known(&self, name: &str, or_else: &str) -> Result<(), HerderError> {
        match self.view.state().get(name) {
            Some(_) => Ok(()),
            None => Err(HerderError::NotFound(or_else.replace("{}", name))),
        }
    }

    fn known_task(&self, id: &TaskId) -> Result<(), HerderError> {
        self.known(&id.connector, "Unknown connector: {}")?;
        let count = self.view.state().get(&id.connector).map_or(0, |connector| connector.tasks.len());
        if (id.index as usize) < count { Ok(()) } else { Err(HerderError::NotFound(format!("Task {id} not found"))) }
    }

    async fn put(&mut self, name: &str, put: Put) -> Result<bool, HerderError> {
        let created = self.view.state().get(name).is_none();
        if !created && !put.replace {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        // The target comes first, so that a connector that is to rest never starts.
        let target = put.target.map(|target| ConfigRecord::Target(name.to_owned(), Some(target)));
        let records: Vec<ConfigRecord> =
            target.into_iter().chain([ConfigRecord::Connector(name.to_owned(), Some(put.config))]).collect();
        self.write(&records).await?;
        match put.ceilings {
            Some(ceilings) => drop(self.running.ceilings.insert(name.to_owned(), ceilings)),
            None => drop(self.running.ceilings.remove(name)),
        }
        self.running.slots.held.remove(name);
        Ok(created)
    }

    async fn target(&mut self, name: String, target: TargetState) -> Result<(), HerderError> {
        self.known(&name, "Unknown connector {}")?;
        let mut records = vec![ConfigRecord::Target(name.clone(), Some(target))];
        let has_tasks = self.view.state().get(&name).is_some_and(|connector| !connector.tasks.is_empty());
        if target == TargetState::Stopped && has_tasks {
            records.insert(0, ConfigRecord::Commit(name, 0));
        }
        self.write(&records).await
    }

    async fn restart(
        &mut self,
        name: String,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<ConnectorStatus, HerderError> {
        self.known(&name, "Unknown connector: {}")?;
        let before = self.view.status(&name);
        self.write(&[ConfigRecord::Restart { name: name.clone(), include_tasks, only_failed }]).await?;
        let none = || HerderError::NotFound(format!("Status for connector {name} not found"));
        before.map(|status| status.restarting(include_tasks, only_failed)).ok_or_else(none)
    }

    fn answer_waiters(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        let (there, waiting) = waiters.into_iter().partition(|waiter| self.has_arrived(waiter));
        self.waiters = waiting;
        for Waiter { name, then } in there {
            self.answer(&name, then);
        }
    }

    fn has_arrived(&self, waiter: &Waiter) -> bool {
        match &waiter.then {
            Then::TaskRestarted(id, _) => self.running.slots.tasks.get(id) != Some(&TaskSlot::Stopping),
            Then::Made { .. } | Then::Restarted(_) | Then::Gone(_) => self.running.slots.settled(&waiter.name),
        }
    }

    fn answer(&self, name: &str, then: Then) {
        let started = match self.running.slots.connectors.get(name) {
            Some(ConnectorSlot::Failed(_)) => {
                let trace = self.view.statuses.connector(name).and_then(|status| status.trace).unwrap_or_default();
                Err(HerderError::Failed(format!("Failed to start connector: {name}\n{trace}")))
            }
            _ => Ok(()), // it runs, rests, or was removed by somebody else in the meantime
        };
        let gone = || HerderError::NotFound(format!("Connector {name} not found"));
        // Whoever asked may have gone.
        match then {
            Then::Made { created, answer } => {
                let info = started.and_then(|()| self.view.info(name).ok_or_else(gone));
                drop(answer.send(info.map(|info| (info, created))));
            }
            Then::Restarted(answer) => drop(answer.send(started)),
            Then::Gone(answer) | Then::TaskRestarted(_, answer) => drop(answer.send(Ok(()))),
        }
    }
}

/// Waits for a change, and for a while longer where the store does not answer.
async fn changed(configs: &mut ConfigStore) {
    if configs.changed().await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}
