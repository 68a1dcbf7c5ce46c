//! Messages out of a client's queue, copied into columns without an allocation for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;
use weir_core::model::{Position, RawHeaders, RawRecords, TimestampType, TopicPartition};
use weir_data::Column;

use super::client::Client;
use super::{KafkaError, text};

/// Messages taken at once, at most.
const CHUNK_MAX: usize = 2048;
/// Messages taken on the way when callbacks run.
const SERVED: usize = 64;
/// What a row costs beside its cells, roughly.
const ROW_BYTES: usize = 24;

/// What stands in the queue instead of a record: where, and what.
pub(crate) type Trouble = (Position, KafkaError);

/// The reading end of a client's queue.
pub(crate) struct Intake {
    client: Arc<Client>,
    /// Taken from the queue and not handed out yet, from `next` on.
    chunk: Vec<*mut sys::rd_kafka_message_t>,
    next: usize,
    /// Taken, but of partitions that were paused since.
    held: Vec<*mut sys::rd_kafka_message_t>,
    paused: BTreeSet<TopicPartition>,
    names: BTreeMap<Box<[u8]>, Arc<str>>,
    /// Bytes of a message, as they lately were.
    message_bytes: usize,
}

// SAFETY: messages may be read and destroyed by any thread; the intake is their only owner.
unsafe impl Send for Intake {}
// SAFETY: a shared intake only looks at what messages say.
unsafe impl Sync for Intake {}

/// Positions into a table; written out only once they differ.
#[derive(Default)]
struct Positions(Vec<u32>);

impl Positions {
    #[inline]
    fn push(&mut self, rows: usize, position: u32) {
        if position != 0 || !self.0.is_empty() {
            self.0.resize(rows, 0);
            self.0.push(position);
        }
    }

    fn finish(mut self, rows: usize) -> Vec<u32> {
        if !self.0.is_empty() {
            self.0.resize(rows, 0);
        }
        self.0
    }
}

/// A column that stays empty until a cell comes.
#[derive(Default)]
struct Cells {
    column: Column,
    bytes: usize,
}

impl Cells {
    #[inline]
    fn push(&mut self, rows: usize, cell: Option<&[u8]>, room: usize) {
        match cell {
            Some(cell) => {
                if self.column.ends.len() < rows || self.column.ends.capacity() == 0 {
                    self.begin(rows, room);
                }
                self.column.push(cell);
            }
            None if self.column.ends.is_empty() => {}
            None => self.column.push_absent(),
        }
    }

    #[cold]
    fn begin(&mut self, rows: usize, room: usize) {
        self.column.ends.reserve(room);
        self.column.data.reserve(self.bytes);
        for _ in self.column.ends.len()..rows {
            self.column.push_absent();
        }
    }
}

impl Intake {
    pub fn new(client: Arc<Client>) -> Intake {
        Intake {
            client,
            chunk: Vec::new(),
            next: 0,
            held: Vec::new(),
            paused: BTreeSet::new(),
            names: BTreeMap::new(),
            message_bytes: 1024,
        }
    }

    /// What there is, in about `bytes_max` bytes, at least one record where there is one. Never waits. Nothing: no
    /// rows. Trouble comes alone. A batch that is being put together ends before trouble, and where timestamps change
    /// their meaning.
    pub fn take(&mut self, bytes_max: usize) -> Result<RawRecords, Trouble> {
        let mut batch = Batch::new(bytes_max);
        loop {
            batch.expect(self.chunk.len() - self.next, self.message_bytes);
            let mut topics = SeenTopics::default();
            while self.next < self.chunk.len() {
                let message = self.chunk[self.next];
                // SAFETY: messages from `next` on are alive and owned.
                let seen = unsafe { &*message };
                if seen.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    if batch.rows > 0 {
                        return Ok(self.finish(batch));
                    }
                    self.next += 1;
                    // SAFETY: as above; it is not used again.
                    return Err(unsafe { trouble(message) });
                }
                if !self.paused.is_empty() && self.paused.contains(&self.place(seen)) {
                    self.held.push(message);
                    self.next += 1;
                    continue;
                }
                // SAFETY: alive until it is destroyed below.
                if !unsafe { batch.push(message, &mut topics, &mut self.names) } {
                    return Ok(self.finish(batch));
                }
                self.next += 1;
                // SAFETY: owned, copied, and behind `next` from here on.
                unsafe { sys::rd_kafka_message_destroy(message) };
            }
            if !self.refill(bytes_max.saturating_sub(batch.bytes)) {
                return Ok(self.finish(batch));
            }
        }
    }

    /// Takes the next messages from the queue; whether there were any. Callbacks run in here.
    fn refill(&mut self, bytes: usize) -> bool {
        let count = (bytes / self.message_bytes + 1).min(CHUNK_MAX);
        self.chunk.clear();
        self.next = 0;
        self.chunk.reserve(count);
        // SAFETY: the queue is alive; it writes at most `count` messages, which are then owned here.
        unsafe {
            let taken = sys::rd_kafka_consume_batch_queue(self.client.queue(), 0, self.chunk.as_mut_ptr(), count);
            self.chunk.set_len(usize::try_from(taken).unwrap_or(0));
        }
        !self.chunk.is_empty()
    }

    /// Lets callbacks run; records that come on the way are kept for the next taking.
    pub fn serve(&mut self) {
        let length = self.chunk.len();
        self.chunk.reserve(SERVED);
        // SAFETY: the queue is alive; it writes at most as many messages as there is room for, behind those there.
        unsafe {
            let end = self.chunk.as_mut_ptr().add(length);
            let taken = sys::rd_kafka_consume_batch_queue(self.client.queue(), 0, end, SERVED);
            self.chunk.set_len(length + usize::try_from(taken).unwrap_or(0));
        }
    }

    fn finish(&mut self, batch: Batch) -> RawRecords {
        self.message_bytes = batch.bytes.checked_div(batch.rows).unwrap_or(self.message_bytes);
        if batch.rows > 0 {
            self.client.stats().records.add(batch.rows as u64);
            self.client.stats().record_bytes.add((batch.bytes - batch.rows * ROW_BYTES) as u64);
        }
        batch.finish()
    }

    /// Holds back records of these partitions.
    pub fn pause(&mut self, partitions: &[TopicPartition]) {
        self.paused.extend(partitions.iter().cloned());
    }

    /// Gives out records of these partitions again, those that were held back first.
    pub fn resume(&mut self, partitions: &[TopicPartition]) {
        partitions.iter().for_each(|at| _ = self.paused.remove(at));
        let mut chunk = std::mem::take(&mut self.held);
        chunk.extend_from_slice(&self.chunk[self.next..]);
        (self.chunk, self.next) = (chunk, 0);
    }

    /// Throws away what was taken of these partitions.
    pub fn forget(&mut self, partitions: &[TopicPartition]) {
        let gone: BTreeSet<&TopicPartition> = partitions.iter().collect();
        let mut kept = Vec::new();
        for list in [std::mem::take(&mut self.held), self.chunk.split_off(self.next)] {
            let (forgotten, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(|&message| {
                // SAFETY: alive and owned.
                gone.contains(&self.place(unsafe { &*message }))
            });
            // SAFETY: owned, and in no list any more.
            forgotten.into_iter().for_each(|message| unsafe { sys::rd_kafka_message_destroy(message) });
            kept.push(rest);
        }
        (self.next, self.chunk) = (0, kept.pop().unwrap_or_default());
        self.held = kept.pop().unwrap_or_default();
    }

    fn place(&self, message: &sys::rd_kafka_message_t) -> TopicPartition {
        // SAFETY: a message keeps its topic; trouble may come without.
        let name = unsafe { topic_name(message) };
        let topic = self.names.get(name).cloned();
        let topic = topic.unwrap_or_else(|| String::from_utf8_lossy(name).into());
        TopicPartition { topic, partition: message.partition }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        for &message in self.held.iter().chain(&self.chunk[self.next..]) {
            // SAFETY: owned, and not used after.
            unsafe { sys::rd_kafka_message_destroy(message) }
        }
    }
}

/// # Safety
/// The message and its topic are alive for as long as the name is used.
unsafe fn topic_name<'a>(message: *const sys::rd_kafka_message_t) -> &'a [u8] {
    // SAFETY: by this function's contract.
    unsafe {
        if (*message).rkt.is_null() {
            return b"";
        }
        CStr::from_ptr(sys::rd_kafka_topic_name((*message).rkt)).to_bytes()
    }
}

/// Reads and destroys a message that is an error.
///
/// # Safety
/// The message is owned by the caller, who does not use it again.
unsafe fn trouble(message: *mut sys::rd_kafka_message_t) -> Trouble {
    // SAFETY: by this function's contract.
    unsafe {
        let topic = String::from_utf8_lossy(topic_name(message)).into();
        let partition = TopicPartition { topic, partition: (*message).partition };
        let error = KafkaError::new((*message).err, text(sys::rd_kafka_message_errstr(message)));
        let position = Position { partition, offset: (*message).offset };
        sys::rd_kafka_message_destroy(message);
        (position, error)
    }
}

/// # Safety
/// The bytes live for as long as the cell is used; null is null.
#[inline]
unsafe fn cell<'a>(data: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by this function's contract.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// Topics of one chunk by their handles, which are theirs while the messages of a chunk live.
#[derive(Default)]
struct SeenTopics(Vec<(*mut sys::rd_kafka_topic_t, u32)>);

/// Records being put together.
struct Batch {
    rows: usize,
    bytes: usize,
    bytes_max: usize,
    room: usize,
    records: RawRecords,
    topic: Positions,
    partition: Positions,
    key: Cells,
    value: Cells,
    header_names: HashMap<Arc<str>, u32>,
    timestamps: bool,
    /// Messages of a partition come in runs.
    last_partition: u32,
}

impl Batch {
    fn new(bytes_max: usize) -> Batch {
        Batch {
            rows: 0,
            bytes: 0,
            bytes_max,
            room: 0,
            records: RawRecords::default(),
            topic: Positions::default(),
            partition: Positions::default(),
            key: Cells::default(),
            value: Cells::default(),
            header_names: HashMap::new(),
            timestamps: false,
            last_partition: 0,
        }
    }

    /// Makes room for what waits, before the first record is added. Where much waits, more is on its way.
    fn expect(&mut self, waiting: usize, message_bytes: usize) {
        let most = self.bytes_max / message_bytes + 1;
        self.room = if waiting >= CHUNK_MAX { most } else { waiting.min(most) };
        self.value.bytes = self.bytes_max.min(self.room * message_bytes);
    }

    /// Adds a message unless it belongs into the next batch.
    ///
    /// # Safety
    /// The message is alive, and so are those of its chunk that were pushed with the same `topics`.
    unsafe fn push(
        &mut self,
        message: *mut sys::rd_kafka_message_t,
        topics: &mut SeenTopics,
        names: &mut BTreeMap<Box<[u8]>, Arc<str>>,
    ) -> bool {
        // SAFETY: by this function's contract; what a message points to lives as long as it.
        unsafe {
            let seen = &*message;
            let (key, value) = (cell(seen.key, seen.key_len), cell(seen.payload, seen.len));
            let mut headers = ptr::null_mut();
            let with_headers =
                sys::rd_kafka_message_headers(message, &mut headers) == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
            let header_bytes = if with_headers { bytes_of_headers(headers) } else { 0 };
            let bytes = ROW_BYTES + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + header_bytes;
            let mut meaning = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp = sys::rd_kafka_message_timestamp(message, &mut meaning);
            let meaning = timestamp_type(meaning);
            if self.rows == 0 {
                self.records.timestamp_type = meaning;
                let room = self.room;
                self.records.offset.reserve(room);
                self.records.timestamp.reserve(room);
            } else if self.bytes + bytes > self.bytes_max || meaning != self.records.timestamp_type {
                return false;
            }
            let topic = self.topic_position(message, topics, names);
            self.topic.push(self.rows, topic);
            let partition = self.partition_position(seen.partition);
            self.partition.push(self.rows, partition);
            self.records.offset.push(seen.offset);
            self.records.timestamp.push(timestamp);
            self.timestamps |= timestamp >= 0;
            self.key.push(self.rows, key, self.room);
            self.value.push(self.rows, value, self.room);
            if with_headers {
                self.push_headers(headers);
            } else if !self.records.headers.ends.is_empty() {
                let end = self.records.headers.name.len() as u32;
                self.records.headers.ends.push(end);
            }
            self.rows += 1;
            self.bytes += bytes;
            true
        }
    }

    /// # Safety
    /// As for `push`.
    #[inline]
    unsafe fn topic_position(
        &mut self,
        message: *const sys::rd_kafka_message_t,
        topics: &mut SeenTopics,
        names: &mut BTreeMap<Box<[u8]>, Arc<str>>,
    ) -> u32 {
        // SAFETY: by this function's contract.
        let handle = unsafe { (*message).rkt };
        if let Some((_, position)) = topics.0.iter().find(|(known, _)| *known == handle) {
            return *position;
        }
        // SAFETY: as above.
        let name = unsafe { topic_name(message) };
        if !names.contains_key(name) {
            names.insert(name.into(), String::from_utf8_lossy(name).into());
        }
        let name = &names[name];
        let known = self.records.topics.iter().position(|known| known == name);
        let position = known.unwrap_or_else(|| {
            self.records.topics.push(name.clone());
            self.records.topics.len() - 1
        }) as u32;
        topics.0.push((handle, position));
        position
    }

    #[inline]
    fn partition_position(&mut self, partition: i32) -> u32 {
        let partitions = &mut self.records.partitions;
        if partitions.get(self.last_partition as usize) == Some(&Some(partition)) {
            return self.last_partition;
        }
        let known = partitions.iter().rposition(|known| *known == Some(partition));
        self.last_partition = known.unwrap_or_else(|| {
            partitions.push(Some(partition));
            partitions.len() - 1
        }) as u32;
        self.last_partition
    }

    /// # Safety
    /// The headers are alive.
    unsafe fn push_headers(&mut self, headers: *const sys::rd_kafka_headers_t) {
        let RawHeaders { names, ends, name, value } = &mut self.records.headers;
        ends.resize(self.rows, name.len() as u32);
        let mut at = 0;
        // SAFETY: by this function's contract.
        while let Some((header, cell)) = unsafe { header(headers, at) } {
            let header = String::from_utf8_lossy(header);
            let position = match self.header_names.get(&*header) {
                Some(position) => *position,
                None => {
                    names.push((&*header).into());
                    let position = names.len() as u32 - 1;
                    self.header_names.insert(names[position as usize].clone(), position);
                    position
                }
            };
            name.push(position);
            value.push_option(cell);
            at += 1;
        }
        ends.push(name.len() as u32);
    }

    fn finish(self) -> RawRecords {
        let mut records = self.records;
        records.rows = self.rows;
        records.topic = self.topic.finish(self.rows);
        records.partition = self.partition.finish(self.rows);
        (records.key, records.value) = (self.key.column, self.value.column);
        if !self.timestamps {
            records.timestamp = Vec::new();
        }
        records
    }
}

fn timestamp_type(meaning: sys::rd_kafka_timestamp_type_t) -> TimestampType {
    match meaning {
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampType::None,
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampType::CreateTime,
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampType::LogAppendTime,
    }
}

/// A header's name and value.
///
/// # Safety
/// The headers are alive for as long as what is returned is used.
unsafe fn header<'a>(headers: *const sys::rd_kafka_headers_t, at: usize) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
    // SAFETY: by this function's contract.
    unsafe {
        let found = sys::rd_kafka_header_get_all(headers, at, &mut name, &mut value, &mut length);
        (found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
            .then(|| (CStr::from_ptr(name).to_bytes(), cell(value, length)))
    }
}

/// # Safety
/// The headers are alive.
pub(super) unsafe fn bytes_of_headers(headers: *const sys::rd_kafka_headers_t) -> usize {
    let (mut bytes, mut at) = (0, 0);
    // SAFETY: by this function's contract.
    while let Some((name, value)) = unsafe { header(headers, at) } {
        bytes += name.len() + value.map_or(0, <[u8]>::len);
        at += 1;
    }
    bytes
}
