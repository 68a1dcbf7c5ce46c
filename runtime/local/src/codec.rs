//! Pure. How records stand in the store: frames of whole columns, each with version, length and checksum.
//!
//! A frame is `version u8, length u32 (all of it), crc32 u32 (of what follows), flags u8, rows u32, span u32,
//! appended i64, newest i64`, then timestamps, offset deltas, key column, value column and headers as the flags say.
//! Numbers are little-endian. `span` is how many offsets the frame covers: more than its rows once rows were compacted
//! away. An entry of the store is frames one after the other; each begins where the one before it ends its span.

use weir_core::model::{RawHeaders, TimestampType};
use weir_data::Column;

const VERSION: u8 = 1;
const PREFIX: usize = 9;
const HEAD: usize = PREFIX + 1 + 4 + 4 + 8 + 8;

/// Rows that a frame may have, however few bytes they take: rows of one time without key, value and headers take none.
const ROWS_MAX: usize = 1 << 20;

const SAME_TIMESTAMP: u8 = 1;
const LOG_APPEND_TIME: u8 = 2;
const DELTAS: u8 = 4;
const KEYS: u8 = 8;
const VALUES: u8 = 16;
const HEADERS: u8 = 32;

/// Records of one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// How many there are.
    pub rows: usize,
    /// How many offsets they cover.
    pub span: u32,
    /// When they were appended, in milliseconds since 1970.
    pub appended: i64,
    /// Milliseconds since 1970, one a row.
    pub timestamps: Vec<i64>,
    /// What the timestamps mean; never `None` after decoding.
    pub timestamp_type: TimestampType,
    /// Each row's offset less that of the batch; empty when there are no gaps.
    pub deltas: Vec<u32>,
    /// Keys.
    pub key: Column,
    /// Values.
    pub value: Column,
    /// Headers.
    pub headers: RawHeaders,
}

/// Why stored bytes are no records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The bytes end inside of it.
    #[error("the frame is cut off")]
    Cut,
    /// A later version of weir wrote it.
    #[error("the frame has version {0}, and this version of weir reads up to {VERSION}")]
    Newer(u8),
    /// The checksum is another.
    #[error("the frame's checksum does not fit its bytes")]
    Checksum,
    /// The bytes contradict themselves.
    #[error("the frame makes no sense: {0}")]
    Senseless(String),
}

/// What stands at the beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes, this head included.
    pub length: usize,
    /// How many rows it has.
    pub rows: usize,
    /// How many offsets it covers.
    pub span: u32,
    /// When it was appended.
    pub appended: i64,
    /// The highest timestamp in it.
    pub newest: i64,
    flags: u8,
}

impl Batch {
    /// A row's offset less that of the batch.
    pub fn delta(&self, row: usize) -> u32 {
        self.deltas.get(row).copied().unwrap_or(row as u32)
    }
}

/// Appends a batch as a frame. Its columns are consistent.
pub fn encode(batch: &Batch, out: &mut Vec<u8>) {
    let start = out.len();
    let same = batch.timestamps.windows(2).all(|pair| pair[0] == pair[1]);
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    let flags = flag(same, SAME_TIMESTAMP)
        | flag(batch.timestamp_type == TimestampType::LogAppendTime, LOG_APPEND_TIME)
        | flag(!batch.deltas.is_empty(), DELTAS)
        | flag(!batch.key.is_null(), KEYS)
        | flag(!batch.value.is_null(), VALUES)
        | flag(!batch.headers.ends.is_empty(), HEADERS);
    out.reserve(HEAD + batch.rows * 16 + batch.key.data.len() + batch.value.data.len());
    out.push(VERSION);
    out.extend_from_slice(&[0; PREFIX - 1]);
    out.push(flags);
    out.extend_from_slice(&(batch.rows as u32).to_le_bytes());
    out.extend_from_slice(&batch.span.to_le_bytes());
    out.extend_from_slice(&batch.appended.to_le_bytes());
    out.extend_from_slice(&batch.timestamps.iter().copied().max().unwrap_or(-1).to_le_bytes());
    let timestamps = if same { &batch.timestamps[..batch.timestamps.len().min(1)] } else { &batch.timestamps };
    timestamps.iter().for_each(|timestamp| out.extend_from_slice(&timestamp.to_le_bytes()));
    put_u32s(&batch.deltas, out);
    for column in [&batch.key, &batch.value] {
        if !column.is_null() {
            put_column(column, out);
        }
    }
    if flags & HEADERS != 0 {
        put_headers(&batch.headers, out);
    }
    let length = (out.len() - start) as u32;
    out[start + 1..start + 5].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&out[start + PREFIX..]);
    out[start + 5..start + PREFIX].copy_from_slice(&crc.to_le_bytes());
}

fn put_u32s(values: &[u32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn put_column(column: &Column, out: &mut Vec<u8>) {
    out.push(u8::from(!column.absent.is_empty()));
    out.extend_from_slice(&(column.data.len() as u32).to_le_bytes());
    put_u32s(&column.ends, out);
    out.extend_from_slice(&column.absent);
    out.extend_from_slice(&column.data);
}

fn put_headers(headers: &RawHeaders, out: &mut Vec<u8>) {
    put_u32s(&headers.ends, out);
    out.extend_from_slice(&(headers.names.len() as u32).to_le_bytes());
    for name in &headers.names {
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(&(headers.name.len() as u32).to_le_bytes());
    put_u32s(&headers.name, out);
    out.push(u8::from(!headers.value.is_null()));
    if !headers.value.is_null() {
        put_column(&headers.value, out);
    }
}

/// The head of the frame with which the bytes begin. Its checksum is not looked at.
pub fn head(bytes: &[u8]) -> Result<Head, Unreadable> {
    match bytes.first() {
        None => return Err(Unreadable::Cut),
        Some(&VERSION) => {}
        Some(0) => return Err(Unreadable::Senseless("version 0".into())),
        Some(&version) => return Err(Unreadable::Newer(version)),
    }
    let mut bytes = Bytes(bytes);
    let whole = bytes.0.len();
    bytes.take(1)?;
    let length = bytes.u32()? as usize;
    bytes.take(4)?;
    let flags = bytes.take(1)?[0];
    let (rows, span) = (bytes.u32()? as usize, bytes.u32()?);
    let (appended, newest) = (bytes.i64()?, bytes.i64()?);
    if length > whole {
        return Err(Unreadable::Cut);
    }
    if length < HEAD || rows > length.max(ROWS_MAX) || (span as usize) < rows {
        return Err(Unreadable::Senseless(format!("{rows} rows over {span} offsets in {length} bytes")));
    }
    Ok(Head { length, rows, span, appended, newest, flags })
}

/// Reads the frame with which the bytes begin.
pub fn decode(bytes: &[u8]) -> Result<(Head, Batch), Unreadable> {
    let head = head(bytes)?;
    let crc = u32::from_le_bytes(bytes[5..PREFIX].try_into().expect("four bytes"));
    if crc32fast::hash(&bytes[PREFIX..head.length]) != crc {
        return Err(Unreadable::Checksum);
    }
    let mut bytes = Bytes(&bytes[HEAD..head.length]);
    let has = |flag: u8| head.flags & flag != 0;
    let timestamps = match (has(SAME_TIMESTAMP), head.rows) {
        (true, 0) => Vec::new(),
        (true, rows) => vec![bytes.i64()?; rows],
        (false, rows) => {
            bytes.take(rows.saturating_mul(8))?.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
        }
    };
    let deltas = if has(DELTAS) { bytes.u32s(head.rows)? } else { Vec::new() };
    let key = if has(KEYS) { bytes.column(head.rows, "keys")? } else { Column::default() };
    let value = if has(VALUES) { bytes.column(head.rows, "values")? } else { Column::default() };
    let headers = if has(HEADERS) { bytes.headers(head.rows)? } else { RawHeaders::default() };
    if deltas.windows(2).any(|pair| pair[0] >= pair[1]) || deltas.last().is_some_and(|last| *last >= head.span) {
        return Err(Unreadable::Senseless("offsets do not rise".into()));
    }
    let timestamp_type = if has(LOG_APPEND_TIME) { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
    let (rows, span, appended) = (head.rows, head.span, head.appended);
    Ok((head, Batch { rows, span, appended, timestamps, timestamp_type, deltas, key, value, headers }))
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Unreadable> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    fn i64(&mut self) -> Result<i64, Unreadable> {
        Ok(i64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    fn u32s(&mut self, count: usize) -> Result<Vec<u32>, Unreadable> {
        let bytes = self.take(count.saturating_mul(4))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    fn column(&mut self, rows: usize, what: &str) -> Result<Column, Unreadable> {
        let nulls = self.take(1)?[0] != 0;
        let length = self.u32()? as usize;
        let ends = self.u32s(rows)?;
        let absent = if nulls { self.take(rows.div_ceil(8))?.to_vec() } else { Vec::new() };
        let column = Column { ends, absent, data: self.take(length)?.to_vec() };
        column.check(rows, what).map_err(|lie| Unreadable::Senseless(lie.0))?;
        Ok(column)
    }

    fn headers(&mut self, rows: usize) -> Result<RawHeaders, Unreadable> {
        let ends = self.u32s(rows)?;
        let names = self.u32()?;
        let mut table = Vec::new();
        for _ in 0..names {
            let length = self.u32()? as usize;
            let name = std::str::from_utf8(self.take(length)?);
            table.push(name.map_err(|_| Unreadable::Senseless("a header name is not UTF-8".into()))?.into());
        }
        let count = self.u32()? as usize;
        let name = self.u32s(count)?;
        let value = if self.take(1)?[0] != 0 { self.column(count, "header values")? } else { Column::default() };
        let rise = ends.windows(2).all(|pair| pair[0] <= pair[1]);
        let reach = ends.last().is_none_or(|last| *last as usize == count);
        if !rise || !reach || name.iter().any(|position| *position as usize >= table.len()) {
            return Err(Unreadable::Senseless("headers point nowhere".into()));
        }
        Ok(RawHeaders { names: table, ends, name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(cells: &[Option<Vec<u8>>]) -> Column {
        let mut column = Column::default();
        if cells.iter().any(Option::is_some) {
            cells.iter().for_each(|cell| column.push_option(cell.as_deref()));
        }
        column
    }

    prop_compose! {
        fn batches()(rows in 0usize..20)(
            keys in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), rows),
            values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..30)), rows),
            timestamps in prop::collection::vec(-1i64..5, rows),
            gaps in prop::collection::vec(0u32..3, rows),
            headers in prop::collection::vec(prop::collection::vec((0u32..2, prop::option::of(any::<u8>())), 0..3), rows),
            appended in any::<i64>(),
            log_append in any::<bool>(),
        ) -> Batch {
            let rows = keys.len();
            let deltas: Vec<u32> = gaps.iter().enumerate().scan(0, |gone, (row, gap)| {
                *gone += gap;
                Some(row as u32 + *gone)
            }).collect();
            let span = deltas.last().map_or(0, |last| last + 1);
            let dense = span as usize == rows;
            let mut raw = RawHeaders::default();
            if headers.iter().any(|row| !row.is_empty()) {
                raw.names = vec!["a".into(), "ü".into()];
                for row in &headers {
                    raw.name.extend(row.iter().map(|header| header.0));
                    raw.ends.push(raw.name.len() as u32);
                }
                raw.value = column(&headers.iter().flatten().map(|header| header.1.map(|b| vec![b])).collect::<Vec<_>>());
            }
            Batch {
                rows, span, appended, timestamps, deltas: if dense { vec![] } else { deltas },
                timestamp_type: if log_append { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
                key: column(&keys), value: column(&values), headers: raw,
            }
        }
    }

    proptest! {
        #[test]
        fn batches_come_back_as_they_were(first in batches(), second in batches()) {
            let mut bytes = Vec::new();
            encode(&first, &mut bytes);
            encode(&second, &mut bytes);
            let (head, decoded) = decode(&bytes).unwrap();
            prop_assert_eq!(&decoded, &first);
            prop_assert_eq!(head.newest, first.timestamps.iter().copied().max().unwrap_or(-1));
            prop_assert_eq!(decode(&bytes[head.length..]).unwrap().1, second);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_changed_or_missing_byte_is_noticed(batch in batches(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = Vec::new();
            encode(&batch, &mut bytes);
            let at = at.index(bytes.len());
            prop_assert!(decode(&bytes[..at]).is_err());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn lies_under_a_right_checksum_do_not_make_it_panic(
            batch in batches(), lies in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = Vec::new();
            encode(&batch, &mut bytes);
            for (at, byte) in lies {
                let at = PREFIX + at.index(bytes.len() - PREFIX);
                bytes[at] = byte;
            }
            let crc = crc32fast::hash(&bytes[PREFIX..]);
            bytes[5..PREFIX].copy_from_slice(&crc.to_le_bytes());
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn rows_that_take_no_bytes_come_back() {
        let batch = Batch {
            rows: 30_000,
            span: 30_000,
            timestamps: vec![7; 30_000],
            timestamp_type: TimestampType::CreateTime,
            ..Batch::default()
        };
        let mut bytes = Vec::new();
        encode(&batch, &mut bytes);
        assert!(bytes.len() < 100);
        assert_eq!(decode(&bytes).unwrap().1, batch);
    }

    #[test]
    fn a_newer_version_is_called_so() {
        assert_eq!(decode(&[2, 0, 0]), Err(Unreadable::Newer(2)));
        assert_eq!(decode(&[]), Err(Unreadable::Cut));
    }
}
