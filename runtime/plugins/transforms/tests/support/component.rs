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
pub enum Answer {
    Kept(Row),
    Dropped,
    Failed(String),
}

/// Runs rows of the same topic and schemas through a segment.
pub fn apply(segment: u32, row: &Row) -> Answer {
    let mut tables = Tables::default();
    let input = wit::Input {
        rows: 1,
        key: Some(tables.cells(&row.key)),
        value: Some(tables.cells(&row.value)),
        headers: Some(tables.headers(&row.headers)),
        news: schemas::News { define: tables.define, forget: vec![], forgotten: vec![] },
        tables: columns::Tables {
            topics: vec![row.topic.clone()],
            partitions: vec![row.partition],
            header_names: row.headers.iter().map(|(name, _)| name.clone()).collect(),
            schemas: tables.refs,
        },
        topic: Some(vec![]),
        partition: Some(vec![]),
        timestamp: Some(row.timestamp.into_iter().collect()),
        offset: Some(row.offset.into_iter().collect()),
    };
    let known = tables.known;
    let out = <Component as wit::Guest>::apply(segment, input).expect("the segment is configured");
    DEFINED.with_borrow_mut(|defined| {
        defined.extend(out.define.into_iter().map(|definition| (definition.id, schema_from_wit(definition.schema))));
    });
    if let Some(fault) = out.failed.into_iter().next() {
        let reason = match fault.error {
            Fault::Data(reason) => reason,
            other => format!("{other:?}"),
        };
        return Answer::Failed(reason);
    }
    if out.kept.is_some_and(|kept| kept.is_empty()) {
        return Answer::Dropped;
    }
    let cell = |cells: &columns::Cells, column: &weir_data::Column, at: usize| {
        let position = cells.schema.get(at).map_or(0, |&position| position as usize);
        let schema = match out.tables.schemas[position] {
            schemas::SchemaRef::None => None,
            schemas::SchemaRef::Host(id) => Some(known[&id].clone()),
            schemas::SchemaRef::Guest(id) => Some(DEFINED.with_borrow(|defined| defined[&id].clone())),
        };
        let value = column.get(at).map_or(Value::Null, |cell| decode_cell(schema.as_ref(), cell).unwrap());
        Datum { schema, value }
    };
    let column = |cells: &columns::Cells, rows: usize| {
        let columns::Column { ends, data, absent } = cells.column.clone();
        let column = weir_data::Column { ends, data, absent };
        column.check(rows, "a column").unwrap();
        column
    };
    let datum = |cells: Option<columns::Cells>, before: &Datum| match cells {
        None => before.clone(),
        Some(cells) => cell(&cells, &column(&cells, 1), 0),
    };
    let headers = match &out.headers {
        None => row.headers.clone(),
        Some(headers) => {
            let column = column(&headers.value, headers.name.len());
            let name = |at: usize| out.tables.header_names[headers.name[at] as usize].clone();
            (0..headers.name.len()).map(|at| (name(at), cell(&headers.value, &column, at))).collect()
        }
    };
    Answer::Kept(Row {
        topic: out.topic.map_or(row.topic.clone(), |_| out.tables.topics[0].clone()),
        key: datum(out.key, &row.key),
        value: datum(out.value, &row.value),
        headers,
        ..row.clone()
    })
}

#[derive(Default)]
struct Tables {
    refs: Vec<schemas::SchemaRef>,
    define: Vec<schemas::Definition>,
    known: HashMap<u32, Schema>,
}

impl Tables {
    fn cells(&mut self, datum: &Datum) -> columns::Cells {
        self.column([datum].into_iter())
    }

    fn headers(&mut self, headers: &[(String, Datum)]) -> columns::Headers {
        let ends = if headers.is_empty() { vec![] } else { vec![headers.len() as u32] };
        let name = (0..headers.len() as u32).collect();
        columns::Headers { ends, name, value: self.column(headers.iter().map(|(_, datum)| datum)) }
    }

    fn column<'d>(&mut self, data: impl Iterator<Item = &'d Datum>) -> columns::Cells {
        let (mut column, mut schema) = (weir_data::Column::default(), Vec::new());
        for datum in data {
            if datum.value == Value::Null {
                column.push_absent();
            } else {
                encode_cell(datum.schema.as_ref(), &datum.value, &mut column.data).unwrap();
                column.end_cell();
            }
            schema.push(self.refs.len() as u32);
            let known = datum.schema.as_ref().map(|schema| self.define(schema));
            self.refs.push(known.map_or(schemas::SchemaRef::None, schemas::SchemaRef::Host));
        }
        columns::Cells {
            column: columns::Column { ends: column.ends, data: column.data, absent: column.absent },
            schema,
        }
    }

    fn define(&mut self, schema: &Schema) -> u32 {
        let id = HOST.replace(HOST.get() + 1);
        self.define.push(schemas::Definition { id, schema: schema_to_wit(schema) });
        self.known.insert(id, schema.clone());
        id
    }
}

fn schema_from_wit(schema: schemas::Schema) -> Schema {
    let nodes = schema.nodes.into_iter().map(|node| Node {
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
