//! Pure. Protobuf schemas out of their text and of those that they import.

use std::panic::{AssertUnwindSafe, catch_unwind};

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use weir_data::limits;

use crate::base64;

/// What the schema itself is called among those it imports.
const ITSELF: &str = "weir/schema.proto";

/// What every client knows without having to be told, beside Google's well-known types.
const KNOWN: [(&str, &str); 4] = [
    (
        "google/type/date.proto",
        "syntax = \"proto3\"; package google.type; \
         message Date { int32 year = 1; int32 month = 2; int32 day = 3; }",
    ),
    (
        "google/type/timeofday.proto",
        "syntax = \"proto3\"; package google.type; \
         message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }",
    ),
    (
        "confluent/meta.proto",
        "syntax = \"proto3\"; package confluent; import \"google/protobuf/descriptor.proto\"; \
         message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; } \
         extend google.protobuf.FileOptions { Meta file_meta = 1088; } \
         extend google.protobuf.MessageOptions { Meta message_meta = 1088; } \
         extend google.protobuf.FieldOptions { Meta field_meta = 1088; } \
         extend google.protobuf.EnumOptions { Meta enum_meta = 1088; } \
         extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }",
    ),
    (
        "confluent/type/decimal.proto",
        "syntax = \"proto3\"; package confluent.type; \
         message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
    ),
];

/// Reads a schema and those it imports, each by the name under which it is imported.
pub(crate) fn file(text: &str, references: &[(String, String)]) -> Result<FileDescriptor, String> {
    let bytes = text.len() + references.iter().map(|(_, text)| text.len()).sum::<usize>();
    if bytes > limits::SCHEMA_BYTES {
        return Err(format!("{bytes} bytes of schema are more than {}", limits::SCHEMA_BYTES));
    }
    // Google's types come in as they are imported: a schema may be one of them itself.
    let mut pool = DescriptorPool::new();
    add(&mut pool, parsed(ITSELF, text)?, references, &mut Vec::new())?;
    pool.get_file_by_name(ITSELF).ok_or_else(|| "the schema is not there".into())
}

fn parsed(name: &str, text: &str) -> Result<FileDescriptorProto, String> {
    if let Some(mut file) = serialized(text) {
        file.name = Some(name.to_owned());
        return Ok(file);
    }
    check_depth(text)?;
    protox_parse::parse(name, text).map_err(|error| format!("the schema cannot be read: {error}"))
}

fn add(
    pool: &mut DescriptorPool,
    file: FileDescriptorProto,
    references: &[(String, String)],
    around: &mut Vec<String>,
) -> Result<(), String> {
    let name = file.name().to_owned();
    if around.contains(&name) {
        return Err(format!("{name} imports itself"));
    }
    around.push(name.clone());
    for import in &file.dependency {
        if pool.get_file_by_name(import).is_some() {
            continue;
        }
        let given = references.iter().find(|(known, _)| known == import).map(|(_, text)| text.as_str());
        let known = KNOWN.iter().find(|(known, _)| known == import).map(|(_, text)| *text);
        let of_google = || DescriptorPool::global().get_file_by_name(import);
        let imported = match (given.or(known), of_google()) {
            (Some(text), _) => parsed(import, text)?,
            (None, Some(file)) => file.file_descriptor_proto().clone(),
            (None, None) => return Err(format!("{name} imports {import}, which is not among its references")),
        };
        add(pool, imported, references, around)?;
    }
    around.pop();
    let syntax = file.syntax.as_deref().unwrap_or("proto2");
    if !matches!(syntax, "" | "proto2" | "proto3") {
        return Err(format!("the schema is written in {syntax:?}; proto2 and proto3 are understood"));
    }
    // The crate panics where it would say what is wrong with a descriptor whose places it does not know.
    let added = catch_unwind(AssertUnwindSafe(|| pool.add_file_descriptor_proto(file)));
    let added = added.map_err(|_| "the schema makes no sense: its descriptors contradict themselves")?;
    added.map_err(|error| format!("the schema makes no sense: {error}"))
}

/// A schema that is a serialized descriptor in base64, as some clients register them.
fn serialized(text: &str) -> Option<FileDescriptorProto> {
    let mut bytes = Vec::new();
    base64::decode(text.trim().as_bytes(), &mut bytes)?;
    FileDescriptorProto::decode(&bytes[..]).ok()
}

/// That braces are not nested so deeply that reading them would take all of the stack.
fn check_depth(text: &str) -> Result<(), String> {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > limits::DEPTH { Err(format!("nested deeper than {}", limits::DEPTH)) } else { Ok(()) }
}

/// The message at a path of positions, which records begin with.
pub(crate) fn message(file: &FileDescriptor, path: &[usize]) -> Result<MessageDescriptor, String> {
    let missing = || format!("the schema has no message at {path:?}, which the record names");
    let (first, rest) = path.split_first().ok_or_else(missing)?;
    let mut found = file.messages().nth(*first).ok_or_else(missing)?;
    for position in rest {
        let inner = found.child_messages().nth(*position).ok_or_else(missing)?;
        found = inner;
    }
    Ok(found)
}

/// The path of positions of a message.
pub(crate) fn path(file: &FileDescriptor, wanted: &MessageDescriptor) -> Vec<usize> {
    let mut path = Vec::new();
    let mut at = Some(wanted.clone());
    while let Some(message) = at {
        let parent = message.parent_message();
        let position = match &parent {
            Some(parent) => parent.child_messages().position(|inner| inner == message),
            None => file.messages().position(|inner| inner == message),
        };
        path.push(position.unwrap_or_default());
        at = parent;
    }
    path.reverse();
    path
}
