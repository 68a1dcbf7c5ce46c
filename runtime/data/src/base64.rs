//! Pure. Base64 as Jackson's variant `MIME-NO-LINEFEEDS` writes and reads it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` as base64 with padding.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let digit = |word: u32, shift: u32| ALPHABET[(word >> shift & 63) as usize];
    let (chunks, rest) = bytes.as_chunks::<3>();
    for chunk in chunks {
        let word = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        out.extend_from_slice(&[digit(word, 18), digit(word, 12), digit(word, 6), digit(word, 0)]);
    }
    match *rest {
        [a] => {
            let word = u32::from(a) << 16;
            out.extend_from_slice(&[digit(word, 18), digit(word, 12), b'=', b'=']);
        }
        [a, b] => {
            let word = u32::from(a) << 16 | u32::from(b) << 8;
            out.extend_from_slice(&[digit(word, 18), digit(word, 12), digit(word, 6), b'=']);
        }
        _ => {}
    }
}

/// Appends what `text` stands for; none when it is not base64. Blanks may stand between groups of four digits, and
/// padding is needed.
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    loop {
        while text.get(at).is_some_and(|&byte| byte <= b' ') {
            at += 1;
        }
        if at == text.len() {
            return Some(());
        }
        let group: [u8; 4] = text.get(at..at + 4)?.try_into().ok()?;
        at += 4;
        let word = u32::from(digit(group[0])?) << 18 | u32::from(digit(group[1])?) << 12;
        match (group[2], group[3]) {
            (b'=', b'=') => out.push((word >> 16) as u8),
            (third, b'=') => {
                let word = word | u32::from(digit(third)?) << 6;
                out.extend_from_slice(&word.to_be_bytes()[1..3]);
            }
            (third, fourth) => {
                let word = word | u32::from(digit(third)?) << 6 | u32::from(digit(fourth)?);
                out.extend_from_slice(&word.to_be_bytes()[1..]);
            }
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_nothing_else() {
        for length in 0..50u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37).wrapping_add(200)).collect();
            let (mut text, mut back) = (vec![], vec![]);
            encode(&bytes, &mut text);
            assert_eq!(decode(&text, &mut back), Some(()));
            assert_eq!(back, bytes);
        }
        for bad in [&b"a"[..], b"ab", b"abc", b"abc=d", b"a===", b"====", b"ab=c", b"ab\ncd", b"abc\xff"] {
            assert_eq!(decode(bad, &mut vec![]), None, "{bad:?}");
        }
        let mut out = vec![];
        assert_eq!(decode(b" aGVs \nbG8= ", &mut out), Some(()));
        assert_eq!(out, b"hello");
    }
}
