//! Pure. One row on its way through steps: the cell as it came, where its fields stand, and what steps added.

use std::cell::RefCell;
use std::rc::Rc;

use weir_data::cbor::{self, Malformed, major};

use super::shape::{Expect, Shape};
use crate::data::Data;
use crate::error::{Error, Result};

/// Set where a slot's bytes are the row's own instead of the cell's.
const OWN: u32 = 1 << 31;

/// Slots, and the bytes that steps added.
#[derive(Debug, Default)]
pub(crate) struct Row {
    spans: Vec<(u32, u32)>,
    own: Vec<u8>,
}

impl Row {
    /// The bytes of a slot.
    #[inline(always)]
    pub fn get<'b>(&'b self, cell: &'b [u8], slot: u32) -> &'b [u8] {
        self.between(cell, slot, slot)
    }

    /// The bytes from the start of a slot to the end of a later one of the same container.
    #[inline(always)]
    pub fn between<'b>(&'b self, cell: &'b [u8], first: u32, last: u32) -> &'b [u8] {
        let (start, end) = (self.spans[first as usize].0, self.spans[last as usize].1);
        if start & OWN == 0 {
            &cell[start as usize..end as usize]
        } else {
            &self.own[(start ^ OWN) as usize..(end ^ OWN) as usize]
        }
    }

    pub fn slots(&self) -> usize {
        self.spans.len()
    }

    pub fn forget_slots(&mut self, from: usize) {
        self.spans.truncate(from);
    }

    /// Appends a slot for all of the cell.
    pub fn push_whole(&mut self, cell: &[u8]) {
        self.spans.push((0, cell.len() as u32));
    }

    /// Appends a slot with a value of the row's own.
    #[inline]
    pub fn push_own(&mut self, value: &[u8]) {
        let start = self.own.len() as u32;
        cbor::put(&mut self.own, value);
        self.spans.push((start | OWN, self.own.len() as u32 | OWN));
    }

    /// Appends the slots of a container that stands in a slot: `walk` tells where they are in its bytes.
    #[inline]
    pub fn open<T>(&mut self, cell: &[u8], slot: u32, walk: impl FnOnce(&[u8], &mut Vec<(u32, u32)>) -> T) -> T {
        let (start, end) = self.spans[slot as usize];
        let Row { spans, own } = self;
        let bytes = if start & OWN == 0 {
            &cell[start as usize..end as usize]
        } else {
            &own[(start ^ OWN) as usize..(end ^ OWN) as usize]
        };
        let first = spans.len();
        let walked = walk(bytes, spans);
        spans[first..].iter_mut().for_each(|(from, to)| (*from, *to) = (*from + start, *to + start));
        walked
    }

    /// Appends a slot for the body of the text or bytes that stand in a slot.
    #[inline]
    pub fn open_body(&mut self, cell: &[u8], slot: u32) -> std::result::Result<(), Malformed> {
        self.open(cell, slot, |bytes, spans| {
            let head = cbor::read_head(bytes, 0)?;
            let (body, end) = cbor::string_body(bytes, &head)?;
            spans.push(((end - body.len()) as u32, end as u32));
            Ok(())
        })
    }

    /// Keeps a copy of the cell, so that its slots need it no more.
    pub fn make_own(&mut self, cell: &[u8]) {
        let start = self.own.len() as u32;
        self.own.extend_from_slice(cell);
        for (from, to) in self.spans.iter_mut().filter(|(from, _)| from & OWN == 0) {
            (*from, *to) = ((*from + start) | OWN, (*to + start) | OWN);
        }
    }

    /// For walkers of the cell to append its slots.
    #[inline(always)]
    pub fn spans(&mut self) -> &mut Vec<(u32, u32)> {
        &mut self.spans
    }

    /// Whether the row holds what a plan expects; the slots of its containers are appended.
    #[inline]
    pub fn meets(&mut self, cell: &[u8], expects: &[Expect]) -> bool {
        let before = self.spans.len();
        let meets = expects.iter().all(|expect| self.meets_one(cell, expect));
        if !meets {
            self.spans.truncate(before);
        }
        meets
    }

    #[inline]
    fn meets_one(&mut self, cell: &[u8], expect: &Expect) -> bool {
        match expect {
            Expect::Scalar(slot) => self.get(cell, *slot).first().is_some_and(|first| first >> 5 != major::MAP),
            Expect::Null(slot) => self.get(cell, *slot) == [cbor::NULL],
            Expect::Present(slot) => self.get(cell, *slot) != [cbor::NULL],
            Expect::Plain(slot) => {
                let bytes = self.get(cell, *slot);
                bytes != [cbor::NULL] && bytes.first().is_some_and(|first| first >> 5 != major::MAP)
            }
            Expect::Body(slot) => self.get(cell, *slot) != [cbor::NULL] && self.open_body(cell, *slot).is_ok(),
            Expect::Own(bytes) => {
                self.push_own(bytes);
                true
            }
            Expect::Struct { slot, fields } => {
                let walked = self.open(cell, *slot, |bytes, spans| walk_struct(bytes, *fields as usize, spans));
                matches!(walked, Ok(Some(_)))
            }
            Expect::Map { slot, keys } => {
                matches!(self.open(cell, *slot, |bytes, spans| keys.follow(bytes, spans)), Ok(Some(_)))
            }
        }
    }

    /// A row of the same slots.
    pub fn copy(&self, idle: Row) -> Row {
        let mut row = idle;
        row.spans.extend_from_slice(&self.spans);
        row.own.extend_from_slice(&self.own);
        row
    }

    pub fn clear(&mut self) {
        self.spans.clear();
        self.own.clear();
    }
}

/// Appends where each field of a struct of so many fields starts and ends; none where it has another number of them or is
/// no array.
#[inline]
pub(crate) fn walk_struct(
    bytes: &[u8],
    fields: usize,
    spans: &mut Vec<(u32, u32)>,
) -> std::result::Result<Option<usize>, Malformed> {
    let head = cbor::read_head(bytes, 0)?;
    if head.major != major::ARRAY || head.argument != fields as u64 {
        return Ok(None);
    }
    let first = spans.len();
    spans.resize(first + fields, (0, 0));
    let mut at = head.end;
    for span in &mut spans[first..] {
        let end = skip(bytes, at)?;
        *span = (at as u32, end as u32);
        at = end;
    }
    if at > bytes.len() { Err(Malformed::Truncated) } else { Ok(Some(at)) }
}

/// How many bytes values take whose first byte says so: numbers, booleans, null, short text and bytes. 0 for others.
const LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut first = 0;
    while first < 256 {
        let low = first as u8 & 31;
        lengths[first] = match (first as u8 >> 5, low) {
            (major::UNSIGNED | major::NEGATIVE | major::SIMPLE, 0..24) => 1,
            (major::UNSIGNED | major::NEGATIVE | major::SIMPLE, 24..28) => 1 + (1 << (low - 24)),
            (major::TEXT | major::BYTES, 0..24) => 1 + low,
            _ => 0,
        };
        first += 1;
    }
    lengths
};

/// Position after the value at `at`, which may be behind the end: callers look at the last one.
#[inline(always)]
pub(crate) fn skip(bytes: &[u8], at: usize) -> std::result::Result<usize, Malformed> {
    let first = *bytes.get(at).ok_or(Malformed::Truncated)?;
    match LENGTHS[first as usize] {
        0 => skip_long(bytes, at),
        length => Ok(at + length as usize),
    }
}

#[inline(never)]
fn skip_long(bytes: &[u8], at: usize) -> std::result::Result<usize, Malformed> {
    cbor::skip(bytes, at)
}

thread_local! {
    /// Rows that are used again, so that no row allocates.
    static IDLE: RefCell<Vec<Row>> = const { RefCell::new(Vec::new()) };
}

/// A key or value whose fields are known by position.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    pub cell: &'a [u8],
    pub row: Row,
    pub shape: Rc<Shape>,
}

impl<'a> Live<'a> {
    pub fn new(cell: &'a [u8], row: Row, shape: Rc<Shape>) -> Live<'a> {
        Live { cell, row, shape }
    }

    pub fn idle_row() -> Row {
        IDLE.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// The same fields once more.
    pub fn copy(&self) -> Live<'a> {
        Live::new(self.cell, self.row.copy(Live::idle_row()), self.shape.clone())
    }

    /// Appends its cell; null appends nothing and answers false.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        if let Some(slot) = self.shape.raw_slot() {
            out.extend_from_slice(self.row.get(self.cell, slot));
            return true;
        }
        if self.shape.is_null() {
            return false;
        }
        self.shape.write(self.cell, &self.row, out);
        true
    }

    /// Its value, decoded.
    pub fn data(&self) -> Result<Data> {
        let mut cell = Vec::new();
        let schema = self.shape.schema.clone();
        if !self.write(&mut cell) {
            return Ok(Data { schema, value: weir_data::Value::Null });
        }
        let value = weir_data::decode_cell(schema.as_deref(), &cell).map_err(Error::data)?;
        Ok(Data { schema, value })
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        IDLE.with_borrow_mut(|idle| {
            // A record has two such parts, and few records are under way at a time.
            if idle.len() < 8 {
                idle.push(row);
            }
        });
    }
}
