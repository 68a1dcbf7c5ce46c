//! The seams: what core asks of the crates around it.

mod broker;
mod config_provider;
mod converter;
mod log;
mod loggers;
mod membership;
mod peers;
mod plugin;
mod plugin_store;
mod secrets;

pub use broker::{
    Broker, BrokerError, ClientSettings, Consumer, Created, NewTopic, Polled as ConsumerPolled, Producer, Sent, Ticket,
    TopicDescription, TransactionalProducer,
};
pub use config_provider::{ConfigProviders, LookupError, NoConfigProviders};
pub use converter::{Converted, Converter, ConverterFactory, Serialized, TopicColumn};
pub use log::{CompactedLog, LogEntry, LogReader, LogRecord, StoreError};
pub use loggers::{LoggerLevel, Loggers, NoLevel};
pub use membership::{Coordinator, Joined, MemberId, Refused, Session};
pub use peers::{Peers, SessionKey};
pub use plugin::{
    ChainSegment, Compilation, Component, ConnectorKind, Context, ErrantReporter, Instance, OffsetCopies, OffsetReader,
    OffsetWriter, Offsets, Plugins, SinkDelivery, SinkRecords, SinkRetry, SinkTask, SourceTask, Step, StepGuard,
    SupportOf, Transformations, Transformed, Wish,
};
pub use plugin_store::PluginStore;
pub use secrets::Secrets;
