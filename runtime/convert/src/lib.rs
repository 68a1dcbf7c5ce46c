//! Converters between a topic's bytes and weir's cells, with the names, settings and answers of Connect's own.

mod byte_array;
mod header;
mod java_class;
mod json;
mod plain;
mod primitive;
mod registry;
mod rows;
mod settings;
mod string;

use weir_data::{base64, decimal, logical};

pub use plain::plain_schema;
pub use registry::{CLASSES, ConverterClass, Role, converter};
pub use weir_data::java_text;
