//! Pure. Columns of cells, one cell a row, as they cross between host and guest.

use std::ops::Range;

use crate::cbor::put;

/// One cell a row. The layout is that of `column` in `wit/columns.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Where each row's cell ends in `data`, in bytes. Empty in a batch that has rows: null in every row.
    pub ends: Vec<u32>,
    /// The bytes of all cells.
    pub data: Vec<u8>,
    /// Bitmap of null rows; empty when no row is null.
    pub absent: Vec<u8>,
}

/// What a column, a table position or a list length got wrong. From a guest it is that guest's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lie(pub String);

impl std::fmt::Display for Lie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lie {}

impl Column {
    /// A column with room for `rows` cells of `bytes` together.
    pub fn with_capacity(rows: usize, bytes: usize) -> Column {
        Column { ends: Vec::with_capacity(rows), data: Vec::with_capacity(bytes), absent: Vec::new() }
    }

    /// Appends a cell.
    #[inline]
    pub fn push(&mut self, cell: &[u8]) {
        put(&mut self.data, cell);
        self.end_cell();
    }

    /// Appends a cell or null.
    #[inline]
    pub fn push_option(&mut self, cell: Option<&[u8]>) {
        match cell {
            Some(cell) => self.push(cell),
            None => self.push_absent(),
        }
    }

    /// Ends a cell whose bytes were appended to `data` directly.
    ///
    /// # Panics
    /// When the column's data passes 4 GiB; batches are bounded far below.
    #[inline]
    pub fn end_cell(&mut self) {
        self.ends.push(u32::try_from(self.data.len()).expect("a column holds less than 4 GiB"));
        if !self.absent.is_empty() {
            self.absent.resize(self.ends.len().div_ceil(8), 0);
        }
    }

    /// Appends null.
    #[inline]
    pub fn push_absent(&mut self) {
        self.end_cell();
        let row = self.ends.len() - 1;
        self.absent.resize(self.ends.len().div_ceil(8), 0);
        self.absent[row / 8] |= 1 << (row % 8);
    }

    /// Appends null in so many rows.
    pub fn push_absents(&mut self, rows: usize) {
        (0..rows).for_each(|_| self.push_absent());
    }

    /// Appends rows of another column that is not null throughout.
    pub fn append(&mut self, from: &Column, rows: Range<usize>) {
        let start = if rows.start == 0 { 0 } else { from.ends[rows.start - 1] as usize };
        let ends = &from.ends[rows.clone()];
        let end = ends.last().map_or(start, |&end| end as usize);
        let at = self.data.len();
        // The last end is the highest, so none of them overflows.
        u32::try_from(at + end - start).expect("a column holds less than 4 GiB");
        self.data.extend_from_slice(&from.data[start..end]);
        let first = self.ends.len();
        self.ends.extend(ends.iter().map(|end| (*end as usize - start + at) as u32));
        let nulls = !from.absent.is_empty() && rows.clone().any(|row| from.is_absent(row));
        if !self.absent.is_empty() || nulls {
            self.absent.resize(self.ends.len().div_ceil(8), 0);
            for (to, _) in (first..).zip(rows).filter(|(_, row)| from.is_absent(*row)) {
                self.absent[to / 8] |= 1 << (to % 8);
            }
        }
    }

    /// Takes away every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        if rows >= self.ends.len() {
            return;
        }
        let length = if rows == 0 { 0 } else { self.ends[rows - 1] };
        self.ends.truncate(rows);
        self.data.truncate(length as usize);
        self.absent.truncate(rows.div_ceil(8));
        if let (Some(last), 1..) = (self.absent.last_mut(), rows % 8) {
            *last &= (1 << (rows % 8)) - 1;
        }
    }

    /// The cell of a row, or null. Rows are those of a column that was built here or has passed [`Column::check`].
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        if self.ends.is_empty() || self.is_absent(row) {
            return None;
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        Some(&self.data[start as usize..self.ends[row] as usize])
    }

    /// Whether a row is null.
    #[inline]
    pub fn is_absent(&self, row: usize) -> bool {
        self.ends.is_empty() || self.absent.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    }

    /// Whether every row is null.
    pub fn is_null(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes this column holds in memory.
    pub fn bytes(&self) -> usize {
        self.ends.len() * 4 + self.data.len() + self.absent.len()
    }

    /// The given rows, in the given order.
    pub fn select(&self, rows: &[u32]) -> Column {
        if self.is_null() {
            return Column::default();
        }
        // Of few rows the bytes are counted; of many it costs less to have room for all.
        let few = rows.len() < self.ends.len() / 8;
        let bytes = |row: &u32| self.get(*row as usize).map_or(0, <[u8]>::len);
        let bytes = if few { rows.iter().map(bytes).sum() } else { self.data.len() };
        let mut selected = Column::with_capacity(rows.len(), bytes);
        for &row in rows {
            selected.push_option(self.get(row as usize));
        }
        selected
    }

    /// Checks a column from outside against the number of rows it must have.
    pub fn check(&self, rows: usize, what: &str) -> Result<(), Lie> {
        if self.ends.is_empty() {
            if self.data.is_empty() && self.absent.is_empty() {
                return Ok(());
            }
            return Err(Lie(format!("{what}: no ends, but {} bytes", self.data.len() + self.absent.len())));
        }
        check_ends(&self.ends, rows, self.data.len(), what)?;
        if self.absent.is_empty() {
            return Ok(());
        }
        if self.absent.len() != rows.div_ceil(8) {
            return Err(Lie(format!("{what}: null bitmap of {} bytes for {rows} rows", self.absent.len())));
        }
        if !rows.is_multiple_of(8) && self.absent[rows / 8] >> (rows % 8) != 0 {
            return Err(Lie(format!("{what}: null bitmap marks a row past the last")));
        }
        let mut start = 0;
        for (row, &end) in self.ends.iter().enumerate() {
            if end != start && self.is_absent(row) {
                return Err(Lie(format!("{what}: row {row} is null and has bytes")));
            }
            start = end;
        }
        Ok(())
    }
}

/// Checks that `ends` has one entry a row, never falls, and finishes at `length`.
fn check_ends(ends: &[u32], rows: usize, length: usize, what: &str) -> Result<(), Lie> {
    if ends.len() != rows {
        return Err(Lie(format!("{what}: {} ends for {rows} rows", ends.len())));
    }
    let mut last = 0;
    let mut falls = false;
    for &end in ends {
        falls |= end < last;
        last = end;
    }
    if falls {
        return Err(Lie(format!("{what}: ends fall")));
    }
    if last as usize != length {
        return Err(Lie(format!("{what}: the last cell ends at {last} of {length} bytes")));
    }
    Ok(())
}

/// Checks positions into a table of `entries`; an empty list stands for position 0 in every row.
pub fn check_positions(positions: &[u32], rows: usize, entries: usize, what: &str) -> Result<(), Lie> {
    if positions.is_empty() {
        if rows > 0 && entries == 0 {
            return Err(Lie(format!("{what}: rows point into an empty table")));
        }
        return Ok(());
    }
    if positions.len() != rows {
        return Err(Lie(format!("{what}: {} positions for {rows} rows", positions.len())));
    }
    let highest = positions.iter().fold(0, |highest, &p| highest.max(p));
    if highest as usize >= entries {
        return Err(Lie(format!("{what}: position {highest} in a table of {entries}")));
    }
    Ok(())
}

/// The positions of the given rows; an empty list stays empty.
pub fn select_positions(positions: &[u32], rows: &[u32]) -> Vec<u32> {
    if positions.is_empty() { Vec::new() } else { rows.iter().map(|&row| positions[row as usize]).collect() }
}

/// Cells and the schema of each, as `cells` in `wit/columns.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// The cells.
    pub column: Column,
    /// Position of each row's schema in the batch's table; empty when all rows share position 0.
    pub schema: Vec<u32>,
}

impl Cells {
    /// Position of a row's schema.
    #[inline]
    pub fn schema_of(&self, row: usize) -> usize {
        self.schema.get(row).map_or(0, |&position| position as usize)
    }

    /// The given rows, in the given order.
    pub fn select(&self, rows: &[u32]) -> Cells {
        Cells { column: self.column.select(rows), schema: select_positions(&self.schema, rows) }
    }

    /// Checks cells from outside against the number of rows and of schemas.
    pub fn check(&self, rows: usize, schemas: usize, what: &str) -> Result<(), Lie> {
        self.column.check(rows, what)?;
        if self.column.is_null() && self.schema.is_empty() {
            return Ok(());
        }
        check_positions(&self.schema, rows, schemas, what)
    }

    /// Bytes these cells hold in memory.
    pub fn bytes(&self) -> usize {
        self.column.bytes() + self.schema.len() * 4
    }
}

/// The headers of all rows, as `headers` in `wit/columns.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Where each row's headers end; empty when no row has one.
    pub ends: Vec<u32>,
    /// Position of each header's name in the batch's table; never abbreviated.
    pub name: Vec<u32>,
    /// Each header's value.
    pub value: Cells,
}

impl Headers {
    /// The positions of a row's headers in `name` and `value`.
    pub fn range(&self, row: usize) -> Range<usize> {
        if self.ends.is_empty() {
            return 0..0;
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start as usize..self.ends[row] as usize
    }

    /// The headers of the given rows, in the given order.
    pub fn select(&self, rows: &[u32]) -> Headers {
        if self.ends.is_empty() {
            return Headers::default();
        }
        let mut ends = Vec::with_capacity(rows.len());
        let mut picked: Vec<u32> = Vec::new();
        for &row in rows {
            picked.extend(self.range(row as usize).map(|at| at as u32));
            ends.push(picked.len() as u32);
        }
        Headers { ends, name: select_positions(&self.name, &picked), value: self.value.select(&picked) }
    }

    /// Checks headers from outside against the number of rows and the sizes of the tables.
    pub fn check(&self, rows: usize, names: usize, schemas: usize) -> Result<(), Lie> {
        if self.ends.is_empty() {
            if self.name.is_empty() && *self == Headers::default() {
                return Ok(());
            }
            return Err(Lie("headers: no ends, but names or values".into()));
        }
        check_ends(&self.ends, rows, self.name.len(), "headers")?;
        check_positions(&self.name, self.name.len(), names, "header names")?;
        self.value.check(self.name.len(), schemas, "header values")
    }

    /// Bytes these headers hold in memory.
    pub fn bytes(&self) -> usize {
        (self.ends.len() + self.name.len()) * 4 + self.value.bytes()
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

    #[test]
    fn cells_come_back_as_they_were_pushed() {
        let cells = [Some("a"), None, Some(""), Some("bc"), None, Some("d"), None, None, None, Some("e")];
        let column = column(&cells);
        column.check(10, "test").unwrap();
        for (row, cell) in cells.iter().enumerate() {
            assert_eq!(column.get(row), cell.map(str::as_bytes), "{row}");
        }
        assert_eq!(Column::default().get(7), None);
    }

    #[test]
    fn selecting_keeps_cells_nulls_and_order() {
        let all = column(&[Some("a"), None, Some("bc")]);
        assert_eq!(all.select(&[2, 1, 0]), column(&[Some("bc"), None, Some("a")]));
        assert_eq!(all.select(&[0, 2]), column(&[Some("a"), Some("bc")]));
    }

    #[test]
    fn appended_rows_are_as_in_the_column_they_came_from() {
        let cells = [Some("a"), None, Some(""), Some("bc"), None, Some("d"), Some("e"), None, None, Some("f")];
        let all = column(&cells);
        for (start, end) in (0..=10).flat_map(|start| (start..=10).map(move |end| (start, end))) {
            for before in 0..cells.len() {
                let mut appended = column(&cells[..before]);
                appended.append(&all, start..end);
                let expected: Vec<_> = cells[..before].iter().chain(&cells[start..end]).copied().collect();
                assert_eq!(appended, column(&expected), "{before} and {start}..{end}");
            }
        }
    }

    #[test]
    fn truncating_leaves_the_rows_before_as_they_were() {
        let cells = [Some("a"), None, Some("bc"), None, Some("d"), None, None, None, None, Some("e")];
        for rows in 0..=cells.len() {
            let mut cut = column(&cells);
            cut.truncate(rows);
            cut.check(rows, "test").unwrap();
            cut.push(b"z");
            let expected: Vec<_> = cells[..rows].iter().copied().chain([Some("z")]).collect();
            (0..=rows).for_each(|row| assert_eq!(cut.get(row), expected[row].map(str::as_bytes)));
        }
    }

    #[test]
    fn every_lie_about_a_column_is_found() {
        let good = column(&[Some("a"), None, Some("bc")]);
        let lies: [fn(&mut Column); 8] = [
            |c| c.ends.truncate(2),
            |c| c.ends[0] = 2,
            |c| c.ends[2] = 4,
            |c| c.ends[2] = u32::MAX,
            |c| c.absent.push(0),
            |c| c.absent[0] |= 8,
            |c| c.absent[0] |= 1,
            |c| c.ends.clear(),
        ];
        for (i, lie) in lies.iter().enumerate() {
            let mut bad = good.clone();
            lie(&mut bad);
            assert!(bad.check(3, "test").is_err(), "lie {i}");
        }
        assert!(good.check(4, "test").is_err());
    }

    #[test]
    fn positions_outside_their_table_are_found() {
        let cells = |schema: Vec<u32>| Cells { column: column(&[Some("a"), Some("b")]), schema };
        assert!(cells(vec![]).check(2, 1, "test").is_ok());
        assert!(cells(vec![0, 1]).check(2, 2, "test").is_ok());
        assert!(cells(vec![]).check(2, 0, "test").is_err());
        assert!(cells(vec![0, 2]).check(2, 2, "test").is_err());
        assert!(cells(vec![0]).check(2, 2, "test").is_err());
    }

    #[test]
    fn headers_follow_their_rows() {
        let headers = Headers {
            ends: vec![2, 2, 3],
            name: vec![0, 1, 0],
            value: Cells { column: column(&[Some("a"), None, Some("c")]), schema: vec![] },
        };
        headers.check(3, 2, 1).unwrap();
        let picked = headers.select(&[2, 0]);
        assert_eq!((picked.ends, picked.name), (vec![1, 3], vec![0, 0, 1]));
        assert_eq!(picked.value.column, column(&[Some("c"), Some("a"), None]));
        assert!(headers.check(3, 1, 1).is_err());
        assert!(Headers { ends: vec![1, 1], ..headers }.check(2, 2, 1).is_err());
    }
}
