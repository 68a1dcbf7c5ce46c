//! Pure. How values of schemas stand in JSON: as JsonConverter writes them, or as JsonSchemaConverter does.

use weir_data::{Node, Schema, Type};

use super::by_schema;
use super::envelope;
use super::flaw::DEFAULT_MAX;
use super::read_plan::ReadPlan;
use super::reader::Reader;
use super::write_plan::{WritePlan, WriteSettings};

/// The struct that stands for a union of JSON Schema.
pub(crate) const ONE_OF: &str = "io.confluent.connect.json.OneOf";

/// Whose JSON it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JsonConverter's.
    Connect,
    /// JsonSchemaConverter's.
    JsonSchema,
}

/// How the entries of a map stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entries {
    /// As members of an object.
    Members,
    /// As arrays of key and value.
    Pairs,
    /// As objects of key and value.
    Objects,
}

impl Dialect {
    /// Whether a node is a struct that stands for a union.
    pub(super) fn is_union(self, node: &Node) -> bool {
        self == Dialect::JsonSchema && node.name.as_deref() == Some(ONE_OF)
    }

    /// How the entries of maps with such keys stand.
    pub(super) fn entries(self, key: &Node) -> Entries {
        match (self, key.kind == Type::String, key.optional) {
            (Dialect::Connect, true, _) | (Dialect::JsonSchema, true, false) => Entries::Members,
            (Dialect::Connect, false, _) => Entries::Pairs,
            (Dialect::JsonSchema, ..) => Entries::Objects,
        }
    }
}

/// How the message begins of a value that is not there and has to be.
const NULL: &str = "Invalid null value for required";

/// How JSON without envelope becomes cells of a schema of JSON Schema.
pub(crate) struct SchemaReading(ReadPlan);

impl SchemaReading {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Schema) -> SchemaReading {
        SchemaReading(ReadPlan::new(schema, true, Dialect::JsonSchema))
    }

    /// Appends the cell of a record; answers false, and appends nothing, where it is null.
    pub(crate) fn cell(&self, json: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        let mut reader = Reader::new(json, most);
        let read = envelope::by_plan(&mut reader, &self.0, out).map_err(|flaw| {
            let message = flaw.to_connect_message(json);
            let hint = "; use.optional.for.nonrequired=true makes what the schema does not require optional";
            if message.starts_with(NULL) { message + hint } else { message }
        })?;
        let valid = std::str::from_utf8(json).map_or_else(|error| error.valid_up_to(), str::len);
        if reader.at > valid {
            return Err(format!("Invalid UTF-8 byte 0x{:02x} at byte {valid}", json[valid]));
        }
        Ok(read)
    }

    /// The cell of a default as schemas hold it; none where it is no value of the schema.
    pub(crate) fn default(&self, json: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        by_schema::transcode(&mut Reader::new(json, DEFAULT_MAX), &self.0, 0, &mut out).ok()?;
        (out.len() <= DEFAULT_MAX && out != [weir_data::cbor::NULL]).then_some(out)
    }
}

/// How cells of a schema become JSON without envelope.
pub(crate) struct SchemaWriting(WritePlan);

impl SchemaWriting {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Schema, numeric_decimals: bool, use_defaults: bool) -> Result<SchemaWriting, String> {
        let settings = WriteSettings {
            envelope: false,
            numeric_decimals,
            replace_null_with_default: use_defaults,
            dialect: Dialect::JsonSchema,
        };
        let plan = WritePlan::new(schema, settings).map_err(|flaw| flaw.to_connect_message(&[]))?;
        Ok(SchemaWriting(plan))
    }

    /// Appends the JSON of a cell or of null.
    pub(crate) fn cell(&self, cell: Option<&[u8]>, most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        self.0.cell(cell, most, out).map_err(|flaw| flaw.to_connect_message(&[]))
    }

    /// The JSON of a default as schemas hold it.
    pub(crate) fn default(&self, default: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        self.0.held(default, DEFAULT_MAX, &mut out).map_err(|flaw| flaw.to_connect_message(&[]))?;
        Ok(out)
    }
}
