//! Core's broker ports over an embedded store: topics, groups and logs inside the process, on disk or in memory.

mod assignment;
mod catalog;
mod codec;
mod commit;
mod compaction;
mod consumer;
mod group;
mod groups;
mod local;
mod lock;
mod log;
mod murmur2;
mod partitioner;
mod pattern;
mod producer;
mod read;
mod retention;
mod rows;
mod settings;
mod store;
mod topic_config;
mod upkeep;
mod writer;

pub use local::Local;
pub use settings::{Clock, Settings};
pub use store::Place;
