//! Pure. Texts read by patterns of Java's `SimpleDateFormat`: as leniently as there, in UTC where they name no zone.
//! What stands behind the pattern's end is left unread.

use weir_data::java_text::date::{self, DAY};

use crate::date_format::{DateFormat, HALVES, Item, MONTHS, SHORT, WEEKDAYS, first_week};

/// Offsets of zones by name, in minutes: those of RFC 822. Java knows all zones of the world by their names.
const ZONES: [(&str, i64); 11] = [
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("UTC", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

/// How far into the past of `now` a year of two digits may lie.
const PAST_YEARS: i64 = 80;

/// What a text says, as far as it does.
#[derive(Default)]
struct Fields {
    /// Fields by their letters, in the order in which they were read.
    set: Vec<(u8, i64)>,
    offset: i64,
    /// Whether the year was written with two digits that may stand for this century or the last.
    ambiguous: bool,
}

impl Fields {
    fn set(&mut self, letter: u8, value: i64) {
        self.set.retain(|(known, _)| *known != letter);
        self.set.push((letter, value));
    }

    fn get(&self, letter: u8) -> Option<i64> {
        self.set.iter().find(|(known, _)| *known == letter).map(|(_, value)| *value)
    }

    /// When a field was set; 0 for never.
    fn rank(&self, letter: u8) -> usize {
        self.set.iter().position(|(known, _)| *known == letter).map_or(0, |at| at + 1)
    }

    /// Milliseconds since 1970.
    fn millis(&self) -> i64 {
        let twelve = both(self.rank(b'h'), self.rank(b'a')).max(match self.rank(b'H') {
            0 => self.rank(b'h').max(self.rank(b'a')),
            _ => 0,
        });
        let hour = if twelve > self.rank(b'H') {
            self.get(b'h').unwrap_or(0) + 12 * self.get(b'a').unwrap_or(0)
        } else {
            self.get(b'H').unwrap_or(0)
        };
        let minutes = hour * 60 + self.get(b'm').unwrap_or(0);
        let time = (minutes * 60 + self.get(b's').unwrap_or(0)) * 1_000 + self.get(b'S').unwrap_or(0);
        self.day().wrapping_mul(DAY).wrapping_add(time - self.offset * 60_000)
    }

    /// The day since 1970; of several ways to say it the one completed last counts, as in Java's `GregorianCalendar`.
    fn day(&self) -> i64 {
        let weekday = self.get(b'E').unwrap_or(0);
        let in_week = |first: i64, week: u8| first + (self.get(week).unwrap_or(1) - 1) * 7 + weekday;
        if self.rank(b'Y') > self.rank(b'y') {
            return in_week(first_week(self.get(b'Y').unwrap_or(1970)), b'w');
        }
        let year = self.get(b'y').unwrap_or(1970);
        let year = if self.get(b'G') == Some(0) { 1 - year } else { year };
        let first = date::days(year, self.get(b'M').unwrap_or(1), 1);
        match self.way() {
            Way::DayOfMonth => date::days(year, self.get(b'M').unwrap_or(1), self.get(b'd').unwrap_or(1)),
            Way::DayOfYear => date::days(year, 1, 1) + self.get(b'D').unwrap_or(1) - 1,
            Way::WeekOfYear => in_week(first_week(year), b'w'),
            Way::WeekOfMonth => in_week(on_or_before(first, 0), b'W'),
            Way::WeekdayInMonth => {
                let which = self.get(b'F').unwrap_or(1);
                if which >= 0 {
                    return on_or_before(first + 7 * which - 1, weekday);
                }
                let next = date::days(year, self.get(b'M').unwrap_or(1) + 1, 1);
                on_or_before(next + (which + 1) * 7 - 1, weekday)
            }
        }
    }

    fn way(&self) -> Way {
        let rank = |letter| self.rank(letter);
        let weekday = rank(b'E');
        let (of_month, of_year) = (rank(b'd'), rank(b'D'));
        let mut month_week = both(rank(b'W'), weekday);
        let mut in_month = both(rank(b'F'), weekday);
        let mut year_week = both(rank(b'w'), weekday);
        let mut best = of_month.max(month_week).max(in_month).max(of_year).max(year_week);
        if best == 0 {
            (month_week, in_month, year_week) = (rank(b'W'), rank(b'F').max(weekday), rank(b'w'));
            best = month_week.max(in_month).max(year_week);
        }
        let by_month =
            (best == month_week && rank(b'W') >= rank(b'w')) || (best == in_month && rank(b'F') >= rank(b'w'));
        match best {
            _ if best == of_month => Way::DayOfMonth,
            _ if by_month && month_week == in_month && rank(b'W') >= rank(b'F') => Way::WeekOfMonth,
            _ if by_month && month_week != in_month && best == month_week => Way::WeekOfMonth,
            _ if by_month => Way::WeekdayInMonth,
            _ if best == of_year => Way::DayOfYear,
            _ => Way::WeekOfYear,
        }
    }
}

/// How the day is said.
enum Way {
    DayOfMonth,
    DayOfYear,
    WeekOfYear,
    WeekOfMonth,
    WeekdayInMonth,
}

/// When two fields were both set; 0 for never.
fn both(a: usize, b: usize) -> usize {
    if a == 0 || b == 0 { 0 } else { a.max(b) }
}

/// The last such weekday up to a day.
fn on_or_before(day: i64, weekday: i64) -> i64 {
    day - (day + 4 - weekday).rem_euclid(7)
}

impl DateFormat {
    /// The moment that a text stands for, in milliseconds since 1970; none where it does not match. Years of two digits
    /// are those from 80 years before `now` on.
    pub fn parse(&self, text: &str, now: i64) -> Option<i64> {
        let mut fields = Fields::default();
        let mut at = 0;
        let pieces = self.items.iter().zip(self.items.iter().skip(1).map(Some).chain([None]));
        for (item, next) in pieces {
            at = match item {
                Item::Literal(literal) => text.get(at..)?.starts_with(literal).then(|| at + literal.len())?,
                Item::Field(letter, count) => {
                    let width = next.is_some_and(is_number).then_some(*count);
                    Reader { text, fields: &mut fields, now }.field(at, *letter, *count, width)?
                }
            };
        }
        if at == 0 {
            return None;
        }
        let millis = fields.millis();
        if fields.ambiguous && millis < century(now) {
            let year = fields.get(b'y').or(fields.get(b'Y')).unwrap_or(0);
            let letter = if fields.rank(b'y') > 0 { b'y' } else { b'Y' };
            fields.set.iter_mut().filter(|(known, _)| *known == letter).for_each(|(_, value)| *value = year + 100);
            return Some(fields.millis());
        }
        Some(millis)
    }
}

fn is_number(item: &Item) -> bool {
    match item {
        Item::Literal(_) => false,
        Item::Field(b'M' | b'L', count) => *count <= 2,
        Item::Field(letter, _) => !b"GEazZX".contains(letter),
    }
}

/// The moment from which on years of two digits count.
fn century(now: i64) -> i64 {
    let moment = date::moment(now);
    date::days(moment.year - PAST_YEARS, moment.month as i64, moment.day) * DAY + moment.time
}

struct Reader<'t> {
    text: &'t str,
    fields: &'t mut Fields,
    now: i64,
}

impl Reader<'_> {
    /// Reads a field and answers where it ends. Numbers before others without text between have their `width`.
    fn field(&mut self, start: usize, letter: u8, count: usize, width: Option<usize>) -> Option<usize> {
        let blanks = self.text.get(start..)?.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let at = start + blanks;
        if at >= self.text.len() {
            return None;
        }
        match letter {
            b'M' | b'L' if count > 2 => self.named(start, b'M', &MONTHS, 1),
            b'E' => self.named(start, b'E', &WEEKDAYS, 0),
            b'G' => self.era(start),
            b'a' => self.named(start, b'a', &HALVES, 0),
            b'z' | b'Z' => self.zone(start, at),
            b'X' => match self.text.as_bytes()[at] {
                b'Z' => Some(self.offset(0, at + 1)),
                b'+' => self.numeric_zone(at + 1, 1, count, count == 3),
                b'-' => self.numeric_zone(at + 1, -1, count, count == 3),
                _ => None,
            },
            _ => {
                let end = match width {
                    Some(width) if start + width > self.text.len() => return None,
                    Some(width) => start + width,
                    None => self.text.len(),
                };
                let (value, end) = number(self.text.as_bytes().get(at..end)?)?;
                self.number(letter, count, value, &self.text.as_bytes()[at..at + end]);
                Some(at + end)
            }
        }
    }

    fn number(&mut self, letter: u8, count: usize, value: i64, digits: &[u8]) {
        match letter {
            b'y' | b'Y' if count <= 2 && digits.len() == 2 && digits.iter().all(u8::is_ascii_digit) => {
                let first = date::moment(century(self.now)).year;
                self.fields.ambiguous = value == first % 100;
                let later = if value < first % 100 { 100 } else { 0 };
                self.fields.set(letter, value + first / 100 * 100 + later);
            }
            b'k' => self.fields.set(b'H', if value == 24 { 0 } else { value }),
            b'h' => self.fields.set(b'h', if value == 12 { 0 } else { value }),
            b'K' => self.fields.set(b'h', value),
            b'L' => self.fields.set(b'M', value),
            // From Monday, 1, to Sunday, 7.
            b'u' => self.fields.set(b'E', value.rem_euclid(7)),
            _ => self.fields.set(letter, value),
        }
    }

    fn named(&mut self, start: usize, letter: u8, names: &[&str], first: i64) -> Option<usize> {
        let starts_with = |name: &str| {
            let there = self.text.as_bytes().get(start..start + name.len());
            there.is_some_and(|there| there.eq_ignore_ascii_case(name.as_bytes()))
        };
        let (at, length) = names.iter().enumerate().find_map(|(at, name)| {
            let short = &name[..SHORT.min(name.len())];
            [*name, short].into_iter().find(|name| starts_with(name)).map(|name| (at, name.len()))
        })?;
        self.fields.set(letter, first + at as i64);
        Some(start + length)
    }

    fn era(&mut self, start: usize) -> Option<usize> {
        const ERAS: [(&str, i64); 4] = [("Before Christ", 0), ("Anno Domini", 1), ("BC", 0), ("AD", 1)];
        let text = self.text.as_bytes();
        let (name, era) = ERAS.iter().find(|(name, _)| {
            text.get(start..start + name.len()).is_some_and(|there| there.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        self.fields.set(b'G', *era);
        Some(start + name.len())
    }

    fn zone(&mut self, start: usize, at: usize) -> Option<usize> {
        let text = self.text.as_bytes();
        let sign = |at: usize| match text.get(at) {
            Some(b'+') => Some(1),
            Some(b'-') => Some(-1),
            _ => None,
        };
        if let Some(sign) = sign(at) {
            return self.numeric_zone(at + 1, sign, 0, false);
        }
        if text.get(start..start + 3).is_some_and(|there| there.eq_ignore_ascii_case(b"GMT")) {
            return match sign(start + 3) {
                Some(sign) => self.numeric_zone(start + 4, sign, 0, true),
                None => Some(self.offset(0, start + 3)),
            };
        }
        let (name, minutes) = ZONES.iter().find(|(name, _)| {
            text.get(at..at + name.len()).is_some_and(|there| there.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        Some(self.offset(*minutes, at + name.len()))
    }

    fn offset(&mut self, minutes: i64, end: usize) -> usize {
        self.fields.offset = minutes;
        end
    }

    /// Hours and minutes of an offset; hours alone where `count` is 1.
    fn numeric_zone(&mut self, start: usize, sign: i64, count: usize, colon: bool) -> Option<usize> {
        let text = self.text.as_bytes();
        let digit = |at: usize| text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
        let (mut hours, mut at) = (digit(start)?, start + 1);
        match digit(at) {
            Some(second) => {
                hours = hours * 10 + second;
                at += 1;
            }
            None if count > 0 || !colon => return None,
            // There is something behind one digit, or it is no zone.
            None => {
                text.get(at)?;
            }
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                text.get(at).filter(|byte| **byte == b':')?;
                at += 1;
            }
            minutes = digit(at)? * 10 + digit(at + 1)?;
            at += 2;
        }
        (hours <= 23 && minutes <= 59).then(|| self.offset(sign * (hours * 60 + minutes), at))
    }
}

/// An integer at the start of a text, cut to 32 bits as Java's `intValue` does, and how long it is.
fn number(text: &[u8]) -> Option<(i64, usize)> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let magnitude = text[start..start + digits]
        .iter()
        .try_fold(0i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
    let value = match magnitude {
        Some(value) if negative => i64::from((-value) as i32),
        Some(value) => i64::from(value as i32),
        // Beyond a long it is a double, which is cut at the ends of an int.
        None if negative => i64::from(i32::MIN),
        None => i64::from(i32::MAX),
    };
    Some((value, start + digits))
}
