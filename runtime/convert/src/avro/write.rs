//! Pure. Cells to Avro's binary encoding, by the plan of a schema.

use serde_json::Value as Json;
use weir_data::cbor::{self, Head, Malformed, major};
use weir_data::{limits, logical::Logical};

use super::schema::{AvroSchema, AvroType};
use super::write_plan::{Member, WriteKind, WriteNode, WritePlan};
use crate::java_text;

/// Appends an integer of variable length.
#[inline]
pub(crate) fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, bytes.len() as i64);
    cbor::put(out, bytes);
}

fn bad(malformed: Malformed) -> String {
    malformed.to_string()
}

fn head(cell: &[u8], at: usize) -> Result<Head, String> {
    cbor::read_head(cell, at).map_err(bad)
}

fn integer(head: &Head) -> Option<i64> {
    let value = i64::try_from(head.argument).ok()?;
    match head.major {
        major::UNSIGNED => Some(value),
        major::NEGATIVE => Some(!value),
        _ => None, // no integer
    }
}

fn room(out: &[u8], most: usize) -> Result<(), String> {
    java_text::room(out, most).map_err(|too_large| too_large.to_string())
}

impl WritePlan {
    /// Appends the Avro of a cell to a batch that is to take `most` bytes.
    pub(crate) fn cell(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let root = &self.root;
        match &root.kind {
            WriteKind::Bytes if self.bare_bytes => {
                out.extend_from_slice(cell);
                Ok(())
            }
            WriteKind::String | WriteKind::Enum(_) | WriteKind::Bytes | WriteKind::Fixed(_) => {
                if let Some(branch) = root.branch {
                    long(out, branch);
                }
                text_or_bytes(root, cell, out)
            }
            _ => {
                let end = value(root, cell, 0, most, out)?;
                if end == cell.len() { Ok(()) } else { Err(bad(Malformed::Trailing)) }
            }
        }
    }
}

fn text_or_bytes(node: &WriteNode, body: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    match &node.kind {
        WriteKind::Enum(symbols) => {
            let found = symbols.get(body).copied();
            let unknown = || format!("{} is not a symbol of the enum", String::from_utf8_lossy(body));
            long(out, found.ok_or_else(unknown)?);
        }
        WriteKind::Fixed(size) => {
            let spare = size.checked_sub(body.len());
            match spare {
                Some(0) => {}
                // The same number in more bytes.
                Some(spare) if matches!(node.logical, Logical::Decimal(_)) => {
                    let negative = body.first().is_some_and(|first| *first >= 0x80);
                    out.resize(out.len() + spare, if negative { 0xff } else { 0 });
                }
                _ => return Err(format!("{} bytes do not fit a fixed of {size}", body.len())),
            }
            out.extend_from_slice(body);
        }
        _ => sized(out, body),
    }
    Ok(())
}

fn null(node: &WriteNode, out: &mut Vec<u8>) -> Result<(), String> {
    let null = node.null.as_ref().ok_or("Found null value for non-optional schema")?;
    cbor::put(out, null);
    Ok(())
}

/// Appends the Avro of the value at `at`, and answers where it ends.
pub(crate) fn value(node: &WriteNode, cell: &[u8], at: usize, most: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    let head = head(cell, at)?;
    if head.first == cbor::NULL {
        null(node, out)?;
        return Ok(head.end);
    }
    if let Some(branch) = node.branch {
        long(out, branch);
    }
    let mismatch = || Err(format!("Invalid type for {}: the cell holds another", node.type_name));
    let mut end = head.end;
    match (&node.kind, head.major) {
        (WriteKind::Boolean, _) if matches!(head.first, cbor::FALSE | cbor::TRUE) => {
            out.push(u8::from(head.first == cbor::TRUE));
        }
        (WriteKind::Int(bits), major::UNSIGNED | major::NEGATIVE) => match integer(&head) {
            Some(value) if value << (64 - bits) >> (64 - bits) == value => long(out, value),
            Some(value) => return Err(format!("{value} is no number of {bits} bits")),
            None => return mismatch(),
        },
        (WriteKind::Float, _) if head.first == cbor::FLOAT32 => {
            out.extend_from_slice(&(head.argument as u32).to_le_bytes());
        }
        (WriteKind::Double, _) if head.first == cbor::FLOAT64 => {
            out.extend_from_slice(&head.argument.to_le_bytes());
        }
        (WriteKind::String | WriteKind::Enum(_), major::TEXT)
        | (WriteKind::Bytes | WriteKind::Fixed(_), major::BYTES) => {
            let (body, behind) = cbor::string_body(cell, &head).map_err(bad)?;
            text_or_bytes(node, body, out)?;
            end = behind;
        }
        (WriteKind::Array(items), major::ARRAY) => {
            end = blocks(&head, out, most, |at, out| value(items, cell, at, most, out))?;
        }
        (WriteKind::Map(values), major::MAP) => {
            end = blocks(&head, out, most, |at, out| {
                let key = self::head(cell, at)?;
                if key.major != major::TEXT {
                    return Err(bad(Malformed::KeyNotText));
                }
                let (text, behind) = cbor::string_body(cell, &key).map_err(bad)?;
                sized(out, text);
                value(values, cell, behind, most, out)
            })?;
        }
        (WriteKind::Entries(keys, values), major::MAP) => {
            end = blocks(&head, out, most, |at, out| {
                let behind = value(keys, cell, at, most, out)?;
                value(values, cell, behind, most, out)
            })?;
        }
        (WriteKind::Struct { members, in_order: true }, major::ARRAY) if head.argument == members.len() as u64 => {
            room(out, most)?;
            for member in members {
                match member {
                    Member::Field(_, node) => end = value(node, cell, end, most, out)?,
                    Member::Default(bytes) => cbor::put(out, bytes),
                }
            }
        }
        (WriteKind::Struct { members, in_order: false }, major::ARRAY) => {
            room(out, most)?;
            let mut starts = Vec::new();
            for _ in 0..head.argument {
                starts.push(end);
                end = cbor::skip(cell, end).map_err(bad)?;
            }
            for member in members {
                match member {
                    Member::Field(position, node) => {
                        let Some(&start) = starts.get(*position) else { return mismatch() };
                        value(node, cell, start, most, out)?;
                    }
                    Member::Default(bytes) => cbor::put(out, bytes),
                }
            }
        }
        (WriteKind::Union(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
            let mut written = false;
            for field in fields {
                let first = self::head(cell, end)?.first;
                if first == cbor::NULL || written {
                    end = cbor::skip(cell, end).map_err(bad)?;
                } else {
                    end = value(field, cell, end, most, out)?;
                    written = true;
                }
            }
            if !written {
                null(node, out)?;
            }
        }
        _ => return mismatch(),
    }
    Ok(end)
}

/// Appends as many elements as a head says, in one block, and answers where they end.
fn blocks(
    head: &Head,
    out: &mut Vec<u8>,
    most: usize,
    mut element: impl FnMut(usize, &mut Vec<u8>) -> Result<usize, String>,
) -> Result<usize, String> {
    let mut at = head.end;
    if head.argument > 0 {
        long(out, i64::try_from(head.argument).map_err(|_| bad(Malformed::Truncated))?);
        for _ in 0..head.argument {
            room(out, most)?;
            at = element(at, out)?;
        }
    }
    out.push(0);
    Ok(at)
}

/// Appends a record of Anything that holds a cell without schema.
pub(crate) fn anything(cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let end = free(cell, 0, most, out, limits::DEPTH)?;
    if end == cell.len() { Ok(()) } else { Err(bad(Malformed::Trailing)) }
}

fn free(cell: &[u8], at: usize, most: usize, out: &mut Vec<u8>, depth: usize) -> Result<usize, String> {
    let depth = depth.checked_sub(1).ok_or_else(|| bad(Malformed::TooDeep))?;
    room(out, most)?;
    let head = head(cell, at)?;
    // Where the value stands among the members of Anything; every other one is null.
    let member = match (head.major, head.first) {
        (_, cbor::NULL) => 9,
        (_, cbor::FALSE | cbor::TRUE) => 0,
        (_, cbor::FLOAT64) => 2,
        (_, cbor::FLOAT32) => 3,
        (major::UNSIGNED | major::NEGATIVE, _) => 5,
        (major::TEXT, _) => 6,
        (major::ARRAY, _) => 7,
        (major::MAP, _) => 8,
        (major::BYTES, _) => return Err("Unknown Java type for schemaless data: class [B".into()),
        _ => return Err(bad(Malformed::Unsupported)),
    };
    out.resize(out.len() + member, 0);
    if member == 9 {
        return Ok(head.end);
    }
    out.push(2);
    let mut end = head.end;
    match member {
        0 => out.push(u8::from(head.first == cbor::TRUE)),
        2 => out.extend_from_slice(&head.argument.to_le_bytes()),
        3 => out.extend_from_slice(&(head.argument as u32).to_le_bytes()),
        5 => long(out, integer(&head).ok_or_else(|| bad(Malformed::Unsupported))?),
        6 => {
            let (text, behind) = cbor::string_body(cell, &head).map_err(bad)?;
            sized(out, text);
            end = behind;
        }
        7 => end = blocks(&head, out, most, |at, out| free(cell, at, most, out, depth))?,
        _ => {
            end = blocks(&head, out, most, |at, out| {
                let behind = free(cell, at, most, out, depth)?;
                free(cell, behind, most, out, depth)
            })?;
        }
    }
    out.resize(out.len() + 8 - member, 0);
    Ok(end)
}

/// Appends a default of an Avro schema, which is JSON.
pub(crate) fn json(avro: &AvroSchema, at: u32, json: &Json, out: &mut Vec<u8>) -> Result<(), String> {
    nested_json(avro, at, json, out, limits::DEPTH)
}

/// A schema that holds itself may have a default that does, too.
fn nested_json(avro: &AvroSchema, at: u32, json: &Json, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("a default is nested deeper than {}", limits::DEPTH))?;
    room(out, limits::SCHEMA_BYTES)?;
    let node = avro.node(at);
    let wrong = || format!("the default {json} is no {}", node.full_name());
    match &node.kind {
        AvroType::Null if json.is_null() => {}
        AvroType::Null => return Err(wrong()),
        AvroType::Boolean => out.push(u8::from(json.as_bool().ok_or_else(wrong)?)),
        AvroType::Int | AvroType::Long => long(out, json.as_i64().ok_or_else(wrong)?),
        AvroType::Float => out.extend_from_slice(&(json.as_f64().ok_or_else(wrong)? as f32).to_le_bytes()),
        AvroType::Double => out.extend_from_slice(&json.as_f64().ok_or_else(wrong)?.to_le_bytes()),
        AvroType::String => sized(out, json.as_str().ok_or_else(wrong)?.as_bytes()),
        AvroType::Bytes | AvroType::Fixed(_) => {
            let units = json.as_str().ok_or_else(wrong)?.chars();
            let bytes: Vec<u8> =
                units.map(|unit| u8::try_from(u32::from(unit)).map_err(|_| wrong())).collect::<Result<_, _>>()?;
            match node.kind {
                AvroType::Fixed(size) if size != bytes.len() => return Err(wrong()),
                AvroType::Fixed(_) => out.extend_from_slice(&bytes),
                _ => sized(out, &bytes),
            }
        }
        AvroType::Enum { symbols, .. } => {
            let symbol = json.as_str().ok_or_else(wrong)?;
            let number = symbols.iter().position(|known| known == symbol).ok_or_else(wrong)?;
            long(out, number as i64);
        }
        AvroType::Array(items) => {
            let values = json.as_array().ok_or_else(wrong)?;
            if !values.is_empty() {
                long(out, values.len() as i64);
            }
            values.iter().try_for_each(|value| nested_json(avro, *items, value, out, depth))?;
            out.push(0);
        }
        AvroType::Map(values) => {
            let entries = json.as_object().ok_or_else(wrong)?;
            if !entries.is_empty() {
                long(out, entries.len() as i64);
            }
            for (key, value) in entries {
                sized(out, key.as_bytes());
                nested_json(avro, *values, value, out, depth)?;
            }
            out.push(0);
        }
        AvroType::Record(fields) => {
            let members = json.as_object().ok_or_else(wrong)?;
            for field in fields {
                let value = members.get(&field.name).or(field.default.as_ref()).ok_or_else(wrong)?;
                nested_json(avro, field.node, value, out, depth)?;
            }
        }
        AvroType::Union(branches) => {
            let start = out.len();
            for (number, &branch) in branches.iter().enumerate() {
                long(out, number as i64);
                if nested_json(avro, branch, json, out, depth).is_ok() {
                    return Ok(());
                }
                out.truncate(start);
            }
            return Err(wrong());
        }
    }
    Ok(())
}
