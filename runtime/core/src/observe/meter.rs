//! What an instance uses: calls, CPU time, memory, and a guest's own counters and gauges.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Counter, Histogram, Observed};

/// What the instances of one task, or of one connector, have used, counted while they run. Shared by them and whoever
/// shows it.
#[derive(Debug, Default)]
pub struct GuestMeter {
    /// Calls into the guest, and how long they took.
    pub calls: Calls,
    /// Time in functions of the host's, waits included, in nanoseconds.
    pub host_nanos: AtomicU64,
    /// Records that crossed into the guest.
    pub into: Crossed,
    /// Records that crossed out of the guest.
    pub out_of: Crossed,
    /// CPU time inside calls, host functions included, in nanoseconds.
    pub cpu_nanos: AtomicU64,
    /// Linear memory and tables of all instances now, in bytes.
    pub memory_bytes: AtomicU64,
    /// How many instances there are.
    pub instances: AtomicU64,
    /// The most they had together so far, in bytes.
    pub memory_peak_bytes: AtomicU64,
    /// Time calls waited to be admitted, in nanoseconds.
    pub admission_nanos: AtomicU64,
    /// How often they did.
    pub admissions: AtomicU64,
    /// Traps, by kind.
    pub traps: Tally,
    /// What a limit stopped, by the setting that holds it.
    pub limit_hits: Tally,
    /// Log lines that were dropped.
    pub log_lines_dropped: AtomicU64,
    /// The guest's own counters and gauges.
    pub own: OwnMetrics,
}

/// The calls of a guest that a task or a connector makes.
const CALLS: [&str; 18] = [
    "poll",
    "put",
    "apply",
    "pre-commit",
    "acknowledged",
    "committed",
    "start",
    "open",
    "close",
    "stop",
    "configure",
    "validate",
    "task-configs",
    "watch",
    "alter-offsets",
    "describe",
    "instantiate",
    "other",
];

/// How long calls of a guest took, by call.
#[derive(Debug, Default)]
pub struct Calls([Histogram; CALLS.len()]);

impl Calls {
    /// Notes that a call took this long.
    pub fn took(&self, call: &str, time: Duration) {
        let at = CALLS.iter().position(|known| *known == call).unwrap_or(CALLS.len() - 1);
        self.0[at].observe(time);
    }

    /// The calls that were made.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, Observed)> {
        CALLS.iter().zip(&self.0).filter_map(|(call, histogram)| Some((*call, histogram.get()?)))
    }
}

/// Records that crossed, one way.
#[derive(Debug, Default)]
pub struct Crossed {
    /// How many.
    pub records: Counter,
    /// Their bytes.
    pub bytes: Counter,
}

impl Crossed {
    /// Records crossed.
    pub fn add(&self, records: usize, bytes: usize) {
        self.records.add(records as u64);
        self.bytes.add(bytes as u64);
    }
}

/// What happens seldom, counted by name.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// It happened once more.
    pub fn count(&self, name: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
    }

    /// All that happened.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How Prometheus ends the names of what it derives from others.
const DERIVED: [&str; 6] = ["_total", "_bucket", "_count", "_sum", "_info", "_created"];

/// A guest's own counters and gauges: as many as [`OwnMetrics::MOST`], under names of `[a-z][a-z0-9_]*`.
#[derive(Debug, Default)]
pub struct OwnMetrics(Mutex<BTreeMap<String, OwnMetric>>);

/// One of a guest's own metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OwnMetric {
    /// It only grows.
    Counter(u64),
    /// It is set.
    Gauge(f64),
}

impl OwnMetrics {
    /// How many there may be.
    pub const MOST: usize = 50;
    /// How long a name may be.
    pub const NAME_MOST: usize = 100;

    /// Adds to a counter; answers whether it was taken.
    pub fn add(&self, name: &str, amount: u64) -> bool {
        self.change(name, OwnMetric::Counter(0), |metric| match metric {
            OwnMetric::Counter(value) => {
                *value = value.saturating_add(amount);
                true
            }
            OwnMetric::Gauge(_) => false,
        })
    }

    /// Sets a gauge; answers whether it was taken.
    pub fn set(&self, name: &str, value: f64) -> bool {
        self.change(name, OwnMetric::Gauge(value), |metric| match metric {
            OwnMetric::Gauge(gauge) => {
                *gauge = value;
                true
            }
            OwnMetric::Counter(_) => false,
        })
    }

    /// All of them, by name.
    pub fn all(&self) -> BTreeMap<String, OwnMetric> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: &str, new: OwnMetric, change: impl FnOnce(&mut OwnMetric) -> bool) -> bool {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !metrics.contains_key(name) {
            let well_named = name.len() <= Self::NAME_MOST
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && !DERIVED.iter().any(|end| name.ends_with(end))
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !well_named || metrics.len() >= Self::MOST {
                return false;
            }
            metrics.insert(name.to_owned(), new);
        }
        metrics.get_mut(name).is_some_and(change)
    }
}

/// The memory of one instance: a share in what its meter shows, taken out of it when the instance is gone.
#[derive(Debug)]
pub struct InstanceMemory {
    meter: Arc<GuestMeter>,
    bytes: u64,
}

impl InstanceMemory {
    /// An instance that has no memory yet.
    pub fn new(meter: Arc<GuestMeter>) -> InstanceMemory {
        meter.instances.fetch_add(1, Ordering::Relaxed);
        InstanceMemory { meter, bytes: 0 }
    }

    /// What it has now, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes what it has now, in bytes.
    pub fn set(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let GuestMeter { memory_bytes, memory_peak_bytes, .. } = &*self.meter;
        if bytes < before {
            memory_bytes.fetch_sub(before - bytes, Ordering::Relaxed);
        } else {
            let grown = bytes - before;
            let together = memory_bytes.fetch_add(grown, Ordering::Relaxed) + grown;
            memory_peak_bytes.fetch_max(together, Ordering::Relaxed);
        }
    }
}

impl Drop for InstanceMemory {
    fn drop(&mut self) {
        self.set(0);
        self.meter.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_own_name_is_none_that_prometheus_would_take_for_another() {
        let own = OwnMetrics::default();
        assert!(own.add("files", 1) && own.set("depth", 0.5) && !own.set("files", 2.0), "each is one of both");
        for name in ["files_total", "depth_bucket", "a_count", "a_sum", "a_info", "a_created", "", "A", "9", "a-b"] {
            assert!(!own.add(name, 1), "{name}");
        }
        assert_eq!(own.all().len(), 2);
    }

    #[test]
    fn a_meter_shows_the_memory_of_all_its_instances_and_their_peak_together() {
        let meter = Arc::new(GuestMeter::default());
        let shown = || {
            let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
            (load(&meter.memory_bytes), load(&meter.memory_peak_bytes))
        };
        let mut task = InstanceMemory::new(meter.clone());
        let mut chain = InstanceMemory::new(meter.clone());
        task.set(10);
        chain.set(4);
        task.set(12);
        assert_eq!(shown(), (16, 16));
        chain.set(1);
        assert_eq!((shown(), chain.bytes()), ((13, 16), 1));
        drop(task);
        assert_eq!(shown(), (1, 16), "an instance that is gone has no memory");
        InstanceMemory::new(meter.clone()).set(9);
        assert_eq!(shown(), (1, 16), "the peak is what there was at one time");
        chain.set(20);
        assert_eq!(shown(), (20, 20));
    }
}
