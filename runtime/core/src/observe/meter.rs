//! What an instance uses: calls, CPU time, memory, and a guest's own counters and gauges.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What an instance has used, counted while it runs. Shared by the instance and whoever shows it.
#[derive(Debug, Default)]
pub struct GuestMeter {
    /// Calls into the guest.
    pub calls: AtomicU64,
    /// CPU time inside calls, host functions included, in nanoseconds.
    pub cpu_nanos: AtomicU64,
    /// Linear memory and tables now, in bytes.
    pub memory_bytes: AtomicU64,
    /// The most of it so far, in bytes.
    pub memory_peak_bytes: AtomicU64,
    /// Time calls waited to be admitted, in nanoseconds.
    pub admission_nanos: AtomicU64,
    /// Log lines that were dropped.
    pub log_lines_dropped: AtomicU64,
    /// The guest's own counters and gauges.
    pub own: OwnMetrics,
}

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
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !well_named || metrics.len() >= Self::MOST {
                return false;
            }
            metrics.insert(name.to_owned(), new);
        }
        metrics.get_mut(name).is_some_and(change)
    }
}

impl GuestMeter {
    /// Notes the memory in use now.
    pub fn memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
        self.memory_peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }
}
