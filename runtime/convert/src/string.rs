//! StringConverter: text as it is, and anything else as Java prints it.

use async_trait::async_trait;
use weir_core::model::BatchTables;
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, Type};

use crate::{java_text, plain, rows};

/// StringConverter with UTF-8.
pub(crate) struct StringConverter;

/// Cells that are UTF-8: the same column where it is, else one where bad bytes became U+FFFD, as Java does.
fn valid_text(bytes: Column) -> Column {
    if rows::Utf8::of(&bytes).all() {
        return bytes;
    }
    let mut text = Column::with_capacity(bytes.ends.len(), bytes.data.len());
    for row in 0..bytes.ends.len() {
        match bytes.get(row) {
            Some(cell) => {
                java_text::replaced(cell, &mut text.data);
                text.end_cell();
            }
            None => text.push_absent(),
        }
    }
    text
}

#[async_trait]
impl Converter for StringConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let schema = rows::uniform(&plain::optional_string(), bytes.ends.len(), tables);
        Converted { cells: Cells { column: valid_text(bytes), schema }, faults: Vec::new() }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let schema = |row: usize| tables.schemas.get(cells.schema_of(row)).and_then(Option::as_ref);
        let is_text = |row: usize| schema(row).is_some_and(|schema| schema.schema().root().kind == Type::String);
        if cells.column.is_null() || (0..cells.schema.len().max(1)).all(is_text) {
            return Serialized { bytes: cells.column, faults: Vec::new() };
        }
        let most = rows::bytes_max(cells.column.data.len());
        let mut text = Column::with_capacity(cells.column.ends.len(), cells.column.data.len() * 2);
        let mut faults = Vec::new();
        for row in 0..cells.column.ends.len() {
            let start = text.data.len();
            let Some(cell) = cells.column.get(row) else {
                text.push_absent();
                continue;
            };
            match java_text::append(schema(row).map(|schema| schema.schema()), cell, most, &mut text.data) {
                Ok(()) => text.end_cell(),
                Err(malformed) => {
                    text.data.truncate(start);
                    text.push_absent();
                    faults.push(rows::fault(row, format!("Failed to serialize to a string: {malformed}")));
                }
            }
        }
        Serialized { bytes: text, faults }
    }
}
