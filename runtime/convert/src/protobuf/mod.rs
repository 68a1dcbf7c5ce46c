//! ProtobufConverter: records in Protobuf whose schemas stand in a schema registry, by straight transcoding between the
//! wire format and CBOR cells. Schemas map to Connect's as Confluent's ProtobufData maps them.

mod calendar;
mod descriptors;
mod from_connect;
#[cfg(test)]
pub(crate) mod fuzzed;
#[cfg(test)]
mod hostile;
mod names;
mod read;
mod settings;
mod to_connect;
mod wire;
mod write;

use weir_core::model::Problem;
use weir_data::Schema;

use crate::schema_registry::{Format, Http, Own, Registered, RegistryConverter};
use settings::DataSettings;
use to_connect::Readable;
use write::WritePlan;

pub(crate) use settings::{ProtobufSettings, protobuf_keys};

/// Protobuf.
pub(crate) struct Protobuf(DataSettings);

/// ProtobufConverter.
pub(crate) type ProtobufConverter = RegistryConverter<Protobuf>;

/// A converter with these settings.
pub(crate) fn converter(
    settings: ProtobufSettings,
    is_key: bool,
    http: &Http,
) -> Result<ProtobufConverter, Vec<Problem>> {
    let ProtobufSettings { data, registry, usage, cache_size } = settings;
    RegistryConverter::new(Protobuf(data), (registry, usage, cache_size), is_key, http)
}

impl Format for Protobuf {
    const KIND: &'static str = "PROTOBUF";
    const SHOWN: &'static str = "Protobuf";
    type Reading = Readable;
    type Writing = WritePlan;

    /// The positions of the message in its schema.
    fn selector(body: &[u8]) -> Result<usize, String> {
        wire::message_path(body).map(|(_, length)| length)
    }

    fn name(&self, found: &Registered, selector: &[u8]) -> Result<String, String> {
        let file = descriptors::file(&found.schema, &found.references)?;
        let (path, _) = wire::message_path(selector)?;
        Ok(descriptors::message(&file, &path)?.full_name().to_owned())
    }

    fn reading(
        &self,
        found: &Registered,
        selector: &[u8],
        version: Option<i32>,
    ) -> Result<(Option<Schema>, Readable), String> {
        let file = descriptors::file(&found.schema, &found.references)?;
        let (path, _) = wire::message_path(selector)?;
        let readable = to_connect::readable(&descriptors::message(&file, &path)?, &self.0, version)?;
        Ok((Some(readable.schema.clone()), readable))
    }

    fn read(reading: &Readable, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        reading.cell(body, most, out).map(|()| true)
    }

    fn own(&self, schema: Option<&Schema>) -> Result<Own, String> {
        let schema = schema.ok_or("a value without schema has no Protobuf schema; give records a schema")?;
        let written = from_connect::written(schema, &self.0)?;
        Ok(Own { text: written.text, name: written.name })
    }

    fn writing(
        &self,
        schema: Option<&Schema>,
        text: &str,
        references: &[(String, String)],
    ) -> Result<WritePlan, String> {
        let schema = schema.ok_or("a value without schema has no Protobuf schema")?;
        let file = descriptors::file(text, references)?;
        // The message of the schema's name, or the first one.
        let own = from_connect::written(schema, &self.0)?.name;
        let named = file.messages().find(|message| message.full_name() == own);
        let message = named.or_else(|| file.messages().next()).ok_or("the schema has no message")?;
        let path = descriptors::path(&file, &message);
        WritePlan::new(schema, &message, path, &self.0)
    }

    fn write(writing: &WritePlan, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        writing.cell(cell, most, out)
    }

    fn registers_for_null(_: &Schema) -> bool {
        false
    }

    fn write_null(_: &Schema, _: Option<&WritePlan>, _: &mut Vec<u8>) -> Result<bool, String> {
        Ok(false)
    }

    fn not_read(topic: &str, why: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Protobuf: {why}")
    }

    fn not_written(topic: &str, why: &str) -> String {
        format!("Failed to serialize Protobuf data from topic {topic}: {why}")
    }
}
