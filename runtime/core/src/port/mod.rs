//! The seams: what core asks of the crates around it.

mod converter;
mod plugin;

pub use converter::{Converted, Converter, Serialized, TopicColumn};
pub use plugin::{
    ChainSegment, Component, ConnectorKind, Context, GuestMeter, Instance, Limits, OffsetReader, Plugins, SinkDelivery,
    SinkRecords, SinkRetry, SinkTask, SourceTask, Step, StepGuard, Transformations, Transformed, Wish,
};
