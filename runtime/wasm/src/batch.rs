//! Records across the boundary: lowered as borrowed columns, lifted as moved ones, checked before use.

use std::sync::Arc;

use weir_core::model::{BatchTables, Records};
use weir_data::{Cells, Column, Headers, Lie};

use crate::bindings::weir::connect::columns as wit;
use crate::bindings::weir::connect::schemas::SchemaRef;
use crate::schema_table::SchemaTable;

pub(crate) fn column(column: &Column) -> wit::ColumnParam<'_> {
    wit::ColumnParam { ends: &column.ends, data: &column.data, absent: &column.absent }
}

pub(crate) fn cells(cells: &Cells) -> wit::CellsParam<'_> {
    wit::CellsParam { column: column(&cells.column), schema: &cells.schema }
}

pub(crate) fn headers(headers: &Headers) -> wit::HeadersParam<'_> {
    wit::HeadersParam { ends: &headers.ends, name: &headers.name, value: cells(&headers.value) }
}

/// The tables of a batch, as a call borrows them.
pub(crate) struct LoweredTables<'a> {
    topics: Vec<&'a str>,
    header_names: Vec<&'a str>,
    partitions: &'a [Option<i32>],
    schemas: Vec<SchemaRef>,
}

impl<'a> LoweredTables<'a> {
    pub fn new(tables: &'a BatchTables, known: &mut SchemaTable) -> LoweredTables<'a> {
        LoweredTables {
            topics: tables.topics.iter().map(|topic| &**topic).collect(),
            header_names: tables.header_names.iter().map(|name| &**name).collect(),
            partitions: &tables.partitions,
            schemas: tables.schemas.iter().map(|schema| known.refer(schema.as_ref())).collect(),
        }
    }

    pub fn param(&self) -> wit::TablesParam<'_> {
        wit::TablesParam {
            topics: &self.topics,
            partitions: self.partitions,
            header_names: &self.header_names,
            schemas: &self.schemas,
        }
    }
}

pub(crate) fn lift_column(column: wit::ColumnResult) -> Column {
    Column { ends: column.ends, data: column.data, absent: column.absent }
}

pub(crate) fn lift_cells(cells: wit::CellsResult) -> Cells {
    Cells { column: lift_column(cells.column), schema: cells.schema }
}

pub(crate) fn lift_headers(headers: wit::HeadersResult) -> Headers {
    Headers { ends: headers.ends, name: headers.name, value: lift_cells(headers.value) }
}

pub(crate) fn lift_tables(tables: wit::TablesResult, known: &mut SchemaTable) -> Result<BatchTables, Lie> {
    Ok(BatchTables {
        topics: tables.topics.into_iter().map(Arc::from).collect(),
        partitions: tables.partitions,
        header_names: tables.header_names.into_iter().map(Arc::from).collect(),
        schemas: tables.schemas.into_iter().map(|schema| known.resolve(schema)).collect::<Result<_, _>>()?,
    })
}

/// Checks what a guest answered: lengths, ends, positions, and that cells under a plain string schema are UTF-8.
pub(crate) fn check(records: &Records) -> Result<(), Lie> {
    records.check()?;
    for (cells, what) in [(&records.key, "keys"), (&records.value, "values"), (&records.headers.value, "headers")] {
        check_text(cells, &records.tables, what)?;
    }
    Ok(())
}

fn check_text(cells: &Cells, tables: &BatchTables, what: &str) -> Result<(), Lie> {
    use weir_data::Type;
    let is_text = |at: usize| {
        tables.schemas.get(at).and_then(Option::as_ref).is_some_and(|s| s.schema().root().kind == Type::String)
    };
    if cells.column.is_null() || !(0..tables.schemas.len()).any(is_text) {
        return Ok(());
    }
    if cells.schema.is_empty() && cells.column.data.is_ascii() {
        return Ok(());
    }
    for row in 0..cells.column.ends.len() {
        if let Some(cell) = cells.column.get(row)
            && is_text(cells.schema_of(row))
            && std::str::from_utf8(cell).is_err()
        {
            return Err(Lie(format!("{what}: the string of row {row} is not UTF-8")));
        }
    }
    Ok(())
}
