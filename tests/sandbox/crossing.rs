//! What crosses the sandbox arrives as it was: schemas, values, headers and nulls of every kind, into sources, sinks
//! and transformations and out of them, whatever each side forgets meanwhile.

use std::collections::HashMap;

use weir_core::model::{BatchTables, SchemaHandle};
use weir_data::{Headers, Schema, Value, decode_cell};

use super::*;

#[path = "../../runtime/convert/tests/support/random.rs"]
mod random;

use random::{Datum, Random, Row, row, shown};

/// As many schemas as there are values.
const COUNTLESS: u64 = u64::MAX;

/// One handle for equal schemas, as whoever makes them keeps it.
#[derive(Default)]
struct Handles(HashMap<Schema, SchemaHandle>);

impl Handles {
    fn of(&mut self, schema: &Option<Schema>) -> Option<SchemaHandle> {
        let schema = schema.as_ref()?;
        Some(self.0.entry(schema.clone()).or_insert_with_key(|schema| SchemaHandle::new(schema.clone())).clone())
    }
}

fn place<T: PartialEq>(table: &mut Vec<T>, entry: T) -> u32 {
    let known = table.iter().position(|known| *known == entry);
    known.unwrap_or_else(|| {
        table.push(entry);
        table.len() - 1
    }) as u32
}

fn push(cells: &mut Cells, datum: &Datum, tables: &mut BatchTables, handles: &mut Handles) {
    cells.column.push_option(random::cell(datum.schema.as_ref(), &datum.value).as_deref());
    cells.schema.push(tables.schema_position(handles.of(&datum.schema).as_ref()));
}

fn records(rows: &[Row], handles: &mut Handles) -> Records {
    let (mut records, mut headers) = (Records { rows: rows.len(), ..Records::default() }, Headers::default());
    for row in rows {
        let tables = &mut records.tables;
        records.topic.push(place(&mut tables.topics, row.topic.as_str().into()));
        records.partition.push(place(&mut tables.partitions, row.partition));
        records.timestamp.push(row.timestamp.unwrap_or(-1));
        push(&mut records.key, &row.key, tables, handles);
        push(&mut records.value, &row.value, tables, handles);
        for (name, datum) in &row.headers {
            headers.name.push(place(&mut tables.header_names, name.as_str().into()));
            push(&mut headers.value, datum, tables, handles);
        }
        headers.ends.push(headers.name.len() as u32);
    }
    if !headers.name.is_empty() {
        records.headers = headers;
    }
    records.timestamp_type = weir_core::model::TimestampType::CreateTime;
    records.check().unwrap();
    records
}

fn shown_cell(records: &Records, cells: &Cells, at: usize) -> String {
    let schema = records.tables.schemas.get(cells.schema_of(at)).and_then(Option::as_ref).map(SchemaHandle::schema);
    let value = cells.column.get(at).map_or(Value::Null, |cell| decode_cell(schema, cell).unwrap());
    shown(schema, &value)
}

fn shown_record(records: &Records, at: usize) -> Vec<String> {
    let place = (records.topic_of(at), records.partition_of(at), records.timestamp.get(at).filter(|time| **time >= 0));
    let mut all =
        vec![format!("{place:?}"), shown_cell(records, &records.key, at), shown_cell(records, &records.value, at)];
    for header in records.headers.range(at) {
        let name = &records.tables.header_names[records.headers.name[header] as usize];
        all.push(format!("{name}: {}", shown_cell(records, &records.headers.value, header)));
    }
    all
}

fn shown_row(row: &Row) -> Vec<String> {
    let datum = |datum: &Datum| shown(datum.schema.as_ref(), &datum.value);
    let mut all =
        vec![format!("{:?}", (&row.topic, row.partition, row.timestamp.as_ref())), datum(&row.key), datum(&row.value)];
    all.extend(row.headers.iter().map(|(name, value)| format!("{name}: {}", datum(value))));
    all
}

fn assert_arrived(records: &Records, rows: &[Row], what: &str) {
    records.check().unwrap();
    assert_eq!(records.rows, rows.len(), "{what}");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(shown_record(records, at), shown_row(row), "{what}, row {at}");
    }
}

fn rows(seed: u64, count: u64, schemas: u64) -> Vec<Row> {
    (0..count).map(|number| row(seed.wrapping_add(number), schemas)).collect()
}

#[tokio::test]
async fn records_come_out_of_a_transformation_as_they_went_in() {
    let plugins = plugins(Limits::default());
    let echo = component(&plugins, "guest_echo").await;
    for anew in ["false", "true"] {
        for schemas in [7, COUNTLESS] {
            let mut chain = echo.transformations(context("", &[], &Limits::default())).await.unwrap();
            let step = Step { class: "test.Rebuild".into(), config: config(&[("anew", anew)]), guard: None };
            chain.configure(0, &vec![step]).await.unwrap();
            let mut handles = Handles::default();
            for batch in 0..60u64 {
                // Every third batch comes again: what was forgotten since is defined anew.
                let seed = if batch % 3 == 2 { 0 } else { batch * 1_000 };
                let rows = rows(seed, 1 + batch, schemas);
                let transformed = chain.apply(0, records(&rows, &mut handles)).await.unwrap();
                assert_eq!((&transformed.failed[..], transformed.kept), (&[][..], None));
                assert_arrived(
                    &transformed.records,
                    &rows,
                    &format!("anew {anew}, batch {batch} of {schemas} schemas"),
                );
            }
            assert!(schemas == 7 || handles.0.len() > weir_data::limits::SCHEMAS, "{}", handles.0.len());
        }
    }
}

#[tokio::test]
async fn records_arrive_at_a_sink_as_they_are() {
    let plugins = plugins(Limits::default());
    let echo = component(&plugins, "guest_echo").await;
    for schemas in [7, COUNTLESS] {
        let entries = [("seed", "5"), ("schemas", &schemas.to_string())];
        let mut sink = echo.sink_task(context("test.StreamSink", &entries, &Limits::default())).await.unwrap();
        sink.start().await.unwrap();
        let mut handles = Handles::default();
        for batch in 0..60u64 {
            let first = if batch % 3 == 2 { 0 } else { batch * 1_000 };
            let mut records = records(&rows(5 + first, 1 + batch, schemas), &mut handles);
            records.offset = (first as i64..).take(records.rows).collect();
            let delivery = sink.put(&SinkRecords { records, original: None }).await.unwrap();
            assert_eq!(delivery.faults, [], "batch {batch} of {schemas} schemas");
        }
    }
}

#[tokio::test]
async fn records_come_from_a_source_as_it_made_them() {
    let plugins = plugins(Limits::default());
    let echo = component(&plugins, "guest_echo").await;
    for schemas in [7, COUNTLESS] {
        let entries = [("seed", "9"), ("schemas", &schemas.to_string()), ("rows", "50")];
        let mut source = echo.source_task(context("test.StreamSource", &entries, &Limits::default())).await.unwrap();
        source.start().await.unwrap();
        for batch in 0..40u64 {
            let polled = source.poll(Duration::ZERO, BATCH).await.unwrap();
            assert_arrived(&polled.records, &rows(9 + batch * 50, 50, schemas), &format!("batch {batch}"));
        }
    }
}

/// Rows of 1,500 schemas, more than either side may have defined at a time.
fn many() -> Vec<Row> {
    let named = |number: usize| {
        let mut row = row(1, 1);
        let schema =
            Schema::record([(format!("f{number}").as_str(), Schema::of(weir_data::Node::new(weir_data::Type::Int64)))]);
        row.value = Datum { schema: Some(schema), value: Value::Struct(vec![Value::Integer(number as i64)]) };
        row
    };
    (0..1_500).map(named).collect()
}

#[tokio::test]
async fn a_batch_of_more_schemas_than_may_be_defined_crosses_in_pieces() {
    let plugins = plugins(Limits::default());
    let echo = component(&plugins, "guest_echo").await;
    let (rows, mut handles) = (many(), Handles::default());
    for anew in ["false", "true"] {
        let mut chain = echo.transformations(context("", &[], &Limits::default())).await.unwrap();
        let step = Step { class: "test.Rebuild".into(), config: config(&[("anew", anew)]), guard: None };
        chain.configure(0, &vec![step]).await.unwrap();
        for time in 0..3 {
            let transformed = chain.apply(0, records(&rows, &mut handles)).await.unwrap();
            assert_arrived(&transformed.records, &rows, &format!("anew {anew}, time {time}"));
        }
    }
}

#[test]
fn a_stream_is_the_same_for_equal_seeds() {
    let mut random = Random(3);
    for _ in 0..200 {
        let (seed, schemas) = (random.next(), 1 + random.next() % 9);
        assert_eq!(shown_row(&row(seed, schemas)), shown_row(&row(seed, schemas)));
    }
}
