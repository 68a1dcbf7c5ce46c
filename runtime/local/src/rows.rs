//! Pure. Rows on their way: records of a producer cut into batches of one partition, stored batches put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::model::{RawHeaders, RawRecords, TimestampType};
use weir_data::Column;

use crate::codec::Batch;

/// Bytes that a row adds to a batch, roughly.
pub fn row_bytes(records: &RawRecords, row: usize) -> usize {
    let headers: usize = records.headers.of(row).map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
    cell_bytes(&records.key, row) + cell_bytes(&records.value, row) + headers
}

fn cell_bytes(column: &Column, row: usize) -> usize {
    column.get(row).map_or(0, <[u8]>::len)
}

/// Cuts rows of one partition into batches of about `bytes_max`. `now` stands in where there is no timestamp.
pub fn batches(
    records: &RawRecords,
    rows: &[u32],
    bytes_max: usize,
    now: i64,
    timestamp_type: TimestampType,
) -> Vec<Batch> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        let row_bytes = row_bytes(records, *row as usize) + 8;
        if at > start && bytes + row_bytes > bytes_max {
            batches.push(batch(records, &rows[start..at], now, timestamp_type));
            (start, bytes) = (at, 0);
        }
        bytes += row_bytes;
    }
    if start < rows.len() {
        batches.push(batch(records, &rows[start..], now, timestamp_type));
    }
    batches
}

fn batch(records: &RawRecords, rows: &[u32], now: i64, timestamp_type: TimestampType) -> Batch {
    let stamp = |row: &u32| match timestamp_type {
        TimestampType::LogAppendTime => now,
        TimestampType::None | TimestampType::CreateTime => records.timestamp_of(*row as usize).unwrap_or(now),
    };
    Batch {
        rows: rows.len(),
        span: rows.len() as u32,
        appended: now,
        timestamps: rows.iter().map(stamp).collect(),
        timestamp_type: match timestamp_type {
            TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            TimestampType::None | TimestampType::CreateTime => TimestampType::CreateTime,
        },
        deltas: Vec::new(),
        key: present(select(&records.key, rows)),
        value: present(select(&records.value, rows)),
        headers: select_headers(&records.headers, rows),
    }
}

pub(crate) fn select(column: &Column, rows: &[u32]) -> Column {
    if rows.len() == column.ends.len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize) {
        return column.clone();
    }
    column.select(rows)
}

/// Null in every row is said by having no ends.
pub(crate) fn present(column: Column) -> Column {
    if column.data.is_empty() && (0..column.ends.len()).all(|row| column.is_absent(row)) {
        return Column::default();
    }
    column
}

pub(crate) fn select_headers(headers: &RawHeaders, rows: &[u32]) -> RawHeaders {
    if headers.ends.is_empty() {
        return RawHeaders::default();
    }
    let mut selected = RawHeaders::default();
    let mut positions: BTreeMap<u32, u32> = BTreeMap::new();
    let mut picked = Vec::new();
    for row in rows.iter().map(|row| *row as usize) {
        let start = if row == 0 { 0 } else { headers.ends[row - 1] };
        for at in start..headers.ends[row] {
            let name = headers.name[at as usize];
            let position = *positions.entry(name).or_insert_with(|| {
                selected.names.push(headers.names[name as usize].clone());
                selected.names.len() as u32 - 1
            });
            selected.name.push(position);
            picked.push(at);
        }
        selected.ends.push(picked.len() as u32);
    }
    if picked.is_empty() {
        return RawHeaders::default();
    }
    selected.value = headers.value.select(&picked);
    selected
}

/// Puts stored batches together as records.
#[derive(Debug, Default)]
pub struct Assembly {
    records: RawRecords,
    room: usize,
    topic: u32,
    partition: u32,
    names: BTreeMap<Arc<str>, u32>,
}

impl Assembly {
    /// One that is to hold about this many bytes.
    pub fn with_room(bytes: usize) -> Assembly {
        Assembly { room: bytes, ..Assembly::default() }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.records.rows == 0
    }

    /// Bytes of the cells and rows that were added.
    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }

    /// Whether a batch with such timestamps can join.
    pub fn takes(&self, timestamp_type: TimestampType) -> bool {
        self.is_empty() || self.records.timestamp_type == timestamp_type
    }

    /// Says where the batches that follow come from.
    pub fn at(&mut self, topic: &Arc<str>, partition: Option<i32>) {
        let records = &mut self.records;
        let at = records.topics.iter().position(|known| known == topic);
        self.topic = at.unwrap_or_else(|| {
            records.topics.push(topic.clone());
            records.topics.len() - 1
        }) as u32;
        let at = records.partitions.iter().position(|known| *known == partition);
        self.partition = at.unwrap_or_else(|| {
            records.partitions.push(partition);
            records.partitions.len() - 1
        }) as u32;
    }

    /// Adds rows of a batch whose first offset is `base`.
    pub fn add(&mut self, base: i64, batch: Batch, rows: std::ops::Range<usize>) {
        let (before, count) = (self.records.rows, rows.len());
        let records = &mut self.records;
        records.timestamp_type = batch.timestamp_type;
        records.offset.extend(rows.clone().map(|row| base + i64::from(batch.delta(row))));
        records.timestamp.extend_from_slice(&batch.timestamps[rows.clone()]);
        extend_positions(&mut records.topic, before, count, self.topic);
        extend_positions(&mut records.partition, before, count, self.partition);
        self.add_headers(&batch.headers, before, rows.clone());
        let whole = before == 0 && rows.len() == batch.rows;
        let records = &mut self.records;
        if whole {
            (records.key, records.value) = (batch.key, batch.value);
        } else {
            // Growing by doubling would copy everything several times and leave holes of every size behind.
            if !batch.value.is_null() && records.value.data.capacity() < self.room {
                records.value.data.reserve_exact(self.room - records.value.data.len().min(self.room));
            }
            extend_column(&mut records.key, before, &batch.key, rows.clone());
            extend_column(&mut records.value, before, &batch.value, rows);
        }
        records.rows += count;
    }

    fn add_headers(&mut self, headers: &RawHeaders, before: usize, rows: std::ops::Range<usize>) {
        let all = &mut self.records.headers;
        if headers.ends.is_empty() && all.ends.is_empty() {
            return;
        }
        let held = all.name.len();
        all.ends.resize(before, held as u32);
        if headers.ends.is_empty() {
            all.ends.resize(before + rows.len(), held as u32);
            return;
        }
        let end_of = |row: usize| if row == 0 { 0 } else { headers.ends[row - 1] as usize };
        let (start, end) = (end_of(rows.start), end_of(rows.end));
        for name in &headers.name[start..end] {
            let name = &headers.names[*name as usize];
            let position = *self.names.entry(name.clone()).or_insert_with(|| {
                all.names.push(name.clone());
                all.names.len() as u32 - 1
            });
            all.name.push(position);
        }
        all.ends.extend(rows.map(|row| (held + headers.ends[row] as usize - start) as u32));
        extend_column(&mut all.value, held, &headers.value, start..end);
    }

    /// The records, with positions left out where they all say the same.
    pub fn finish(mut self) -> RawRecords {
        if self.records.topics.len() == 1 {
            self.records.topic = Vec::new();
        }
        if self.records.partitions.len() == 1 {
            self.records.partition = Vec::new();
        }
        self.records
    }
}

fn extend_positions(positions: &mut Vec<u32>, before: usize, count: usize, position: u32) {
    positions.resize(before, 0);
    positions.resize(before + count, position);
}

/// Appends rows of one column to another that stands at `before` rows; both may say null in every row by being empty.
pub(crate) fn extend_column(column: &mut Column, before: usize, more: &Column, rows: std::ops::Range<usize>) {
    if rows.is_empty() || (column.is_null() && more.is_null()) {
        return;
    }
    if column.is_null() {
        (0..before).for_each(|_| column.push_absent());
    }
    if more.is_null() {
        rows.for_each(|_| column.push_absent());
        return;
    }
    if !more.absent.is_empty() {
        rows.for_each(|row| column.push_option(more.get(row)));
        return;
    }
    let start = if rows.start == 0 { 0 } else { more.ends[rows.start - 1] };
    let end = more.ends[rows.end - 1];
    let held = column.data.len() as u32;
    column.data.extend_from_slice(&more.data[start as usize..end as usize]);
    column.ends.extend(more.ends[rows].iter().map(|end| end - start + held));
    if !column.absent.is_empty() {
        column.absent.resize(column.ends.len().div_ceil(8), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[Option<&str>]) -> Column {
        let mut column = Column::default();
        cells.iter().for_each(|cell| column.push_option(cell.map(str::as_bytes)));
        column
    }

    fn records() -> RawRecords {
        RawRecords {
            rows: 3,
            topics: vec!["t".into()],
            timestamp: vec![5, -1, 7],
            key: column(&[Some("a"), None, Some("c")]),
            value: column(&[None, Some("y"), Some("zz")]),
            headers: RawHeaders {
                names: vec!["unused".into(), "h".into()],
                ends: vec![0, 1, 2],
                name: vec![1, 1],
                value: column(&[Some("1"), None]),
            },
            ..RawRecords::default()
        }
    }

    type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

    fn rows(records: &RawRecords) -> Vec<Row> {
        let cell = |column: &Column, row| column.get(row).map(<[u8]>::to_vec);
        (0..records.rows)
            .map(|row| {
                let headers =
                    records.headers.of(row).map(|(name, value)| (name.to_string(), value.map(<[u8]>::to_vec)));
                (records.timestamp[row], cell(&records.key, row), cell(&records.value, row), headers.collect())
            })
            .collect()
    }

    #[test]
    fn rows_come_out_as_they_went_in_however_they_were_cut() {
        let records = records();
        let mut expected = rows(&records);
        expected[1].0 = 99;
        for bytes_max in [1, 12, 1000] {
            let mut assembly = Assembly::default();
            assembly.at(&"t".into(), Some(4));
            let mut base = 10;
            for batch in batches(&records, &[0, 1, 2], bytes_max, 99, TimestampType::None) {
                let (span, count) = (batch.span, batch.rows);
                assembly.add(base, batch, 0..count);
                base += i64::from(span);
            }
            let out = assembly.finish();
            assert_eq!(rows(&out), expected, "{bytes_max}");
            assert_eq!(out.offset, [10, 11, 12]);
            assert_eq!((out.partition_of(2), out.topic.len()), (Some(4), 0));
        }
    }

    #[test]
    fn parts_of_batches_from_several_partitions_join() {
        let records = records();
        let mut assembly = Assembly::default();
        for (partition, range) in [(0, 1..3), (1, 0..1), (0, 0..2)] {
            assembly.at(&"t".into(), Some(partition));
            let batch = batches(&records, &[0, 1, 2], 1000, 99, TimestampType::None).remove(0);
            assembly.add(0, batch, range);
        }
        let out = assembly.finish();
        let mut expected = rows(&records);
        expected[1].0 = 99;
        assert_eq!(rows(&out), [1, 2, 0, 0, 1].map(|row: usize| expected[row].clone()));
        assert_eq!((0..5).map(|row| out.partition_of(row).unwrap()).collect::<Vec<_>>(), [0, 0, 1, 0, 0]);
    }

    #[test]
    fn columns_without_any_cell_stay_empty() {
        let records =
            RawRecords { rows: 2, topics: vec!["t".into()], value: column(&[None, None]), ..RawRecords::default() };
        let batch = batches(&records, &[0, 1], 1000, 1, TimestampType::None).remove(0);
        assert!(batch.key.is_null() && batch.value.is_null());
    }

    #[test]
    fn the_broker_stamps_where_the_topic_says_so() {
        let batch = batches(&records(), &[0, 1, 2], 1000, 99, TimestampType::LogAppendTime).remove(0);
        assert_eq!((batch.timestamps, batch.timestamp_type), (vec![99; 3], TimestampType::LogAppendTime));
    }
}
