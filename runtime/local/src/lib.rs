//! Core's broker ports over an embedded store: topics, groups and logs inside the process, on disk or in memory.

mod admin;
mod assignment;
mod catalog;
mod client;
mod codec;
mod commit;
mod compaction;
mod consumer;
mod coordinator;
mod exchange;
#[cfg(test)]
mod fuzz;
mod group;
mod groups;
mod local;
mod lock;
mod log;
mod murmur2;
mod partitioner;
mod producer;
mod read;
mod reader;
mod retention;
mod rows;
mod server;
mod settings;
mod socket;
mod store;
mod topic_config;
mod transactions;
mod upkeep;
mod writer;

pub use admin::{Outcomes, PartitionDetails, TopicAdmin, TopicDetails};
pub use client::LocalClient;
pub use coordinator::{MemoryCoordinator, WorkerGroups};
pub use local::Local;
pub use server::Server;
pub use settings::{Clock, Settings};
pub use store::Place;
