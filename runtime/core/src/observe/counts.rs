//! What tasks count while they run. Written by one task, read by whoever shows it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::TopicPartition;

use super::{COUNTED, HeldBack, Histogram, Stat};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, amount: u64) {
        if COUNTED {
            self.0.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that only grows, and how fast.
#[derive(Debug, Default)]
pub struct Meter {
    total: Counter,
    sampled: Stat,
}

impl Meter {
    /// Nothing yet, in samples of this length.
    pub fn new(sample: Duration) -> Meter {
        Meter { total: Counter::default(), sampled: Stat::new(sample) }
    }

    /// Adds.
    pub fn add(&self, amount: u64) {
        self.total.add(amount);
        self.sampled.record(amount as f64);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.total.get()
    }

    /// How much was added for each second of the window.
    pub fn rate(&self) -> f64 {
        self.sampled.rate()
    }

    /// How much was added at a time, on the average of the window.
    pub fn avg(&self) -> f64 {
        self.sampled.avg()
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

/// What every task counts (Connect's group `connector-task-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct TaskStats {
    /// `batch-size`: records of each batch.
    pub batch_size: Stat,
    /// `offset-commit-time`: milliseconds that each commit took that succeeded.
    pub commit_time: Stat,
    /// `offset-commit-…-percentage`: one for each attempt that succeeded, zero for one that failed.
    pub commit_attempts: Stat,
    /// How long each attempt took.
    pub commit_durations: Histogram,
    /// How long records took: until they are put, or from their poll until they are acknowledged.
    pub latency: Histogram,
    /// When the task takes no more, because what it has is not done with.
    pub held_back: HeldBack,
}

impl TaskStats {
    fn new(sample: Duration) -> TaskStats {
        let stat = || Stat::new(sample);
        TaskStats {
            batch_size: stat(),
            commit_time: stat(),
            commit_attempts: stat(),
            held_back: HeldBack::new(sample),
            ..TaskStats::default()
        }
    }

    /// A commit was tried, for this long.
    pub fn committed(&self, took: Duration, success: bool) {
        self.commit_attempts.record(f64::from(u8::from(success)));
        self.commit_durations.observe(took);
        if success {
            self.commit_time.record_time(took);
        }
    }
}

/// What a source task counts (Connect's group `source-task-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct SourceTaskCounts {
    /// What every task counts.
    pub task: TaskStats,
    /// `source-record-poll`: records that the task brought.
    pub polled: Meter,
    /// `source-record-write`: records that are in their topics.
    pub written: Meter,
    /// `poll-batch-time`: milliseconds of each poll that brought records.
    pub poll_time: Stat,
    /// `source-record-active-count`: records that were polled and are neither in their topics nor dropped.
    pub active: Reading,
    /// The same after each change.
    pub actives: Stat,
    /// `transaction-size`: records of each transaction that was committed.
    pub transaction_size: Stat,
    /// Records that transformations filtered.
    pub filtered: Counter,
    /// Bytes that were sent and are not answered.
    pub unanswered_bytes: Reading,
}

impl SourceTaskCounts {
    /// Nothing yet, in samples of this length.
    pub fn new(sample: Duration) -> SourceTaskCounts {
        let stat = || Stat::new(sample);
        SourceTaskCounts {
            task: TaskStats::new(sample),
            polled: Meter::new(sample),
            written: Meter::new(sample),
            poll_time: stat(),
            actives: stat(),
            transaction_size: stat(),
            ..SourceTaskCounts::default()
        }
    }

    /// A poll brought records.
    pub fn polled(&self, rows: usize, took: Duration) {
        self.polled.add(rows as u64);
        self.task.batch_size.record(rows as f64);
        self.poll_time.record_time(took);
        self.set_active(self.active.get() + rows as u64);
    }

    /// Records are in their topics.
    pub fn written(&self, rows: u64) {
        if rows > 0 {
            self.written.add(rows);
        }
    }

    /// Records are done with, in their topics or not.
    pub fn done(&self, rows: u64) {
        if rows > 0 {
            self.set_active(self.active.get().saturating_sub(rows));
        }
    }

    /// Nothing is on its way any more.
    pub fn ended(&self) {
        self.active.set(0);
        self.unanswered_bytes.set(0);
        self.task.held_back.set(false);
    }

    fn set_active(&self, rows: u64) {
        self.active.set(rows);
        self.actives.record(rows as f64);
    }
}

/// What a sink task counts (Connect's group `sink-task-metrics`, by its attribute names).
#[derive(Debug, Default)]
pub struct SinkTaskCounts {
    /// What every task counts.
    pub task: TaskStats,
    /// `sink-record-read`: records that were read from topics.
    pub read: Meter,
    /// `sink-record-send`: records that the task took.
    pub sent: Meter,
    /// `put-batch-time`: milliseconds of each put that succeeded, those of nothing among them.
    pub put_time: Stat,
    /// Batches that the task asked to be offered again.
    pub retried: Counter,
    /// `offset-commit-seq-no`: commits that were begun.
    pub commit_seq_no: Counter,
    /// `offset-commit-completion`: commits that were carried out, those of nothing new among them.
    pub commits: Meter,
    /// `offset-commit-skip`: commits that were given up, because the worker was no member of its group.
    pub commit_skips: Meter,
    /// `partition-count`
    pub partitions: Reading,
    /// `sink-record-active-count`: records that were read and whose offsets are not committed.
    pub active: Reading,
    /// The same after each change.
    pub actives: Stat,
    /// `sink-record-lag-max`: the same of the partition that has the most.
    pub active_most: Reading,
    /// How many records of each partition are behind the last one that was read.
    pub lags: Lags,
}

impl SinkTaskCounts {
    /// Nothing yet, in samples of this length.
    pub fn new(sample: Duration) -> SinkTaskCounts {
        let stat = || Stat::new(sample);
        SinkTaskCounts {
            task: TaskStats::new(sample),
            read: Meter::new(sample),
            sent: Meter::new(sample),
            put_time: stat(),
            commits: Meter::new(sample),
            commit_skips: Meter::new(sample),
            actives: stat(),
            ..SinkTaskCounts::default()
        }
    }

    /// A put took records.
    pub fn put(&self, rows: u64, took: Duration) {
        self.sent.add(rows);
        self.task.batch_size.record(rows as f64);
        self.put_time.record_time(took);
    }

    /// A commit that was begun has ended.
    pub fn committed(&self, took: Duration, success: bool) {
        self.task.committed(took, success);
        if success {
            self.commits.add(1);
        }
    }

    /// The task has no partitions any more.
    pub fn ended(&self) {
        self.partitions.set(0);
        self.lags.set(Vec::new());
        self.task.held_back.set(false);
    }

    /// So many records of all partitions, and of the one that has the most, are not committed.
    pub fn set_active(&self, all: u64, most: u64) {
        self.active.set(all);
        self.active_most.set(most);
        self.actives.record(all as f64);
    }
}

/// How far a task is behind the ends of its partitions. Changed once in a while, not with each batch.
#[derive(Debug, Default)]
pub struct Lags(Mutex<Vec<(TopicPartition, u64)>>);

impl Lags {
    /// Sets all of them.
    pub fn set(&self, lags: Vec<(TopicPartition, u64)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }

    /// All of them.
    pub fn get(&self) -> Vec<(TopicPartition, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
