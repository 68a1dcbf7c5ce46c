//! The tables that rows of an outgoing batch point into, filled while rows are added.

use std::rc::Rc;

use weir_data::{Cells, Column, Headers, Schema};

use crate::bindings::words::weir::connect::columns as wit;
use crate::bindings::words::weir::connect::schemas::Definition;
use crate::data::{Cell, Data, same_schema};
use crate::error::Result;
use crate::fields::Live;
use crate::schemas;

#[derive(Debug, Default)]
pub(crate) struct Tables {
    topics: Vec<String>,
    partitions: Vec<Option<i32>>,
    header_names: Vec<String>,
    schemas: Vec<Option<Rc<Schema>>>,
}

/// The position of an entry in a table, which is added where it is missing. Tables are short, and the entry used last
/// is mostly used again.
fn position<T>(table: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u32 {
    if let Some(at) = table.iter().rposition(is) {
        return at as u32;
    }
    table.push(make());
    (table.len() - 1) as u32
}

impl Tables {
    pub fn topic(&mut self, topic: &str) -> u32 {
        position(&mut self.topics, |t| t == topic, || topic.to_owned())
    }

    pub fn topic_at(&self, position: u32) -> &str {
        &self.topics[position as usize]
    }

    pub fn partition(&mut self, partition: Option<i32>) -> u32 {
        position(&mut self.partitions, |p| *p == partition, || partition)
    }

    pub fn schema(&mut self, schema: Option<&Rc<Schema>>) -> u32 {
        position(&mut self.schemas, |s| same_schema(s.as_ref(), schema), || schema.cloned())
    }

    pub fn header_name(&mut self, name: &str) -> u32 {
        position(&mut self.header_names, |n| n == name, || name.to_owned())
    }

    pub fn schemas(&self) -> Vec<Option<Rc<Schema>>> {
        self.schemas.clone()
    }

    pub fn into_wit(self) -> (wit::Tables, Vec<Definition>) {
        let mut define = Vec::new();
        let schemas = self.schemas.iter().map(|schema| schemas::refer(schema.as_ref(), &mut define)).collect();
        let Tables { topics, partitions, header_names, .. } = self;
        (wit::Tables { topics, partitions, header_names, schemas }, define)
    }
}

/// Cells under construction.
#[derive(Debug, Default)]
pub(crate) struct CellsOut {
    cells: Cells,
    any: bool,
}

impl CellsOut {
    pub fn with_capacity(rows: usize, bytes: usize) -> CellsOut {
        let cells = Cells { column: Column::with_capacity(rows, bytes), schema: Vec::with_capacity(rows) };
        CellsOut { cells, any: false }
    }

    pub fn push(&mut self, data: &Data, tables: &mut Tables) -> Result<()> {
        let column = &mut self.cells.column;
        let before = column.data.len();
        match data.write(&mut column.data) {
            Ok(true) => {
                column.end_cell();
                self.any = true;
            }
            Ok(false) => column.push_absent(),
            Err(error) => {
                column.data.truncate(before);
                return Err(error);
            }
        }
        self.cells.schema.push(tables.schema(data.schema.as_ref()));
        Ok(())
    }

    /// Appends the raw cell of text or bytes under a schema of the table.
    #[inline]
    pub fn push_raw(&mut self, bytes: &[u8], schema: u32) {
        self.cells.column.push(bytes);
        self.any = true;
        self.cells.schema.push(schema);
    }

    /// Appends null under a schema of the table.
    #[inline]
    pub fn push_absent(&mut self, schema: u32) {
        self.cells.column.push_absent();
        self.cells.schema.push(schema);
    }

    pub fn push_null(&mut self, tables: &mut Tables) {
        self.push_absent(tables.schema(None));
    }

    pub fn push_cell(&mut self, cell: Option<Cell<'_>>, schema: Option<&Rc<Schema>>, tables: &mut Tables) {
        self.any |= cell.is_some();
        self.cells.column.push_option(cell.map(|cell| cell.bytes));
        self.cells.schema.push(tables.schema(schema));
    }

    #[inline]
    pub fn push_live(&mut self, live: &Live<'_>, tables: &mut Tables) {
        if live.write(&mut self.cells.column.data) {
            self.cells.column.end_cell();
            self.any = true;
        } else {
            self.cells.column.push_absent();
        }
        self.cells.schema.push(tables.schema(live.shape.schema.as_ref()));
    }

    pub fn get<'a>(&'a self, row: usize, tables: &'a Tables) -> Option<Cell<'a>> {
        let schema = tables.schemas[self.cells.schema_of(row)].as_ref();
        self.cells.column.get(row).map(|bytes| Cell { bytes, schema })
    }

    pub fn truncate(&mut self, rows: usize) {
        self.cells.column.truncate(rows);
        self.cells.schema.truncate(rows);
    }

    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    pub fn into_cells(self) -> Cells {
        self.cells
    }

    pub fn into_wit(mut self) -> wit::Cells {
        if !self.any {
            self.cells.column = Column::default();
        }
        abbreviate(&mut self.cells.schema);
        cells_to_wit(self.cells)
    }
}

/// Headers under construction.
#[derive(Debug, Default)]
pub(crate) struct HeadersOut {
    ends: Vec<u32>,
    name: Vec<u32>,
    value: CellsOut,
}

impl HeadersOut {
    pub fn push(&mut self, name: &str, data: &Data, tables: &mut Tables) -> Result<()> {
        self.value.push(data, tables)?;
        self.name.push(tables.header_name(name));
        Ok(())
    }

    /// Takes away the headers that were added since the last row ended.
    pub fn undo_row(&mut self) {
        let length = self.ends.last().copied().unwrap_or(0) as usize;
        self.name.truncate(length);
        self.value.truncate(length);
    }

    pub fn bytes(&self) -> usize {
        4 * (self.ends.len() + self.name.len()) + self.value.bytes()
    }

    #[inline]
    pub fn end_row(&mut self) {
        self.ends.push(self.name.len() as u32);
    }

    pub fn into_wit(self) -> wit::Headers {
        let ends = if self.name.is_empty() { Vec::new() } else { self.ends };
        wit::Headers { ends, name: self.name, value: self.value.into_wit() }
    }
}

/// Leaves positions out when every row holds position 0.
pub(crate) fn abbreviate(positions: &mut Vec<u32>) {
    if positions.iter().all(|&position| position == 0) {
        positions.clear();
    }
}

pub(crate) fn cells_from_wit(cells: wit::Cells) -> Cells {
    let wit::Column { ends, data, absent } = cells.column;
    Cells { column: Column { ends, data, absent }, schema: cells.schema }
}

fn cells_to_wit(cells: Cells) -> wit::Cells {
    let Column { ends, data, absent } = cells.column;
    wit::Cells { column: wit::Column { ends, data, absent }, schema: cells.schema }
}

pub(crate) fn headers_from_wit(headers: wit::Headers) -> Headers {
    Headers { ends: headers.ends, name: headers.name, value: cells_from_wit(headers.value) }
}
