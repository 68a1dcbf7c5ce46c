//! Pure. Decimals as Connect's logical type holds them (an unscaled two's complement integer and a scale) to digits
//! and back, and as Java's `BigDecimal.toString` prints them.

use crate::cbor::Malformed;
use crate::java_text;

/// The shortest two's complement form, which is what Java writes.
pub fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [first, second, ..] = bytes {
        let redundant = (*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80);
        if !redundant {
            break;
        }
        bytes = &bytes[1..];
    }
    if bytes.is_empty() { &[0] } else { bytes }
}

/// Sign and decimal digits, without zeros in front, of a two's complement integer.
fn digits(unscaled: &[u8]) -> (bool, Vec<u8>) {
    let unscaled = shortest(unscaled);
    let negative = unscaled[0] >= 0x80;
    if let Some(value) = small(unscaled, negative) {
        return (negative, value.unsigned_abs().to_string().into_bytes());
    }
    // Base 10^9, least significant first.
    let mut limbs: Vec<u32> = vec![0];
    let mut carry_in = negative;
    let mut magnitude = unscaled.to_vec();
    if negative {
        for byte in magnitude.iter_mut().rev() {
            let (flipped, overflow) = (!*byte).overflowing_add(u8::from(carry_in));
            (*byte, carry_in) = (flipped, carry_in && overflow);
        }
    }
    let (first, rest) = magnitude.split_at(magnitude.len() % 4);
    for bytes in std::iter::once(first).chain(rest.chunks(4)) {
        let mut carry = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        for limb in &mut limbs {
            let value = (u64::from(*limb) << (8 * bytes.len())) + carry;
            *limb = (value % 1_000_000_000) as u32;
            carry = value / 1_000_000_000;
        }
        while carry > 0 {
            limbs.push((carry % 1_000_000_000) as u32);
            carry /= 1_000_000_000;
        }
    }
    let mut text = limbs.pop().unwrap_or(0).to_string();
    for limb in limbs.iter().rev() {
        text.push_str(&format!("{limb:09}"));
    }
    (negative, text.into_bytes())
}

fn small(unscaled: &[u8], negative: bool) -> Option<i128> {
    let mut bytes = if negative { [0xff; 16] } else { [0; 16] };
    bytes.get_mut(16usize.checked_sub(unscaled.len())?..)?.copy_from_slice(unscaled);
    Some(i128::from_be_bytes(bytes))
}

/// Appends the shortest two's complement form of a number given by its digits.
pub fn from_digits(negative: bool, digits: impl IntoIterator<Item = u8>, out: &mut Vec<u8>) {
    // Base 2^32, least significant first.
    let mut limbs: Vec<u32> = vec![0];
    for digit in digits {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let value = u64::from(*limb) * 10 + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    limbs.push(0);
    if negative {
        let mut carry = true;
        for limb in &mut limbs {
            let (flipped, overflow) = (!*limb).overflowing_add(u32::from(carry));
            (*limb, carry) = (flipped, carry && overflow);
        }
    }
    let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
    out.extend_from_slice(shortest(&bytes));
}

/// Bytes that the unscaled integer of a decimal may have to be printed, 2,465 digits: the work grows with their square.
pub const PRINTED_MAX: usize = 1 << 10;

/// Appends a decimal as `BigDecimal.toString` prints it, or refuses one of more than [`PRINTED_MAX`] bytes.
pub fn print(unscaled: &[u8], scale: i32, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if shortest(unscaled).len() > PRINTED_MAX {
        return Err(Malformed::LongDecimal);
    }
    print_short(unscaled, scale, out);
    Ok(())
}

fn print_short(unscaled: &[u8], scale: i32, out: &mut Vec<u8>) {
    let (negative, digits) = digits(unscaled);
    if negative {
        out.push(b'-');
    }
    let adjusted = digits.len() as i64 - 1 - i64::from(scale);
    if scale == 0 {
        out.extend_from_slice(&digits);
    } else if scale > 0 && adjusted >= -6 {
        let whole = digits.len() as i64 - i64::from(scale);
        if let Some(whole) = usize::try_from(whole).ok().filter(|&whole| whole > 0) {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + whole.unsigned_abs() as usize, b'0');
            out.extend_from_slice(&digits);
        }
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        if adjusted != 0 {
            out.extend_from_slice(if adjusted > 0 { b"E+" } else { b"E" });
            java_text::integer(adjusted, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str) -> String {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (mut bytes, mut out) = (vec![], vec![]);
        from_digits(negative, digits.bytes().map(|byte| byte - b'0'), &mut bytes);
        assert_eq!(shortest(&bytes), bytes);
        print(&bytes, 0, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_of_every_size_come_back() {
        let mut text = String::new();
        for digit in "19283746550192837465501928374655019283746550192837465501928374655".chars() {
            text.push(digit);
            assert_eq!(through(&text), text);
            assert_eq!(through(&format!("-{text}")), format!("-{text}"));
        }
        for n in [0i64, 127, 128, -128, -129, 255, 256, i64::MAX, i64::MIN] {
            assert_eq!(through(&n.to_string()), n.to_string());
        }
    }

    #[test]
    fn what_would_take_long_to_print_is_refused() {
        let longest = "7".repeat(2_465);
        assert_eq!(through(&longest), longest);
        let mut out = vec![];
        assert_eq!(print(&[0x55; PRINTED_MAX + 1], 2, &mut out), Err(Malformed::LongDecimal));
        assert_eq!(out, b"");
        let padded = [vec![0; 1 << 20], vec![5]].concat();
        print(&padded, 0, &mut out).unwrap();
        assert_eq!(out, b"5");
    }

    #[test]
    fn scales_move_the_point_as_in_java() {
        for (unscaled, scale, expected) in [
            (156, 2, "1.56"),
            (-5, 1, "-0.5"),
            (1, 6, "0.000001"),
            (1, 7, "1E-7"),
            (123, 9, "1.23E-7"),
            (5, -3, "5E+3"),
            (0, -2, "0E+2"),
            (0, 2, "0.00"),
            (12, i32::MAX, "1.2E-2147483646"),
            (12, i32::MIN, "1.2E+2147483649"),
        ] {
            let mut out = vec![];
            print(&i64::to_be_bytes(unscaled), scale, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
