//! What no bytes and no schema may do: bring the converter down, keep it busy, or fill the memory.

use std::hash::{Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use weir_data::{Node, Schema, Type, Value, decode_cell, encode_cell};

use super::names::DataSettings;
use super::schema::AvroSchema;
use super::write_plan::WritePlan;
use super::{from_connect, print, read, to_connect};
use crate::support::{base64, cases};

/// Bytes that a batch may grow to in these tests, and a record more.
const MOST: usize = 1 << 20;

fn readable(schema: &serde_json::Value) -> Result<to_connect::Readable, String> {
    to_connect::readable(&AvroSchema::parse(&schema.to_string(), &[])?, &DataSettings::default(), None)
}

fn converted(schema: &serde_json::Value, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    readable(schema)?.cell(bytes, MOST, &mut out).map(|_| out)
}

#[test]
fn records_that_are_cut_or_changed_anywhere_are_a_fault_or_another_record() {
    let began = Instant::now();
    for (number, case) in cases("to_avro.jsonl").iter().enumerate() {
        let bytes = base64(case["in"].as_str().unwrap());
        let Ok(readable) = readable(&case["avro"]) else { continue };
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x80, 0xff][(number + at) % 3];
            for record in [&bytes[..at], &changed] {
                let mut out = Vec::new();
                let read = readable.cell(record, MOST, &mut out);
                assert!(out.len() <= MOST + (64 << 10), "{} bytes", out.len());
                if let Ok(true) = read {
                    assert!(decode_cell(Some(&readable.schema), &out).is_ok(), "{} {record:?}", case["avro"]);
                }
            }
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn counts_and_lengths_that_lie_end_early() {
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]; // the highest long
    let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]; // the lowest
    let empty = json!({"type": "record", "name": "E", "fields": []});
    let nothing = json!({"type": "fixed", "name": "F", "size": 0});
    for items in [json!("int"), json!("string"), empty, nothing, json!({"type": "array", "items": "int"})] {
        for count in [huge, least] {
            for schema in [json!({"type": "array", "items": items}), json!({"type": "map", "values": items})] {
                let began = Instant::now();
                let bytes = [&count[..], &[0; 32]].concat();
                assert!(converted(&schema, &bytes).is_err(), "{schema}");
                assert!(began.elapsed() < Duration::from_secs(10), "{schema}");
            }
        }
    }
    for length in [huge, least] {
        assert!(converted(&json!("string"), &length).is_err());
        assert!(converted(&json!(["null", "bytes"]), &[&[2], &length[..]].concat()).is_err());
        assert!(converted(&json!(["null", "int"]), &length).is_err());
        assert!(converted(&json!({"type": "enum", "name": "E", "symbols": ["A"]}), &length).is_err());
    }
    assert_eq!(converted(&json!("long"), &[0xff; 11]).unwrap_err(), "Invalid long encoding");
    let bytes = json!({"type": "fixed", "name": "F", "size": 1u64 << 60});
    assert!(converted(&bytes, b"abc").is_err());
}

#[test]
fn the_last_of_a_key_that_comes_twice_counts() {
    let map = json!({"type": "map", "values": "int"});
    // Two blocks: a=1, b=2, then a=3.
    let cell = converted(&map, &[4, 2, b'a', 2, 2, b'b', 4, 2, 2, b'a', 6, 0]).unwrap();
    assert_eq!(cell, [0xa2, 0x61, b'a', 3, 0x61, b'b', 2]);
}

#[test]
fn schemas_that_lie_are_refused() {
    let mut deep = json!("int");
    (0..100).for_each(|_| deep = json!({"type": "array", "items": deep}));
    assert!(readable(&deep).is_ok());
    // serde_json itself reads no more than 128 levels.
    (0..200).for_each(|_| deep = json!({"type": "array", "items": deep}));
    assert!(readable(&deep).is_err());
    let list = json!({"type": "record", "name": "L", "fields": [
        {"name": "value", "type": "int"}, {"name": "next", "type": ["null", "L"], "default": null}]});
    assert!(readable(&list).unwrap_err().contains("the schema L holds itself"));
    // Sixty records, each with two fields of the one before: spelled out they are 2^60.
    let mut doubling: Vec<String> = vec![json!({"type": "record", "name": "R0", "fields": []}).to_string()];
    for number in 1..60 {
        let field = |name: &str| json!({"name": name, "type": format!("R{}", number - 1)});
        let record = json!({"type": "record", "name": format!("R{number}"), "fields": [field("a"), field("b")]});
        doubling.push(record.to_string());
    }
    let (last, before) = doubling.split_last().unwrap();
    let avro = AvroSchema::parse(last, before).unwrap();
    let refused = to_connect::readable(&avro, &DataSettings::default(), None).unwrap_err();
    assert!(refused.contains("more than 10000 nodes"), "{refused}");
    for bad in [json!(5), json!({}), json!("nothing"), json!([["int"]]), json!({"type": "record", "name": "R"})] {
        assert!(AvroSchema::parse(&bad.to_string(), &[]).is_err(), "{bad}");
    }
    // A default that holds itself is no default that could be written.
    let circular = json!({"type": "record", "name": "R", "fields": [{"name": "r", "type": "R", "default": {}}]});
    let avro = AvroSchema::parse(&circular.to_string(), &[]).unwrap();
    let empty = Schema::record([]).named("R");
    assert!(WritePlan::new(&empty, &avro, &DataSettings::default()).is_err());
}

#[test]
fn values_without_schema_are_bounded_in_depth() {
    // An array in an array, and so on: seven members that are null, then one block of one element.
    let nested: Vec<u8> = [0, 0, 0, 0, 0, 0, 0, 2, 2].repeat(10_000);
    let refused = read::anything(&nested, MOST, &mut Vec::new()).unwrap_err();
    assert!(refused.contains("nested deeper than 128"), "{refused}");
}

fn leaf() -> impl Strategy<Value = (Schema, Value)> {
    let scalar = |kind: Type| Schema::of(Node::new(kind));
    prop_oneof![
        any::<i8>().prop_map(move |n| (scalar(Type::Int8), Value::from(i64::from(n)))),
        any::<i32>().prop_map(move |n| (scalar(Type::Int32), Value::from(n))),
        any::<i64>().prop_map(move |n| (scalar(Type::Int64), Value::from(n))),
        any::<f32>().prop_filter("one NaN", |f| !f.is_nan()).prop_map(move |n| (scalar(Type::Float32), Value::from(n))),
        any::<f64>().prop_filter("one NaN", |f| !f.is_nan()).prop_map(move |n| (scalar(Type::Float64), Value::from(n))),
        any::<bool>().prop_map(move |b| (scalar(Type::Boolean), Value::from(b))),
        ".{0,8}".prop_map(move |text| (scalar(Type::String), Value::from(text.as_str()))),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(move |bytes| (scalar(Type::Bytes), Value::from(bytes))),
    ]
}

fn typed() -> impl Strategy<Value = (Schema, Value)> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(schema, value)| (Schema::array(schema), Value::Array(vec![value.clone(), value]))),
            (inner.clone(), ".{0,4}").prop_map(|((schema, value), key)| {
                let keys = Schema::of(Node::new(Type::String));
                (Schema::map(keys, schema), Value::Map(vec![(Value::from(key.as_str()), value)]))
            }),
            (inner.clone(), any::<i32>()).prop_map(|((schema, value), key)| {
                // A name stands for one schema: in Avro two that share it are one, and only what Avro tells apart is refused.
                let mut hasher = std::hash::DefaultHasher::new();
                format!("{schema:?}").hash(&mut hasher);
                let name = format!("m.Entry{}", hasher.finish());
                let map = Schema::map(Schema::of(Node::new(Type::Int32)), schema);
                (map.named(&name), Value::Map(vec![(Value::from(key), value)]))
            }),
            (prop::collection::vec(inner, 0..4), any::<u32>(), any::<bool>()).prop_map(|(fields, bits, named)| {
                let names: Vec<String> = (0..fields.len()).map(|at| format!("f{at}")).collect();
                let optional = |at: usize| bits >> at & 1 == 1;
                let schemas = fields.iter().enumerate().map(|(at, (schema, _))| {
                    let schema = schema.clone();
                    (names[at].as_str(), if optional(at) { schema.optional() } else { schema })
                });
                let schema = Schema::record(schemas);
                let value = |(at, (_, value)): (usize, (Schema, Value))| {
                    if optional(at) && bits >> (at + 8) & 1 == 1 { Value::Null } else { value }
                };
                let schema = if named { schema.named(&format!("r.R{bits}")) } else { schema };
                (schema, Value::Struct(fields.into_iter().enumerate().map(value).collect()))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn values_survive_avro((schema, value) in typed()) {
        let settings = DataSettings::default();
        let text = print::text(&from_connect::avro(&schema, &settings).unwrap());
        // Types that share a name are one in Avro; where they differ, the plan says so.
        let avro = AvroSchema::parse(&text, &[]).unwrap();
        let Ok(plan) = WritePlan::new(&schema, &avro, &settings) else { return Ok(()) };
        let (mut cell, mut record, mut back) = (Vec::new(), Vec::new(), Vec::new());
        encode_cell(Some(&schema), &value, &mut cell).unwrap();
        plan.cell(&cell, MOST, &mut record).unwrap();
        let readable = to_connect::readable(&avro, &settings, None).unwrap();
        prop_assert!(readable.cell(&record, MOST, &mut back).unwrap());
        prop_assert_eq!(&back, &cell);
        prop_assert_eq!(readable.schema.nodes().len(), schema.nodes().len());
        for (was, is) in schema.nodes().iter().zip(readable.schema.nodes()) {
            prop_assert_eq!((&was.kind, was.optional, &was.name), (&is.kind, is.optional, &is.name));
        }
    }

    #[test]
    fn cells_that_are_not_what_their_schema_says_are_a_fault(
        (schema, _) in typed(),
        cell in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let settings = DataSettings::default();
        let avro = from_connect::avro(&schema, &settings).unwrap();
        if let Ok(plan) = WritePlan::new(&schema, &avro, &settings) {
            let _ = plan.cell(&cell, MOST, &mut Vec::new());
        }
        let _ = super::write::anything(&cell, MOST, &mut Vec::new());
        let _ = read::anything(&cell, MOST, &mut Vec::new());
    }
}
