//! Protobuf carries structs, and scalars that are whole records. It has no null but for messages: what is not there is
//! zero, empty, or the default that Connect's schema has for it. Of names it keeps those of messages, without their
//! package.

use proptest::prelude::*;
use weir_data::{Schema, Type, Value};

use super::{through, typed};
use crate::protobuf::fuzzed::format;
use crate::support::carried::is_logical;
use crate::support::random::{default_of, distinct, same};

/// Whether there is a message for a schema: arrays and maps are fields, and neither holds another.
fn has_message(schema: &Schema) -> bool {
    let is_field = |at: u32| matches!(schema.node(at).kind, Type::Array(_) | Type::Map { .. });
    let nested = schema.nodes().iter().any(|node| match node.kind {
        Type::Array(element) => is_field(element),
        Type::Map { key, value } => is_field(key) || is_field(value),
        _ => false,
    });
    !nested && !is_field(0)
}

/// Whether an array holds null, for which there is no element.
fn null_in_array(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| *value == Value::Null || null_in_array(value)),
        Value::Map(entries) => entries.iter().any(|(key, value)| null_in_array(key) || null_in_array(value)),
        Value::Struct(values) => values.iter().any(null_in_array),
        _ => false,
    }
}

/// What is left of a field that may be null.
fn left_of_field(schema: &Schema, at: u32, value: Value) -> Value {
    let value = if value == Value::Null { default_of(schema, at).unwrap_or(Value::Null) } else { value };
    left_of_entry(schema, at, value)
}

/// What is left of the key or the value of an entry.
fn left_of_entry(schema: &Schema, at: u32, value: Value) -> Value {
    let node = schema.node(at);
    match (&node.kind, value) {
        (_, Value::Null) if is_logical(node) => Value::Null,
        (Type::Struct(_), Value::Null) => Value::Null,
        (Type::Array(_), Value::Null) => Value::Array(Vec::new()),
        (Type::Map { .. }, Value::Null) => Value::Map(Vec::new()),
        (Type::Float32, Value::Null) => Value::Float32(0.0),
        (Type::Float64, Value::Null) => Value::Float64(0.0),
        (Type::Boolean, Value::Null) => Value::Boolean(false),
        (Type::String, Value::Null) => Value::Text(String::new()),
        (Type::Bytes, Value::Null) => Value::Bytes(Vec::new()),
        (_, Value::Null) => Value::Integer(0),
        (_, value) => left(schema, at, value),
    }
}

fn left(schema: &Schema, at: u32, value: Value) -> Value {
    match (&schema.node(at).kind, value) {
        (Type::Struct(fields), Value::Struct(values)) => {
            let fields = fields.iter().zip(values);
            Value::Struct(fields.map(|(field, value)| left_of_field(schema, field.node, value)).collect())
        }
        (Type::Array(element), Value::Array(values)) => {
            Value::Array(values.into_iter().map(|value| left(schema, *element, value)).collect())
        }
        (Type::Map { key, value }, Value::Map(entries)) => {
            let left =
                entries.into_iter().map(|(k, v)| (left_of_entry(schema, *key, k), left_of_entry(schema, *value, v)));
            Value::Map(distinct(left.collect()))
        }
        (_, value) => value,
    }
}

/// The kinds of values, which is what is left of a schema but for its messages' names.
fn kinds(schema: &Schema, at: u32) -> String {
    let node = schema.node(at);
    match &node.kind {
        Type::Struct(fields) => {
            fields.iter().map(|field| format!("{}:{}", field.name, kinds(schema, field.node))).collect()
        }
        Type::Array(element) => format!("[{}]", kinds(schema, *element)),
        Type::Map { key, value } => format!("{{{}={}}}", kinds(schema, *key), kinds(schema, *value)),
        kind if at == 0 => format!("{:?}", whole(kind)),
        kind if is_logical(node) => format!("{kind:?} {:?}", node.name),
        kind => format!("{kind:?}"),
    }
}

/// A whole record has no field that could say that its integers are small.
fn whole(kind: &Type) -> Type {
    match kind {
        Type::Int8 | Type::Int16 => Type::Int32,
        kind => kind.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn values_survive(seed in any::<u64>(), depth in 0usize..4) {
        let (schema, value) = typed(seed, depth);
        let back = through(&format(), Some(&schema), &value);
        if value == Value::Null {
            return Ok(());
        }
        match back {
            Ok((back_schema, back)) => {
                prop_assert!(has_message(&schema) && !null_in_array(&value));
                let expected = left(&schema, 0, value);
                prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
                prop_assert_eq!(kinds(&back_schema.unwrap(), 0), kinds(&schema, 0));
            }
            Err(why) => prop_assert!(!has_message(&schema) || null_in_array(&value), "{why}"),
        }
    }
}
