//! Values and schemas of every kind through the formats whose schemas stand in a registry, and back: equal but for
//! what a format does not carry by Confluent's rules, which each file here says as a normalisation.

mod avro;
mod json_schema;
mod protobuf;

use serde_json::Value as Json;
use weir_data::{Node, Schema, Value, decode_cell};

use crate::schema_registry::{Format, Registered};
use crate::support::random::{self, Names, Random, cell};

/// A schema and a value of it, with names that every format takes.
fn typed(seed: u64, depth: usize) -> (Schema, Value) {
    let random = &mut Random(seed);
    let schema = random::schema(random, Names::Plain, depth);
    let value = random::value(random, &schema, 0);
    (schema, value)
}

/// A value to its record and back, by the schema that would be registered for it.
fn through<F: Format>(format: &F, schema: Option<&Schema>, value: &Value) -> Result<(Option<Schema>, Value), String> {
    let own = format.own(schema)?;
    let writing = format.writing(schema, &own.text, &[])?;
    let mut record = Vec::new();
    match (cell(schema, value), schema) {
        (Some(cell), _) => F::write(&writing, &cell, usize::MAX, &mut record)?,
        (None, Some(schema)) => {
            let plan = F::registers_for_null(schema).then_some(&writing);
            if !F::write_null(schema, plan, &mut record)? {
                return Ok((None, Value::Null));
            }
        }
        (None, None) => return Ok((None, Value::Null)),
    }
    let found =
        Registered { id: 1, schema: own.text, kind: F::KIND.to_owned(), references: Vec::new(), said: Json::Null };
    let (selector, body) = record.split_at(F::selector(&record)?);
    let (schema, reading) = format.reading(&found, selector, None)?;
    let mut cell = Vec::new();
    let present = F::read(&reading, body, usize::MAX, &mut cell)?;
    let value = present.then(|| decode_cell(schema.as_ref(), &cell).unwrap());
    Ok((schema, value.unwrap_or(Value::Null)))
}

/// A schema, a node a line.
fn shown(schema: &Schema) -> Vec<String> {
    schema.nodes().iter().map(|node| format!("{node:?}")).collect()
}

/// The schema with every node changed.
fn with_nodes(schema: &Schema, mut change: impl FnMut(usize, &mut Node)) -> Schema {
    let mut nodes = schema.nodes().to_vec();
    nodes.iter_mut().enumerate().for_each(|(at, node)| change(at, node));
    Schema::new(nodes).unwrap()
}
