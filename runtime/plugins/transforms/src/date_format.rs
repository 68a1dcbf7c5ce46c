//! Pure. Patterns of Java's `SimpleDateFormat`, and moments printed by them: in UTC, with the names and weeks of en-US.

use std::cell::RefCell;

use weir_data::cbor;
use weir_data::java_text::date::{self, DAY, Moment};

/// The first moment of year 1; before it years count backwards.
const YEAR_ONE: i64 = -62_135_769_600_000;

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Sunday on, as weeks in en-US.
pub const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub const HALVES: [&str; 2] = ["AM", "PM"];
/// Letters of the short names of months and weekdays.
pub const SHORT: usize = 3;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Text as it stands there.
    Literal(String),
    /// A field by its letter, which stands so many times.
    Field(u8, usize),
}

/// A pattern.
pub struct DateFormat {
    pub(crate) items: Vec<Item>,
    pattern: String,
    /// The day printed last, and the moment of it.
    last: RefCell<Option<(i64, Moment)>>,
}

impl DateFormat {
    /// Reads a pattern; an error says in Java's words what is wrong with it.
    pub fn new(pattern: &str) -> Result<DateFormat, String> {
        Ok(DateFormat { items: items(pattern)?, pattern: pattern.to_owned(), last: RefCell::default() })
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Appends a moment, in milliseconds since 1970.
    pub fn print(&self, millis: i64, out: &mut Vec<u8>) {
        let mut last = self.last.borrow_mut();
        let day = millis.div_euclid(DAY);
        let moment = match &mut *last {
            Some((known, moment)) if *known == day => {
                moment.time = millis.rem_euclid(DAY);
                moment
            }
            other => &mut other.insert((day, date::moment(millis))).1,
        };
        for item in &self.items {
            match item {
                Item::Literal(text) => cbor::put(out, text.as_bytes()),
                Item::Field(letter, count) => field(*letter, *count, millis, moment, out),
            }
        }
    }
}

fn field(letter: u8, count: usize, millis: i64, moment: &Moment, out: &mut Vec<u8>) {
    let (day, time) = (millis.div_euclid(DAY), moment.time);
    let hour = time / 3_600_000;
    let number = match letter {
        b'G' => {
            return out.extend_from_slice(if millis < YEAR_ONE { b"BC" } else { b"AD" });
        }
        b'y' if count == 2 => moment.year % 100,
        b'y' => moment.year,
        b'Y' => match week(millis, moment).0 {
            year if count == 2 => year % 100,
            year => year,
        },
        b'M' | b'L' if count > 2 => return name(MONTHS[moment.month - 1], count, out),
        b'M' | b'L' => moment.month as i64,
        b'E' => return name(WEEKDAYS[weekday(day) as usize], count, out),
        b'a' => return out.extend_from_slice(HALVES[(hour / 12) as usize].as_bytes()),
        b'z' if count >= 4 => return out.extend_from_slice(b"Coordinated Universal Time"),
        b'z' => return out.extend_from_slice(b"UTC"),
        b'Z' => return out.extend_from_slice(b"+0000"),
        b'X' => return out.push(b'Z'),
        b'w' => week(millis, moment).1,
        b'W' => (moment.day - 1 + weekday(day - moment.day + 1)) / 7 + 1,
        b'D' => day - date::days(year(millis, moment), 1, 1) + 1,
        b'd' => moment.day,
        b'F' => (moment.day - 1) / 7 + 1,
        b'u' => (weekday(day) + 6) % 7 + 1,
        b'H' => hour,
        b'k' => (hour + 23) % 24 + 1,
        b'K' => hour % 12,
        b'h' => (hour + 11) % 12 + 1,
        b'm' => time / 60_000 % 60,
        b's' => time / 1_000 % 60,
        _ => time % 1_000,
    };
    padded(number, count, out);
}

fn name(name: &str, count: usize, out: &mut Vec<u8>) {
    let shown = if count >= 4 { name } else { &name[..SHORT] };
    out.extend_from_slice(shown.as_bytes());
}

#[inline]
fn padded(number: i64, width: usize, out: &mut Vec<u8>) {
    let digit = |number: i64| b'0' + (number % 10) as u8;
    match (number, width) {
        (0..100, 2) => cbor::put(out, &[digit(number / 10), digit(number)]),
        (0..1_000, 3) => cbor::put(out, &[digit(number / 100), digit(number / 10), digit(number)]),
        (0..10_000, 4) => {
            let digits = [digit(number / 1_000), digit(number / 100), digit(number / 10), digit(number)];
            cbor::put(out, &digits);
        }
        _ => padded_long(number, width, out),
    }
}

#[inline(never)]
fn padded_long(number: i64, width: usize, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, number.unsigned_abs());
    while rest > 0 || at == 20 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    (20 - at..width).for_each(|_| out.push(b'0'));
    out.extend_from_slice(&digits[at..]);
}

/// The year, 0 for the one before year 1.
fn year(millis: i64, moment: &Moment) -> i64 {
    if millis < YEAR_ONE { 1 - moment.year } else { moment.year }
}

/// 0 for Sunday.
fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// The first day of a year's first week, which is the one that 1 January is in.
pub fn first_week(year: i64) -> i64 {
    let january = date::days(year, 1, 1);
    january - weekday(january)
}

/// The year whose week it is, and the week.
fn week(millis: i64, moment: &Moment) -> (i64, i64) {
    let (day, year) = (millis.div_euclid(DAY), year(millis, moment));
    if day >= first_week(year + 1) { (year + 1, 1) } else { (year, (day - first_week(year)) / 7 + 1) }
}

fn items(pattern: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut letters = pattern.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\'' if letters.next_if_eq(&'\'').is_some() => literal(&mut items, '\''),
            '\'' => {
                quoted = !quoted;
                // What stands in quotes parts fields, though it be nothing.
                items.push(Item::Literal(String::new()));
            }
            _ if quoted || !letter.is_ascii_alphabetic() => literal(&mut items, letter),
            _ if !"GyMdkHmsSEDFwWahKzZYuXL".contains(letter) => {
                return Err(format!("Illegal pattern character '{letter}'"));
            }
            _ => match items.last_mut() {
                Some(Item::Field(last, count)) if *last == letter as u8 => *count += 1,
                _ => items.push(Item::Field(letter as u8, 1)),
            },
        }
    }
    if quoted {
        return Err("Unterminated quote".into());
    }
    if let Some(Item::Field(_, count)) = items.iter().find(|item| matches!(item, Item::Field(b'X', 4..))) {
        return Err(format!("invalid ISO 8601 format: length={count}"));
    }
    items.retain(|item| *item != Item::Literal(String::new()));
    Ok(items)
}

fn literal(items: &mut Vec<Item>, letter: char) {
    match items.last_mut() {
        Some(Item::Literal(text)) => text.push(letter),
        _ => items.push(Item::Literal(letter.into())),
    }
}
