//! Records that nobody should have written, through the converters that ask a registry: each is a fault of its own row,
//! and those around it go through.

use std::time::{Duration, Instant};

use weir_core::model::{Fault, SchemaHandle};
use weir_data::{Schema, Type, Value, decode_cell, encode_cell};

use crate::leaf;
use crate::support::{converter, read, write_one};

const CLASSES: [(&str, &str); 3] = [
    ("io.confluent.connect.avro.AvroConverter", "avro"),
    ("io.confluent.connect.json.JsonSchemaConverter", "json"),
    ("io.confluent.connect.protobuf.ProtobufConverter", "protobuf"),
];

fn sample() -> (Schema, Value) {
    let inner = Schema::record([("n", leaf(Type::Int64)), ("s", leaf(Type::String))]).named("Inner");
    let schema = Schema::record([("s", leaf(Type::String)), ("i", inner), ("list", Schema::array(leaf(Type::String)))]);
    let inner = Value::Struct(vec![Value::from(i64::MAX), Value::from("a text")]);
    let list = Value::Array(vec![Value::from("one"), Value::from("two")]);
    (schema.named("Bad"), Value::Struct(vec![Value::from("é"), inner, list]))
}

#[tokio::test]
async fn every_bad_record_is_a_fault_of_its_row() {
    let (schema, value) = sample();
    let mut records = Vec::new();
    for (class, name) in CLASSES {
        records.push(write_one(&mut *converter(class, &[]), &format!("bad-{name}"), &schema, &value).await.unwrap());
    }
    for (at, (class, name)) in CLASSES.into_iter().enumerate() {
        let good = &records[at];
        let foreign = &records[(at + 1) % records.len()];
        let unknown = [&[0, 0x7f, 0xff, 0xff, 0xff][..], &good[5..]].concat();
        let mut bad: Vec<(Vec<u8>, &str)> = vec![
            (b"hello".to_vec(), "Unknown magic byte!"),
            (b"{\"s\":1}".to_vec(), "Unknown magic byte!"),
            (vec![], "Unknown magic byte!"),
            (vec![1, 0, 0, 0, 1], "Unknown magic byte!"),
            (vec![0], "fewer than its magic byte and schema id"),
            (good[..4].to_vec(), "fewer than its magic byte and schema id"),
            (good[..5].to_vec(), ""),
            (unknown.clone(), "2147483647"),
            (foreign.clone(), ""),
            ([&good[..good.len() - 1], &[0xff; 40]].concat(), ""),
            ([&good[..5], &[0xff; 11]].concat(), ""),
            ([&good[..5], &[0x7b; 10_000]].concat(), ""),
        ];
        // Protobuf leaves out what is not there, so a record that is cut may be another one.
        bad.extend((6..good.len()).filter(|_| name != "protobuf").map(|end| (good[..end].to_vec(), "")));
        let mut rows = vec![Some(good.clone()), None];
        bad.iter().for_each(|(record, _)| rows.extend([Some(record.clone()), Some(good.clone())]));
        let (converted, tables) = read(&mut *converter(class, &[]), &format!("bad-{name}"), &rows).await;
        let value_of = |row: usize| {
            let schema = tables.schemas[converted.cells.schema_of(row)].as_ref().map(SchemaHandle::schema);
            converted.cells.column.get(row).map(|cell| decode_cell(schema, cell).unwrap())
        };
        assert_eq!((value_of(0).as_ref(), value_of(1)), (Some(&value), None), "{name}");
        for (number, (record, said)) in bad.iter().enumerate() {
            let (row, shown) = (2 + 2 * number, record[..record.len().min(60)].escape_ascii());
            let fault = converted.faults.iter().find(|fault| fault.row as usize == row);
            let Some(Fault::Data(message)) = fault.map(|fault| &fault.fault) else {
                panic!("{name}: {shown} is {:?} and {fault:?}", value_of(row))
            };
            assert!(message.contains(said) && message.contains(&format!("bad-{name}")), "{name}: {shown}: {message}");
            assert_eq!((value_of(row), value_of(row + 1).as_ref()), (None, Some(&value)), "{name}: behind {shown}");
        }
        assert_eq!(converted.faults.len(), bad.len(), "{name}");
        // Thousands of the same unknown id ask once.
        let began = Instant::now();
        let (converted, _) =
            read(&mut *converter(class, &[]), &format!("bad-{name}"), &vec![Some(unknown); 5_000]).await;
        assert_eq!(converted.faults.len(), 5_000);
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_has_no_schema_of_the_format_is_a_fault_and_a_null_is_none() {
    for (class, name) in CLASSES {
        let mut converter = converter(class, &[]);
        let (schema, value) = sample();
        let mut good = Vec::new();
        encode_cell(Some(&schema), &value, &mut good).unwrap();
        let cells = [None, Some(vec![0xff; 3]), Some(good), None];
        let handle = SchemaHandle::new(schema);
        let written = crate::support::write(&mut *converter, &format!("bad-out-{name}"), Some(&handle), &cells).await;
        assert!(written.bytes.get(2).is_some(), "{name}: {:?}", written.faults);
        assert!(written.faults.iter().any(|fault| fault.row == 1), "{name}: {:?}", written.faults);
        let none = crate::support::write(&mut *converter, &format!("bad-out-{name}"), None, &[None]).await;
        assert!(none.faults.is_empty() && none.bytes.get(0).is_none(), "{name}: a tombstone stays one");
    }
}
