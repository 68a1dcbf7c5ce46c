//! What a herder does alone as in a group: keeps the config topic and what runs together, carries requests out, and
//! answers whoever waits for their end.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::model::{Ceilings, Config, TaskId, Work};
use crate::port::{NoLevel, Session, StoreError};
use crate::store::{ConfigRecord, ConfigStore, TargetState};

use super::builder::Builder;
use super::cluster_state::{Change, ConnectorRecord};
use super::offsets::OffsetChange;
use super::plan::{ConnectorSlot, TaskSlot, plan};
use super::request::{Answer, ConnectorInfo, ConnectorStatus, HerderError, Put, Request, View};
use super::running_set::{Arrival, RunningSet};
use super::stage::{Entered, not_written, writing};

/// The wait before a store that did not answer is asked again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How long a write to the config topic may take (KafkaConfigBackingStore.READ_WRITE_TOTAL_TIMEOUT_MS).
const WRITE: Duration = Duration::from_secs(30);

/// How long the config topic may take to be read before offsets are altered (DistributedHerder.modifyConnectorOffsets).
const READ: Duration = Duration::from_secs(3);

/// Somebody who waits until a connector is settled.
struct Waiter {
    name: String,
    then: Then,
    /// What the worker is at meanwhile.
    stage: Entered,
}

enum Then {
    Made {
        created: bool,
        answer: Answer<(ConnectorInfo, bool)>,
    },
    Restarted(Answer<()>),
    Gone(Answer<()>),
    TaskRestarted(TaskId, Answer<()>),
    /// Nothing of it runs here.
    ChangeOffsets(OffsetChange, Answer<String>),
}

impl Then {
    /// What is under way until then, in Connect's words where it has some (DistributedHerder's TickThreadStages).
    fn stage(&self, name: &str) -> String {
        match self {
            Then::Made { .. } => format!("starting the connector {name}"),
            Then::Restarted(_) => format!("handling restart request for connector {name}"),
            Then::Gone(_) => format!("stopping connector {name}"),
            Then::TaskRestarted(id, _) => format!("restarting task {id}"),
            Then::ChangeOffsets(..) => format!("modifying offsets for connector {name}"),
        }
    }
}

/// Connectors as they are meant to be and as they run here.
pub(super) struct Herd {
    pub view: View,
    pub configs: ConfigStore,
    pub running: RunningSet,
    /// Whether connectors came or went, or task sets changed: who runs what has to be decided anew.
    pub regroup: bool,
    /// In a group: connectors whose task sets were stored, by whomever, since somebody looked.
    pub retasked: Vec<String>,
    /// Whether it has read the config topic to its end once: what was wished for loggers before that is history.
    follows: bool,
    waiters: Vec<Waiter>,
    /// For how long it may write; none when it is alone.
    session: Option<Arc<Session>>,
}

impl Herd {
    /// Nothing runs yet. Connectors with ceilings of their own are held back until they are configured. In a group, a
    /// request is answered once it is stored, and nothing is written beyond the session.
    pub fn new(
        builder: Arc<Builder>,
        view: View,
        configs: ConfigStore,
        ceilings: BTreeMap<String, Ceilings>,
        session: Option<Arc<Session>>,
    ) -> Herd {
        let running = RunningSet::new(builder, view.statuses.clone(), ceilings, session.is_none());
        let retasked = Vec::new();
        Herd { view, configs, running, regroup: false, retasked, follows: false, waiters: Vec::new(), session }
    }

    /// Alone, a request is answered once what it wants has come about. In a group once that is stored, as somebody else
    /// may have to carry it out.
    fn is_alone(&self) -> bool {
        self.session.is_none()
    }

    /// Takes in what the config topic has beyond what was read.
    pub async fn read(&mut self) -> Result<(), StoreError> {
        let _stage = self.view.stages.enter("reading to the end of the config topic");
        let records = self.configs.read_to_end().await?;
        self.apply(records);
        self.follows = true;
        Ok(())
    }

    /// Writes to the config topic and takes in what came back.
    pub async fn write(&mut self, records: &[ConfigRecord]) -> Result<(), HerderError> {
        let _stage = self.view.stages.enter(&writing(records));
        let session = self.session.clone();
        let alone = session.is_none();
        let failed = |error: &str| HerderError::Failed(format!("{}: {error}", not_written(records, alone)));
        let lapsed = async {
            match session {
                Some(session) => session.lapsed().await,
                None => std::future::pending().await,
            }
        };
        let configs = &mut self.configs;
        let write = async {
            // In a group an append is given up soon; what is written twice says the same.
            while let Err(error) = configs.append(records).await {
                match error {
                    StoreError::Unavailable(reason) if !alone => {
                        tracing::warn!(reason, "the config topic cannot be written, which is tried again");
                        sleep(AGAIN).await;
                    }
                    error => return Err(error),
                }
            }
            configs.read_to_end().await
        };
        let written = tokio::select! {
            biased;
            written = write => written.map_err(|error| match error {
                StoreError::Fenced => HerderError::OutOfTouch,
                error => failed(&error.to_string()),
            }),
            // Whether it is written nobody knows; a round follows in any case, after which it may be asked again.
            () = lapsed => Err(HerderError::OutOfTouch),
            () = sleep(WRITE) => Err(failed("the config topic did not answer in time")),
        };
        self.apply(written?);
        Ok(())
    }

    fn apply(&mut self, records: Vec<ConfigRecord>) {
        for record in records {
            let change = self.view.state.write().unwrap_or_else(PoisonError::into_inner).apply(record);
            match change {
                Some(Change::Restart { name, include_tasks, only_failed }) => {
                    if let Some(status) = self.view.status(&name) {
                        let (connector, tasks) = status.restarted(include_tasks, only_failed);
                        self.running.restart(&name, connector, &tasks);
                    }
                }
                Some(Change::Removed(name)) => {
                    self.running.ceilings.remove(&name);
                    self.regroup = true;
                }
                Some(Change::Added(_)) => self.regroup = true,
                Some(Change::Tasks(name)) => {
                    self.regroup = true;
                    self.retasked.extend((!self.is_alone()).then_some(name));
                }
                Some(Change::LoggerLevel { logger, level }) => {
                    if self.follows
                        && let Err(NoLevel(level)) = self.view.loggers.set(&logger, &level)
                    {
                        tracing::warn!(logger, level, "the config topic sets a logger to a level that there is not");
                    }
                }
                // The plan sees these by itself.
                Some(Change::Configured(_) | Change::Target(_)) | None => {}
            }
        }
    }

    /// Does what brings what runs here closer to what is wanted here; `mine` is everything when there is none.
    pub fn carry_out(&mut self, mine: Option<&Work>) {
        let state = self.view.state.clone();
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        for action in plan(&state, &self.running.slots, mine) {
            self.running.act(action, &state);
        }
    }

    /// Takes in what arrived; answers the tasks that a connector wants.
    pub fn arrived(&mut self, arrival: Arrival, mine: Option<&Work>) -> Option<(String, Vec<Config>)> {
        let state = self.view.state.clone();
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        self.running.take(arrival, &state, mine)
    }

    /// Whether a task set is to be stored: its connector is there and not stopped, and has another one
    /// (Herder.taskConfigsChanged).
    pub fn is_news(&self, name: &str, configs: &[Config]) -> bool {
        self.view.state().get(name).is_some_and(|connector| {
            connector.target != TargetState::Stopped
                && (connector.inconsistent
                    || connector.tasks != *configs
                    || connector.applied.as_ref() != Some(&connector.config))
        })
    }

    /// Whether the instance that runs here is of the configuration that its connector has now.
    pub fn is_current(&self, name: &str) -> bool {
        let state = self.view.state();
        let generation = state.get(name).map(|connector| connector.generation);
        matches!(self.running.slots.connectors.get(name), Some(ConnectorSlot::Running(of)) if Some(*of) == generation)
    }

    /// Stores a connector's task set.
    pub async fn store_tasks(&mut self, name: &str, configs: &[Config]) -> Result<(), HerderError> {
        let count = configs.len() as u32;
        let id = |index: usize| TaskId { connector: name.to_owned(), index: index as u32 };
        let tasks = configs.iter().enumerate().map(|(index, config)| ConfigRecord::Task(id(index), config.clone()));
        let records: Vec<_> = tasks.chain([ConfigRecord::Commit(name.to_owned(), count)]).collect();
        self.write(&records).await
    }

    /// Carries a request out, or begins to.
    pub async fn handle(&mut self, request: Request) {
        // Whoever asked may have gone; what was asked is done all the same.
        match request {
            Request::Ping { answer } => drop(answer.send(Ok(()))),
            Request::Put { put, answer } => {
                let name = put.config.get("name").cloned().unwrap_or_default();
                match self.put(&name, put).await {
                    Ok(created) => self.stored(name, Then::Made { created, answer }),
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
                    Ok(()) => self.stored(name, Then::Gone(answer)),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Request::Target { name, target, answer } => drop(answer.send(self.target(name, target).await)),
            Request::RestartConnector { name, answer } => match self.known(&name, "Unknown connector: {}") {
                Ok(()) => {
                    self.running.restart(&name, true, &[]);
                    self.wait(name, Then::Restarted(answer));
                }
                Err(error) => drop(answer.send(Err(error))),
            },
            Request::Restart { name, include_tasks, only_failed, answer } => {
                drop(answer.send(self.restart(name, include_tasks, only_failed).await));
            }
            Request::RestartTask { id, answer } => match self.known_task(&id) {
                Ok(()) => {
                    self.running.restart(&id.connector, false, std::slice::from_ref(&id));
                    self.wait(id.connector.clone(), Then::TaskRestarted(id, answer));
                }
                Err(error) => drop(answer.send(Err(error))),
            },
            Request::Offsets { name, change, answer } => match self.may_change_offsets(&name).await {
                Ok(()) => self.wait(name, Then::ChangeOffsets(change, answer)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Request::LoggerLevel { logger, level, answer } => {
                drop(answer.send(self.write(&[ConfigRecord::LoggerLevel { logger, level }]).await));
            }
            Request::Fence { answer, .. } | Request::Claim { answer, .. } => {
                let message = "Kafka Connect in standalone mode does not support exactly-once source connectors.";
                drop(answer.send(Err(HerderError::Failed(message.into()))));
            }
            Request::Tasks { name, configs, answer } => {
                drop(answer.send(self.put_tasks(&name, &configs).await));
            }
        }
    }

    fn wait(&mut self, name: String, then: Then) {
        let stage = self.view.stages.enter(&then.stage(&name));
        self.waiters.push(Waiter { name, then, stage });
    }

    /// Alone, waits for what was stored to come about.
    fn stored(&mut self, name: String, then: Then) {
        match self.is_alone() {
            true => self.wait(name, then),
            false => self.answer(&name, then, None),
        }
    }

    /// The error for a request about something that is not there, of those whose owner is asked only for what is.
    pub fn missing(&self, request: &Request) -> Option<HerderError> {
        match request {
            Request::RestartConnector { name, .. } => self.known(name, "Unknown connector: {}").err(),
            Request::RestartTask { id, .. } => self.known_task(id).err(),
            Request::Target { name, .. } => self.known(name, "Unknown connector {}").err(),
            _ => None,
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
        match (id.index as usize) < count {
            true => Ok(()),
            // Connect's two herders have words of their own.
            false if self.is_alone() => Err(HerderError::NotFound(format!("Task {id} not found"))),
            false => Err(HerderError::NotFound(format!("Unknown task: {id}"))),
        }
    }

    async fn put(&mut self, name: &str, put: Put) -> Result<bool, HerderError> {
        let created = self.view.state().get(name).is_none();
        if !created && !put.replace {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        let stored = self.view.state().get(name).map(|found| found.config.clone());
        if put.made_from.is_some_and(|made_from| stored != Some(made_from)) {
            return Err(HerderError::Rebalancing);
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

    /// Tasks that another worker's connector wants (DistributedHerder.putTaskConfigs).
    async fn put_tasks(&mut self, name: &str, configs: &[Config]) -> Result<(), HerderError> {
        self.known(name, "Connector {} not found")?;
        let stopped = self.view.state().get(name).is_some_and(|found| found.target == TargetState::Stopped);
        if stopped && !configs.is_empty() {
            let message = format!("Cannot submit non-empty set of task configs for stopped connector {name}");
            return Err(HerderError::Invalid(message));
        }
        self.store_tasks(name, configs).await
    }

    /// Reads to the config topic's end, and looks whether a connector's offsets may be altered
    /// (AbstractHerder.modifyConnectorOffsets).
    async fn may_change_offsets(&mut self, name: &str) -> Result<(), HerderError> {
        match timeout(READ, self.read()).await {
            Ok(Ok(())) => self.rests_for_offsets(name),
            Ok(Err(_)) | Err(_) => {
                let message = "Failed to read to end of config topic before modifying connector offsets";
                Err(HerderError::Failed(message.into()))
            }
        }
    }

    fn rests_for_offsets(&self, name: &str) -> Result<(), HerderError> {
        self.known(name, "Connector {} not found")?;
        let rests = |found: &ConnectorRecord| found.target == TargetState::Stopped && found.tasks.is_empty();
        if self.view.state().get(name).is_some_and(rests) {
            return Ok(());
        }
        Err(HerderError::Invalid(format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
             specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        )))
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

    /// Answers whoever waited for what has come about.
    pub fn answer_waiters(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        let (there, waiting) = waiters.into_iter().partition(|waiter| self.has_arrived(waiter));
        self.waiters = waiting;
        for Waiter { name, then, stage } in there {
            self.answer(&name, then, Some(stage));
        }
    }

    fn has_arrived(&self, waiter: &Waiter) -> bool {
        match &waiter.then {
            Then::TaskRestarted(id, _) => self.running.slots.tasks.get(id) != Some(&TaskSlot::Stopping),
            Then::ChangeOffsets(..) => {
                let runs = self.running.slots.of(&waiter.name).next().is_some();
                !runs || self.rests_for_offsets(&waiter.name).is_err()
            }
            Then::Made { .. } | Then::Restarted(_) | Then::Gone(_) => self.running.slots.settled(&waiter.name),
        }
    }

    fn answer(&self, name: &str, then: Then, stage: Option<Entered>) {
        let started = match self.running.slots.connectors.get(name) {
            Some(ConnectorSlot::Failed(_)) if self.is_alone() || matches!(then, Then::Restarted(_)) => {
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
            Then::ChangeOffsets(change, answer) => match self.rests_for_offsets(name) {
                Ok(()) => self.change_offsets(name, change, answer, stage),
                Err(error) => drop(answer.send(Err(error))),
            },
        }
    }

    /// Has offsets changed, beside what else there is to do.
    fn change_offsets(&self, name: &str, change: OffsetChange, answer: Answer<String>, stage: Option<Entered>) {
        let config = self.view.state().get(name).map(|connector| connector.config.clone()).unwrap_or_default();
        let (builder, ceilings) = (self.running.builder.clone(), self.running.ceilings_of(name));
        tokio::spawn(async move {
            let _stage = stage;
            answer.send(builder.change_offsets(&config, &ceilings, change).await)
        });
    }

    /// Stops everything. Whoever waits hears from the dropped answer that the worker is stopping.
    pub async fn stop(self) {
        drop(self.waiters);
        self.running.stop().await;
    }
}
