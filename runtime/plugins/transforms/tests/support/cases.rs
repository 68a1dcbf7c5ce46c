//! Golden cases: schemas and values as `Golden.java` writes them.

use serde_json::Value as Json;
use weir_data::logical::{self, Logical};
use weir_data::{Field, Node, Schema, Type, Value, decimal, encode_cell};

/// A schema; none for JSON's null.
pub fn schema(json: &Json) -> Option<Schema> {
    if json.is_null() {
        return None;
    }
    let mut nodes = Vec::new();
    push(json, &mut nodes);
    Some(Schema::new(nodes).unwrap())
}

fn push(json: &Json, nodes: &mut Vec<Node>) -> u32 {
    let at = nodes.len();
    nodes.push(Node::new(Type::Boolean));
    let kind = match json["type"].as_str().unwrap() {
        "int8" => Type::Int8,
        "int16" => Type::Int16,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "float32" => Type::Float32,
        "float64" => Type::Float64,
        "boolean" => Type::Boolean,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "array" => Type::Array(push(&json["items"], nodes)),
        "map" => {
            let key = push(&json["keys"], nodes);
            Type::Map { key, value: push(&json["values"], nodes) }
        }
        "struct" => {
            let field = |field: &Json, nodes: &mut Vec<Node>| {
                let name = field["field"].as_str().unwrap().to_owned();
                Field { name, node: push(field, nodes) }
            };
            Type::Struct(json["fields"].as_array().unwrap().iter().map(|json| field(json, nodes)).collect())
        }
        other => panic!("no type {other}"),
    };
    let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let parameters = json.get("parameters").and_then(Json::as_object).into_iter().flatten();
    nodes[at] = Node {
        kind,
        optional: json["optional"].as_bool().unwrap(),
        name: text("name"),
        version: json.get("version").and_then(Json::as_i64).map(|version| version as i32),
        doc: text("doc"),
        parameters: parameters.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
        default: None,
    };
    if let Some(default) = json.get("default") {
        let own = sub(nodes, at);
        let value = value(Some((&own, 0)), default);
        // Inside an array text has its CBOR head; the array's own takes one byte.
        let mut cbor = Vec::new();
        encode_cell(Some(&Schema::array(own)), &Value::Array(vec![value]), &mut cbor).unwrap();
        nodes[at].default = Some(cbor.split_off(1));
    }
    at as u32
}

/// The schema under construction from a node on, which is the last that holds nodes.
fn sub(nodes: &[Node], at: usize) -> Schema {
    let moved = |position: u32| position - at as u32;
    let nodes = nodes[at..].iter().map(|node| {
        let kind = match &node.kind {
            Type::Array(element) => Type::Array(moved(*element)),
            Type::Map { key, value } => Type::Map { key: moved(*key), value: moved(*value) },
            Type::Struct(fields) => {
                Type::Struct(fields.iter().map(|f| Field { name: f.name.clone(), node: moved(f.node) }).collect())
            }
            other => other.clone(),
        };
        Node { kind, ..node.clone() }
    });
    Schema::new(nodes.collect()).unwrap()
}

/// A value under a node of a schema, or without.
pub fn value(schema: Option<(&Schema, u32)>, json: &Json) -> Value {
    let node = schema.map(|(schema, at)| schema.node(at));
    let Some((kind, inner)) = json.as_object().and_then(|object| object.iter().next()) else {
        return json.as_bool().map_or(Value::Null, Value::Boolean);
    };
    let bits = || u64::from_str_radix(inner.as_str().unwrap(), 16).unwrap();
    let child = |pick: fn(&Type) -> Option<u32>| {
        schema.and_then(|(schema, at)| pick(&schema.node(at).kind).map(|child| (schema, child)))
    };
    match kind.as_str() {
        "i8" | "i16" | "i32" | "i64" => Value::Integer(inner.as_i64().unwrap()),
        "f32" => Value::Float32(f32::from_bits(bits() as u32)),
        "f64" => Value::Float64(f64::from_bits(bits())),
        "s" => Value::Text(inner.as_str().unwrap().to_owned()),
        "b" => Value::Bytes(base64(inner.as_str().unwrap())),
        "dec" => Value::Bytes(unscaled(inner.as_str().unwrap(), json["scale"].as_i64().unwrap(), node)),
        "date" => {
            let millis = inner.as_i64().unwrap();
            let days = node.is_some_and(|node| logical::of(node) == Logical::Date);
            Value::Integer(if days { millis / 86_400_000 } else { millis })
        }
        "a" => {
            let element = child(|kind| if let Type::Array(element) = kind { Some(*element) } else { None });
            Value::Array(inner.as_array().unwrap().iter().map(|json| value(element, json)).collect())
        }
        "m" => {
            let keys = child(|kind| if let Type::Map { key, .. } = kind { Some(*key) } else { None });
            let values = child(|kind| if let Type::Map { value, .. } = kind { Some(*value) } else { None });
            let pairs = inner.as_array().unwrap().iter();
            Value::Map(pairs.map(|pair| (value(keys, &pair[0]), value(values, &pair[1]))).collect())
        }
        "st" => {
            let (schema, at) = schema.expect("a struct has a schema");
            let Type::Struct(fields) = &schema.node(at).kind else { panic!("a struct under {:?}", schema.node(at)) };
            let values = inner.as_array().unwrap().iter();
            Value::Struct(fields.iter().zip(values).map(|(f, json)| value(Some((schema, f.node)), json)).collect())
        }
        other => panic!("no value {other}"),
    }
}

/// The unscaled bytes of a decimal, at the scale of its schema where that takes only zeros.
fn unscaled(digits: &str, scale: i64, node: Option<&Node>) -> Vec<u8> {
    let wanted = match node.map(logical::of) {
        Some(Logical::Decimal(Some(wanted))) => i64::from(wanted),
        _ => scale,
    };
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
    let mut digits: Vec<u8> = digits.bytes().map(|byte| byte - b'0').collect();
    (scale..wanted).for_each(|_| digits.push(0));
    for _ in wanted..scale {
        // What is lost here never equals an answer of ours, which is an error.
        digits.pop();
    }
    let mut out = Vec::new();
    decimal::from_digits(negative, digits, &mut out);
    out
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|&byte| byte != b'=') {
        bits = bits << 6 | LETTERS.iter().position(|&letter| letter == byte).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// The same value with maps in the order of their keys: Java's have none.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by_key(|(key, _)| format!("{key:?}"));
            Value::Map(entries)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        Value::Struct(values) => Value::Struct(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
