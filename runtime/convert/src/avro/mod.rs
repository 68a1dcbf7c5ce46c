//! AvroConverter: records in Avro whose schemas stand in a schema registry, by straight transcoding between Avro and
//! CBOR cells. Schemas map to Connect's as Confluent's AvroData maps them.

mod default;
mod default_json;
mod from_connect;
#[cfg(test)]
pub(crate) mod fuzzed;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
mod names;
mod print;
mod read;
mod schema;
mod settings;
mod to_connect;
mod write;
mod write_plan;

use weir_core::model::Problem;
use weir_data::Schema;

use crate::schema_registry::{Format, Http, Own, Registered, RegistryConverter};
use names::DataSettings;
use schema::AvroSchema;
use to_connect::Readable;
use write_plan::WritePlan;

pub(crate) use settings::{AvroSettings, avro_keys};

/// Avro.
pub(crate) struct Avro(DataSettings);

/// AvroConverter.
pub(crate) type AvroConverter = RegistryConverter<Avro>;

/// A converter with these settings.
pub(crate) fn converter(settings: AvroSettings, is_key: bool, http: &Http) -> Result<AvroConverter, Vec<Problem>> {
    let AvroSettings { data, registry, usage, cache_size } = settings;
    RegistryConverter::new(Avro(data), (registry, usage, cache_size), is_key, http)
}

fn parsed(text: &str, references: &[(String, String)]) -> Result<AvroSchema, String> {
    let texts: Vec<String> = references.iter().map(|(_, schema)| schema.clone()).collect();
    AvroSchema::parse(text, &texts)
}

impl Format for Avro {
    const KIND: &'static str = "AVRO";
    const SHOWN: &'static str = "Avro";
    /// None for values without schema.
    type Reading = Option<Readable>;
    /// None for values without schema.
    type Writing = Option<WritePlan>;

    fn name(&self, found: &Registered, _: &[u8]) -> Result<String, String> {
        Ok(parsed(&found.schema, &found.references)?.root().full_name())
    }

    fn reading(
        &self,
        found: &Registered,
        _: &[u8],
        version: Option<i32>,
    ) -> Result<(Option<Schema>, Option<Readable>), String> {
        let avro = parsed(&found.schema, &found.references)?;
        if avro.root().full_name() == names::ANYTHING {
            return Ok((None, None));
        }
        let readable = to_connect::readable(&avro, &self.0, version)?;
        Ok((Some(readable.schema.clone()), Some(readable)))
    }

    fn read(reading: &Option<Readable>, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        match reading {
            Some(readable) => readable.cell(body, most, out),
            None => read::anything(body, most, out),
        }
    }

    fn own(&self, schema: Option<&Schema>) -> Result<Own, String> {
        let avro = match schema {
            Some(schema) => from_connect::avro(schema, &self.0)?,
            None => from_connect::anything(),
        };
        Ok(Own { text: print::text(&avro), name: avro.root().full_name() })
    }

    /// One's own schema, too, is read as those who read the records will: types that share a name are one there.
    fn writing(
        &self,
        schema: Option<&Schema>,
        text: &str,
        references: &[(String, String)],
    ) -> Result<Option<WritePlan>, String> {
        let avro = parsed(text, references)?;
        schema.map(|schema| WritePlan::new(schema, &avro, &self.0)).transpose()
    }

    fn write(writing: &Option<WritePlan>, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match writing {
            Some(plan) => plan.cell(cell, most, out),
            None => write::anything(cell, most, out),
        }
    }

    fn registers_for_null(_: &Schema) -> bool {
        false
    }

    fn write_null(schema: &Schema, _: Option<&Option<WritePlan>>, _: &mut Vec<u8>) -> Result<bool, String> {
        if schema.root().optional { Ok(false) } else { Err("Found null value for non-optional schema".into()) }
    }

    fn not_read(topic: &str, why: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Avro: {why}")
    }

    fn not_written(topic: &str, why: &str) -> String {
        format!("Failed to serialize Avro data from topic {topic}: {why}")
    }
}
