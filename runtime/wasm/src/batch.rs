//! Records across the boundary: lowered as borrowed columns, lifted as moved ones, checked before use.

use std::sync::Arc;

use weir_core::model::{BatchTables, Parts, Records, SchemaHandle};
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
    /// All of them.
    pub fn new(tables: &'a BatchTables, known: &mut SchemaTable) -> LoweredTables<'a> {
        let all = Parts { topic: true, partition: true, headers: true, ..Parts::default() };
        LoweredTables::of_parts(tables, all, known)
    }

    /// Those that rows of the given parts point into.
    pub fn of_parts(tables: &'a BatchTables, parts: Parts, known: &mut SchemaTable) -> LoweredTables<'a> {
        let topics = if parts.topic { &tables.topics[..] } else { &[] };
        let header_names = if parts.headers { &tables.header_names[..] } else { &[] };
        let schemas = if parts.key || parts.value || parts.headers { &tables.schemas[..] } else { &[] };
        LoweredTables {
            topics: topics.iter().map(|topic| &**topic).collect(),
            header_names: header_names.iter().map(|name| &**name).collect(),
            partitions: if parts.partition { &tables.partitions } else { &[] },
            schemas: schemas.iter().map(|schema| known.refer(schema.as_ref())).collect(),
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
        check_text(cells, &records.tables.schemas, what)?;
    }
    Ok(())
}

/// Checks that cells under a plain string schema are UTF-8.
pub(crate) fn check_text(cells: &Cells, schemas: &[Option<SchemaHandle>], what: &str) -> Result<(), Lie> {
    use weir_data::Type;
    let is_text = |schema: &Option<SchemaHandle>| {
        schema.as_ref().is_some_and(|handle| handle.schema().root().kind == Type::String)
    };
    let column = &cells.column;
    if column.is_null() || !schemas.iter().any(is_text) || column.data.is_ascii() {
        return Ok(());
    }
    // All cells at once first: they are UTF-8 where their bytes together are and none ends within a character.
    if let Ok(text) = std::str::from_utf8(&column.data)
        && column.ends.iter().all(|&end| text.is_char_boundary(end as usize))
    {
        return Ok(());
    }
    for row in 0..column.ends.len() {
        if let Some(cell) = column.get(row)
            && schemas.get(cells.schema_of(row)).is_some_and(is_text)
            && std::str::from_utf8(cell).is_err()
        {
            return Err(Lie(format!("{what}: the string of row {row} is not UTF-8")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use weir_data::{Node, Schema, Type};

    use super::*;

    #[test]
    fn a_string_that_is_not_utf8_is_found_by_its_own_bytes() {
        let schema = |kind| Some(SchemaHandle::new(Schema::of(Node::new(kind))));
        let schemas = [schema(Type::String), schema(Type::Bytes)];
        let found = |rows: &[&[u8]], schema: Vec<u32>| {
            let mut column = Column::default();
            rows.iter().for_each(|row| column.push(row));
            check_text(&Cells { column, schema }, &schemas, "values").is_err()
        };
        assert!(!found(&[b"a", "\u{e4}".as_bytes(), b"b"], vec![]));
        assert!(found(&[b"a", b"\xff"], vec![]));
        assert!(found(&[b"\xc3", b"\xa4"], vec![]), "two halves of a character, each in a row of its own");
        assert!(!found(&["\u{e4}".as_bytes(), b"\xff"], vec![0, 1]), "bytes may be anything");
        assert!(found(&[b"\xff", "\u{e4}".as_bytes()], vec![0, 1]));
    }
}
