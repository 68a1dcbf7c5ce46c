//! The single owner of decisions about connectors.

mod assignor;
mod builder;
mod cluster_state;
pub mod group_codec;
pub mod leader;
pub mod member;
mod membership;
mod metrics;
mod plan;
mod request;
mod running_set;
mod standalone;
mod validate;

pub use assignor::{IncrementalAssignor, Round, Told, eager};
pub use builder::{Builder, Failure};
pub use cluster_state::{Change, ClusterState, ConnectorRecord};
pub use membership::{Membership, Session, Told as MemberTold, Wish, membership};
pub use metrics::samples;
pub use plan::{Action, ConnectorSlot, Running, TaskSlot, plan};
pub use request::{Answer, ConnectorInfo, ConnectorStatus, Herder, HerderError, Put, Request, View};
pub use standalone::Standalone;
pub use validate::{Entry, Validation};
