//! Pure. How cells of a Connect schema become a message of Protobuf, and the transcoding by that plan.

use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use weir_data::cbor::{self, Head, Malformed, major};
use weir_data::{Node, Schema, Type, logical};

use super::calendar;
use super::names::*;
use super::settings::DataSettings;
use super::to_connect::{entry, wrapped};
use super::wire::{put_length, put_message_path, tag, varint, zigzag};
use crate::{decimal, java_text};

/// How one value is written.
enum Write {
    Number(Kind),
    Text,
    Bytes,
    /// The numbers of symbols.
    Symbol(HashMap<Vec<u8>, i32>),
    Message(Vec<Slot>),
    /// A message of one field that stands for the value.
    Wrapped(Arc<Write>),
    Decimal(i32),
    Date,
    Time,
    Timestamp,
}

struct Field {
    number: u32,
    write: Arc<Write>,
    /// Whether a value that is the default is written.
    presence: bool,
    /// What null is written as, a cell; none where it is left out.
    default: Option<Vec<u8>>,
}

enum Slot {
    One(Field),
    /// The default is that of all of them; and whether they stand behind one tag.
    Many(Field, bool),
    /// The number of the field, its default, and the fields of an entry.
    Entries(u32, Option<Vec<u8>>, Field, Field),
    Union(Vec<Field>),
}

/// A plan from a schema of Connect to a message.
pub(crate) struct WritePlan {
    path: Vec<usize>,
    root: Write,
    raw: bool,
}

impl WritePlan {
    /// Prepares a schema; records begin with `path`.
    pub(crate) fn new(
        schema: &Schema,
        message: &MessageDescriptor,
        path: Vec<usize>,
        settings: &DataSettings,
    ) -> Result<WritePlan, String> {
        let planner = Planner { schema, settings };
        let root = match (wrapped(message), &schema.root().kind) {
            (_, Type::Struct(_)) => planner.message(schema.root(), message)?,
            (Some(field), _) => Write::Wrapped(planner.value(0, &field)?.into()),
            (None, kind) => return Err(format!("Unsupported root schema of type {}", logical::type_name(kind))),
        };
        Ok(WritePlan { path, root, raw: schema.is_raw() })
    }

    /// Appends the record of a cell to a batch that is to take `most` bytes.
    pub(crate) fn cell(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        put_message_path(out, &self.path);
        let mut held = Vec::new();
        let cell = match (&self.root, self.raw) {
            (Write::Wrapped(inner), true) => {
                match **inner {
                    Write::Text | Write::Symbol(_) => cbor::text(&mut held, cell),
                    _ => cbor::bytes(&mut held, cell),
                }
                &held[..]
            }
            _ => cell,
        };
        let end = body(&self.root, cell, 0, most, out)?;
        if end == cell.len() { Ok(()) } else { Err(Malformed::Trailing.to_string()) }
    }
}

struct Planner<'a> {
    schema: &'a Schema,
    settings: &'a DataSettings,
}

impl Planner<'_> {
    fn message(&self, node: &Node, message: &MessageDescriptor) -> Result<Write, String> {
        let Type::Struct(fields) = &node.kind else {
            return mismatch(node, message.full_name());
        };
        let mut slots = Vec::with_capacity(fields.len());
        for field in fields {
            let inner = self.schema.node(field.node);
            let missing = |name: &str| format!("the message {} has no field {name}", message.full_name());
            let found = message.get_field_by_name(&field.name);
            slots.push(match (&inner.kind, found) {
                (Type::Struct(members), None) if is_union(inner) => {
                    let member = |member: &weir_data::Field| {
                        let found = message.get_field_by_name(&member.name).ok_or_else(|| missing(&member.name))?;
                        self.field(member.node, &found)
                    };
                    Slot::Union(members.iter().map(member).collect::<Result<_, _>>()?)
                }
                (_, None) => return Err(missing(&field.name)),
                (Type::Array(items), Some(found)) if found.is_list() => {
                    let one = Field { default: self.default(field.node), ..self.field(*items, &found)? };
                    Slot::Many(one, found.is_packed())
                }
                (Type::Map { key, value }, Some(found)) => {
                    let (keys, values) = entry(&found).ok_or_else(|| missing(&field.name))?;
                    // Defaults are those of a struct's fields, which entries are not.
                    let part =
                        |at: u32, of: &FieldDescriptor| Ok::<_, String>(Field { default: None, ..self.field(at, of)? });
                    let default = self.default(field.node);
                    Slot::Entries(found.number(), default, part(*key, &keys)?, part(*value, &values)?)
                }
                (_, Some(found)) if found.is_list() => return mismatch(inner, found.full_name()),
                (_, Some(found)) => Slot::One(self.field(field.node, &found)?),
            });
        }
        Ok(Write::Message(slots))
    }

    fn field(&self, at: u32, field: &FieldDescriptor) -> Result<Field, String> {
        let write = self.value(at, field)?.into();
        let presence = field.supports_presence();
        Ok(Field { number: field.number(), write, presence, default: self.default(at) })
    }

    /// What null is written as.
    fn default(&self, at: u32) -> Option<Vec<u8>> {
        self.schema.node(at).default.clone().filter(|_| !self.settings.ignore_default_for_nullables)
    }

    fn value(&self, at: u32, field: &FieldDescriptor) -> Result<Write, String> {
        let node = self.schema.node(at);
        let kind = field.kind();
        Ok(match (&kind, &node.kind) {
            (Kind::Message(message), kind) => match (message.full_name(), logical::of(node), kind) {
                (DECIMAL_TYPE, logical::Logical::Decimal(scale), _) => {
                    Write::Decimal(scale.ok_or("a Decimal has no parameter scale")?)
                }
                (DATE_TYPE, logical::Logical::Date, _) => Write::Date,
                (TIME_TYPE, logical::Logical::Time, _) => Write::Time,
                (TIMESTAMP_TYPE, logical::Logical::Timestamp, _) => Write::Timestamp,
                (_, _, Type::Struct(_)) => self.message(node, message)?,
                _ => match wrapped(message) {
                    Some(inner) => Write::Wrapped(self.value(at, &inner)?.into()),
                    None => return mismatch(node, field.full_name()),
                },
            },
            (Kind::Enum(symbols), Type::String) => {
                let numbers = symbols.values().map(|symbol| (symbol.name().as_bytes().to_vec(), symbol.number()));
                Write::Symbol(numbers.collect())
            }
            (Kind::Enum(_), Type::Int8 | Type::Int16 | Type::Int32) => Write::Number(Kind::Int32),
            (Kind::String, Type::String) => Write::Text,
            (Kind::Bytes, Type::Bytes) => Write::Bytes,
            (Kind::Bool, Type::Boolean) | (Kind::Float, Type::Float32) | (Kind::Double, Type::Float64) => {
                Write::Number(kind)
            }
            (
                Kind::Int32
                | Kind::Sint32
                | Kind::Sfixed32
                | Kind::Uint32
                | Kind::Fixed32
                | Kind::Int64
                | Kind::Sint64
                | Kind::Sfixed64
                | Kind::Uint64
                | Kind::Fixed64,
                Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64,
            ) => Write::Number(kind),
            _ => return mismatch(node, field.full_name()),
        })
    }
}

/// Whether a node is a struct that stands for a oneof.
pub(crate) fn is_union(node: &Node) -> bool {
    matches!(node.kind, Type::Struct(_)) && node.name.as_deref().is_some_and(|name| name.starts_with(UNION))
}

fn mismatch<T>(node: &Node, to: &str) -> Result<T, String> {
    Err(format!("a value of type {} has no place in {to}", logical::type_name(&node.kind)))
}

fn bad(malformed: Malformed) -> String {
    malformed.to_string()
}

fn head(cell: &[u8], at: usize) -> Result<Head, String> {
    cbor::read_head(cell, at).map_err(bad)
}

fn integer(head: &Head) -> Result<i64, String> {
    let value = i64::try_from(head.argument).map_err(|_| bad(Malformed::Unsupported))?;
    match head.major {
        major::UNSIGNED => Ok(value),
        major::NEGATIVE => Ok(!value),
        _ => Err("a cell that is no integer where one should be".into()),
    }
}

fn wire_type(write: &Write) -> u64 {
    match write {
        Write::Number(Kind::Fixed32 | Kind::Sfixed32 | Kind::Float) => 5,
        Write::Number(Kind::Fixed64 | Kind::Sfixed64 | Kind::Double) => 1,
        Write::Number(_) | Write::Symbol(_) => 0,
        _ => 2, // with their length
    }
}

/// Appends a field whose value is the cell at `at`, and answers where that ends.
fn field(field: &Field, cell: &[u8], at: usize, most: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    let found = head(cell, at)?;
    if found.first == cbor::NULL {
        if let Some(default) = &field.default {
            self::field(&Field { default: None, write: field.write.clone(), ..*field }, default, 0, most, out)?;
        }
        return Ok(found.end);
    }
    let start = out.len();
    tag(out, field.number, wire_type(&field.write));
    let value = out.len();
    let end = body(&field.write, cell, at, most, out)?;
    // Protobuf leaves out what a reader takes for granted.
    let is_default = out[value..].iter().all(|byte| *byte == 0);
    if wire_type(&field.write) == 2 {
        if !field.presence && out.len() == value {
            out.truncate(start);
            return Ok(end);
        }
        put_length(out, value);
    } else if !field.presence && is_default {
        out.truncate(start);
    }
    Ok(end)
}

/// Appends a value without tag and length, and answers where its cell ends.
fn body(write: &Write, cell: &[u8], at: usize, most: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    let found = head(cell, at)?;
    if found.first == cbor::NULL {
        return Err("Found null value where Protobuf has none".into());
    }
    match write {
        Write::Number(kind) => number(kind, &found, out)?,
        Write::Symbol(numbers) => {
            let (text, end) = cbor::string_body(cell, &found).map_err(bad)?;
            let number = numbers.get(text).copied();
            let unknown = || format!("{} is not a symbol of the enum", String::from_utf8_lossy(text));
            varint(out, i64::from(number.ok_or_else(unknown)?) as u64);
            return Ok(end);
        }
        Write::Text | Write::Bytes => {
            let expected = if matches!(write, Write::Text) { major::TEXT } else { major::BYTES };
            if found.major != expected {
                return Err("a cell that is no text or bytes where they should be".into());
            }
            let (body, end) = cbor::string_body(cell, &found).map_err(bad)?;
            cbor::put(out, body);
            return Ok(end);
        }
        Write::Message(slots) => return message(slots, cell, &found, most, out),
        Write::Wrapped(inner) => {
            let inner = Field { number: 1, write: inner.clone(), presence: false, default: None };
            return field(&inner, cell, at, most, out);
        }
        Write::Decimal(scale) => {
            let (unscaled, end) = cbor::string_body(cell, &found).map_err(bad)?;
            decimal_body(decimal::shortest(unscaled), *scale, out)?;
            return Ok(end);
        }
        Write::Date => {
            let (year, month, day) = calendar::date(integer(&found)?);
            numbers(out, &[year, month, day]);
        }
        Write::Time => {
            let millis = integer(&found)?;
            if !(0..=86_400_000).contains(&millis) {
                return Err("Time values must use number of millis greater than 0 and less than 86400000".into());
            }
            let seconds = millis / 1_000 % 86_400;
            numbers(out, &[seconds / 3_600, seconds / 60 % 60, seconds % 60, millis % 1_000 * 1_000_000]);
        }
        Write::Timestamp => {
            let millis = integer(&found)?;
            numbers(out, &[millis.div_euclid(1_000), millis.rem_euclid(1_000) * 1_000_000]);
        }
    }
    Ok(found.end)
}

/// Appends integers as the first fields of a message.
fn numbers(out: &mut Vec<u8>, values: &[i64]) {
    for (number, value) in (1..).zip(values).filter(|(_, value)| **value != 0) {
        tag(out, number, 0);
        varint(out, *value as u64);
    }
}

fn decimal_body(unscaled: &[u8], scale: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let mut digits = Vec::new();
    decimal::print(unscaled, 0, &mut digits).map_err(bad)?;
    let precision = digits.iter().filter(|digit| digit.is_ascii_digit()).count();
    tag(out, 1, 2);
    let start = out.len();
    out.extend_from_slice(unscaled);
    put_length(out, start);
    tag(out, 2, 0);
    varint(out, precision as u64);
    if scale != 0 {
        tag(out, 3, 0);
        varint(out, i64::from(scale) as u64);
    }
    Ok(())
}

fn number(kind: &Kind, found: &Head, out: &mut Vec<u8>) -> Result<(), String> {
    match kind {
        Kind::Bool if matches!(found.first, cbor::FALSE | cbor::TRUE) => out.push(u8::from(found.first == cbor::TRUE)),
        Kind::Float if found.first == cbor::FLOAT32 => out.extend_from_slice(&(found.argument as u32).to_le_bytes()),
        Kind::Double if found.first == cbor::FLOAT64 => out.extend_from_slice(&found.argument.to_le_bytes()),
        Kind::Bool | Kind::Float | Kind::Double => return Err("a cell of another type than its schema's".into()),
        Kind::Sint32 | Kind::Sint64 => varint(out, zigzag(integer(found)?)),
        Kind::Fixed32 | Kind::Sfixed32 => out.extend_from_slice(&(integer(found)? as u32).to_le_bytes()),
        Kind::Fixed64 | Kind::Sfixed64 => out.extend_from_slice(&integer(found)?.to_le_bytes()),
        Kind::Uint32 => varint(out, u64::from(integer(found)? as u32)),
        _ => varint(out, integer(found)? as u64),
    }
    Ok(())
}

fn message(slots: &[Slot], cell: &[u8], found: &Head, most: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    java_text::room(out, most).map_err(|too_large| too_large.to_string())?;
    if found.major != major::ARRAY || found.argument != slots.len() as u64 {
        return Err("a cell that is no struct where one should be".into());
    }
    let mut at = found.end;
    for slot in slots {
        let inner = head(cell, at)?;
        at = match slot {
            Slot::One(one) => field(one, cell, at, most, out)?,
            Slot::Many(one, packed) => {
                stood_in(one.default.as_ref(), cell, &inner, |cell, found| many(one, *packed, cell, found, most, out))?
            }
            Slot::Entries(number, default, key, value) => stood_in(default.as_ref(), cell, &inner, |cell, found| {
                entries((*number, key, value), cell, found, most, out)
            })?,
            Slot::Union(_) if inner.first == cbor::NULL => inner.end,
            Slot::Union(fields) => {
                if inner.major != major::ARRAY || inner.argument != fields.len() as u64 {
                    return Err("a cell that is no union where one should be".into());
                }
                let mut end = inner.end;
                for one in fields {
                    end = field(one, cell, end, most, out)?;
                }
                end
            }
        };
    }
    Ok(at)
}

/// Writes what was found, its default where that is null and has one, or nothing; answers where what was found ends.
fn stood_in(
    default: Option<&Vec<u8>>,
    cell: &[u8],
    found: &Head,
    mut write: impl FnMut(&[u8], &Head) -> Result<usize, String>,
) -> Result<usize, String> {
    if found.first != cbor::NULL {
        return write(cell, found);
    }
    if let Some(default) = default {
        write(default, &head(default, 0)?)?;
    }
    Ok(found.end)
}

fn many(one: &Field, packed: bool, cell: &[u8], found: &Head, most: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    if found.major != major::ARRAY {
        return Err("a cell that is no array where one should be".into());
    }
    let mut at = found.end;
    if packed && found.argument > 0 {
        tag(out, one.number, 2);
        let start = out.len();
        for _ in 0..found.argument {
            at = body(&one.write, cell, at, most, out)?;
        }
        put_length(out, start);
        return Ok(at);
    }
    for _ in 0..found.argument {
        java_text::room(out, most).map_err(|too_large| too_large.to_string())?;
        tag(out, one.number, wire_type(&one.write));
        let start = out.len();
        at = body(&one.write, cell, at, most, out)?;
        if wire_type(&one.write) == 2 {
            put_length(out, start);
        }
    }
    Ok(at)
}

fn entries(
    (number, key, value): (u32, &Field, &Field),
    cell: &[u8],
    found: &Head,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<usize, String> {
    if found.major != major::MAP {
        return Err("a cell that is no map where one should be".into());
    }
    let mut at = found.end;
    for _ in 0..found.argument {
        java_text::room(out, most).map_err(|too_large| too_large.to_string())?;
        tag(out, number, 2);
        let start = out.len();
        at = field(key, cell, at, most, out)?;
        at = field(value, cell, at, most, out)?;
        put_length(out, start);
    }
    Ok(at)
}
