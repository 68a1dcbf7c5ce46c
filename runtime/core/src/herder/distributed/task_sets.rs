//! The task sets that connectors which run here want: stored, by this worker as the leader or by the leader that they are
//! sent to, until that is done.

use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

use crate::model::Config;

use super::{AGAIN, Distributed};

/// What became of a task set that was sent to the leader.
pub(super) struct Submitted {
    name: String,
    configs: Vec<Config>,
    done: Result<(), String>,
}

impl Distributed {
    /// Has a connector's task set stored, by the leader.
    pub(super) async fn retask(&mut self, name: String, configs: Vec<Config>) {
        self.unstored.remove(&name);
        self.wanted.insert(name.clone(), configs.clone());
        if self.herd.is_news(&name, &configs) {
            self.unstored.insert(name.clone(), configs);
            self.store(name).await;
        }
    }

    /// Stores a task set, or sends it to the leader. A set that takes its place meanwhile goes after it.
    async fn store(&mut self, name: String) {
        let under_way = self.submitting.values().any(|submitting| *submitting == name);
        let Some(configs) = self.unstored.get(&name).filter(|_| !under_way).cloned() else { return };
        let done = match self.place.leader_url().map(str::to_owned) {
            _ if self.place.leads() => self.herd.store_tasks(&name, &configs).await.map_err(|error| error.to_string()),
            Some(url) => {
                let (peers, key) = (self.peers.clone(), self.herd.view.state().session_key().cloned());
                let key = key.filter(|_| self.place.signs());
                let whose = name.clone();
                let submitting = self.submitted.spawn(async move {
                    let done = peers.submit_tasks(&url, &name, &configs, key.as_ref()).await;
                    Submitted { name, configs, done }
                });
                self.submitting.insert(submitting.id(), whose);
                return;
            }
            None => Err("the group has no leader".to_owned()),
        };
        self.stored(Submitted { name, configs, done });
    }

    pub(super) fn was_submitted(&mut self, submitted: Result<(task::Id, Submitted), JoinError>) {
        match submitted {
            Ok((id, submitted)) => {
                self.submitting.remove(&id);
                self.stored(submitted);
            }
            Err(error) => {
                tracing::error!(%error, "a request to the leader panicked, which is a bug in weir");
                self.submitting.remove(&error.id());
                self.store_at = Instant::now() + AGAIN;
            }
        }
    }

    /// What was sent to a leader that leads no more may never be answered.
    pub(super) fn submit_anew(&mut self) {
        self.submitted = JoinSet::new();
        self.submitting.clear();
        self.store_at = Instant::now();
    }

    fn stored(&mut self, Submitted { name, configs, done }: Submitted) {
        match done {
            Ok(()) if self.unstored.get(&name) == Some(&configs) => drop(self.unstored.remove(&name)),
            Ok(()) => self.store_at = Instant::now(),
            Err(error) => {
                tracing::warn!(connector = name, error, "its tasks cannot be stored, which is tried again");
                self.store_at = Instant::now() + AGAIN;
            }
        }
    }

    /// A set that was on its way when its connector wanted another one may be stored after that, also by a former owner.
    pub(super) fn look_at_stored(&mut self) {
        let retasked = std::mem::take(&mut self.herd.retasked);
        if !retasked.is_empty() {
            self.wanted.retain(|name, _| self.place.mine.connectors.contains(name));
        }
        for name in retasked {
            let wanted = self.wanted.get(&name).filter(|_| self.herd.is_current(&name));
            if let Some(configs) = wanted.filter(|configs| self.herd.is_news(&name, configs)) {
                self.unstored.insert(name, configs.clone());
                self.store_at = Instant::now();
            }
        }
    }

    /// Tries again to have the task sets stored that could not be.
    pub(super) async fn store_again(&mut self) {
        self.store_at = Instant::now() + AGAIN;
        let (mine, herd) = (&self.place.mine.connectors, &self.herd);
        self.unstored.retain(|name, configs| mine.contains(name) && herd.is_news(name, configs));
        for name in self.unstored.keys().cloned().collect::<Vec<_>>() {
            self.store(name).await;
        }
    }
}
