//! Pure. The part of CBOR (RFC 8949) that cells use: definite lengths, text keys, no tags. Reading is bounded in depth
//! and never past the end.

pub use crate::cbor_copy::{put, same};
use crate::schema::limits;

/// Major types.
pub mod major {
    /// Integer from 0.
    pub const UNSIGNED: u8 = 0;
    /// Integer below 0: the argument is -1 minus the value.
    pub const NEGATIVE: u8 = 1;
    /// Byte string.
    pub const BYTES: u8 = 2;
    /// UTF-8 text.
    pub const TEXT: u8 = 3;
    /// Array.
    pub const ARRAY: u8 = 4;
    /// Map.
    pub const MAP: u8 = 5;
    /// Booleans, null, floats.
    pub const SIMPLE: u8 = 7;
}
/// CBOR false.
pub const FALSE: u8 = 0xf4;
/// CBOR true.
pub const TRUE: u8 = 0xf5;
/// CBOR null.
pub const NULL: u8 = 0xf6;
/// Head of a single-precision float.
pub const FLOAT32: u8 = 0xfa;
/// Head of a double-precision float.
pub const FLOAT64: u8 = 0xfb;

/// Why bytes are not a CBOR value that cells may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The value goes past the end.
    Truncated,
    /// Nested deeper than [`limits::DEPTH`].
    TooDeep,
    /// A tag, an indefinite length, a reserved head or a simple value other than false, true, null and floats of
    /// 32 and 64 bits.
    Unsupported,
    /// A map key that is not text.
    KeyNotText,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Bytes after the value.
    Trailing,
    /// A decimal of more than [`crate::decimal::PRINTED_MAX`] bytes, which is not printed.
    LongDecimal,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Malformed::Truncated => "CBOR ends inside a value",
            Malformed::TooDeep => "CBOR is nested too deeply",
            Malformed::Unsupported => "CBOR with a tag, an indefinite length or a reserved head",
            Malformed::KeyNotText => "CBOR map with a key that is not text",
            Malformed::NotUtf8 => "CBOR text that is not UTF-8",
            Malformed::Trailing => "bytes after the CBOR value",
            Malformed::LongDecimal => "a decimal of more than 1024 bytes, too long to be printed",
        })
    }
}

impl std::error::Error for Malformed {}

/// Appends a head.
#[inline(always)]
pub fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    if argument < 24 { out.push(major << 5 | argument as u8) } else { long_head(out, major, argument) }
}

fn long_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let m = major << 5;
    if let Ok(n) = u8::try_from(argument) {
        out.extend_from_slice(&[m | 24, n]);
    } else if let Ok(n) = u16::try_from(argument) {
        out.push(m | 25);
        out.extend_from_slice(&n.to_be_bytes());
    } else if let Ok(n) = u32::try_from(argument) {
        out.push(m | 26);
        out.extend_from_slice(&n.to_be_bytes());
    } else {
        out.push(m | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

/// Appends an integer.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 { head(out, major::NEGATIVE, !(value as u64)) } else { head(out, major::UNSIGNED, value as u64) }
}

/// Appends text; the caller vouches for UTF-8.
#[inline]
pub fn text(out: &mut Vec<u8>, utf8: &[u8]) {
    head(out, major::TEXT, utf8.len() as u64);
    put(out, utf8);
}

/// Appends a byte string.
#[inline]
pub fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, major::BYTES, bytes.len() as u64);
    put(out, bytes);
}

/// Appends a single-precision float.
#[inline]
pub fn float32(out: &mut Vec<u8>, value: f32) {
    out.push(FLOAT32);
    put(out, &value.to_be_bytes());
}

/// Appends a double-precision float.
#[inline]
pub fn float64(out: &mut Vec<u8>, value: f64) {
    out.push(FLOAT64);
    put(out, &value.to_be_bytes());
}

/// Replaces the one byte at `at`, kept free for it, by the head of a container whose size is known only now.
#[inline]
pub fn patch_head(out: &mut Vec<u8>, at: usize, major: u8, argument: u64) {
    if argument < 24 {
        out[at] = major << 5 | argument as u8;
    } else {
        let mut long = Vec::with_capacity(9);
        long_head(&mut long, major, argument);
        out.splice(at..=at, long);
    }
}

/// A head: major type, argument, the head's first byte and where it ends.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Major type, 0 to 7.
    pub major: u8,
    /// Its argument: value, length, count, or the bits of a float.
    pub argument: u64,
    /// The first byte, which tells simple values and float widths apart.
    pub first: u8,
    /// Position after the head.
    pub end: usize,
}

/// Reads the head at `at`.
#[inline(always)]
pub fn read_head(cbor: &[u8], at: usize) -> Result<Head, Malformed> {
    let first = *cbor.get(at).ok_or(Malformed::Truncated)?;
    let (major, low) = (first >> 5, first & 31);
    if low < 24 {
        return Ok(Head { major, argument: low as u64, first, end: at + 1 });
    }
    read_long_head(cbor, at, first)
}

fn read_long_head(cbor: &[u8], at: usize, first: u8) -> Result<Head, Malformed> {
    let width = match first & 31 {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return Err(Malformed::Unsupported),
    };
    let end = at + 1 + width;
    let bytes = cbor.get(at + 1..end).ok_or(Malformed::Truncated)?;
    let argument = bytes.iter().fold(0u64, |n, b| n << 8 | *b as u64);
    Ok(Head { major: first >> 5, argument, first, end })
}

/// The bytes of a text or byte string whose head was read, and the position after them.
#[inline(always)]
pub fn string_body<'a>(cbor: &'a [u8], head: &Head) -> Result<(&'a [u8], usize), Malformed> {
    let end = usize::try_from(head.argument).ok().and_then(|n| head.end.checked_add(n)).ok_or(Malformed::Truncated)?;
    Ok((cbor.get(head.end..end).ok_or(Malformed::Truncated)?, end))
}

/// Position after the value at `at`; looks at heads only.
#[inline(always)]
pub fn skip(cbor: &[u8], at: usize) -> Result<usize, Malformed> {
    let head = read_head(cbor, at)?;
    match head.major {
        major::UNSIGNED | major::NEGATIVE | major::SIMPLE => Ok(head.end),
        major::BYTES | major::TEXT => Ok(string_body(cbor, &head)?.1),
        _ => skip_container(cbor, head, limits::DEPTH),
    }
}

fn skip_container(cbor: &[u8], head: Head, depth: usize) -> Result<usize, Malformed> {
    if depth == 0 {
        return Err(Malformed::TooDeep);
    }
    let count = match head.major {
        major::ARRAY => head.argument,
        major::MAP => head.argument.checked_mul(2).ok_or(Malformed::Truncated)?,
        _ => return Err(Malformed::Unsupported),
    };
    let mut at = head.end;
    for _ in 0..count {
        let head = read_head(cbor, at)?;
        at = match head.major {
            major::UNSIGNED | major::NEGATIVE | major::SIMPLE => head.end,
            major::BYTES | major::TEXT => string_body(cbor, &head)?.1,
            _ => skip_container(cbor, head, depth - 1)?,
        };
    }
    Ok(at)
}

/// Checks that `cbor` is exactly one self-describing value as cells without schema hold it.
pub fn check(cbor: &[u8]) -> Result<(), Malformed> {
    let end = check_value(cbor, 0, limits::DEPTH)?;
    if end == cbor.len() { Ok(()) } else { Err(Malformed::Trailing) }
}

fn check_value(cbor: &[u8], at: usize, depth: usize) -> Result<usize, Malformed> {
    let head = read_head(cbor, at)?;
    match head.major {
        major::UNSIGNED | major::NEGATIVE if head.argument > i64::MAX as u64 => Err(Malformed::Unsupported),
        major::UNSIGNED | major::NEGATIVE => Ok(head.end),
        major::BYTES => Ok(string_body(cbor, &head)?.1),
        major::TEXT => check_text(cbor, &head),
        major::SIMPLE => match head.first {
            FALSE | TRUE | NULL | FLOAT32 | FLOAT64 => Ok(head.end),
            _ => Err(Malformed::Unsupported),
        },
        major::ARRAY | major::MAP => {
            let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
            let mut at = head.end;
            for _ in 0..head.argument {
                if head.major == major::MAP {
                    let key = read_head(cbor, at)?;
                    if key.major != major::TEXT {
                        return Err(Malformed::KeyNotText);
                    }
                    at = check_text(cbor, &key)?;
                }
                at = check_value(cbor, at, depth)?;
            }
            Ok(at)
        }
        _ => Err(Malformed::Unsupported),
    }
}

fn check_text(cbor: &[u8], head: &Head) -> Result<usize, Malformed> {
    let (text, end) = string_body(cbor, head)?;
    std::str::from_utf8(text).map_err(|_| Malformed::NotUtf8)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_every_width_are_read_back() {
        for n in [0, 23, 24, 255, 256, 65_535, 65_536, u32::MAX as u64, u32::MAX as u64 + 1, u64::MAX] {
            let mut out = vec![];
            head(&mut out, major::ARRAY, n);
            let h = read_head(&out, 0).unwrap();
            assert_eq!((h.major, h.argument, h.end), (major::ARRAY, n, out.len()));
            let mut patched = vec![1, 0, 2];
            patch_head(&mut patched, 1, major::ARRAY, n);
            assert_eq!(patched, [&[1], &out[..], &[2]].concat());
        }
    }

    #[test]
    fn integers_keep_their_value_at_both_ends() {
        let mut out = vec![];
        integer(&mut out, i64::MIN);
        assert_eq!(out, [0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
        out.clear();
        integer(&mut out, i64::MAX);
        assert_eq!(out, [0x1b, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn what_cells_may_not_hold_is_named() {
        assert_eq!(check(&[0x61]), Err(Malformed::Truncated));
        assert_eq!(check(&[0x9f, 0xff]), Err(Malformed::Unsupported));
        assert_eq!(check(&[0xc0, 0x00]), Err(Malformed::Unsupported));
        assert_eq!(check(&[0xa1, 0x00, 0x00]), Err(Malformed::KeyNotText));
        assert_eq!(check(&[0x61, 0xff]), Err(Malformed::NotUtf8));
        assert_eq!(check(&[0x00, 0x00]), Err(Malformed::Trailing));
        assert_eq!(check(&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]), Err(Malformed::Unsupported));
        assert_eq!(check(&[0xa1, 0x61, b'a', 0x82, 0xf6, 0xfa, 0, 0, 0, 0]), Ok(()));
    }

    #[test]
    fn depth_and_counts_from_liars_end_early() {
        let deep = vec![0x81u8; 1_000_000];
        assert_eq!(check(&deep), Err(Malformed::TooDeep));
        assert_eq!(skip(&deep, 0), Err(Malformed::TooDeep));
        let many = [0x9b, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(check(&many), Err(Malformed::Truncated));
        assert_eq!(skip(&many, 0), Err(Malformed::Truncated));
        let long = [0x7b, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(skip(&long, 0), Err(Malformed::Truncated));
    }
}
