//! What no record and no schema may do: bring the converter down, keep it busy, or fill the memory.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_data::decode_cell;

use super::settings::DataSettings;
use super::to_connect;
use crate::json::SchemaReading;
use crate::support::cases;

/// Bytes that a batch may grow to in these tests, and a record more.
const MOST: usize = 1 << 20;

fn refused(schema: &Json) -> String {
    to_connect::schema(&schema.to_string(), &[], &DataSettings::default(), None).unwrap_err()
}

#[test]
fn records_that_are_cut_or_changed_anywhere_are_a_fault_or_another_record() {
    for (number, case) in cases("to_json_schema.jsonl").iter().enumerate() {
        let text = case["json_schema"].to_string();
        let Ok(schema) = to_connect::schema(&text, &[], &DataSettings::default(), None) else { continue };
        let reading = SchemaReading::new(&schema);
        let bytes = case["in"].as_str().unwrap().as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= [0x01, 0x20, 0x80][(number + at) % 3];
            for record in [&bytes[..at], &changed] {
                let mut out = Vec::new();
                if let Ok(true) = reading.cell(record, MOST, &mut out) {
                    assert!(decode_cell(Some(&schema), &out).is_ok(), "{text} {record:?}");
                }
            }
        }
    }
}

#[test]
fn schemas_that_refer_to_one_another_in_rings_are_refused() {
    let began = Instant::now();
    let to_self = json!({"$ref": "#/definitions/A", "definitions": {"A": {"$ref": "#/definitions/A"}}});
    assert!(refused(&to_self).contains("holds itself"));
    let twice = json!([{"$ref": "#/definitions/A"}, {"$ref": "#/definitions/A"}]);
    let ring = json!({"allOf": twice, "definitions": {"A": {"allOf": twice}}});
    assert_eq!(refused(&ring), "nested deeper than 128");
    // Sixty schemas, each of which is twice the one before.
    let mut definitions = serde_json::Map::from_iter([("A0".to_owned(), json!({"type": "object"}))]);
    for number in 1..60 {
        let before = json!({"$ref": format!("#/definitions/A{}", number - 1)});
        definitions.insert(format!("A{number}"), json!({"allOf": [before, before]}));
    }
    let doubling = json!({"allOf": [{"$ref": "#/definitions/A59"}], "definitions": definitions});
    assert!(refused(&doubling).contains("refer to one another too often"), "{}", refused(&doubling));
    let wide: Vec<Json> = (0..20_000).map(|_| json!({"type": "integer"})).collect();
    assert!(refused(&json!({"oneOf": wide})).contains("nodes"));
    let mut deep = json!({"type": "integer"});
    (0..60).for_each(|_| deep = json!({"type": "array", "items": deep}));
    assert!(to_connect::schema(&deep.to_string(), &[], &DataSettings::default(), None).is_ok());
    (0..200).for_each(|_| deep = json!({"type": "array", "items": deep}));
    assert!(!refused(&deep).is_empty());
    for bad in [json!(5), json!(false), json!({"type": "thing"}), json!({"$ref": "nowhere"}), json!({"type": []})] {
        assert!(!refused(&bad).is_empty());
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn unions_do_not_keep_a_large_record_waiting() {
    let branch = |number: usize| json!({"type": "object", "properties": {format!("p{number}"): {"type": "integer"}}});
    let wide: Vec<Json> = (0..2_000).map(branch).collect();
    let schema = json!({"oneOf": wide}).to_string();
    let schema = to_connect::schema(&schema, &[], &DataSettings::default(), None).unwrap();
    let members: Vec<String> = (0..100_000).map(|number| format!("\"q{number}\":1")).collect();
    let record = format!("{{{}}}", members.join(","));
    let began = Instant::now();
    let refused = SchemaReading::new(&schema).cell(record.as_bytes(), MOST, &mut Vec::new()).unwrap_err();
    assert!(refused.contains("too many for a record"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(20));
}
