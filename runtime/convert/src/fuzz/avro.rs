//! Avro: schemas, and records of them.

use super::{JSON, MOST, answer, assert_same, fuzz, value};
use crate::avro::fuzzed::{Plans, anything, plans, schema};
use crate::support::carried::{self, Defaults};
use crate::support::{base64, cases};

const WORDS: [&str; 14] = [
    "\"record\"",
    "\"enum\"",
    "\"symbols\"",
    "\"fixed\"",
    "\"size\"",
    "\"map\"",
    "\"values\"",
    "\"namespace\"",
    "\"logicalType\"",
    "\"connect.parameters\"",
    "\"connect.default\"",
    "\"connect.type\"",
    "\"int\"",
    "[\"null\",",
];

/// A schema that is read has a Connect schema or says why not; that has an Avro schema, which is read again.
#[test]
fn avro_schemas() {
    let seeds = cases("to_avro.jsonl").into_iter().step_by(7).map(|case| case["avro"].to_string().into_bytes());
    let words = [&JSON[..], &WORDS].concat();
    fuzz("avro_schema", seeds, &words, |bytes| answer(schema(&String::from_utf8_lossy(bytes))));
}

/// The first two bytes choose a schema.
#[test]
fn avro_records() {
    let known: Vec<(Plans, Vec<u8>)> = cases("to_avro.jsonl")
        .into_iter()
        .step_by(5)
        .filter_map(|case| Some((plans(&case["avro"].to_string()).ok()?, base64(case["in"].as_str()?))))
        .collect();
    let seeds: Vec<Vec<u8>> =
        known.iter().enumerate().map(|(at, (_, record))| [&(at as u16).to_be_bytes()[..], record].concat()).collect();
    fuzz("avro", seeds, &[], |bytes| {
        let Some((chosen, record)) = bytes.split_first_chunk::<2>() else { return String::new() };
        let (plans, _) = &known[usize::from(u16::from_be_bytes(*chosen)) % known.len()];
        let mut cell = Vec::new();
        match plans.read(record, MOST, &mut cell) {
            Err(why) => return why,
            Ok(false) => return "null".into(),
            Ok(true) => {}
        }
        let was = value(Some(plans.schema()), &cell);
        let (mut written, mut again) = (Vec::new(), Vec::new());
        if let Err(why) = plans.write(&cell, MOST, &mut written) {
            return format!("not written: {why}");
        }
        assert!(plans.read(&written, usize::MAX, &mut again).unwrap());
        // A null is written as the default that its field has.
        let expected = carried::value(plans.schema(), 0, was, carried::exact, Defaults::OfFields);
        assert_same(&value(Some(plans.schema()), &again), &expected);
        "fine".into()
    });
}

/// Values without schema.
#[test]
fn avro_anything() {
    let seeds = [vec![0, 0, 0, 0, 0, 2, 14, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 2, 2].repeat(3), vec![2, 1, 2, 2, 7]];
    fuzz("avro_anything", seeds, &[], |record| {
        let (mut cell, mut written, mut again) = (Vec::new(), Vec::new(), Vec::new());
        match anything(record, &mut cell) {
            Err(why) => return why,
            Ok(false) => return "null".into(),
            Ok(true) => {}
        }
        let was = value(None, &cell);
        if let Err(why) = crate::avro::fuzzed::write_anything(&cell, &mut written) {
            return format!("not written: {why}");
        }
        assert!(anything(&written, &mut again).unwrap());
        assert_same(&value(None, &again), &was);
        "fine".into()
    });
}
