//! Converters between a topic's bytes and weir's cells, with the names, settings and answers of Connect's own.

mod avro;
mod byte_array;
#[cfg(test)]
mod carried;
#[cfg(test)]
mod fuzz;
mod header;
mod java_class;
mod json;
mod json_schema;
mod plain;
mod primitive;
mod protobuf;
mod registry;
mod rows;
mod schema_registry;
mod settings;
mod string;

use weir_data::{base64, decimal, logical};

pub use plain::plain_schema;
pub use registry::{CLASSES, ConverterClass, Role, converter};
pub use schema_registry::{Http, HttpSettings};
pub use weir_data::java_text;

#[cfg(test)]
extern crate self as weir_convert;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
