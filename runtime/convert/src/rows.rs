//! Pure. What converters do with a batch's rows alike: positions of schemas, faults, the check of UTF-8.

use weir_core::model::{BatchTables, Fault, RowFault, SchemaHandle};
use weir_data::{Cells, Column};

/// How many rows a batch of cells has. A column that is null in every row may have rows that only its schemas count;
/// with neither, all rows are null without schema.
pub(crate) fn count(cells: &Cells) -> usize {
    cells.column.ends.len().max(cells.schema.len())
}

/// Bytes that a batch may take once it is converted, by what it takes before: no more records, defaults or names of
/// fields are added to more. What a schema holds once could otherwise stand in every row and fill the memory.
pub(crate) fn bytes_max(came: usize) -> usize {
    const LEAST: usize = 64 << 20;
    const MOST: usize = 1 << 30;
    LEAST.saturating_add(came.saturating_mul(4)).min(MOST)
}

/// A record that cannot be converted.
#[cold]
pub(crate) fn fault(row: usize, message: String) -> RowFault {
    RowFault { row: row as u32, step: 0, fault: Fault::Data(message) }
}

/// Builds the list of rows' schemas.
pub(crate) struct Positions {
    positions: Vec<u32>,
    rows: usize,
    last: Option<(Option<u64>, u32)>,
}

impl Positions {
    /// An empty list for so many rows.
    pub(crate) fn new(rows: usize) -> Positions {
        Positions { positions: Vec::with_capacity(rows), rows, last: None }
    }

    /// Appends a row's schema.
    #[inline]
    pub(crate) fn push(&mut self, schema: Option<&SchemaHandle>, tables: &mut BatchTables) {
        let id = schema.map(SchemaHandle::id);
        let position = match self.last {
            Some((last, position)) if last == id => position,
            _ => {
                let position = tables.schema_position(schema);
                self.last = Some((id, position));
                position
            }
        };
        self.positions.push(position);
    }

    /// The list; empty when all rows have position 0.
    pub(crate) fn finish(self) -> Vec<u32> {
        debug_assert_eq!(self.positions.len(), self.rows);
        if self.positions.iter().all(|&position| position == 0) { Vec::new() } else { self.positions }
    }
}

/// The same schema in every row.
pub(crate) fn uniform(schema: &SchemaHandle, rows: usize, tables: &mut BatchTables) -> Vec<u32> {
    match tables.schema_position(Some(schema)) {
        0 => Vec::new(),
        position => vec![position; rows],
    }
}

/// How much of each cell is UTF-8. A whole column is checked at once, which is fast; cells one by one only where it
/// is not UTF-8.
pub(crate) struct Utf8<'a> {
    column: &'a Column,
    whole: bool,
}

impl<'a> Utf8<'a> {
    /// Checks a column.
    pub(crate) fn of(column: &'a Column) -> Utf8<'a> {
        Utf8 { column, whole: std::str::from_utf8(&column.data).is_ok() }
    }

    /// Whether every cell is UTF-8.
    pub(crate) fn all(&self) -> bool {
        self.whole && (0..self.column.ends.len()).all(|row| self.ends_between_characters(row))
    }

    #[inline(always)]
    fn ends_between_characters(&self, row: usize) -> bool {
        let next = self.column.data.get(self.column.ends[row] as usize);
        next.is_none_or(|byte| byte & 0xc0 != 0x80)
    }

    /// How many bytes at the beginning of a row's cell are UTF-8.
    #[inline(always)]
    pub(crate) fn valid(&self, row: usize, cell: &[u8]) -> usize {
        let starts_well = cell.first().is_none_or(|byte| byte & 0xc0 != 0x80);
        if self.whole && starts_well && self.ends_between_characters(row) {
            return cell.len();
        }
        std::str::from_utf8(cell).map_or_else(|error| error.valid_up_to(), str::len)
    }
}
