//! Protobuf: schemas, as text and as descriptors, and records of them.

use super::{MOST, answer, assert_same, fuzz, value};
use crate::protobuf::fuzzed::{ALL, Plans, plans, samples, serialized};

const WORDS: [&str; 24] = [
    "syntax = \"proto3\";",
    "message ",
    "enum ",
    "oneof ",
    "map<string, int32> ",
    "repeated ",
    "optional ",
    "import ",
    "\"google/protobuf/timestamp.proto\";",
    "extend ",
    "extensions 1 to max;",
    "reserved ",
    "package ",
    "option ",
    "{",
    "}",
    ";",
    " = 1",
    "[",
    "]",
    "google.protobuf.Any",
    "group ",
    "service ",
    "//",
];

#[test]
fn protobuf_schemas() {
    let seeds = samples().into_iter().map(|text| text.as_bytes().to_vec());
    fuzz("protobuf_schema", seeds, &WORDS, |bytes| answer(plans(&String::from_utf8_lossy(bytes)).map(drop)));
}

/// Descriptors in base64, as some clients register them.
#[test]
fn protobuf_descriptors() {
    let seeds = samples().into_iter().map(serialized);
    fuzz("protobuf_descriptor", seeds, &[], |bytes| {
        let mut text = Vec::new();
        weir_data::base64::encode(bytes, &mut text);
        answer(plans(&String::from_utf8(text).unwrap()).map(drop))
    });
}

#[test]
fn protobuf_records() {
    let plans: Plans = plans(ALL).unwrap();
    let seeds = [
        vec![8, 1, 16, 3, 29, 1, 0, 0, 0, 42, 1, b'a', 50, 1, 0xff],
        vec![58, 3, 1, 2, 3, 66, 7, 10, 1, b'k', 18, 2, 8, 5, 74, 2, 8, 1, 82, 1, b'x'],
        vec![96, 1, 106, 4, 8, 1, 16, 2, 114, 2, 8, 1, 120, 1, 0x85, 1, 0, 0, 0x80, 0x3f],
    ];
    fuzz("protobuf", seeds, &[], |record| {
        let mut cell = Vec::new();
        if let Err(why) = plans.read(record, MOST, &mut cell) {
            return why;
        }
        let was = value(Some(plans.schema()), &cell);
        let (mut written, mut again) = (Vec::new(), Vec::new());
        // Symbols that the enum does not know have no number to be written as.
        if let Err(why) = plans.write(&cell, MOST, &mut written) {
            return format!("not written: {why}");
        }
        plans.read(&written[1..], usize::MAX, &mut again).unwrap();
        assert_same(&value(Some(plans.schema()), &again), &was);
        "fine".into()
    });
}

/// The positions that records begin with.
#[test]
fn protobuf_positions() {
    fuzz("protobuf_path", [vec![0], vec![4, 2, 0], vec![0x80, 1]], &[], |bytes| {
        answer(crate::protobuf::fuzzed::positions(bytes))
    });
}
