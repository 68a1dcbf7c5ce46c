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
    fn the_point_moves_only_where_no_digit_is_lost() {
        let at = |text: &str, scale| Number::parse(text).unwrap().at_scale(scale);
        assert_eq!(at("1.5", 2), Some((false, vec![1, 5, 0])));
        assert_eq!(at("-1.50", 1), Some((true, vec![1, 5])));
        assert_eq!(at("1.55", 1), None);
        assert_eq!(at("0.00", -3), Some((false, vec![0])));
    }
}
