//! Pure. Dates, times and timestamps in ISO 8601 as Connect recognises them in headers, by their length, and as
//! leniently: 99 minutes are an hour and more.

use super::Parsed;
use crate::java_text::date;
use crate::{Node, Schema, Type, Value, logical};

/// The moment that a text of 10 (date), 13 (time) or 24 (timestamp) characters stands for.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    let text = text.replace("\\:", ":");
    let mut fields = Fields { text: text.as_bytes(), at: 0 };
    match text.len() {
        10 => {
            let (year, month, day) = fields.date()?;
            moment(logical::DATE, Type::Int32, date::days(year, month, day))
        }
        13 => moment(logical::TIME, Type::Int32, fields.time()?),
        24 => {
            let (year, month, day) = fields.date()?;
            fields.literal(b'T')?;
            let midnight = date::days(year, month, day).checked_mul(date::DAY)?;
            moment(logical::TIMESTAMP, Type::Int64, midnight.checked_add(fields.time()?)?)
        }
        _ => None,
    }
}

fn moment(name: &str, kind: Type, value: i64) -> Option<Parsed> {
    let node = Node { version: Some(1), ..Node::new(kind).named(name) };
    Some(Parsed { schema: Some(Schema::of(node)), value: Value::Integer(value) })
}

struct Fields<'a> {
    text: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    /// A number of up to nine digits.
    fn number(&mut self) -> Option<i64> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&self.text[self.at..self.at + digits]).ok()?;
        self.at += digits;
        if digits <= 9 { number.parse().ok() } else { None }
    }

    fn literal(&mut self, literal: u8) -> Option<()> {
        let found = self.text.get(self.at) == Some(&literal);
        self.at += usize::from(found);
        found.then_some(())
    }

    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let year = self.number()?;
        self.literal(b'-')?;
        let month = self.number()?;
        self.literal(b'-')?;
        Some((year, month, self.number()?))
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number()?;
        self.literal(b':')?;
        let minute = self.number()?;
        self.literal(b':')?;
        let second = self.number()?;
        self.literal(b'.')?;
        let millis = self.number()?;
        self.literal(b'Z')?;
        Some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
    }
}
