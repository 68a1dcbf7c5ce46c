//! What a worker's membership in its group comes to, as samples.

use crate::observe::{ClientStats, GroupStats, Samples, Timed, client_table, labels, table as metric};

/// Connect's groups `connect-worker-rebalance-metrics`, `connect-coordinator-metrics`, `connect-metrics` and
/// `connect-node-metrics`.
pub(super) fn group(
    (stats, client): &(std::sync::Arc<GroupStats>, std::sync::Arc<ClientStats>),
    samples: &mut Samples,
) {
    rebalances(stats, samples);
    coordinator(stats, &client.id, samples);
    super::client::client(client_table::membership(), client, samples);
}

fn rebalances(stats: &GroupStats, samples: &mut Samples) {
    let (none, now) = (labels([]), stats.now());
    for (metric, text) in
        [(&metric::REBALANCE_CONNECT_PROTOCOL, now.protocol), (&metric::REBALANCE_LEADER_NAME, now.leader)]
    {
        if !text.is_empty() {
            samples.text(&none, metric, text);
        }
    }
    let since = stats.last_completed.ago().map_or(f64::INFINITY, |ago| ago.as_millis() as f64);
    for (metric, value) in [
        (&metric::REBALANCE_EPOCH, now.generation as f64),
        (&metric::REBALANCE_COMPLETED_REBALANCES_TOTAL, stats.completed.get() as f64),
        (&metric::REBALANCE_REBALANCING, f64::from(u8::from(stats.rebalancing.ago().is_some()))),
        (&metric::REBALANCE_REBALANCE_MAX_TIME_MS, stats.rebalance_time.max()),
        (&metric::REBALANCE_REBALANCE_AVG_TIME_MS, stats.rebalance_time.avg()),
        (&metric::REBALANCE_TIME_SINCE_LAST_REBALANCE_MS, since),
    ] {
        samples.number(&none, metric, value);
    }
}

fn coordinator(stats: &GroupStats, client: &str, samples: &mut Samples) {
    let labels = labels([("client-id", client)]);
    let (connectors, tasks) = stats.now().assigned;
    let seconds_ago = |moment: &crate::observe::Moment| moment.ago().map_or(-1.0, |ago| ago.as_secs() as f64);
    let total = |timed: &Timed| timed.answers.get() as f64;
    for (metric, value) in [
        (&metric::COORDINATOR_ASSIGNED_CONNECTORS, connectors as f64),
        (&metric::COORDINATOR_ASSIGNED_TASKS, tasks as f64),
        (&metric::COORDINATOR_HEARTBEAT_RATE, stats.heartbeats.answers.rate()),
        (&metric::COORDINATOR_HEARTBEAT_TOTAL, total(&stats.heartbeats)),
        (&metric::COORDINATOR_HEARTBEAT_RESPONSE_TIME_MAX, stats.heartbeats.time.max()),
        (&metric::COORDINATOR_JOIN_RATE, stats.joins.answers.rate()),
        (&metric::COORDINATOR_JOIN_TOTAL, total(&stats.joins)),
        (&metric::COORDINATOR_JOIN_TIME_AVG, stats.joins.time.avg()),
        (&metric::COORDINATOR_JOIN_TIME_MAX, stats.joins.time.max()),
        (&metric::COORDINATOR_SYNC_RATE, stats.syncs.answers.rate()),
        (&metric::COORDINATOR_SYNC_TOTAL, total(&stats.syncs)),
        (&metric::COORDINATOR_SYNC_TIME_AVG, stats.syncs.time.avg()),
        (&metric::COORDINATOR_SYNC_TIME_MAX, stats.syncs.time.max()),
        (&metric::COORDINATOR_REBALANCE_TOTAL, total(&stats.rebalances)),
        (&metric::COORDINATOR_REBALANCE_RATE_PER_HOUR, stats.rebalances.answers.rate() * 3_600.0),
        (&metric::COORDINATOR_REBALANCE_LATENCY_AVG, stats.rebalances.time.avg()),
        (&metric::COORDINATOR_REBALANCE_LATENCY_MAX, stats.rebalances.time.max()),
        (&metric::COORDINATOR_REBALANCE_LATENCY_TOTAL, stats.rebalance_ms.get() as f64),
        (&metric::COORDINATOR_FAILED_REBALANCE_TOTAL, stats.failed_rebalances.get() as f64),
        (&metric::COORDINATOR_FAILED_REBALANCE_RATE_PER_HOUR, stats.failed_rebalances.rate() * 3_600.0),
        (&metric::COORDINATOR_LAST_HEARTBEAT_SECONDS_AGO, seconds_ago(&stats.last_heartbeat)),
        (&metric::COORDINATOR_LAST_REBALANCE_SECONDS_AGO, seconds_ago(&stats.last_rebalance)),
    ] {
        samples.number(&labels, metric, value);
    }
}
