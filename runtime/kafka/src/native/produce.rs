//! Records into a client's queue, and what became of them.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use weir_core::model::RawRecords;

use super::client::Client;
use super::intake::bytes_of_headers;
use super::{KafkaError, c_string, text};

/// Records handed over at once.
const CHUNK: usize = 512;
/// Lets librdkafka's partitioner choose.
const ANY_PARTITION: i32 = -1;

/// What became of a record.
pub(crate) struct Delivery {
    pub ticket: usize,
    pub bytes: usize,
    pub outcome: Result<(i32, i64), KafkaError>,
}

/// What librdkafka keeps of a record beside its bytes, about. Counted too: an empty record is one that waits, and small
/// ones take more room than their bytes.
const RECORD_BYTES: usize = 128;

/// A record to be sent.
pub(crate) struct Payload<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

impl Payload<'_> {
    /// Bytes of its key and value.
    pub fn length(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }

    /// Bytes of a record as its answer tells them, headers aside.
    pub fn bytes(&self) -> usize {
        RECORD_BYTES + self.length()
    }
}

/// Handles of the topics that a producer writes to.
pub(crate) struct Topics {
    client: Arc<Client>,
    handles: HashMap<Arc<str>, *mut sys::rd_kafka_topic_t>,
}

// SAFETY: topic handles may be used from any thread.
unsafe impl Send for Topics {}

/// A cell as C takes it. An empty cell needs an address: null would be no cell.
fn pointer(cell: Option<&[u8]>) -> (*mut c_void, usize) {
    cell.map_or((ptr::null_mut(), 0), |cell| (cell.as_ptr().cast_mut().cast(), cell.len()))
}

impl Topics {
    pub fn new(client: Arc<Client>) -> Topics {
        Topics { client, handles: HashMap::new() }
    }

    fn handle(&mut self, name: &Arc<str>) -> Result<*mut sys::rd_kafka_topic_t, KafkaError> {
        if let Some(handle) = self.handles.get(name) {
            return Ok(*handle);
        }
        // SAFETY: the client is alive; the handle is owned here until self is dropped.
        let handle = unsafe { sys::rd_kafka_topic_new(self.client.rk(), c_string(name).as_ptr(), ptr::null_mut()) };
        if handle.is_null() {
            // SAFETY: reads this thread's last error.
            return Err(KafkaError::of(unsafe { sys::rd_kafka_last_error() }));
        }
        self.handles.insert(name.clone(), handle);
        Ok(handle)
    }

    /// Sends rows of one topic that leave partition and time open and have no headers; copies them. Each row comes
    /// with its ticket. What is refused at once is handed to `refused` by its place among the rows. Never waits.
    pub fn send_plain<'a>(
        &mut self,
        topic: &Arc<str>,
        rows: impl ExactSizeIterator<Item = (Payload<'a>, usize)>,
        mut refused: impl FnMut(usize, KafkaError),
    ) {
        let count = rows.len();
        let handle = match self.handle(topic) {
            Ok(handle) => handle,
            Err(e) => return (0..count).for_each(|row| refused(row, e.clone())),
        };
        let mut messages = Vec::with_capacity(count.min(CHUNK));
        let mut before = 0;
        for (at, (record, ticket)) in rows.enumerate() {
            let ((key, key_len), (payload, len)) = (pointer(record.key), pointer(record.value));
            messages.push(sys::rd_kafka_message_t {
                err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
                rkt: ptr::null_mut(),
                partition: ANY_PARTITION,
                payload,
                len,
                key,
                key_len,
                offset: 0,
                _private: ptr::without_provenance_mut(ticket),
            });
            if messages.len() == CHUNK || at + 1 == count {
                let flags = sys::RD_KAFKA_MSG_F_COPY;
                let (list, length) = (messages.as_mut_ptr(), messages.len());
                // SAFETY: the handle is alive; keys and values are copied during the call.
                let taken = unsafe { sys::rd_kafka_produce_batch(handle, ANY_PARTITION, flags, list, length as i32) };
                if taken as usize != length {
                    for (nth, message) in messages.iter().enumerate() {
                        if let Err(e) = KafkaError::check(message.err) {
                            refused(before + nth, e);
                        }
                    }
                }
                before += length;
                messages.clear();
            }
        }
    }

    /// Sends one row of records with all it has; copies it. Never waits.
    pub fn send(&mut self, records: &RawRecords, row: usize, ticket: usize) -> Result<(), KafkaError> {
        use sys::rd_kafka_vtype_t as Of;
        let handle = self.handle(records.topic_of(row))?;
        let headers = records.headers.of(row);
        let mut parts: [sys::rd_kafka_vu_t; 8] =
            [sys::rd_kafka_vu_t { vtype: Of::RD_KAFKA_VTYPE_END, u: sys::rd_kafka_vu_s__bindgen_ty_1 { i: 0 } }; 8];
        let memory = |cell| {
            let (ptr, size) = pointer(cell);
            sys::rd_kafka_vu_s__bindgen_ty_1 { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size } }
        };
        let mut count = 0;
        let mut add = |vtype, u| {
            parts[count] = sys::rd_kafka_vu_t { vtype, u };
            count += 1;
        };
        add(Of::RD_KAFKA_VTYPE_RKT, sys::rd_kafka_vu_s__bindgen_ty_1 { rkt: handle });
        let partition = records.partition_of(row).unwrap_or(ANY_PARTITION);
        add(Of::RD_KAFKA_VTYPE_PARTITION, sys::rd_kafka_vu_s__bindgen_ty_1 { i32_: partition });
        add(Of::RD_KAFKA_VTYPE_VALUE, memory(records.value.get(row)));
        add(Of::RD_KAFKA_VTYPE_KEY, memory(records.key.get(row)));
        let ticket = sys::rd_kafka_vu_s__bindgen_ty_1 { ptr: ptr::without_provenance_mut(ticket) };
        add(Of::RD_KAFKA_VTYPE_OPAQUE, ticket);
        let flags = sys::rd_kafka_vu_s__bindgen_ty_1 { i: sys::RD_KAFKA_MSG_F_COPY };
        add(Of::RD_KAFKA_VTYPE_MSGFLAGS, flags);
        // 0 lets librdkafka say what time it is.
        let timestamp = records.timestamp_of(row).unwrap_or(0);
        add(Of::RD_KAFKA_VTYPE_TIMESTAMP, sys::rd_kafka_vu_s__bindgen_ty_1 { i64_: timestamp });
        // SAFETY: handle and cells live during the call, which copies; the list of headers is given away where the
        // call succeeds and destroyed where it does not.
        unsafe {
            let mut list: *mut sys::rd_kafka_headers_t = ptr::null_mut();
            for (name, value) in headers {
                if list.is_null() {
                    list = sys::rd_kafka_headers_new(4);
                }
                let (value, length) = pointer(value);
                let (name, name_length) = (name.as_ptr().cast(), name.len() as isize);
                sys::rd_kafka_header_add(list, name, name_length, value, length as isize);
            }
            if !list.is_null() {
                add(Of::RD_KAFKA_VTYPE_HEADERS, sys::rd_kafka_vu_s__bindgen_ty_1 { headers: list });
            }
            let sent = KafkaError::take(sys::rd_kafka_produceva(self.client.rk(), parts.as_ptr(), count));
            if sent.is_err() && !list.is_null() {
                sys::rd_kafka_headers_destroy(list);
            }
            sent
        }
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        for handle in self.handles.values() {
            // SAFETY: owned, and not used after; the client is alive as long as self.
            unsafe { sys::rd_kafka_topic_destroy(*handle) }
        }
    }
}

impl Client {
    /// Takes answers out of the queue and hands each to `take`, until there are none or about `count_max` were
    /// taken; how many there were. Never waits.
    pub fn deliveries(&self, count_max: usize, mut take: impl FnMut(Delivery)) -> usize {
        let (mut count, mut sent, mut failed) = (0, 0, 0);
        while count < count_max {
            // SAFETY: the queue is alive; the event is owned here, and its messages live as long as it.
            unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue(), 0);
                if event.is_null() {
                    break;
                }
                if sys::rd_kafka_event_type(event) == sys::RD_KAFKA_EVENT_ERROR {
                    self.note(sys::rd_kafka_event_error(event), || text(sys::rd_kafka_event_error_string(event)));
                }
                if sys::rd_kafka_event_type(event) == sys::RD_KAFKA_EVENT_DR {
                    loop {
                        let message = sys::rd_kafka_event_message_next(event);
                        if message.is_null() {
                            break;
                        }
                        let delivery = delivery(message);
                        match delivery.outcome {
                            Ok(_) => sent += 1,
                            Err(_) => failed += 1,
                        }
                        take(delivery);
                        count += 1;
                    }
                }
                sys::rd_kafka_event_destroy(event);
            }
        }
        for (meter, number) in [(&self.stats().records, sent), (&self.stats().record_errors, failed)] {
            if number > 0 {
                meter.add(number);
            }
        }
        if count >= count_max {
            // The queue may hold more, and only an empty one wakes when something comes.
            self.wake();
        }
        count
    }

    /// Gives up what was not sent: each of it is answered so. Never waits.
    pub fn purge(&self) {
        let all = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is alive.
        unsafe { sys::rd_kafka_purge(self.rk(), all) };
    }
}

/// # Safety
/// The message is a delivery report and alive.
unsafe fn delivery(message: *const sys::rd_kafka_message_t) -> Delivery {
    // SAFETY: by this function's contract.
    unsafe {
        let seen = &*message;
        let mut headers = ptr::null_mut();
        let found = sys::rd_kafka_message_headers(message, &mut headers);
        let header_bytes =
            if found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { bytes_of_headers(headers) } else { 0 };
        Delivery {
            ticket: seen._private.addr(),
            bytes: RECORD_BYTES + seen.len + seen.key_len + header_bytes,
            outcome: KafkaError::check(seen.err).map(|()| (seen.partition, seen.offset)),
        }
    }
}
