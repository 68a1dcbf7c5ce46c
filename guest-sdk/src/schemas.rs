//! The schemas that this instance and its host know by number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use weir_data::{Field, Node, Schema, Type};

use crate::bindings::words::weir::connect::schemas as wit;

#[derive(Default)]
struct Known {
    host: HashMap<u32, Rc<Schema>>,
    /// References to schemas by address; the maps beside keep the addresses in use.
    by_address: HashMap<*const Schema, wit::SchemaRef>,
    own: HashMap<Rc<Schema>, u32>,
    next: u32,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Takes in what a call says about schemas.
pub(crate) fn take_news(news: wit::News) {
    KNOWN.with_borrow_mut(|known| {
        for id in news.forget {
            if let Some(schema) = known.host.remove(&id) {
                known.by_address.remove(&Rc::as_ptr(&schema));
            }
        }
        for definition in news.define {
            let schema = Rc::new(schema_from_wit(definition.schema));
            known.by_address.insert(Rc::as_ptr(&schema), wit::SchemaRef::Host(definition.id));
            known.host.insert(definition.id, schema);
        }
    });
    forgotten(&news.forgotten);
}

/// Takes in which of its own schemas the host no longer knows.
pub(crate) fn forgotten(ids: &[u32]) {
    if ids.is_empty() {
        return;
    }
    KNOWN.with_borrow_mut(|known| {
        let Known { own, by_address, .. } = known;
        own.retain(|schema, id| {
            let kept = !ids.contains(id);
            if !kept {
                by_address.remove(&Rc::as_ptr(schema));
            }
            kept
        });
    });
}

/// The schema that a reference of the host stands for.
pub(crate) fn resolve(reference: &wit::SchemaRef) -> Option<Rc<Schema>> {
    KNOWN.with_borrow(|known| match reference {
        wit::SchemaRef::None => None,
        wit::SchemaRef::Host(id) => Some(known.host.get(id).expect("the host defines before it refers").clone()),
        wit::SchemaRef::Guest(id) => {
            let own = known.own.iter().find(|(_, own)| *own == id);
            Some(own.expect("the host refers to what was defined").0.clone())
        }
    })
}

/// How to refer to a schema; a new one is added to `define`.
pub(crate) fn refer(schema: Option<&Rc<Schema>>, define: &mut Vec<wit::Definition>) -> wit::SchemaRef {
    let Some(schema) = schema else { return wit::SchemaRef::None };
    KNOWN.with_borrow_mut(|known| {
        if let Some(reference) = known.by_address.get(&Rc::as_ptr(schema)) {
            return *reference;
        }
        if let Some(id) = known.own.get(schema) {
            return wit::SchemaRef::Guest(*id);
        }
        let id = known.next;
        known.next += 1;
        define.push(wit::Definition { id, schema: schema_to_wit(schema) });
        known.by_address.insert(Rc::as_ptr(schema), wit::SchemaRef::Guest(id));
        known.own.insert(schema.clone(), id);
        wit::SchemaRef::Guest(id)
    })
}

fn schema_from_wit(schema: wit::Schema) -> Schema {
    let nodes = schema.nodes.into_iter().map(|node| Node {
        kind: match node.type_ {
            wit::SchemaType::Int8 => Type::Int8,
            wit::SchemaType::Int16 => Type::Int16,
            wit::SchemaType::Int32 => Type::Int32,
            wit::SchemaType::Int64 => Type::Int64,
            wit::SchemaType::Float32 => Type::Float32,
            wit::SchemaType::Float64 => Type::Float64,
            wit::SchemaType::Boolean => Type::Boolean,
            wit::SchemaType::String => Type::String,
            wit::SchemaType::Bytes => Type::Bytes,
            wit::SchemaType::Array(element) => Type::Array(element),
            wit::SchemaType::Map(entry) => Type::Map { key: entry.key, value: entry.value },
            wit::SchemaType::Struct(fields) => {
                Type::Struct(fields.into_iter().map(|field| Field { name: field.name, node: field.node }).collect())
            }
        },
        optional: node.optional,
        name: node.name,
        version: node.version,
        doc: node.doc,
        parameters: node.parameters,
        default: node.default,
    });
    Schema::new(nodes.collect()).expect("the host sends checked schemas")
}

fn schema_to_wit(schema: &Schema) -> wit::Schema {
    let nodes = schema.nodes().iter().map(|node| wit::Node {
        type_: match &node.kind {
            Type::Int8 => wit::SchemaType::Int8,
            Type::Int16 => wit::SchemaType::Int16,
            Type::Int32 => wit::SchemaType::Int32,
            Type::Int64 => wit::SchemaType::Int64,
            Type::Float32 => wit::SchemaType::Float32,
            Type::Float64 => wit::SchemaType::Float64,
            Type::Boolean => wit::SchemaType::Boolean,
            Type::String => wit::SchemaType::String,
            Type::Bytes => wit::SchemaType::Bytes,
            Type::Array(element) => wit::SchemaType::Array(*element),
            Type::Map { key, value } => wit::SchemaType::Map(wit::Entry { key: *key, value: *value }),
            Type::Struct(fields) => wit::SchemaType::Struct(
                fields.iter().map(|field| wit::Field { name: field.name.clone(), node: field.node }).collect(),
            ),
        },
        optional: node.optional,
        name: node.name.clone(),
        version: node.version,
        doc: node.doc.clone(),
        parameters: node.parameters.clone(),
        default: node.default.clone(),
    });
    wit::Schema { nodes: nodes.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_schema_is_defined_once_and_anew_after_it_was_forgotten() {
        let schema = |field: &str| Rc::new(Schema::record([(field, Schema::of(Node::new(Type::Int8)))]));
        let mut define = vec![];
        let first = refer(Some(&schema("a")), &mut define);
        assert_eq!(format!("{:?}", refer(Some(&schema("a")), &mut define)), format!("{first:?}"));
        assert_eq!(define.len(), 1);
        forgotten(&[define[0].id]);
        refer(Some(&schema("a")), &mut define);
        assert_eq!(define.len(), 2);
        assert_ne!(define[0].id, define[1].id);
    }

    #[test]
    fn a_schema_of_the_host_goes_back_by_its_number() {
        let schema = Schema::array(Schema::of(Node::new(Type::Float64).named("x")));
        let definition = wit::Definition { id: 9, schema: schema_to_wit(&schema) };
        take_news(wit::News { define: vec![definition], forget: vec![], forgotten: vec![] });
        let known = resolve(&wit::SchemaRef::Host(9)).unwrap();
        assert_eq!(*known, schema);
        let mut define = vec![];
        assert!(matches!(refer(Some(&known), &mut define), wit::SchemaRef::Host(9)));
        assert!(define.is_empty());
    }
}
