//! Fuzz targets of what reads records and schemas of every format. What was read is written and read again, and is the
//! same.

mod avro;
mod json_schema;
mod plain;
mod protobuf;
mod registry;

#[path = "../../../../tests/fuzz/mod.rs"]
mod fuzzing;

use fuzzing::fuzz;
use weir_data::{Schema, Value, decode_cell};

use crate::support::random::same;

/// Bytes that a batch may grow to, and a record more.
const MOST: usize = 1 << 20;

const JSON: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "-0.0",
    "1e400",
    "\\ud83d",
    "\\u0000",
    "\"type\"",
    "\"name\"",
    "\"items\"",
    "\"fields\"",
    "\"default\"",
    "\"optional\"",
    "\u{feff}",
    "NaN",
    " ",
];

fn answer<T>(result: Result<T, String>) -> String {
    result.err().unwrap_or_else(|| "fine".into())
}

/// The value of a cell that a reader made: it fits its schema.
fn value(schema: Option<&Schema>, cell: &[u8]) -> Value {
    assert!(cell.len() <= MOST + (64 << 10), "{} bytes", cell.len());
    decode_cell(schema, cell).unwrap_or_else(|bad| panic!("{bad}: {schema:?} {}", cell.escape_ascii()))
}

fn assert_same(one: &Value, other: &Value) {
    assert!(same(one, other), "{one:?}\n{other:?}");
}
