//! Pure. Records in columns: as they stand in topics ([`RawRecords`]) and as tasks see them ([`Records`]).
//!
//! In both, whatever repeats stands once in a table and rows hold positions; an empty list of positions says that
//! every row holds position 0.

use std::sync::Arc;

use weir_data::{Cells, Column, Headers, Lie, check_positions, select_positions};

use super::{SchemaHandle, TopicPartition};

/// What timestamps mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// There are none.
    #[default]
    None,
    /// When the record was made.
    CreateTime,
    /// When the broker appended it.
    LogAppendTime,
}

/// Records as they stand in topics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawRecords {
    /// How many there are.
    pub rows: usize,
    /// The topics.
    pub topics: Vec<Arc<str>>,
    /// Position of each row's topic.
    pub topic: Vec<u32>,
    /// The partitions; none lets the producer choose.
    pub partitions: Vec<Option<i32>>,
    /// Position of each row's partition.
    pub partition: Vec<u32>,
    /// Offsets; empty for records that are not in a topic yet.
    pub offset: Vec<i64>,
    /// Milliseconds since 1970, -1 for none; empty when no row has one.
    pub timestamp: Vec<i64>,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// Keys.
    pub key: Column,
    /// Values.
    pub value: Column,
    /// Headers.
    pub headers: RawHeaders,
}

/// Headers as they stand in topics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawHeaders {
    /// The names.
    pub names: Vec<Arc<str>>,
    /// Where each row's headers end; empty when no row has one.
    pub ends: Vec<u32>,
    /// Position of each header's name.
    pub name: Vec<u32>,
    /// Each header's value.
    pub value: Column,
}

impl RawHeaders {
    /// The headers of a row, in order.
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let range = if self.ends.is_empty() {
            0..0
        } else {
            let start = if row == 0 { 0 } else { self.ends[row - 1] };
            start as usize..self.ends[row] as usize
        };
        range.map(|at| (&*self.names[self.name[at] as usize], self.value.get(at)))
    }
}

impl RawRecords {
    /// A row's topic.
    pub fn topic_of(&self, row: usize) -> &Arc<str> {
        &self.topics[entry(&self.topic, row)]
    }

    /// A row's partition; none lets the producer choose.
    pub fn partition_of(&self, row: usize) -> Option<i32> {
        self.partitions.get(entry(&self.partition, row)).copied().flatten()
    }

    /// A row's timestamp in milliseconds since 1970; none where it has none.
    pub fn timestamp_of(&self, row: usize) -> Option<i64> {
        self.timestamp.get(row).copied().filter(|&timestamp| timestamp >= 0)
    }

    /// The given rows, in the given order, over the same tables.
    pub fn select(&self, rows: &[u32]) -> RawRecords {
        let headers = weir_data::Headers {
            ends: self.headers.ends.clone(),
            name: self.headers.name.clone(),
            value: Cells { column: self.headers.value.clone(), schema: Vec::new() },
        };
        let headers = headers.select(rows);
        RawRecords {
            rows: rows.len(),
            topics: self.topics.clone(),
            topic: select_positions(&self.topic, rows),
            partitions: self.partitions.clone(),
            partition: select_positions(&self.partition, rows),
            offset: select_numbers(&self.offset, rows),
            timestamp: select_numbers(&self.timestamp, rows),
            timestamp_type: self.timestamp_type,
            key: self.key.select(rows),
            value: self.value.select(rows),
            headers: RawHeaders {
                names: self.headers.names.clone(),
                ends: headers.ends,
                name: headers.name,
                value: headers.value.column,
            },
        }
    }

    /// Bytes these records hold in memory.
    pub fn bytes(&self) -> usize {
        let rows = (self.topic.len() + self.partition.len() + self.headers.ends.len() + self.headers.name.len()) * 4;
        rows + (self.offset.len() + self.timestamp.len()) * 8
            + self.key.bytes()
            + self.value.bytes()
            + self.headers.value.bytes()
    }
}

/// What rows of [`Records`] point into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchTables {
    /// Topics.
    pub topics: Vec<Arc<str>>,
    /// Partitions; none lets the producer choose.
    pub partitions: Vec<Option<i32>>,
    /// Header names.
    pub header_names: Vec<Arc<str>>,
    /// Schemas; none says that the cell describes itself.
    pub schemas: Vec<Option<SchemaHandle>>,
}

impl BatchTables {
    /// The position of a schema, which is added where it is missing.
    pub fn schema_position(&mut self, schema: Option<&SchemaHandle>) -> u32 {
        let found = self.schemas.iter().position(|entry| entry.as_ref() == schema);
        found.unwrap_or_else(|| {
            self.schemas.push(schema.cloned());
            self.schemas.len() - 1
        }) as u32
    }
}

/// Records as tasks and transformations see them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// How many there are.
    pub rows: usize,
    /// What rows point into.
    pub tables: BatchTables,
    /// Position of each row's topic.
    pub topic: Vec<u32>,
    /// Position of each row's partition.
    pub partition: Vec<u32>,
    /// Kafka offsets; empty for records of a source.
    pub offset: Vec<i64>,
    /// Milliseconds since 1970, -1 for none; empty when no row has one.
    pub timestamp: Vec<i64>,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// Keys.
    pub key: Cells,
    /// Values.
    pub value: Cells,
    /// Headers.
    pub headers: Headers,
}

impl Records {
    /// A row's topic.
    pub fn topic_of(&self, row: usize) -> &Arc<str> {
        &self.tables.topics[entry(&self.topic, row)]
    }

    /// A row's partition.
    pub fn partition_of(&self, row: usize) -> Option<i32> {
        self.tables.partitions.get(entry(&self.partition, row)).copied().flatten()
    }

    /// The partition of a row that came out of a topic.
    pub fn topic_partition_of(&self, row: usize) -> Option<TopicPartition> {
        self.partition_of(row).map(|partition| TopicPartition { topic: self.topic_of(row).clone(), partition })
    }

    /// The given rows, in the given order, over the same tables.
    pub fn select(&self, rows: &[u32]) -> Records {
        Records {
            rows: rows.len(),
            tables: self.tables.clone(),
            topic: select_positions(&self.topic, rows),
            partition: select_positions(&self.partition, rows),
            offset: select_numbers(&self.offset, rows),
            timestamp: select_numbers(&self.timestamp, rows),
            timestamp_type: self.timestamp_type,
            key: self.key.select(rows),
            value: self.value.select(rows),
            headers: self.headers.select(rows),
        }
    }

    /// Checks records from outside: every length, end and position.
    pub fn check(&self) -> Result<(), Lie> {
        let BatchTables { topics, partitions, header_names, schemas } = &self.tables;
        check_positions(&self.topic, self.rows, topics.len(), "topics")?;
        if !(partitions.is_empty() && self.partition.is_empty()) {
            check_positions(&self.partition, self.rows, partitions.len(), "partitions")?;
        }
        check_length(&self.timestamp, self.rows, "timestamps")?;
        check_length(&self.offset, self.rows, "offsets")?;
        self.key.check(self.rows, schemas.len(), "keys")?;
        self.value.check(self.rows, schemas.len(), "values")?;
        self.headers.check(self.rows, header_names.len(), schemas.len())
    }

    /// Bytes these records hold in memory, tables aside.
    pub fn bytes(&self) -> usize {
        (self.topic.len() + self.partition.len()) * 4
            + (self.offset.len() + self.timestamp.len()) * 8
            + self.key.bytes()
            + self.value.bytes()
            + self.headers.bytes()
    }
}

fn entry(positions: &[u32], row: usize) -> usize {
    positions.get(row).map_or(0, |&position| position as usize)
}

fn select_numbers(values: &[i64], rows: &[u32]) -> Vec<i64> {
    if values.is_empty() { Vec::new() } else { rows.iter().map(|&row| values[row as usize]).collect() }
}

fn check_length(values: &[i64], rows: usize, what: &str) -> Result<(), Lie> {
    if values.is_empty() || values.len() == rows {
        return Ok(());
    }
    Err(Lie(format!("{what}: {} for {rows} rows", values.len())))
}
