//! What was made out of variables that hold for a time only, and is made anew when they have changed
//! (WorkerConfigTransformer.scheduleReload).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{Ceilings, TaskId};
use crate::settings::{Values, Variable};
use crate::store::State;

use super::builder::Builder;
use super::request::{Herder, HerderError, Request};
use super::variables::LookedUp;

/// What is made out of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A connector's instance.
    Connector(String),
    /// A task.
    Task(TaskId),
}

/// What one of them was made out of.
#[derive(Clone, Debug, PartialEq)]
struct MadeOf {
    values: Values,
    ceilings: Ceilings,
    every: Duration,
    look_at: Instant,
}

/// Connectors and tasks that were made out of variables, each until it is made anew.
#[derive(Clone, Debug, Default)]
pub struct Held {
    made: Arc<Mutex<BTreeMap<Owner, MadeOf>>>,
    news: Arc<Notify>,
}

impl Held {
    fn made(&self) -> MutexGuard<'_, BTreeMap<Owner, MadeOf>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> Option<Instant> {
        self.made().values().map(|made| made.look_at).min()
    }

    /// What is due, which is looked at again after its time.
    fn take_due(&self, now: Instant) -> Vec<(Owner, MadeOf)> {
        let mut made = self.made();
        let due = made.iter_mut().filter(|(_, made)| made.look_at <= now);
        due.map(|(owner, made)| {
            made.look_at = now + made.every;
            (owner.clone(), made.clone())
        })
        .collect()
    }
}

impl Builder {
    /// Notes that something was made out of what was looked up, where that holds for a time and the configuration wants it
    /// made anew then (`config.action.reload`).
    pub(super) fn hold(&self, owner: Owner, found: &LookedUp, ceilings: &Ceilings) {
        let action = found.settings.config.get("config.action.reload").map(|action| action.trim());
        let ttl = found.values.keys().filter_map(|variable| self.providers.ttl(&variable.provider)).min();
        if let (Some(every), true) = (ttl, action != Some("none")) {
            let (values, ceilings) = (found.values.clone(), ceilings.clone());
            self.held.made().insert(owner, MadeOf { values, ceilings, every, look_at: Instant::now() + every });
            self.held.news.notify_one();
        }
    }

    /// What has stopped is made anew by whoever starts it.
    pub(super) fn has_stopped(&self, owner: &Owner) {
        self.held.made().remove(owner);
        self.auto_restart.stopped(owner);
    }

    /// Whether what variables stand for is something else by now. What cannot be looked up counts as unchanged.
    async fn has_changed(&self, key: &Owner, made: &MadeOf) -> bool {
        let wanted: BTreeSet<Variable> = made.values.keys().cloned().collect();
        match self.providers.values(wanted, &made.ceilings).await {
            Ok(values) => {
                self.secrets.add(&values);
                values != made.values
            }
            Err(error) => {
                tracing::warn!(?key, %error, "its variables cannot be looked up again, so it runs on with what it has");
                false
            }
        }
    }
}

/// Makes anew what runs here and was made out of variables that have changed, until it is cancelled.
pub async fn make_anew(herder: Herder, cancel: CancellationToken) {
    let builder = herder.builder.clone();
    loop {
        let news = builder.held.news.notified();
        let first = builder.held.first();
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = tokio::time::sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {}
            () = news => continue,
        }
        for (owner, made) in builder.held.take_due(Instant::now()) {
            // One that takes long keeps nobody else waiting.
            let herder = herder.clone();
            tokio::spawn(async move {
                if herder.builder.has_changed(&owner, &made).await {
                    let _ = restart(&herder, &owner, "its variables stand for something else now").await;
                }
            });
        }
    }
}

/// The state of what this worker runs; none where another does, or nobody.
pub(super) fn here(herder: &Herder, key: &Owner, worker_id: &str) -> Option<State> {
    let statuses = &herder.view.statuses;
    let status = match key {
        Owner::Connector(name) => statuses.connector(name),
        Owner::Task(id) => {
            statuses.tasks(&id.connector).into_iter().find(|(task, _)| task == id).map(|(_, status)| status)
        }
    };
    status.filter(|status| status.worker_id == worker_id).map(|status| status.state)
}

/// Restarts something that runs here, for a reason.
pub(super) async fn restart(herder: &Herder, key: &Owner, reason: &str) -> Result<(), HerderError> {
    tracing::info!(?key, reason, "it is restarted");
    let asked = match key.clone() {
        Owner::Connector(name) => herder.ask(|answer| Request::RestartConnector { name, answer }).await,
        Owner::Task(id) => herder.ask(|answer| Request::RestartTask { id, answer }).await,
    };
    if let Err(error) = &asked {
        tracing::warn!(?key, %error, "it could not be restarted");
    }
    asked
}
