//! What fuzz targets and properties run of Protobuf.

use prost_reflect::prost::Message as _;

use super::settings::DataSettings;
use super::to_connect::{Readable, readable};
use super::write::WritePlan;
use super::{descriptors, from_connect, wire};

/// A schema with a field of every kind.
pub(crate) const ALL: &str = super::hostile::ALL;

/// Schemas in texts.
pub(crate) fn samples() -> [&'static str; 4] {
    [
        ALL,
        "syntax = \"proto2\"; package p.q; message M { required int32 a = 1 [default = 5]; optional E e = 2; \
         enum E { Z = 1; } extensions 100 to 200; reserved 7; oneof o { string s = 3; } message I { } }",
        "syntax = \"proto3\"; import \"confluent/meta.proto\"; import \"confluent/type/decimal.proto\"; message M { \
         confluent.type.Decimal d = 1 [(confluent.field_meta) = { params: [{ key: \"scale\", value: \"2\" }] }]; }",
        "syntax = \"proto3\"; package google.protobuf; message Int32Value { int32 value = 1; }",
    ]
}

/// A schema as a serialized descriptor.
pub(crate) fn serialized(text: &str) -> Vec<u8> {
    descriptors::file(text, &[]).unwrap().file_descriptor_proto().encode_to_vec()
}

/// Both ways of a schema's first message.
pub(crate) struct Plans {
    readable: Readable,
    plan: Result<WritePlan, String>,
}

impl Plans {
    pub(crate) fn schema(&self) -> &weir_data::Schema {
        &self.readable.schema
    }

    pub(crate) fn read(&self, record: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        self.readable.cell(record, most, out)
    }

    pub(crate) fn write(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        self.plan.as_ref().map_err(String::clone)?.cell(cell, most, out)
    }
}

/// The plans of a schema by its text, and the schema that Connect's is written as.
pub(crate) fn plans(text: &str) -> Result<Plans, String> {
    let settings = DataSettings::default();
    let file = descriptors::file(text, &[])?;
    let message = descriptors::message(&file, &[0])?;
    let readable = readable(&message, &settings, None)?;
    let plan = WritePlan::new(&readable.schema, &message, vec![0], &settings);
    if let Ok(written) = from_connect::written(&readable.schema, &settings) {
        let _ = descriptors::file(&written.text, &[]);
    }
    Ok(Plans { readable, plan })
}

/// Reads the positions of a message.
pub(crate) fn positions(bytes: &[u8]) -> Result<(), String> {
    let (path, length) = wire::message_path(bytes)?;
    let mut written = Vec::new();
    wire::put_message_path(&mut written, &path);
    assert!(length <= bytes.len());
    assert_eq!(wire::message_path(&written), Ok((path, written.len())));
    Ok(())
}

/// The format with its defaults.
pub(crate) fn format() -> super::Protobuf {
    super::Protobuf(DataSettings::default())
}
