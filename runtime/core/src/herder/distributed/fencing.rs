//! Older tasks of source connectors are kept from writing before newer ones start, by the leader; and each worker says
//! whether a task that is about to start is still its own.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::model::{ClassKind, TaskId};
use crate::store::ConfigRecord;

use super::Distributed;
use crate::herder::fencing::{Needed, may_note, may_start, needed};
use crate::herder::preflight::WITHIN;
use crate::herder::request::{Answer, HerderError};

/// How long a config topic that could not be read is not read again for tasks.
const UNREAD: Duration = Duration::from_secs(5);

/// Fencings that are under way.
#[derive(Default)]
pub(super) struct Fencings {
    /// Until when the config topic is not read for tasks, once it could not be.
    unread_until: Option<Instant>,
    under_way: BTreeMap<String, Fencing>,
    ending: JoinSet<Result<(), String>>,
    /// Whose they are.
    whose: BTreeMap<task::Id, String>,
}

/// A fencing that is under way.
struct Fencing {
    /// Of which task set its tasks are, and how many there are in it.
    generation: u64,
    tasks: u32,
    /// Who waits for its end.
    waiting: Vec<Answer<()>>,
}

impl Fencings {
    /// The end of one of them. Cancel safe.
    pub async fn ended(&mut self) -> Option<(String, Result<(), String>)> {
        let ended: Result<(task::Id, Result<(), String>), JoinError> = self.ending.join_next_with_id().await?;
        let (id, done) = match ended {
            Ok(done) => done,
            Err(error) => (error.id(), Err(format!("weir has a bug: a fencing panicked: {error}"))),
        };
        Some((self.whose.remove(&id)?, done))
    }

    /// Gives all of them up: whoever leads now has to be asked.
    pub fn give_up(&mut self) {
        (self.ending, self.whose) = (JoinSet::new(), BTreeMap::new());
        let waiting = std::mem::take(&mut self.under_way).into_values().flat_map(|fencing| fencing.waiting);
        // Whoever asked may have gone.
        waiting.for_each(|answer| drop(answer.send(Err(HerderError::Rebalancing))));
    }
}

impl Distributed {
    /// As the leader, has older tasks of a connector fenced where that is needed. Answers once it is done and noted.
    pub(super) async fn fence(&mut self, name: String, answer: Answer<()>) {
        let needed = match self.what_to_fence(&name).await {
            Ok(needed) => needed,
            Err(error) => return drop(answer.send(Err(error))),
        };
        if let Some(fencing) = self.fencings.under_way.get_mut(&name) {
            // Who asks again has not waited for the first answer.
            fencing.waiting.retain(|answer| !answer.is_closed());
            return fencing.waiting.push(answer);
        }
        let (generation, tasks) = self.task_set(&name);
        match needed {
            Needed::Nothing => drop(answer.send(Ok(()))),
            Needed::Note => drop(answer.send(self.herd.write(&[ConfigRecord::Fencing(name, tasks)]).await)),
            Needed::Fence(older) => {
                tracing::info!(connector = name, older, "older tasks are fenced before newer ones start");
                let builder = self.herd.running.builder.clone();
                let config = self.herd.view.state().get(&name).map(|found| found.config.clone()).unwrap_or_default();
                let ceilings = self.herd.running.ceilings_of(&name);
                let fencing = async move {
                    let fencing = timeout(WITHIN, builder.fence(&config, &ceilings, older)).await;
                    fencing.unwrap_or_else(|_| Err(format!("{older} older tasks were not fenced within {WITHIN:?}")))
                };
                let id = self.fencings.ending.spawn(fencing).id();
                self.fencings.whose.insert(id, name.clone());
                self.fencings.under_way.insert(name, Fencing { generation, tasks, waiting: vec![answer] });
            }
        }
    }

    /// The generation of a connector's task set, and how many tasks there are in it.
    fn task_set(&self, name: &str) -> (u64, u32) {
        let state = self.herd.view.state();
        state.get(name).map_or((0, 0), |found| (found.task_generation, found.tasks.len() as u32))
    }

    /// Reads the config topic to its end for a task that is about to start. Where that has just failed it does not try: as many
    /// tasks as ask must not keep everybody else waiting.
    async fn read_for_tasks(&mut self) -> bool {
        if self.fencings.unread_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let read = self.read().await;
        if !read {
            self.fencings.unread_until = Some(Instant::now() + UNREAD);
        }
        read
    }

    async fn what_to_fence(&mut self, name: &str) -> Result<Needed, HerderError> {
        let info = self.herd.view.info(name);
        let info = info.ok_or_else(|| HerderError::NotFound(format!("Connector {name} not found")))?;
        if info.kind == Some(ClassKind::Sink) {
            return Err(HerderError::Invalid(format!("Connector {name} is not a source connector")));
        }
        if !self.read_for_tasks().await {
            let message = "Failed to read to end of config topic before performing zombie fencing";
            return Err(HerderError::Failed(message.into()));
        }
        let state = self.herd.view.state();
        let pending = state.get(name).is_some_and(|found| found.pending_fencing);
        Ok(needed(pending, state.fenced_tasks(name), self.task_set(name).1 as usize))
    }

    /// Notes that older tasks are fenced, unless there is a newer task set by now, whose tasks may have started.
    pub(super) async fn was_fenced(&mut self, name: String, done: Result<(), String>) {
        let Some(Fencing { generation, tasks, waiting }) = self.fencings.under_way.remove(&name) else { return };
        let outcome = match done {
            Err(error) => Err(HerderError::Failed(format!("Failed to perform zombie fencing: {error}"))),
            Ok(()) if !self.read().await => Err(HerderError::Failed("Failed to read to end of config topic".into())),
            Ok(()) => match may_note(generation, self.task_set(&name).0, self.place.leads() && self.is_settled()) {
                Ok(()) => self.herd.write(&[ConfigRecord::Fencing(name, tasks)]).await,
                refused => refused,
            },
        };
        // Whoever asked may have gone.
        waiting.into_iter().for_each(|answer| drop(answer.send(outcome.clone())));
    }

    /// Whoever leads now claims the config topic from whoever led before. What fails is tried again with the next write.
    pub(super) async fn claim_pen(&mut self) {
        if let Err(error) = self.herd.configs.lead(self.place.leads()).await {
            tracing::warn!(%error, "the config topic cannot be claimed, which is tried again");
        }
    }

    /// Says whether a task is of its connector's last task set and this worker's.
    pub(super) async fn claim(&mut self, id: &TaskId, generation: u64) -> Result<(), HerderError> {
        if !self.read_for_tasks().await {
            return Err(HerderError::Rebalancing);
        }
        may_start(id, generation, self.task_set(&id.connector).0, self.place.mine.tasks.contains(id))
    }
}
