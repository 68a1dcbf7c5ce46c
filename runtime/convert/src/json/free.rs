//! Pure. JSON to self-describing CBOR: integers as 64 bits, decimals as doubles, objects as maps whose keys stand
//! once.

use std::collections::HashMap;

use weir_data::cbor::{self, major};
use weir_data::limits;

use super::flaw::Outcome;
use super::reader::{Reader, Text};
use super::shapes::{NONE, Shapes};

/// Appends the value at the cursor as CBOR. Answers false, and appends nothing, when it is null.
#[inline(always)]
pub(crate) fn transcode(reader: &mut Reader<'_>, shapes: &mut Shapes, out: &mut Vec<u8>) -> Outcome<bool> {
    match reader.token()? {
        b'n' => reader.literal(b"null").map(|()| false),
        b'{' => object(reader, shapes, 0, out, limits::DEPTH).map(|()| true),
        _ => value(reader, shapes, 0, out, limits::DEPTH).map(|()| true),
    }
}

#[inline(always)]
fn value(reader: &mut Reader<'_>, shapes: &mut Shapes, shape: u32, out: &mut Vec<u8>, depth: usize) -> Outcome<()> {
    match reader.token()? {
        b'"' => reader.string_to_cbor(out),
        b'-' | b'0'..=b'9' => {
            let number = reader.number()?;
            if number.integral {
                cbor::integer(out, number.as_i64());
            } else {
                cbor::float64(out, number.as_f64());
            }
            Ok(())
        }
        b't' => {
            reader.literal(b"true")?;
            out.push(cbor::TRUE);
            Ok(())
        }
        b'f' => {
            reader.literal(b"false")?;
            out.push(cbor::FALSE);
            Ok(())
        }
        b'n' => {
            reader.literal(b"null")?;
            out.push(cbor::NULL);
            Ok(())
        }
        b'{' => {
            let inner = shapes.inside(shape);
            object(reader, shapes, inner, out, depth)
        }
        b'[' => array(reader, shapes, shape, out, depth),
        _ => reader.unrecognized(),
    }
}

fn array(reader: &mut Reader<'_>, shapes: &mut Shapes, shape: u32, out: &mut Vec<u8>, depth: usize) -> Outcome<()> {
    let depth = reader.deeper(depth)?;
    reader.at += 1;
    let start = out.len();
    out.push(0);
    let mut count = 0;
    if !reader.closes(b']')? {
        loop {
            value(reader, shapes, shape, out, depth)?;
            count += 1;
            if !reader.more(b']')? {
                break;
            }
        }
    }
    cbor::patch_head(out, start, major::ARRAY, count);
    Ok(())
}

fn object(reader: &mut Reader<'_>, shapes: &mut Shapes, start: u32, out: &mut Vec<u8>, depth: usize) -> Outcome<()> {
    let depth = reader.deeper(depth)?;
    reader.at += 1;
    let map = out.len();
    out.push(0);
    let mut count = 0;
    let mut shape = start;
    let mut unproven = start == NONE;
    if !reader.closes(b'}')? {
        loop {
            reader.key()?;
            if let Some((next, length, key)) = shapes.predict(shape, &reader.text[reader.at..]) {
                cbor::put(out, key);
                reader.at += length;
                shape = next;
            } else {
                shape = new_key(reader, shapes, shape, out)?;
                unproven |= shape == NONE;
                reader.colon()?;
            }
            value(reader, shapes, shape, out, depth)?;
            count += 1;
            if !reader.more(b'}')? {
                break;
            }
        }
    }
    if unproven && count > 1 {
        count = keep_last(out, map + 1, count);
    }
    cbor::patch_head(out, map, major::MAP, count);
    Ok(())
}

#[inline(never)]
fn new_key(reader: &mut Reader<'_>, shapes: &mut Shapes, after: u32, out: &mut Vec<u8>) -> Outcome<u32> {
    match reader.string()? {
        Text::Plain(key) => {
            cbor::text(out, key);
            Ok(shapes.learn(after, key))
        }
        Text::Escaped => {
            reader.string_to_cbor(out)?;
            Ok(NONE)
        }
    }
}

/// Leaves the last value of each key, at the place of the key's first, as Jackson's object nodes do. The entries
/// stand in `out` from `start` on; answers how many are left.
pub(crate) fn keep_last(out: &mut Vec<u8>, start: usize, count: u64) -> u64 {
    if count as usize <= FEW && few_differ(out, start, count as usize) {
        return count;
    }
    let mut entries: Vec<[usize; 3]> = Vec::with_capacity(count as usize);
    let mut at = start;
    for _ in 0..count {
        let value = cbor::skip(out, at).expect("a key that was just written");
        let end = cbor::skip(out, value).expect("a value that was just written");
        entries.push([at, value, end]);
        at = end;
    }
    let mut first: HashMap<&[u8], usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<([usize; 3], [usize; 3])> = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = *first.entry(&out[entry[0]..entry[1]]).or_insert(kept.len());
        match kept.get_mut(place) {
            Some((_, last)) => *last = entry,
            None => kept.push((entry, entry)),
        }
    }
    let left = kept.len() as u64;
    if left < count {
        let mut rewritten = Vec::with_capacity(out.len() - start);
        for (key, value) in kept {
            rewritten.extend_from_slice(&out[key[0]..key[1]]);
            rewritten.extend_from_slice(&out[value[1]..value[2]]);
        }
        out.truncate(start);
        out.extend_from_slice(&rewritten);
    }
    left
}

/// Entries up to which keys are compared one by one.
const FEW: usize = 12;

/// Whether the keys of a few entries are all different.
fn few_differ(out: &[u8], start: usize, count: usize) -> bool {
    let mut keys: [&[u8]; FEW] = [&[]; FEW];
    let mut at = start;
    for entry in 0..count {
        let value = cbor::skip(out, at).expect("a key that was just written");
        let key = &out[at..value];
        if keys[..entry].iter().any(|known| cbor::same(known, key)) {
            return false;
        }
        keys[entry] = key;
        at = cbor::skip(out, value).expect("a value that was just written");
    }
    true
}
