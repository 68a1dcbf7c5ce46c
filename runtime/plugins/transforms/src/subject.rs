//! Pure. Which half of a record a class works on, and what Java calls what it finds there.

use weir_data::cbor::{self, major};
use weir_data::logical::{self, Logical};
use weir_data::{Schema, Type};
use weir_sdk::fields::{Layout, Side};
use weir_sdk::prelude::*;

use crate::naming;

/// The two classes that Connect makes of one transformation.
pub trait Half: 'static {
    /// The key or the value.
    const SIDE: Side;
    /// The class's last name.
    const NAME: &'static str;
    /// What it reads and writes.
    const PART: Parts;
}

/// On keys.
pub struct OfKey;

/// On values.
pub struct OfValue;

impl Half for OfKey {
    const SIDE: Side = Side::Key;
    const NAME: &'static str = "Key";
    const PART: Parts = Parts::KEY;
}

impl Half for OfValue {
    const SIDE: Side = Side::Value;
    const NAME: &'static str = "Value";
    const PART: Parts = Parts::VALUE;
}

/// The class of a transformation's half, with the sentence that sends readers to the other.
pub fn class<H: Half>(name: &str, doc: &str) -> Class {
    let apache = format!("org.apache.kafka.connect.transforms.{name}");
    naming::transformation(&format!("{name}${}", H::NAME)).doc(&format!(
        "{doc}<p/>Use the concrete transformation type designed for the record key (<code>{apache}$Key</code>) or value \
         (<code>{apache}$Value</code>)."
    ))
}

/// The key that says whether null in fields with a default counts as the default.
pub fn replace_null_with_default() -> weir_sdk::Key {
    weir_sdk::Key::boolean("replace.null.with.default").default(true).doc(
        "Whether to replace fields that have a default value and that are null to the default value. When set to true, \
         the default value is used, otherwise null is used.",
    )
}

/// That there are fields to work on.
pub fn require_fields(layout: &Layout<'_>, purpose: &str) -> Result<()> {
    if layout.is_fields() {
        return Ok(());
    }
    let found = match (layout.schema(), layout.cell()) {
        (_, None) => "null",
        (Some(schema), Some(_)) => class_of_schema(schema),
        (None, Some(cell)) => class_of_cell(cell),
    };
    Err(Error::data(if layout.has_schema() {
        format!("Only Struct objects supported for [{purpose}], found: {found}")
    } else {
        format!("Only Map objects supported in absence of schema for [{purpose}], found: {found}")
    }))
}

/// Java's class of values under a schema.
pub fn class_of_schema(schema: &Schema) -> &'static str {
    let root = schema.root();
    match logical::of(root) {
        Logical::Decimal(_) => return "java.math.BigDecimal",
        Logical::Date | Logical::Time | Logical::Timestamp => return "java.util.Date",
        Logical::Plain => {}
    }
    match root.kind {
        Type::Int8 => "java.lang.Byte",
        Type::Int16 => "java.lang.Short",
        Type::Int32 => "java.lang.Integer",
        Type::Int64 => "java.lang.Long",
        Type::Float32 => "java.lang.Float",
        Type::Float64 => "java.lang.Double",
        Type::Boolean => "java.lang.Boolean",
        Type::String => "java.lang.String",
        Type::Bytes => "[B",
        Type::Array(_) => "java.util.ArrayList",
        Type::Map { .. } => "java.util.HashMap",
        Type::Struct(_) => "org.apache.kafka.connect.data.Struct",
    }
}

/// Java's class of a value without schema, as Connect's converters make them.
pub fn class_of_cell(cell: &[u8]) -> &'static str {
    match cell.first().map(|first| (first >> 5, *first)) {
        Some((major::UNSIGNED | major::NEGATIVE, _)) => "java.lang.Long",
        Some((major::BYTES, _)) => "[B",
        Some((major::TEXT, _)) => "java.lang.String",
        Some((major::ARRAY, _)) => "java.util.ArrayList",
        Some((major::MAP, _)) => "java.util.HashMap",
        Some((_, cbor::FALSE | cbor::TRUE)) => "java.lang.Boolean",
        Some((_, cbor::FLOAT32)) => "java.lang.Float",
        Some((_, cbor::FLOAT64)) => "java.lang.Double",
        _ => "null",
    }
}
