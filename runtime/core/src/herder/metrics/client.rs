//! What Kafka's clients have counted, as samples.

use std::sync::Arc;

use crate::model::ClientKind;
use crate::observe::client_table::{Family, family};
use crate::observe::{ClientStats, Samples, labels};

/// What a client has counted, by the metrics of its kind.
pub(super) fn client(of: &'static Family, stats: &ClientStats, samples: &mut Samples) {
    let own = labels([("client-id", &stats.id)]);
    for (metric, read) in &of.client {
        samples.number(&own, metric, read(stats));
    }
    for (id, node) in stats.nodes() {
        let own = labels([("client-id", &stats.id), ("node-id", &id)]);
        for (metric, read) in &of.node {
            samples.number(&own, metric, read(&node));
        }
    }
}

/// What each of them has counted.
pub(super) fn clients(clients: &[(ClientKind, Arc<ClientStats>)], samples: &mut Samples) {
    for (kind, stats) in clients {
        client(family(*kind), stats, samples);
    }
}
