//! What librdkafka says of a client's requests and connections: told by its own threads as it happens, so that nothing has
//! to be asked for, and nothing piles up where nobody asks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use weir_core::observe::{COUNTED, ClientStats, Traffic};

use super::text;

/// The name that librdkafka has for who is told.
const NAME: &std::ffi::CStr = c"weir";
/// Kafka's numbers of the requests that carry records.
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const OK: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;

/// What a client counts, and what is needed to count it.
pub(super) struct Counted {
    pub stats: Arc<ClientStats>,
    nodes: Mutex<BTreeMap<i32, Arc<Traffic>>>,
    open: Mutex<BTreeSet<Broker>>,
}

/// Where librdkafka has a connection of its own to: node, name and port. A server that was given to begin with has -1 for its
/// node, and is another one than the node that it turns out to be.
type Broker = (i32, String, c_int);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counted {
    pub fn new(stats: Arc<ClientStats>) -> Counted {
        Counted { stats, nodes: Mutex::default(), open: Mutex::default() }
    }

    fn node(&self, id: i32) -> Arc<Traffic> {
        let make = || self.stats.node(&format!("node-{id}"));
        locked(&self.nodes).entry(id).or_insert_with(make).clone()
    }

    fn sent(&self, node: i32, bytes: u64) {
        self.stats.traffic.sent(bytes);
        self.node(node).sent(bytes);
    }

    fn answered(&self, node: i32, api: i16, bytes: u64, took: Option<Duration>) {
        self.stats.traffic.answered(bytes, took);
        self.node(node).answered(bytes, took);
        if let Some(took) = took.filter(|_| [PRODUCE, FETCH].contains(&api)) {
            self.stats.data_latency.record_time(took);
        }
    }

    fn changed(&self, broker: Broker, connected: bool) {
        let mut open = locked(&self.open);
        let changed = if connected { open.insert(broker) } else { open.remove(&broker) };
        if changed {
            if connected { &self.stats.created } else { &self.stats.closed }.add(1);
        }
    }
}

/// Whether a broker in this state has a connection.
fn is_connected(state: &str) -> bool {
    !matches!(state, "INIT" | "DOWN" | "TRY_CONNECT" | "CONNECT")
}

/// Has a client that is made of a configuration tell what it does.
///
/// # Safety
/// The configuration is alive, and `counted` outlives the client.
pub(super) unsafe fn watch(conf: *mut sys::rd_kafka_conf_t, counted: &Counted) {
    if !COUNTED {
        return;
    }
    let opaque = (&raw const *counted).cast_mut().cast();
    // SAFETY: by this function's contract; the name is static.
    unsafe { sys::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), opaque) };
}

/// Called while a client is made.
unsafe extern "C" fn on_new(
    rk: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> RDKafkaRespErr {
    // SAFETY: the client is alive, and the opaque outlives it.
    unsafe {
        sys::rd_kafka_interceptor_add_on_request_sent(rk, NAME.as_ptr(), Some(on_sent), opaque);
        sys::rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), Some(on_received), opaque);
        sys::rd_kafka_interceptor_add_on_broker_state_change(rk, NAME.as_ptr(), Some(on_state), opaque);
    }
    OK
}

/// Called by one of librdkafka's threads when a request was sent.
unsafe extern "C" fn on_sent(
    _: *mut sys::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    node: i32,
    _: i16,
    _: i16,
    _: i32,
    bytes: usize,
    opaque: *mut c_void,
) -> RDKafkaRespErr {
    // SAFETY: the opaque is the client's `Counted`, which outlives it.
    unsafe { &*opaque.cast::<Counted>() }.sent(node, bytes as u64);
    OK
}

/// Called by one of librdkafka's threads when an answer was read, or is not to come.
unsafe extern "C" fn on_received(
    _: *mut sys::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    node: i32,
    api: i16,
    _: i16,
    _: i32,
    bytes: usize,
    took: i64,
    error: RDKafkaRespErr,
    opaque: *mut c_void,
) -> RDKafkaRespErr {
    if error == OK {
        // Microseconds; less than none where they are not known.
        let took = u64::try_from(took).ok().map(Duration::from_micros);
        // SAFETY: the opaque is the client's `Counted`, which outlives it.
        unsafe { &*opaque.cast::<Counted>() }.answered(node, api, bytes as u64, took);
    }
    OK
}

/// Called by one of librdkafka's threads when a broker is reached, or is not any more.
unsafe extern "C" fn on_state(
    _: *mut sys::rd_kafka_t,
    node: i32,
    _: *const c_char,
    name: *const c_char,
    port: c_int,
    state: *const c_char,
    opaque: *mut c_void,
) -> RDKafkaRespErr {
    // SAFETY: the strings live during the call; the opaque is the client's `Counted`, which outlives it.
    let (counted, name, state) = unsafe { (&*opaque.cast::<Counted>(), text(name), text(state)) };
    counted.changed((node, name, port), is_connected(&state));
    OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_once_however_often_its_state_changes() {
        let counted = Counted::new(Arc::default());
        let broker = || (1, "b".to_owned(), 9092);
        for (state, open) in
            [("INIT", 0), ("CONNECT", 0), ("APIVERSION_QUERY", 1), ("UP", 1), ("DOWN", 0), ("DOWN", 0), ("UP", 1)]
        {
            counted.changed(broker(), is_connected(state));
            assert_eq!(counted.stats.open(), open, "{state}");
        }
        assert_eq!((counted.stats.created.get(), counted.stats.closed.get()), (2, 1));
    }

    #[test]
    fn a_server_to_begin_with_is_counted_beside_the_node_that_it_is() {
        let counted = Counted::new(Arc::default());
        for (node, state, open) in [(-1, "UP", 1), (1, "INIT", 1), (1, "UP", 2), (-1, "DOWN", 1), (1, "DOWN", 0)] {
            counted.changed((node, "b".to_owned(), 9092), is_connected(state));
            assert_eq!(counted.stats.open(), open, "{node} {state}");
        }
    }
}
