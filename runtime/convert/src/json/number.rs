//! Pure. Numbers of JSON texts, and what Jackson and Java make of them: integers of any length (cut to their low 64
//! bits, as `BigInteger.longValue` does), decimals, and both as floats.

use super::flaw::{Outcome, syntax};
use super::reader::Reader;

/// Digits that a number may have, as in Jackson.
const DIGITS_MAX: usize = 1_000;

/// A number of a JSON text.
pub(crate) struct Number<'a> {
    /// Its text.
    pub(crate) text: &'a [u8],
    /// All its digits as one integer, modulo 2^64.
    mantissa: u64,
    /// How many digits there are, zeros in front among them.
    digits: usize,
    /// The power of ten that `mantissa` is multiplied with.
    pub(crate) exponent: i32,
    /// Whether it is negative.
    pub(crate) negative: bool,
    /// Whether it has neither point nor exponent.
    pub(crate) integral: bool,
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl<'a> Number<'a> {
    /// Reads the number at the cursor.
    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Outcome<Number<'a>> {
        let (text, start) = (reader.text, reader.at);
        let negative = text[start] == b'-';
        let first = start + usize::from(negative);
        let (mantissa, at) = digits(text, first, 0);
        reader.at = at;
        if at == first {
            return reader.unexpected("expected digit (0-9) to follow minus sign, for valid numeric value");
        }
        let digits = at - first;
        if matches!(text.get(at), Some(b'.' | b'e' | b'E')) {
            return Number::read_fraction(reader, start, mantissa, digits);
        }
        if digits > DIGITS_MAX {
            return too_long(digits, start);
        }
        Ok(Number { text: &text[start..at], mantissa, digits, exponent: 0, negative, integral: true })
    }

    fn read_fraction(reader: &mut Reader<'a>, start: usize, whole: u64, count: usize) -> Outcome<Number<'a>> {
        let text = reader.text;
        let (mut mantissa, mut count, mut at) = (whole, count, reader.at);
        let mut fraction = 0;
        if text[at] == b'.' {
            let first = at + 1;
            (mantissa, at) = digits(text, first, mantissa);
            reader.at = at;
            if at == first {
                return reader.unexpected("in numeric value: Decimal point not followed by a digit");
            }
            fraction = (at - first) as i64;
            count += at - first;
        }
        let (mut exponent, mut exponent_digits) = (0i64, 0);
        if matches!(text.get(at), Some(b'e' | b'E')) {
            let minus = text.get(at + 1) == Some(&b'-');
            let first = at + 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
            at = first;
            while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
                exponent = exponent.saturating_mul(10).saturating_add(i64::from(digit));
                at += 1;
            }
            reader.at = at;
            if at == first {
                return reader.unexpected("in numeric value: Exponent indicator not followed by a digit");
            }
            exponent_digits = at - first;
            exponent = if minus { -exponent } else { exponent };
        }
        if count + exponent_digits > DIGITS_MAX {
            return too_long(count + exponent_digits, start);
        }
        let text = &text[start..at];
        // Java's BigDecimal keeps both the exponent and the scale in 32 bits.
        let exponent = i32::try_from(exponent).ok().and_then(|exponent| {
            let scale = fraction - i64::from(exponent);
            i32::try_from(scale).ok().and_then(|scale| scale.checked_neg())
        });
        let Some(exponent) = exponent else {
            let shown = String::from_utf8_lossy(text);
            return syntax(
                format!(
                    "Value \"{shown}\" can not be deserialized as `java.math.BigDecimal`, reason:  Exponent overflow."
                ),
                start,
            );
        };
        Ok(Number { text, mantissa, digits: count, exponent, negative: text[0] == b'-', integral: false })
    }

    /// The integer, or the integral part of the decimal: its low 64 bits.
    #[inline(always)]
    pub(crate) fn as_i64(&self) -> i64 {
        let magnitude = if self.exponent == 0 { self.mantissa } else { self.integral_part() };
        if self.negative { magnitude.wrapping_neg() as i64 } else { magnitude as i64 }
    }

    fn integral_part(&self) -> u64 {
        if self.exponent >= 0 {
            // 10^64 and everything above is a multiple of 2^64.
            return if self.exponent >= 64 {
                0
            } else {
                (0..self.exponent).fold(self.mantissa, |value, _| value.wrapping_mul(10))
            };
        }
        let kept = self.digits as i64 + i64::from(self.exponent);
        let kept = usize::try_from(kept).unwrap_or(0);
        self.digit_bytes().take(kept).fold(0u64, |value, digit| value.wrapping_mul(10).wrapping_add(digit.into()))
    }

    /// The digits in front of the exponent.
    pub(crate) fn digit_bytes(&self) -> impl Iterator<Item = u8> {
        let mantissa = self.text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
        mantissa.filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0')
    }

    /// The integer where it has no more than 32 bits.
    pub(crate) fn as_i32_exact(&self) -> Option<i32> {
        let significant = self.digit_bytes().skip_while(|&digit| digit == 0).count();
        if !self.integral || significant > 18 {
            return None;
        }
        i32::try_from(self.as_i64()).ok()
    }

    /// The nearest double.
    #[inline(always)]
    pub(crate) fn as_f64(&self) -> f64 {
        if self.digits <= 19 && self.mantissa < 1 << 53 && self.exponent.unsigned_abs() <= 22 {
            let mantissa = self.mantissa as f64;
            let power = POWERS[self.exponent.unsigned_abs() as usize];
            let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
            // BigDecimal has no negative zero.
            return if self.negative && self.mantissa != 0 { -value } else { value };
        }
        self.parsed::<f64>()
    }

    /// The nearest single-precision float.
    pub(crate) fn as_f32(&self) -> f32 {
        self.parsed::<f32>()
    }

    #[cold]
    fn parsed<F: std::str::FromStr + Default>(&self) -> F {
        if self.digit_bytes().all(|digit| digit == 0) {
            return F::default();
        }
        std::str::from_utf8(self.text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

#[inline(always)]
fn digits(text: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(&byte) = text.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
}

#[cold]
fn too_long<T>(length: usize, at: usize) -> Outcome<T> {
    syntax(format!("Number value length ({length}) exceeds the maximum allowed ({DIGITS_MAX})"), at)
}
