//! What is counted and shown: metric names and meanings, what tasks and instances count.

mod counts;
mod meter;
mod metrics;
mod tasks;

pub use counts::{Counter, ErrorCounts, Reading, SinkTaskCounts, SourceTaskCounts};
pub use meter::{GuestMeter, InstanceMemory, OwnMetric, OwnMetrics};
pub use metrics::{Kind, Metric, Sample, table};
pub use tasks::{ObservedTask, TaskCounts, Tasks};
