//! Source connectors and their tasks.

use std::rc::Rc;
use std::time::Duration;

use weir_data::Column;
use weir_data::cbor::put;

use crate::bindings::source::exports::weir::connect::source_task as wit;
use crate::class::Class;
use crate::config::Config;
use crate::data::{Cell, Data, STRING};
use crate::error::{Problem, Result};
use crate::tables::{CellsOut, HeadersOut, Tables, abbreviate};

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

    /// Adds the next records to `batch`, waiting at most `max_wait` for the first. Adding none says that there was
    /// nothing.
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

/// Adds records of one source partition and topic whose values are text, without key or headers.
#[derive(Debug)]
pub struct Texts<'a> {
    batch: &'a mut SourceBatch,
    source_partition: u32,
    topic: u32,
    partition: u32,
    string: u32,
    none: u32,
    timestamp: i64,
}

impl Texts<'_> {
    /// Adds a record with its source offset, the JSON text of one object; answers the row's number.
    #[inline]
    pub fn push(&mut self, offset: &str, text: &str) -> u64 {
        let batch = &mut *self.batch;
        batch.value.push_raw(text.as_bytes(), self.string);
        batch.key.push_absent(self.none);
        batch.headers.end_row();
        batch.source_partition.push(self.source_partition);
        put(&mut batch.source_offset.data, offset.as_bytes());
        batch.source_offset.end_cell();
        batch.topic.push(self.topic);
        batch.partition.push(self.partition);
        batch.timestamp.push(self.timestamp);
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
}

/// The records of one poll.
#[derive(Debug, Default)]
pub struct SourceBatch {
    first_row_id: u64,
    tables: Tables,
    source_partitions: Vec<Rc<str>>,
    source_partition: Vec<u32>,
    source_offset: Column,
    topic: Vec<u32>,
    partition: Vec<u32>,
    timestamp: Vec<i64>,
    key: CellsOut,
    value: CellsOut,
    headers: HeadersOut,
    boundaries: Vec<wit::Boundary>,
}

impl SourceBatch {
    pub(crate) fn new(first_row_id: u64) -> SourceBatch {
        SourceBatch { first_row_id, ..SourceBatch::default() }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.topic.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.topic.is_empty()
    }

    /// How many bytes the records take. The host bounds what a task may have on its way: 1 MiB a batch is plenty.
    pub fn bytes(&self) -> usize {
        let positions = 4 * (self.source_partition.len() + self.topic.len() + self.partition.len());
        let cells = self.key.bytes() + self.value.bytes() + self.headers.bytes();
        positions + 8 * self.timestamp.len() + self.source_offset.bytes() + cells
    }

    /// Adds a record with its source partition and offset, each the JSON text of one object: where to go on reading
    /// once this record is safe. The partition's text is its identity, so write its members always in one order.
    /// Answers the row's number; a record that does not fit its schema is not added.
    pub fn push(&mut self, partition: &str, offset: &str, record: &SourceRecord) -> Result<u64> {
        if let Err(error) = self.push_cells(record) {
            self.key.truncate(self.topic.len());
            self.value.truncate(self.topic.len());
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
    pub fn texts(&mut self, partition: &str, topic: &str, timestamp: Option<i64>) -> Texts<'_> {
        Texts {
            source_partition: self.source_partition(partition),
            topic: self.tables.topic(topic),
            partition: self.tables.partition(None),
            string: STRING.with(|schema| self.tables.schema(Some(schema))),
            none: self.tables.schema(None),
            timestamp: timestamp.unwrap_or(-1),
            batch: self,
        }
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
        self.first_row_id + (self.topic.len() - 1) as u64
    }

    /// The records that were added, in order.
    pub fn rows(&self) -> impl Iterator<Item = SourceRow<'_>> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        (0..self.len()).map(move |row| SourceRow {
            source_partition: &self.source_partitions[self.source_partition[row] as usize],
            source_offset: self.source_offset.get(row).map_or("", text),
            topic: self.tables.topic_at(self.topic[row]),
            timestamp: Some(self.timestamp[row]).filter(|&timestamp| timestamp >= 0),
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
        if let Some(row) = self.topic.len().checked_sub(1) {
            self.boundaries.push(wit::Boundary { row: row as u32, kind });
        }
    }

    pub(crate) fn into_wit(mut self) -> wit::Polled {
        let rows = self.topic.len();
        abbreviate(&mut self.source_partition);
        abbreviate(&mut self.topic);
        abbreviate(&mut self.partition);
        if self.timestamp.iter().all(|&timestamp| timestamp < 0) {
            self.timestamp.clear();
        }
        let (tables, define) = self.tables.into_wit();
        let Column { ends, data, absent } = self.source_offset;
        let batch = wit::SourceBatch {
            rows: rows as u32,
            define,
            tables,
            source_partitions: self.source_partitions.iter().map(|p| p.to_string()).collect(),
            source_partition: self.source_partition,
            source_offset: wit::Column { ends, data, absent },
            row_id: (self.first_row_id..).take(rows).collect(),
            topic: self.topic,
            partition: self.partition,
            timestamp: self.timestamp,
            key: self.key.into_wit(),
            value: self.value.into_wit(),
            headers: self.headers.into_wit(),
        };
        wit::Polled { batch, boundaries: self.boundaries }
    }
}
