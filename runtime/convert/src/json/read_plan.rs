//! Pure. What reading JSON by a schema needs to know of each node, prepared once a schema.

use std::collections::HashMap;

use weir_data::cbor;
use weir_data::{Node, Schema, Type};

use super::dialect::{Dialect, Entries};
use crate::logical::{self, Logical};

/// Fields from which on names are looked up in a map.
const MANY_FIELDS: usize = 16;

/// A schema prepared for reading.
pub(crate) struct ReadPlan {
    /// By the positions of the schema's nodes.
    pub(crate) nodes: Vec<ReadNode>,
}

/// A node prepared for reading.
pub(crate) struct ReadNode {
    /// Its layout.
    pub(crate) kind: ReadKind,
    /// Connect's name of its type.
    pub(crate) type_name: &'static str,
    /// What it means.
    pub(crate) logical: Logical,
    /// What null becomes; none where null is not allowed.
    pub(crate) null: Option<Vec<u8>>,
    /// Whether null is a value.
    pub(crate) optional: bool,
}

/// The layout of a node.
pub(crate) enum ReadKind {
    /// An integer of so many bits.
    Integer(u32),
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    /// With the position of the elements' node.
    Array(usize),
    /// A map, and how its entries stand in JSON.
    Map {
        key: usize,
        value: usize,
        entries: Entries,
    },
    Struct(ReadFields),
    /// A struct of which the field is set that fits the value.
    OneOf(Vec<usize>),
}

/// The fields of a struct prepared for reading.
pub(crate) struct ReadFields {
    /// In order.
    pub(crate) list: Vec<ReadField>,
    by_name: Option<HashMap<Box<[u8]>, usize>>,
}

/// A field prepared for reading.
pub(crate) struct ReadField {
    /// Its name with quotes and the colon behind it, as they mostly stand in JSON; empty where they never do.
    pub(crate) quoted: Vec<u8>,
    /// Its name.
    pub(crate) name: String,
    /// The position of its node.
    pub(crate) node: usize,
}

impl ReadFields {
    /// The position of a field.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        match &self.by_name {
            Some(by_name) => by_name.get(name).copied(),
            None => self.list.iter().position(|field| cbor::same(field.name.as_bytes(), name)),
        }
    }
}

impl ReadPlan {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Schema, replace_null_with_default: bool, dialect: Dialect) -> ReadPlan {
        let nodes = schema.nodes().iter().map(|node| ReadNode {
            kind: kind(schema, node, dialect),
            type_name: logical::type_name(&node.kind),
            logical: logical::of(node),
            null: match &node.default {
                Some(default) if replace_null_with_default => Some(default.clone()),
                _ => node.optional.then(|| vec![cbor::NULL]),
            },
            optional: node.optional,
        });
        ReadPlan { nodes: nodes.collect() }
    }
}

fn kind(schema: &Schema, node: &Node, dialect: Dialect) -> ReadKind {
    match &node.kind {
        Type::Struct(fields) if dialect.is_union(node) => {
            ReadKind::OneOf(fields.iter().map(|field| field.node as usize).collect())
        }
        Type::Int8 => ReadKind::Integer(8),
        Type::Int16 => ReadKind::Integer(16),
        Type::Int32 => ReadKind::Integer(32),
        Type::Int64 => ReadKind::Integer(64),
        Type::Float32 => ReadKind::Float32,
        Type::Float64 => ReadKind::Float64,
        Type::Boolean => ReadKind::Boolean,
        Type::String => ReadKind::String,
        Type::Bytes => ReadKind::Bytes,
        Type::Array(element) => ReadKind::Array(*element as usize),
        Type::Map { key, value } => {
            ReadKind::Map { key: *key as usize, value: *value as usize, entries: dialect.entries(schema.node(*key)) }
        }
        Type::Struct(fields) => {
            let list: Vec<ReadField> = fields
                .iter()
                .map(|field| {
                    let plain = field.name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
                    let quoted = if plain { format!("\"{}\":", field.name).into_bytes() } else { Vec::new() };
                    ReadField { quoted, name: field.name.clone(), node: field.node as usize }
                })
                .collect();
            let by_name = (list.len() >= MANY_FIELDS).then(|| {
                let names = list.iter().enumerate();
                names.map(|(at, field)| (field.name.clone().into_bytes().into_boxed_slice(), at)).collect()
            });
            ReadKind::Struct(ReadFields { list, by_name })
        }
    }
}
