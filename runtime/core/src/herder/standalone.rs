//! A standalone worker's herder: the single owner of decisions. Every change goes to the config topic first; what
//! comes back from there is planned and carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{Ceilings, Config};
use crate::store::ConfigStore;

use super::builder::Builder;
use super::herd::{AGAIN, Herd};
use super::request::{Request, View};

/// A standalone worker's herder.
pub struct Standalone {
    herd: Herd,
    requests: mpsc::Receiver<Request>,
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
        let herd = Herd::new(builder, view, configs, ceilings, None);
        Standalone { herd, requests, unstored: BTreeMap::new(), store_at: Instant::now(), cancel }
    }

    /// Takes requests until it is cancelled, then stops everything.
    pub async fn run(mut self) {
        self.read().await;
        let view = self.herd.view.clone();
        view.statuses.retain(|name| view.state().get(name).is_some());
        loop {
            self.herd.carry_out(None);
            self.herd.answer_waiters();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                arrival = self.herd.running.arrival() => {
                    if let Some((name, configs)) = self.herd.arrived(arrival, None) {
                        self.retask(name, configs).await;
                    }
                }
                () = tokio::time::sleep_until(self.store_at), if !self.unstored.is_empty() => self.store_again().await,
                () = self.herd.configs.news() => self.read().await,
                request = self.requests.recv() => match request {
                    Some(request) => self.herd.handle(request).await,
                    None => break,
                },
            }
        }
        self.herd.stop().await;
    }

    async fn read(&mut self) {
        if let Err(error) = self.herd.read().await {
            tracing::warn!(%error, "the config topic cannot be read, which is tried again");
        }
    }

    async fn retask(&mut self, name: String, configs: Vec<Config>) {
        self.unstored.remove(&name);
        if !self.herd.is_news(&name, &configs) {
            return;
        }
        if let Err(error) = self.herd.store_tasks(&name, &configs).await {
            tracing::warn!(connector = name, %error, "its tasks cannot be stored, which is tried again");
            self.unstored.insert(name, configs);
            self.store_at = Instant::now() + AGAIN;
        }
    }

    /// Tries again to store the task sets that could not be. Requests are answered in between: one may make room.
    async fn store_again(&mut self) {
        for (name, configs) in std::mem::take(&mut self.unstored) {
            self.retask(name, configs).await;
        }
    }
}
