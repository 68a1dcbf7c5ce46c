//! Pure. The JSON of an Avro schema, with its members in the order in which Avro's own library writes them: registries
//! tell schemas apart by their text.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::schema::{AvroNode, AvroSchema, AvroType, Name};

/// The JSON text of a schema.
pub(crate) fn text(schema: &AvroSchema) -> String {
    let mut printer = Printer { schema, space: None, defined: HashSet::new() };
    printer.node(schema.root).to_string()
}

struct Printer<'a> {
    schema: &'a AvroSchema,
    /// The namespace around.
    space: Option<String>,
    /// Named types that have been written.
    defined: HashSet<String>,
}

impl Printer<'_> {
    fn node(&mut self, at: u32) -> Json {
        let schema = self.schema;
        let node = schema.node(at);
        let mut object = Map::new();
        if let AvroType::Union(branches) = &node.kind {
            return branches.iter().map(|&branch| self.node(branch)).collect();
        }
        if let Some(name) = &node.name {
            // As Avro's library from 1.12 on, which goes by the name alone.
            if !self.defined.insert(name.full()) {
                let local = name.namespace.is_none() || name.namespace == self.space;
                return Json::String(if local { name.name.clone() } else { name.full() });
            }
            return self.named(node, name);
        }
        if node.props.is_empty() && !matches!(node.kind, AvroType::Array(_) | AvroType::Map(_)) {
            return Json::from(node.type_name());
        }
        object.insert("type".into(), node.type_name().into());
        match node.kind {
            AvroType::Array(items) => drop(object.insert("items".into(), self.node(items))),
            AvroType::Map(values) => drop(object.insert("values".into(), self.node(values))),
            _ => {} // nothing stands inside the others
        }
        object.extend(node.props.clone());
        Json::Object(object)
    }

    fn named(&mut self, node: &AvroNode, name: &Name) -> Json {
        let mut object = Map::new();
        object.insert("type".into(), node.type_name().into());
        object.insert("name".into(), name.name.clone().into());
        match &name.namespace {
            Some(space) if self.space.as_ref() != Some(space) => {
                object.insert("namespace".into(), space.clone().into());
            }
            None if self.space.is_some() => drop(object.insert("namespace".into(), "".into())),
            Some(_) | None => {}
        }
        if let Some(doc) = &node.doc {
            object.insert("doc".into(), doc.clone().into());
        }
        match &node.kind {
            AvroType::Record(fields) => {
                let around = std::mem::replace(&mut self.space, name.namespace.clone());
                let mut written = Vec::with_capacity(fields.len());
                for field in fields {
                    let mut member = Map::new();
                    member.insert("name".into(), field.name.clone().into());
                    member.insert("type".into(), self.node(field.node));
                    if let Some(doc) = &field.doc {
                        member.insert("doc".into(), doc.clone().into());
                    }
                    if let Some(default) = &field.default {
                        member.insert("default".into(), default.clone());
                    }
                    written.push(Json::Object(member));
                }
                self.space = around;
                object.insert("fields".into(), written.into());
            }
            AvroType::Enum { symbols, default } => {
                object.insert("symbols".into(), symbols.clone().into());
                if let Some(default) = default {
                    object.insert("default".into(), default.clone().into());
                }
            }
            AvroType::Fixed(size) => drop(object.insert("size".into(), (*size).into())),
            _ => {} // no other type has a name
        }
        object.extend(node.props.clone());
        Json::Object(object)
    }
}
