//! What the tests of converters share: running one to its end, and values as the golden files spell them.
#![allow(dead_code)]

pub mod carried;
pub mod random;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::Value as Json;
use weir_convert::{Http, Role};
use weir_core::model::{BatchTables, Config, Problem, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, Schema, Type, Value};

const NO_TOPICS: TopicColumn<'static> = TopicColumn { topics: &[], topic: &[] };

/// The result of a future that never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("these converters do not wait"),
    }
}

pub fn config(pairs: &[(&str, &str)]) -> Config {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// For converters that ask nobody.
pub fn no_http() -> Http {
    Arc::new(|_| panic!("no registry is asked here"))
}

pub fn json(pairs: &[(&str, &str)]) -> Box<dyn Converter> {
    weir_convert::converter("JsonConverter", &config(pairs), Role::Value, &no_http()).unwrap()
}

pub fn read(converter: &mut dyn Converter, bytes: Column, tables: &mut BatchTables) -> Converted {
    let rows = bytes.ends.len();
    let converted = now(converter.to_connect(NO_TOPICS, bytes, tables));
    if !converted.cells.column.is_null() {
        converted.cells.check(rows, tables.schemas.len(), "test").unwrap();
    }
    converted
}

pub fn write(converter: &mut dyn Converter, cells: Cells, tables: &BatchTables) -> Serialized {
    let serialized = now(converter.from_connect(NO_TOPICS, cells, tables));
    let rows = serialized.bytes.ends.len();
    serialized.bytes.check(rows, "test").unwrap();
    serialized
}

/// One record through `to_connect`: its schema and cell, or the message of its fault.
#[allow(clippy::type_complexity)]
pub fn single(
    converter: &mut dyn Converter,
    bytes: Option<&[u8]>,
) -> Result<(Option<SchemaHandle>, Option<Vec<u8>>), String> {
    let mut column = Column::default();
    column.push_option(bytes);
    let mut tables = BatchTables::default();
    let converted = read(converter, column, &mut tables);
    if let Some(fault) = converted.faults.first() {
        assert_eq!(converted.cells.column.get(0), None);
        return Err(fault.fault.to_string());
    }
    let schema = tables.schemas[converted.cells.schema_of(0)].clone();
    Ok((schema, converted.cells.column.get(0).map(<[u8]>::to_vec)))
}

/// One record through `from_connect`.
pub fn written(
    converter: &mut dyn Converter,
    schema: Option<&SchemaHandle>,
    cell: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, String> {
    let mut column = Column::default();
    column.push_option(cell);
    let tables = BatchTables { schemas: vec![schema.cloned()], ..BatchTables::default() };
    let serialized = write(converter, Cells { column, schema: vec![0] }, &tables);
    match serialized.faults.first() {
        Some(fault) => Err(fault.fault.to_string()),
        None => Ok(serialized.bytes.get(0).map(<[u8]>::to_vec)),
    }
}

/// The schema of a Connect JSON schema.
pub fn parse_schema(schema: &Json) -> Option<SchemaHandle> {
    let text = format!("{{\"schema\":{schema},\"payload\":null}}");
    let converter = &mut *json(&[("replace.null.with.default", "true")]);
    match single(converter, Some(text.as_bytes())) {
        Ok((schema, _)) => schema,
        Err(message) if message.starts_with("Invalid null value") => {
            // A required schema without default: null is no value of it, anything else tells as much.
            let mut optional = schema.clone();
            optional["optional"] = Json::Bool(true);
            let schema = parse_schema(&optional)?.schema().clone();
            let mut nodes = schema.nodes().to_vec();
            nodes[0].optional = false;
            Some(SchemaHandle::new(Schema::new(nodes).unwrap()))
        }
        Err(message) => panic!("{message}: {schema}"),
    }
}

/// The JSON of a schema.
pub fn schema_text(schema: &SchemaHandle) -> String {
    let mut nodes = schema.schema().nodes().to_vec();
    let optional = nodes[0].optional;
    nodes[0].optional = true;
    let schema = SchemaHandle::new(Schema::new(nodes).unwrap());
    let bytes = written(&mut *json(&[]), Some(&schema), None).unwrap().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let end = text.rfind(",\"payload\":").unwrap();
    let text = text["{\"schema\":".len()..end].to_string();
    if optional {
        return text;
    }
    // The root's own mark is the last one that is not inside another schema.
    let (mut depth, mut at, bytes) = (0, 0, text.as_bytes());
    let mut in_text = false;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => {
                if !in_text && depth == 1 && text[at..].starts_with("\"optional\":true") {
                    return format!("{}\"optional\":false{}", &text[..at], &text[at + "\"optional\":true".len()..]);
                }
                in_text = !in_text;
            }
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    text
}

pub fn cases(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn converter_of(case: &Json) -> Result<Box<dyn Converter>, Vec<Problem>> {
    let class = match case["class"].as_str().unwrap() {
        "json" => "org.apache.kafka.connect.json.JsonConverter",
        "string" => "StringConverter",
        "bytes" => "ByteArrayConverter",
        "boolean" => "BooleanConverter",
        "short" => "ShortConverter",
        "integer" => "IntegerConverter",
        "long" => "org.apache.kafka.connect.converters.LongConverter",
        "float" => "FloatConverter",
        "double" => "DoubleConverter",
        _ => "SimpleHeaderConverter",
    };
    let none = serde_json::Map::new();
    let given = case["config"].as_object().unwrap_or(&none);
    let config = given.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_string())).collect();
    weir_convert::converter(class, &config, Role::Header, &no_http())
}

pub fn base64(text: &str) -> Vec<u8> {
    let digit =
        |byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&d| d == byte);
    let (mut out, mut word, mut bits) = (Vec::new(), 0u32, 0);
    for digit in text.bytes().filter_map(digit) {
        word = word << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}

pub fn as_i128(bytes: &[u8]) -> i128 {
    let start = if bytes.first().is_some_and(|&byte| byte >= 0x80) { -1 } else { 0 };
    bytes.iter().fold(start, |value, &byte| value << 8 | i128::from(byte))
}

fn shortest(value: i128) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let mut at = 0;
    while at < 15 && as_i128(&bytes[at + 1..]) == value {
        at += 1;
    }
    bytes[at..].to_vec()
}

/// The value that the golden files spell so; dates need to know their schema, see [`dated`].
pub fn typed_value(typed: &Json) -> Value {
    let Some((key, value)) = typed.as_object().and_then(|object| object.iter().next()) else {
        return typed.as_bool().map_or(Value::Null, Value::Boolean);
    };
    let list = || value.as_array().unwrap();
    match key.as_str() {
        "i8" | "i16" | "i32" | "i64" => Value::Integer(value.as_i64().unwrap()),
        "f32" => Value::Float32(f32::from_bits(u32::from_str_radix(value.as_str().unwrap(), 16).unwrap())),
        "f64" => Value::Float64(f64::from_bits(u64::from_str_radix(value.as_str().unwrap(), 16).unwrap())),
        "s" => Value::from(value.as_str().unwrap()),
        "b" => Value::Bytes(base64(value.as_str().unwrap())),
        "a" => Value::Array(list().iter().map(typed_value).collect()),
        "m" => Value::Map(list().iter().map(|entry| (typed_value(&entry[0]), typed_value(&entry[1]))).collect()),
        "st" => Value::Struct(list().iter().map(typed_value).collect()),
        "dec" => Value::Bytes(shortest(value.as_str().unwrap().parse().unwrap())),
        "date" => Value::Integer(value.as_i64().unwrap()),
        other => panic!("{other}"),
    }
}

/// The same value with dates as their schemas hold them.
pub fn dated(schema: &Schema, node: u32, value: Value) -> Value {
    let node = schema.node(node);
    match (&node.kind, value) {
        (Type::Int32, Value::Integer(millis)) if node.name.as_deref().is_some_and(|name| name.ends_with(".Date")) => {
            Value::Integer(millis / 86_400_000)
        }
        (Type::Array(element), Value::Array(values)) => {
            Value::Array(values.into_iter().map(|value| dated(schema, *element, value)).collect())
        }
        (Type::Map { key, value }, Value::Map(entries)) => {
            let entries = entries.into_iter();
            Value::Map(entries.map(|(k, v)| (dated(schema, *key, k), dated(schema, *value, v))).collect())
        }
        (Type::Struct(fields), Value::Struct(values)) => {
            let fields = fields.iter().zip(values);
            Value::Struct(fields.map(|(field, value)| dated(schema, field.node, value)).collect())
        }
        (_, value) => value,
    }
}

/// The same schema with null allowed everywhere, as a JVM's values know no required.
pub fn all_optional(schema: &Schema) -> Schema {
    let mut nodes = schema.nodes().to_vec();
    nodes.iter_mut().for_each(|node| node.optional = true);
    Schema::new(nodes).unwrap()
}

fn node(at: Option<(&Schema, u32)>) -> Option<&weir_data::Node> {
    at.map(|(schema, position)| schema.node(position))
}

/// Whether a value is the one that a golden file spells; maps in any order, as Java's hash maps have none.
pub fn same_typed(at: Option<(&Schema, u32)>, value: &Value, typed: &Json) -> bool {
    let child = |position: fn(&Type) -> Option<u32>| {
        at.and_then(|(schema, _)| position(&node(at)?.kind).map(|position| (schema, position)))
    };
    let element = child(|kind| if let Type::Array(element) = kind { Some(*element) } else { None });
    let key = child(|kind| if let Type::Map { key, .. } = kind { Some(*key) } else { None });
    let entry = child(|kind| if let Type::Map { value, .. } = kind { Some(*value) } else { None });
    let Some((tag, given)) = typed.as_object().and_then(|object| object.iter().next()) else {
        return *value == typed.as_bool().map_or(Value::Null, Value::Boolean);
    };
    match (tag.as_str(), value) {
        ("a", Value::Array(values)) => {
            let given = given.as_array().unwrap();
            values.len() == given.len()
                && values.iter().zip(given).all(|(value, given)| same_typed(element, value, given))
        }
        ("m", Value::Map(entries)) => {
            let given = given.as_array().unwrap();
            let same = |(k, v): &(Value, Value)| {
                given.iter().any(|pair| same_typed(key, k, &pair[0]) && same_typed(entry, v, &pair[1]))
            };
            entries.len() == given.len() && entries.iter().all(same)
        }
        ("st", Value::Struct(values)) => {
            let given = given.as_array().unwrap();
            let Some((schema, Type::Struct(fields))) = at.map(|(schema, _)| (schema, &node(at).unwrap().kind)) else {
                return false;
            };
            let fields = fields.iter().zip(values).zip(given);
            values.len() == given.len()
                && fields
                    .into_iter()
                    .all(|((field, value), given)| same_typed(Some((schema, field.node)), value, given))
        }
        ("dec", Value::Bytes(unscaled)) => {
            let scale = node(at).and_then(|node| node.parameters.iter().find(|(key, _)| key == "scale"));
            let scale: i64 = scale.map_or(0, |(_, scale)| scale.parse().unwrap());
            let (given_scale, digits) = (typed["scale"].as_i64().unwrap(), given.as_str().unwrap());
            let given: i128 = digits.parse().unwrap();
            let power = |by: i64| 10i128.checked_pow(by.max(0) as u32);
            let (Some(ours), Some(theirs)) = (power(given_scale - scale), power(scale - given_scale)) else {
                return unscaled.len() > 15;
            };
            as_i128(unscaled).checked_mul(ours) == given.checked_mul(theirs)
        }
        ("date", Value::Integer(value)) => {
            let day = node(at).and_then(|node| node.name.as_deref()).is_some_and(|name| name.ends_with(".Date"));
            *value * if day { 86_400_000 } else { 1 } == given.as_i64().unwrap()
        }
        // Java's answers have one NaN for all of them.
        ("f32", Value::Float32(value)) if value.is_nan() => given == "7fc00000",
        ("f64", Value::Float64(value)) if value.is_nan() => given == "7ff8000000000000",
        ("f32", Value::Float32(value)) => format!("{:08x}", value.to_bits()) == given.as_str().unwrap(),
        ("f64", Value::Float64(value)) => format!("{:016x}", value.to_bits()) == given.as_str().unwrap(),
        ("i8" | "i16" | "i32" | "i64", Value::Integer(value)) => {
            let kind = node(at).map(|node| node.kind.clone());
            let fits = match tag.as_str() {
                "i8" => kind == Some(Type::Int8),
                "i16" => kind == Some(Type::Int16),
                "i32" => kind == Some(Type::Int32),
                _ => matches!(kind, None | Some(Type::Int64)),
            };
            fits && Some(*value) == given.as_i64()
        }
        ("s", Value::Text(text)) => text == given.as_str().unwrap(),
        ("b", Value::Bytes(bytes)) => *bytes == base64(given.as_str().unwrap()),
        _ => false,
    }
}
