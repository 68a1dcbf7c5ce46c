//! The words, the decisions and the loops of a Connect worker. No wasmtime, no Kafka client, no HTTP.
//!
//! Layers, bottom up; a file imports its own layer and those before it: `model`, `settings`, `observe`, `port`,
//! `process`, `task`, `worker`, `store`, `plugin`, `access`, `herder`.
//! Beside them `contract`, behind a feature: what every implementation of a port must do.

#[cfg(feature = "contract")]
pub mod contract;
pub mod herder;
pub mod model;
pub mod observe;
pub mod plugin;
pub mod port;
pub mod process;
pub mod settings;
pub mod store;
pub mod task;
pub mod worker;
