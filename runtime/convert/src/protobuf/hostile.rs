//! What no record and no schema may do: bring the converter down, keep it busy, or fill the memory.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_data::decode_cell;

use super::settings::DataSettings;
use super::to_connect::{Readable, readable};
use super::write::WritePlan;
use super::{descriptors, wire};

/// Bytes that a batch may grow to in these tests, and a record more.
const MOST: usize = 1 << 20;

/// A schema with a field of every kind.
pub(super) const ALL: &str = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; \
    message M { int32 a = 1; sint64 b = 2; fixed32 c = 3; double d = 4; string s = 5; bytes y = 6; \
    repeated int32 r = 7; map<string, N> m = 8; N n = 9; oneof o { string os = 10; N on = 11; } E e = 12; \
    google.protobuf.Timestamp t = 13; repeated N rn = 14; bool q = 15; optional float f = 16; \
    enum E { Z = 0; O = 1; } message N { int32 x = 1; repeated string t = 2; } }";

fn reading(text: &str) -> Result<Readable, String> {
    let file = descriptors::file(text, &[])?;
    readable(&descriptors::message(&file, &[0])?, &DataSettings::default(), None)
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_are_a_fault_or_a_record_that_is_written_again(
        fields in prop::collection::vec((1u32..18, 0u64..6, any::<u64>(), some_bytes()), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut record = Vec::new();
        for (number, wire_type, value, bytes) in fields {
            wire::tag(&mut record, number, wire_type);
            match wire_type {
                0 => wire::varint(&mut record, value),
                1 => record.extend_from_slice(&value.to_le_bytes()),
                2 => {
                    wire::varint(&mut record, bytes.len() as u64);
                    record.extend_from_slice(&bytes);
                }
                _ => record.extend_from_slice(&(value as u32).to_le_bytes()),
            }
        }
        record.extend_from_slice(&tail);
        let plan = reading(ALL).unwrap();
        let mut cell = Vec::new();
        if plan.cell(&record, MOST, &mut cell).is_ok() {
            prop_assert!(decode_cell(Some(&plan.schema), &cell).is_ok());
            let file = descriptors::file(ALL, &[]).unwrap();
            let message = descriptors::message(&file, &[0]).unwrap();
            let writing = WritePlan::new(&plan.schema, &message, vec![0], &DataSettings::default()).unwrap();
            let (mut written, mut again) = (Vec::new(), Vec::new());
            // Symbols that the enum does not know have no number to be written as.
            if writing.cell(&cell, MOST, &mut written).is_ok() {
                plan.cell(&written[1..], MOST, &mut again).unwrap();
                prop_assert_eq!(again, cell);
            }
        }
    }

    #[test]
    fn schemas_that_are_none_are_refused(text in ".{0,60}|(message|enum|oneof|import|[{}=;1\" x]|syntax){0,40}") {
        let _ = reading(&text);
    }
}

#[test]
fn lengths_and_positions_that_lie_end_early() {
    let plan = reading(ALL).unwrap();
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for field in [5u8, 6, 7, 8, 9] {
        let record = [&[field << 3 | 2][..], &huge, b"abc"].concat();
        assert!(plan.cell(&record, MOST, &mut Vec::new()).is_err());
    }
    assert!(plan.cell(&[0xff; 32], MOST, &mut Vec::new()).is_err());
    assert!(wire::message_path(&huge).is_err() && wire::message_path(&[]).is_err());
    // A hundred thousand entries of nothing take room that is counted.
    let many = [0x72, 0].repeat(1_000_000);
    let mut out = Vec::new();
    let refused = plan.cell(&many, MOST, &mut out).unwrap_err();
    assert!(refused.contains("bytes once they are converted") && out.len() < MOST + (64 << 10), "{refused}");
}

#[test]
fn the_last_of_a_key_that_comes_twice_counts() {
    let plan = reading("syntax = \"proto3\"; message M { map<string, int32> m = 1; }").unwrap();
    let mut cell = Vec::new();
    plan.cell(&[10, 5, 10, 1, b'a', 16, 1, 10, 5, 10, 1, b'a', 16, 3], MOST, &mut cell).unwrap();
    assert_eq!(cell, [0x81, 0xa1, 0x61, b'a', 3]);
}

#[test]
fn schemas_that_lie_are_refused() {
    let began = Instant::now();
    let deep = "message A {".repeat(50_000) + &"}".repeat(50_000);
    assert!(reading(&format!("syntax = \"proto3\"; {deep}")).is_err());
    // Sixty messages, each with two fields of the one before: spelled out they are 2^60.
    let mut doubling =
        String::from("syntax = \"proto3\"; message R59 { R58 a = 1; R58 b = 2; } message R0 { int32 x = 1; }");
    for number in 1..59 {
        let before = number - 1;
        doubling.push_str(&format!(" message R{number} {{ R{before} a = 1; R{before} b = 2; }}"));
    }
    assert!(reading(&doubling).unwrap_err().contains("more than 10000 nodes"));
    let itself = [("a.proto".to_owned(), "syntax = \"proto3\"; import \"a.proto\";".to_owned())];
    assert!(descriptors::file("syntax = \"proto3\"; import \"a.proto\";", &itself).is_err());
    assert!(began.elapsed() < Duration::from_secs(20));
}
