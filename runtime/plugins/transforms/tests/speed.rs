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

/// Three headers a row, as text.
fn headers() -> columns::Headers {
    let (mut column, mut name, mut ends) = (Column::default(), Vec::new(), Vec::new());
    for row in 0..ROWS {
        for (at, text) in ["trace-0123456789", "application/json", "3"].into_iter().enumerate() {
            column.push(text.as_bytes());
            name.push(at as u32);
        }
        ends.push(3 * row as u32 + 3);
    }
    let rows = name.len();
    let column = columns::Column { ends: column.ends, data: column.data, absent: column.absent };
    columns::Headers { ends, name, value: columns::Cells { column, schema: vec![1; rows] } }
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
    let text = Schema::of(Node::new(Type::String));
    let define = schema.map(|schema| (1, schema)).into_iter().chain([(2, &text)]).filter(|_| first);
    let define = define.map(|(id, schema)| schemas::Definition { id, schema: schema_to_wit(schema) });
    Input {
        rows: ROWS as u32,
        news: schemas::News { define: define.collect(), forget: vec![], forgotten: vec![] },
        tables: columns::Tables {
            topics: vec!["topic".into()],
            partitions: vec![Some(0)],
            header_names: ["trace", "content-type", "attempt"].map(str::to_owned).into(),
            schemas: vec![
                schema.map_or(schemas::SchemaRef::None, |_| schemas::SchemaRef::Host(1)),
                schemas::SchemaRef::Host(2),
            ],
        },
        topic: Some(vec![]),
        partition: Some(vec![]),
        timestamp: Some(vec![1_700_000_000_000; ROWS]),
        offset: Some((0..ROWS as i64).collect()),
        key: None,
        value: Some(columns::Cells { column, schema: vec![] }),
        headers: Some(headers()),
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
        headers: input.headers.clone(),
    }
}

fn measure(what: &str, steps: &[Step], schema: Option<&Schema>, shapes: usize) {
    let nanos = nanos(&[steps], schema, shapes)[0];
    println!("{what:<44} {nanos:6.1} ns a record");
}

/// Nanoseconds a record of each chain, whose batches take turns: whatever else runs on the machine meets all alike.
fn nanos(chains: &[&[Step]], schema: Option<&Schema>, shapes: usize) -> Vec<f64> {
    // A thread of its own is an instance of its own.
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let segments: Vec<u32> = chains.iter().map(|steps| configure(steps).unwrap().0).collect();
            Component::apply(segments[0], input(schema, true, shapes)).unwrap();
            let made = input(schema, false, shapes);
            let mut nanos = vec![Vec::with_capacity(BATCHES); chains.len()];
            for _ in 0..BATCHES {
                for (&segment, nanos) in segments.iter().zip(&mut nanos) {
                    // Made just before, as the host makes it, so that it stands in the cache.
                    let input = again(&made);
                    let start = Instant::now();
                    let output = black_box(Component::apply(segment, input).unwrap());
                    nanos.push(start.elapsed().as_nanos() as f64 / ROWS as f64);
                    let dropped = output.kept.as_ref().is_some_and(|kept| !kept.is_empty());
                    assert!(output.failed.is_empty() && !dropped);
                }
            }
            // Whatever else runs only adds.
            let fastest = |mut nanos: Vec<f64>| {
                nanos.sort_by(f64::total_cmp);
                nanos[BATCHES / 100]
            };
            nanos.into_iter().map(fastest).collect()
        });
        run.join().unwrap()
    })
}

/// Steps that a chain may have one of more, each behind three others.
fn one_more() -> Vec<Step> {
    let whole = |class: &str, config: &[(&str, &str)]| (class.to_owned(), step("", config).1);
    vec![
        step("Cast", &[("spec", "age:int32")]),
        step("Cast", &[("spec", "score:string")]),
        whole("DropHeaders", &[("headers", "trace")]),
        step("HeaderFrom", &[("fields", "name"), ("headers", "n"), ("operation", "move")]),
        step("HeaderFrom", &[("fields", "id"), ("headers", "i"), ("operation", "copy")]),
        whole("InsertHeader", &[("header", "x"), ("value.literal", "12")]),
        step("SetSchemaMetadata", &[("schema.name", "N")]),
        step("TimestampConverter", &[("field", "id"), ("target.type", "Timestamp")]),
        step(
            "TimestampConverter",
            &[("field", "id"), ("target.type", "string"), ("format", "yyyy-MM-dd'T'HH:mm:ss.SSS")],
        ),
        whole("TimestampRouter", &[]),
        whole("ValueToKey", &[("fields", "id")]),
        step("ExtractField", &[("field", "name")]),
        step("MaskField", &[("fields", "name")]),
        whole("HasHeaderKey", &[("name", "attempt")]),
        whole("RecordIsTombstone", &[]),
    ]
}

#[test]
#[ignore = "prints times instead of checking anything"]
fn one_more_step_takes_this_long() {
    let some = schema();
    let chain = vec![
        step("InsertField", &[("static.field", "src"), ("static.value", "x")]),
        step("MaskField", &[("fields", "email")]),
        step("ReplaceField", &[("renames", "ok:fine")]),
    ];
    for (schema, how) in [(Some(&some), "with schema"), (None, "without")] {
        for step in one_more() {
            if schema.is_none() && step.0.starts_with("SetSchemaMetadata") {
                continue;
            }
            let longer = [chain.clone(), vec![step.clone()]].concat();
            let nanos = nanos(&[&chain, &longer], schema, 1);
            let what = format!("{} {}", step.0, step.1.first().map_or("", |(_, value)| value));
            let (before, more) = (nanos[0], nanos[1] - nanos[0]);
            println!("{what:<40} {how:<12} {before:6.1} + {more:6.1} ns a record");
        }
    }
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
