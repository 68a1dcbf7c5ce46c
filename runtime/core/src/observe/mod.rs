//! What is counted and shown: metric names and meanings, what tasks and instances count.

pub mod client_table;
mod counts;
mod group;
mod held_back;
mod histogram;
mod meter;
mod metric;
mod naming;
mod sampled_stat;
mod stat;
mod states;
pub mod table;
mod tasks;

/// Whether anything is counted: not in the build that `make bench` compares with, to say what counting costs.
pub const COUNTED: bool = !cfg!(feature = "uncounted");

pub use counts::{Counter, ErrorCounts, Lags, Meter, Reading, SinkTaskCounts, SourceTaskCounts, TaskStats};
pub use group::{ClientStats, GroupNow, GroupStats, Moment, Timed, Traffic};
pub use held_back::HeldBack;
pub use histogram::{BOUNDS, Histogram, Observed};
pub use meter::{Calls, Crossed, GuestMeter, InstanceMemory, OwnMetric, OwnMetrics, Tally};
pub use metric::{Kind, Labels, Metric, Sample, Samples, Value, labels};
pub use naming::{Name, names};
pub use sampled_stat::SampledStat;
pub use stat::Stat;
pub use states::{StateTracker, TaskPhase};
pub use tasks::{MadeTask, ObservedTask, Part, Shown, Startups, TaskCounts, Tasks};
