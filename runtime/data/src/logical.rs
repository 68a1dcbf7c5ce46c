//! Pure. Connect's logical types, and Connect's names of the plain ones.

use crate::{Node, Type};

/// What values of a node mean beyond their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical {
    /// Nothing more.
    Plain,
    /// A decimal; none where the schema does not say its scale.
    Decimal(Option<i32>),
    /// Days since 1970.
    Date,
    /// Milliseconds since midnight.
    Time,
    /// Milliseconds since 1970.
    Timestamp,
}

/// The name of decimals.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// The name of dates.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// The name of times of day.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// The name of moments.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";

/// The logical type of a node: named so, and laid out so.
pub fn of(node: &Node) -> Logical {
    match (node.name.as_deref(), &node.kind) {
        (Some(DECIMAL), Type::Bytes) => {
            let scale = node.parameters.iter().find(|(key, _)| key == "scale");
            Logical::Decimal(scale.and_then(|(_, scale)| scale.parse().ok()))
        }
        (Some(DATE), Type::Int32) => Logical::Date,
        (Some(TIME), Type::Int32) => Logical::Time,
        (Some(TIMESTAMP), Type::Int64) => Logical::Timestamp,
        _ => Logical::Plain,
    }
}

/// A type's name in Connect's messages.
pub fn type_name(kind: &Type) -> &'static str {
    match kind {
        Type::Int8 => "INT8",
        Type::Int16 => "INT16",
        Type::Int32 => "INT32",
        Type::Int64 => "INT64",
        Type::Float32 => "FLOAT32",
        Type::Float64 => "FLOAT64",
        Type::Boolean => "BOOLEAN",
        Type::String => "STRING",
        Type::Bytes => "BYTES",
        Type::Array(_) => "ARRAY",
        Type::Map { .. } => "MAP",
        Type::Struct(_) => "STRUCT",
    }
}
