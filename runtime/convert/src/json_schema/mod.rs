//! JsonSchemaConverter: records in JSON whose schemas, in JSON Schema, stand in a schema registry. Schemas map to
//! Connect's as Confluent's JsonSchemaData maps them; records are transcoded as JsonConverter's are.

mod from_connect;
#[cfg(test)]
pub(crate) mod fuzzed;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
mod settings;
mod to_connect;

use serde_json::Value as Json;
use weir_core::model::Problem;
use weir_data::Schema;

use crate::json::{SchemaReading, SchemaWriting};
use crate::schema_registry::{Format, Http, Own, Registered, RegistryConverter};
use settings::DataSettings;

pub(crate) use settings::{JsonSchemaSettings, json_schema_keys};

/// JSON with JSON Schema.
pub(crate) struct JsonSchema(DataSettings);

/// JsonSchemaConverter.
pub(crate) type JsonSchemaConverter = RegistryConverter<JsonSchema>;

/// A converter with these settings.
pub(crate) fn converter(
    settings: JsonSchemaSettings,
    is_key: bool,
    http: &Http,
) -> Result<JsonSchemaConverter, Vec<Problem>> {
    let JsonSchemaSettings { data, registry, usage, cache_size } = settings;
    RegistryConverter::new(JsonSchema(data), (registry, usage, cache_size), is_key, http)
}

fn parsed(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("the schema is not JSON: {error}"))
}

impl Format for JsonSchema {
    const KIND: &'static str = "JSON";
    const SHOWN: &'static str = "JSON";
    type Reading = SchemaReading;
    type Writing = SchemaWriting;

    fn name(&self, found: &Registered, _: &[u8]) -> Result<String, String> {
        Ok(parsed(&found.schema)?.get("title").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    fn reading(
        &self,
        found: &Registered,
        _: &[u8],
        version: Option<i32>,
    ) -> Result<(Option<Schema>, SchemaReading), String> {
        let schema = to_connect::schema(&found.schema, &found.references, &self.0, version)?;
        let plan = SchemaReading::new(&schema);
        Ok((Some(schema), plan))
    }

    fn read(reading: &SchemaReading, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        reading.cell(body, most, out)
    }

    fn own(&self, schema: Option<&Schema>) -> Result<Own, String> {
        let schema =
            schema.ok_or("a value without schema has no JSON Schema; give records a schema, or use JsonConverter")?;
        let json = from_connect::schema(schema, &self.0)?;
        let name = json.get("title").and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok(Own { text: json.to_string(), name })
    }

    /// Records are written by their own schema, whichever stands before them.
    fn writing(&self, schema: Option<&Schema>, _: &str, _: &[(String, String)]) -> Result<SchemaWriting, String> {
        let schema = schema.ok_or("a value without schema has no JSON Schema")?;
        SchemaWriting::new(schema, self.0.numeric_decimals, !self.0.ignore_default_for_nullables)
    }

    fn write(writing: &SchemaWriting, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        writing.cell(Some(cell), most, out)
    }

    fn registers_for_null(schema: &Schema) -> bool {
        schema.root().optional || schema.root().default.is_some()
    }

    fn write_null(_: &Schema, writing: Option<&SchemaWriting>, out: &mut Vec<u8>) -> Result<bool, String> {
        match writing {
            Some(writing) => writing.cell(None, usize::MAX, out).map(|()| true),
            None => Ok(false),
        }
    }

    fn not_read(topic: &str, why: &str) -> String {
        format!("Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}: {why}")
    }

    fn not_written(topic: &str, why: &str) -> String {
        format!("Converting Kafka Connect data to byte[] failed due to serialization error of topic {topic}: {why}")
    }
}
