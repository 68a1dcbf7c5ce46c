//! Converters between a topic's bytes and weir's cells, with the names, settings and answers of Connect's own.

mod base64;
mod byte_array;
mod decimal;
mod header;
pub mod java_text;
mod json;
mod logical;
mod plain;
mod registry;
mod rows;
mod settings;
mod string;

pub use plain::plain_schema;
pub use registry::{CLASSES, ConverterClass, Role, converter};
