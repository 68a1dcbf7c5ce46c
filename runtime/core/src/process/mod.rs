//! One batch's way: transformation chain, conversion, and what a failed row means.

mod chain;
mod conversion;
mod interleave;
mod stage;

pub use chain::{Chain, ChainSegmentPlace, Chained, Gate};
pub use conversion::Converters;
pub use interleave::interleave;
pub use stage::{Stage, StageFault, failure, first_failed};
