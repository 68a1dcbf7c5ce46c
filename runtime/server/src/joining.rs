//! How a worker gets into its group: the coordinator as it speaks to it, and its membership.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_core::herder::member::Timings;
use weir_core::herder::{Membership, membership};
use weir_core::observe::{ClientStats, GroupStats};
use weir_core::port::{Coordinator as _, Refused, Session};
use weir_core::settings::{DistributedSettings, WorkerSettings};
use weir_kafka::KafkaCoordinator;

use crate::worker::lines;

/// A worker's place in its group, as main sees it.
pub struct Grouped {
    pub session: Arc<Session>,
    pub client: Arc<ClientStats>,
    pub leave: CancellationToken,
    pub left: JoinHandle<()>,
}

/// The coordinator of a worker's group, as the worker will speak to it.
pub fn coordinator(settings: &WorkerSettings, worker_id: &str) -> Result<Arc<KafkaCoordinator>, String> {
    let mut config = settings.config.clone();
    config.entry("client.id".into()).or_insert_with(|| format!("connect-{worker_id}"));
    let coordinator = KafkaCoordinator::new(&config)
        .map_err(|problems| format!("the worker's Kafka settings are not usable:\n{}", lines(&problems)))?;
    Ok(Arc::new(coordinator.sampled(settings.metrics.sample)))
}

/// Why the group will never take this worker. As long as it may, this does not end.
pub async fn refusal(coordinator: &KafkaCoordinator) -> String {
    match coordinator.find().await {
        Err(Refused::Fatal(why)) => not_taken(&why),
        Ok(()) | Err(_) => std::future::pending().await,
    }
}

pub fn not_taken(why: &str) -> String {
    format!("the group does not take this worker: {why}")
}

/// Begins to join a group.
pub fn join(
    coordinator: Arc<KafkaCoordinator>,
    group: &DistributedSettings,
    sample: Duration,
) -> (Membership, Grouped) {
    let timings =
        Timings { session: group.session, heartbeat: group.beat(), retry: group.retry, rebalance: group.rebalance };
    let leave = CancellationToken::new();
    let (stats, client) = (Arc::new(GroupStats::new(sample)), coordinator.client());
    let (member, running) = membership(coordinator, timings, stats, leave.clone());
    let session = member.session.clone();
    (member, Grouped { session, client, leave, left: tokio::spawn(running) })
}
