//! Pure. When what has failed is started again by itself (`auto.restart`, which Connect does not have).

use std::time::Duration;

use crate::model::Config;

/// Tries where `auto.restart.max.attempts` says nothing.
const TRIES_MAX: u32 = 5;
/// The wait before the first try; each one after it waits twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// No wait is longer.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Whatever has run for so long is well: its next failure is its first.
const WELL_AFTER: Duration = Duration::from_secs(600);

/// How many tries a configuration allows; none where it wants no restarts.
pub fn tries_allowed(config: &Config) -> Option<u32> {
    let get = |key: &str| config.get(key).map(|value| value.trim());
    let wanted = get("auto.restart").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let most = get("auto.restart.max.attempts").and_then(|most| most.parse().ok()).unwrap_or(TRIES_MAX);
    wanted.then_some(most)
}

/// The tries of one connector or task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// How many were made since it was well, as far as that was seen.
    pub made: u32,
    /// Since when it runs, in time since the worker began; none while it does not.
    runs_since: Option<Duration>,
}

impl Tries {
    /// It runs.
    pub fn runs(&mut self, now: Duration) {
        self.runs_since.get_or_insert(now);
    }

    /// How many were made since it was well.
    pub fn made_by(&self, now: Duration) -> u32 {
        let well = self.runs_since.is_some_and(|since| now.saturating_sub(since) >= WELL_AFTER);
        if well { 0 } else { self.made }
    }

    /// It has failed: how long to wait before the next try, which is counted; none when there were enough.
    pub fn failed(&mut self, now: Duration, most: u32) -> Option<Duration> {
        let ran = self.runs_since.take().map(|since| now.saturating_sub(since));
        if ran.is_some_and(|ran| ran >= WELL_AFTER) {
            self.made = 0;
        }
        if self.made >= most {
            return None;
        }
        self.made += 1;
        let doubled = 2_u32.checked_pow(self.made - 1).and_then(|factor| WAIT_FIRST.checked_mul(factor));
        Some(doubled.map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX)))
    }
}

/// What a failure's trace says of the tries, so that everybody sees it who sees the status.
pub fn said(made: u32, most: u32, wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!("auto.restart: attempt {made} of {most} follows in {} s", wait.as_secs()),
        None if most == 0 => "auto.restart: auto.restart.max.attempts allows no attempt".to_owned(),
        None => {
            let attempts = if most == 1 { "attempt" } else { "attempts" };
            format!("auto.restart: given up after {most} {attempts}; restart it once the cause is mended")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn five_tries_each_after_twice_the_wait_and_then_no_more() {
        let mut tries = Tries::default();
        let waits: Vec<_> = (0..7).map(|at| tries.failed(seconds(at), 5).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), Some(16), None, None]);
        let mut many = Tries::default();
        let longest = (0..100).filter_map(|at| many.failed(seconds(at), 100)).max();
        assert_eq!(longest, Some(WAIT_MAX));
        assert_eq!(Tries::default().failed(seconds(0), 0), None);
    }

    #[test]
    fn what_ran_for_ten_minutes_is_well_again_and_what_failed_before_is_not() {
        let mut tries = Tries::default();
        tries.failed(seconds(0), 5);
        tries.runs(seconds(10));
        tries.runs(seconds(500)); // said twice: it ran all the time
        assert_eq!(tries.failed(seconds(609), 5), Some(seconds(2)));
        tries.runs(seconds(700));
        assert_eq!([1_299, 1_300].map(|now| tries.made_by(seconds(now))), [2, 0]);
        assert_eq!(tries.failed(seconds(1_300), 5), Some(seconds(1)));
        assert_eq!(tries.failed(seconds(3_000), 5), Some(seconds(2)), "it never ran in between");
    }

    #[test]
    fn only_a_configuration_that_says_so_is_tried_again() {
        let config = |entries: &[(&str, &str)]| -> Config {
            entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
        };
        assert_eq!(tries_allowed(&config(&[])), None);
        assert_eq!(tries_allowed(&config(&[("auto.restart", "false")])), None);
        assert_eq!(tries_allowed(&config(&[("auto.restart", " TRUE ")])), Some(5));
        let most = [("auto.restart", "true"), ("auto.restart.max.attempts", "2")];
        assert_eq!(tries_allowed(&config(&most)), Some(2));
    }
}
