//! Core's ports over Kafka: topics, producers, consumers in groups, compacted logs, coordinators of worker groups.
#![deny(unsafe_code)]

mod broker;
mod checked;
mod clients;
mod consumer;
mod defaults;
mod errors;
#[cfg(test)]
mod fuzz;
mod log;
mod log_lines;
mod native;
mod producer;
pub mod properties;
mod rounds;
mod stores;
mod subscription;
mod topics;
mod transactions;
mod wire;

pub use broker::KafkaBroker;
pub use stores::Stores;
pub use wire::KafkaCoordinator;
