//! For how much of the time something was held back: also while it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::sampled_stat::SAMPLES;
use super::stat::now_ms;
use super::{COUNTED, Stat};

/// Into how many pieces a sample of a long time falls.
const PIECES: u64 = 10;
/// Not held back.
const FREE: u64 = u64::MAX;

/// When something was held back, as a share of the window. One sets it, others read it without a lock.
#[derive(Debug)]
pub struct HeldBack {
    sample_ms: u64,
    /// Milliseconds in which it was, as far as they were looked at.
    times: Stat,
    /// Since when it is, or was looked at last.
    since: AtomicU64,
}

impl Default for HeldBack {
    fn default() -> HeldBack {
        HeldBack::new(crate::settings::MetricsSettings::default().sample)
    }
}

/// The pieces of a time of which the window sees something, each by its end and its length.
fn pieces(since: u64, now: u64, sample_ms: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut from = since.max(now.saturating_sub(SAMPLES * sample_ms));
    std::iter::from_fn(move || {
        let to = (from + (sample_ms / PIECES).max(1)).min(now);
        let length = to.checked_sub(from).filter(|length| *length > 0)?;
        from = to;
        Some((to, length))
    })
}

impl HeldBack {
    /// Not yet, in samples of this length.
    pub fn new(sample: Duration) -> HeldBack {
        let sample_ms = (sample.as_millis() as u64).max(1);
        HeldBack { sample_ms, times: Stat::new(sample), since: AtomicU64::new(FREE) }
    }

    /// From now on it is held back, or is not.
    pub fn set(&self, held_back: bool) {
        self.set_at(held_back, now_ms());
    }

    fn set_at(&self, held_back: bool, now: u64) {
        let since = self.since.load(Ordering::Relaxed);
        if COUNTED && (since != FREE) != held_back {
            let since = self.since.swap(if held_back { now } else { FREE }, Ordering::Relaxed);
            self.note(since, now);
        }
    }

    fn note(&self, since: u64, now: u64) {
        if since != FREE {
            pieces(since, now, self.sample_ms).for_each(|(end, length)| self.times.record_at(length as f64, end));
        }
    }

    /// The share of the window in which it was held back.
    pub fn ratio(&self) -> f64 {
        self.ratio_at(now_ms())
    }

    fn ratio_at(&self, now: u64) -> f64 {
        let since = self.since.load(Ordering::Relaxed);
        // Of two who look, or one who looks while it ends, one notes it.
        if since != FREE
            && since < now
            && self.since.compare_exchange(since, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.note(since, now);
        }
        (self.times.rate_at(now) / 1e3).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_back() -> HeldBack {
        HeldBack::new(Duration::from_secs(10))
    }

    #[test]
    fn who_is_held_back_is_so_before_it_ends() {
        let own = held_back();
        own.set_at(true, 0);
        assert_eq!(own.ratio_at(300_000), 1.0, "for five minutes, and nobody had looked");
        own.set_at(false, 300_000);
        assert!((own.ratio_at(310_000) - 0.5).abs() < 0.06, "{}", own.ratio_at(310_000));
        assert_eq!(own.ratio_at(400_000), 0.0);
    }

    #[test]
    fn the_share_is_the_same_however_often_it_is_looked_at() {
        let (seldom, often) = (held_back(), held_back());
        for second in 0..60 {
            for own in [&seldom, &often] {
                own.set_at(second % 4 == 0, second * 1_000);
                own.set_at(second % 4 == 0, second * 1_000 + 500);
            }
            often.ratio_at(second * 1_000 + 700);
        }
        let (seldom, often) = (seldom.ratio_at(60_000), often.ratio_at(60_000));
        assert!((seldom - 0.25).abs() < 0.06 && (seldom - often).abs() < 0.03, "{seldom} {often}");
    }

    #[test]
    fn of_a_long_time_the_window_sees_its_end() {
        let seen: Vec<_> = pieces(0, 1_000_000, 10_000).collect();
        assert_eq!((seen.len(), seen.iter().map(|(_, length)| length).sum::<u64>()), (20, 20_000));
        assert_eq!(seen.last(), Some(&(1_000_000, 1_000)));
        assert_eq!(pieces(5, 5, 10_000).count(), 0);
        assert_eq!(pieces(5, 6, 1).collect::<Vec<_>>(), [(6, 1)]);
    }
}
