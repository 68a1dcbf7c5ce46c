//! Pure. When a record that may go through later is tried again (RetryWithToleranceOperator.backoff).

use std::time::Duration;

use crate::settings::RetrySettings;

/// The wait after the first try; it doubles with each.
const FIRST: Duration = Duration::from_millis(300);

/// How long to wait after a number of tries, `elapsed` after the first began; none when it is given up. Waits that
/// would be longer than the longest are a random part of that: `chance` of 0 to 1.
pub fn wait(settings: &RetrySettings, tries: u32, elapsed: Duration, chance: f64) -> Option<Duration> {
    let left = match settings.timeout {
        None => Duration::MAX,
        Some(timeout) => timeout.checked_sub(elapsed).filter(|left| !left.is_zero())?,
    };
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    let wait = if doubled > settings.delay_max { settings.delay_max.mul_f64(chance) } else { doubled };
    Some(wait.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_then_are_a_part_of_it_and_never_pass_the_end() {
        let ms = Duration::from_millis;
        let for_ever = RetrySettings { timeout: None, delay_max: ms(1_000) };
        let a_second = RetrySettings { timeout: Some(ms(1_000)), delay_max: ms(60_000) };
        for (settings, tries, elapsed, expected) in [
            (for_ever, 1, 0, Some(300)),
            (for_ever, 2, 300, Some(600)),
            (for_ever, 3, 900, Some(500)),
            (for_ever, u32::MAX, u64::MAX, Some(500)),
            (a_second, 1, 0, Some(300)),
            (a_second, 2, 300, Some(600)),
            (a_second, 3, 900, Some(100)),
            (a_second, 4, 1_000, None),
            (a_second, 1, 5_000, None),
            (RetrySettings::default(), 1, 0, None),
        ] {
            let got = wait(&settings, tries, ms(elapsed), 0.5);
            assert_eq!(got, expected.map(ms), "{settings:?} after {tries} tries and {elapsed} ms");
        }
    }
}
