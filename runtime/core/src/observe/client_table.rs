//! Pure. The metrics of Kafka's clients: each attribute (of Kafka's Selector, SenderMetricsRegistry and
//! FetchMetricsRegistry, 4.3.1) once, with how it is read of what a client counts. The kinds of clients differ by their
//! groups, and by how much is known of them.

use std::sync::LazyLock;

use crate::model::ClientKind;

use super::metric::{Kind, Metric};
use super::{ClientStats, Meter, Traffic, table};

type Read<T> = fn(&T) -> f64;

/// An attribute: its name, what its values are, their unit, what it means, how it is read.
type Row<T> = (&'static str, Kind, &'static str, &'static str, Read<T>);

/// A metric, and how it is read.
pub type Readable<T> = (Metric, Read<T>);

/// The metrics of one kind of client.
pub struct Family {
    /// Of the client.
    pub client: Vec<Readable<ClientStats>>,
    /// Of each node that it talks to.
    pub node: Vec<Readable<Traffic>>,
}

macro_rules! rows {
    ($($(#[$meta:meta])* $name:ident: $of:ty {
        $($attribute:literal $kind:ident $unit:literal $help:literal $client:ident => $read:expr;)*
    })*) => {
        $($(#[$meta])* const $name: &[Row<$of>] = &[$(($attribute, Kind::$kind, $unit, $help, |$client| $read),)*];)*
    };
}

rows! {
    /// Of every client.
    CLIENT: ClientStats {
        "connection-close-rate" Gauge "connection closes/s" "The number of connections closed per second." client => client.closed.rate();
        "connection-close-total" Counter "" "The total number of connections closed." client => total(&client.closed);
        "connection-count" Gauge "connections" "The current number of active connections." client => client.open() as f64;
        "connection-creation-rate" Gauge "connection creations/s" "The number of new connections established per second." client => client.created.rate();
        "connection-creation-total" Counter "" "The total number of new connections established." client => total(&client.created);
        "incoming-byte-rate" Gauge "bytes/s" "The number of bytes read off all sockets per second." client => client.traffic.incoming.rate();
        "incoming-byte-total" Counter "bytes" "The total number of bytes read off all sockets." client => total(&client.traffic.incoming);
        "outgoing-byte-rate" Gauge "bytes/s" "The number of outgoing bytes sent to all servers per second." client => client.traffic.outgoing.rate();
        "outgoing-byte-total" Counter "bytes" "The total number of outgoing bytes sent to all servers." client => total(&client.traffic.outgoing);
        "request-rate" Gauge "requests/s" "The number of requests sent per second." client => client.traffic.requests.rate();
        "request-size-avg" Gauge "bytes" "The average size of requests sent." client => client.traffic.request_size.avg();
        "request-size-max" Gauge "bytes" "The maximum size of any request sent." client => client.traffic.request_size.max();
        "request-total" Counter "" "The total number of requests sent." client => total(&client.traffic.requests);
        "response-rate" Gauge "responses/s" "The number of responses received per second." client => client.traffic.responses.rate();
        "response-total" Counter "" "The total number of responses received." client => total(&client.traffic.responses);
    }

    /// Of a client whose sockets are this worker's own.
    OWN: ClientStats {
        "failed-authentication-rate" Gauge "connections/s" "The number of connections with failed authentication per second." client => client.failed_logins.rate();
        "failed-authentication-total" Counter "" "The total number of connections with failed authentication." client => total(&client.failed_logins);
        "failed-reauthentication-rate" Gauge "failed reauthentications/s" "The number of failed re-authentication of connections per second." client => client.failed_relogins.rate();
        "failed-reauthentication-total" Counter "" "The total number of failed re-authentication of connections." client => total(&client.failed_relogins);
        "io-ratio" Gauge "ratio" "The fraction of time the I/O thread spent doing I/O." client => share(&client.io_time);
        "io-time-ns-avg" Gauge "ns" "The average length of time for I/O per select call in nanoseconds." client => client.io_time.avg();
        "io-time-ns-total" Counter "ns" "The total time the I/O thread spent doing I/O." client => total(&client.io_time);
        "io-wait-ratio" Gauge "ratio" "The fraction of time the I/O thread spent waiting." client => share(&client.io_wait);
        "io-wait-time-ns-avg" Gauge "ns" "The average length of time the I/O thread spent waiting for a socket ready for reads or writes in nanoseconds." client => client.io_wait.avg();
        "io-wait-time-ns-total" Counter "ns" "The total time the I/O thread spent waiting." client => total(&client.io_wait);
        "network-io-rate" Gauge "network ios/s" "The number of network operations (reads or writes) on all connections per second." client => client.network_ios.rate();
        "network-io-total" Counter "" "The total number of network operations (reads or writes) on all connections." client => total(&client.network_ios);
        "reauthentication-latency-avg" Gauge "ms" "The average latency observed due to re-authentication." client => client.relogin_latency.avg();
        "reauthentication-latency-max" Gauge "ms" "The max latency observed due to re-authentication." client => client.relogin_latency.max();
        "select-rate" Gauge "selects/s" "The number of times the I/O layer checked for new I/O to perform per second." client => client.selects.rate();
        "select-total" Counter "" "The total number of times the I/O layer checked for new I/O to perform." client => total(&client.selects);
        "successful-authentication-no-reauth-total" Counter "" "The total number of connections with successful authentication where the client does not support re-authentication." client => client.logins_for_good.get() as f64;
        "successful-authentication-rate" Gauge "connections/s" "The number of connections with successful authentication per second." client => client.logins.rate();
        "successful-authentication-total" Counter "" "The total number of connections with successful authentication." client => total(&client.logins);
        "successful-reauthentication-rate" Gauge "successful reauthentications/s" "The number of successful re-authentication of connections per second." client => client.relogins.rate();
        "successful-reauthentication-total" Counter "" "The total number of successful re-authentication of connections." client => total(&client.relogins);
    }

    /// Of a producer, in its own group.
    PRODUCER: ClientStats {
        "record-error-rate" Gauge "records/s" "The average per-second number of record sends that resulted in errors." client => client.record_errors.rate();
        "record-error-total" Counter "records" "The total number of record sends that resulted in errors." client => total(&client.record_errors);
        "record-send-rate" Gauge "records/s" "The average number of records sent per second." client => client.records.rate();
        "record-send-total" Counter "records" "The total number of records sent." client => total(&client.records);
        "request-latency-avg" Gauge "ms" "The average latency of requests that carry records." client => client.data_latency.avg();
        "request-latency-max" Gauge "ms" "The maximum latency of any request that carries records." client => client.data_latency.max();
    }

    /// Of what a consumer fetches.
    FETCH: ClientStats {
        "bytes-consumed-rate" Gauge "bytes/s" "The average number of bytes consumed per second." client => client.record_bytes.rate();
        "bytes-consumed-total" Counter "bytes" "The total number of bytes consumed." client => total(&client.record_bytes);
        "fetch-latency-avg" Gauge "ms" "The average time taken for a fetch request." client => client.data_latency.avg();
        "fetch-latency-max" Gauge "ms" "The max time taken for any fetch request." client => client.data_latency.max();
        "records-consumed-rate" Gauge "records/s" "The average number of records consumed per second." client => client.records.rate();
        "records-consumed-total" Counter "records" "The total number of records consumed." client => total(&client.records);
    }

    /// Of each node.
    NODE: Traffic {
        "incoming-byte-rate" Gauge "bytes/s" "The number of incoming bytes per second." node => node.incoming.rate();
        "incoming-byte-total" Counter "bytes" "The total number of incoming bytes." node => total(&node.incoming);
        "outgoing-byte-rate" Gauge "bytes/s" "The number of outgoing bytes per second." node => node.outgoing.rate();
        "outgoing-byte-total" Counter "bytes" "The total number of outgoing bytes." node => total(&node.outgoing);
        "request-latency-avg" Gauge "ms" "Average request latency." node => node.latency.avg();
        "request-latency-max" Gauge "ms" "Maximum request latency." node => node.latency.max();
        "request-rate" Gauge "requests/s" "The number of requests sent per second." node => node.requests.rate();
        "request-size-avg" Gauge "bytes" "The average size of requests sent." node => node.request_size.avg();
        "request-size-max" Gauge "bytes" "The maximum size of any request sent." node => node.request_size.max();
        "request-total" Counter "" "The total number of requests sent." node => total(&node.requests);
        "response-rate" Gauge "responses/s" "The number of responses received per second." node => node.responses.rate();
        "response-total" Counter "" "The total number of responses received." node => total(&node.responses);
    }
}

fn total(meter: &Meter) -> f64 {
    meter.get() as f64
}

/// Nanoseconds of each second as a share of it: what was begun before the window does not make it more than all.
fn share(nanos: &Meter) -> f64 {
    (nanos.rate() * 1e-9).min(1.0)
}

/// The metrics of these attributes in a group, the first with this index.
fn metrics<T>(group: &'static str, rows: &[&[Row<T>]], first: usize) -> Vec<Readable<T>> {
    let rows = rows.iter().copied().flatten().enumerate();
    rows.map(|(place, &(attribute, kind, unit, help, read))| {
        (Metric { index: first + place, group, attribute, kind, unit, help }, read)
    })
    .collect()
}

/// Groups of a client with their attributes.
type Groups = &'static [(&'static str, &'static [&'static [Row<ClientStats>]])];

/// The worker's membership in its group, and librdkafka's clients, with the groups of their nodes.
const FAMILIES: [(Groups, &str); 4] = [
    (&[("connect-metrics", &[CLIENT, OWN])], "connect-node-metrics"),
    (&[("consumer-metrics", &[CLIENT]), ("consumer-fetch-manager-metrics", &[FETCH])], "consumer-node-metrics"),
    (&[("producer-metrics", &[CLIENT, PRODUCER])], "producer-node-metrics"),
    (&[("admin-client-metrics", &[CLIENT])], "admin-client-node-metrics"),
];

static ALL: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let mut next = table::WITHOUT_CLIENTS.len();
    let mut family = |(groups, nodes): (Groups, &'static str)| {
        let mut client = Vec::new();
        for (group, rows) in groups {
            client.extend(metrics(group, rows, next + client.len()));
        }
        let node = metrics(nodes, &[NODE], next + client.len());
        next += client.len() + node.len();
        Family { client, node }
    };
    FAMILIES.into_iter().map(&mut family).collect()
});

/// The metrics of the worker's membership in its group.
pub fn membership() -> &'static Family {
    &ALL[0]
}

/// The metrics of librdkafka's clients of a kind.
pub fn family(of: ClientKind) -> &'static Family {
    &ALL[match of {
        ClientKind::Consumer => 1,
        ClientKind::Producer => 2,
        ClientKind::Admin => 3,
    }]
}

/// All of them, each where its index says.
pub(super) fn all() -> impl Iterator<Item = &'static Metric> {
    ALL.iter().flat_map(|family| {
        let client = family.client.iter().map(|(metric, _)| metric);
        client.chain(family.node.iter().map(|(metric, _)| metric))
    })
}
