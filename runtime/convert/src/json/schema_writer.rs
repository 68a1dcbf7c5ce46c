//! Pure. Schemas as the JSON envelope spells them.

use weir_data::{Schema, Type};

use super::writer;

/// Appends a schema. `defaults` holds the JSON of each node's default.
pub(crate) fn write(schema: &Schema, defaults: &[Option<Vec<u8>>], out: &mut Vec<u8>) {
    node(schema, 0, None, defaults, out);
}

fn node(schema: &Schema, at: u32, field: Option<&str>, defaults: &[Option<Vec<u8>>], out: &mut Vec<u8>) {
    let node_at = schema.node(at);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(match node_at.kind {
        Type::Int8 => b"int8",
        Type::Int16 => b"int16",
        Type::Int32 => b"int32",
        Type::Int64 => b"int64",
        Type::Float32 => b"float",
        Type::Float64 => b"double",
        Type::Boolean => b"boolean",
        Type::String => b"string",
        Type::Bytes => b"bytes",
        Type::Array(_) => b"array",
        Type::Map { .. } => b"map",
        Type::Struct(_) => b"struct",
    });
    out.push(b'"');
    match &node_at.kind {
        Type::Array(element) => {
            out.extend_from_slice(b",\"items\":");
            node(schema, *element, None, defaults, out);
        }
        Type::Map { key, value } => {
            out.extend_from_slice(b",\"keys\":");
            node(schema, *key, None, defaults, out);
            out.extend_from_slice(b",\"values\":");
            node(schema, *value, None, defaults, out);
        }
        Type::Struct(fields) => {
            out.extend_from_slice(b",\"fields\":[");
            for (position, field) in fields.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                node(schema, field.node, Some(&field.name), defaults, out);
            }
            out.push(b']');
        }
        _ => {}
    }
    out.extend_from_slice(if node_at.optional { b",\"optional\":true" } else { b",\"optional\":false" });
    if let Some(name) = &node_at.name {
        member(out, "name", name);
    }
    if let Some(version) = node_at.version {
        out.extend_from_slice(b",\"version\":");
        writer::integer(out, version.into());
    }
    if let Some(doc) = &node_at.doc {
        member(out, "doc", doc);
    }
    if !node_at.parameters.is_empty() {
        out.extend_from_slice(b",\"parameters\":{");
        for (position, (key, value)) in node_at.parameters.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            writer::string(out, key.as_bytes());
            out.push(b':');
            writer::string(out, value.as_bytes());
        }
        out.push(b'}');
    }
    if let Some(default) = &defaults[at as usize] {
        out.extend_from_slice(b",\"default\":");
        out.extend_from_slice(default);
    }
    if let Some(field) = field {
        member(out, "field", field);
    }
    out.push(b'}');
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    writer::string(out, name.as_bytes());
    out.push(b':');
    writer::string(out, value.as_bytes());
}
