//! Pure. What happened within a window, as Kafka's own metrics see it (SampledStat, Rate, Avg, Max and Min of
//! org.apache.kafka.common.metrics.stats): two samples of `metrics.sample.window.ms` each, the oldest made anew when a
//! third begins. Times are milliseconds of one clock, wherever it starts.

/// Samples that make a window (`metrics.num.samples`).
pub const SAMPLES: u64 = 2;
/// Kafka keeps one more, of which a part may lie within the window.
const KEPT: usize = SAMPLES as usize + 1;
/// Words of a sample, and of all of it.
const SAMPLE_WORDS: usize = 6;
/// How many words a [`SampledStat`] is.
pub const WORDS: usize = KEPT * SAMPLE_WORDS + 1;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    start: u64,
    last: u64,
    count: u64,
    sum: f64,
    max: f64,
    min: f64,
}

impl Sample {
    fn begun(now: u64) -> Sample {
        Sample { start: now, last: now, count: 0, sum: 0.0, max: f64::NEG_INFINITY, min: f64::INFINITY }
    }
}

/// Values that were recorded within a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampledStat {
    samples: [Sample; KEPT],
    /// How many of them have begun.
    begun: usize,
    current: usize,
}

impl Default for SampledStat {
    fn default() -> SampledStat {
        SampledStat { samples: [Sample::begun(0); KEPT], begun: 0, current: 0 }
    }
}

impl SampledStat {
    /// Records a value.
    pub fn record(&mut self, value: f64, sample_ms: u64, now: u64) {
        if self.begun == 0 {
            self.samples[0] = Sample::begun(now);
            self.begun = 1;
        } else if now.saturating_sub(self.samples[self.current].start) >= sample_ms {
            self.current = (self.current + 1) % KEPT;
            self.begun = self.begun.max(self.current + 1);
            self.samples[self.current] = Sample::begun(now);
        }
        let sample = &mut self.samples[self.current];
        sample.last = now;
        sample.count += 1;
        sample.sum += value;
        sample.max = sample.max.max(value);
        sample.min = sample.min.min(value);
    }

    /// The samples that have begun, without what is older than the window (`purgeObsoleteSamples`).
    fn kept(&self, sample_ms: u64, now: u64) -> impl Iterator<Item = Sample> {
        self.samples[..self.begun].iter().map(move |sample| {
            if now.saturating_sub(sample.last) >= SAMPLES * sample_ms { Sample::begun(now) } else { *sample }
        })
    }

    /// The sum of the window's values for each second of it (Rate over a WindowedSum). The first samples are spread
    /// over at least one whole one; 0 where there is none.
    pub fn rate(&self, sample_ms: u64, now: u64) -> f64 {
        let oldest = self.kept(sample_ms, now).map(|sample| sample.start).min().unwrap_or(now);
        let elapsed = now.saturating_sub(oldest);
        let missing = (SAMPLES - 1).saturating_sub(elapsed / sample_ms.max(1));
        let window = (elapsed + missing * sample_ms).max(1);
        self.kept(sample_ms, now).map(|sample| sample.sum).sum::<f64>() / (window as f64 / 1e3)
    }

    fn count(&self, sample_ms: u64, now: u64) -> u64 {
        self.kept(sample_ms, now).map(|sample| sample.count).sum()
    }

    /// The average; NaN of nothing.
    pub fn avg(&self, sample_ms: u64, now: u64) -> f64 {
        let sum: f64 = self.kept(sample_ms, now).map(|sample| sample.sum).sum();
        sum / self.count(sample_ms, now) as f64
    }

    /// The largest value; NaN of nothing.
    pub fn max(&self, sample_ms: u64, now: u64) -> f64 {
        let most = self.kept(sample_ms, now).map(|sample| sample.max).fold(f64::NEG_INFINITY, f64::max);
        if self.count(sample_ms, now) == 0 { f64::NAN } else { most }
    }

    /// The smallest value; NaN of nothing.
    pub fn min(&self, sample_ms: u64, now: u64) -> f64 {
        let least = self.kept(sample_ms, now).map(|sample| sample.min).fold(f64::INFINITY, f64::min);
        if self.count(sample_ms, now) == 0 { f64::NAN } else { least }
    }

    /// The shares of ones and of zeros among values that are one or the other (Frequencies); both 0 of nothing.
    pub fn shares(&self, sample_ms: u64, now: u64) -> (f64, f64) {
        let ones = self.avg(sample_ms, now);
        if ones.is_nan() { (0.0, 0.0) } else { (ones, 1.0 - ones) }
    }

    /// All of it as words.
    pub fn words(&self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        for (sample, words) in self.samples.iter().zip(words.as_chunks_mut::<SAMPLE_WORDS>().0) {
            let Sample { start, last, count, sum, max, min } = *sample;
            *words = [start, last, count, sum.to_bits(), max.to_bits(), min.to_bits()];
        }
        words[WORDS - 1] = (self.begun * KEPT + self.current) as u64;
        words
    }

    /// What [`SampledStat::words`] made.
    pub fn of_words(words: &[u64; WORDS]) -> SampledStat {
        let mut stat = SampledStat::default();
        for (sample, words) in stat.samples.iter_mut().zip(words.as_chunks::<SAMPLE_WORDS>().0) {
            let float = |at: usize| f64::from_bits(words[at]);
            *sample = Sample {
                start: words[0],
                last: words[1],
                count: words[2],
                sum: float(3),
                max: float(4),
                min: float(5),
            };
        }
        let places = words[WORDS - 1] as usize;
        (stat.begun, stat.current) = ((places / KEPT).min(KEPT), places % KEPT);
        stat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 30_000;

    fn recorded(values: &[(f64, u64)]) -> SampledStat {
        let mut stat = SampledStat::default();
        values.iter().for_each(|(value, at)| stat.record(*value, WINDOW, *at));
        stat
    }

    #[test]
    fn nothing_is_no_average_but_a_rate_of_nothing() {
        let stat = SampledStat::default();
        assert!(stat.avg(WINDOW, 5).is_nan() && stat.max(WINDOW, 5).is_nan() && stat.min(WINDOW, 5).is_nan());
        assert_eq!((stat.rate(WINDOW, 5), stat.shares(WINDOW, 5)), (0.0, (0.0, 0.0)));
    }

    #[test]
    fn the_first_sample_is_spread_over_a_whole_one() {
        let stat = recorded(&[(600.0, 1_000)]);
        assert_eq!(stat.rate(WINDOW, 1_000), 20.0);
        assert_eq!(stat.rate(WINDOW, 11_000), 600.0 / 40.0);
        assert_eq!(stat.rate(WINDOW, 31_000), 600.0 / 30.0, "from one whole sample on only what has passed counts");
        assert_eq!(stat.rate(WINDOW, 51_000), 600.0 / 50.0);
    }

    #[test]
    fn what_is_older_than_two_samples_is_forgotten() {
        let stat = recorded(&[(4.0, 0), (8.0, 10_000)]);
        assert_eq!((stat.avg(WINDOW, 69_999), stat.max(WINDOW, 69_999), stat.min(WINDOW, 69_999)), (6.0, 8.0, 4.0));
        assert!(stat.avg(WINDOW, 70_000).is_nan());
        assert_eq!(stat.rate(WINDOW, 70_000), 0.0);
    }

    #[test]
    fn a_fourth_sample_takes_the_place_of_the_first() {
        let stat = recorded(&[(1.0, 0), (2.0, 30_000), (3.0, 60_000), (4.0, 90_000)]);
        assert_eq!(stat.min(WINDOW, 90_000), 3.0, "what ended sixty seconds ago is out of the window");
        assert_eq!((stat.max(WINDOW, 90_000), stat.avg(WINDOW, 90_000)), (4.0, 3.5));
    }

    #[test]
    fn shares_are_of_what_was_tried() {
        let stat = recorded(&[(1.0, 0), (1.0, 1), (0.0, 2), (1.0, 3)]);
        assert_eq!(stat.shares(WINDOW, 4), (0.75, 0.25));
    }

    #[test]
    fn a_stat_survives_as_words() {
        let stat = recorded(&[(1.5, 3), (-2.0, 40_000), (9.0, 80_000)]);
        assert_eq!(SampledStat::of_words(&stat.words()), stat);
        assert_eq!(SampledStat::of_words(&SampledStat::default().words()), SampledStat::default());
    }

    #[test]
    fn a_clock_that_goes_back_breaks_nothing() {
        let mut stat = recorded(&[(1.0, 100_000)]);
        stat.record(2.0, WINDOW, 5);
        assert_eq!(stat.avg(WINDOW, 4), 1.5);
        assert!(stat.rate(WINDOW, 4).is_finite());
    }
}
