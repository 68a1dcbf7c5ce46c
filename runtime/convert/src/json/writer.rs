//! Pure. JSON text as Jackson writes it: escapes, floats, and CBOR without schema.

use weir_data::cbor::{self, major};
use weir_data::limits;

use super::flaw::{Outcome, data};
use super::rendered::RenderedKeys;
use crate::{base64, java_text};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Position of the first byte at or after `at` that does not stand in JSON as it is, or the length: `"`, `\`, control
/// characters, and characters outside the basic plane, which Jackson writes as two escaped surrogates.
#[inline(always)]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        let hit = ((quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word)
            | (word & word << 1 & word << 2 & word << 3))
            & HIGH;
        if hit != 0 {
            return at + (hit.trailing_zeros() >> 3) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || !(0x20..0xf0).contains(&byte) {
            break;
        }
        at += 1;
    }
    at
}

/// Appends a string with its quotes.
#[inline(always)]
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = plain_end(text, at);
        cbor::put(out, &text[at..end]);
        if end == text.len() {
            break;
        }
        at = escape(out, text, end);
    }
    out.push(b'"');
}

#[inline(never)]
fn escape(out: &mut Vec<u8>, text: &[u8], at: usize) -> usize {
    let short = match text[at] {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        byte if byte < 0x20 => {
            unit(out, byte.into());
            return at + 1;
        }
        _ => {
            let end = (at + 4).min(text.len());
            let c = std::str::from_utf8(&text[at..end]).ok().and_then(|text| text.chars().next());
            let units = &mut [0; 2];
            c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf16(units).iter().for_each(|&half| unit(out, half));
            return end;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
    at + 1
}

fn unit(out: &mut Vec<u8>, unit: u16) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(unit >> shift & 15)]));
}

/// Appends an integer.
#[inline(always)]
pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    cbor::put(out, itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a double; what is no number in quotes.
#[inline(always)]
pub(crate) fn float64(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() { java_text::double(value, out) } else { quoted(out, |out| java_text::double(value, out)) }
}

/// Appends a single-precision float; what is no number in quotes.
#[inline(always)]
pub(crate) fn float32(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() { java_text::single(value, out) } else { quoted(out, |out| java_text::single(value, out)) }
}

/// Appends bytes as base64.
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    quoted(out, |out| base64::encode(bytes, out));
}

fn quoted(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    inner(out);
    out.push(b'"');
}

/// The flaw of a cell that is not what its schema or the contract says.
#[cold]
pub(crate) fn bad_cell<T>(malformed: cbor::Malformed) -> Outcome<T> {
    data(format!("Converting Kafka Connect data to byte[] failed: {malformed}"))
}

/// Reads a head, or answers the flaw.
#[inline(always)]
pub(crate) fn head(cell: &[u8], at: usize) -> Outcome<cbor::Head> {
    cbor::read_head(cell, at).or_else(bad_cell)
}

/// The integer of a head.
#[inline(always)]
pub(crate) fn integer_of(head: &cbor::Head) -> Outcome<i64> {
    match (i64::try_from(head.argument), head.major) {
        (Ok(value), major::UNSIGNED) => Ok(value),
        (Ok(value), major::NEGATIVE) => Ok(!value),
        _ => bad_cell(cbor::Malformed::Unsupported),
    }
}

/// Appends the JSON of the self-describing value at `at`, and answers where it ends.
pub(crate) fn free(cell: &[u8], at: usize, keys: &mut RenderedKeys, out: &mut Vec<u8>, depth: usize) -> Outcome<usize> {
    let head = head(cell, at)?;
    match head.major {
        major::TEXT => {
            let (text, end) = cbor::string_body(cell, &head).or_else(bad_cell)?;
            string(out, text);
            Ok(end)
        }
        major::UNSIGNED | major::NEGATIVE => {
            integer(out, integer_of(&head)?);
            Ok(head.end)
        }
        major::MAP => free_map(cell, &head, keys, out, depth),
        major::ARRAY => free_array(cell, &head, keys, out, depth),
        major::BYTES => {
            let (body, end) = cbor::string_body(cell, &head).or_else(bad_cell)?;
            bytes(out, body);
            Ok(end)
        }
        _ => {
            match head.first {
                cbor::TRUE => out.extend_from_slice(b"true"),
                cbor::FALSE => out.extend_from_slice(b"false"),
                cbor::NULL => out.extend_from_slice(b"null"),
                cbor::FLOAT64 => float64(out, f64::from_bits(head.argument)),
                cbor::FLOAT32 => float32(out, f32::from_bits(head.argument as u32)),
                _ => return bad_cell(cbor::Malformed::Unsupported),
            }
            Ok(head.end)
        }
    }
}

fn free_map(cell: &[u8], map: &cbor::Head, keys: &mut RenderedKeys, out: &mut Vec<u8>, depth: usize) -> Outcome<usize> {
    let Some(depth) = depth.checked_sub(1) else {
        return bad_cell(cbor::Malformed::TooDeep);
    };
    let mut at = map.end;
    out.push(b'{');
    for entry in 0..map.argument {
        let end = match keys.write(cell, at, entry == 0, out) {
            Some(end) => end,
            None => new_key(cell, at, entry == 0, keys, out)?,
        };
        at = free(cell, end, keys, out, depth)?;
    }
    out.push(b'}');
    Ok(at)
}

#[inline(never)]
fn new_key(cell: &[u8], at: usize, first: bool, keys: &mut RenderedKeys, out: &mut Vec<u8>) -> Outcome<usize> {
    let key = head(cell, at)?;
    if key.major != major::TEXT {
        return bad_cell(cbor::Malformed::KeyNotText);
    }
    let (text, end) = cbor::string_body(cell, &key).or_else(bad_cell)?;
    if !first {
        out.push(b',');
    }
    string(out, text);
    out.push(b':');
    keys.learn(&cell[at..end], text);
    Ok(end)
}

fn free_array(
    cell: &[u8],
    array: &cbor::Head,
    keys: &mut RenderedKeys,
    out: &mut Vec<u8>,
    depth: usize,
) -> Outcome<usize> {
    let Some(depth) = depth.checked_sub(1) else {
        return bad_cell(cbor::Malformed::TooDeep);
    };
    let mut at = array.end;
    out.push(b'[');
    for element in 0..array.argument {
        if element > 0 {
            out.push(b',');
        }
        at = free(cell, at, keys, out, depth)?;
    }
    out.push(b']');
    Ok(at)
}

/// Appends the JSON of a whole cell without schema.
#[inline(always)]
pub(crate) fn cell(cell: &[u8], keys: &mut RenderedKeys, out: &mut Vec<u8>) -> Outcome<()> {
    let end = free(cell, 0, keys, out, limits::DEPTH)?;
    if end == cell.len() { Ok(()) } else { bad_cell(cbor::Malformed::Trailing) }
}
