//! Pure. The headers of one record on its way through steps: those that came stay where they stand in the batch, those
//! that steps added lie behind them.

use std::ops::Range;
use std::rc::Rc;

use weir_data::{Schema, cbor};

use crate::data::Data;

/// A header that a step added.
#[derive(Debug)]
pub(crate) struct Added {
    pub name: Rc<str>,
    pub value: AddedValue,
}

/// Its value.
#[derive(Debug)]
pub(crate) enum AddedValue {
    /// To be encoded.
    Data(Data),
    /// A cell among the list's bytes; none for null.
    Cell { schema: Option<Rc<Schema>>, cell: Option<Range<usize>> },
}

/// The headers, in order.
#[derive(Debug, Default)]
pub(crate) struct HeaderList {
    /// Positions in the batch, in runs.
    came: Vec<Range<usize>>,
    /// Where runs are put together anew.
    runs: Vec<Range<usize>>,
    added: Vec<Added>,
    cells: Vec<u8>,
}

impl HeaderList {
    /// Becomes the batch's headers at these positions.
    pub fn reset(&mut self, came: Range<usize>) {
        self.came.clear();
        self.added.clear();
        self.cells.clear();
        if !came.is_empty() {
            self.came.push(came);
        }
    }

    pub fn push(&mut self, name: Rc<str>, value: Data) {
        self.added.push(Added { name, value: AddedValue::Data(value) });
    }

    pub fn push_cell(&mut self, name: &Rc<str>, schema: Option<&Rc<Schema>>, cell: Option<&[u8]>) {
        let cell = cell.map(|bytes| {
            let start = self.cells.len();
            cbor::put(&mut self.cells, bytes);
            start..self.cells.len()
        });
        let value = AddedValue::Cell { schema: schema.cloned(), cell };
        self.added.push(Added { name: name.clone(), value });
    }

    /// Keeps the headers whose names `stays` accepts; `came` tells the names of those that came.
    pub fn retain<'n>(&mut self, came: impl Fn(usize) -> &'n str, stays: impl Fn(&str) -> bool) {
        for at in self.came.drain(..).flatten().filter(|&at| stays(came(at))) {
            match self.runs.last_mut() {
                Some(run) if run.end == at => run.end += 1,
                _ => self.runs.push(at..at + 1),
            }
        }
        std::mem::swap(&mut self.came, &mut self.runs);
        self.added.retain(|added| stays(&added.name));
    }

    /// Those that came, in runs of positions; all stand before the ones that were added.
    pub fn came(&self) -> &[Range<usize>] {
        &self.came
    }

    pub fn added(&self) -> &[Added] {
        &self.added
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
