//! Converters of schemas against a real schema registry, and against Confluent's client of another language.

#[path = "../../../../tests/src/harness/apicurio.rs"]
mod apicurio;
mod avro;
mod bad_input;
mod json_schema;
mod protobuf;
#[path = "../support/registry.rs"]
mod support;

use weir_data::{Node, Schema, Type, Value, logical};

fn leaf(kind: Type) -> Schema {
    Schema::of(Node::new(kind))
}

fn named(kind: Type, name: &str, parameters: &[(&str, &str)]) -> Schema {
    let parameters = parameters.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Schema::of(Node { version: Some(1), parameters, ..Node::new(kind).named(name) })
}

/// An order with everything that schemas may hold.
fn order() -> (Schema, Value) {
    let customer = Schema::record([("name", leaf(Type::String)), ("vip", leaf(Type::Boolean).optional())]);
    let schema = Schema::record([
        ("id", leaf(Type::Int64)),
        ("small", leaf(Type::Int8)),
        ("middle", leaf(Type::Int16).optional()),
        ("ratio", leaf(Type::Float32)),
        ("price", leaf(Type::Float64)),
        ("note", leaf(Type::String).optional()),
        ("raw", leaf(Type::Bytes)),
        ("tags", Schema::array(leaf(Type::String))),
        ("counts", Schema::map(leaf(Type::String), leaf(Type::Int32).optional())),
        ("by_number", Schema::map(leaf(Type::Int32), leaf(Type::String))),
        ("customer", customer.named("shop.Customer").optional()),
        ("total", named(Type::Bytes, logical::DECIMAL, &[("scale", "2")])),
        ("day", named(Type::Int32, logical::DATE, &[])),
        ("at", named(Type::Int64, logical::TIMESTAMP, &[])),
    ]);
    let value = Value::Struct(vec![
        Value::from(1i64 << 40),
        Value::from(-5),
        Value::Null,
        Value::from(1.5f32),
        Value::from(2.25),
        Value::from("é"),
        Value::from(vec![0u8, 255]),
        Value::Array(vec![Value::from("a"), Value::from("b")]),
        Value::Map(vec![(Value::from("k"), Value::Null)]),
        Value::Map(vec![(Value::from(7), Value::from("seven"))]),
        Value::Struct(vec![Value::from("Ann"), Value::from(true)]),
        Value::from(vec![0x30u8, 0x39]),
        Value::from(20_000),
        Value::from(1_700_000_000_123i64),
    ]);
    (schema.named("shop.Order"), value)
}
