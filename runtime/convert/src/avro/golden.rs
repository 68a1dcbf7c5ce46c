//! Holds the mapping between Avro and Connect against what Confluent's AvroData answered (`tests/golden/README.md`).

use std::collections::BTreeMap;

use serde_json::Value as Json;
use weir_core::model::SchemaHandle;
use weir_data::{Field, Schema, Type, Value, decode_cell, encode_cell};

use super::names::{self, DataSettings};
use super::schema::AvroSchema;
use super::write_plan::WritePlan;
use super::{from_connect, print, read, to_connect, write};
use crate::support::{self, base64, cases, same_typed, schema_text, typed_value};

fn settings(case: &Json) -> DataSettings {
    let on = |key: &str, default: bool| case["config"][key].as_str().map_or(default, |value| value == "true");
    let defaults = DataSettings::default();
    DataSettings {
        enhanced: on("enhanced.avro.schema.support", defaults.enhanced),
        connect_meta_data: on("connect.meta.data", defaults.connect_meta_data),
        scrub_invalid_names: on("scrub.invalid.names", defaults.scrub_invalid_names),
        discard_type_doc_default: on("discard.type.doc.default", defaults.discard_type_doc_default),
        allow_optional_map_keys: on("allow.optional.map.keys", defaults.allow_optional_map_keys),
        flatten_singleton_unions: on("flatten.singleton.unions", defaults.flatten_singleton_unions),
        ignore_default_for_nullables: on("ignore.default.for.nullables", defaults.ignore_default_for_nullables),
    }
}

/// Schema and cell of a case.
fn converted(case: &Json) -> Result<(Option<SchemaHandle>, Option<Vec<u8>>), String> {
    let avro = AvroSchema::parse(&case["avro"].to_string(), &[])?;
    let (bytes, mut cell) = (base64(case["in"].as_str().unwrap()), Vec::new());
    if avro.root().full_name() == names::ANYTHING {
        let present = read::anything(&bytes, usize::MAX, &mut cell)?;
        return Ok((None, present.then_some(cell)));
    }
    let version = case["version"].as_i64().map(|version| version as i32);
    let readable = to_connect::readable(&avro, &settings(case), version)?;
    let present = readable.cell(&bytes, usize::MAX, &mut cell)?;
    Ok((Some(SchemaHandle::new(readable.schema)), present.then_some(cell)))
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Cases that `DIFFERENCES.md` explains.
fn known_difference(case: &Json) -> bool {
    let of_registry = case["version"] == 2 && case["avro"].get("connect.version").is_none();
    let mismatched = case["error"].as_str().is_some_and(|error| error.starts_with("Mismatched versions"));
    // Avro's library of version 1.12.0 rounds doubles in arrays to floats.
    (mismatched && of_registry) || case["avro"].to_string().contains(r#""items":"double""#)
}

#[test]
fn avro_becomes_what_confluent_makes_of_it() {
    check_to_connect("to_avro.jsonl");
}

fn check_to_connect(file: &str) {
    let mut wrong = Vec::new();
    for case in cases(file) {
        if known_difference(&case) {
            continue;
        }
        let problem = match (converted(&case), case.get("exception").map(|_| &case["error"])) {
            (Err(_), Some(_)) => None,
            (Err(message), None) => Some(message),
            (Ok(converted), Some(expected)) => Some(format!("{converted:?} instead of {expected}")),
            // Connect's converter gives a null without its schema.
            (Ok((_, None)), None) if case["value"].is_null() => None,
            (Ok((schema, cell)), None) => {
                let text = schema.as_ref().map(schema_text);
                let schema = schema.as_ref().map(SchemaHandle::schema);
                let value = cell.map_or(Value::Null, |cell| decode_cell(schema, &cell).unwrap());
                let same = same_typed(schema.map(|schema| (schema, 0)), &value, &case["value"]);
                match text.as_deref() == case["schema"].as_str() {
                    false => Some(format!("{}\n    instead of\n    {}", text.unwrap_or_default(), case["schema"])),
                    true => (!same).then(|| format!("{value:?} instead of {}", case["value"])),
                }
            }
        };
        wrong.extend(problem.map(|problem| format!("{} {}\n    {problem}", case["avro"], case["config"])));
    }
    report(&wrong);
}

/// The Avro schema and record of a case; none for null.
fn written(case: &Json) -> Result<(String, Option<Vec<u8>>), String> {
    let (schema, settings) = (support::parse_schema(&case["schema"]), settings(case));
    let mut value = typed_value(&case["value"]);
    if let Some(schema) = &schema {
        value = support::dated(schema.schema(), 0, value);
    }
    let mut cell = Vec::new();
    let relaxed = schema.as_ref().map(|schema| support::all_optional(schema.schema()));
    encode_cell(relaxed.as_ref(), &value, &mut cell).unwrap();
    let mut out = Vec::new();
    let Some(schema) = &schema else {
        let present = value != Value::Null;
        if present {
            write::anything(&cell, usize::MAX, &mut out)?;
        }
        return Ok((print::text(&from_connect::anything()), present.then_some(out)));
    };
    let avro = from_connect::avro(schema.schema(), &settings)?;
    let text = print::text(&avro);
    // What is written is read again as a registry would.
    let read = AvroSchema::parse(&text, &[]);
    let plan = WritePlan::new(schema.schema(), read.as_ref().unwrap_or(&avro), &settings)?;
    if value == Value::Null {
        let null = schema.schema().root().optional;
        return if null { Ok((text, None)) } else { Err("Found null value for non-optional schema".into()) };
    }
    plan.cell(&cell, usize::MAX, &mut out)?;
    Ok((text, Some(out)))
}

/// A value whose structs are maps by the sorted names of their fields.
fn by_name(schema: &Schema, at: u32, value: Value) -> Value {
    let inside = |at: u32, values: Vec<Value>| values.into_iter().map(|value| by_name(schema, at, value)).collect();
    match (&schema.node(at).kind, value) {
        (Type::Struct(fields), Value::Struct(values)) => {
            let named = |(field, value): (&Field, Value)| (field.name.clone(), by_name(schema, field.node, value));
            let sorted: BTreeMap<String, Value> = fields.iter().zip(values).map(named).collect();
            Value::Map(sorted.into_iter().map(|(name, value)| (Value::from(name), value)).collect())
        }
        (Type::Array(element), Value::Array(values)) => Value::Array(inside(*element, values)),
        (Type::Map { value, .. }, Value::Map(entries)) => {
            Value::Map(entries.into_iter().map(|(key, entry)| (key, by_name(schema, *value, entry))).collect())
        }
        (_, value) => value,
    }
}

/// Whether a record reads as the values that were written, under whatever types, fields in any order.
fn holds(text: &str, record: &[u8], case: &Json) -> bool {
    let written = support::parse_schema(&case["schema"]).unwrap();
    let value = support::dated(written.schema(), 0, typed_value(&case["value"]));
    let readable =
        AvroSchema::parse(text, &[]).and_then(|avro| to_connect::readable(&avro, &DataSettings::default(), None));
    let (readable, mut cell) = (readable.unwrap(), Vec::new());
    if !matches!(readable.cell(record, usize::MAX, &mut cell), Ok(true)) {
        return false;
    }
    let read = decode_cell(Some(&readable.schema), &cell).unwrap();
    by_name(&readable.schema, 0, read) == by_name(written.schema(), 0, value)
}

/// What Confluent answers otherwise where it writes what nobody can read, or another value: see `DIFFERENCES.md`.
fn is_better(written: &Result<(String, Option<Vec<u8>>), String>, case: &Json) -> bool {
    if !case["twins"].is_string() {
        return false;
    }
    let theirs = case["out"].as_str().is_some_and(|out| holds(case["avro"].as_str().unwrap(), &base64(out), case));
    let ours = written.as_ref().ok().and_then(|(text, out)| Some(holds(text, out.as_ref()?, case)));
    !theirs && ours != Some(false)
}

#[test]
fn connect_becomes_the_avro_that_confluent_makes_of_it() {
    check_from_connect("from_avro.jsonl");
}

/// Two schemas of one name, which are one in Avro: the first one's. Values of the second are written as they are where
/// Avro has the same bytes for both, and read back as the first one's type.
#[test]
fn schemas_of_one_name_are_the_first_of_them_as_in_confluents() {
    check_from_connect("from_avro_twins.jsonl");
    check_to_connect("to_avro_twins.jsonl");
}

fn check_from_connect(file: &str) {
    let mut wrong = Vec::new();
    for case in cases(file) {
        let written = written(&case);
        if is_better(&written, &case) {
            continue;
        }
        let problem = match (written, case["error"].as_str()) {
            (Err(_), Some(_)) => None,
            (Err(message), None) => Some(message),
            (Ok(written), Some(expected)) => Some(format!("{written:?} instead of {expected}")),
            (Ok((text, out)), None) => {
                let expected = case["out"].as_str().map(base64);
                if case["avro"] != text.as_str() {
                    Some(format!("{text}\n    instead of\n    {}", case["avro"].as_str().unwrap()))
                } else {
                    (out != expected).then(|| format!("{out:?} instead of {expected:?}"))
                }
            }
        };
        let said = || format!("{} {} {}", case["config"], case["schema"], case["value"]);
        wrong.extend(problem.map(|problem| format!("{}\n    {problem}", said())));
    }
    report(&wrong);
}
