//! The single owner of decisions about connectors.

mod builder;
mod cluster_state;
mod standalone;
mod statuses;

pub use builder::{Builder, Failure};
pub use cluster_state::{Change, ClusterState, ConnectorRecord};
pub use standalone::{Request, Standalone};
pub use statuses::StatusBoard;
