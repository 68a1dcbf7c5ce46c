//! Pure. What is left of values and schemas that went through a converter, by Connect's own rules: the normalisations
//! that properties compare with.
#![allow(dead_code)]

use weir_data::{Node, Schema, Type, Value, base64, logical};

use super::random::{default_of, distinct, held, with_default};

/// What becomes of a single value of a node.
pub type Scalar = fn(&Node, Value) -> Value;

/// How nulls are replaced by defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// Nowhere.
    Kept,
    /// In fields of structs.
    OfFields,
    /// Wherever a null stands.
    Everywhere,
}

/// What is left of a value of the node at a position.
pub fn value(schema: &Schema, at: u32, value: Value, scalar: Scalar, defaults: Defaults) -> Value {
    let given = match value {
        Value::Null if defaults == Defaults::Everywhere => default_of(schema, at).unwrap_or(Value::Null),
        value => value,
    };
    inside(schema, at, given, scalar, defaults)
}

fn inside(schema: &Schema, at: u32, given: Value, scalar: Scalar, defaults: Defaults) -> Value {
    let again = |at: u32, given: Value| value(schema, at, given, scalar, defaults);
    match (&schema.node(at).kind, given) {
        (Type::Array(element), Value::Array(values)) => {
            Value::Array(values.into_iter().map(|given| again(*element, given)).collect())
        }
        (Type::Map { key, value }, Value::Map(entries)) => {
            let entries = entries.into_iter();
            // Keys that became equal are one.
            Value::Map(distinct(entries.map(|(k, v)| (again(*key, k), again(*value, v))).collect()))
        }
        (Type::Struct(fields), Value::Struct(values)) => {
            let of_field = |at: u32, given: Value| match given {
                Value::Null if defaults == Defaults::OfFields => {
                    let default = default_of(schema, at).unwrap_or(Value::Null);
                    inside(schema, at, default, scalar, defaults)
                }
                given => again(at, given),
            };
            Value::Struct(fields.iter().zip(values).map(|(field, given)| of_field(field.node, given)).collect())
        }
        (_, given) => scalar(schema.node(at), given),
    }
}

/// The schema with what is left of its defaults.
pub fn defaults(schema: &Schema, scalar: Scalar, defaults: Defaults) -> Schema {
    let mut made = schema.clone();
    for at in (0..schema.nodes().len()).rev() {
        if let Some(default) = default_of(schema, at as u32) {
            let left = inside(&made, at as u32, default, scalar, defaults);
            let left = held(&made, at as u32, &left);
            made = with_default(&made, at, Some(left));
        }
    }
    made
}

/// JSON has no word for floats that are not finite: they are texts, which read as a number are 0. Nor has its zero a
/// sign.
pub fn json_float(_: &Node, value: Value) -> Value {
    match value {
        Value::Float32(float) if !float.is_finite() || float == 0.0 => Value::Float32(0.0),
        Value::Float64(float) if !float.is_finite() || float == 0.0 => Value::Float64(0.0),
        value => value,
    }
}

/// Nothing is lost.
pub fn exact(_: &Node, value: Value) -> Value {
    value
}

/// What JSON without schema leaves of a value: structs are maps, maps with other keys arrays of pairs, bytes and
/// decimals base64, floats doubles or the texts of what is not finite. Integers, dates too, are integers.
pub fn without_schema(at: Option<(&Schema, u32)>, given: Value, replaced: bool) -> Value {
    let given = match (given, at) {
        (Value::Null, Some((schema, at))) if replaced => default_of(schema, at).unwrap_or(Value::Null),
        (given, _) => given,
    };
    match (at.map(|(schema, at)| &schema.node(at).kind), given) {
        (kind, Value::Array(values)) => {
            let element = if let Some(Type::Array(element)) = kind { Some(*element) } else { None };
            let element = element.and_then(|element| at.map(|(schema, _)| (schema, element)));
            Value::Array(values.into_iter().map(|given| without_schema(element, given, replaced)).collect())
        }
        (Some(Type::Map { key, value }), Value::Map(entries)) => {
            let (schema, _) = at.expect("a node");
            let is_text = schema.node(*key).kind == Type::String;
            let entries = entries.into_iter().map(|(k, v)| {
                (without_schema(Some((schema, *key)), k, replaced), without_schema(Some((schema, *value)), v, replaced))
            });
            match is_text {
                true => Value::Map(distinct(entries.collect())),
                false => Value::Array(entries.map(|(key, value)| Value::Array(vec![key, value])).collect()),
            }
        }
        (_, Value::Map(entries)) => {
            Value::Map(entries.into_iter().map(|(key, given)| (key, without_schema(None, given, replaced))).collect())
        }
        (Some(Type::Struct(fields)), Value::Struct(values)) => {
            let (schema, _) = at.expect("a node");
            let members = fields.iter().zip(values).map(|(field, given)| {
                (Value::from(field.name.as_str()), without_schema(Some((schema, field.node)), given, replaced))
            });
            Value::Map(members.collect())
        }
        (_, Value::Bytes(bytes)) => {
            let mut text = Vec::new();
            base64::encode(&bytes, &mut text);
            Value::Text(String::from_utf8(text).unwrap())
        }
        (_, Value::Float32(float)) if float.is_finite() => without_sign(float.to_string().parse().unwrap()),
        (_, Value::Float32(float)) => named(f64::from(float)),
        (_, Value::Float64(float)) if float.is_finite() => without_sign(float),
        (_, Value::Float64(float)) => named(float),
        (_, value) => value,
    }
}

fn without_sign(float: f64) -> Value {
    Value::Float64(if float == 0.0 { 0.0 } else { float })
}

fn named(float: f64) -> Value {
    let name = if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Value::from(name)
}

/// A map whose keys are members' names says nothing more of them.
pub fn with_plain_text_keys(schema: &Schema) -> Schema {
    let mut nodes = schema.nodes().to_vec();
    for at in 0..nodes.len() {
        if let Type::Map { key, .. } = nodes[at].kind
            && nodes[key as usize].kind == Type::String
            && !nodes[key as usize].optional
        {
            nodes[key as usize] = Node::new(Type::String);
        }
    }
    Schema::new(nodes).unwrap()
}

/// Whether a node is of a logical type.
pub fn is_logical(node: &Node) -> bool {
    logical::of(node) != logical::Logical::Plain
}
