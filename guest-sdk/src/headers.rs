//! Pure. The headers of one record on its way through steps: those that came stay where they stand in the batch, those
//! that steps added lie aside as cells.

use std::ops::Range;
use std::rc::Rc;

use weir_data::Schema;

use crate::data::Data;

/// One header.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The batch's header at this position.
    Came(usize),
    /// A value to be encoded.
    Data { name: Rc<str>, value: Data },
    /// A cell among the list's bytes; none for null.
    Cell { name: Rc<str>, schema: Option<Rc<Schema>>, cell: Option<Range<usize>> },
}

/// The headers, in order.
#[derive(Debug, Default)]
pub(crate) struct HeaderList {
    entries: Vec<Entry>,
    cells: Vec<u8>,
}

impl HeaderList {
    /// Becomes the batch's headers at these positions.
    pub fn reset(&mut self, came: Range<usize>) {
        self.entries.clear();
        self.cells.clear();
        self.entries.extend(came.map(Entry::Came));
    }

    pub fn push(&mut self, name: Rc<str>, value: Data) {
        self.entries.push(Entry::Data { name, value });
    }

    pub fn push_cell(&mut self, name: &Rc<str>, schema: Option<&Rc<Schema>>, cell: Option<&[u8]>) {
        let cell = cell.map(|bytes| {
            let start = self.cells.len();
            self.cells.extend_from_slice(bytes);
            start..self.cells.len()
        });
        self.entries.push(Entry::Cell { name: name.clone(), schema: schema.cloned(), cell });
    }

    /// Keeps the headers whose names `stays` accepts; `came` tells the names of those that came.
    pub fn retain<'n>(&mut self, came: impl Fn(usize) -> &'n str, stays: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| match entry {
            Entry::Came(at) => stays(came(*at)),
            Entry::Data { name, .. } | Entry::Cell { name, .. } => stays(name),
        });
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The bytes of a cell.
    pub fn cell(&self, cell: &Option<Range<usize>>) -> Option<&[u8]> {
        cell.clone().map(|range| &self.cells[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Input, Record};
    use crate::tables::{HeadersOut, Tables, headers_from_wit};

    /// One row with the headers `a`, `b`, `a`.
    fn input() -> Input {
        let (mut tables, mut headers) = (Tables::default(), HeadersOut::default());
        for (name, value) in [("a", Data::text("1")), ("b", Data::null()), ("a", Data::free(3))] {
            headers.push(name, &value, &mut tables).unwrap();
        }
        headers.end_row();
        let schemas = tables.schemas();
        let headers = Some(headers_from_wit(headers.into_wit()));
        Input { rows: 1, header_names: tables.into_wit().0.header_names, schemas, headers, ..Input::default() }
    }

    fn shown(record: &Record) -> Vec<String> {
        let headers = record.headers().unwrap();
        headers.into_iter().map(|(name, data)| format!("{name}={:?}", data.value)).collect()
    }

    #[test]
    fn headers_are_added_behind_those_that_came_and_taken_away_by_name() {
        let input = input();
        let mut record = Record::first(&input);
        assert!(record.has_header("b") && !record.has_header("c"));
        record.remove_headers(|name| name == "c");
        assert!(record.changed.is_empty());
        record.add_header("c", Data::text("x"));
        record.add_header_cell(&"d".into(), None, Some(&[5]));
        record.add_header_cell(&"e".into(), None, None);
        record.remove_headers(|name| name == "a");
        assert!(!record.has_header("a") && record.has_header("c") && record.has_header("d"));
        assert_eq!(shown(&record), ["b=Null", "c=Text(\"x\")", "d=Integer(5)", "e=Null"]);
        record.go_to(0);
        assert_eq!(shown(&record), ["a=Text(\"1\")", "b=Null", "a=Integer(3)"]);
    }
}
