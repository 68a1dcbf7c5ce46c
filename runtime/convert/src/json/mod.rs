//! JsonConverter: JSON with and without Connect's envelope of schema and payload, by straight transcoding between
//! JSON and CBOR cells.

mod by_schema;
mod dialect;
mod envelope;
mod flaw;
mod free;
mod number;
mod one_of;
mod read_plan;
mod reader;
mod rendered;
mod schema_reader;
mod schema_writer;
mod shapes;
mod write_plan;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use weir_core::model::{BatchTables, Problem};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, limits};

use crate::rows::{self, Positions};
use crate::settings::JsonSettings;
use dialect::Dialect;
use envelope::{Known, Schemas};
use flaw::{Flaw, Outcome, too_large};
use reader::Reader;
use rendered::RenderedKeys;
use shapes::Shapes;
use write_plan::{WritePlan, WriteSettings};

pub(crate) use dialect::{ONE_OF, SchemaReading, SchemaWriting};
pub(crate) use free::keep_last;

/// JsonConverter.
pub(crate) struct JsonConverter {
    schemas_enable: bool,
    /// The schema of every record, when the configuration states one.
    fixed: Option<Known>,
    schemas: Schemas,
    shapes: Shapes,
    keys: RenderedKeys,
    write: WriteSettings,
    cache_size: usize,
    /// By the numbers of schema handles.
    plans: HashMap<u64, Result<Arc<WritePlan>, Box<Flaw>>>,
    plan_bytes: usize,
}

impl JsonConverter {
    /// A converter with these settings.
    pub(crate) fn new(settings: &JsonSettings) -> Result<JsonConverter, Vec<Problem>> {
        let cache_size = usize::try_from(settings.schemas_cache_size).unwrap_or(0).max(1);
        let mut schemas = Schemas::new(cache_size, settings.replace_null_with_default);
        let fixed = match &settings.schema_content {
            None => None,
            Some(content) => schemas.read(&mut Reader::new(content.as_bytes(), content.len())).map_err(|flaw| {
                let message = flaw.to_connect_message(content.as_bytes());
                vec![Problem { key: "schema.content".into(), message: format!("Failed to parse schema: {message}") }]
            })?,
        };
        Ok(JsonConverter {
            schemas_enable: settings.schemas_enable,
            fixed,
            schemas,
            shapes: Shapes::new(),
            keys: RenderedKeys::new(),
            write: WriteSettings {
                envelope: settings.schemas_enable,
                numeric_decimals: settings.numeric_decimals,
                replace_null_with_default: settings.replace_null_with_default,
                dialect: Dialect::Connect,
            },
            cache_size,
            plans: HashMap::new(),
            plan_bytes: 0,
        })
    }

    /// Appends the cell of one record; answers its schema and whether it is more than null.
    #[inline(always)]
    fn read(&mut self, json: &[u8], valid: usize, most: usize, out: &mut Vec<u8>) -> Outcome<(Option<Known>, bool)> {
        if out.len() > most {
            return too_large(most);
        }
        let mut reader = Reader::new(json, most);
        self.shapes.make_room();
        let shapes = &mut self.shapes;
        let (known, present) = if !self.schemas_enable {
            (None, !reader.is_blank() && bare(&mut reader, |reader| free::transcode(reader, shapes, out))?)
        } else if let Some(fixed) = &self.fixed {
            let present = bare(&mut reader, |reader| envelope::root(reader, fixed, out))?;
            (Some(fixed.clone()), present)
        } else {
            let free = |reader: &mut Reader<'_>, out: &mut Vec<u8>| free::transcode(reader, shapes, out);
            let read = envelope::transcode(&mut reader, &mut self.schemas, out, free)?;
            (read.known, read.present)
        };
        if reader.at > valid {
            return flaw::syntax(format!("Invalid UTF-8 byte 0x{:02x}", json[valid]), valid);
        }
        Ok((known, present))
    }

    /// The plan of a schema.
    fn plan(&mut self, schema: &weir_core::model::SchemaHandle) -> Result<Arc<WritePlan>, Box<Flaw>> {
        if let Some(known) = self.plans.get(&schema.id()) {
            return known.clone();
        }
        if self.plans.len() >= self.cache_size || self.plan_bytes > limits::SCHEMAS_BYTES {
            self.plans.clear();
            self.plan_bytes = 0;
        }
        let plan = WritePlan::new(schema.schema(), self.write).map(Arc::new);
        self.plan_bytes += plan.as_ref().map_or(0, |plan| plan.bytes());
        self.plans.insert(schema.id(), plan.clone());
        plan
    }

    /// Appends the JSON of a cell without schema.
    #[inline(always)]
    fn write_free(&mut self, cell: &[u8], out: &mut Vec<u8>) -> Outcome<()> {
        if self.write.envelope {
            out.extend_from_slice(b"{\"schema\":null,\"payload\":");
            writer::cell(cell, &mut self.keys, out)?;
            out.push(b'}');
            return Ok(());
        }
        writer::cell(cell, &mut self.keys, out)
    }
}

/// Reads a record that is one value. What stands behind it is not looked at, as in Connect, but a number has to end.
#[inline(always)]
fn bare(reader: &mut Reader<'_>, read: impl FnOnce(&mut Reader<'_>) -> Outcome<bool>) -> Outcome<bool> {
    let first = reader.token()?;
    let present = read(reader)?;
    if first == b'-' || first.is_ascii_digit() {
        reader.root_ends()?;
    }
    Ok(present)
}

#[async_trait]
impl Converter for JsonConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let rows = bytes.ends.len();
        let mut column =
            Column::with_capacity(rows, if self.schemas_enable { bytes.data.len() / 4 } else { bytes.data.len() });
        let mut schemas = Positions::new(rows);
        let mut faults = Vec::new();
        let (utf8, most) = (rows::Utf8::of(&bytes), rows::bytes_max(bytes.data.len()));
        for row in 0..rows {
            let start = column.data.len();
            let Some(json) = bytes.get(row) else {
                column.push_absent();
                schemas.push(None, tables);
                continue;
            };
            match self.read(json, utf8.valid(row, json), most, &mut column.data) {
                Ok((known, present)) => {
                    if present {
                        column.end_cell();
                    } else {
                        column.push_absent();
                    }
                    schemas.push(known.as_ref().map(|known| &known.handle), tables);
                }
                Err(flaw) => {
                    column.data.truncate(start);
                    column.push_absent();
                    schemas.push(None, tables);
                    faults.push(rows::fault(row, flaw.to_connect_message(json)));
                }
            }
        }
        Converted { cells: Cells { column, schema: schemas.finish() }, faults }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let rows = rows::count(&cells);
        let most = rows::bytes_max(cells.column.data.len());
        let mut bytes = Column::with_capacity(rows, cells.column.data.len() * 3 / 2);
        let mut faults = Vec::new();
        let mut plans: Vec<_> =
            tables.schemas.iter().map(|schema| schema.as_ref().map(|schema| (schema, None::<Result<_, _>>))).collect();
        for row in 0..rows {
            let start = bytes.data.len();
            let cell = cells.column.get(row);
            let written = if start > most {
                too_large(most)
            } else {
                match (plans.get_mut(cells.schema_of(row)).and_then(Option::as_mut), cell) {
                    (None, None) => {
                        bytes.push_absent();
                        continue;
                    }
                    (None, Some(cell)) => self.write_free(cell, &mut bytes.data),
                    (Some((schema, plan)), cell) => match plan.get_or_insert_with(|| self.plan(schema)) {
                        Ok(plan) => plan.cell(cell, most, &mut bytes.data),
                        Err(flaw) => Err(flaw.clone()),
                    },
                }
            };
            match written {
                Ok(()) => bytes.end_cell(),
                Err(flaw) => {
                    bytes.data.truncate(start);
                    bytes.push_absent();
                    faults.push(rows::fault(row, flaw.to_connect_message(&[])));
                }
            }
        }
        Serialized { bytes, faults }
    }
}
