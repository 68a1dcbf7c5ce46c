//! What Kafka's clients have counted, as samples.

use std::sync::Arc;

use crate::model::ClientKind;
use crate::observe::{ClientStats, Labels, Metric, Samples, Traffic, labels, table as metric};

/// The metrics of one kind of client.
struct Family {
    connections: [&'static Metric; 3],
    /// Bytes read, bytes sent, answers, requests.
    traffic: [&'static Metric; 4],
    /// The same for each node, and the average and the longest time of a request.
    node: [&'static Metric; 6],
}

static CONSUMER: Family = Family {
    connections: [
        &metric::CONSUMER_CONNECTION_COUNT,
        &metric::CONSUMER_CONNECTION_CREATION_TOTAL,
        &metric::CONSUMER_CONNECTION_CLOSE_TOTAL,
    ],
    traffic: [
        &metric::CONSUMER_INCOMING_BYTE_TOTAL,
        &metric::CONSUMER_OUTGOING_BYTE_TOTAL,
        &metric::CONSUMER_RESPONSE_TOTAL,
        &metric::CONSUMER_REQUEST_TOTAL,
    ],
    node: [
        &metric::CONSUMER_NODE_INCOMING_BYTE_TOTAL,
        &metric::CONSUMER_NODE_OUTGOING_BYTE_TOTAL,
        &metric::CONSUMER_NODE_RESPONSE_TOTAL,
        &metric::CONSUMER_NODE_REQUEST_TOTAL,
        &metric::CONSUMER_NODE_REQUEST_LATENCY_AVG,
        &metric::CONSUMER_NODE_REQUEST_LATENCY_MAX,
    ],
};
static PRODUCER: Family = Family {
    connections: [
        &metric::PRODUCER_CONNECTION_COUNT,
        &metric::PRODUCER_CONNECTION_CREATION_TOTAL,
        &metric::PRODUCER_CONNECTION_CLOSE_TOTAL,
    ],
    traffic: [
        &metric::PRODUCER_INCOMING_BYTE_TOTAL,
        &metric::PRODUCER_OUTGOING_BYTE_TOTAL,
        &metric::PRODUCER_RESPONSE_TOTAL,
        &metric::PRODUCER_REQUEST_TOTAL,
    ],
    node: [
        &metric::PRODUCER_NODE_INCOMING_BYTE_TOTAL,
        &metric::PRODUCER_NODE_OUTGOING_BYTE_TOTAL,
        &metric::PRODUCER_NODE_RESPONSE_TOTAL,
        &metric::PRODUCER_NODE_REQUEST_TOTAL,
        &metric::PRODUCER_NODE_REQUEST_LATENCY_AVG,
        &metric::PRODUCER_NODE_REQUEST_LATENCY_MAX,
    ],
};
static ADMIN: Family = Family {
    connections: [
        &metric::ADMIN_CONNECTION_COUNT,
        &metric::ADMIN_CONNECTION_CREATION_TOTAL,
        &metric::ADMIN_CONNECTION_CLOSE_TOTAL,
    ],
    traffic: [
        &metric::ADMIN_INCOMING_BYTE_TOTAL,
        &metric::ADMIN_OUTGOING_BYTE_TOTAL,
        &metric::ADMIN_RESPONSE_TOTAL,
        &metric::ADMIN_REQUEST_TOTAL,
    ],
    node: [
        &metric::ADMIN_NODE_INCOMING_BYTE_TOTAL,
        &metric::ADMIN_NODE_OUTGOING_BYTE_TOTAL,
        &metric::ADMIN_NODE_RESPONSE_TOTAL,
        &metric::ADMIN_NODE_REQUEST_TOTAL,
        &metric::ADMIN_NODE_REQUEST_LATENCY_AVG,
        &metric::ADMIN_NODE_REQUEST_LATENCY_MAX,
    ],
};

fn traffic(of: &Traffic) -> [f64; 4] {
    [&of.incoming, &of.outgoing, &of.responses, &of.requests].map(|meter| meter.get() as f64)
}

/// What each of them has counted.
pub(super) fn clients(clients: &[(ClientKind, Arc<ClientStats>)], samples: &mut Samples) {
    for (kind, stats) in clients {
        let own = labels([("client-id", &stats.id)]);
        let family = match kind {
            ClientKind::Consumer => &CONSUMER,
            ClientKind::Producer => &PRODUCER,
            ClientKind::Admin => &ADMIN,
        };
        let mut add = |labels: &Labels, metrics: &[&'static Metric], values: &[f64]| {
            metrics.iter().zip(values).for_each(|(metric, value)| samples.number(labels, metric, *value));
        };
        let connections = [stats.open(), stats.created.get(), stats.closed.get()];
        add(&own, &family.connections, &connections.map(|number| number as f64));
        add(&own, &family.traffic, &traffic(&stats.traffic));
        for (id, node) in stats.nodes() {
            let labels = labels([("client-id", &stats.id), ("node-id", &id)]);
            add(&labels, &family.node, &traffic(&node));
            add(&labels, &family.node[4..], &[node.latency.avg(), node.latency.max()]);
        }
        let records = stats.records.get() as f64;
        match kind {
            ClientKind::Consumer => {
                let metrics = [&metric::FETCH_RECORDS_CONSUMED_TOTAL, &metric::FETCH_BYTES_CONSUMED_TOTAL];
                add(&own, &metrics, &[records, stats.record_bytes.get() as f64]);
            }
            ClientKind::Producer => add(&own, &[&metric::PRODUCER_RECORD_SEND_TOTAL], &[records]),
            ClientKind::Admin => {}
        }
    }
}
