//! SimpleHeaderConverter: header values as text, and the values that texts look like.

mod print;

use std::collections::HashMap;

use async_trait::async_trait;
use weir_core::model::{BatchTables, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, Schema, Type, values};

use crate::rows::Positions;
use crate::{java_text, plain, rows};

/// Schemas that are kept, so that equal ones share a handle.
const SCHEMAS_MAX: usize = 1_000;

/// SimpleHeaderConverter.
pub(crate) struct SimpleHeaderConverter {
    schemas: HashMap<Schema, SchemaHandle>,
    text: SchemaHandle,
}

impl SimpleHeaderConverter {
    /// A converter; there is nothing to configure.
    pub(crate) fn new() -> SimpleHeaderConverter {
        let text = plain::plain_schema(&Type::String, false).expect("a plain schema");
        SimpleHeaderConverter { schemas: HashMap::new(), text }
    }

    fn handle(&mut self, schema: Schema) -> SchemaHandle {
        if self.schemas.len() >= SCHEMAS_MAX {
            self.schemas.clear();
        }
        let handle = self.schemas.entry(schema);
        let handle = handle
            .or_insert_with_key(|schema| plain::handle_of(schema).unwrap_or_else(|| SchemaHandle::new(schema.clone())));
        handle.clone()
    }

    /// Appends the cell of a header's text; answers its schema, or that it is null.
    fn read(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<Option<SchemaHandle>> {
        let first = text.first().copied().unwrap_or(b'"');
        let is_text = first > b' ' && !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'[' | b'{' | b'n' | b't' | b'f');
        let start = out.len();
        java_text::replaced(text, out);
        if is_text {
            return Some(Some(self.text.clone()));
        }
        let text = out.split_off(start);
        let parsed = values::parse(std::str::from_utf8(&text).unwrap_or_default())?;
        if weir_data::encode_cell(parsed.schema.as_ref(), &parsed.value, out).is_err() {
            out.truncate(start);
            out.extend_from_slice(&text);
            return Some(Some(self.text.clone()));
        }
        Some(parsed.schema.map(|schema| self.handle(schema)))
    }
}

#[async_trait]
impl Converter for SimpleHeaderConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let rows = bytes.ends.len();
        let mut column = Column::with_capacity(rows, bytes.data.len());
        let mut schemas = Positions::new(rows);
        for row in 0..rows {
            match bytes.get(row).and_then(|text| self.read(text, &mut column.data)) {
                Some(schema) => {
                    column.end_cell();
                    schemas.push(schema.as_ref(), tables);
                }
                None => {
                    column.push_absent();
                    schemas.push(None, tables);
                }
            }
        }
        Converted { cells: Cells { column, schema: schemas.finish() }, faults: Vec::new() }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let most = rows::bytes_max(cells.column.data.len());
        let mut bytes = Column::with_capacity(cells.column.ends.len(), cells.column.data.len());
        let mut faults = Vec::new();
        for row in 0..cells.column.ends.len() {
            let start = bytes.data.len();
            let Some(cell) = cells.column.get(row) else {
                bytes.push_absent();
                continue;
            };
            let schema = tables.schemas.get(cells.schema_of(row)).and_then(Option::as_ref);
            match print::print(schema.map(|schema| schema.schema()), cell, most, &mut bytes.data) {
                Ok(()) => bytes.end_cell(),
                Err(malformed) => {
                    bytes.data.truncate(start);
                    bytes.push_absent();
                    faults.push(rows::fault(row, format!("Failed to serialize header value: {malformed}")));
                }
            }
        }
        Serialized { bytes, faults }
    }
}
