//! What was made out of variables that hold for a time only, and is made anew when they have changed
//! (WorkerConfigTransformer.scheduleReload).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::Ceilings;
use crate::settings::{Values, Variable};

use super::builder::Builder;
use super::request::Herder;
use super::runnable::{Runnable, restart, whenever_due};
use super::variables::LookedUp;

/// What something was made out of.
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
    made: Arc<Mutex<BTreeMap<Runnable, MadeOf>>>,
    news: Arc<Notify>,
}

impl Held {
    fn made(&self) -> MutexGuard<'_, BTreeMap<Runnable, MadeOf>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> Option<Instant> {
        self.made().values().map(|made| made.look_at).min()
    }

    /// What is due, which is looked at again after its time.
    fn take_due(&self, now: Instant) -> Vec<(Runnable, MadeOf)> {
        let mut made = self.made();
        let due = made.iter_mut().filter(|(_, made)| made.look_at <= now);
        due.map(|(what, made)| {
            made.look_at = now + made.every;
            (what.clone(), made.clone())
        })
        .collect()
    }
}

impl Builder {
    /// Notes that something was made out of what was looked up, where that holds for a time and the configuration wants it
    /// made anew then (`config.action.reload`).
    pub(super) fn hold(&self, what: Runnable, found: &LookedUp, ceilings: &Ceilings) {
        let action = found.settings.config.get("config.action.reload").map(|action| action.trim());
        let ttl = found.values.keys().filter_map(|variable| self.providers.ttl(&variable.provider)).min();
        if let (Some(every), true) = (ttl, action != Some("none")) {
            let (values, ceilings) = (found.values.clone(), ceilings.clone());
            self.held.made().insert(what, MadeOf { values, ceilings, every, look_at: Instant::now() + every });
            self.held.news.notify_one();
        }
    }

    /// What has stopped is made anew by whoever starts it.
    pub(super) fn has_stopped(&self, what: &Runnable) {
        self.held.made().remove(what);
        self.auto_restart.stopped(what);
    }

    /// Whether what variables stand for is something else by now. What cannot be looked up counts as unchanged.
    async fn has_changed(&self, what: &Runnable, made: &MadeOf) -> bool {
        let wanted: BTreeSet<Variable> = made.values.keys().cloned().collect();
        match self.providers.values(wanted, &made.ceilings).await {
            Ok(values) => {
                self.secrets.add(&values);
                values != made.values
            }
            Err(error) => {
                tracing::warn!(?what, %error, "its variables cannot be looked up again, so it runs on with what it has");
                false
            }
        }
    }
}

/// Makes anew what runs here and was made out of variables that have changed, until it is cancelled.
pub async fn make_anew(herder: Herder, cancel: CancellationToken) {
    let held = herder.builder.held.clone();
    let look = |now| {
        for (what, made) in held.take_due(now) {
            // One that takes long keeps nobody else waiting.
            let herder = herder.clone();
            tokio::spawn(async move {
                if herder.builder.has_changed(&what, &made).await {
                    let _ = restart(&herder, &what, "its variables stand for something else now").await;
                }
            });
        }
    };
    whenever_due(cancel, &held.news, || held.first(), look).await;
}
