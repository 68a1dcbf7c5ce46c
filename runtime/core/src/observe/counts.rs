//! What tasks count while they run. Written by one task, read by whoever shows it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a source task counts (Connect's group `source-task-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct SourceTaskCounts {
    /// `source-record-poll-total`: records that the task brought.
    pub polled: Counter,
    /// `source-record-write-total`: records that are in their topics.
    pub written: Counter,
    /// Records that transformations filtered.
    pub filtered: Counter,
    /// `offset-commit` attempts that succeeded.
    pub commits: Counter,
    /// `offset-commit` attempts that failed.
    pub commit_failures: Counter,
}

/// What a sink task counts (Connect's group `sink-task-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct SinkTaskCounts {
    /// `sink-record-read-total`: records that were read from topics.
    pub read: Counter,
    /// `sink-record-send-total`: records that the task took.
    pub sent: Counter,
    /// Batches that the task asked to be offered again.
    pub retried: Counter,
    /// `offset-commit-completion-total`: commits that were carried out.
    pub commits: Counter,
    /// `offset-commit` attempts that failed.
    pub commit_failures: Counter,
}
