//! The component as the host sees it, called natively: batches of one row through the contract's own functions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use weir_data::{Field, Node, Schema, Type, Value, decode_cell, encode_cell};
use weir_sdk::bindings::plugin::exports::weir::connect::plugin;
use weir_sdk::bindings::transformation::exports::weir::connect::transformations as wit;
use weir_sdk::bindings::words::weir::connect::{columns, schemas};

/// The component.
pub type Component = weir_sdk::Component<weir_transforms::__WeirPlugin>;
/// What its calls fail with.
pub type Fault = weir_sdk::bindings::words::weir::connect::errors::Error;

thread_local! {
    static SEGMENTS: Cell<u32> = const { Cell::new(0) };
    static HOST: Cell<u32> = const { Cell::new(0) };
    /// The schemas that the component has defined.
    static DEFINED: RefCell<HashMap<u32, Schema>> = RefCell::default();
}

/// A step: its class and configuration.
pub type Step = (String, Vec<(String, String)>);

/// The classes.
pub fn describe() -> Vec<plugin::Class> {
    <Component as plugin::Guest>::describe()
}

/// Sets up steps as a segment.
pub fn configure(steps: &[Step]) -> Result<(u32, Vec<wit::StepParts>), Fault> {
    let segment = SEGMENTS.get();
    let steps =
        steps.iter().map(|(class, config)| wit::Step { class: class.clone(), config: config.clone(), guard: None });
    let parts = <Component as wit::Guest>::configure(segment, steps.collect())?;
    SEGMENTS.set(segment + 1);
    Ok((segment, parts))
}

/// A key or value.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    pub schema: Option<Schema>,
    pub value: Value,
}

/// A record.
#[derive(Clone, Debug)]
pub struct Row {
    pub topic: String,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub offset: Option<i64>,
    pub key: Datum,
    pub value: Datum,
    pub headers: Vec<(String, Datum)>,
}

/// What became of a record; parts that no step writes are as they were.
#[derive(Debug)]
pub enum Answer {
    Kept(Row),
    Dropped,
    Failed(String),
}

/// Runs a row through a segment, as a batch of its own.
pub fn apply(segment: u32, row: &Row) -> Answer {
    apply_all(segment, std::slice::from_ref(row)).remove(0)
}

/// Runs rows through a segment, as one batch.
pub fn apply_all(segment: u32, rows: &[Row]) -> Vec<Answer> {
    let mut tables = Tables::default();
    let mut names = Vec::new();
    let mut place = |name: &String| {
        let known = names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        }) as u32
    };
    let headers: Vec<&(String, Datum)> = rows.iter().flat_map(|row| &row.headers).collect();
    let ends = rows.iter().scan(0, |end, row| {
        *end += row.headers.len() as u32;
        Some(*end)
    });
    let headers = columns::Headers {
        ends: if headers.is_empty() { vec![] } else { ends.collect() },
        name: headers.iter().map(|(name, _)| place(name)).collect(),
        value: tables.cells(headers.iter().map(|(_, datum)| datum)),
    };
    let positions = || (0..rows.len() as u32).collect();
    let input = wit::Input {
        rows: rows.len() as u32,
        key: Some(tables.cells(rows.iter().map(|row| &row.key))),
        value: Some(tables.cells(rows.iter().map(|row| &row.value))),
        headers: Some(headers),
        news: schemas::News { define: tables.define, forget: vec![], forgotten: vec![] },
        tables: columns::Tables {
            topics: rows.iter().map(|row| row.topic.clone()).collect(),
            partitions: rows.iter().map(|row| row.partition).collect(),
            header_names: names,
            schemas: tables.refs,
        },
        topic: Some(positions()),
        partition: Some(positions()),
        timestamp: Some(rows.iter().map(|row| row.timestamp.unwrap_or(-1)).collect()),
        offset: Some(rows.iter().map(|row| row.offset.unwrap_or(-1)).collect()),
    };
    let out = <Component as wit::Guest>::apply(segment, input).expect("the segment is configured");
    DEFINED.with_borrow_mut(|defined| {
        defined.extend(out.define.iter().map(|definition| (definition.id, schema_from_wit(&definition.schema))));
    });
    let kept: Vec<u32> = out.kept.clone().unwrap_or_else(|| (0..rows.len() as u32).collect());
    let back = Back::new(&out, kept.len(), &tables.known);
    let answer = |(at, row): (usize, &Row)| {
        if let Some(fault) = out.failed.iter().find(|fault| fault.row == at as u32) {
            return Answer::Failed(match &fault.error {
                Fault::Data(reason) => reason.clone(),
                other => format!("{other:?}"),
            });
        }
        kept.iter().position(|kept| *kept == at as u32).map_or(Answer::Dropped, |at| Answer::Kept(back.row(at, row)))
    };
    rows.iter().enumerate().map(answer).collect()
}

/// What came back, its columns checked.
struct Back<'o> {
    out: &'o wit::Output,
    known: &'o HashMap<u32, Schema>,
    key: Option<weir_data::Column>,
    value: Option<weir_data::Column>,
    headers: Option<weir_data::Column>,
}

impl<'o> Back<'o> {
    fn new(out: &'o wit::Output, rows: usize, known: &'o HashMap<u32, Schema>) -> Back<'o> {
        let column = |cells: &columns::Cells, rows: usize| {
            let columns::Column { ends, data, absent } = cells.column.clone();
            let column = weir_data::Column { ends, data, absent };
            column.check(rows, "a column").unwrap();
            column
        };
        Back {
            out,
            known,
            key: out.key.as_ref().map(|cells| column(cells, rows)),
            value: out.value.as_ref().map(|cells| column(cells, rows)),
            headers: out.headers.as_ref().map(|headers| column(&headers.value, headers.name.len())),
        }
    }

    fn datum(&self, cells: &columns::Cells, column: &weir_data::Column, at: usize) -> Datum {
        let position = cells.schema.get(at).map_or(0, |&position| position as usize);
        let schema = match self.out.tables.schemas[position] {
            schemas::SchemaRef::None => None,
            schemas::SchemaRef::Host(id) => Some(self.known[&id].clone()),
            schemas::SchemaRef::Guest(id) => Some(DEFINED.with_borrow(|defined| defined[&id].clone())),
        };
        let value = column.get(at).map_or(Value::Null, |cell| decode_cell(schema.as_ref(), cell).unwrap());
        Datum { schema, value }
    }

    /// The kept row at a position, which came as `before`.
    fn row(&self, at: usize, before: &Row) -> Row {
        let datum = |cells: &Option<columns::Cells>, column: &Option<weir_data::Column>, before: &Datum| {
            let both = cells.as_ref().zip(column.as_ref());
            both.map_or_else(|| before.clone(), |(cells, column)| self.datum(cells, column, at))
        };
        let headers = self.out.headers.as_ref().zip(self.headers.as_ref()).map(|(headers, column)| {
            let end = |at: usize| headers.ends.get(at).map_or(0, |end| *end as usize);
            let name = |at: usize| self.out.tables.header_names[headers.name[at] as usize].clone();
            let first = at.checked_sub(1).map_or(0, end);
            (first..end(at)).map(|at| (name(at), self.datum(&headers.value, column, at))).collect()
        });
        let topic = self.out.topic.as_ref().map(|topics| topics.get(at).map_or(0, |topic| *topic as usize));
        Row {
            topic: topic.map_or_else(|| before.topic.clone(), |topic| self.out.tables.topics[topic].clone()),
            key: datum(&self.out.key, &self.key, &before.key),
            value: datum(&self.out.value, &self.value, &before.value),
            headers: headers.unwrap_or_else(|| before.headers.clone()),
            ..before.clone()
        }
    }
}

#[derive(Default)]
struct Tables {
    refs: Vec<schemas::SchemaRef>,
    define: Vec<schemas::Definition>,
    known: HashMap<u32, Schema>,
    by_schema: HashMap<Schema, u32>,
}

impl Tables {
    fn cells<'d>(&mut self, data: impl Iterator<Item = &'d Datum>) -> columns::Cells {
        let (mut column, mut schema) = (weir_data::Column::default(), Vec::new());
        for datum in data {
            if datum.value == Value::Null {
                column.push_absent();
            } else {
                encode_cell(datum.schema.as_ref(), &datum.value, &mut column.data).unwrap();
                column.end_cell();
            }
            schema.push(self.place(datum.schema.as_ref()));
        }
        columns::Cells {
            column: columns::Column { ends: column.ends, data: column.data, absent: column.absent },
            schema,
        }
    }

    fn place(&mut self, schema: Option<&Schema>) -> u32 {
        if let Some(place) = schema.and_then(|schema| self.by_schema.get(schema)) {
            return *place;
        }
        let place = self.refs.len() as u32;
        self.refs.push(match schema {
            None => schemas::SchemaRef::None,
            Some(schema) => {
                let id = HOST.replace(HOST.get() + 1);
                self.define.push(schemas::Definition { id, schema: schema_to_wit(schema) });
                self.known.insert(id, schema.clone());
                self.by_schema.insert(schema.clone(), place);
                schemas::SchemaRef::Host(id)
            }
        });
        place
    }
}

fn schema_from_wit(schema: &schemas::Schema) -> Schema {
    let nodes = schema.nodes.iter().cloned().map(|node| Node {
        kind: match node.type_ {
            schemas::SchemaType::Int8 => Type::Int8,
            schemas::SchemaType::Int16 => Type::Int16,
            schemas::SchemaType::Int32 => Type::Int32,
            schemas::SchemaType::Int64 => Type::Int64,
            schemas::SchemaType::Float32 => Type::Float32,
            schemas::SchemaType::Float64 => Type::Float64,
            schemas::SchemaType::Boolean => Type::Boolean,
            schemas::SchemaType::String => Type::String,
            schemas::SchemaType::Bytes => Type::Bytes,
            schemas::SchemaType::Array(element) => Type::Array(element),
            schemas::SchemaType::Map(entry) => Type::Map { key: entry.key, value: entry.value },
            schemas::SchemaType::Struct(fields) => {
                Type::Struct(fields.into_iter().map(|field| Field { name: field.name, node: field.node }).collect())
            }
        },
        optional: node.optional,
        name: node.name,
        version: node.version,
        doc: node.doc,
        parameters: node.parameters,
        default: node.default,
    });
    Schema::new(nodes.collect()).unwrap()
}

/// A schema as it crosses.
pub fn schema_to_wit(schema: &Schema) -> schemas::Schema {
    let nodes = schema.nodes().iter().map(|node| schemas::Node {
        type_: match &node.kind {
            Type::Int8 => schemas::SchemaType::Int8,
            Type::Int16 => schemas::SchemaType::Int16,
            Type::Int32 => schemas::SchemaType::Int32,
            Type::Int64 => schemas::SchemaType::Int64,
            Type::Float32 => schemas::SchemaType::Float32,
            Type::Float64 => schemas::SchemaType::Float64,
            Type::Boolean => schemas::SchemaType::Boolean,
            Type::String => schemas::SchemaType::String,
            Type::Bytes => schemas::SchemaType::Bytes,
            Type::Array(element) => schemas::SchemaType::Array(*element),
            Type::Map { key, value } => schemas::SchemaType::Map(schemas::Entry { key: *key, value: *value }),
            Type::Struct(fields) => schemas::SchemaType::Struct(
                fields.iter().map(|field| schemas::Field { name: field.name.clone(), node: field.node }).collect(),
            ),
        },
        optional: node.optional,
        name: node.name.clone(),
        version: node.version,
        doc: node.doc.clone(),
        parameters: node.parameters.clone(),
        default: node.default.clone(),
    });
    schemas::Schema { nodes: nodes.collect() }
}
