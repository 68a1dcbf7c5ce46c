//! What a schema holds once may stand in every record: how far that may blow up a batch, and what is said beyond.

mod support;

use support::{json, no_http, read, write};
use weir_convert::{Role, converter};
use weir_core::model::{BatchTables, Config, RowFault, SchemaHandle};
use weir_core::port::Converter;
use weir_data::{Cells, Column, Node, Schema, Type};

/// What a batch of a few bytes may become, and a record more.
const MOST: usize = (64 << 20) + (2 << 20);

fn rows(cell: &[u8], rows: usize) -> Column {
    let mut column = Column::default();
    (0..rows).for_each(|_| column.push(cell));
    column
}

fn check(what: &str, column: &Column, faults: &[RowFault], rows: usize) {
    assert!(column.data.len() <= MOST, "{what}: {} bytes", column.data.len());
    assert!(!faults.is_empty() && faults.len() < rows, "{what}: {} of {rows} failed", faults.len());
    let said = faults[0].fault.to_string();
    assert!(said.contains("bytes once they are converted; lower batch.bytes.max of the worker"), "{what}: {said}");
    // The same records, fewer at a time, go through: a record does not fail for itself.
    let first = faults[0].row as usize;
    assert!(faults.iter().enumerate().all(|(at, fault)| fault.row as usize == first + at), "{what}");
}

#[test]
fn defaults_blow_up_a_batch_only_so_far() {
    let default = "x".repeat(60_000);
    let field = format!(r#"{{"field":"f","type":"string","optional":true,"default":"{default}"}}"#);
    let schema = format!(r#"{{"type":"struct","fields":[{field}]}}"#);
    let list = format!(r#"{{"type":"array","items":{schema}}}"#);
    for (schema, record) in [(&schema, "{}".to_owned()), (&list, format!("[{}{{}}]", "{},".repeat(99)))] {
        let mut converter = json(&[("schema.content", schema)]);
        let converted = read(&mut *converter, rows(record.as_bytes(), 2_000), &mut BatchTables::default());
        check(&record, &converted.cells.column, &converted.faults, 2_000);
        let fewer = read(&mut *converter, rows(record.as_bytes(), 10), &mut BatchTables::default());
        assert!(fewer.faults.is_empty());
    }
}

#[test]
fn fields_that_are_not_there_blow_up_a_batch_only_so_far() {
    let fields: Vec<_> = (0..2_000).map(|at| format!(r#"{{"field":"{at}","type":"int8","optional":true}}"#)).collect();
    let schema = format!(r#"{{"type":"array","items":{{"type":"struct","fields":[{}]}}}}"#, fields.join(","));
    let record = format!("[{}{{}}]", "{},".repeat(999));
    let mut converter = json(&[("schema.content", &schema)]);
    let converted = read(&mut *converter, rows(record.as_bytes(), 40), &mut BatchTables::default());
    check("absent fields", &converted.cells.column, &converted.faults, 40);
}

#[test]
fn names_of_fields_blow_up_a_batch_only_so_far() {
    let field = |at: usize| (format!("{at}{}", "n".repeat(50_000)), Schema::of(Node::new(Type::Int8)));
    let fields: Vec<_> = (0..10).map(field).collect();
    let schema = Schema::record(fields.iter().map(|(name, schema)| (name.as_str(), schema.clone())));
    let tables = BatchTables { schemas: vec![Some(SchemaHandle::new(schema))], ..BatchTables::default() };
    let cell = [&[0x8a][..], &[1; 10]].concat();
    let make = |class: &str| converter(class, &Config::new(), Role::Header, &no_http()).unwrap();
    let converters: [(&str, Box<dyn Converter>); 4] = [
        ("JsonConverter", json(&[("schemas.enable", "false")])),
        ("JsonConverter with envelope", json(&[])),
        ("StringConverter", make("StringConverter")),
        ("SimpleHeaderConverter", make("SimpleHeaderConverter")),
    ];
    for (what, mut converter) in converters {
        let cells = |count| Cells { column: rows(&cell, count), schema: vec![] };
        let written = write(&mut *converter, cells(300), &tables);
        check(what, &written.bytes, &written.faults, 300);
        assert!(write(&mut *converter, cells(10), &tables).faults.is_empty(), "{what}");
    }
}

#[test]
fn a_large_batch_may_become_larger_in_proportion() {
    let text = "\u{1}".repeat(1 << 20);
    let cells = Cells { column: rows(text.as_bytes(), 30), schema: vec![] };
    let tables =
        BatchTables { schemas: vec![weir_convert::plain_schema(&Type::String, false)], ..BatchTables::default() };
    let written = write(&mut *json(&[("schemas.enable", "false")]), cells, &tables);
    assert!(written.faults.is_empty());
    assert_eq!(written.bytes.data.len(), 30 * (6 * (1 << 20) + 2));
}
