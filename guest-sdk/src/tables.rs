//! The tables that rows of an outgoing batch point into, filled while rows are added.

use std::ops::Range;
use std::rc::Rc;

use weir_data::{Cells, Column, Headers, Schema};

use crate::bindings::words::weir::connect::columns as wit;
use crate::bindings::words::weir::connect::schemas::Definition;
use crate::data::{Cell, Data, same_schema};
use crate::error::Result;
use crate::fields::Live;
use crate::headers::{AddedValue, HeaderList};
use crate::record::Input;
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

    pub fn schema_count(&self) -> usize {
        self.schemas.len()
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

/// One entry a row, kept as one entry while all are the same.
#[derive(Debug, Default)]
pub(crate) struct Same<T> {
    first: T,
    rows: usize,
    list: Vec<T>,
}

impl<T: Copy + PartialEq> Same<T> {
    #[inline(always)]
    pub fn push(&mut self, entry: T) {
        if self.list.is_empty() && self.rows > 0 && self.first == entry {
            self.rows += 1;
        } else {
            self.push_many(entry, 1);
        }
    }

    #[inline(never)]
    pub fn push_many(&mut self, entry: T, rows: usize) {
        if !self.list.is_empty() {
            self.list.resize(self.rows + rows, entry);
        } else if self.rows == 0 {
            self.first = entry;
        } else if self.first != entry && rows > 0 {
            self.list = vec![self.first; self.rows];
            self.list.resize(self.rows + rows, entry);
        }
        self.rows += rows;
    }

    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn get(&self, row: usize) -> T {
        self.list.get(row).copied().unwrap_or(self.first)
    }

    pub fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        self.list.truncate(rows);
    }

    /// The entries, none when every row has the `usual` one.
    pub fn into_list(self, usual: T) -> Vec<T> {
        match self.list.is_empty() {
            true if self.first == usual => Vec::new(),
            true => vec![self.first; self.rows],
            false => self.list,
        }
    }
}

/// Cells under construction.
#[derive(Debug, Default)]
pub(crate) struct CellsOut {
    /// Empty while every row is null.
    column: Column,
    schema: Same<u32>,
}

impl CellsOut {
    pub fn with_capacity(rows: usize, bytes: usize) -> CellsOut {
        CellsOut { column: Column::with_capacity(rows, bytes), schema: Same::default() }
    }

    /// The column, once a row is to be other than null.
    #[inline]
    fn column(&mut self) -> &mut Column {
        if self.column.is_null() {
            self.column.push_absents(self.schema.len());
        }
        &mut self.column
    }

    pub fn push(&mut self, data: &Data, tables: &mut Tables) -> Result<()> {
        let schema = tables.schema(data.schema.as_ref());
        if data.is_null() {
            self.push_absent(schema);
            return Ok(());
        }
        let column = self.column();
        let before = column.data.len();
        if let Err(error) = data.write(&mut column.data) {
            column.data.truncate(before);
            return Err(error);
        }
        column.end_cell();
        self.schema.push(schema);
        Ok(())
    }

    /// Appends a cell as it is under a schema of the table.
    #[inline]
    pub fn push_raw(&mut self, bytes: &[u8], schema: u32) {
        self.column().push(bytes);
        self.schema.push(schema);
    }

    /// Appends null under a schema of the table.
    #[inline]
    pub fn push_absent(&mut self, schema: u32) {
        if !self.column.is_null() {
            self.column.push_absent();
        }
        self.schema.push(schema);
    }

    pub fn push_null(&mut self, tables: &mut Tables) {
        self.push_absent(tables.schema(None));
    }

    #[inline]
    pub fn push_live(&mut self, live: &Live<'_>, tables: &mut Tables) {
        let schema = tables.schema(live.shape.schema.as_ref());
        if live.shape.is_null() {
            return self.push_absent(schema);
        }
        let column = self.column();
        live.write(&mut column.data);
        column.end_cell();
        self.schema.push(schema);
    }

    /// Appends rows of a batch's cells.
    pub fn copy(&mut self, from: &Cells, rows: Range<usize>, schemas: &[Option<Rc<Schema>>], tables: &mut Tables) {
        // The column first: it looks at how many rows have a schema.
        self.copy_column(&from.column, rows.clone());
        let mut place = |at: usize| tables.schema(schemas.get(at).and_then(Option::as_ref));
        if from.schema.is_empty() {
            return self.schema.push_many(place(0), rows.len());
        }
        for same in from.schema[rows].chunk_by(|a, b| a == b) {
            self.schema.push_many(place(same[0] as usize), same.len());
        }
    }

    /// Appends rows of a column, without their schemas.
    fn copy_column(&mut self, from: &Column, rows: Range<usize>) {
        if !from.is_null() {
            self.column().append(from, rows);
        } else if !self.column.is_null() {
            self.column.push_absents(rows.len());
        }
    }

    pub fn get<'a>(&'a self, row: usize, tables: &'a Tables) -> Option<Cell<'a>> {
        let schema = tables.schemas[self.schema.get(row) as usize].as_ref();
        self.column.get(row).map(|bytes| Cell { bytes, schema })
    }

    pub fn truncate(&mut self, rows: usize) {
        self.column.truncate(rows);
        self.schema.truncate(rows);
    }

    pub fn bytes(&self) -> usize {
        self.column.bytes()
    }

    pub fn data_len(&self) -> usize {
        self.column.data.len()
    }

    pub fn into_cells(self) -> Cells {
        Cells { column: self.column, schema: self.schema.into_list(0) }
    }

    pub fn into_wit(self) -> wit::Cells {
        cells_to_wit(self.into_cells())
    }
}

/// Headers under construction.
#[derive(Debug, Default)]
pub(crate) struct HeadersOut {
    rows: usize,
    /// Where each row's headers end; nothing while no row has any.
    ends: Vec<u32>,
    name: Vec<u32>,
    value: CellsOut,
    /// Where the names of the batch stand in this table, as far as they do.
    places: Vec<Option<u32>>,
    /// The same of the schemas of the batch.
    schemas: Vec<Option<u32>>,
}

impl HeadersOut {
    pub fn push(&mut self, name: &str, data: &Data, tables: &mut Tables) -> Result<()> {
        self.value.push(data, tables)?;
        self.name.push(tables.header_name(name));
        Ok(())
    }

    /// Appends a record's headers; the row is not ended.
    pub fn push_row(&mut self, headers: &HeaderList, input: &Input, tables: &mut Tables) -> Result<()> {
        if let Some(from) = &input.headers {
            headers.came().iter().for_each(|run| self.push_came(input, from, run.clone(), tables));
        }
        for added in headers.added() {
            match &added.value {
                AddedValue::Data(value) => self.value.push(value, tables)?,
                AddedValue::Cell { schema, cell } => {
                    let schema = tables.schema(schema.as_ref());
                    match headers.cell(cell) {
                        Some(bytes) => self.value.push_raw(bytes, schema),
                        None => self.value.push_absent(schema),
                    }
                }
            }
            self.name.push(tables.header_name(&added.name));
        }
        Ok(())
    }

    /// Appends neighbouring headers of a batch.
    fn push_came(&mut self, input: &Input, from: &Headers, came: Range<usize>, tables: &mut Tables) {
        if self.places.len() < input.header_names.len() {
            self.make_room(input, from);
        }
        for &name in &from.name[came.clone()] {
            let place = &mut self.places[name as usize];
            self.name.push(*place.get_or_insert_with(|| tables.header_name(&input.header_names[name as usize])));
        }
        self.value.copy_column(&from.value.column, came.clone());
        for at in came {
            let schema = from.value.schema_of(at);
            let place = &mut self.schemas[schema];
            self.value.schema.push(*place.get_or_insert_with(|| tables.schema(input.schemas[schema].as_ref())));
        }
    }

    /// Takes away the headers that were added since the last row ended.
    pub fn undo_row(&mut self) {
        let length = self.ends.last().map_or(0, |end| *end as usize);
        self.name.truncate(length);
        self.value.truncate(length);
    }

    pub fn bytes(&self) -> usize {
        4 * self.name.len() + self.value.bytes()
    }

    #[inline]
    pub fn end_row(&mut self) {
        if !self.name.is_empty() {
            self.ends.resize(self.rows, 0);
            self.ends.push(self.name.len() as u32);
        }
        self.rows += 1;
    }

    /// Room for all headers of a batch, and one more in each row.
    #[cold]
    fn make_room(&mut self, input: &Input, from: &Headers) {
        self.places.resize(input.header_names.len(), None);
        self.schemas.resize(input.schemas.len(), None);
        let headers = from.name.len() + input.rows;
        self.name.reserve(headers);
        self.ends.reserve(input.rows);
        self.value.column.ends.reserve(headers);
        self.value.column.data.reserve(from.value.column.data.len() + input.rows * 8);
    }

    /// Appends the headers of a batch's rows.
    pub fn copy(&mut self, input: &Input, from: &Headers, rows: Range<usize>, tables: &mut Tables) {
        for row in rows {
            self.push_came(input, from, from.range(row), tables);
            self.end_row();
        }
    }

    pub fn into_wit(self) -> wit::Headers {
        wit::Headers { ends: self.ends, name: self.name, value: self.value.into_wit() }
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
