//! Pure. JSON to CBOR laid out by a schema, with the conversions that Connect's JsonConverter makes on the way: it
//! asks Jackson's nodes for what the schema wants, and they answer 0, false or nothing where they have no such thing.

use weir_data::cbor::{self, major};

use super::dialect::Entries;
use super::flaw::{Flaw, Outcome, data, too_large};
use super::free::keep_last;
use super::one_of;
use super::read_plan::{ReadField, ReadFields, ReadKind, ReadNode, ReadPlan};
use super::reader::Reader;
use crate::logical::Logical;
use crate::{base64, decimal};

/// Appends the value at the cursor as CBOR by the node at `at` of the plan.
pub(crate) fn transcode(reader: &mut Reader<'_>, plan: &ReadPlan, at: usize, out: &mut Vec<u8>) -> Outcome<()> {
    let node = &plan.nodes[at];
    let first = reader.token()?;
    if first == b'n' {
        reader.literal(b"null")?;
        return null(reader, node, out);
    }
    if node.logical != Logical::Plain {
        return logical(reader, node, first, out);
    }
    match &node.kind {
        ReadKind::String if first == b'"' => reader.string_to_cbor(out),
        ReadKind::Struct(fields) if first == b'{' => structure(reader, plan, fields, out),
        ReadKind::Struct(_) => data(format!("Structs should be encoded as JSON objects, but found {}", found(first))),
        ReadKind::Array(element) => array(reader, plan, *element, first, out),
        ReadKind::Map { key, value, entries } => map(reader, plan, (*key, *value, *entries), first, out),
        ReadKind::OneOf(fields) => one_of::transcode(reader, plan, fields, first, out),
        _ if first == b'-' || first.is_ascii_digit() => number(reader, node, out),
        _ => other_scalar(reader, node, first, out),
    }
}

/// Appends what null becomes.
fn null(reader: &Reader<'_>, node: &ReadNode, out: &mut Vec<u8>) -> Outcome<()> {
    match &node.null {
        Some(null) if null.len() > 1 && out.len() > reader.most => too_large(reader.most),
        Some(null) => {
            cbor::put(out, null);
            Ok(())
        }
        None => data(format!("Invalid null value for required {} field", node.type_name)),
    }
}

/// Appends the null that Jackson answers for a value of another kind; Connect looks at defaults before, not after.
fn nothing(node: &ReadNode, out: &mut Vec<u8>) -> Outcome<()> {
    if !node.optional {
        return Err(Box::new(Flaw::NullFor { place: String::new(), kind: node.type_name }));
    }
    out.push(cbor::NULL);
    Ok(())
}

#[inline(always)]
fn number(reader: &mut Reader<'_>, node: &ReadNode, out: &mut Vec<u8>) -> Outcome<()> {
    let number = reader.number()?;
    match node.kind {
        ReadKind::Integer(64) => cbor::integer(out, number.as_i64()),
        ReadKind::Integer(bits) => cbor::integer(out, cut(number.as_i64(), bits)),
        ReadKind::Float64 => cbor::float64(out, number.as_f64()),
        ReadKind::Float32 => cbor::float32(out, number.as_f32()),
        ReadKind::Boolean => out.push(cbor::FALSE),
        _ => return nothing(node, out),
    }
    Ok(())
}

/// The low bits of an integer with its sign, as Java's casts keep them.
fn cut(value: i64, bits: u32) -> i64 {
    value << (64 - bits) >> (64 - bits)
}

fn other_scalar(reader: &mut Reader<'_>, node: &ReadNode, first: u8, out: &mut Vec<u8>) -> Outcome<()> {
    if let (ReadKind::Bytes, b'"') = (&node.kind, first) {
        let start = out.len();
        out.push(0);
        let mut scratch = Vec::new();
        let text = reader.unescaped(&mut scratch)?;
        if base64::decode(text, out).is_none() {
            return data("Invalid bytes field");
        }
        let length = (out.len() - start - 1) as u64;
        cbor::patch_head(out, start, major::BYTES, length);
        return Ok(());
    }
    reader.skip()?;
    match node.kind {
        ReadKind::Integer(_) => out.push(0),
        ReadKind::Float64 => cbor::float64(out, 0.0),
        ReadKind::Float32 => cbor::float32(out, 0.0),
        ReadKind::Boolean => out.push(if first == b't' { cbor::TRUE } else { cbor::FALSE }),
        _ => return nothing(node, out),
    }
    Ok(())
}

pub(super) fn found(first: u8) -> &'static str {
    match first {
        b'"' => "STRING",
        b'{' => "OBJECT",
        b'[' => "ARRAY",
        b't' | b'f' => "BOOLEAN",
        _ => "NUMBER",
    }
}

fn logical(reader: &mut Reader<'_>, node: &ReadNode, first: u8, out: &mut Vec<u8>) -> Outcome<()> {
    if let Logical::Decimal(scale) = node.logical {
        return decimal(reader, scale, first, out);
    }
    let is_number = first == b'-' || first.is_ascii_digit();
    let number = if is_number {
        Some(reader.number()?)
    } else {
        reader.skip()?;
        None
    };
    let value = match node.logical {
        Logical::Timestamp => number.filter(|number| number.integral).map(|number| number.as_i64()),
        _ => number.and_then(|number| number.as_i32_exact()).map(i64::from),
    };
    let (name, kind) = match node.logical {
        Logical::Date => ("Date", "integer"),
        Logical::Time => ("Time", "integer"),
        _ => ("Timestamp", "integral"),
    };
    match value {
        None => data(format!(
            "Invalid type for {name}, underlying representation should be {kind} but was {}",
            found(first)
        )),
        Some(value) if node.logical == Logical::Time && !(0..=86_400_000).contains(&value) => {
            data("Time values must use number of milliseconds greater than 0 and less than 86400000")
        }
        Some(value) => {
            cbor::integer(out, value);
            Ok(())
        }
    }
}

fn decimal(reader: &mut Reader<'_>, scale: Option<i32>, first: u8, out: &mut Vec<u8>) -> Outcome<()> {
    let mut unscaled = Vec::new();
    match first {
        b'"' => {
            let mut scratch = Vec::new();
            let text = reader.unescaped(&mut scratch)?;
            let decoded = base64::decode(text, &mut unscaled);
            if decoded.is_none() || unscaled.is_empty() || scale.is_none() {
                return data("Invalid bytes for Decimal field");
            }
        }
        b'-' | b'0'..=b'9' => {
            let number = reader.number()?;
            let Some(scale) = scale else {
                return data("Invalid scale parameter found in Decimal schema: ");
            };
            let digits: Vec<u8> = number.digit_bytes().skip_while(|&digit| digit == 0).collect();
            let shift = i64::from(number.exponent) + i64::from(scale);
            let Some(digits) = shifted(digits, shift) else {
                return data(format!(
                    "Decimal value {} does not fit the scale {scale} of its schema",
                    String::from_utf8_lossy(number.text)
                ));
            };
            decimal::from_digits(number.negative, digits, &mut unscaled);
        }
        _ => {
            reader.skip()?;
            return data(format!(
                "Invalid type for Decimal, underlying representation should be numeric or bytes but was {}",
                found(first)
            ));
        }
    }
    cbor::bytes(out, decimal::shortest(&unscaled));
    Ok(())
}

/// Digits times a power of ten; none where that is no integer, or one of more digits than a number may have.
fn shifted(mut digits: Vec<u8>, shift: i64) -> Option<Vec<u8>> {
    if digits.is_empty() {
        return Some(digits);
    }
    if shift >= 0 {
        let length = digits.len() + usize::try_from(shift).ok().filter(|&shift| shift <= 1_000)?;
        digits.resize(length, 0);
        return Some(digits);
    }
    let kept = digits.len().checked_sub(usize::try_from(-shift).ok()?)?;
    let cut = digits.split_off(kept);
    cut.iter().all(|&digit| digit == 0).then_some(digits)
}

/// An array out of an array's elements or an object's values; nothing else has elements.
fn array(reader: &mut Reader<'_>, plan: &ReadPlan, element: usize, first: u8, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    out.push(0);
    let mut count = 0;
    match first {
        b'[' => {
            reader.at += 1;
            if !reader.closes(b']')? {
                loop {
                    transcode(reader, plan, element, out).map_err(|flaw| flaw.inside("element of array "))?;
                    count += 1;
                    if !reader.more(b']')? {
                        break;
                    }
                }
            }
        }
        b'{' => {
            for (_, mut value) in members(reader)? {
                transcode(&mut value, plan, element, out).map_err(|flaw| flaw.inside("element of array "))?;
                count += 1;
            }
        }
        _ => reader.skip()?,
    }
    cbor::patch_head(out, start, major::ARRAY, count);
    Ok(())
}

fn map(
    reader: &mut Reader<'_>,
    plan: &ReadPlan,
    (key, value, entries): (usize, usize, Entries),
    first: u8,
    out: &mut Vec<u8>,
) -> Outcome<()> {
    let start = out.len();
    out.push(0);
    let mut count = 0;
    let text_keys = entries == Entries::Members;
    let close = if text_keys { b'}' } else { b']' };
    match (first, text_keys) {
        (b'{', true) | (b'[', false) => reader.at += 1,
        (_, true) => {
            reader.skip()?;
            return data(format!(
                "Maps with string fields should be encoded as JSON objects, but found {}",
                found(first)
            ));
        }
        (_, false) => {
            reader.skip()?;
            return data(format!(
                "Maps with non-string fields should be encoded as JSON array of {}, but found {}",
                if entries == Entries::Objects { "objects" } else { "tuples" },
                found(first)
            ));
        }
    }
    if !reader.closes(close)? {
        loop {
            if text_keys {
                reader.key()?;
                reader.string_to_cbor(out)?;
                reader.colon()?;
                transcode(reader, plan, value, out).map_err(|flaw| flaw.inside("value of map "))?;
            } else if entries == Entries::Objects {
                object(reader, plan, key, value, out)?;
            } else {
                pair(reader, plan, key, value, out)?;
            }
            count += 1;
            if !reader.more(close)? {
                break;
            }
        }
    }
    if count > 1 {
        count = keep_last(out, start + 1, count);
    }
    cbor::patch_head(out, start, major::MAP, count);
    Ok(())
}

/// An entry written as an array of key and value.
fn pair(reader: &mut Reader<'_>, plan: &ReadPlan, key: usize, value: usize, out: &mut Vec<u8>) -> Outcome<()> {
    let first = reader.token()?;
    let start = reader.at;
    if first != b'[' {
        reader.skip()?;
        let found = if first == b'n' { "NULL" } else { found(first) };
        return data(format!("Found invalid map entry instead of array tuple: {found}"));
    }
    reader.at += 1;
    if !reader.closes(b']')? {
        transcode(reader, plan, key, out).map_err(|flaw| flaw.inside("key of map "))?;
        if reader.more(b']')? {
            transcode(reader, plan, value, out).map_err(|flaw| flaw.inside("value of map "))?;
            if !reader.more(b']')? {
                return Ok(());
            }
        }
    }
    reader.at = start + 1;
    let mut length = 0;
    if !reader.closes(b']')? {
        loop {
            reader.skip()?;
            length += 1;
            if !reader.more(b']')? {
                break;
            }
        }
    }
    data(format!("Found invalid map entry, expected length 2 but found :{length}"))
}

/// An entry written as an object of key and value.
fn object(reader: &mut Reader<'_>, plan: &ReadPlan, key: usize, value: usize, out: &mut Vec<u8>) -> Outcome<()> {
    let first = reader.token()?;
    if first != b'{' {
        reader.skip()?;
        let found = if first == b'n' { "NULL" } else { found(first) };
        return data(format!("Found invalid map entry instead of object: {found}"));
    }
    let members = members(reader)?;
    if members.len() != 2 {
        return data(format!("Found invalid map entry, expected length 2 but found :{}", members.len()));
    }
    for (name, node, place) in [("key", key, "key of map "), ("value", value, "value of map ")] {
        match members.iter().find(|(known, _)| known == name.as_bytes()) {
            Some((_, value)) => {
                transcode(&mut value.moved_to(value.at), plan, node, out).map_err(|flaw| flaw.inside(place))?;
            }
            None => null(reader, &plan.nodes[node], out)?,
        }
    }
    Ok(())
}

/// The members of the object at the cursor, which moves behind it: each name once with its last value.
pub(crate) fn members<'a>(reader: &mut Reader<'a>) -> Outcome<Vec<(Vec<u8>, Reader<'a>)>> {
    let mut members: Vec<(Vec<u8>, Reader<'a>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    reader.at += 1;
    if reader.closes(b'}')? {
        return Ok(members);
    }
    loop {
        reader.key()?;
        let name = reader.unescaped(&mut Vec::new())?.to_vec();
        reader.colon()?;
        reader.token()?;
        let value = reader.moved_to(reader.at);
        reader.skip()?;
        let place = *places.entry(name.clone()).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, last)) => *last = value,
            None => members.push((name, value)),
        }
        if !reader.more(b'}')? {
            return Ok(members);
        }
    }
}

/// Members mostly stand in the order of the schema, then each is transcoded where it stands. From the first that
/// does not on, members are only found, and transcoded in the schema's order after the last.
fn structure(reader: &mut Reader<'_>, plan: &ReadPlan, fields: &ReadFields, out: &mut Vec<u8>) -> Outcome<()> {
    // Every field takes room, those too that are not there.
    if out.len() > reader.most {
        return too_large(reader.most);
    }
    reader.at += 1;
    cbor::head(out, major::ARRAY, fields.list.len() as u64);
    if reader.closes(b'}')? {
        return fields.list.iter().try_for_each(|field| missing(reader, plan, field, out));
    }
    let body = out.len();
    let mut in_order = 0;
    for field in &fields.list {
        reader.key()?;
        let length = field.quoted.len();
        let found = reader.text.get(reader.at..reader.at + length);
        if length == 0 || !found.is_some_and(|found| cbor::same(found, &field.quoted)) {
            return scattered(reader, plan, fields, (body, in_order), out);
        }
        reader.at += length;
        transcode(reader, plan, field.node, out).map_err(|flaw| flaw.in_field(&field.name))?;
        in_order += 1;
        if !reader.more(b'}')? {
            return fields.list[in_order..].iter().try_for_each(|field| missing(reader, plan, field, out));
        }
    }
    scattered(reader, plan, fields, (body, in_order), out)
}

fn missing(reader: &Reader<'_>, plan: &ReadPlan, field: &ReadField, out: &mut Vec<u8>) -> Outcome<()> {
    null(reader, &plan.nodes[field.node], out)
}

/// Goes on with a struct of which the first `done` fields stand in `out` from `body` on.
#[inline(never)]
fn scattered(
    reader: &mut Reader<'_>,
    plan: &ReadPlan,
    fields: &ReadFields,
    (body, done): (usize, usize),
    out: &mut Vec<u8>,
) -> Outcome<()> {
    let mut places: Vec<Option<usize>> = vec![None; fields.list.len()];
    let mut scratch = Vec::new();
    loop {
        reader.key()?;
        let place = fields.find(reader.unescaped(&mut scratch)?);
        reader.colon()?;
        reader.token()?;
        if let Some(place) = place {
            places[place] = Some(reader.at);
        }
        reader.skip()?;
        if !reader.more(b'}')? {
            break;
        }
    }
    // A field that was transcoded and came again is transcoded anew; the others keep what they have.
    let written = if places[..done].iter().any(Option::is_some) { out.split_off(body) } else { Vec::new() };
    let mut taken = 0;
    for (at, (field, place)) in fields.list.iter().zip(&places).enumerate() {
        if at < done && !written.is_empty() {
            let end = cbor::skip(&written, taken).expect("a field that was just written");
            if place.is_none() {
                out.extend_from_slice(&written[taken..end]);
            }
            taken = end;
        }
        match place {
            Some(place) => {
                let mut value = reader.moved_to(*place);
                transcode(&mut value, plan, field.node, out).map_err(|flaw| flaw.in_field(&field.name))?;
            }
            None if at >= done => missing(reader, plan, field, out)?,
            None => {}
        }
    }
    Ok(())
}
