//! Core's broker ports over Kafka: topics, producers, consumers in groups, compacted logs.
#![deny(unsafe_code)]

mod broker;
mod consumer;
mod defaults;
mod errors;
mod log;
mod log_lines;
mod native;
mod pattern;
mod producer;
pub mod properties;
mod subscription;

pub use broker::KafkaBroker;
