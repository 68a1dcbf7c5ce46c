//! ByteArrayConverter: bytes as they are, both ways.

use async_trait::async_trait;
use weir_core::model::{BatchTables, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::cbor::{self, major};
use weir_data::{Cells, Column, Type};

use crate::logical::{self, Logical, type_name};
use crate::{java_class, plain, rows};

/// ByteArrayConverter.
pub(crate) struct ByteArrayConverter;

#[async_trait]
impl Converter for ByteArrayConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let schema = rows::uniform(&plain::optional_bytes(), bytes.ends.len(), tables);
        Converted { cells: Cells { column: bytes, schema }, faults: Vec::new() }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let schema = |row: usize| tables.schemas.get(cells.schema_of(row)).and_then(Option::as_ref);
        let is_bytes = |row: usize| {
            schema(row).is_some_and(|schema| schema.schema().root().kind == Type::Bytes && !is_decimal(schema))
        };
        let untyped_null = cells.column.is_null() && cells.schema.is_empty();
        if untyped_null || (0..cells.schema.len().max(1)).all(is_bytes) {
            return Serialized { bytes: cells.column, faults: Vec::new() };
        }
        let rows = rows::count(&cells);
        let mut bytes = Column::with_capacity(rows, cells.column.data.len());
        let mut faults = Vec::new();
        for row in 0..rows {
            match raw(schema(row), cells.column.get(row)) {
                Ok(cell) => bytes.push_option(cell),
                Err(message) => {
                    bytes.push_absent();
                    faults.push(rows::fault(row, message));
                }
            }
        }
        Serialized { bytes, faults }
    }
}

fn is_decimal(schema: &SchemaHandle) -> bool {
    logical::of(schema.schema().root()) != Logical::Plain
}

/// The bytes of a cell, or what it is instead.
fn raw<'a>(schema: Option<&SchemaHandle>, cell: Option<&'a [u8]>) -> Result<Option<&'a [u8]>, String> {
    if let Some(schema) = schema {
        let kind = &schema.schema().root().kind;
        if *kind != Type::Bytes {
            return Err(format!("Invalid schema type for ByteArrayConverter: {}", type_name(kind)));
        }
        if cell.is_some() && is_decimal(schema) {
            return Err("ByteArrayConverter is not compatible with objects of type class java.math.BigDecimal".into());
        }
        return Ok(cell);
    }
    let Some(cell) = cell else {
        return Ok(None);
    };
    let head = cbor::read_head(cell, 0).map_err(|malformed| malformed.to_string())?;
    if head.major == major::BYTES {
        let (body, _) = cbor::string_body(cell, &head).map_err(|malformed| malformed.to_string())?;
        return Ok(Some(body));
    }
    let class = java_class::of_head(&head);
    Err(format!("ByteArrayConverter is not compatible with objects of type class {class}"))
}
