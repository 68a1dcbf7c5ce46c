//! The single owner of decisions about connectors.

mod asked;
mod assignor;
mod builder;
mod cluster_state;
mod distributed;
pub mod group_codec;
mod herd;
pub mod leader;
pub mod member;
mod membership;
mod metrics;
mod offsets;
mod place;
mod plan;
mod request;
mod running_set;
pub mod stage;
mod standalone;
mod validate;

pub use assignor::{IncrementalAssignor, Round, Told, eager};
pub use builder::{Builder, Failure};
pub use cluster_state::{Change, ClusterState, ConnectorRecord};
pub use distributed::{Distributed, GroupSettings};
pub use membership::{Membership, Told as MemberTold, Wish, membership};
pub use metrics::samples;
pub use offsets::{AlteredOffset, OffsetChange};
pub use plan::{Action, ConnectorSlot, Running, TaskSlot, plan};
pub use request::{Answer, ConnectorInfo, ConnectorStatus, Herder, HerderError, Put, Request, View};
pub use stage::{Stage, Stages};
pub use standalone::Standalone;
pub use validate::{Entry, Validation};
