//! Fuzz targets of what guests say of schemas: definitions, references, and calls in between.

#[path = "../../../tests/fuzz/mod.rs"]
mod fuzzing;

use weir_core::model::SchemaHandle;
use weir_data::{Node, Schema, Type, limits};

use crate::bindings::weir::connect::schemas as wit;
use crate::schema_table::SchemaTable;
use fuzzing::fuzz;

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> u32 {
        self.0.split_off_first().copied().unwrap_or_default().into()
    }

    fn node(&mut self) -> wit::NodeResult {
        let field =
            |rest: &mut Self| wit::FieldResult { name: format!("f{}", rest.byte() % 9), node: rest.byte() % 16 };
        let type_ = match self.byte() % 10 {
            0 => wit::SchemaTypeResult::Array(self.byte() % 16),
            1 => wit::SchemaTypeResult::Map(wit::Entry { key: self.byte() % 16, value: self.byte() % 16 }),
            2 => wit::SchemaTypeResult::Struct((0..self.byte() % 4).map(|_| field(self)).collect()),
            3 => wit::SchemaTypeResult::String,
            _ => wit::SchemaTypeResult::Int64,
        };
        let said = self.byte();
        wit::NodeResult {
            type_,
            optional: said & 1 == 1,
            name: (said & 2 == 2).then(|| "n".repeat(said as usize)),
            version: None,
            doc: (said == 0xff).then(|| "d".repeat(40_000)),
            parameters: Vec::new(),
            default: (said & 4 == 4).then(|| vec![said as u8]),
        }
    }
}

/// Each byte is a step: a call begins, schemas are defined, referred to by either side, or told.
#[test]
fn schemas_that_guests_define() {
    let seeds = [vec![1, 0, 1, 4, 0, 2, 0, 3, 0, 4, 0], [1, 7, 1, 3, 0].repeat(700)];
    let handles: Vec<SchemaHandle> = (0..8).map(|_| SchemaHandle::new(Schema::of(Node::new(Type::Int8)))).collect();
    fuzz("schema_table", seeds, &[], |bytes| {
        let (mut table, rest, mut lies) = (SchemaTable::default(), &mut Rest(bytes), String::new());
        table.begin_call();
        let mut next = 0;
        while !rest.0.is_empty() {
            let step = rest.byte();
            let told = match step % 5 {
                0 => {
                    table.begin_call();
                    let news = table.news();
                    assert!(news.forget.len() <= limits::SCHEMAS && news.forgotten.len() <= limits::SCHEMAS);
                    Ok(())
                }
                1 => {
                    // Numbers that were given once and others; many at a time once in a while.
                    let first = rest.byte();
                    let count = if first == 0xff { 1_200 } else { 1 };
                    let node = rest.node();
                    let nodes: Vec<wit::NodeResult> = (0..rest.byte() % 6).map(|_| rest.node()).collect();
                    let schema = || wit::SchemaResult { nodes: [&[node.clone()][..], &nodes].concat() };
                    let number = |at: u32| if step & 0x80 == 0 { first + at } else { next + at };
                    let defined = (0..count).map(|at| wit::DefinitionResult { id: number(at), schema: schema() });
                    let learnt = table.learn(defined.collect());
                    next += count;
                    learnt
                }
                2 => table.resolve(wit::SchemaRef::Guest(rest.byte())).map(drop),
                3 => table.resolve(wit::SchemaRef::Host(rest.byte())).map(drop),
                _ => {
                    let reference = table.refer(handles.get(rest.byte() as usize));
                    assert!(table.resolve(reference).is_ok(), "what was referred to is known");
                    Ok(())
                }
            };
            if let Err(lie) = told {
                lies = lie.0;
                // The task of a guest that lied ends.
                break;
            }
        }
        lies
    });
}
