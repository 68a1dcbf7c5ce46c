//! What a worker's membership in its group comes to: rebalances, heartbeats, and the client that speaks to the coordinator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stat::now_ms;
use super::{Counter, Meter, Stat};

/// What is told of a kind of request: how often it was answered, and after how long.
#[derive(Debug, Default)]
pub struct Timed {
    /// Answers.
    pub answers: Meter,
    /// Milliseconds until each.
    pub time: Stat,
}

impl Timed {
    fn new(sample: Duration) -> Timed {
        Timed { answers: Meter::new(sample), time: Stat::new(sample) }
    }

    /// One was answered after this long.
    pub fn answered(&self, took: Duration) {
        self.answers.add(1);
        self.time.record_time(took);
    }
}

/// A moment that may not have come.
#[derive(Debug)]
pub struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Moment {
        Moment(AtomicI64::new(-1))
    }
}

impl Moment {
    /// It is now.
    pub fn set(&self) {
        self.0.store(now_ms() as i64, Ordering::Relaxed);
    }

    /// It has not come, or is over.
    pub fn clear(&self) {
        self.0.store(-1, Ordering::Relaxed);
    }

    /// How long ago it was.
    pub fn ago(&self) -> Option<Duration> {
        let at = u64::try_from(self.0.load(Ordering::Relaxed)).ok()?;
        Some(Duration::from_millis(now_ms().saturating_sub(at)))
    }
}

/// What is known of the group that a worker is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNow {
    /// The sub-protocol of the last assignment; empty before there was one.
    pub protocol: String,
    /// Where its leader answers REST.
    pub leader: String,
    /// The generation; -1 before the first.
    pub generation: i64,
    /// Connectors and tasks that are assigned to this worker.
    pub assigned: (usize, usize),
}

impl Default for GroupNow {
    fn default() -> GroupNow {
        GroupNow { protocol: String::new(), leader: String::new(), generation: -1, assigned: (0, 0) }
    }
}

/// What a member counts (Connect's groups `connect-coordinator-metrics` and `connect-worker-rebalance-metrics`).
#[derive(Debug, Default)]
pub struct GroupStats {
    /// Heartbeats that were answered.
    pub heartbeats: Timed,
    /// Joins that were.
    pub joins: Timed,
    /// Syncs that were.
    pub syncs: Timed,
    /// Rounds that came to an assignment: for the coordinator's client from the first try to join on.
    pub rebalances: Timed,
    /// Milliseconds of all of them.
    pub rebalance_ms: Counter,
    /// Tries to get into a round that failed.
    pub failed_rebalances: Meter,
    /// When a heartbeat was sent last.
    pub last_heartbeat: Moment,
    /// When a round last came to an assignment.
    pub last_rebalance: Moment,
    /// When the member began to get into the round that it is not in yet.
    pub joining: Moment,
    /// `rebalance-time`: milliseconds from when the worker gave up what it ran until it had taken up its assignment.
    pub rebalance_time: Stat,
    /// `completed-rebalances-total`
    pub completed: Counter,
    /// When it last had.
    pub last_completed: Moment,
    /// Since when it is rebalancing.
    pub rebalancing: Moment,
    now: Mutex<GroupNow>,
}

impl GroupStats {
    /// Nothing yet, in samples of this length.
    pub fn new(sample: Duration) -> GroupStats {
        let timed = || Timed::new(sample);
        GroupStats {
            heartbeats: timed(),
            joins: timed(),
            syncs: timed(),
            rebalances: timed(),
            failed_rebalances: Meter::new(sample),
            rebalance_time: Stat::new(sample),
            ..GroupStats::default()
        }
    }

    fn locked(&self) -> MutexGuard<'_, GroupNow> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group as it is.
    pub fn now(&self) -> GroupNow {
        self.locked().clone()
    }

    /// The member tries to join.
    pub fn tries(&self) {
        if self.joining.ago().is_none() {
            self.joining.set();
        }
    }

    /// A step into a round was answered after this long, or failed.
    pub fn stepped(&self, step: &Timed, took: Duration, success: bool) {
        if success {
            step.answered(took);
        } else {
            self.failed_rebalances.add(1);
        }
    }

    /// The member has its assignment.
    pub fn assigned(&self) {
        let took = self.joining.ago().unwrap_or_default();
        self.joining.clear();
        self.rebalances.answered(took);
        self.rebalance_ms.add(took.as_millis() as u64);
        self.last_rebalance.set();
    }

    /// The worker gives up what others may get.
    pub fn rebalance_begins(&self) {
        if self.rebalancing.ago().is_none() {
            self.rebalancing.set();
        }
    }

    /// The worker has lost its place in the group.
    pub fn lost(&self) {
        *self.locked() = GroupNow::default();
    }

    /// The worker has taken up what was assigned to it.
    pub fn rebalanced(&self, now: GroupNow) {
        *self.locked() = now;
        let took = self.rebalancing.ago().unwrap_or_default();
        self.rebalancing.clear();
        self.rebalance_time.record_time(took);
        self.completed.add(1);
        self.last_completed.set();
    }
}

/// What goes over sockets.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes that were read.
    pub incoming: Meter,
    /// Bytes that were sent.
    pub outgoing: Meter,
    /// Requests that were sent.
    pub requests: Meter,
    /// Bytes of each.
    pub request_size: Stat,
    /// Answers that were read.
    pub responses: Meter,
    /// Milliseconds until each.
    pub latency: Stat,
}

impl Traffic {
    /// A request was sent.
    pub fn sent(&self, bytes: u64) {
        self.requests.add(1);
        self.outgoing.add(bytes);
        self.request_size.record(bytes as f64);
    }

    /// An answer was read, this long after its request.
    pub fn answered(&self, bytes: u64, took: Option<Duration>) {
        self.responses.add(1);
        self.incoming.add(bytes);
        if let Some(took) = took {
            self.latency.record_time(took);
        }
    }

    fn new(sample: Duration) -> Traffic {
        let (meter, stat) = (|| Meter::new(sample), || Stat::new(sample));
        Traffic {
            incoming: meter(),
            outgoing: meter(),
            requests: meter(),
            request_size: stat(),
            responses: meter(),
            latency: stat(),
        }
    }
}

/// What a client of Kafka counts: all of it where its sockets are this worker's own (Connect's groups `connect-metrics`
/// and `connect-node-metrics`), else what librdkafka says of its requests.
#[derive(Debug, Default)]
pub struct ClientStats {
    /// `client.id`
    pub id: String,
    sample: Duration,
    /// All of it.
    pub traffic: Traffic,
    /// Connections that were made.
    pub created: Meter,
    /// Connections that were closed.
    pub closed: Meter,
    /// Reads and writes.
    pub network_ios: Meter,
    /// How often it was looked whether a socket is ready.
    pub selects: Meter,
    /// Nanoseconds of each read or write.
    pub io_time: Meter,
    /// Nanoseconds of each wait for a socket.
    pub io_wait: Meter,
    /// Logins that succeeded, TLS alone among them.
    pub logins: Meter,
    /// Those among them that need no other after a time.
    pub logins_for_good: Counter,
    /// Logins that failed.
    pub failed_logins: Meter,
    /// Logins that took the place of one that was over, and succeeded.
    pub relogins: Meter,
    /// The same, failed.
    pub failed_relogins: Meter,
    /// Milliseconds of each that succeeded.
    pub relogin_latency: Stat,
    /// Records that were sent, or fetched.
    pub records: Meter,
    /// Their bytes, where they were fetched.
    pub record_bytes: Meter,
    /// Records that could not be sent.
    pub record_errors: Meter,
    /// Milliseconds until the answer to each request that carries records.
    pub data_latency: Stat,
    nodes: Mutex<BTreeMap<String, Arc<Traffic>>>,
    /// When something was read or written last.
    last_io: Mutex<Option<Instant>>,
}

impl ClientStats {
    /// Nothing yet, in samples of this length.
    pub fn new(id: String, sample: Duration) -> ClientStats {
        let meter = || Meter::new(sample);
        ClientStats {
            id,
            sample,
            traffic: Traffic::new(sample),
            created: meter(),
            closed: meter(),
            network_ios: meter(),
            selects: meter(),
            io_time: meter(),
            io_wait: meter(),
            logins: meter(),
            failed_logins: meter(),
            relogins: meter(),
            failed_relogins: meter(),
            relogin_latency: Stat::new(sample),
            records: meter(),
            record_bytes: meter(),
            record_errors: meter(),
            data_latency: Stat::new(sample),
            ..ClientStats::default()
        }
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        // What is closed was made before.
        let closed = self.closed.get();
        self.created.get().saturating_sub(closed)
    }

    /// Something was read or written from `began` on; between that and the last time the client waited.
    pub fn io(&self, began: Instant) {
        let now = Instant::now();
        let last = self.last_io.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        let nanos = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
        self.network_ios.add(1);
        self.selects.add(1);
        self.io_time.add(nanos(began, now));
        if let Some(last) = last {
            self.io_wait.add(nanos(last, began));
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Traffic>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes to and from one node.
    pub fn node(&self, id: &str) -> Arc<Traffic> {
        self.locked().entry(id.to_owned()).or_insert_with(|| Arc::new(Traffic::new(self.sample))).clone()
    }

    /// All nodes that there were.
    pub fn nodes(&self) -> Vec<(String, Arc<Traffic>)> {
        self.locked().iter().map(|(id, traffic)| (id.clone(), traffic.clone())).collect()
    }
}
