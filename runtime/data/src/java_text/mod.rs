//! Pure. Cells as Java prints the values they stand for (`toString`): what a StringConverter writes, and what a sink
//! writes that prints its records. Maps are printed as `{a=1, b=2}`, arrays as `[1, 2]`, structs as
//! `Struct{a=1,b=2}` without their null fields.

pub mod date;
mod float;
mod text;

pub use float::{double, single};
pub use text::{integer, replaced};

use crate::cbor::{self, Malformed, major};
use crate::decimal;
use crate::logical::{self, Logical};
use crate::{Schema, Type, limits};

/// Why a cell cannot be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprintable {
    /// It is not what its schema or the contract says.
    Malformed(Malformed),
    /// The text it is added to has grown past so many bytes: the names of fields, or defaults, could fill the memory.
    TooLarge(usize),
}

impl From<Malformed> for Unprintable {
    fn from(malformed: Malformed) -> Unprintable {
        Unprintable::Malformed(malformed)
    }
}

impl std::fmt::Display for Unprintable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unprintable::Malformed(malformed) => malformed.fmt(f),
            Unprintable::TooLarge(most) => write!(
                f,
                "the records of the batch would take more than {most} bytes once they are converted; lower \
                 batch.bytes.max of the worker, or shorten the defaults and names of fields in their schema"
            ),
        }
    }
}

impl std::error::Error for Unprintable {}

/// That there is room for another struct in a text of `most` bytes.
pub fn room(out: &[u8], most: usize) -> Result<(), Unprintable> {
    if out.len() > most { Err(Unprintable::TooLarge(most)) } else { Ok(()) }
}

/// Appends a cell as Java prints its value to a text that is to take `most` bytes; `schema` none means without schema.
pub fn append(schema: Option<&Schema>, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Unprintable> {
    room(out, most)?;
    let end = match schema {
        None => free(cell, 0, out, limits::DEPTH)?,
        Some(schema) => match schema.root().kind {
            Type::String => {
                out.extend_from_slice(cell);
                return Ok(());
            }
            Type::Bytes => {
                bytes(logical::of(schema.root()), cell, out)?;
                return Ok(());
            }
            _ => by_schema(schema, 0, cell, 0, most, out)?,
        },
    };
    if end == cell.len() { Ok(()) } else { Err(Malformed::Trailing.into()) }
}

fn free(cell: &[u8], at: usize, out: &mut Vec<u8>, depth: usize) -> Result<usize, Unprintable> {
    let head = cbor::read_head(cell, at)?;
    let mut at = head.end;
    match head.major {
        major::MAP => {
            let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
            out.push(b'{');
            for entry in 0..head.argument {
                separate(entry, out);
                if cbor::read_head(cell, at)?.major != major::TEXT {
                    return Err(Malformed::KeyNotText.into());
                }
                at = scalar(cell, &cbor::read_head(cell, at)?, Logical::Plain, out)?;
                out.push(b'=');
                at = free(cell, at, out, depth)?;
            }
            out.push(b'}');
            Ok(at)
        }
        major::ARRAY => {
            let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
            out.push(b'[');
            for element in 0..head.argument {
                separate(element, out);
                at = free(cell, at, out, depth)?;
            }
            out.push(b']');
            Ok(at)
        }
        _ => scalar(cell, &head, Logical::Plain, out),
    }
}

fn separate(entry: u64, out: &mut Vec<u8>) {
    if entry > 0 {
        out.extend_from_slice(b", ");
    }
}

fn by_schema(
    schema: &Schema,
    node: u32,
    cell: &[u8],
    at: usize,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<usize, Unprintable> {
    let node = schema.node(node);
    let head = cbor::read_head(cell, at)?;
    let mut at = head.end;
    match (&node.kind, head.major) {
        (Type::Struct(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
            room(out, most)?;
            out.extend_from_slice(b"Struct{");
            let mut first = true;
            for field in fields {
                if cell.get(at) == Some(&cbor::NULL) {
                    at += 1;
                    continue;
                }
                if !first {
                    out.push(b',');
                }
                first = false;
                out.extend_from_slice(field.name.as_bytes());
                out.push(b'=');
                at = by_schema(schema, field.node, cell, at, most, out)?;
            }
            out.push(b'}');
            Ok(at)
        }
        (Type::Map { key, value }, major::MAP) => {
            out.push(b'{');
            for entry in 0..head.argument {
                separate(entry, out);
                at = by_schema(schema, *key, cell, at, most, out)?;
                out.push(b'=');
                at = by_schema(schema, *value, cell, at, most, out)?;
            }
            out.push(b'}');
            Ok(at)
        }
        (Type::Array(element), major::ARRAY) => {
            out.push(b'[');
            for position in 0..head.argument {
                separate(position, out);
                at = by_schema(schema, *element, cell, at, most, out)?;
            }
            out.push(b']');
            Ok(at)
        }
        (_, major::ARRAY | major::MAP) => Err(Malformed::Unsupported.into()),
        _ => scalar(cell, &head, logical::of(node), out),
    }
}

fn scalar(cell: &[u8], head: &cbor::Head, logical: Logical, out: &mut Vec<u8>) -> Result<usize, Unprintable> {
    match (head.major, head.first) {
        (major::TEXT, _) => {
            let (text, end) = cbor::string_body(cell, head)?;
            out.extend_from_slice(text);
            return Ok(end);
        }
        (major::BYTES, _) => {
            let (body, end) = cbor::string_body(cell, head)?;
            bytes(logical, body, out)?;
            return Ok(end);
        }
        (major::UNSIGNED | major::NEGATIVE, _) => {
            let value = i64::try_from(head.argument).map_err(|_| Malformed::Unsupported)?;
            let value = if head.major == major::NEGATIVE { !value } else { value };
            match logical {
                Logical::Date => date::print(value.saturating_mul(date::DAY), out),
                Logical::Time | Logical::Timestamp => date::print(value, out),
                Logical::Plain | Logical::Decimal(_) => {
                    integer(value, out);
                }
            }
        }
        (_, cbor::TRUE) => out.extend_from_slice(b"true"),
        (_, cbor::FALSE) => out.extend_from_slice(b"false"),
        (_, cbor::NULL) => out.extend_from_slice(b"null"),
        (_, cbor::FLOAT32) => single(f32::from_bits(head.argument as u32), out),
        (_, cbor::FLOAT64) => double(f64::from_bits(head.argument), out),
        _ => return Err(Malformed::Unsupported.into()),
    }
    Ok(head.end)
}

/// Java prints arrays of bytes by their identity, which says nothing; here equal bytes print alike.
fn bytes(logical: Logical, body: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if let Logical::Decimal(Some(scale)) = logical {
        return decimal::print(body, scale, out);
    }
    let hash = body.iter().fold(1u32, |hash, &byte| hash.wrapping_mul(31).wrapping_add(byte as i8 as u32));
    out.extend_from_slice(format!("[B@{hash:x}").as_bytes());
    Ok(())
}
