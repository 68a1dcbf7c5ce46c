//! All of weir but its commit: the command line, the wiring, REST.

mod command;
mod config_providers;
mod connector_file;
mod converters;
mod ground;
mod joining;
mod listening;
mod log_lines;
mod logging;
mod offset_file;
mod peers;
mod plugins;
mod readiness;
mod registry_http;
mod rest;
mod tls;
mod topic;
mod upload_body;
mod upload_dir;
mod uploads;
mod worker;

pub use command::main;

/// librdkafka's too: it takes a record on one thread and the task gives it back on another, for which glibc's waits.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The Connect version whose API is served: clients switch features on by it. What comes with Connect has it too.
const CONNECT_VERSION: &str = "4.3.1";
