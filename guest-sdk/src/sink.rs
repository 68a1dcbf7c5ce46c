//! Sink connectors and their tasks.

use std::rc::Rc;
use std::time::Duration;

use weir_data::{Cells, Headers, Schema};

use crate::bindings::sink::exports::weir::connect::sink_task as wit;
use crate::bindings::words::weir::connect::columns;
use crate::class::Class;
use crate::config::Config;
use crate::data::{Cell, Data};
use crate::error::{Error, Problem, Result};
use crate::record::Header;
use crate::schemas;
use crate::tables::{CellsOut, Tables, cells_from_wit, headers_from_wit};

pub use crate::bindings::words::weir::connect::positions::{Position, TopicPartition};
pub use wit::TimestampType;

/// Decides what the tasks of a sink do.
pub trait SinkConnector: Sized + 'static {
    /// What its tasks are.
    type Task: SinkTask;

    /// Its name, version and configuration definition.
    fn class() -> Class;

    /// Problems in a configuration beyond what the definition checks; asked with [`Class::wants_validate`].
    fn validate(_config: &Config) -> Vec<Problem> {
        Vec::new()
    }

    /// Starts.
    fn start(config: Config) -> Result<Self>;

    /// Configurations for at most `max_tasks` tasks. Topics are added by the host.
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

    /// Stops.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Takes records.
pub trait SinkTask: 'static {
    /// Starts.
    fn start(config: Config) -> Result<Self>
    where
        Self: Sized;

    /// Partitions that are delivered from now on, with the position of each.
    fn open(&mut self, _partitions: &[Position]) -> Result<()> {
        Ok(())
    }

    /// Takes records. [`Delivery::all`] says that all are delivered; an empty batch comes when there was nothing for
    /// a while.
    fn put(&mut self, batch: &SinkBatch) -> Result<Delivery>;

    /// Makes what was put last and answers up to where it does; asked with [`Class::wants_pre_commit`].
    fn pre_commit(&mut self, positions: Vec<Position>) -> Result<Vec<Position>> {
        Ok(positions)
    }

    /// Partitions that are no longer delivered.
    fn close(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    /// Stops.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Rows to offer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first row to offer again; the rows before are delivered.
    pub from: usize,
    /// How long to wait before; none leaves it to the host.
    pub after: Option<Duration>,
    /// Why.
    pub reason: String,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Delivery(pub(crate) Vec<(u32, Error)>, pub(crate) Option<Retry>);

impl Delivery {
    /// All of it is delivered.
    pub fn all() -> Delivery {
        Delivery::default()
    }

    /// The row cannot be delivered; call it by rising row.
    pub fn failed(mut self, row: usize, reason: impl ToString) -> Delivery {
        self.0.push((row as u32, Error::Data(reason.to_string())));
        self
    }

    /// The rows from `row` on are to be offered again, after a while that the host chooses where `after` is none.
    pub fn retry_from(mut self, row: usize, after: Option<Duration>, reason: impl ToString) -> Delivery {
        self.1 = Some(Retry { from: row, after, reason: reason.to_string() });
        self
    }

    /// The rows that cannot be delivered, with their errors: what tests of a task look at.
    pub fn failures(&self) -> &[(u32, Error)] {
        &self.0
    }

    /// What is to be offered again: what tests of a task look at.
    pub fn retry(&self) -> Option<&Retry> {
        self.1.as_ref()
    }
}

/// The records of one put.
#[derive(Debug)]
pub struct SinkBatch {
    rows: usize,
    tables: wit::Tables,
    schemas: Vec<Option<Rc<Schema>>>,
    topic: Vec<u32>,
    partition: Vec<u32>,
    offset: Vec<i64>,
    original: Option<wit::Origin>,
    timestamp: Vec<i64>,
    timestamp_type: TimestampType,
    key: Cells,
    value: Cells,
    headers: Headers,
}

fn entry(positions: &[u32], row: usize) -> usize {
    positions.get(row).map_or(0, |&position| position as usize)
}

impl SinkBatch {
    pub(crate) fn from_wit(batch: wit::SinkBatch) -> SinkBatch {
        schemas::take_news(batch.news);
        SinkBatch {
            rows: batch.rows as usize,
            schemas: batch.tables.schemas.iter().map(schemas::resolve).collect(),
            tables: batch.tables,
            topic: batch.topic,
            partition: batch.partition,
            offset: batch.offset,
            original: batch.original,
            timestamp: batch.timestamp,
            timestamp_type: batch.timestamp_type,
            key: cells_from_wit(batch.key),
            value: cells_from_wit(batch.value),
            headers: headers_from_wit(batch.headers),
        }
    }

    /// Values from one partition, as a host would bring them: what tests of a task are given.
    pub fn of_values(topic: &str, partition: i32, first_offset: i64, values: &[Data]) -> Result<SinkBatch> {
        let (mut tables, mut key, mut value) = (Tables::default(), CellsOut::default(), CellsOut::default());
        for data in values {
            key.push_null(&mut tables);
            value.push(data, &mut tables)?;
        }
        Ok(SinkBatch {
            rows: values.len(),
            schemas: tables.schemas(),
            tables: columns::Tables {
                topics: vec![topic.to_owned()],
                partitions: vec![Some(partition)],
                header_names: Vec::new(),
                schemas: Vec::new(),
            },
            topic: Vec::new(),
            partition: Vec::new(),
            offset: (first_offset..).take(values.len()).collect(),
            original: None,
            timestamp: Vec::new(),
            timestamp_type: TimestampType::None,
            key: key.into_cells(),
            value: value.into_cells(),
            headers: Headers::default(),
        })
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = SinkRecord<'_>> {
        (0..self.rows).map(|row| SinkRecord { batch: self, row })
    }

    /// What the timestamps mean.
    pub fn timestamp_type(&self) -> TimestampType {
        self.timestamp_type
    }

    fn cell<'a>(&'a self, cells: &'a Cells, row: usize) -> Option<Cell<'a>> {
        let bytes = cells.column.get(row)?;
        Some(Cell { bytes, schema: self.schemas[cells.schema_of(row)].as_ref() })
    }
}

/// A record of a sink's batch.
#[derive(Clone, Copy, Debug)]
pub struct SinkRecord<'a> {
    batch: &'a SinkBatch,
    row: usize,
}

impl<'a> SinkRecord<'a> {
    /// Its position in the batch.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Its topic.
    pub fn topic(&self) -> &'a str {
        &self.batch.tables.topics[entry(&self.batch.topic, self.row)]
    }

    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.batch.tables.partitions[entry(&self.batch.partition, self.row)].unwrap_or(-1)
    }

    /// Its offset in the partition it was read from.
    pub fn offset(&self) -> i64 {
        self.batch.offset[self.row]
    }

    /// The topic it was read from (KIP-793).
    pub fn original_topic(&self) -> &'a str {
        match &self.batch.original {
            Some(origin) => &self.batch.tables.topics[entry(&origin.topic, self.row)],
            None => self.topic(),
        }
    }

    /// The partition it was read from (KIP-793).
    pub fn original_partition(&self) -> i32 {
        match &self.batch.original {
            Some(origin) => self.batch.tables.partitions[entry(&origin.partition, self.row)].unwrap_or(-1),
            None => self.partition(),
        }
    }

    /// Its timestamp, in milliseconds since 1970.
    pub fn timestamp(&self) -> Option<i64> {
        self.batch.timestamp.get(self.row).copied().filter(|&timestamp| timestamp >= 0)
    }

    /// Its key; none for null.
    pub fn key(&self) -> Option<Cell<'a>> {
        self.batch.cell(&self.batch.key, self.row)
    }

    /// Its value; none for null.
    pub fn value(&self) -> Option<Cell<'a>> {
        self.batch.cell(&self.batch.value, self.row)
    }

    /// Its headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let batch = self.batch;
        batch.headers.range(self.row).map(move |at| Header {
            name: &batch.tables.header_names[batch.headers.name[at] as usize],
            value: batch.cell(&batch.headers.value, at),
        })
    }
}
