//! How often something took how long, in the buckets of a histogram. Written by one, read by others, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::COUNTED;

/// The upper bounds of the buckets, in microseconds; what is beyond is in one more.
pub const BOUNDS: [u64; 12] =
    [100, 250, 1_000, 2_500, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000, 60_000_000];
/// The buckets.
pub const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts of durations.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

/// A histogram as it was at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// How many are in each bucket alone.
    pub buckets: [u64; BUCKETS],
    /// The sum of all, in seconds.
    pub sum: f64,
}

impl Observed {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

fn bucket(micros: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < micros)
}

impl Histogram {
    /// Notes that something took this long.
    pub fn observe(&self, took: Duration) {
        self.observe_many(took, 1);
    }

    /// Notes that so many took this long.
    pub fn observe_many(&self, took: Duration, many: u64) {
        if !COUNTED {
            return;
        }
        let micros = took.as_micros() as u64;
        self.buckets[bucket(micros)].fetch_add(many, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros.saturating_mul(many), Ordering::Relaxed);
    }

    /// Notes the ages of many, in milliseconds: neighbours mostly have the same bucket. What is from the future is new.
    pub fn observe_ages(&self, ages_ms: impl Iterator<Item = i64>) {
        if !COUNTED {
            return;
        }
        let (mut within, mut at, mut many, mut sum) = (1..1, 0, 0, 0);
        for age in ages_ms {
            let micros = (age.max(0) as u64).saturating_mul(1_000);
            sum += micros;
            if !within.contains(&micros) {
                if many > 0 {
                    self.buckets[at].fetch_add(many, Ordering::Relaxed);
                }
                (at, many) = (bucket(micros), 0);
                let from = at.checked_sub(1).map_or(0, |before| BOUNDS[before] + 1);
                within = from..BOUNDS.get(at).map_or(u64::MAX, |bound| bound + 1);
            }
            many += 1;
        }
        if many > 0 {
            self.buckets[at].fetch_add(many, Ordering::Relaxed);
            self.sum_micros.fetch_add(sum, Ordering::Relaxed);
        }
    }

    /// What was noted so far; none where that is nothing.
    pub fn get(&self) -> Option<Observed> {
        let buckets = std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed));
        let observed = Observed { buckets, sum: self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6 };
        (observed.count() > 0).then_some(observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_whose_bound_it_does_not_pass() {
        let histogram = Histogram::default();
        assert_eq!(histogram.get(), None);
        for micros in [0, 100, 101, 2_500, 60_000_000, 60_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let observed = histogram.get().unwrap();
        assert_eq!(observed.buckets, [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((observed.count(), observed.sum), (6, 120.002_702));
    }

    #[test]
    fn ages_of_many_count_as_if_each_were_observed() {
        let ages = [3, 4, 5, -7, 0, 10, 11, i64::MIN, 90_000, 5];
        let (many, each) = (Histogram::default(), Histogram::default());
        many.observe_ages(ages.into_iter());
        ages.iter().for_each(|age| each.observe(Duration::from_millis((*age).max(0) as u64)));
        assert_eq!(many.get(), each.get());
        many.observe_ages(std::iter::empty());
        assert_eq!(many.get(), each.get());
    }
}
