//! A client of librdkafka: made from properties, woken by its queue, taken down beside whoever drops it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rdkafka::bindings as sys;
use rdkafka::types::{RDKafkaConfRes, RDKafkaErrorCode, RDKafkaRespErr, RDKafkaType};
use tokio::sync::Notify;
use weir_core::model::TopicPartition;
use weir_core::observe::ClientStats;

use super::counted::{self, Counted};
use super::partitions::entries;
use super::{KafkaError, c_string, text};
use crate::clients::Birth;
use crate::{log_lines, stores};

/// Sets a property, or says why it is refused.
///
/// # Safety
/// The configuration is there, and belongs to the caller.
unsafe fn set(conf: *mut sys::rd_kafka_conf_t, key: &str, value: &str) -> Result<(), String> {
    let (name, value) = (c_string(key), c_string(value));
    let mut why = [0 as c_char; 512];
    // SAFETY: strings live during the call; `conf` by this function's contract.
    let set = unsafe { sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), why.as_mut_ptr(), why.len()) };
    if set == RDKafkaConfRes::RD_KAFKA_CONF_OK {
        return Ok(());
    }
    if is_secret(key) {
        // librdkafka repeats values that it refuses.
        return Err(format!("{key}: the value is refused"));
    }
    // SAFETY: librdkafka ends what it says with a NUL, and writes no more than it was given room for.
    Err(unsafe { text(why.as_ptr()) })
}

/// The properties that librdkafka refuses, and why, as far as it says before a client is made.
pub(crate) fn refusals(properties: &BTreeMap<String, String>) -> Vec<(String, String)> {
    // SAFETY: the configuration is made, used and destroyed here.
    unsafe {
        let conf = sys::rd_kafka_conf_new();
        let refused = |(key, value): (&String, &String)| Some((key.clone(), set(conf, key, value).err()?));
        let theirs = properties.iter().filter(|(key, _)| !stores::OURS.contains(&key.as_str()));
        let refused = theirs.filter_map(refused).collect();
        sys::rd_kafka_conf_destroy(conf);
        refused
    }
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sends, and answers through its queue.
    Producer,
    /// Reads as a member of a group.
    Member,
    /// Reads partitions that it is told, or asks.
    Plain,
}

/// What the group told a member. It waits for the call that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    /// Answered by assigning these.
    Assign { partitions: Vec<TopicPartition>, cooperative: bool },
    /// Answered by giving these up; `lost` when others have them already.
    Revoke { partitions: Vec<TopicPartition>, cooperative: bool, lost: bool },
}

/// What librdkafka says of a client that a broker does not let log in.
const DENIED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTHENTICATION;

/// What callbacks reach. Lives as long as the client.
struct Hooks {
    woken: Notify,
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// How many assignments of nothing were answered.
    empty: AtomicUsize,
    /// From here on nobody answers revocations: the callback does.
    closing: AtomicBool,
    /// Why a broker did not let it log in, if one did not.
    denied: OnceLock<KafkaError>,
    /// Why a broker was not reached, the last time that one was not.
    unreached: Mutex<Option<String>>,
    /// What it counts.
    counted: Counted,
}

/// A client and the queue that it answers through.
pub(crate) struct Client {
    rk: *mut sys::rd_kafka_t,
    queue: *mut sys::rd_kafka_queue_t,
    kind: Kind,
    hooks: Arc<Hooks>,
    birth: Birth,
    reading: Mutex<Vec<Reading>>,
}

/// A partition that is read outside of a group. Its handle is owned, and stops before the client goes.
pub(super) struct Reading {
    pub topic: *mut sys::rd_kafka_topic_t,
    pub partition: i32,
}

// SAFETY: librdkafka's handles may be used from any thread, and at the same time.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Makes a client and starts its threads. Reads certificates and keys from files.
    pub fn new(birth: &Birth, kind: Kind, properties: &[(String, String)]) -> Result<Client, KafkaError> {
        let named = properties.iter().find(|(key, _)| key == "client.id");
        let counted = Counted::new(birth.register(named.map_or("rdkafka", |(_, id)| id)));
        let properties = stores::for_librdkafka(properties)
            .map_err(|message| KafkaError { code: RDKafkaErrorCode::InvalidArgument, message })?;
        let hooks = Arc::new(Hooks {
            woken: Notify::new(),
            rebalances: Mutex::default(),
            empty: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            denied: OnceLock::new(),
            unreached: Mutex::default(),
            counted,
        });
        let mut why = [0 as c_char; 512];
        // SAFETY: the configuration is given away by `rd_kafka_new` where it succeeds and destroyed where it does not;
        // `hooks` outlives the client (see `take_down`).
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (key, value) in &properties {
                if let Err(message) = set(conf, key, value) {
                    sys::rd_kafka_conf_destroy(conf);
                    return Err(KafkaError { code: RDKafkaErrorCode::InvalidArgument, message });
                }
            }
            sys::rd_kafka_conf_set_opaque(conf, Arc::as_ptr(&hooks).cast_mut().cast());
            sys::rd_kafka_conf_set_log_cb(conf, Some(on_log));
            sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            counted::watch(conf, &hooks.counted);
            match kind {
                Kind::Producer => sys::rd_kafka_conf_set_events(conf, sys::RD_KAFKA_EVENT_DR),
                Kind::Member => sys::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance)),
                Kind::Plain => {}
            }
            let of = match kind {
                Kind::Producer => RDKafkaType::RD_KAFKA_PRODUCER,
                Kind::Member | Kind::Plain => RDKafkaType::RD_KAFKA_CONSUMER,
            };
            let rk = sys::rd_kafka_new(of, conf, why.as_mut_ptr(), why.len());
            if rk.is_null() {
                sys::rd_kafka_conf_destroy(conf);
                return Err(KafkaError { code: RDKafkaErrorCode::InvalidArgument, message: text(why.as_ptr()) });
            }
            let queue = match kind {
                Kind::Producer => sys::rd_kafka_queue_get_main(rk),
                Kind::Member => {
                    sys::rd_kafka_poll_set_consumer(rk);
                    sys::rd_kafka_queue_get_consumer(rk)
                }
                Kind::Plain => sys::rd_kafka_queue_new(rk),
            };
            sys::rd_kafka_queue_cb_event_enable(queue, Some(on_event), Arc::as_ptr(&hooks).cast_mut().cast());
            Ok(Client { rk, queue, kind, hooks, birth: birth.clone(), reading: Mutex::default() })
        }
    }

    /// What it counts.
    pub(super) fn stats(&self) -> &ClientStats {
        &self.hooks.counted.stats
    }

    pub(super) fn rk(&self) -> *mut sys::rd_kafka_t {
        self.rk
    }

    /// Keeps what is being read until the client goes.
    pub(super) fn keep(&self, reading: Reading) {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
    }

    pub(super) fn queue(&self) -> *mut sys::rd_kafka_queue_t {
        self.queue
    }

    /// Waits until something was put into the queue while it was empty, also since the last call. Cancel safe.
    pub async fn woken(&self) {
        self.hooks.woken.notified().await;
    }

    /// Wakes whoever waits, or will wait.
    pub fn wake(&self) {
        self.hooks.woken.notify_one();
    }

    /// Why a broker did not let it log in, as far as its queue was taken from: librdkafka itself goes on trying.
    pub fn denied(&self) -> Option<&KafkaError> {
        self.hooks.denied.get()
    }

    /// Adds to an answer that did not come in time why a broker was not reached, where one was not.
    pub fn explained(&self, mut error: KafkaError) -> KafkaError {
        let late = matches!(error.code, RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::BrokerTransportFailure);
        let why = self.hooks.unreached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(why) = why.filter(|_| late) {
            error.message = format!("{}: {why}", error.message);
        }
        error
    }

    /// Takes note of an error that is nobody's answer, if it is that one.
    pub(super) fn note(&self, code: RDKafkaRespErr, message: impl FnOnce() -> String) {
        if code == DENIED {
            self.hooks.denied.get_or_init(|| KafkaError::new(code, message()));
        }
    }

    /// The oldest thing that the group told and that was not taken.
    pub fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances().pop_front()
    }

    /// How often the group assigned nothing, which is answered at once, and how often it told something else that was
    /// not taken: what follows on a revocation.
    pub fn followed(&self) -> usize {
        self.hooks.empty.load(Ordering::Acquire) + self.rebalances().len()
    }

    /// Puts back what could not be answered yet.
    pub fn put_back(&self, rebalance: Rebalance) {
        self.rebalances().push_front(rebalance);
    }

    fn rebalances(&self) -> std::sync::MutexGuard<'_, VecDeque<Rebalance>> {
        self.hooks.rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the group, answering what it is asked meanwhile. Waits for the broker.
    pub fn leave(&self) -> Result<(), KafkaError> {
        if self.kind != Kind::Member || self.hooks.closing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // SAFETY: the client is alive. Revocations that nobody answered are answered here, later ones by the callback.
        unsafe {
            give_up(self.rk, ptr::null());
            KafkaError::check(sys::rd_kafka_consumer_close(self.rk))
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let reading = std::mem::take(self.reading.get_mut().unwrap_or_else(PoisonError::into_inner));
        let hooks = self.hooks.clone();
        // Whoever is made next under its name may be so at once.
        self.birth.leave(&hooks.counted.stats);
        let whole = Taken { rk: self.rk, queue: self.queue, kind: self.kind, hooks, reading };
        // Taking down joins threads and says goodbye to brokers: never on a thread of tokio's.
        let spawned = std::thread::Builder::new().name("weir-kafka-close".into()).spawn(move || whole.take_down());
        if let Err(e) = spawned {
            tracing::error!("no thread to close a Kafka client, which is left open: {e}");
        }
    }
}

/// A client on its way out.
struct Taken {
    rk: *mut sys::rd_kafka_t,
    queue: *mut sys::rd_kafka_queue_t,
    kind: Kind,
    hooks: Arc<Hooks>,
    reading: Vec<Reading>,
}

// SAFETY: as for the client.
unsafe impl Send for Taken {}

impl Taken {
    fn take_down(self) {
        // SAFETY: nobody else has the client any more; `hooks` goes after the last callback.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue, None, ptr::null_mut());
            for Reading { topic, partition } in self.reading {
                sys::rd_kafka_consume_stop(topic, partition);
                sys::rd_kafka_topic_destroy(topic);
            }
            match self.kind {
                Kind::Producer => {
                    let all = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
                    sys::rd_kafka_purge(self.rk, all);
                }
                Kind::Member => {
                    if !self.hooks.closing.swap(true, Ordering::AcqRel) {
                        give_up(self.rk, ptr::null());
                        sys::rd_kafka_consumer_close(self.rk);
                    }
                }
                Kind::Plain => {}
            }
            sys::rd_kafka_queue_destroy(self.queue);
            sys::rd_kafka_destroy(self.rk);
        }
        drop(self.hooks);
    }
}

/// Whether the group moves partitions one by one.
///
/// # Safety
/// The client is alive.
unsafe fn is_cooperative(rk: *mut sys::rd_kafka_t) -> bool {
    // SAFETY: by this function's contract; the name is static.
    unsafe { text(sys::rd_kafka_rebalance_protocol(rk)) == "COOPERATIVE" }
}

/// Gives up partitions, or everything where none are named.
///
/// # Safety
/// The client is alive; the list is null or alive.
unsafe fn give_up(rk: *mut sys::rd_kafka_t, partitions: *const sys::rd_kafka_topic_partition_list_t) {
    // SAFETY: by this function's contract.
    unsafe {
        if !is_cooperative(rk) {
            sys::rd_kafka_assign(rk, ptr::null());
        } else if !partitions.is_null() {
            let _ = KafkaError::take(sys::rd_kafka_incremental_unassign(rk, partitions));
        } else {
            let mut all = ptr::null_mut();
            if sys::rd_kafka_assignment(rk, &mut all) == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                let _ = KafkaError::take(sys::rd_kafka_incremental_unassign(rk, all));
                sys::rd_kafka_topic_partition_list_destroy(all);
            }
        }
    }
}

/// # Safety
/// The client is alive.
unsafe fn assign_nothing(rk: *mut sys::rd_kafka_t) {
    // SAFETY: by this function's contract; the list is owned here.
    unsafe {
        let none = sys::rd_kafka_topic_partition_list_new(0);
        let _ = KafkaError::take(sys::rd_kafka_incremental_assign(rk, none));
        sys::rd_kafka_topic_partition_list_destroy(none);
    }
}

/// Called by one of librdkafka's threads for each of its log lines.
unsafe extern "C" fn on_log(rk: *const sys::rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    // SAFETY: the strings live during the call; the client may be null before it is made.
    let (client, facility, line) = unsafe {
        let client = if rk.is_null() { String::new() } else { text(sys::rd_kafka_name(rk)) };
        (client, text(facility), text(line))
    };
    if facility == "FAIL" && !rk.is_null() {
        // SAFETY: the client's opaque is its `Hooks`, which outlives it.
        let hooks = unsafe { &*sys::rd_kafka_opaque(rk).cast::<Hooks>() };
        let why = line.split_once("]: ").map_or(&*line, |(_thread, why)| why).to_owned();
        *hooks.unreached.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
    log_lines::write(&client, level, &facility, &line);
}

/// Called within a poll, with what is nobody's answer. What is not taken note of is logged, as librdkafka would by itself.
unsafe extern "C" fn on_error(rk: *mut sys::rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: the opaque is the client's `Hooks`; client and reason live during the call.
    unsafe {
        if code == DENIED as c_int {
            let hooks = &*opaque.cast::<Hooks>();
            hooks.denied.get_or_init(|| KafkaError::new(DENIED, text(reason)));
        } else {
            log_lines::write(&text(sys::rd_kafka_name(rk)), 3, "ERROR", &text(reason));
        }
    }
}

/// Called by one of librdkafka's threads when an empty queue got something.
unsafe extern "C" fn on_event(_: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: the opaque is the client's `Hooks`.
    unsafe { &*opaque.cast::<Hooks>() }.woken.notify_one();
}

/// Called within a poll. Only records what somebody has to decide: librdkafka waits for the call that answers.
unsafe extern "C" fn on_rebalance(
    rk: *mut sys::rd_kafka_t,
    what: RDKafkaRespErr,
    list: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: the opaque is the client's `Hooks`; list and client live during the call.
    unsafe {
        let hooks = &*opaque.cast::<Hooks>();
        let assign = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let cooperative = is_cooperative(rk);
        if hooks.closing.load(Ordering::Acquire) {
            match (assign, cooperative) {
                (false, _) => give_up(rk, list),
                (true, true) => assign_nothing(rk),
                (true, false) => _ = sys::rd_kafka_assign(rk, ptr::null()),
            }
            return;
        }
        let partitions: Vec<_> = entries(list).into_iter().map(|(position, _)| position.partition).collect();
        if assign && cooperative && partitions.is_empty() {
            // Nobody has to decide anything, and the group waits: after a revocation others get their share only then.
            assign_nothing(rk);
            hooks.empty.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let rebalance = if assign {
            Rebalance::Assign { partitions, cooperative }
        } else {
            Rebalance::Revoke { partitions, cooperative, lost: sys::rd_kafka_assignment_lost(rk) != 0 }
        };
        hooks.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
        // Whoever polls may have seen this queue run empty before.
        hooks.woken.notify_one();
    }
}

/// Whether a property's value may not be shown.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "passphrase", ".pem", "key"].iter().any(|part| key.contains(part))
}
