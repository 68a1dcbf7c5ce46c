//! Nanoseconds a record for chains of steps, in batches as the host sends them; no JSON is read or printed.
//! `cargo test --release -p weir-transforms --test speed -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use support::component::{Component, Step, configure, schema_to_wit};
use weir_data::{Column, Node, Schema, Type, Value, encode_cell};
use weir_sdk::bindings::transformation::exports::weir::connect::transformations::{Guest, Input};
use weir_sdk::bindings::words::weir::connect::{columns, schemas};

#[allow(dead_code)]
mod support;

const ROWS: usize = 500;
const BATCHES: usize = 2_000;

fn step(class: &str, config: &[(&str, &str)]) -> Step {
    (format!("{class}$Value"), config.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
}

fn five() -> Vec<Step> {
    vec![
        step("ReplaceField", &[("renames", "name:full_name")]),
        step("InsertField", &[("static.field", "src"), ("static.value", "x")]),
        step("MaskField", &[("fields", "email")]),
        step("HoistField", &[("field", "d")]),
        step("Flatten", &[]),
    ]
}

/// About 90 bytes as JSON.
fn record(row: usize) -> Vec<(&'static str, Value)> {
    vec![
        ("id", Value::from(1_234_000 + row as i64)),
        ("name", Value::from("Ada Lovelace")),
        ("email", Value::from(format!("ada{row}@example.com"))),
        ("age", Value::from(36)),
        ("ok", Value::from(row.is_multiple_of(2))),
        ("score", Value::from(row as f64 * 0.37)),
    ]
}

fn schema() -> Schema {
    let leaf = |kind| Schema::of(Node::new(kind));
    Schema::record([
        ("id", leaf(Type::Int64)),
        ("name", leaf(Type::String)),
        ("email", leaf(Type::String)),
        ("age", leaf(Type::Int64)),
        ("ok", leaf(Type::Boolean)),
        ("score", leaf(Type::Float64)),
    ])
}

/// A batch; `shapes` different sequences of keys without schema.
fn input(schema: Option<&Schema>, first: bool, shapes: usize) -> Input {
    let mut column = Column::default();
    for row in 0..ROWS {
        let mut fields = record(row);
        let value = match schema {
            Some(_) => Value::Struct(fields.into_iter().map(|(_, value)| value).collect()),
            None => {
                fields.rotate_left(row % shapes % 6);
                if shapes > 6 {
                    let names: Vec<String> = (0..6).map(|at| format!("{}{}", fields[at].0, row % shapes)).collect();
                    let named = names.iter().map(String::as_str).zip(fields.into_iter().map(|(_, value)| value));
                    Value::map(named)
                } else {
                    Value::map(fields)
                }
            }
        };
        encode_cell(schema, &value, &mut column.data).unwrap();
        column.end_cell();
    }
    let column = columns::Column { ends: column.ends, data: column.data, absent: column.absent };
    let define = schema.filter(|_| first).map(|schema| schemas::Definition { id: 1, schema: schema_to_wit(schema) });
    Input {
        rows: ROWS as u32,
        news: schemas::News { define: define.into_iter().collect(), forget: vec![], forgotten: vec![] },
        tables: columns::Tables {
            topics: vec!["topic".into()],
            partitions: vec![Some(0)],
            header_names: vec![],
            schemas: vec![schema.map_or(schemas::SchemaRef::None, |_| schemas::SchemaRef::Host(1))],
        },
        topic: Some(vec![]),
        partition: Some(vec![]),
        timestamp: Some(vec![1_700_000_000_000; ROWS]),
        offset: Some((0..ROWS as i64).collect()),
        key: None,
        value: Some(columns::Cells { column, schema: vec![] }),
        headers: None,
    }
}

fn again(input: &Input) -> Input {
    Input {
        rows: input.rows,
        news: schemas::News { define: vec![], forget: vec![], forgotten: vec![] },
        tables: input.tables.clone(),
        topic: input.topic.clone(),
        partition: input.partition.clone(),
        timestamp: input.timestamp.clone(),
        offset: input.offset.clone(),
        key: None,
        value: input.value.clone(),
        headers: None,
    }
}

fn measure(what: &str, steps: &[Step], schema: Option<&Schema>, shapes: usize) {
    // A thread of its own is an instance of its own.
    let nanos = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let (segment, _) = configure(steps).unwrap();
            Component::apply(segment, input(schema, true, shapes)).unwrap();
            let made = input(schema, false, shapes);
            let mut nanos: Vec<f64> = (0..BATCHES)
                .map(|_| {
                    // Made just before, as the host makes it, so that it stands in the cache.
                    let input = again(&made);
                    let start = Instant::now();
                    let output = black_box(Component::apply(segment, input).unwrap());
                    assert!(output.kept.is_none());
                    start.elapsed().as_nanos() as f64 / ROWS as f64
                })
                .collect();
            nanos.sort_by(f64::total_cmp);
            // Whatever else runs on the machine only adds.
            nanos[BATCHES / 100]
        });
        run.join().unwrap()
    });
    println!("{what:<44} {nanos:6.1} ns a record");
}

#[test]
#[ignore = "prints times instead of checking anything"]
fn a_chain_of_five_takes_this_long() {
    let schema = schema();
    let schema = Some(&schema);
    measure("five steps, without schema", &five(), None, 1);
    measure("five steps, with schema", &five(), schema, 1);
    measure("five steps, 6 sequences of keys in turn", &five(), None, 6);
    measure("five steps, 100 sequences of keys in turn", &five(), None, 100);
    measure("five steps, 500 sequences of keys in turn", &five(), None, ROWS);
    for step in five() {
        measure(&format!("{} alone, without schema", step.0), std::slice::from_ref(&step), None, 1);
        measure(&format!("{} alone, with schema", step.0), &[step], schema, 1);
    }
    let all = step(
        "InsertField",
        &[("topic.field", "t"), ("partition.field", "p"), ("timestamp.field", "ts"), ("offset.field", "o")],
    );
    measure("topic, partition, timestamp, offset inserted", std::slice::from_ref(&all), None, 1);
    measure("the same with schema", &[all], schema, 1);
    let route = ("RegexRouter".into(), vec![("regex".into(), "(.*)".into()), ("replacement".into(), "x-$1".into())]);
    measure("RegexRouter", &[route], None, 1);
}
