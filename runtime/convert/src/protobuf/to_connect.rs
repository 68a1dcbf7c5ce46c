//! Pure. Connect's schema of a message, as ProtobufData.toConnectSchema makes it, with the plan by which records of it
//! become cells.

use std::collections::HashMap;

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value};
use weir_data::{Field, Node, Schema, Type, cbor, limits, logical};

use super::names::*;
use super::settings::DataSettings;

/// How one value is read.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// A number, or a boolean, of a kind of Protobuf's; of which so many bits are kept.
    Number(Kind, u32),
    Text,
    Bytes,
    /// The texts of symbols by their numbers, as CBOR.
    Symbol(HashMap<i32, Vec<u8>>),
    Message(Box<Message>),
    /// A message of one field that stands for its value, and what stands for the value that is not there.
    Wrapped(Box<Read>, Vec<u8>),
    /// A decimal of a scale.
    Decimal(i32),
    Date,
    Time,
    Timestamp,
}

/// How a field is read.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// One value, and what stands for one that is not there.
    One(Read, Vec<u8>),
    Many(Read),
    /// Entries, each a message of a key and a value.
    Entries(Box<(Read, Vec<u8>)>, Box<(Read, Vec<u8>)>),
    /// A struct of which one field is set.
    Union(Vec<Read>),
}

/// How a message is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// By the fields of the struct.
    pub(crate) slots: Vec<Slot>,
    /// By numbers: the slot, and the field in a union.
    pub(crate) by_number: HashMap<u32, (usize, usize)>,
}

/// A schema with its plan.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) schema: Schema,
    pub(crate) root: Read,
}

/// Connect's schema of a message; `version` is that of the registry.
pub(crate) fn readable(
    message: &MessageDescriptor,
    settings: &DataSettings,
    version: Option<i32>,
) -> Result<Readable, String> {
    let mut builder = Builder { settings, nodes: Vec::new(), inside: Vec::new() };
    let position = builder.push()?;
    let mut node = Node::new(Type::Boolean);
    let wrapper = wrapped(message).filter(|_| settings.wrapper_for_raw_primitives);
    let root = match wrapper {
        Some(field) => builder.wrapper(&field, &mut node)?,
        None => builder.message(message, &mut node)?,
    };
    node.version = version;
    builder.nodes[position] = node;
    let schema = Schema::new(builder.nodes).map_err(|bad| bad.to_string())?;
    Ok(Readable { schema, root })
}

/// The field of a message that is nothing but a wrapper of it.
pub(crate) fn wrapped(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let is_wrapper = message.package_name() == "google.protobuf" && message.name().ends_with("Value");
    let known = ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];
    let is_known = known.iter().any(|name| message.name().strip_suffix("Value") == Some(*name));
    if is_wrapper && is_known { message.get_field(1) } else { None }
}

struct Builder<'a> {
    settings: &'a DataSettings,
    nodes: Vec<Node>,
    /// The messages around.
    inside: Vec<String>,
}

impl Builder<'_> {
    fn push(&mut self) -> Result<usize, String> {
        if self.nodes.len() >= limits::NODES {
            return Err(format!("the schema has more than {} nodes once it is spelled out", limits::NODES));
        }
        self.nodes.push(Node::new(Type::Boolean));
        Ok(self.nodes.len() - 1)
    }

    fn message(&mut self, message: &MessageDescriptor, node: &mut Node) -> Result<Read, String> {
        let full = message.full_name();
        if self.inside.iter().any(|known| known == full) {
            return Err(format!(
                "the message {full} holds itself, which schemas of records cannot do here; replace the field that \
                 holds {full} again"
            ));
        }
        if self.inside.len() > limits::DEPTH {
            return Err(format!("nested deeper than {}", limits::DEPTH));
        }
        self.inside.push(full.to_owned());
        let mut made = Message::default();
        let mut fields = Vec::new();
        for (index, oneof) in message.oneofs().filter(|oneof| !oneof.is_synthetic()).enumerate() {
            let (name, position, read) = self.oneof(&oneof, index)?;
            for (sub, field) in oneof.fields().enumerate() {
                made.by_number.insert(field.number(), (made.slots.len(), sub));
            }
            made.slots.push(Slot::Union(read));
            fields.push(Field { name, node: position });
        }
        for field in in_order(message) {
            let proto3_optional = field.field_descriptor_proto().proto3_optional();
            if !proto3_optional && field.containing_oneof().is_some() {
                continue;
            }
            let (position, slot) = self.field(&field)?;
            made.by_number.insert(field.number(), (made.slots.len(), 0));
            made.slots.push(slot);
            fields.push(Field { name: field.name().to_owned(), node: position });
        }
        self.inside.pop();
        node.name = Some(if self.settings.enhanced { full } else { message.name() }.to_owned());
        node.kind = Type::Struct(fields);
        Ok(Read::Message(Box::new(made)))
    }

    fn oneof(&mut self, oneof: &OneofDescriptor, index: usize) -> Result<(String, u32, Vec<Read>), String> {
        let position = self.push()?;
        let mut fields = Vec::new();
        let mut read = Vec::new();
        for field in oneof.fields() {
            let (node, slot) = self.field(&field)?;
            let Slot::One(one, _) = slot else { return Err(format!("{} is repeated in a oneof", field.name())) };
            // All but one of them are null.
            self.nodes[node as usize].optional = true;
            read.push(one);
            fields.push(Field { name: field.name().to_owned(), node });
        }
        let name = if self.settings.enhanced { oneof.full_name() } else { oneof.name() };
        let named = Node::new(Type::Struct(fields)).named(&format!("{UNION}.{name}")).optional();
        self.nodes[position] = named;
        let field = match self.settings.index_for_unions {
            true => format!("{}_{index}", oneof.name()),
            false => oneof.name().to_owned(),
        };
        Ok((field, position as u32, read))
    }

    fn field(&mut self, field: &FieldDescriptor) -> Result<(u32, Slot), String> {
        let entry = entry(field);
        let repeated = field.is_list() && entry.is_none();
        let outer = self.push()?;
        let position = if repeated { self.push()? } else { outer };
        let mut node = Node::new(Type::Boolean);
        let slot = match entry {
            Some((key, value)) => {
                let full = if self.settings.enhanced { full_name(field) } else { String::new() };
                let name = map_field(&full, field);
                let (key, key_slot) = self.field(&key)?;
                let (value, value_slot) = self.field(&value)?;
                let (Slot::One(key_read, no_key), Slot::One(value_read, no_value)) = (key_slot, value_slot) else {
                    return Err(format!("the entries of {} have repeated fields", field.name()));
                };
                node.kind = Type::Map { key, value };
                node.name = Some(name);
                node.optional = true;
                Slot::Entries(Box::new((key_read, no_key)), Box::new((value_read, no_value)))
            }
            None => {
                let read = self.value(field, &mut node)?;
                if repeated { Slot::Many(read) } else { Slot::One(read, Vec::new()) }
            }
        };
        if repeated {
            node.optional = true;
            self.nodes[position] = node;
            node = Node::new(Type::Array(position as u32)).optional();
        }
        let settings = self.settings;
        if settings.optional_for_nullables {
            node.optional |= has_optional(field);
        } else if !settings.wrapper_for_nullables {
            node.optional = true;
        }
        node.parameters.push((TAG.into(), field.number().to_string()));
        let slot = match slot {
            Slot::One(read, _) => {
                let absent = absent(field, &read, &node, settings);
                Slot::One(read, absent)
            }
            other => other,
        };
        self.nodes[outer] = node;
        Ok((outer as u32, slot))
    }

    /// Sets the kind of a node to that of a field's values, and answers how they are read.
    fn value(&mut self, field: &FieldDescriptor, node: &mut Node) -> Result<Read, String> {
        let kind = field.kind();
        Ok(match &kind {
            Kind::Message(message) => {
                node.optional = true;
                let logical = |node: &mut Node, name: &str, kind: Type| {
                    *node = Node { version: Some(1), optional: true, ..Node::new(kind).named(name) };
                };
                match message.full_name() {
                    DECIMAL_TYPE => {
                        let params = params(field);
                        let number = |key: &str| params.get(key).and_then(|text| text.parse::<i32>().ok());
                        let scale = number("scale").unwrap_or(0);
                        logical(node, logical::DECIMAL, Type::Bytes);
                        node.parameters.push(("scale".into(), scale.to_string()));
                        if let Some(precision) = number("precision") {
                            node.parameters.push(("connect.decimal.precision".into(), precision.to_string()));
                        }
                        return Ok(Read::Decimal(scale));
                    }
                    DATE_TYPE => {
                        logical(node, logical::DATE, Type::Int32);
                        return Ok(Read::Date);
                    }
                    TIME_TYPE => {
                        logical(node, logical::TIME, Type::Int32);
                        return Ok(Read::Time);
                    }
                    TIMESTAMP_TYPE => {
                        logical(node, logical::TIMESTAMP, Type::Int64);
                        return Ok(Read::Timestamp);
                    }
                    _ => {}
                }
                match wrapped(message).filter(|_| self.settings.wrapper_for_nullables) {
                    Some(inner) => self.wrapper(&inner, node)?,
                    None => self.message(message, node)?,
                }
            }
            Kind::Enum(symbols) => {
                node.kind = if self.settings.int_for_enums { Type::Int32 } else { Type::String };
                node.optional = true;
                node.name = Some(if self.settings.enhanced { symbols.full_name() } else { symbols.name() }.to_owned());
                node.parameters.push((ENUM.into(), symbols.name().to_owned()));
                for symbol in symbols.values() {
                    node.parameters.push((format!("{ENUM}.{}", symbol.name()), symbol.number().to_string()));
                }
                if self.settings.int_for_enums {
                    return Ok(Read::Number(Kind::Int32, 32));
                }
                let text = |name: &str| {
                    let mut text = Vec::new();
                    cbor::text(&mut text, name.as_bytes());
                    text
                };
                let mut texts = HashMap::new();
                for symbol in symbols.values() {
                    texts.entry(symbol.number()).or_insert_with(|| text(symbol.name()));
                }
                Read::Symbol(texts)
            }
            Kind::String => {
                node.kind = Type::String;
                Read::Text
            }
            Kind::Bytes => {
                node.kind = Type::Bytes;
                Read::Bytes
            }
            number => {
                let (kind, bits) = match number {
                    Kind::Bool => (Type::Boolean, 64),
                    Kind::Float => (Type::Float32, 64),
                    Kind::Double => (Type::Float64, 64),
                    Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => match params(field).get("connect.type") {
                        Some(kind) if kind == "int8" => (Type::Int8, 8),
                        Some(kind) if kind == "int16" => (Type::Int16, 16),
                        _ => (Type::Int32, 32),
                    },
                    _ => (Type::Int64, 64),
                };
                let plain = matches!(number, Kind::Int32 | Kind::Int64 | Kind::Bool | Kind::Float | Kind::Double);
                if !plain && bits >= 32 {
                    node.parameters.push((TYPE.into(), format!("{number:?}").to_ascii_lowercase()));
                }
                node.kind = kind;
                Read::Number(kind_of(number), bits)
            }
        })
    }

    fn wrapper(&mut self, field: &FieldDescriptor, node: &mut Node) -> Result<Read, String> {
        let optional = node.optional;
        *node = Node::new(Type::Boolean);
        let read = self.value(field, node)?;
        node.parameters.clear();
        node.optional = optional;
        let absent = scalar_default(field, &read);
        Ok(Read::Wrapped(Box::new(read), absent))
    }
}

fn kind_of(kind: &Kind) -> Kind {
    kind.clone()
}

fn full_name(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        _ => String::new(),
    }
}

/// The fields of a message as they stand in its schema.
fn in_order(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let declared = &message.descriptor_proto().field;
    declared.iter().filter_map(|field| message.get_field(field.number() as u32)).collect()
}

/// The fields of a map's entries, where a field is one.
pub(crate) fn entry(field: &FieldDescriptor) -> Option<(FieldDescriptor, FieldDescriptor)> {
    let Kind::Message(message) = field.kind() else { return None };
    if field.cardinality() != Cardinality::Repeated || !message.name().ends_with("Entry") || message.fields().len() != 2
    {
        return None;
    }
    let (key, value) = (message.get_field_by_name("key")?, message.get_field_by_name("value")?);
    let repeated = |field: &FieldDescriptor| field.cardinality() == Cardinality::Repeated;
    if repeated(&key) || repeated(&value) { None } else { Some((key, value)) }
}

/// The name of a map: that of its entries, without the word, as fields are written.
fn map_field(full: &str, field: &FieldDescriptor) -> String {
    let name = match (full.is_empty(), field.kind()) {
        (true, Kind::Message(message)) => message.name().to_owned(),
        _ => full.to_owned(),
    };
    let name = name.strip_suffix("Entry").unwrap_or(&name).to_owned();
    let mut written = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 && !written.ends_with(['.', '_']) {
            written.push('_');
        }
        written.push(letter.to_ascii_lowercase());
    }
    written
}

fn has_optional(field: &FieldDescriptor) -> bool {
    let synthetic = field.field_descriptor_proto().proto3_optional();
    let proto2 = field.parent_file().syntax() == prost_reflect::Syntax::Proto2;
    synthetic || (proto2 && field.cardinality() == Cardinality::Optional && field.containing_oneof().is_none())
}

/// What stands for a value that is not there: null, or the default that Protobuf has for it.
fn absent(field: &FieldDescriptor, read: &Read, node: &Node, settings: &DataSettings) -> Vec<u8> {
    let is_optional =
        field.field_descriptor_proto().proto3_optional() || (settings.optional_for_proto2 && has_optional(field));
    if (is_optional && node.optional) || matches!(field.kind(), Kind::Message(_)) {
        return vec![cbor::NULL];
    }
    scalar_default(field, read)
}

fn scalar_default(field: &FieldDescriptor, read: &Read) -> Vec<u8> {
    let mut out = Vec::new();
    match field.default_value() {
        Value::Bool(value) => out.push(if value { cbor::TRUE } else { cbor::FALSE }),
        Value::I32(value) => cbor::integer(&mut out, value.into()),
        Value::I64(value) => cbor::integer(&mut out, value),
        Value::U32(value) => cbor::integer(&mut out, value.into()),
        Value::U64(value) => cbor::integer(&mut out, value as i64),
        Value::F32(value) => cbor::float32(&mut out, value),
        Value::F64(value) => cbor::float64(&mut out, value),
        Value::String(text) => cbor::text(&mut out, text.as_bytes()),
        Value::Bytes(bytes) => cbor::bytes(&mut out, &bytes),
        Value::EnumNumber(number) => match read {
            Read::Symbol(texts) => out.extend_from_slice(texts.get(&number).map_or(&[cbor::NULL], Vec::as_slice)),
            _ => cbor::integer(&mut out, number.into()),
        },
        Value::Message(_) | Value::List(_) | Value::Map(_) => out.push(cbor::NULL),
    }
    out
}

/// What Confluent's converters note of a field.
pub(crate) fn params(field: &FieldDescriptor) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let Some(extension) = field.parent_pool().get_extension_by_name("confluent.field_meta") else { return found };
    let options = field.options();
    let meta = options.get_extension(&extension);
    let Some(params) = meta.as_message().and_then(|meta| meta.get_field_by_name("params")) else { return found };
    for (key, value) in params.as_map().into_iter().flatten() {
        if let (Some(key), Some(value)) = (key.as_str(), value.as_str()) {
            found.insert(key.to_owned(), value.to_owned());
        }
    }
    found
}
