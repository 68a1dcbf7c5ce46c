//! Starts again what has failed, where its configuration wants that (`auto.restart`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::Config;
use crate::store::State;
use crate::task::TaskFailure;

use super::held::{Owner, here, restart};
use super::request::Herder;
use super::tries::{Tries, said, tries_allowed};

struct Tried {
    tries: Tries,
    /// What it was made out of when it was tried: another configuration is tried from the start.
    config: Config,
    restart_at: Option<Instant>,
    restarts: u64,
}

/// What was started again, and what will be.
#[derive(Clone)]
pub struct AutoRestart {
    tried: Arc<Mutex<BTreeMap<Owner, Tried>>>,
    news: Arc<Notify>,
    began: Instant,
}

impl Default for AutoRestart {
    fn default() -> AutoRestart {
        AutoRestart { tried: Arc::default(), news: Arc::default(), began: Instant::now() }
    }
}

impl AutoRestart {
    fn tried(&self) -> MutexGuard<'_, BTreeMap<Owner, Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes that something runs.
    pub(super) fn runs(&self, owner: &Owner) {
        if let Some(tried) = self.tried().get_mut(owner) {
            tried.tries.runs(self.now());
        }
    }

    /// Notes a failure; answers its trace, with what follows.
    pub(super) fn failed(&self, owner: &Owner, config: &Config, failure: TaskFailure) -> TaskFailure {
        let Some(most) = tries_allowed(config) else {
            self.tried().remove(owner);
            return failure;
        };
        let mut all = self.tried();
        let fresh = || Tried { tries: Tries::default(), config: config.clone(), restart_at: None, restarts: 0 };
        let tried = all.entry(owner.clone()).or_insert_with(fresh);
        if tried.config != *config {
            *tried = Tried { restarts: tried.restarts, ..fresh() };
        }
        let wait = tried.tries.failed(self.now(), most);
        tried.restart_at = wait.map(|wait| Instant::now() + wait);
        let said = said(tried.tries.made, most, wait);
        self.news.notify_one();
        TaskFailure { trace: format!("{}\n{said}", failure.trace) }
    }

    /// How often each was started again by itself, and the attempts since it was well.
    pub(super) fn counts(&self) -> Vec<(Owner, u64, u32)> {
        self.tried().iter().map(|(owner, tried)| (owner.clone(), tried.restarts, tried.tries.made)).collect()
    }

    fn take_due(&self, now: Instant) -> Vec<Owner> {
        let due = |tried: &mut Tried| tried.restart_at.take_if(|at| *at <= now).is_some();
        self.tried().iter_mut().filter_map(|(owner, tried)| due(tried).then(|| owner.clone())).collect()
    }

    fn restarted(&self, owner: &Owner) {
        if let Some(tried) = self.tried().get_mut(owner) {
            tried.restarts += 1;
        }
    }

    fn first(&self) -> Option<Instant> {
        self.tried().values().filter_map(|tried| tried.restart_at).min()
    }
}

/// Starts again what has failed here, until it is cancelled.
pub async fn restart_failed(herder: Herder, worker_id: String, cancel: CancellationToken) {
    let restarts = herder.builder.auto_restart.clone();
    loop {
        let news = restarts.news.notified();
        let first = restarts.first();
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = tokio::time::sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {}
            () = news => continue,
        }
        let is_there = |name: &str| herder.view.state().get(name).is_some();
        restarts.tried().retain(|owner, _| is_there(owner.connector()));
        for owner in restarts.take_due(Instant::now()) {
            // Whoever restarted or moved it by hand has had their reasons.
            let failed = here(&herder, &owner, &worker_id).is_some_and(|state| state == State::Failed);
            if failed && restart(&herder, &owner, "it has failed, and auto.restart is on").await.is_ok() {
                restarts.restarted(&owner);
            }
        }
    }
}
