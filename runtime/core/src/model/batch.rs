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
    /// Where a row's headers stand.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        let end = |row: usize| self.ends.get(row).map_or(0, |&end| end as usize);
        row.checked_sub(1).map_or(0, end)..end(row)
    }

    /// Adds a header of others that have the same names.
    pub fn push_of(&mut self, others: &RawHeaders, at: usize) {
        self.name.push(others.name[at]);
        self.value.push_option(others.value.get(at));
    }

    /// The headers of the given rows, in the given order, over the same names.
    fn select(&self, rows: &[u32]) -> RawHeaders {
        if self.ends.is_empty() {
            return RawHeaders::default();
        }
        let mut chosen = RawHeaders { names: self.names.clone(), ..RawHeaders::default() };
        for &row in rows {
            self.range(row as usize).for_each(|at| chosen.push_of(self, at));
            chosen.ends.push(chosen.name.len() as u32);
        }
        chosen
    }

    /// The headers of a row, in order.
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.range(row).map(|at| (&*self.names[self.name[at] as usize], self.value.get(at)))
    }
}

impl RawRecords {
    /// A row's topic.
    pub fn topic_of(&self, row: usize) -> &Arc<str> {
        &self.topics[entry(&self.topic, row)]
    }

    /// The topics of rows. Their table may name others: of rows that were filtered, for one.
    pub fn topics_used(&self) -> impl Iterator<Item = &Arc<str>> {
        let mut used = vec![false; self.topics.len()];
        match self.topic.is_empty() {
            true => used.iter_mut().take(self.rows.min(1)).for_each(|first| *first = true),
            false => self.topic.iter().for_each(|&at| {
                if let Some(used) = used.get_mut(at as usize) {
                    *used = true;
                }
            }),
        }
        self.topics.iter().zip(used).filter(|(_, used)| *used).map(|(topic, _)| topic)
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
            headers: self.headers.select(rows),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_topics_that_rows_are_of_are_used() {
        let of = |rows, topic: &[u32]| {
            let topics = ["a", "b", "c"].map(Arc::from).to_vec();
            let records = RawRecords { rows, topic: topic.to_vec(), topics, ..RawRecords::default() };
            records.topics_used().map(|topic| topic.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of(2, &[]), ["a"]);
        assert_eq!(of(0, &[]), Vec::<String>::new());
        assert_eq!(of(3, &[2, 0, 2]), ["a", "c"]);
    }
}
