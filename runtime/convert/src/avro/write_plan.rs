//! Pure. How cells of a Connect schema become Avro of a schema, which is the one made of it or another that fits.

use std::cell::Cell;
use std::collections::HashMap;

use serde_json::Value as Json;
use weir_data::{Node, Schema, Type, logical::Logical};

use super::from_connect::{fixed_size, has_text_keys, is_union};
use super::names::{DataSettings, scrub, split};
use super::schema::{AvroNode, AvroSchema, AvroType};
use super::to_connect::member_name;
use super::write;

/// How a value is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WriteKind {
    Boolean,
    /// An integer of so many bits.
    Int(u32),
    Float,
    Double,
    Bytes,
    Fixed(usize),
    String,
    /// The positions of symbols.
    Enum(HashMap<Vec<u8>, i64>),
    Array(Box<WriteNode>),
    Map(Box<WriteNode>),
    Entries(Box<WriteNode>, Box<WriteNode>),
    Struct {
        members: Vec<Member>,
        in_order: bool,
    },
    /// A struct of which one field is set.
    Union(Vec<WriteNode>),
}

/// A field of an Avro record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Member {
    /// The struct's field at this position.
    Field(usize, WriteNode),
    /// The Avro field's default.
    Default(Vec<u8>),
}

/// A node and where its values stand among the branches of a union.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WriteNode {
    pub(crate) kind: WriteKind,
    pub(crate) logical: Logical,
    /// Connect's name of the type.
    pub(crate) type_name: &'static str,
    /// The branch of values, in a union.
    pub(crate) branch: Option<i64>,
    /// What null is written as; none where it is not allowed.
    pub(crate) null: Option<Vec<u8>>,
}

/// A plan from a schema of Connect to one of Avro.
pub(crate) struct WritePlan {
    pub(crate) root: WriteNode,
    /// Whether records are bytes that Confluent's clients write without their length.
    pub(crate) bare_bytes: bool,
}

impl WritePlan {
    /// Prepares a schema, or says what does not fit.
    pub(crate) fn new(schema: &Schema, avro: &AvroSchema, settings: &DataSettings) -> Result<WritePlan, String> {
        let planner = Planner { schema, avro, settings, tries: Cell::new(TRIES) };
        Ok(WritePlan { root: planner.node(0, avro.root)?, bare_bytes: avro.root().kind == AvroType::Bytes })
    }
}

struct Planner<'a> {
    schema: &'a Schema,
    avro: &'a AvroSchema,
    settings: &'a DataSettings,
    tries: Cell<u32>,
}

/// How many pairs of nodes are looked at: every branch of a union is tried, and unions stand in one another.
const TRIES: u32 = 1_000_000;

impl Planner<'_> {
    /// Schemas nest as deeply as Connect's do, which is bounded, so a plan ends where Avro's schema holds itself.
    fn node(&self, at: u32, avro: u32) -> Result<WriteNode, String> {
        let node = self.schema.node(at);
        let mut made = match &self.avro.node(avro).kind {
            AvroType::Union(branches) if is_union(node) => self.union(node, branches)?,
            AvroType::Union(branches) => self.in_union(at, branches)?,
            _ => self.bare(at, avro)?,
        };
        if !node.optional {
            made.null = None;
        }
        Ok(made)
    }

    fn made(&self, node: &Node, kind: WriteKind) -> WriteNode {
        let type_name = weir_data::logical::type_name(&node.kind);
        WriteNode { kind, logical: weir_data::logical::of(node), type_name, branch: None, null: None }
    }

    fn in_union(&self, at: u32, branches: &[u32]) -> Result<WriteNode, String> {
        let is_null = |branch: &u32| self.avro.node(*branch).kind == AvroType::Null;
        let mut why = String::from("the union has no branch but null");
        // A branch of the same name comes before the first that could hold the values.
        let node = self.schema.node(at);
        let name = node.name.as_deref().map(|name| split(name, self.settings).full());
        let is_named = |branch: &u32| name.as_deref() == Some(self.avro.node(*branch).full_name().as_str());
        let candidates = branches.iter().filter(|b| is_named(b)).chain(branches.iter().filter(|b| !is_named(b)));
        for branch in candidates.filter(|branch| !is_null(branch)) {
            match self.bare(at, *branch) {
                Ok(mut made) => {
                    made.branch = branches.iter().position(|known| known == branch).map(|found| found as i64);
                    made.null = branches.iter().position(is_null).map(branch_bytes);
                    return Ok(made);
                }
                Err(wrong) => why = wrong,
            }
        }
        Err(why)
    }

    fn union(&self, node: &Node, branches: &[u32]) -> Result<WriteNode, String> {
        let Type::Struct(fields) = &node.kind else { return Err("a union is a struct".into()) };
        let mut written = Vec::with_capacity(fields.len());
        for field in fields {
            let inner = self.schema.node(field.node);
            let found = branches.iter().enumerate().filter(|(_, branch)| {
                let branch = self.avro.node(**branch);
                branch.kind != AvroType::Null && member_name(branch, self.settings) == field.name
            });
            let mut found: Vec<(usize, u32)> = found.map(|(number, &branch)| (number, branch)).collect();
            if found.is_empty() {
                found = branches.iter().copied().enumerate().collect();
            }
            let fits = found.iter().find_map(|&(number, branch)| Some((number, self.bare(field.node, branch).ok()?)));
            let (number, mut made) = fits.ok_or_else(|| {
                format!("the union has no branch for its field {} of type {}", field.name, type_of(inner))
            })?;
            made.branch = Some(number as i64);
            made.null = None;
            written.push(made);
        }
        let mut made = self.made(node, WriteKind::Union(written));
        let null = branches.iter().position(|branch| self.avro.node(*branch).kind == AvroType::Null);
        made.null = null.map(branch_bytes);
        Ok(made)
    }

    fn bare(&self, at: u32, avro: u32) -> Result<WriteNode, String> {
        let (node, to) = (self.schema.node(at), self.avro.node(avro));
        let left = self.tries.get().checked_sub(1).ok_or("the unions of the schema are nested too deeply")?;
        self.tries.set(left);
        let kind = match (&node.kind, &to.kind) {
            (Type::Boolean, AvroType::Boolean) => WriteKind::Boolean,
            (Type::Int8, AvroType::Int | AvroType::Long) => WriteKind::Int(8),
            (Type::Int16, AvroType::Int | AvroType::Long) => WriteKind::Int(16),
            (Type::Int32, AvroType::Int | AvroType::Long) => WriteKind::Int(32),
            (Type::Int64, AvroType::Long) => WriteKind::Int(64),
            // As Confluent's writes it, but for numbers that would lose their high bits.
            (Type::Int64, AvroType::Int) => WriteKind::Int(32),
            (Type::Float32, AvroType::Float) => WriteKind::Float,
            (Type::Float64, AvroType::Double) => WriteKind::Double,
            (Type::Bytes, AvroType::Bytes) => WriteKind::Bytes,
            (Type::Bytes, AvroType::Fixed(size)) if fixed_size(node)?.is_none_or(|given| given == *size) => {
                WriteKind::Fixed(*size)
            }
            (Type::String, AvroType::String) => WriteKind::String,
            (Type::String, AvroType::Enum { symbols, .. }) => {
                let numbered = symbols.iter().zip(0..).map(|(symbol, number)| (symbol.clone().into_bytes(), number));
                WriteKind::Enum(numbered.collect())
            }
            (Type::Array(items), AvroType::Array(to)) => WriteKind::Array(Box::new(self.node(*items, *to)?)),
            (Type::Map { key, value }, AvroType::Map(to)) if has_text_keys(self.schema.node(*key), self.settings) => {
                WriteKind::Map(Box::new(self.node(*value, *to)?))
            }
            (Type::Map { key, value }, AvroType::Array(entry)) => match &self.avro.node(*entry).kind {
                AvroType::Record(fields) if fields.len() == 2 && fields[0].name == "key" => {
                    let key = self.node(*key, fields[0].node)?;
                    WriteKind::Entries(Box::new(key), Box::new(self.node(*value, fields[1].node)?))
                }
                _ => return mismatch(node, to),
            },
            (Type::Struct(fields), AvroType::Record(to)) if !is_union(node) => {
                let is_known = |field: &weir_data::Field| {
                    let name = scrub(&field.name, self.settings);
                    to.iter().any(|member| member.name == name)
                };
                if let Some(lost) = fields.iter().find(|field| !is_known(field)) {
                    let record = self.avro.node(avro).full_name();
                    return Err(format!("the field {} has no place in the record {record}", lost.name));
                }
                let mut members = Vec::with_capacity(to.len());
                for member in to {
                    let is_it = |field: &&weir_data::Field| scrub(&field.name, self.settings) == member.name;
                    let found = fields.iter().enumerate().find(|(_, field)| is_it(field));
                    members.push(match (found, &member.default) {
                        (Some((position, field)), _) => Member::Field(position, self.member(field.node, member.node)?),
                        (None, Some(default)) => Member::Default(self.default(member.node, default)?),
                        (None, None) => {
                            return Err(format!("the field {} has no default and is not in the struct", member.name));
                        }
                    });
                }
                let same = |(at, member): (usize, &Member)| matches!(member, Member::Field(field, _) if *field == at);
                let in_order = members.len() == fields.len() && members.iter().enumerate().all(same);
                WriteKind::Struct { members, in_order }
            }
            _ => return mismatch(node, to),
        };
        Ok(self.made(node, kind))
    }

    /// A field of a struct: null stands for its default where it has one.
    fn member(&self, at: u32, avro: u32) -> Result<WriteNode, String> {
        let mut made = self.node(at, avro)?;
        let default = self.schema.node(at).default.as_ref().filter(|_| !self.settings.ignore_default_for_nullables);
        if let Some(default) = default {
            let mut written = Vec::new();
            write::value(&made, default, 0, usize::MAX, &mut written)?;
            made.null = Some(written);
        }
        Ok(made)
    }

    /// The Avro of a default that is JSON.
    fn default(&self, avro: u32, json: &Json) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        write::json(self.avro, avro, json, &mut out)?;
        Ok(out)
    }
}

fn branch_bytes(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write::long(&mut bytes, number as i64);
    bytes
}

fn type_of(node: &Node) -> &'static str {
    weir_data::logical::type_name(&node.kind)
}

fn mismatch<T>(node: &Node, to: &AvroNode) -> Result<T, String> {
    Err(format!("a value of type {} has no place in Avro's {}", type_of(node), to.full_name()))
}
