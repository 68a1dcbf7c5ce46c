//! Pure. Moments as Java prints them in UTC: the Gregorian calendar from 15 October 1582 on, the Julian before.

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;
/// The first day of the Gregorian calendar, in days since 1970.
const GREGORIAN: i64 = -141_427;

/// A moment in UTC.
pub struct Moment {
    /// The year in its era.
    pub year: i64,
    /// 1 to 12.
    pub month: usize,
    /// 1 to 31.
    pub day: i64,
    /// 0 for Thursday, the weekday of 1 January 1970.
    weekday: usize,
    /// Milliseconds since midnight.
    pub time: i64,
}

/// The moment so many milliseconds after 1970.
pub fn moment(millis: i64) -> Moment {
    let days = millis.div_euclid(DAY);
    // Both calendars in years that begin in March; then leap days stand at the end.
    let (year, of_year) = if days >= GREGORIAN {
        let from_era = days + 719_468;
        let (era, of_era) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
        let of_cycle = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        (era * 400 + of_cycle, of_era - (365 * of_cycle + of_cycle / 4 - of_cycle / 100))
    } else {
        let from_era = days + 719_470;
        let (era, of_era) = (from_era.div_euclid(1_461), from_era.rem_euclid(1_461));
        let of_cycle = (of_era - of_era / 1_460) / 365;
        (era * 4 + of_cycle, of_era - 365 * of_cycle)
    };
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + i64::from(month <= 2);
    Moment {
        year: if year > 0 { year } else { 1 - year },
        month: month as usize,
        day: of_year - (153 * march + 2) / 5 + 1,
        weekday: days.rem_euclid(7) as usize,
        time: millis.rem_euclid(DAY),
    }
}

/// Days from 1970 to a date; a month past the last is one of the next year, a day past the last one of the next month.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    let (year, march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * march + 2) / 5 + day - 1;
    let gregorian = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468;
    if gregorian >= GREGORIAN { gregorian } else { year * 365 + year.div_euclid(4) + of_year - 719_470 }
}

/// Appends a moment as `java.util.Date.toString` prints it in UTC.
pub fn print(millis: i64, out: &mut Vec<u8>) {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Moment { year, month, day, weekday, time } = moment(millis);
    let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1_000 % 60);
    let (weekday, month) = (WEEKDAYS[weekday], MONTHS[month - 1]);
    let text = format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}");
    out.extend_from_slice(text.as_bytes());
}

/// Appends a date, `yyyy-MM-dd`.
pub fn iso_date(millis: i64, out: &mut Vec<u8>) {
    let Moment { year, month, day, .. } = moment(millis);
    out.extend_from_slice(format!("{year:04}-{month:02}-{day:02}").as_bytes());
}

/// Appends a time of day, `HH:mm:ss.SSS'Z'`.
pub fn iso_time(millis: i64, out: &mut Vec<u8>) {
    let time = millis.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1_000 % 60);
    out.extend_from_slice(format!("{hour:02}:{minute:02}:{second:02}.{:03}Z", time % 1_000).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_java_prints_them() {
        for (millis, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (253_402_300_799_999, "Fri Dec 31 23:59:59 UTC 9999"),
            (GREGORIAN * DAY, "Fri Oct 15 00:00:00 UTC 1582"),
            (GREGORIAN * DAY - 1, "Thu Oct 04 23:59:59 UTC 1582"),
            (-62_135_596_800_000, "Mon Jan 03 00:00:00 UTC 1"),
        ] {
            let mut out = vec![];
            print(millis, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        for millis in [i64::MIN, i64::MAX] {
            print(millis, &mut vec![]);
        }
    }
}
