//! The single owner of decisions about connectors.

mod standalone;
mod statuses;

pub use standalone::{Request, Standalone};
pub use statuses::StatusBoard;
