//! A [`SampledStat`] that one writes and others read without a lock: the writer never waits for who reads.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::MetricsSettings;

use super::COUNTED;
use super::sampled_stat::{SampledStat, WORDS};

/// Milliseconds of the clock that stats go by.
pub fn now_ms() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(|| Instant::from_std(std::time::Instant::now()));
    Instant::now().saturating_duration_since(*BEGAN).as_millis() as u64
}

/// Values that were recorded within a window. Written by one at a time; a second writer waits for the first, readers
/// never keep a writer waiting.
#[derive(Debug)]
pub struct Stat {
    sample_ms: u64,
    /// Odd while it is written.
    version: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Default for Stat {
    fn default() -> Stat {
        Stat::new(MetricsSettings::default().sample)
    }
}

impl Stat {
    /// Nothing yet, in samples of this length.
    pub fn new(sample: Duration) -> Stat {
        let words = SampledStat::default().words().map(AtomicU64::new);
        Stat { sample_ms: (sample.as_millis() as u64).max(1), version: AtomicU64::new(0), words }
    }

    /// Records a value now.
    pub fn record(&self, value: f64) {
        self.record_at(value, now_ms());
    }

    pub(super) fn record_at(&self, value: f64, now: u64) {
        if !COUNTED {
            return;
        }
        let mut version = self.version.load(Ordering::Relaxed);
        loop {
            version &= !1;
            let taken = self.version.compare_exchange(version, version + 1, Ordering::Acquire, Ordering::Relaxed);
            match taken {
                Ok(_) => break,
                Err(other) => version = other,
            }
            std::hint::spin_loop();
        }
        fence(Ordering::Release);
        let mut stat = SampledStat::of_words(&self.load());
        stat.record(value, self.sample_ms, now);
        self.words.iter().zip(stat.words()).for_each(|(word, new)| word.store(new, Ordering::Relaxed));
        self.version.store(version + 2, Ordering::Release);
    }

    /// Records how long something took, in milliseconds.
    pub fn record_time(&self, took: Duration) {
        self.record(took.as_secs_f64() * 1e3);
    }

    fn load(&self) -> [u64; WORDS] {
        std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed))
    }

    fn read(&self) -> SampledStat {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let words = self.load();
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return SampledStat::of_words(&words);
            }
            std::hint::spin_loop();
        }
    }

    /// The sum for each second ([`SampledStat::rate`]).
    pub fn rate(&self) -> f64 {
        self.rate_at(now_ms())
    }

    pub(super) fn rate_at(&self, now: u64) -> f64 {
        self.read().rate(self.sample_ms, now)
    }

    /// The average; NaN of nothing.
    pub fn avg(&self) -> f64 {
        self.read().avg(self.sample_ms, now_ms())
    }

    /// The largest; NaN of nothing.
    pub fn max(&self) -> f64 {
        self.read().max(self.sample_ms, now_ms())
    }

    /// The smallest; NaN of nothing.
    pub fn min(&self) -> f64 {
        self.read().min(self.sample_ms, now_ms())
    }

    /// The shares of ones and of zeros; both 0 of nothing.
    pub fn shares(&self) -> (f64, f64) {
        self.read().shares(self.sample_ms, now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_never_sees_half_of_what_is_written() {
        let stat = Stat::new(Duration::from_secs(3600));
        let done = AtomicU64::new(0);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    (0..20_000).for_each(|_| stat.record(7.0));
                    done.fetch_add(1, Ordering::Release);
                });
            }
            while done.load(Ordering::Acquire) < 2 {
                let average = stat.avg();
                assert!(average == 7.0 || average.is_nan(), "{average}");
            }
        });
        assert_eq!((stat.avg(), stat.rate() > 0.0), (7.0, true));
    }
}
