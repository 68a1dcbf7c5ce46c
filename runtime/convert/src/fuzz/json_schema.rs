//! JSON Schema: schemas, and records of them.

use super::{JSON, MOST, answer, fuzz, value};
use crate::json::SchemaReading;
use crate::json_schema::fuzzed::{schema, there_and_back};
use crate::support::cases;

const WORDS: [&str; 14] = [
    "\"$ref\"",
    "\"#/definitions/A\"",
    "\"oneOf\"",
    "\"allOf\"",
    "\"anyOf\"",
    "\"properties\"",
    "\"connect.index\"",
    "\"connect.type\"",
    "\"enum\"",
    "\"const\"",
    "\"not\"",
    "\"required\"",
    "\"additionalProperties\"",
    "\"object\"",
];

#[test]
fn json_schemas() {
    let seeds = cases("to_json_schema.jsonl").into_iter().step_by(5);
    let words = [&JSON[..], &WORDS].concat();
    fuzz("json_schema_text", seeds.map(|case| case["json_schema"].to_string().into_bytes()), &words, |bytes| {
        answer(there_and_back(&String::from_utf8_lossy(bytes)))
    });
}

/// The first two bytes choose a schema.
#[test]
fn json_schema_records() {
    let known: Vec<_> = cases("to_json_schema.jsonl")
        .into_iter()
        .step_by(3)
        .filter_map(|case| Some((schema(&case["json_schema"].to_string()).ok()?, case["in"].as_str()?.to_owned())))
        .map(|(schema, record)| (SchemaReading::new(&schema), schema, record))
        .collect();
    let seeds: Vec<Vec<u8>> =
        (0u16..).zip(&known).map(|(at, (.., record))| [&at.to_be_bytes()[..], record.as_bytes()].concat()).collect();
    fuzz("json_schema", seeds, &JSON, |bytes| {
        let Some((chosen, record)) = bytes.split_first_chunk::<2>() else { return String::new() };
        let (reading, schema, _) = &known[usize::from(u16::from_be_bytes(*chosen)) % known.len()];
        let mut cell = Vec::new();
        match reading.cell(record, MOST, &mut cell) {
            Ok(true) => {
                value(Some(schema), &cell);
                "fine".into()
            }
            Ok(false) => "null".into(),
            Err(why) => why,
        }
    });
}
