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

/// A number that is set.
#[derive(Debug, Default)]
pub struct Reading(AtomicU64);

impl Reading {
    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a task counts of records that fail (Connect's group `task-error-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct ErrorCounts {
    /// `total-record-failures`: tries of a record that failed.
    pub failures: Counter,
    /// `total-record-errors`: records that failed for good.
    pub errors: Counter,
    /// `total-records-skipped`: records that were passed over.
    pub skipped: Counter,
    /// `total-retries`: records that were tried again.
    pub retries: Counter,
    /// `total-errors-logged`: lines that were written about them.
    pub logged: Counter,
    /// `deadletterqueue-produce-requests`: dead letters that were sent.
    pub letters: Counter,
    /// `deadletterqueue-produce-failures`: dead letters that could not be stored.
    pub letter_failures: Counter,
    /// `last-error-timestamp`: when a record failed last, in milliseconds since 1970; 0 for never.
    pub last_error: Reading,
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
