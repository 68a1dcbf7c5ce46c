//! Pure. Schemas and values of every kind that Connect knows, out of a seed: for properties of converters and of
//! guests.
#![allow(dead_code)]

use weir_data::{Field, Node, Schema, Type, Value, decode_cell, encode_cell, logical};

/// Numbers out of a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What fields and schemas are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As Connect lets them: any text, and for fields any but the empty one.
    Any,
    /// Letters, digits and underscores.
    Plain,
}

const TEXTS: [&str; 12] = [
    "",
    "a",
    "text",
    "é",
    "€😀",
    "a\"\\\n\u{1}\u{7f}",
    "null",
    "1",
    "\u{2028}\u{feff}x",
    "{\"a\":[1]}",
    "0123456789012345678901234567890123456789",
    " ",
];
const FIELDS: [&str; 9] = ["a", "é\"\\", "a.b", "😀", "$x", " ", "A", "schema", "payload"];

/// A logical type as Connect's builders make it.
pub fn logical_node(kind: Type, name: &str) -> Node {
    Node { version: Some(1), ..Node::new(kind).named(name) }
}

/// A schema that nests at most so deep.
pub fn schema(random: &mut Random, names: Names, depth: usize) -> Schema {
    let mut nodes = Vec::new();
    grow(random, names, depth, &mut nodes);
    let mut schema = Schema::new(nodes).unwrap();
    // Defaults from within outwards: outer ones may hold what inner ones stand for.
    for at in (0..schema.nodes().len()).rev().filter(|_| random.one_in(6)).collect::<Vec<_>>() {
        let value = value(random, &schema, at as u32);
        if value != Value::Null {
            schema = with_default(&schema, at, Some(held(&schema, at as u32, &value)));
        }
    }
    schema
}

fn grow(random: &mut Random, names: Names, depth: usize, nodes: &mut Vec<Node>) -> u32 {
    let at = nodes.len();
    nodes.push(Node::new(Type::Boolean));
    let mut node = match random.below(if depth == 0 { 13 } else { 20 }) {
        scalar @ 0..9 => Node::new(Type::SCALARS[scalar].clone()),
        9 => {
            let scale = random.of(&[0, 2, 3, 10]).to_string();
            Node { parameters: vec![("scale".into(), scale)], ..logical_node(Type::Bytes, logical::DECIMAL) }
        }
        10 => logical_node(Type::Int32, logical::DATE),
        11 => logical_node(Type::Int32, logical::TIME),
        12 => logical_node(Type::Int64, logical::TIMESTAMP),
        13..16 => Node::new(Type::Array(grow(random, names, depth - 1, nodes))),
        16..18 => {
            let key = grow(random, names, depth - 1, nodes);
            Node::new(Type::Map { key, value: grow(random, names, depth - 1, nodes) })
        }
        _ => {
            let count = random.of(&[0, 1, 2, 3, 5, 14]);
            let fields = (0..count).map(|number| {
                let name = match names {
                    Names::Any => format!(
                        "{}{}",
                        random.of(&FIELDS),
                        if number == 0 { String::new() } else { number.to_string() }
                    ),
                    Names::Plain => format!("f{number}"),
                };
                Field { name, node: grow(random, names, depth.saturating_sub(1).min(1 + 14 / count.max(1)), nodes) }
            });
            Node::new(Type::Struct(fields.collect()))
        }
    };
    node.optional = random.one_in(3);
    if node.name.is_none() && random.one_in(3) {
        node.name = Some(match names {
            Names::Any if random.one_in(3) => format!("näme of \"{at}\""),
            Names::Any | Names::Plain => format!("org.weir.N{at}"),
        });
        node.version = random.one_in(2).then(|| random.of(&[1, 0, 7, i32::MAX]));
    }
    node.doc = random.one_in(5).then(|| random.of(&TEXTS).to_owned());
    if random.one_in(5) {
        node.parameters.push(("p".into(), random.of(&TEXTS).to_owned()));
        node.parameters.push(("q".into(), String::new()));
    }
    nodes[at] = node;
    at as u32
}

/// The same schema with another default at a position.
pub fn with_default(schema: &Schema, at: usize, default: Option<Vec<u8>>) -> Schema {
    let mut nodes = schema.nodes().to_vec();
    nodes[at].default = default;
    Schema::new(nodes).unwrap()
}

/// A value as schemas hold it as their default.
pub fn held(schema: &Schema, at: u32, value: &Value) -> Vec<u8> {
    let inside = Schema::array(schema.subschema(at));
    let mut cell = Vec::new();
    encode_cell(Some(&inside), &Value::Array(vec![value.clone()]), &mut cell).unwrap();
    cell.split_off(1)
}

/// The default of the node at a position.
pub fn default_of(schema: &Schema, at: u32) -> Option<Value> {
    let default = schema.node(at).default.as_ref()?;
    let inside = Schema::array(schema.subschema(at));
    let cell = [&[0x81][..], default].concat();
    match decode_cell(Some(&inside), &cell).unwrap() {
        Value::Array(mut values) => values.pop(),
        _ => None,
    }
}

/// A value of the node at a position: extremes more often than not.
pub fn value(random: &mut Random, schema: &Schema, at: u32) -> Value {
    let node = schema.node(at);
    if node.optional && random.one_in(4) {
        return Value::Null;
    }
    match (&node.kind, logical::of(node)) {
        (_, logical::Logical::Date) => Value::Integer(random.of(&[0, -1, 19_000, -719_162, 2_932_896])),
        (_, logical::Logical::Time) => Value::Integer(random.of(&[0, 1, 43_200_000, 86_399_999])),
        (_, logical::Logical::Timestamp) => {
            Value::Integer(random.of(&[0, -1, 1_700_000_000_123, -62_135_596_800_000, 253_402_300_799_999]))
        }
        (_, logical::Logical::Decimal(_)) => Value::Bytes(unscaled(random)),
        (Type::Int8, _) => Value::Integer(integer(random, i8::MIN.into(), i8::MAX.into())),
        (Type::Int16, _) => Value::Integer(integer(random, i16::MIN.into(), i16::MAX.into())),
        (Type::Int32, _) => Value::Integer(integer(random, i32::MIN.into(), i32::MAX.into())),
        (Type::Int64, _) => Value::Integer(integer(random, i64::MIN, i64::MAX)),
        (Type::Float32, _) => Value::Float32(single(random)),
        (Type::Float64, _) => Value::Float64(double(random)),
        (Type::Boolean, _) => Value::Boolean(random.one_in(2)),
        (Type::String, _) => Value::Text(text(random)),
        (Type::Bytes, _) => Value::Bytes(bytes(random)),
        (Type::Array(element), _) => {
            Value::Array((0..count(random)).map(|_| value(random, schema, *element)).collect())
        }
        (Type::Map { key, value: inner }, _) => {
            let entries = (0..count(random)).map(|_| (value(random, schema, *key), value(random, schema, *inner)));
            let is_text = schema.node(*key).kind == Type::String;
            // Neither Connect's JSON nor its Avro has a place for a key that is text and null.
            Value::Map(distinct(entries.filter(|(key, _)| !(is_text && *key == Value::Null)).collect()))
        }
        (Type::Struct(fields), _) => {
            Value::Struct(fields.iter().map(|field| value(random, schema, field.node)).collect())
        }
    }
}

/// A value without schema.
pub fn free(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => Value::Boolean(random.one_in(2)),
        2 => Value::Integer(integer(random, i64::MIN, i64::MAX)),
        3 => Value::Float32(single(random)),
        4 => Value::Float64(double(random)),
        5 => Value::Text(text(random)),
        6 => Value::Bytes(bytes(random)),
        7 => Value::Array((0..count(random)).map(|_| free(random, depth - 1)).collect()),
        _ => {
            let entries = (0..count(random)).map(|_| (Value::Text(text(random)), free(random, depth - 1)));
            Value::Map(distinct(entries.collect()))
        }
    }
}

/// The last of equal keys, in the place of the first.
pub fn distinct(entries: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    for (key, value) in entries {
        match kept.iter_mut().find(|(known, _)| format!("{known:?}") == format!("{key:?}")) {
            Some((_, last)) => *last = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

fn count(random: &mut Random) -> usize {
    random.of(&[0, 1, 1, 2, 3, 5])
}

fn integer(random: &mut Random, least: i64, most: i64) -> i64 {
    let any = random.next() as i64 >> random.below(64);
    random.of(&[least, most, 0, 1, -1, 23, 24, 100, any]).clamp(least, most)
}

fn single(random: &mut Random) -> f32 {
    let bits = f32::from_bits(random.next() as u32);
    let bits = if bits.is_nan() { 0.1 } else { bits };
    random.of(&[
        0.0,
        -0.0,
        1.0,
        0.1,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        bits,
        bits,
    ])
}

fn double(random: &mut Random) -> f64 {
    let bits = f64::from_bits(random.next());
    let bits = if bits.is_nan() { 0.1 } else { bits };
    random.of(&[
        0.0,
        -0.0,
        1.0,
        0.1,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        bits,
        bits,
    ])
}

fn text(random: &mut Random) -> String {
    let repeated = random.of(&[1, 1, 1, 1, 2, 30]);
    random.of(&TEXTS).repeat(repeated)
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let length = random.of(&[0, 1, 2, 3, 23, 24, 300]);
    (0..length).map(|_| random.next() as u8).collect()
}

/// An integer in the shortest two's complement form, as Java writes it.
fn unscaled(random: &mut Random) -> Vec<u8> {
    let length = random.of(&[1, 1, 2, 8, 9, 17, 30]);
    let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
    weir_data::decimal::shortest(&bytes).to_vec()
}

/// The cell of a value; none for null.
pub fn cell(schema: Option<&Schema>, value: &Value) -> Option<Vec<u8>> {
    let mut cell = Vec::new();
    encode_cell(schema, value, &mut cell).unwrap();
    (*value != Value::Null).then_some(cell)
}

/// Values that print alike are the same: NaN is itself, and zero is not its negative.
pub fn same(one: &Value, other: &Value) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

/// A key, a value or the value of a header.
#[derive(Clone, Debug)]
pub struct Datum {
    pub schema: Option<Schema>,
    pub value: Value,
}

/// A record as a topic has it.
#[derive(Clone, Debug)]
pub struct Row {
    pub topic: String,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub key: Datum,
    pub value: Datum,
    pub headers: Vec<(String, Datum)>,
}

/// A value with a schema, of which there are so many, or without; null with and without, once in a while.
fn datum(random: &mut Random, schemas: u64) -> Datum {
    match random.below(8) {
        0 => Datum { schema: None, value: Value::Null },
        1 | 2 => Datum { schema: None, value: free(random, 3) },
        _ => {
            let chosen = random.next() % schemas;
            let schema = schema(&mut Random(chosen), Names::Any, (chosen % 4) as usize);
            let value = value(random, &schema, 0);
            Datum { schema: Some(schema), value }
        }
    }
}

/// A record out of a seed; those of one stream share so many schemas.
pub fn row(seed: u64, schemas: u64) -> Row {
    let random = &mut Random(seed);
    let count = random.of(&[0, 0, 1, 2, 5]);
    Row {
        topic: random.of(&["t", "ü.t", "other"]).to_owned(),
        partition: random.of(&[None, Some(0), Some(7)]),
        timestamp: random.of(&[None, Some(0), Some(1_700_000_000_000), Some(i64::MAX)]),
        key: datum(random, schemas),
        value: datum(random, schemas),
        headers: (0..count).map(|_| (random.of(&["", "h", "ü", "h2"]).to_owned(), datum(random, schemas))).collect(),
    }
}

/// How a value with its schema is told apart from any other.
pub fn shown(schema: Option<&Schema>, value: &Value) -> String {
    format!("{value:?} of {schema:?}")
}
