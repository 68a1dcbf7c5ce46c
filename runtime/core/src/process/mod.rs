//! One batch's way: transformation chain, conversion, and what becomes of rows that fail: tried again, passed over,
//! reported.

mod chain;
mod conversion;
mod dead_letters;
mod error_context;
mod interleave;
mod letter;
mod passage;
mod reports;
mod retries;
mod stage;
mod tolerance;

pub use chain::{Chain, ChainFailure, ChainSegmentPlace, Gate, Passed};
pub use conversion::Converters;
pub use dead_letters::DeadLetters;
pub use error_context::consumed_at;
pub use interleave::interleave;
pub use letter::{Way, taken_back, way};
pub use passage::{Inbound, Outbound, Progress, Retries};
pub use reports::Reports;
pub use stage::{Stage, StageFault, failure};
pub use tolerance::{Judged, judge};
