//! The schemas that host and instance know by number, and which of them to forget.

use std::collections::HashMap;

use weir_core::model::SchemaHandle;
use weir_data::{Field, Lie, Node, Schema, Type, limits};

use crate::bindings::weir::connect::schemas as wit;

struct Known<T> {
    value: T,
    used: u64,
}

/// The schemas of one instance.
#[derive(Default)]
pub(crate) struct SchemaTable {
    /// By the handle's number: the number that the host gave for this instance.
    host: HashMap<u64, Known<(u32, SchemaHandle)>>,
    next: u32,
    /// By the number that the guest gave.
    guest: HashMap<u32, Known<SchemaHandle>>,
    guest_number: HashMap<u64, u32>,
    /// Memory that the guest's schemas take.
    guest_bytes: usize,
    /// Counts calls.
    clock: u64,
    define: Vec<(u32, SchemaHandle)>,
    forget: Vec<u32>,
    forgotten: Vec<u32>,
}

/// What a call tells the guest, kept until it is lowered.
#[derive(Default)]
pub(crate) struct News {
    define: Vec<(u32, SchemaHandle)>,
    pub forget: Vec<u32>,
    pub forgotten: Vec<u32>,
}

impl SchemaTable {
    /// Begins a call: schemas that were not used for longest make room.
    pub fn begin_call(&mut self) {
        self.clock += 1;
        while self.host.len() > limits::SCHEMAS / 2 {
            let Some((&handle, _)) = self.host.iter().min_by_key(|(_, known)| known.used) else { break };
            if let Some(known) = self.host.remove(&handle) {
                self.forget.push(known.value.0);
            }
        }
        while self.guest.len() > limits::SCHEMAS / 2 || self.guest_bytes > limits::SCHEMAS_BYTES / 2 {
            let Some((&number, _)) = self.guest.iter().min_by_key(|(_, known)| known.used) else { break };
            if let Some(known) = self.guest.remove(&number) {
                self.guest_number.remove(&known.value.id());
                self.guest_bytes -= known.value.schema().bytes();
            }
            self.forgotten.push(number);
        }
    }

    /// How to refer to a schema in this call.
    pub fn refer(&mut self, schema: Option<&SchemaHandle>) -> wit::SchemaRef {
        let Some(schema) = schema else { return wit::SchemaRef::None };
        if let Some(number) = self.guest_number.get(&schema.id())
            && let Some(known) = self.guest.get_mut(number)
        {
            known.used = self.clock;
            return wit::SchemaRef::Guest(*number);
        }
        let (next, define) = (&mut self.next, &mut self.define);
        let known = self.host.entry(schema.id()).or_insert_with(|| {
            let number = *next;
            *next += 1;
            define.push((number, schema.clone()));
            Known { value: (number, schema.clone()), used: 0 }
        });
        known.used = self.clock;
        wit::SchemaRef::Host(known.value.0)
    }

    /// What the guest has to be told before it reads this call's references.
    pub fn news(&mut self) -> News {
        News {
            define: std::mem::take(&mut self.define),
            forget: std::mem::take(&mut self.forget),
            forgotten: std::mem::take(&mut self.forgotten),
        }
    }

    /// Takes in what the guest defines.
    pub fn learn(&mut self, definitions: Vec<wit::DefinitionResult>) -> Result<(), Lie> {
        for definition in definitions {
            let schema = schema_from_wit(definition.schema)?;
            self.guest_bytes += schema.bytes();
            let known = Known { value: SchemaHandle::new(schema), used: self.clock };
            self.guest_number.insert(known.value.id(), definition.id);
            if self.guest.insert(definition.id, known).is_some() {
                return Err(Lie(format!("schema {} is defined twice", definition.id)));
            }
        }
        if self.guest.len() > limits::SCHEMAS {
            return Err(Lie(format!("more than {} schemas", limits::SCHEMAS)));
        }
        if self.guest_bytes > limits::SCHEMAS_BYTES {
            return Err(Lie(format!("its schemas take more than {} bytes", limits::SCHEMAS_BYTES)));
        }
        Ok(())
    }

    /// What a reference of the guest stands for.
    pub fn resolve(&mut self, reference: wit::SchemaRef) -> Result<Option<SchemaHandle>, Lie> {
        match reference {
            wit::SchemaRef::None => Ok(None),
            wit::SchemaRef::Host(number) => {
                let known = self.host.values().find(|known| known.value.0 == number);
                let known = known.ok_or_else(|| Lie(format!("the host has no schema {number}")))?;
                Ok(Some(known.value.1.clone()))
            }
            wit::SchemaRef::Guest(number) => {
                let known = self.guest.get_mut(&number);
                let known = known.ok_or_else(|| Lie(format!("schema {number} was not defined or is forgotten")))?;
                known.used = self.clock;
                Ok(Some(known.value.clone()))
            }
        }
    }
}

/// Lists that a lowered schema borrows.
struct Lists<'a> {
    parameters: Vec<Vec<(&'a str, &'a str)>>,
    fields: Vec<Vec<wit::FieldParam<'a>>>,
}

impl News {
    /// The lists that definitions borrow when they are lowered into a call.
    pub fn lists(&self) -> DefinitionLists<'_> {
        DefinitionLists(self.define.iter().map(|(id, handle)| (*id, handle.schema(), lists(handle.schema()))).collect())
    }
}

/// Definitions on their way into a call: their lists.
pub(crate) struct DefinitionLists<'a>(Vec<(u32, &'a Schema, Lists<'a>)>);

impl DefinitionLists<'_> {
    /// Their nodes.
    pub fn nodes(&self) -> DefinitionNodes<'_> {
        DefinitionNodes(self.0.iter().map(|(id, schema, lists)| (*id, nodes(schema, lists))).collect())
    }
}

/// Definitions on their way into a call: their nodes.
pub(crate) struct DefinitionNodes<'a>(Vec<(u32, Vec<wit::NodeParam<'a>>)>);

impl DefinitionNodes<'_> {
    /// The definitions, as a call borrows them.
    pub fn params(&self) -> Vec<wit::DefinitionParam<'_>> {
        self.0.iter().map(|(id, nodes)| wit::DefinitionParam { id: *id, schema: wit::SchemaParam { nodes } }).collect()
    }
}

fn lists(schema: &Schema) -> Lists<'_> {
    let parameters = schema
        .nodes()
        .iter()
        .map(|node| node.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
    let fields = schema.nodes().iter().map(|node| match &node.kind {
        Type::Struct(fields) => fields.iter().map(|f| wit::FieldParam { name: &f.name, node: f.node }).collect(),
        _ => Vec::new(),
    });
    Lists { parameters: parameters.collect(), fields: fields.collect() }
}

fn nodes<'a>(schema: &'a Schema, lists: &'a Lists<'a>) -> Vec<wit::NodeParam<'a>> {
    let node = |(at, node): (usize, &'a Node)| wit::NodeParam {
        type_: match &node.kind {
            Type::Int8 => wit::SchemaTypeParam::Int8,
            Type::Int16 => wit::SchemaTypeParam::Int16,
            Type::Int32 => wit::SchemaTypeParam::Int32,
            Type::Int64 => wit::SchemaTypeParam::Int64,
            Type::Float32 => wit::SchemaTypeParam::Float32,
            Type::Float64 => wit::SchemaTypeParam::Float64,
            Type::Boolean => wit::SchemaTypeParam::Boolean,
            Type::String => wit::SchemaTypeParam::String,
            Type::Bytes => wit::SchemaTypeParam::Bytes,
            Type::Array(element) => wit::SchemaTypeParam::Array(*element),
            Type::Map { key, value } => wit::SchemaTypeParam::Map(wit::Entry { key: *key, value: *value }),
            Type::Struct(_) => wit::SchemaTypeParam::Struct(&lists.fields[at]),
        },
        optional: node.optional,
        name: node.name.as_deref(),
        version: node.version,
        doc: node.doc.as_deref(),
        parameters: &lists.parameters[at],
        default: node.default.as_deref(),
    };
    schema.nodes().iter().enumerate().map(node).collect()
}

fn schema_from_wit(schema: wit::SchemaResult) -> Result<Schema, Lie> {
    let nodes = schema.nodes.into_iter().map(|node| Node {
        kind: match node.type_ {
            wit::SchemaTypeResult::Int8 => Type::Int8,
            wit::SchemaTypeResult::Int16 => Type::Int16,
            wit::SchemaTypeResult::Int32 => Type::Int32,
            wit::SchemaTypeResult::Int64 => Type::Int64,
            wit::SchemaTypeResult::Float32 => Type::Float32,
            wit::SchemaTypeResult::Float64 => Type::Float64,
            wit::SchemaTypeResult::Boolean => Type::Boolean,
            wit::SchemaTypeResult::String => Type::String,
            wit::SchemaTypeResult::Bytes => Type::Bytes,
            wit::SchemaTypeResult::Array(element) => Type::Array(element),
            wit::SchemaTypeResult::Map(entry) => Type::Map { key: entry.key, value: entry.value },
            wit::SchemaTypeResult::Struct(fields) => {
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
    Schema::new(nodes.collect()).map_err(|bad| Lie(bad.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> SchemaHandle {
        SchemaHandle::new(Schema::of(Node::new(Type::Int8)))
    }

    fn number(reference: wit::SchemaRef) -> u32 {
        match reference {
            wit::SchemaRef::Host(number) | wit::SchemaRef::Guest(number) => number,
            wit::SchemaRef::None => panic!("no schema"),
        }
    }

    #[test]
    fn a_schema_is_defined_once_and_the_least_used_are_forgotten_first() {
        let mut table = SchemaTable::default();
        let keep = handle();
        let mut defined = 0;
        for _ in 0..3_000 {
            table.begin_call();
            table.refer(Some(&keep));
            table.refer(Some(&handle()));
            let news = table.news();
            defined += news.define.len();
            assert!(!news.forget.contains(&0), "the one in use stays");
            assert!(table.host.len() <= limits::SCHEMAS);
        }
        assert_eq!(defined, 3_001);
        assert_eq!(number(table.refer(Some(&keep))), 0);
    }

    #[test]
    fn a_guest_is_told_what_is_forgotten_and_lies_are_found() {
        let mut table = SchemaTable::default();
        let define = |id| {
            let int8 = wit::NodeResult {
                type_: wit::SchemaTypeResult::Int8,
                optional: false,
                name: None,
                version: None,
                doc: None,
                parameters: vec![],
                default: None,
            };
            wit::DefinitionResult { id, schema: wit::SchemaResult { nodes: vec![int8] } }
        };
        table.begin_call();
        table.learn((0..600).map(define).collect()).unwrap();
        let first = table.resolve(wit::SchemaRef::Guest(0)).unwrap().unwrap();
        assert_eq!(number(table.refer(Some(&first))), 0);
        assert!(table.learn(vec![define(0)]).is_err());
        assert!(table.resolve(wit::SchemaRef::Guest(601)).is_err());
        assert!(table.resolve(wit::SchemaRef::Host(1)).is_err());
        table.begin_call();
        assert_eq!(table.news().forgotten.len(), 100);
        assert!(table.learn((1_000..2_000).map(define).collect()).is_err());
        assert!(
            table
                .learn(vec![wit::DefinitionResult { id: 9_999, schema: wit::SchemaResult { nodes: vec![] } }])
                .is_err()
        );
    }
}
