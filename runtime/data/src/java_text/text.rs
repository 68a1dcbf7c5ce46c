//! Pure. Integers and broken UTF-8 as Java makes text of them.

use crate::cbor;

/// Appends an integer.
#[inline]
pub fn integer(value: i64, out: &mut Vec<u8>) {
    let (mut digits, mut at) = ([0u8; 20], 20);
    let mut digit = |digit: u32, at: &mut usize| {
        *at -= 1;
        digits[*at] = b'0' + digit as u8;
    };
    // Eight digits at a time: 32-bit guests divide 64 bits slowly.
    let mut high = value.unsigned_abs();
    while high >= 100_000_000 {
        let mut low = (high % 100_000_000) as u32;
        high /= 100_000_000;
        for _ in 0..8 {
            digit(low % 10, &mut at);
            low /= 10;
        }
    }
    let mut low = high as u32;
    loop {
        digit(low % 10, &mut at);
        low /= 10;
        if low == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    cbor::put(out, &digits[at..]);
}

/// Appends text in which every maximal part of a broken character became one U+FFFD; Java takes what there is of the
/// three bytes of a surrogate for one such part.
pub fn replaced(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Err(error) = std::str::from_utf8(bytes) {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        out.extend_from_slice(valid);
        out.extend_from_slice("\u{fffd}".as_bytes());
        let broken = match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(rest.len()),
        };
        bytes = &rest[broken..];
    }
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_size_are_printed() {
        for value in
            [0, 7, -7, 10, 99, -100, 99_999_999, 100_000_000, -1_000_000_000_000, 1_200_000_034, i64::MAX, i64::MIN]
        {
            let mut out = vec![];
            integer(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn broken_characters_become_replacements() {
        for (bytes, expected) in [
            (&b"plain"[..], "plain"),
            (b"\xff", "\u{fffd}"),
            (b"a\xe2\x82b", "a\u{fffd}b"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xb0", "\u{fffd}"),
            (b"\xed\xb0z", "\u{fffd}z"),
            (b"\xed\xa0\xed\xb0\x80", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0\xff", "\u{fffd}\u{fffd}"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xf0\x9f\x98", "\u{fffd}"),
            ("\u{1f600}".as_bytes(), "\u{1f600}"),
        ] {
            let mut out = vec![];
            replaced(bytes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
