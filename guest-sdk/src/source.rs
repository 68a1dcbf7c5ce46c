//! Source connectors and their tasks.

use std::rc::Rc;
use std::time::Duration;

use weir_data::cbor::same;
use weir_data::{Column, limits};

use crate::bindings::source::exports::weir::connect::source_task as wit;
use crate::class::Class;
use crate::config::Config;
use crate::data::{Cell, Data, STRING};
use crate::error::{Problem, Result};
use crate::tables::{CellsOut, HeadersOut, Same, Tables};

pub use crate::bindings::words::weir::connect::connectors::Support;

/// Decides what the tasks of a source do.
pub trait SourceConnector: Sized + 'static {
    /// What its tasks are.
    type Task: SourceTask;

    /// Its name, version and configuration definition.
    fn class() -> Class;

    /// Problems in a configuration beyond what the definition checks; asked with [`Class::wants_validate`].
    fn validate(_config: &Config) -> Vec<Problem> {
        Vec::new()
    }

    /// Starts.
    fn start(config: Config) -> Result<Self>;

    /// Configurations for at most `max_tasks` tasks.
    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>>;

    /// Waits up to `max_wait` for a reason to make new task configurations; asked with [`Class::wants_watch`].
    fn watch(&mut self, _max_wait: Duration) -> Result<bool> {
        Ok(false)
    }

    /// Looks at offsets that a person wants to alter, each a partition and an offset (none to forget it) as JSON text.
    /// Answers whether the external system's state was altered too. Asked with [`Class::wants_alter_offsets`].
    fn alter_offsets(_config: &Config, _offsets: &[(String, Option<String>)]) -> Result<bool> {
        Ok(false)
    }

    /// Whether a configuration can take part in exactly-once delivery.
    fn exactly_once_support(_config: &Config) -> Support {
        Support::Unknown
    }

    /// Whether tasks of a configuration can say where transactions end.
    fn can_define_boundaries(_config: &Config) -> Support {
        Support::Unsupported
    }

    /// Stops.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Brings records.
pub trait SourceTask: 'static {
    /// Starts.
    fn start(config: Config) -> Result<Self>
    where
        Self: Sized;

    /// Adds the next records to `batch` until it [is full](SourceBatch::is_full), waiting at most `max_wait` for the
    /// first. Adding none says that there was nothing.
    fn poll(&mut self, max_wait: Duration, batch: &mut SourceBatch) -> Result<()>;

    /// Rows that are in their topics or were dropped (Connect's commitRecord); asked with
    /// [`Class::wants_acknowledged`].
    fn acknowledged(&mut self, _rows: &[Acknowledged]) -> Result<()> {
        Ok(())
    }

    /// The offsets of acknowledged rows are stored (Connect's commit); asked with [`Class::wants_committed`].
    fn committed(&mut self) -> Result<()> {
        Ok(())
    }

    /// Stops.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Where a row went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The number [`SourceBatch::push`] gave it.
    pub row_id: u64,
    /// Topic, partition and offset; none for a row that was dropped on its way.
    pub position: Option<(String, i32, i64)>,
}

/// A record of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRecord {
    /// The topic.
    pub topic: String,
    /// The Kafka partition; none lets the producer choose.
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Data,
    /// The value.
    pub value: Data,
    /// Headers, in order.
    pub headers: Vec<(String, Data)>,
}

impl SourceRecord {
    /// A record without key, timestamp or headers.
    pub fn new(topic: impl Into<String>, value: Data) -> SourceRecord {
        SourceRecord {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: Data::null(),
            value,
            headers: Vec::new(),
        }
    }

    /// The same record with a key.
    pub fn key(self, key: Data) -> SourceRecord {
        SourceRecord { key, ..self }
    }

    /// The same record with a timestamp, in milliseconds since 1970.
    pub fn timestamp(self, timestamp: i64) -> SourceRecord {
        SourceRecord { timestamp: Some(timestamp), ..self }
    }

    /// The same record with one more header.
    pub fn header(mut self, name: &str, value: Data) -> SourceRecord {
        self.headers.push((name.to_owned(), value));
        self
    }
}

/// A record of a batch as it was added: what tests of a task look at.
#[derive(Clone, Copy, Debug)]
pub struct SourceRow<'a> {
    /// Its source partition, as JSON text.
    pub source_partition: &'a str,
    /// Its source offset, as JSON text.
    pub source_offset: &'a str,
    /// Its topic.
    pub topic: &'a str,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key; none for null.
    pub key: Option<Cell<'a>>,
    /// Its value; none for null.
    pub value: Option<Cell<'a>>,
}

/// Positions that records of one source partition and topic have in the batch's tables.
#[derive(Clone, Copy, Debug)]
struct Line {
    source_partition: u32,
    topic: u32,
    partition: u32,
    string: u32,
    none: u32,
}

/// Adds records of one source partition and topic whose values are text, without key or headers.
#[derive(Debug)]
pub struct Texts<'a> {
    batch: &'a mut SourceBatch,
    line: Line,
    timestamp: i64,
}

impl Texts<'_> {
    /// Adds a record with its source offset, the JSON text of one object; answers the row's number.
    #[inline]
    pub fn push(&mut self, offset: &str, text: &str) -> u64 {
        let Texts { batch, line, timestamp } = self;
        batch.value.push_raw(text.as_bytes(), line.string);
        batch.key.push_absent(line.none);
        batch.headers.end_row();
        batch.source_partition.push(line.source_partition);
        batch.source_offset.push(offset.as_bytes());
        batch.topic.push(line.topic);
        batch.partition.push(line.partition);
        batch.timestamp.push(*timestamp);
        batch.last_row_id()
    }

    /// How many records the batch has.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether the batch has none.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// How many bytes the batch's records take.
    pub fn bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// Whether the batch [is full](SourceBatch::is_full).
    #[inline]
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }
}

/// What a record takes beside its cells, as the contract counts it.
const ROW_BYTES: usize = 28;
/// The worker's default of `batch.bytes.max`.
const BYTES_MAX: usize = 1 << 20;

/// How large a batch was.
#[derive(Clone, Copy, Default)]
pub(crate) struct Room {
    rows: usize,
    offset_bytes: usize,
    value_bytes: usize,
}

/// The records of one poll.
#[derive(Debug)]
pub struct SourceBatch {
    first_row_id: u64,
    bytes_max: usize,
    tables: Tables,
    source_partitions: Vec<Rc<str>>,
    source_partition: Same<u32>,
    source_offset: Column,
    topic: Same<u32>,
    partition: Same<u32>,
    timestamp: Same<i64>,
    key: CellsOut,
    value: CellsOut,
    headers: HeadersOut,
    boundaries: Vec<wit::Boundary>,
    /// Of the text added last.
    line: Option<Line>,
}

impl Default for SourceBatch {
    /// An empty batch as a worker with its defaults asks for it: what tests of a task fill.
    fn default() -> SourceBatch {
        SourceBatch::new(0, Room::default(), BYTES_MAX)
    }
}

impl SourceBatch {
    /// An empty batch that is full at so many bytes, with room for as much as the one before had.
    pub(crate) fn new(first_row_id: u64, room: Room, bytes_max: usize) -> SourceBatch {
        SourceBatch {
            first_row_id,
            bytes_max,
            tables: Tables::default(),
            source_partitions: Vec::new(),
            source_partition: Same::default(),
            source_offset: Column::with_capacity(room.rows, room.offset_bytes),
            topic: Same::default(),
            partition: Same::default(),
            timestamp: Same::default(),
            key: CellsOut::default(),
            value: CellsOut::with_capacity(room.rows, room.value_bytes),
            headers: HeadersOut::default(),
            boundaries: Vec::new(),
            line: None,
        }
    }

    pub(crate) fn room(&self) -> Room {
        Room { rows: self.len(), offset_bytes: self.source_offset.data.len(), value_bytes: self.value.data_len() }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.topic.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the batch holds records, and as many bytes as the worker wishes (its `batch.bytes.max`), or half as many
    /// schemas as a task may have at a time: time for the poll to end. More bytes only cost memory, more schemas the
    /// task.
    #[inline]
    pub fn is_full(&self) -> bool {
        !self.is_empty() && (self.bytes() >= self.bytes_max || self.tables.schema_count() >= limits::SCHEMAS / 2)
    }

    /// How many bytes the records take.
    pub fn bytes(&self) -> usize {
        // Each row's positions and timestamp too, though they may cross as one.
        let cells = self.key.bytes() + self.value.bytes() + self.headers.bytes();
        ROW_BYTES * self.len() + self.source_offset.bytes() + cells
    }

    /// Adds a record with its source partition and offset, each the JSON text of one object: where to go on reading
    /// once this record is safe. The partition's text is its identity, so write its members always in one order.
    /// Answers the row's number; a record that does not fit its schema is not added.
    pub fn push(&mut self, partition: &str, offset: &str, record: &SourceRecord) -> Result<u64> {
        if let Err(error) = self.push_cells(record) {
            self.key.truncate(self.len());
            self.value.truncate(self.len());
            self.headers.undo_row();
            return Err(error);
        }
        Ok(self.end_row(partition, offset, &record.topic, record.partition, record.timestamp))
    }

    fn push_cells(&mut self, record: &SourceRecord) -> Result<()> {
        self.value.push(&record.value, &mut self.tables)?;
        self.key.push(&record.key, &mut self.tables)?;
        record.headers.iter().try_for_each(|(name, value)| self.headers.push(name, value, &mut self.tables))
    }

    /// Adds a record whose value is text, without anything in between: the quick way for lines.
    pub fn push_text(&mut self, partition: &str, offset: &str, topic: &str, timestamp: Option<i64>, text: &str) -> u64 {
        self.texts(partition, topic, timestamp).push(offset, text)
    }

    /// Records of one source partition and one topic whose values are text: the quickest way for many lines.
    #[inline]
    pub fn texts(&mut self, partition: &str, topic: &str, timestamp: Option<i64>) -> Texts<'_> {
        let line = match self.line {
            Some(line) if self.is_of(line, partition, topic) => line,
            _ => self.find_line(partition, topic),
        };
        Texts { batch: self, line, timestamp: timestamp.unwrap_or(-1) }
    }

    #[inline]
    fn is_of(&self, line: Line, partition: &str, topic: &str) -> bool {
        let known = &self.source_partitions[line.source_partition as usize];
        same(known.as_bytes(), partition.as_bytes())
            && same(self.tables.topic_at(line.topic).as_bytes(), topic.as_bytes())
    }

    #[inline(never)]
    fn find_line(&mut self, partition: &str, topic: &str) -> Line {
        let line = Line {
            source_partition: self.source_partition(partition),
            topic: self.tables.topic(topic),
            partition: self.tables.partition(None),
            string: STRING.with(|schema| self.tables.schema(Some(schema))),
            none: self.tables.schema(None),
        };
        self.line = Some(line);
        line
    }

    fn source_partition(&mut self, partition: &str) -> u32 {
        let known = self.source_partitions.iter().rposition(|known| **known == *partition);
        let at = known.unwrap_or_else(|| {
            self.source_partitions.push(partition.into());
            self.source_partitions.len() - 1
        });
        at as u32
    }

    fn end_row(
        &mut self,
        source_partition: &str,
        offset: &str,
        topic: &str,
        partition: Option<i32>,
        timestamp: Option<i64>,
    ) -> u64 {
        self.headers.end_row();
        let source_partition = self.source_partition(source_partition);
        self.source_partition.push(source_partition);
        self.source_offset.push(offset.as_bytes());
        self.topic.push(self.tables.topic(topic));
        self.partition.push(self.tables.partition(partition));
        self.timestamp.push(timestamp.unwrap_or(-1));
        self.last_row_id()
    }

    fn last_row_id(&self) -> u64 {
        self.first_row_id + (self.len() - 1) as u64
    }

    /// The records that were added, in order.
    pub fn rows(&self) -> impl Iterator<Item = SourceRow<'_>> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        (0..self.len()).map(move |row| SourceRow {
            source_partition: &self.source_partitions[self.source_partition.get(row) as usize],
            source_offset: self.source_offset.get(row).map_or("", text),
            topic: self.tables.topic_at(self.topic.get(row)),
            timestamp: Some(self.timestamp.get(row)).filter(|&timestamp| timestamp >= 0),
            key: self.key.get(row, &self.tables),
            value: self.value.get(row, &self.tables),
        })
    }

    /// Ends the transaction after the record added last.
    pub fn commit_transaction(&mut self) {
        self.boundary(wit::BoundaryKind::Commit);
    }

    /// Aborts the transaction up to the record added last.
    pub fn abort_transaction(&mut self) {
        self.boundary(wit::BoundaryKind::Abort);
    }

    fn boundary(&mut self, kind: wit::BoundaryKind) {
        if let Some(row) = self.len().checked_sub(1) {
            self.boundaries.push(wit::Boundary { row: row as u32, kind });
        }
    }

    pub(crate) fn into_wit(self) -> wit::Polled {
        let rows = self.len();
        let (tables, define) = self.tables.into_wit();
        let Column { ends, data, absent } = self.source_offset;
        let batch = wit::SourceBatch {
            rows: rows as u32,
            define,
            tables,
            source_partitions: self.source_partitions.iter().map(|p| p.to_string()).collect(),
            source_partition: self.source_partition.into_list(0),
            source_offset: wit::Column { ends, data, absent },
            row_id: (self.first_row_id..).take(rows).collect(),
            topic: self.topic.into_list(0),
            partition: self.partition.into_list(0),
            timestamp: self.timestamp.into_list(-1),
            key: self.key.into_wit(),
            value: self.value.into_wit(),
            headers: self.headers.into_wit(),
        };
        wit::Polled { batch, boundaries: self.boundaries }
    }
}
