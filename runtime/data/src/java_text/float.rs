//! Pure. Floats as Java prints them (`Double.toString`, `Float.toString`): the shortest digits that read back as the
//! same value, at least one digit behind the point, an exponent outside 10^-3 to 10^7.

use std::fmt::Write;

use super::integer;
use crate::cbor;

/// A number's text, which is short: nothing is allocated.
struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn digits(number: std::fmt::Arguments<'_>) -> Text {
    let mut text = Text { bytes: [0; 32], length: 0 };
    text.write_fmt(number).expect("a float's shortest digits with an exponent take less than 32 bytes");
    text
}

/// Appends a double.
#[inline]
pub fn double(value: f64, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        // Ten thousandths that read back as the value are its digits: no two decimals of 15 digits are one double.
        let scaled = (magnitude * 1e4).round();
        if scaled / 1e4 == magnitude {
            fixed(value < 0.0, scaled as u64, out);
        } else {
            out.extend_from_slice(digits(format_args!("{value:?}")).bytes());
        }
    } else if !value.is_finite() {
        not_finite(value, out);
    } else if magnitude == 0.0 || magnitude >= 1e-320 {
        exponential(digits(format_args!("{value:e}")).bytes(), out);
    } else {
        tiny(digits(format_args!("{value:e}")).bytes(), digits(format_args!("{value:.1e}")).bytes(), out);
    }
}

/// Appends so many ten thousandths.
#[inline]
fn fixed(negative: bool, scaled: u64, out: &mut Vec<u8>) {
    let (whole, fraction) = ((scaled / 10_000) as u32, (scaled % 10_000) as u32);
    let digit = |unit: u32| b'0' + (fraction / unit % 10) as u8;
    let text = [b'.', digit(1_000), digit(100), digit(10), digit(1)];
    let length = if fraction % 1_000 == 0 {
        2
    } else if fraction % 100 == 0 {
        3
    } else if fraction % 10 == 0 {
        4
    } else {
        5
    };
    if negative {
        out.push(b'-');
    }
    integer(whole.into(), out);
    cbor::put(out, &text[..length]);
}

/// Appends a single-precision float.
#[inline]
pub fn single(value: f32, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(digits(format_args!("{value:?}")).bytes());
    } else if !value.is_finite() {
        not_finite(value.into(), out);
    } else if magnitude == 0.0 || magnitude >= 1e-43 {
        exponential(digits(format_args!("{value:e}")).bytes(), out);
    } else {
        tiny(digits(format_args!("{value:e}")).bytes(), digits(format_args!("{value:.1e}")).bytes(), out);
    }
}

fn not_finite(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    });
}

/// Of values so small that one digit tells them apart, Java prints the nearest two digits.
#[cold]
fn tiny(shortest: &[u8], two_digits: &[u8], out: &mut Vec<u8>) {
    let digits = shortest.iter().take_while(|byte| **byte != b'e').filter(|byte| byte.is_ascii_digit());
    exponential(if digits.count() == 1 { two_digits } else { shortest }, out);
}

/// Lays the digits of a decimal text out as Java does for very large and very small values.
fn exponential(text: &[u8], out: &mut Vec<u8>) {
    let (negative, text) = if text[0] == b'-' { (true, &text[1..]) } else { (false, text) };
    let mark = text.iter().position(|&byte| byte == b'e').unwrap_or(text.len());
    let given =
        std::str::from_utf8(&text[(mark + 1).min(text.len())..]).ok().and_then(|exponent| exponent.parse().ok());
    let (mut digits, mut count, mut point, mut leading) = ([0u8; 24], 0, None, 0i32);
    for &byte in &text[..mark] {
        match byte {
            b'.' => point = Some(count as i32 + leading),
            b'0' if count == 0 => leading += 1,
            digit => {
                digits[count.min(23)] = digit;
                count += 1;
            }
        }
    }
    let whole = point.unwrap_or(count as i32 + leading);
    let exponent = given.unwrap_or(0) + whole - leading - 1;
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    if negative {
        out.push(b'-');
    }
    if count == 0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    out.extend_from_slice(&[digits[0], b'.']);
    out.extend_from_slice(if count > 1 { &digits[1..count] } else { b"0" });
    out.push(b'E');
    integer(exponent.into(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_laid_out_as_in_java() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (123.25, "123.25"),
            (-0.5, "-0.5"),
            (0.1, "0.1"),
            (9_999_999.999_9, "9999999.9999"),
            (0.0011, "0.0011"),
            (0.30000000000000004, "0.30000000000000004"),
            (1.00001, "1.00001"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1.25e-5, "1.25E-5"),
            (-123_456_789.125, "-1.23456789125E8"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "4.9E-324"),
            (1e-323, "9.9E-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = vec![];
            double(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
