//! Pure. One value cast to another type, as Java narrows and widens numbers, reads them from texts and prints them.

use weir_data::cbor::{self, major};
use weir_data::java_text::{self, date};
use weir_data::logical::{self, Logical};
use weir_data::{Node, Type, base64, decimal};
use weir_sdk::prelude::*;

use crate::number::{self, Number};

/// What values are cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    Text,
}

/// Targets by their names in Connect, and the types of their schemas.
pub const TARGETS: [(&str, Target, Type); 8] = [
    ("INT8", Target::Int8, Type::Int8),
    ("INT16", Target::Int16, Type::Int16),
    ("INT32", Target::Int32, Type::Int32),
    ("INT64", Target::Int64, Type::Int64),
    ("FLOAT32", Target::Float32, Type::Float32),
    ("FLOAT64", Target::Float64, Type::Float64),
    ("BOOLEAN", Target::Boolean, Type::Boolean),
    ("STRING", Target::Text, Type::String),
];

/// What CBOR alone does not say of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Plain,
    /// It is days since 1970.
    Date,
    /// It is milliseconds.
    Moment,
    /// It is a decimal of this scale.
    Decimal(i32),
    /// It is a struct.
    Struct,
}

impl Source {
    /// What a schema says of its values.
    pub fn of(node: &Node) -> Source {
        match (logical::of(node), &node.kind) {
            (Logical::Date, _) => Source::Date,
            (Logical::Time | Logical::Timestamp, _) => Source::Moment,
            (Logical::Decimal(Some(scale)), _) => Source::Decimal(scale),
            (_, Type::Struct(_)) => Source::Struct,
            _ => Source::Plain,
        }
    }
}

/// Source and target as one number, for plans. Scales that take more than 26 bits have none.
pub fn tag(source: Source, target: Target) -> Option<u32> {
    let (kind, scale) = match source {
        Source::Plain => (0, 0),
        Source::Date => (1, 0),
        Source::Moment => (2, 0),
        Source::Decimal(scale) => (3, scale),
        Source::Struct => (4, 0),
    };
    ((scale << 6) >> 6 == scale).then_some((scale as u32) << 6 | kind << 3 | target as u32)
}

/// Casts a value of a tag; null stays null.
pub fn cast_tagged(tag: u32, was: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let source = match tag >> 3 & 7 {
        0 => Source::Plain,
        1 => Source::Date,
        2 => Source::Moment,
        3 => Source::Decimal(tag as i32 >> 6),
        _ => Source::Struct,
    };
    cast(source, TARGETS[(tag & 7) as usize].1, was, out)
}

/// Appends a value as the target; null stays null.
pub fn cast(source: Source, target: Target, was: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let head = cbor::read_head(was, 0).map_err(Error::data)?;
    match (head.major, head.first) {
        _ if source == Source::Struct && head.first != cbor::NULL => Err(unsupported("STRUCT")),
        (major::UNSIGNED | major::NEGATIVE, _) => {
            let value = i64::try_from(head.argument).map_err(Error::data)?;
            integer(source, target, if head.major == major::NEGATIVE { !value } else { value }, out);
            Ok(())
        }
        (major::TEXT, _) => text(target, cbor::string_body(was, &head).map_err(Error::data)?.0, out),
        (major::BYTES, _) => bytes(source, target, cbor::string_body(was, &head).map_err(Error::data)?.0, out),
        (major::ARRAY, _) => Err(unsupported("ARRAY")),
        (major::MAP, _) => Err(unsupported("MAP")),
        (_, cbor::FALSE | cbor::TRUE) => {
            let value = head.first == cbor::TRUE;
            match target {
                Target::Text => cbor::text(out, if value { b"true" } else { b"false" }),
                _ => integer(Source::Plain, target, value.into(), out),
            }
            Ok(())
        }
        (_, cbor::FLOAT32) => {
            let value = f32::from_bits(head.argument as u32);
            match target {
                Target::Float32 => cbor::float32(out, value),
                Target::Text => printed(out, |out| java_text::single(value, out)),
                _ => float(target, value.into(), out),
            }
            Ok(())
        }
        (_, cbor::FLOAT64) => {
            float(target, f64::from_bits(head.argument), out);
            Ok(())
        }
        _ => {
            out.push(cbor::NULL);
            Ok(())
        }
    }
}

fn integer(source: Source, target: Target, value: i64, out: &mut Vec<u8>) {
    match target {
        Target::Int8 => cbor::integer(out, i64::from(value as i8)),
        Target::Int16 => cbor::integer(out, i64::from(value as i16)),
        Target::Int32 => cbor::integer(out, i64::from(value as i32)),
        Target::Int64 => cbor::integer(out, value),
        Target::Float32 => cbor::float32(out, value as f32),
        Target::Float64 => cbor::float64(out, value as f64),
        Target::Boolean => boolean(out, value != 0),
        Target::Text => printed(out, |out| match source {
            Source::Date => moment(value.saturating_mul(date::DAY), out),
            Source::Moment => moment(value, out),
            _ => java_text::integer(value, out),
        }),
    }
}

fn float(target: Target, value: f64, out: &mut Vec<u8>) {
    match target {
        // As in Java, the narrowest integers are cut from an int.
        Target::Int8 => cbor::integer(out, i64::from(value as i32 as i8)),
        Target::Int16 => cbor::integer(out, i64::from(value as i32 as i16)),
        Target::Int32 => cbor::integer(out, i64::from(value as i32)),
        Target::Int64 => cbor::integer(out, value as i64),
        Target::Float32 => cbor::float32(out, value as f32),
        Target::Float64 => cbor::float64(out, value),
        Target::Boolean => boolean(out, value as i64 != 0),
        Target::Text => printed(out, |out| java_text::double(value, out)),
    }
}

fn text(target: Target, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let text = std::str::from_utf8(text).map_err(Error::data)?;
    let wrong = || Error::data(format!("Value ({text}) was out of range for requested data type"));
    match target {
        Target::Int8 => cbor::integer(out, text.parse::<i8>().map_err(|_| wrong())?.into()),
        Target::Int16 => cbor::integer(out, text.parse::<i16>().map_err(|_| wrong())?.into()),
        Target::Int32 => cbor::integer(out, text.parse::<i32>().map_err(|_| wrong())?.into()),
        Target::Int64 => cbor::integer(out, text.parse::<i64>().map_err(|_| wrong())?),
        Target::Float32 => cbor::float32(out, number::parse_float(text).ok_or_else(wrong)?),
        Target::Float64 => cbor::float64(out, number::parse_double(text).ok_or_else(wrong)?),
        Target::Boolean => boolean(out, text.eq_ignore_ascii_case("true")),
        Target::Text => cbor::text(out, text.as_bytes()),
    }
    Ok(())
}

fn bytes(source: Source, target: Target, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Source::Decimal(scale) = source else {
        if target != Target::Text {
            return Err(Error::data("Unexpected type in Cast transformation: class [B"));
        }
        printed(out, |out| base64::encode(body, out));
        return Ok(());
    };
    let mut text = Vec::new();
    decimal::print(body, scale, &mut text).map_err(Error::data)?;
    let text = String::from_utf8(text).map_err(Error::data)?;
    let number = || Number::parse(&text).ok_or_else(|| Error::data(format!("{text} is no number")));
    match target {
        Target::Text => cbor::text(out, text.as_bytes()),
        Target::Float32 => cbor::float32(out, text.parse().map_err(Error::data)?),
        Target::Float64 => cbor::float64(out, number()?.double()),
        _ => integer(Source::Plain, target, number()?.low_bits(), out),
    }
    Ok(())
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { cbor::TRUE } else { cbor::FALSE });
}

fn printed(out: &mut Vec<u8>, print: impl FnOnce(&mut Vec<u8>)) {
    // Most texts of numbers are short, and then the head is the one byte that stands here already.
    let start = out.len();
    out.push(0);
    print(out);
    let length = out.len() - start - 1;
    cbor::patch_head(out, start, major::TEXT, length as u64);
}

/// As Connect's `Values` picks a format: what lies within the first day, or before it, is a time; whole days are a
/// date.
fn moment(millis: i64, out: &mut Vec<u8>) {
    if millis >= date::DAY {
        date::iso_date(millis, out);
        if millis % date::DAY == 0 {
            return;
        }
        out.push(b'T');
    }
    date::iso_time(millis, out);
}

fn unsupported(kind: &str) -> Error {
    Error::data(format!(
        "Cast transformation does not support casting from {kind}; supported types are [INT8, INT16, INT32, INT64, \
         FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
    ))
}
