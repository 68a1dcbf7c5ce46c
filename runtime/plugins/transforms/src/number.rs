//! Pure. Numbers as Java's `BigDecimal` reads them, and what becomes of them in narrower types.

/// A decimal number: digits, where the point stands in them, and the text for a double.
#[derive(Clone, Debug)]
pub struct Number {
    negative: bool,
    digits: Vec<u8>,
    scale: i64,
    text: String,
}

impl Number {
    /// 0.
    pub fn zero() -> Number {
        Number { negative: false, digits: vec![0], scale: 0, text: "0".into() }
    }

    /// Reads `new BigDecimal(text)`; none where that fails.
    pub fn parse(text: &str) -> Option<Number> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let scale = fraction.len() as i64 - exponent;
        i32::try_from(scale).ok()?;
        let digits = digits.into_iter().map(|digit| digit - b'0').collect();
        Some(Number { negative, digits, scale, text: text.to_owned() })
    }

    /// What `longValue` answers: the lowest 64 bits of the whole part.
    pub fn low_bits(&self) -> i64 {
        let kept = self.digits.len() as i64 - self.scale.max(0);
        let whole = &self.digits[..usize::try_from(kept).unwrap_or(0)];
        let times_ten = |bits: u64, digit: u64| bits.wrapping_mul(10).wrapping_add(digit);
        let mut bits = whole.iter().fold(0, |bits, &digit| times_ten(bits, u64::from(digit)));
        // 10^64 has no bit in the lowest 64.
        for _ in 0..(-self.scale).clamp(0, 64) {
            bits = times_ten(bits, 0);
        }
        let bits = bits as i64;
        if self.negative { bits.wrapping_neg() } else { bits }
    }

    /// What `doubleValue` answers.
    pub fn double(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The digits with the point moved to `scale`; none where that would lose some, or take a thousand zeros.
    pub fn at_scale(&self, scale: i32) -> Option<(bool, Vec<u8>)> {
        let mut digits = self.digits.clone();
        let more = i64::from(scale) - self.scale;
        if digits.iter().all(|&digit| digit == 0) {
            return Some((false, vec![0]));
        }
        if more > 1_000 {
            return None;
        }
        (0..more).for_each(|_| digits.push(0));
        for _ in more..0 {
            digits.pop().filter(|&digit| digit == 0)?;
        }
        Some((self.negative, digits))
    }
}

/// What `Float.parseFloat` reads; none where that fails.
pub fn parse_float(text: &str) -> Option<f32> {
    match floating(text)? {
        Floating::Decimal(text) => text.parse().ok(),
        Floating::Special(value) => Some(value as f32),
    }
}

/// What `Double.parseDouble` reads; none where that fails.
pub fn parse_double(text: &str) -> Option<f64> {
    match floating(text)? {
        Floating::Decimal(text) => text.parse().ok(),
        Floating::Special(value) => Some(value),
    }
}

/// A text of a floating-point number, as Java allows them.
enum Floating<'t> {
    /// Rust reads it the same.
    Decimal(&'t str),
    Special(f64),
}

fn floating(text: &str) -> Option<Floating<'_>> {
    let text = text.trim_matches(|letter| letter <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        "NaN" => return Some(Floating::Special(f64::NAN)),
        "Infinity" => return Some(Floating::Special(sign * f64::INFINITY)),
        _ => {}
    }
    let without_suffix = |text: &'_ str| text.strip_suffix(['f', 'F', 'd', 'D']).map_or(text.len(), str::len);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return hexadecimal(&hex[..without_suffix(hex)]).map(|value| Floating::Special(sign * value));
    }
    let text = &text[..without_suffix(text)];
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    plain.then_some(Floating::Decimal(text))
}

/// Hexadecimal digits, perhaps with a point, and the exponent that must follow; rounded once more than in Java where the
/// number is too small for all its bits.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, power) = text.split_once(['p', 'P'])?;
    let mut power: i32 = power.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut bits, mut lost) = (0u64, false);
    for (at, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            power = power.saturating_sub(if at >= whole.len() { 4 } else { 0 });
        } else {
            lost |= digit != 0;
            power = power.saturating_add(if at < whole.len() { 4 } else { 0 });
        }
    }
    // Halves, so that neither power leaves the range before the product does.
    let half = power.clamp(-2_200, 2_200) / 2;
    let rest = power.clamp(-2_200, 2_200) - half;
    Some((bits | u64::from(lost)) as f64 * 2f64.powi(half) * 2f64.powi(rest))
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.len() <= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_types_get_the_lowest_bits_of_the_whole_part() {
        for (text, bits) in [
            ("7", 7),
            ("-7.9", -7),
            (".5", 0),
            ("5.", 5),
            ("1e3", 1_000),
            ("1234E-2", 12),
            ("9223372036854775808", i64::MIN),
            ("1e64", 0),
            ("1E+19", -8_446_744_073_709_551_616),
        ] {
            assert_eq!(Number::parse(text).unwrap().low_bits(), bits, "{text}");
        }
        for text in ["", "+", "e1", "1e", ".", "1.2.3", " 1", "0x1", "1e99999999999", "NaN"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn floating_point_texts_are_read_as_in_java() {
        for (text, value) in [
            ("1", 1.0),
            (" -1.5e3 ", -1500.0),
            ("1.", 1.0),
            (".5f", 0.5),
            ("2D", 2.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
            ("0x1p3", 8.0),
            ("-0X1.8P-1d", -0.75),
            ("0x.8p0", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x123456789abcdef12p4", 0x1234_5678_9abc_def1_2000_u128 as f64 / 256.0),
        ] {
            assert_eq!(parse_double(text), Some(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan());
        assert_eq!(parse_float("16777217"), Some(16_777_216.0));
        for text in ["", "-", ".", "e5", "1e", "nan", "inf", "infinity", "0x1", "0xp1", "0x1p", "1ff", "1_0", "1 2"] {
            assert!(parse_double(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_point_moves_only_where_no_digit_is_lost() {
        let at = |text: &str, scale| Number::parse(text).unwrap().at_scale(scale);
        assert_eq!(at("1.5", 2), Some((false, vec![1, 5, 0])));
        assert_eq!(at("-1.50", 1), Some((true, vec![1, 5])));
        assert_eq!(at("1.55", 1), None);
        assert_eq!(at("0.00", -3), Some((false, vec![0])));
    }
}
