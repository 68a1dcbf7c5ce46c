//! Bytes of topics to records and back, with the three converters of a task.

use weir_data::{Cells, Headers};

use crate::model::{BatchTables, RawHeaders, RawRecords, Records, RowFault};
use crate::port::{Converter, TopicColumn};

use super::stage::{Stage, StageFault};

/// The converters of a task, with their class names.
pub struct Converters {
    /// For keys.
    pub key: (String, Box<dyn Converter>),
    /// For values.
    pub value: (String, Box<dyn Converter>),
    /// For header values.
    pub header: (String, Box<dyn Converter>),
}

fn stage_faults(faults: Vec<RowFault>, stage: Stage, class: &str) -> impl Iterator<Item = StageFault> {
    faults.into_iter().map(move |f| StageFault { row: f.row, stage, class: class.to_owned(), fault: f.fault })
}

/// The row that a header belongs to.
fn row_of_header(ends: &[u32], header: u32) -> u32 {
    ends.partition_point(|&end| end <= header) as u32
}

fn header_faults(faults: Vec<RowFault>, ends: &[u32]) -> Vec<RowFault> {
    faults.into_iter().map(|fault| RowFault { row: row_of_header(ends, fault.row), ..fault }).collect()
}

impl Converters {
    /// Records out of a topic's bytes. A failed row is null where it failed.
    pub async fn to_connect(&mut self, raw: RawRecords) -> (Records, Vec<StageFault>) {
        let mut tables = BatchTables { topics: raw.topics, partitions: raw.partitions, ..BatchTables::default() };
        let topics = tables.topics.clone();
        let column = TopicColumn { topics: &topics, topic: &raw.topic };
        let key = self.key.1.to_connect(column, raw.key, &mut tables).await;
        let value = self.value.1.to_connect(column, raw.value, &mut tables).await;
        let mut faults: Vec<StageFault> = stage_faults(key.faults, Stage::KeyConverter, &self.key.0).collect();
        faults.extend(stage_faults(value.faults, Stage::ValueConverter, &self.value.0));
        let mut headers = Headers::default();
        if !raw.headers.ends.is_empty() {
            let RawHeaders { names, ends, name, value } = raw.headers;
            tables.header_names = names;
            let topic = topic_of_headers(&raw.topic, &ends);
            let column = TopicColumn { topics: &topics, topic: &topic };
            let converted = self.header.1.to_connect(column, value, &mut tables).await;
            let found = header_faults(converted.faults, &ends);
            faults.extend(stage_faults(found, Stage::HeaderConverter, &self.header.0));
            headers = Headers { ends, name, value: converted.cells };
        }
        let records = Records {
            rows: raw.rows,
            tables,
            topic: raw.topic,
            partition: raw.partition,
            offset: raw.offset,
            timestamp: raw.timestamp,
            timestamp_type: raw.timestamp_type,
            key: key.cells,
            value: value.cells,
            headers,
        };
        (records, faults)
    }

    /// A topic's bytes out of records. A failed row is null where it failed.
    pub async fn from_connect(&mut self, records: Records) -> (RawRecords, Vec<StageFault>) {
        let Records { rows, tables, topic, partition, timestamp, timestamp_type, key, value, headers, .. } = records;
        let column = TopicColumn { topics: &tables.topics, topic: &topic };
        let mut faults = Vec::new();
        let mut raw_headers = RawHeaders::default();
        if !headers.ends.is_empty() {
            let topic = topic_of_headers(&topic, &headers.ends);
            let of_headers = TopicColumn { topics: &tables.topics, topic: &topic };
            let converted = self.header.1.from_connect(of_headers, headers.value, &tables).await;
            let found = header_faults(converted.faults, &headers.ends);
            faults.extend(stage_faults(found, Stage::HeaderConverter, &self.header.0));
            raw_headers = RawHeaders {
                names: tables.header_names.clone(),
                ends: headers.ends,
                name: headers.name,
                value: converted.bytes,
            };
        }
        let key = self.key.1.from_connect(column, whole(key, rows), &tables).await;
        let value = self.value.1.from_connect(column, whole(value, rows), &tables).await;
        faults.extend(stage_faults(key.faults, Stage::KeyConverter, &self.key.0));
        faults.extend(stage_faults(value.faults, Stage::ValueConverter, &self.value.0));
        let raw = RawRecords {
            rows,
            topics: tables.topics,
            topic,
            partitions: tables.partitions,
            partition,
            offset: Vec::new(),
            timestamp,
            timestamp_type,
            key: key.bytes,
            value: value.bytes,
            headers: raw_headers,
        };
        (raw, faults)
    }
}

/// A column that is null in every row spelled out where its schema matters: some converters write a null under a
/// schema in their own way.
fn whole(mut cells: Cells, rows: usize) -> Cells {
    if cells.column.is_null() && !cells.schema.is_empty() {
        (0..rows).for_each(|_| cells.column.push_absent());
    }
    cells
}

fn topic_of_headers(topic: &[u32], ends: &[u32]) -> Vec<u32> {
    if topic.is_empty() {
        return Vec::new();
    }
    let count = ends.last().copied().unwrap_or(0);
    (0..count).map(|header| topic[row_of_header(ends, header) as usize]).collect()
}
