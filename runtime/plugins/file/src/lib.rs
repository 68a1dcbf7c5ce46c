//! Lines of files into topics, and values of records as lines into files: Connect's FileStream connectors.

mod disk;
mod follow;
mod lines;
mod position;
mod rendered;
mod sink;
mod source;

pub use sink::{FileSink, FileSinkTask};
pub use source::{FileSource, FileSourceTask};

/// The version of Kafka whose connectors these are: clients see what they replace.
const KAFKA: &str = "4.3.1";

weir_sdk::export!(sources: [FileSource], sinks: [FileSink]);
