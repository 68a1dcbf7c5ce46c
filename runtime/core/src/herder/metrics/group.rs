//! What a worker's membership in its group comes to, as samples.

use crate::observe::{ClientStats, GroupStats, Meter, Metric, Samples, Stat, Timed, Traffic, labels, table as metric};

/// Connect's groups `connect-worker-rebalance-metrics`, `connect-coordinator-metrics`, `connect-metrics` and
/// `connect-node-metrics`.
pub(super) fn group(
    (stats, client): &(std::sync::Arc<GroupStats>, std::sync::Arc<ClientStats>),
    samples: &mut Samples,
) {
    rebalances(stats, samples);
    coordinator(stats, &client.id, samples);
    of_client(client, samples);
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
        (&metric::COORDINATOR_REBALANCE_TOTAL, total(&stats.rounds)),
        (&metric::COORDINATOR_REBALANCE_RATE_PER_HOUR, stats.rounds.answers.rate() * 3_600.0),
        (&metric::COORDINATOR_REBALANCE_LATENCY_AVG, stats.rounds.time.avg()),
        (&metric::COORDINATOR_REBALANCE_LATENCY_MAX, stats.rounds.time.max()),
        (&metric::COORDINATOR_REBALANCE_LATENCY_TOTAL, stats.rounds_ms.get() as f64),
        (&metric::COORDINATOR_FAILED_REBALANCE_TOTAL, stats.failed_rounds.get() as f64),
        (&metric::COORDINATOR_FAILED_REBALANCE_RATE_PER_HOUR, stats.failed_rounds.rate() * 3_600.0),
        (&metric::COORDINATOR_LAST_HEARTBEAT_SECONDS_AGO, seconds_ago(&stats.last_beat)),
        (&metric::COORDINATOR_LAST_REBALANCE_SECONDS_AGO, seconds_ago(&stats.last_round)),
    ] {
        samples.number(&labels, metric, value);
    }
}

/// A meter's total and rate by their metrics.
type Metered<'a> = (&'a Meter, &'static Metric, &'static Metric);

/// Nanoseconds of each second as a share of it: what was begun before the window does not make it more than all.
fn ratio(nanos: &Meter) -> f64 {
    (nanos.rate() * 1e-9).min(1.0)
}

fn of_client(client: &ClientStats, samples: &mut Samples) {
    let labels = labels([("client-id", &client.id)]);
    let traffic = &client.traffic;
    let metered: [Metered<'_>; 12] = [
        (&client.closed, &metric::CLIENT_CONNECTION_CLOSE_TOTAL, &metric::CLIENT_CONNECTION_CLOSE_RATE),
        (&client.created, &metric::CLIENT_CONNECTION_CREATION_TOTAL, &metric::CLIENT_CONNECTION_CREATION_RATE),
        (
            &client.failed_logins,
            &metric::CLIENT_FAILED_AUTHENTICATION_TOTAL,
            &metric::CLIENT_FAILED_AUTHENTICATION_RATE,
        ),
        (
            &client.failed_relogins,
            &metric::CLIENT_FAILED_REAUTHENTICATION_TOTAL,
            &metric::CLIENT_FAILED_REAUTHENTICATION_RATE,
        ),
        (
            &client.logins,
            &metric::CLIENT_SUCCESSFUL_AUTHENTICATION_TOTAL,
            &metric::CLIENT_SUCCESSFUL_AUTHENTICATION_RATE,
        ),
        (
            &client.relogins,
            &metric::CLIENT_SUCCESSFUL_REAUTHENTICATION_TOTAL,
            &metric::CLIENT_SUCCESSFUL_REAUTHENTICATION_RATE,
        ),
        (&traffic.incoming, &metric::CLIENT_INCOMING_BYTE_TOTAL, &metric::CLIENT_INCOMING_BYTE_RATE),
        (&traffic.outgoing, &metric::CLIENT_OUTGOING_BYTE_TOTAL, &metric::CLIENT_OUTGOING_BYTE_RATE),
        (&traffic.requests, &metric::CLIENT_REQUEST_TOTAL, &metric::CLIENT_REQUEST_RATE),
        (&traffic.responses, &metric::CLIENT_RESPONSE_TOTAL, &metric::CLIENT_RESPONSE_RATE),
        (&client.network_ios, &metric::CLIENT_NETWORK_IO_TOTAL, &metric::CLIENT_NETWORK_IO_RATE),
        (&client.selects, &metric::CLIENT_SELECT_TOTAL, &metric::CLIENT_SELECT_RATE),
    ];
    for (meter, total, rate) in metered {
        samples.number(&labels, total, meter.get() as f64);
        samples.number(&labels, rate, meter.rate());
    }
    let stats: [(&Stat, &'static Metric, &'static Metric); 2] = [
        (&traffic.request_size, &metric::CLIENT_REQUEST_SIZE_AVG, &metric::CLIENT_REQUEST_SIZE_MAX),
        (
            &client.relogin_latency,
            &metric::CLIENT_REAUTHENTICATION_LATENCY_AVG,
            &metric::CLIENT_REAUTHENTICATION_LATENCY_MAX,
        ),
    ];
    for (stat, avg, max) in stats {
        samples.number(&labels, avg, stat.avg());
        samples.number(&labels, max, stat.max());
    }
    for (metric, value) in [
        (&metric::CLIENT_CONNECTION_COUNT, client.open() as f64),
        (&metric::CLIENT_IO_TIME_NS_AVG, client.io_time.avg()),
        (&metric::CLIENT_IO_WAIT_TIME_NS_AVG, client.io_wait.avg()),
        (&metric::CLIENT_IO_WAIT_TIME_NS_TOTAL, client.io_wait.get() as f64),
        (&metric::CLIENT_IO_TIME_NS_TOTAL, client.io_time.get() as f64),
        (&metric::CLIENT_IO_RATIO, ratio(&client.io_time)),
        (&metric::CLIENT_IO_WAIT_RATIO, ratio(&client.io_wait)),
        (&metric::CLIENT_SUCCESSFUL_AUTHENTICATION_NO_REAUTH_TOTAL, client.logins_for_good.get() as f64),
    ] {
        samples.number(&labels, metric, value);
    }
    for (node, traffic) in client.nodes() {
        of_node(&client.id, &node, &traffic, samples);
    }
}

fn of_node(client: &str, node: &str, traffic: &Traffic, samples: &mut Samples) {
    let labels = labels([("client-id", client), ("node-id", node)]);
    for (meter, total, rate) in [
        (&traffic.incoming, &metric::NODE_INCOMING_BYTE_TOTAL, &metric::NODE_INCOMING_BYTE_RATE),
        (&traffic.outgoing, &metric::NODE_OUTGOING_BYTE_TOTAL, &metric::NODE_OUTGOING_BYTE_RATE),
        (&traffic.requests, &metric::NODE_REQUEST_TOTAL, &metric::NODE_REQUEST_RATE),
        (&traffic.responses, &metric::NODE_RESPONSE_TOTAL, &metric::NODE_RESPONSE_RATE),
    ] {
        samples.number(&labels, total, meter.get() as f64);
        samples.number(&labels, rate, meter.rate());
    }
    for (stat, avg, max) in [
        (&traffic.latency, &metric::NODE_REQUEST_LATENCY_AVG, &metric::NODE_REQUEST_LATENCY_MAX),
        (&traffic.request_size, &metric::NODE_REQUEST_SIZE_AVG, &metric::NODE_REQUEST_SIZE_MAX),
    ] {
        samples.number(&labels, avg, stat.avg());
        samples.number(&labels, max, stat.max());
    }
}
