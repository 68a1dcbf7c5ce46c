//! Pure. What a text stands for, as Connect's `Values.parseString` decides: what a SimpleHeaderConverter reads, and
//! what InsertHeader is given.

mod temporal;
mod tokens;

use std::collections::HashMap;

use crate::logical::{self, Logical};
use crate::{Node, Schema, Type, Value, decimal, encode_cell, limits};
use tokens::{Tokens, trim};

/// A value with its schema. Arrays and maps whose elements have no common type have none.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The schema.
    pub schema: Option<Schema>,
    /// The value.
    pub value: Value,
}

/// Digits from which on a number is left as text.
const DIGITS_MAX: usize = 1_000;

/// The text is no array, map or element.
struct NotSo;

/// What a text that is not empty stands for; none for null.
pub fn parse(text: &str) -> Option<Parsed> {
    let mut tokens = Tokens::new(text);
    value(&mut tokens, false, limits::DEPTH).unwrap_or_else(|NotSo| Some(string(text)))
}

fn string(text: &str) -> Parsed {
    scalar(Type::String, Value::from(text))
}

fn scalar(kind: Type, value: Value) -> Parsed {
    Parsed { schema: Some(Schema::of(Node::new(kind))), value }
}

fn single(tokens: &mut Tokens<'_>, embedded: bool, literal: &str) -> bool {
    let start = tokens.mark();
    if tokens.take_if(literal) && (embedded || !tokens.has_next()) {
        return true;
    }
    tokens.rewind(start);
    false
}

fn value(tokens: &mut Tokens<'_>, embedded: bool, depth: usize) -> Result<Option<Parsed>, NotSo> {
    if !tokens.has_next() {
        return Ok(None);
    }
    if embedded && tokens.take_if("\"") {
        return Ok(Some(quoted(tokens)));
    }
    if single(tokens, embedded, "null") {
        return Ok(None);
    }
    for (literal, value) in [("true", true), ("false", false)] {
        if single(tokens, embedded, literal) {
            return Ok(Some(scalar(Type::Boolean, Value::Boolean(value))));
        }
    }
    let start = tokens.mark();
    let container = if tokens.take_if("[") {
        Some(array(tokens, depth))
    } else if tokens.take_if("{") {
        Some(map(tokens, depth))
    } else {
        None
    };
    match container {
        Some(Ok(parsed)) => return Ok(Some(parsed)),
        Some(Err(NotSo)) => tokens.rewind(start),
        None => {}
    }
    let token = tokens.take();
    let trimmed = trim(token);
    if trimmed.is_empty() {
        return Ok(Some(string(token)));
    }
    if trimmed.as_bytes()[0].is_ascii_digit()
        && let Some(moment) = temporal_tokens(tokens, trimmed)
    {
        return Ok(Some(moment));
    }
    if matches!(trimmed.as_bytes()[0], b'0'..=b'9' | b'+' | b'-')
        && let Some(number) = number(trimmed)
    {
        return Ok(Some(number));
    }
    if embedded { Err(NotSo) } else { Ok(Some(string(tokens.text()))) }
}

/// Times hold colons, which are tokens: five of them make one.
fn temporal_tokens(tokens: &mut Tokens<'_>, first: &str) -> Option<Parsed> {
    let position = tokens.mark();
    if let Some(rest) = tokens.take_many(4)
        && let Some(moment) = temporal::parse(&format!("{first}{rest}"))
    {
        return Some(moment);
    }
    tokens.rewind(position);
    temporal::parse(first)
}

fn quoted(tokens: &mut Tokens<'_>) -> Parsed {
    let mut content = String::new();
    while tokens.has_next() {
        if tokens.take_if("\"") {
            break;
        }
        content.push_str(tokens.take());
    }
    temporal::parse(&content).unwrap_or_else(|| string(&content))
}

/// The least common type of elements.
#[derive(Default)]
struct Common {
    schema: Option<Schema>,
    none: bool,
}

impl Common {
    fn add(&mut self, element: Option<&Parsed>) {
        let Some(parsed) = element else {
            return;
        };
        let Some(new) = &parsed.schema else {
            self.none = true;
            return;
        };
        let Some(common) = self.schema.take().filter(|_| !self.none) else {
            self.schema = (!self.none).then(|| new.clone());
            return;
        };
        let alike = std::mem::discriminant(&common.root().kind) == std::mem::discriminant(&new.root().kind);
        self.schema = match (rank(&common.root().kind), rank(&new.root().kind)) {
            _ if alike => Some(new.clone()),
            (Some(old), Some(wide)) => Some(if wide > old { new.clone() } else { common }),
            _ => None,
        };
        self.none = self.schema.is_none();
    }
}

/// Numbers by how much they hold.
fn rank(kind: &Type) -> Option<u8> {
    Some(match kind {
        Type::Int8 => 0,
        Type::Int16 => 1,
        Type::Int32 => 2,
        Type::Int64 => 3,
        Type::Float32 => 4,
        Type::Float64 => 5,
        _ => return None,
    })
}

/// The element as a value of the common type.
fn aligned(schema: &Schema, element: Option<Parsed>) -> Result<Value, NotSo> {
    let Some(Parsed { schema: Some(from), value }) = element else {
        return Err(NotSo);
    };
    let value = match (&schema.root().kind, value) {
        (Type::Float32, Value::Integer(value)) => Value::Float32(value as f32),
        (Type::Float64, Value::Integer(value)) => Value::Float64(value as f64),
        (Type::Float64, Value::Float32(value)) => Value::Float64(value.into()),
        (_, value) => value,
    };
    let (from, to) = (logical::of(from.root()), logical::of(schema.root()));
    if from == to { Ok(value) } else { Err(NotSo) }
}

/// A container without common type: its value alone, if that is something without schema.
fn untyped(value: Value) -> Result<Parsed, NotSo> {
    Ok(Parsed { schema: None, value })
}

/// Only what means the same without schema may stand without.
fn free(element: Option<Parsed>) -> Result<Value, NotSo> {
    let Some(Parsed { schema, value }) = element else {
        return Ok(Value::Null);
    };
    let logical = schema.is_some_and(|schema| {
        schema.nodes().iter().any(|node| logical::of(node) != Logical::Plain)
            || schema.nodes().iter().any(|node| match node.kind {
                Type::Map { key, .. } => schema.node(key).kind != Type::String,
                _ => false,
            })
    });
    if logical { Err(NotSo) } else { Ok(value) }
}

fn array(tokens: &mut Tokens<'_>, depth: usize) -> Result<Parsed, NotSo> {
    let depth = depth.checked_sub(1).ok_or(NotSo)?;
    let mut elements: Vec<Option<Parsed>> = Vec::new();
    let mut common = Common::default();
    while tokens.has_next() {
        if tokens.take_if("]") {
            return match common.schema {
                Some(element) => {
                    let values = elements.into_iter().map(|value| aligned(&element, value));
                    let value = Value::Array(values.collect::<Result<_, _>>()?);
                    fitting(Schema::array(element), value)
                }
                None => untyped(Value::Array(elements.into_iter().map(free).collect::<Result<_, _>>()?)),
            };
        }
        if tokens.take_if(",") {
            return Err(NotSo);
        }
        let element = value(tokens, true, depth)?;
        common.add(element.as_ref());
        elements.push(element);
        let position = tokens.mark();
        if tokens.take_if("]") {
            tokens.rewind(position);
        } else if !tokens.take_if(",") {
            return Err(NotSo);
        }
    }
    Err(NotSo)
}

fn map(tokens: &mut Tokens<'_>, depth: usize) -> Result<Parsed, NotSo> {
    let depth = depth.checked_sub(1).ok_or(NotSo)?;
    let mut entries: Vec<(Parsed, Option<Parsed>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let (mut keys, mut values) = (Common::default(), Common::default());
    while tokens.has_next() {
        if tokens.take_if("}") {
            return match (keys.schema, values.schema) {
                (Some(key), Some(value)) => {
                    let entries = entries.into_iter().map(|(k, v)| Ok((aligned(&key, Some(k))?, aligned(&value, v)?)));
                    let entries = Value::Map(entries.collect::<Result<_, NotSo>>()?);
                    fitting(Schema::map(key, value), entries)
                }
                _ if entries.iter().all(|(key, _)| matches!(key.value, Value::Text(_))) => {
                    let entries = entries.into_iter().map(|(key, value)| Ok((key.value, free(value)?)));
                    untyped(Value::Map(entries.collect::<Result<_, NotSo>>()?))
                }
                _ => Err(NotSo),
            };
        }
        if tokens.take_if(",") {
            return Err(NotSo);
        }
        let key = value(tokens, true, depth)?.ok_or(NotSo)?;
        if !tokens.take_if(":") {
            return Err(NotSo);
        }
        let entry = value(tokens, true, depth)?;
        tokens.take_if(",");
        keys.add(Some(&key));
        values.add(entry.as_ref());
        let place = *places.entry(format!("{key:?}")).or_insert(entries.len());
        match entries.get_mut(place) {
            Some((_, known)) => *known = entry,
            None => entries.push((key, entry)),
        }
    }
    Err(NotSo)
}

/// The value with its schema, or without where Connect's schema would not be true of all it holds.
fn fitting(schema: Schema, value: Value) -> Result<Parsed, NotSo> {
    if encode_cell(Some(&schema), &value, &mut Vec::new()).is_ok() {
        return Ok(Parsed { schema: Some(schema), value });
    }
    free(Some(Parsed { schema: Some(schema), value })).and_then(untyped)
}

/// A number, if the text is one to Java's `BigDecimal`: the smallest integer type, else a float that holds it, else a
/// decimal.
fn number(text: &str) -> Option<Parsed> {
    let negative = text.starts_with('-');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (text, "0"),
    };
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let exponent: i64 = if is_digits(exponent_digits) { exponent.parse::<i32>().ok()?.into() } else { return None };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte.wrapping_sub(b'0')).collect();
    if digits.is_empty() || digits.len() > DIGITS_MAX || digits.iter().any(|&digit| digit > 9) {
        return None;
    }
    let scale = i32::try_from(fraction.len() as i64 - exponent).ok()?;
    if let Some(integer) = small_integer(&digits, scale, negative) {
        let kind = match integer {
            -0x80..0x80 => Type::Int8,
            -0x8000..0x8000 => Type::Int16,
            -0x8000_0000..0x8000_0000 => Type::Int32,
            _ => Type::Int64,
        };
        return Some(scalar(kind, Value::Integer(integer)));
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let (single, double) = (unsigned.parse::<f32>().ok()?, unsigned.parse::<f64>().ok()?);
    if scale != 0 && single.is_finite() {
        return Some(scalar(Type::Float32, Value::Float32(single)));
    }
    if scale != 0 && double.is_finite() {
        return Some(scalar(Type::Float64, Value::Float64(double)));
    }
    let mut unscaled = Vec::new();
    decimal::from_digits(negative, digits, &mut unscaled);
    let parameters = vec![("scale".to_owned(), scale.to_string())];
    let node = Node { version: Some(1), parameters, ..Node::new(Type::Bytes).named(logical::DECIMAL) };
    Some(Parsed { schema: Some(Schema::of(node)), value: Value::Bytes(unscaled) })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The integer that the digits make, if they make one of 64 bits and not more than 10^19.
fn small_integer(digits: &[u8], scale: i32, negative: bool) -> Option<i64> {
    let first = digits.iter().position(|&digit| digit != 0);
    let Some(first) = first else {
        return Some(0);
    };
    let significant = &digits[first..];
    let kept = significant.len() as i64 - i64::from(scale);
    let kept = usize::try_from(kept).ok().filter(|kept| (1..=19).contains(kept))?;
    if significant.iter().skip(kept).any(|&digit| digit != 0) {
        return None;
    }
    let padded = significant.iter().copied().chain(std::iter::repeat(0)).take(kept);
    let magnitude = padded.fold(0i128, |value, digit| value * 10 + i128::from(digit));
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}
