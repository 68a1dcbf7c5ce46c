//! The words: ids, schemas, records in columns, offsets, configuration definitions, faults.

mod assignment;
mod batch;
mod client;
mod config_def;
mod fault;
mod grant;
mod ids;
mod limits;
mod parts;
mod pattern;
mod plugin;
mod schema;
mod source;
mod version;

pub use assignment::{Assignment, GroupProtocol, MemberState, Work};
pub use batch::{BatchTables, RawHeaders, RawRecords, Records, TimestampType};
pub use client::ClientKind;
pub use config_def::{
    ConfigKey, ConfigType, DefaultValue, EndpointKind, GrantKind, Importance, PathAccess, Recommendation, Validator,
    Width,
};
pub use fault::{Fault, Limit, Problem, RowFault};
pub use grant::{Ceilings, Endpoint, Grants, PathGrant, only_by_address};
pub use ids::{Position, TaskId, TopicPartition};
pub use limits::Limits;
pub use parts::{ConverterRole, Subscription};
pub use pattern::Pattern;
pub use plugin::{Class, ClassKind, OptionalCalls, Parts, Refusal, StepParts};
pub use schema::SchemaHandle;
pub use source::{Acknowledgements, Boundary, BoundaryKind, Polled, SourceOffset, Support};
pub use version::{VersionRange, compare_versions};

/// A connector's or task's configuration as text, in the order of its keys.
pub type Config = std::collections::BTreeMap<String, String>;
