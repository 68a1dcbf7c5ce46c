//! JSON with and without envelope, headers, text, bytes and numbers, by their converters.

use weir_core::model::{BatchTables, SchemaHandle};
use weir_core::port::Converter;
use weir_data::{Cells, Column, Value};

use super::{JSON, assert_same, fuzz, value};
use crate::registry::{CLASSES, Role, converter};
use crate::support::carried::{self, Defaults};
use crate::support::random::same;
use crate::support::{cases, config, no_http, read, write};

fn column(record: &[u8]) -> Column {
    let mut column = Column::default();
    column.push(record);
    column
}

type Read = Result<(Option<SchemaHandle>, Value), String>;

fn to_connect(converter: &mut dyn Converter, record: Column) -> Read {
    let mut tables = BatchTables::default();
    let converted = read(converter, record, &mut tables);
    if let Some(fault) = converted.faults.first() {
        return Err(fault.fault.to_string());
    }
    let schema = tables.schemas[converted.cells.schema_of(0)].clone();
    let value = converted.cells.column.get(0).map(|cell| value(schema.as_ref().map(SchemaHandle::schema), cell));
    Ok((schema, value.unwrap_or(Value::Null)))
}

/// Reads a record, writes what it read, and reads that. What is written once is read as it was.
fn there_and_back(converter: &mut dyn Converter, record: &[u8]) -> String {
    let mut tables = BatchTables::default();
    let converted = read(converter, column(record), &mut tables);
    if let Some(fault) = converted.faults.first() {
        return fault.fault.to_string();
    }
    let schema = tables.schemas[converted.cells.schema_of(0)].clone();
    let was = converted.cells.column.get(0).map(|cell| value(schema.as_ref().map(SchemaHandle::schema), cell));
    let written = write(converter, converted.cells, &tables);
    if let Some(fault) = written.faults.first() {
        return format!("not written: {}", fault.fault);
    }
    let (again_schema, again) = to_connect(converter, written.bytes).expect("what a converter writes it reads");
    if let Some(again) = again_schema.filter(|_| again != Value::Null) {
        let left =
            schema.as_ref().map(|was| carried::defaults(was.schema(), carried::json_float, Defaults::Everywhere));
        assert_eq!(Some(again.schema()), left.as_ref());
    }
    let was = was.unwrap_or(Value::Null);
    if !same(&again, &was) {
        assert_same(&again, &left(schema.as_ref(), was));
    }
    "fine".into()
}

/// What JSON leaves of a value that has no word in it.
fn left(schema: Option<&SchemaHandle>, value: Value) -> Value {
    match schema {
        Some(schema) => carried::value(schema.schema(), 0, value, carried::json_float, Defaults::Everywhere),
        None => carried::without_schema(None, value, false),
    }
}

fn inputs(files: &[&str]) -> Vec<Vec<u8>> {
    let cases = files.iter().flat_map(|file| cases(file));
    let inputs = cases.filter_map(|case| case["in"].as_str().map(crate::support::base64));
    inputs.enumerate().filter(|(at, input)| at % 5 == 0 && input.len() < 2_000).map(|(_, input)| input).collect()
}

#[test]
fn json_without_schemas() {
    let converter =
        &mut *converter("JsonConverter", &config(&[("schemas.enable", "false")]), Role::Value, &no_http()).unwrap();
    let shared = std::cell::RefCell::new(converter);
    fuzz("json", inputs(&["to_free.jsonl"]), &JSON, |record| there_and_back(&mut **shared.borrow_mut(), record));
}

#[test]
fn json_in_its_envelope() {
    let words =
        [&JSON[..], &["{\"schema\":", "\"payload\":", "\"struct\"", "\"map\"", "\"keys\"", "\"values\""]].concat();
    let shared = std::cell::RefCell::new(converter("JsonConverter", &config(&[]), Role::Value, &no_http()).unwrap());
    fuzz("json_envelope", inputs(&["to_schema.jsonl", "to_json.jsonl"]), &words, |record| {
        there_and_back(&mut **shared.borrow_mut(), record)
    });
}

/// A schema that the configuration states, a zero, and a record of it.
#[test]
fn json_of_a_stated_schema() {
    let seeds = cases("to_schema.jsonl").into_iter().filter_map(|case| {
        let schema = case["config"]["schema.content"].as_str()?;
        Some([schema.as_bytes(), b"\0", &crate::support::base64(case["in"].as_str()?)].concat())
    });
    fuzz("json_stated", seeds, &JSON, |bytes| {
        let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let stated = String::from_utf8_lossy(&bytes[..at]);
        match converter("JsonConverter", &config(&[("schema.content", &stated)]), Role::Value, &no_http()) {
            Ok(mut converter) => {
                let read = to_connect(&mut *converter, column(bytes.get(at + 1..).unwrap_or_default()));
                read.err().unwrap_or_else(|| "fine".into())
            }
            Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
        }
    });
}

#[test]
fn headers() {
    let words =
        ["[", "]", "{", "}", ",", ":", "\"", "\\", "null", "true", "1e9", "2024-01-01", "T00:00:00.000Z", " ", "-1.5"];
    let shared =
        std::cell::RefCell::new(converter("SimpleHeaderConverter", &config(&[]), Role::Header, &no_http()).unwrap());
    fuzz("header", inputs(&["to_simple.jsonl"]), &words, |record| {
        let converter = &mut *shared.borrow_mut();
        let mut tables = BatchTables::default();
        let converted = read(&mut **converter, column(record), &mut tables);
        assert!(converted.faults.is_empty(), "every text is a header");
        let schema = tables.schemas[converted.cells.schema_of(0)].clone();
        let was = converted.cells.column.get(0).map(|cell| value(schema.as_ref().map(SchemaHandle::schema), cell));
        let written = write(&mut **converter, converted.cells, &tables);
        format!(
            "{:?} {:?}",
            schema.map(|schema| schema.schema().root().kind.clone()),
            (was.is_some(), written.faults.len())
        )
    });
}

/// The first byte chooses the class.
#[test]
fn text_bytes_booleans_and_numbers() {
    let classes: Vec<_> = CLASSES.iter().filter(|class| class.converts_headers && class.converts_records).collect();
    let seeds = (0..classes.len()).flat_map(|class| [1, 2, 4, 8].map(|size| vec![class as u8; size + 1]));
    let made = |name: &str| converter(name, &config(&[("schemas.enable", "false")]), Role::Header, &no_http()).unwrap();
    let shared = std::cell::RefCell::new(classes.iter().map(|class| made(class.name)).collect::<Vec<_>>());
    fuzz("plain", seeds, &["\u{fffd}", "é", "😀"], |bytes| {
        let Some((class, record)) = bytes.split_first() else { return String::new() };
        let class = usize::from(*class) % classes.len();
        // A fault names the class it comes from.
        format!("{class} {}", there_and_back(&mut *shared.borrow_mut()[class], record))
    });
}

/// Cells that guests may send under any schema: a fault of their row, or a record.
#[test]
fn cells_that_are_not_what_their_schema_says() {
    use crate::support::random::{self, Names, Random};
    let typed = |seed: u64| random::schema(&mut Random(seed), Names::Any, (seed % 5) as usize);
    let seeds = (0..300u64).filter_map(|seed| {
        let schema = typed(seed);
        let cell = random::cell(Some(&schema), &random::value(&mut Random(!seed), &schema, 0))?;
        Some([&seed.to_be_bytes()[..], &cell].concat())
    });
    let made =
        |class: &str, pairs: &[(&str, &str)]| converter(class, &config(pairs), Role::Header, &no_http()).unwrap();
    let converters = std::cell::RefCell::new([
        made("JsonConverter", &[("decimal.format", "NUMERIC")]),
        made("JsonConverter", &[("schemas.enable", "false")]),
        made("StringConverter", &[]),
        made("SimpleHeaderConverter", &[]),
        made("ByteArrayConverter", &[]),
        made("LongConverter", &[]),
    ]);
    fuzz("cells_out", seeds, &[], |bytes| {
        let Some((seed, cell)) = bytes.split_first_chunk::<8>() else { return String::new() };
        let seed = u64::from_be_bytes(*seed);
        let schema = (seed % 7 != 0).then(|| SchemaHandle::new(typed(seed)));
        let tables = BatchTables { schemas: vec![schema], ..BatchTables::default() };
        let mut said = String::new();
        for converter in converters.borrow_mut().iter_mut() {
            let written = write(&mut **converter, Cells { column: column(cell), schema: vec![] }, &tables);
            assert!(written.bytes.data.len() <= (80 << 20) + 4 * bytes.len(), "{} bytes", written.bytes.data.len());
            said.extend(
                written.faults.iter().map(|fault| fault.fault.to_string().chars().take(40).collect::<String>()),
            );
        }
        said
    });
}
