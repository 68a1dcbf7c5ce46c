//! Pure. Values to cells and back, with and without schema.

use crate::cbor::{self, Head, Malformed, major};
use crate::schema::{Schema, Type, limits};
use crate::value::Value;

/// Why a value is no cell of a schema, or a cell no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCell {
    /// The bytes are not the CBOR that cells hold.
    Malformed(Malformed),
    /// The value does not fit the schema: where, what it should be, what it is.
    Mismatch(String),
}

impl std::fmt::Display for BadCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadCell::Malformed(malformed) => malformed.fmt(f),
            BadCell::Mismatch(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for BadCell {}

impl From<Malformed> for BadCell {
    fn from(malformed: Malformed) -> BadCell {
        BadCell::Malformed(malformed)
    }
}

/// Appends the cell of a value that is not null; `schema` none means without schema.
pub fn encode_cell(schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<(), BadCell> {
    match (schema, value) {
        (None, value) => encode_free(value, out, limits::DEPTH),
        (Some(schema), Value::Text(text)) if schema.root().kind == Type::String => {
            cbor::put(out, text.as_bytes());
            Ok(())
        }
        (Some(schema), Value::Bytes(bytes)) if schema.root().kind == Type::Bytes => {
            cbor::put(out, bytes);
            Ok(())
        }
        (Some(schema), value) => encode_node(schema, 0, value, out),
    }
}

fn encode_free(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), BadCell> {
    let inner = || depth.checked_sub(1).ok_or(BadCell::Malformed(Malformed::TooDeep));
    match value {
        Value::Array(values) => {
            let depth = inner()?;
            cbor::head(out, major::ARRAY, values.len() as u64);
            values.iter().try_for_each(|value| encode_free(value, out, depth))
        }
        Value::Map(entries) => {
            let depth = inner()?;
            cbor::head(out, major::MAP, entries.len() as u64);
            entries.iter().try_for_each(|(key, value)| {
                let Value::Text(key) = key else {
                    return Err(Malformed::KeyNotText.into());
                };
                cbor::text(out, key.as_bytes());
                encode_free(value, out, depth)
            })
        }
        Value::Struct(_) => Err(BadCell::Mismatch("a struct needs a schema".into())),
        scalar => {
            encode_scalar(scalar, out);
            Ok(())
        }
    }
}

fn encode_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Boolean(value) => out.push(if *value { cbor::TRUE } else { cbor::FALSE }),
        Value::Integer(value) => cbor::integer(out, *value),
        Value::Float32(value) => cbor::float32(out, *value),
        Value::Float64(value) => cbor::float64(out, *value),
        Value::Text(text) => cbor::text(out, text.as_bytes()),
        Value::Bytes(bytes) => cbor::bytes(out, bytes),
        Value::Null | Value::Array(_) | Value::Map(_) | Value::Struct(_) => out.push(cbor::NULL),
    }
}

fn encode_node(schema: &Schema, position: u32, value: &Value, out: &mut Vec<u8>) -> Result<(), BadCell> {
    let node = schema.node(position);
    let mismatch = || BadCell::Mismatch(format!("{value:?} is no {:?}", node.kind));
    match (&node.kind, value) {
        (_, Value::Null) if node.optional => out.push(cbor::NULL),
        (Type::Int8, Value::Integer(n)) if i8::try_from(*n).is_ok() => cbor::integer(out, *n),
        (Type::Int16, Value::Integer(n)) if i16::try_from(*n).is_ok() => cbor::integer(out, *n),
        (Type::Int32, Value::Integer(n)) if i32::try_from(*n).is_ok() => cbor::integer(out, *n),
        (Type::Int64, Value::Integer(_)) | (Type::Float32, Value::Float32(_)) | (Type::Float64, Value::Float64(_)) => {
            encode_scalar(value, out)
        }
        (Type::Boolean, Value::Boolean(_)) | (Type::String, Value::Text(_)) | (Type::Bytes, Value::Bytes(_)) => {
            encode_scalar(value, out)
        }
        (Type::Array(element), Value::Array(values)) => {
            cbor::head(out, major::ARRAY, values.len() as u64);
            values.iter().try_for_each(|value| encode_node(schema, *element, value, out))?;
        }
        (Type::Map { key, value }, Value::Map(entries)) => {
            cbor::head(out, major::MAP, entries.len() as u64);
            entries.iter().try_for_each(|(k, v)| {
                encode_node(schema, *key, k, out)?;
                encode_node(schema, *value, v, out)
            })?;
        }
        (Type::Struct(fields), Value::Struct(values)) if fields.len() == values.len() => {
            cbor::head(out, major::ARRAY, values.len() as u64);
            fields.iter().zip(values).try_for_each(|(field, value)| encode_node(schema, field.node, value, out))?;
        }
        _ => return Err(mismatch()),
    }
    Ok(())
}

/// The value of a cell; `schema` none means without schema.
pub fn decode_cell(schema: Option<&Schema>, cell: &[u8]) -> Result<Value, BadCell> {
    let (value, end) = match schema {
        None => decode_free(cell, 0, limits::DEPTH)?,
        Some(schema) if schema.root().kind == Type::String => return Ok(Value::Text(utf8(cell)?)),
        Some(schema) if schema.root().kind == Type::Bytes => {
            return Ok(Value::Bytes(cell.to_vec()));
        }
        Some(schema) => decode_node(schema, 0, cell, 0)?,
    };
    if end == cell.len() { Ok(value) } else { Err(Malformed::Trailing.into()) }
}

fn utf8(bytes: &[u8]) -> Result<String, BadCell> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::NotUtf8.into())
}

fn decode_free(cell: &[u8], at: usize, depth: usize) -> Result<(Value, usize), BadCell> {
    let head = cbor::read_head(cell, at)?;
    match head.major {
        major::ARRAY => {
            let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
            let mut values = Vec::new();
            let mut at = head.end;
            for _ in 0..head.argument {
                let (value, end) = decode_free(cell, at, depth)?;
                values.push(value);
                at = end;
            }
            Ok((Value::Array(values), at))
        }
        major::MAP => {
            let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
            let mut entries = Vec::new();
            let mut at = head.end;
            for _ in 0..head.argument {
                let key = cbor::read_head(cell, at)?;
                if key.major != major::TEXT {
                    return Err(Malformed::KeyNotText.into());
                }
                let (key, end) = decode_scalar(cell, &key)?;
                let (value, end) = decode_free(cell, end, depth)?;
                entries.push((key, value));
                at = end;
            }
            Ok((Value::Map(entries), at))
        }
        _ => decode_scalar(cell, &head),
    }
}

fn decode_scalar(cell: &[u8], head: &Head) -> Result<(Value, usize), BadCell> {
    let integer = || i64::try_from(head.argument).map_err(|_| BadCell::Malformed(Malformed::Unsupported));
    let value = match (head.major, head.first) {
        (major::UNSIGNED, _) => Value::Integer(integer()?),
        (major::NEGATIVE, _) => Value::Integer(!integer()?),
        (major::BYTES, _) => {
            let (bytes, end) = cbor::string_body(cell, head)?;
            return Ok((Value::Bytes(bytes.to_vec()), end));
        }
        (major::TEXT, _) => {
            let (text, end) = cbor::string_body(cell, head)?;
            return Ok((Value::Text(utf8(text)?), end));
        }
        (_, cbor::FALSE) => Value::Boolean(false),
        (_, cbor::TRUE) => Value::Boolean(true),
        (_, cbor::NULL) => Value::Null,
        (_, cbor::FLOAT32) => Value::Float32(f32::from_bits(head.argument as u32)),
        (_, cbor::FLOAT64) => Value::Float64(f64::from_bits(head.argument)),
        _ => return Err(Malformed::Unsupported.into()),
    };
    Ok((value, head.end))
}

fn decode_node(schema: &Schema, position: u32, cell: &[u8], at: usize) -> Result<(Value, usize), BadCell> {
    let node = schema.node(position);
    let head = cbor::read_head(cell, at)?;
    if head.first == cbor::NULL && node.optional {
        return Ok((Value::Null, head.end));
    }
    let mismatch = || BadCell::Mismatch(format!("the cell's value at byte {at} is no {:?}", node.kind));
    let mut at = head.end;
    match (&node.kind, head.major) {
        (Type::Array(element), major::ARRAY) => {
            let mut values = Vec::new();
            for _ in 0..head.argument {
                let (value, end) = decode_node(schema, *element, cell, at)?;
                values.push(value);
                at = end;
            }
            Ok((Value::Array(values), at))
        }
        (Type::Map { key, value }, major::MAP) => {
            let mut entries = Vec::new();
            for _ in 0..head.argument {
                let (k, end) = decode_node(schema, *key, cell, at)?;
                let (v, end) = decode_node(schema, *value, cell, end)?;
                entries.push((k, v));
                at = end;
            }
            Ok((Value::Map(entries), at))
        }
        (Type::Struct(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
            let mut values = Vec::with_capacity(fields.len());
            for field in fields {
                let (value, end) = decode_node(schema, field.node, cell, at)?;
                values.push(value);
                at = end;
            }
            Ok((Value::Struct(values), at))
        }
        (Type::Array(_) | Type::Map { .. } | Type::Struct(_), _) | (_, major::ARRAY | major::MAP) => Err(mismatch()),
        (kind, _) => {
            let (value, end) = decode_scalar(cell, &head)?;
            let fits = match (kind, &value) {
                (Type::Int8, Value::Integer(n)) => i8::try_from(*n).is_ok(),
                (Type::Int16, Value::Integer(n)) => i16::try_from(*n).is_ok(),
                (Type::Int32, Value::Integer(n)) => i32::try_from(*n).is_ok(),
                (Type::Int64, Value::Integer(_)) | (Type::Float32, Value::Float32(_)) => true,
                (Type::Float64, Value::Float64(_)) | (Type::Boolean, Value::Boolean(_)) => true,
                (Type::String, Value::Text(_)) | (Type::Bytes, Value::Bytes(_)) => true,
                _ => false,
            };
            if fits { Ok((value, end)) } else { Err(mismatch()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Node;

    fn back_and_forth(schema: Option<&Schema>, value: Value) {
        let mut cell = vec![];
        encode_cell(schema, &value, &mut cell).unwrap();
        assert_eq!(decode_cell(schema, &cell), Ok(value));
        for cut in 0..cell.len() {
            let _ = decode_cell(schema, &cell[..cut]);
        }
    }

    fn leaf(kind: Type) -> Schema {
        Schema::of(Node::new(kind))
    }

    #[test]
    fn values_survive_a_cell_with_and_without_schema() {
        back_and_forth(
            None,
            Value::map([
                ("a", Value::Array(vec![Value::Null, Value::from(i64::MIN), Value::from(1.5f32)])),
                ("b", Value::from(&b"\xff"[..])),
                ("a", Value::map([])),
            ]),
        );
        let schema = Schema::record([
            ("small", leaf(Type::Int8)),
            ("text", leaf(Type::String).optional()),
            ("map", Schema::map(leaf(Type::Int32), Schema::array(leaf(Type::Float64)))),
        ]);
        for text in [Value::Null, Value::from("x")] {
            let map = Value::Map(vec![(Value::from(7), Value::Array(vec![Value::from(0.5)]))]);
            back_and_forth(Some(&schema), Value::Struct(vec![Value::from(-128), text, map]));
        }
        back_and_forth(Some(&leaf(Type::String)), Value::from("raw"));
        back_and_forth(Some(&leaf(Type::Bytes)), Value::from(vec![0u8, 255]));
    }

    #[test]
    fn what_a_schema_does_not_allow_is_a_mismatch_both_ways() {
        let schema = Schema::record([("small", leaf(Type::Int8))]);
        for bad in [
            Value::Struct(vec![Value::from(128)]),
            Value::Struct(vec![Value::Null]),
            Value::Struct(vec![]),
            Value::from(1),
        ] {
            let result = encode_cell(Some(&schema), &bad, &mut vec![]);
            assert!(matches!(result, Err(BadCell::Mismatch(_))), "{bad:?}");
        }
        for bad in [&[0x81, 0x18, 0x80][..], &[0x81, 0xf6], &[0x80], &[0x82, 0, 0], &[0x01], &[0xa0]] {
            assert!(matches!(decode_cell(Some(&schema), bad), Err(BadCell::Mismatch(_))), "{bad:?}");
        }
        assert_eq!(decode_cell(Some(&schema), &[0x81, 1, 1]), Err(Malformed::Trailing.into()));
    }
}
