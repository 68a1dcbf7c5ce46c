//! Pure. The Java classes of values, which Connect's messages name.

use weir_data::cbor::{self, Head, major};
use weir_data::{Node, Type};

use crate::logical::{self, Logical};

/// The class of a value under a schema.
pub(crate) fn of_node(node: &Node) -> &'static str {
    match (logical::of(node), &node.kind) {
        (Logical::Decimal(_), _) => "java.math.BigDecimal",
        (Logical::Date | Logical::Time | Logical::Timestamp, _) => "java.util.Date",
        (Logical::Plain, Type::Int8) => "java.lang.Byte",
        (Logical::Plain, Type::Int16) => "java.lang.Short",
        (Logical::Plain, Type::Int32) => "java.lang.Integer",
        (Logical::Plain, Type::Int64) => "java.lang.Long",
        (Logical::Plain, Type::Float32) => "java.lang.Float",
        (Logical::Plain, Type::Float64) => "java.lang.Double",
        (Logical::Plain, Type::Boolean) => "java.lang.Boolean",
        (Logical::Plain, Type::String) => "java.lang.String",
        (Logical::Plain, Type::Bytes) => "[B",
        (Logical::Plain, Type::Array(_)) => "java.util.ArrayList",
        (Logical::Plain, Type::Map { .. }) => "java.util.HashMap",
        (Logical::Plain, Type::Struct(_)) => "org.apache.kafka.connect.data.Struct",
    }
}

/// The class of a value without schema. Cells do not tell the widths of integers.
pub(crate) fn of_head(head: &Head) -> &'static str {
    match (head.major, head.first) {
        (major::TEXT, _) => "java.lang.String",
        (major::BYTES, _) => "[B",
        (major::UNSIGNED | major::NEGATIVE, _) => "java.lang.Long",
        (major::ARRAY, _) => "java.util.ArrayList",
        (major::MAP, _) => "java.util.HashMap",
        (_, cbor::FLOAT32) => "java.lang.Float",
        (_, cbor::FLOAT64) => "java.lang.Double",
        _ => "java.lang.Boolean",
    }
}
