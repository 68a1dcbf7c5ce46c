//! Pure. CBOR laid out by a schema to JSON, with what can be rendered once a schema rendered once: keys, defaults and
//! the envelope.

use weir_data::cbor::{self, major};
use weir_data::{Node, Schema, Type, limits};

use super::dialect::{Dialect, Entries};
use super::flaw::{DEFAULT_MAX, Outcome, data, too_large};
use super::schema_writer;
use super::writer;
use crate::decimal;
use crate::logical::{self, Logical};

/// How values become JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteSettings {
    /// Whether values stand in an envelope with their schema.
    pub(crate) envelope: bool,
    /// Whether decimals are numbers instead of base64.
    pub(crate) numeric_decimals: bool,
    /// Whether null becomes the default where there is one.
    pub(crate) replace_null_with_default: bool,
    /// Whose JSON it is.
    pub(crate) dialect: Dialect,
}

/// A schema prepared for writing.
pub(crate) struct WritePlan {
    nodes: Vec<WriteNode>,
    /// What stands before the payload; empty without envelope.
    before: Vec<u8>,
    /// What stands behind it.
    after: &'static [u8],
}

struct WriteNode {
    kind: WriteKind,
    type_name: &'static str,
    logical: Logical,
    /// What null is written as; none where it is not allowed.
    null: Option<Vec<u8>>,
}

enum WriteKind {
    /// An integer that fits so many bits.
    Integer(u32),
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array(usize),
    Map {
        key: usize,
        value: usize,
        entries: Entries,
    },
    /// A struct of which one field is set, which stands for the whole.
    OneOf(Vec<usize>),
    /// What stands before each field's value, and the field's node.
    Struct(Vec<(Vec<u8>, usize)>),
}

impl WritePlan {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Schema, settings: WriteSettings) -> Outcome<WritePlan> {
        let mut nodes: Vec<WriteNode> = schema
            .nodes()
            .iter()
            .map(|node| WriteNode {
                kind: kind(schema, node, settings.dialect),
                type_name: logical::type_name(&node.kind),
                logical: match logical::of(node) {
                    Logical::Decimal(_) if !settings.numeric_decimals => Logical::Decimal(None),
                    logical => logical,
                },
                null: node.optional.then(|| b"null".to_vec()),
            })
            .collect();
        let mut plan = WritePlan { nodes: Vec::new(), before: Vec::new(), after: b"" };
        // Children stand behind the nodes that hold them, and defaults may need the defaults of children.
        let mut defaults = vec![None; nodes.len()];
        let mut all_defaults = 0;
        for at in (0..nodes.len()).rev() {
            if let Some(default) = &schema.nodes()[at].default {
                let mut rendered = Vec::new();
                std::mem::swap(&mut plan.nodes, &mut nodes);
                let written = plan.value(default, 0, at, DEFAULT_MAX, &mut rendered);
                std::mem::swap(&mut plan.nodes, &mut nodes);
                all_defaults += rendered.len();
                if rendered.len() > DEFAULT_MAX || all_defaults > limits::SCHEMA_BYTES {
                    return data("Invalid default value: it is too large");
                }
                if written? != default.len() {
                    return data("Invalid default value");
                }
                if settings.replace_null_with_default {
                    nodes[at].null = Some(rendered.clone());
                }
                defaults[at] = Some(rendered);
            }
        }
        plan.nodes = nodes;
        if settings.envelope {
            plan.before = b"{\"schema\":".to_vec();
            schema_writer::write(schema, &defaults, &mut plan.before);
            plan.before.extend_from_slice(b",\"payload\":");
            plan.after = b"}";
        }
        Ok(plan)
    }

    /// Bytes this plan holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let of_node = |node: &WriteNode| {
            let names = match &node.kind {
                WriteKind::Struct(fields) => fields.iter().map(|(before, _)| 32 + before.len()).sum(),
                _ => 0, // nothing of its own
            };
            size_of::<WriteNode>() + names + node.null.as_ref().map_or(0, Vec::len)
        };
        self.before.len() + self.nodes.iter().map(of_node).sum::<usize>()
    }

    /// Appends the JSON of a cell, or of null, to a batch that is to take `most` bytes.
    #[inline]
    pub(crate) fn cell(&self, cell: Option<&[u8]>, most: usize, out: &mut Vec<u8>) -> Outcome<()> {
        out.extend_from_slice(&self.before);
        match cell {
            None => self.null(&self.nodes[0], most, out)?,
            Some(cell) => self.root(cell, most, out)?,
        }
        cbor::put(out, self.after);
        Ok(())
    }

    /// Appends the JSON of a value as schemas hold it: CBOR throughout.
    pub(super) fn held(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Outcome<()> {
        self.value(cell, 0, 0, most, out).map(drop)
    }

    fn root(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Outcome<()> {
        let root = &self.nodes[0];
        match (&root.kind, root.logical) {
            (WriteKind::String, _) => writer::string(out, cell),
            (WriteKind::Bytes, _) => bytes(root, cell, out)?,
            _ => {
                if self.value(cell, 0, 0, most, out)? != cell.len() {
                    return writer::bad_cell(cbor::Malformed::Trailing);
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn null(&self, node: &WriteNode, most: usize, out: &mut Vec<u8>) -> Outcome<()> {
        let Some(null) = &node.null else {
            return data("Conversion error: null value for field that is required and has no default value");
        };
        if out.len() > most {
            return too_large(most);
        }
        cbor::put(out, null);
        Ok(())
    }

    fn value(&self, cell: &[u8], at: usize, node: usize, most: usize, out: &mut Vec<u8>) -> Outcome<usize> {
        let node = &self.nodes[node];
        let head = writer::head(cell, at)?;
        match (&node.kind, head.major) {
            (_, major::SIMPLE) if head.first == cbor::NULL => {
                self.null(node, most, out)?;
                return Ok(head.end);
            }
            (WriteKind::String, major::TEXT) => {
                let (text, end) = cbor::string_body(cell, &head).or_else(writer::bad_cell)?;
                writer::string(out, text);
                return Ok(end);
            }
            (WriteKind::Integer(bits), major::UNSIGNED | major::NEGATIVE) => {
                let value = writer::integer_of(&head)?;
                if value << (64 - bits) >> (64 - bits) != value {
                    return mismatch(node);
                }
                if node.logical == Logical::Time && !(0..=86_400_000).contains(&value) {
                    return data("Kafka Connect Time type should not have any date fields set to non-zero values.");
                }
                writer::integer(out, value);
                return Ok(head.end);
            }
            (WriteKind::Struct(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
                return self.structure(cell, head.end, fields, most, out);
            }
            (WriteKind::Float64, _) if head.first == cbor::FLOAT64 => {
                writer::float64(out, f64::from_bits(head.argument));
            }
            (WriteKind::Float32, _) if head.first == cbor::FLOAT32 => {
                writer::float32(out, f32::from_bits(head.argument as u32));
            }
            (WriteKind::Boolean, _) if head.first == cbor::TRUE => out.extend_from_slice(b"true"),
            (WriteKind::Boolean, _) if head.first == cbor::FALSE => out.extend_from_slice(b"false"),
            (WriteKind::Bytes, major::BYTES) => {
                let (body, end) = cbor::string_body(cell, &head).or_else(writer::bad_cell)?;
                bytes(node, body, out)?;
                return Ok(end);
            }
            (WriteKind::Array(element), major::ARRAY) => {
                out.push(b'[');
                let mut at = head.end;
                for entry in 0..head.argument {
                    if entry > 0 {
                        out.push(b',');
                    }
                    at = self.value(cell, at, *element, most, out)?;
                }
                out.push(b']');
                return Ok(at);
            }
            (WriteKind::Map { key, value, entries }, major::MAP) => {
                return self.map(cell, &head, (*key, *value, *entries), most, out);
            }
            (WriteKind::OneOf(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
                let (mut at, mut written) = (head.end, false);
                for &field in fields {
                    if written || writer::head(cell, at)?.first == cbor::NULL {
                        at = cbor::skip(cell, at).or_else(writer::bad_cell)?;
                    } else {
                        at = self.value(cell, at, field, most, out)?;
                        written = true;
                    }
                }
                if !written {
                    self.null(node, most, out)?;
                }
                return Ok(at);
            }
            _ => return mismatch(node),
        }
        Ok(head.end)
    }

    #[inline]
    fn structure(
        &self,
        cell: &[u8],
        at: usize,
        fields: &[(Vec<u8>, usize)],
        most: usize,
        out: &mut Vec<u8>,
    ) -> Outcome<usize> {
        if out.len() > most {
            return too_large(most);
        }
        let mut at = at;
        for (before, node) in fields {
            cbor::put(out, before);
            at = self.value(cell, at, *node, most, out)?;
        }
        out.extend_from_slice(if fields.is_empty() { b"{}" } else { b"}" });
        Ok(at)
    }

    fn map(
        &self,
        cell: &[u8],
        head: &cbor::Head,
        (key, value, entries): (usize, usize, Entries),
        most: usize,
        out: &mut Vec<u8>,
    ) -> Outcome<usize> {
        let text_keys = entries == Entries::Members;
        let (before, between, after): (&[u8], &[u8], &[u8]) = match entries {
            Entries::Objects => (b"{\"key\":", b",\"value\":", b"}"),
            Entries::Members | Entries::Pairs => (b"[", b",", b"]"),
        };
        out.push(if text_keys { b'{' } else { b'[' });
        let mut at = head.end;
        for entry in 0..head.argument {
            if entry > 0 {
                out.push(b',');
            }
            if text_keys {
                at = self.text_key(cell, at, key, most, out)?;
                out.push(b':');
                at = self.value(cell, at, value, most, out)?;
            } else {
                out.extend_from_slice(before);
                at = self.value(cell, at, key, most, out)?;
                out.extend_from_slice(between);
                at = self.value(cell, at, value, most, out)?;
                out.extend_from_slice(after);
            }
        }
        out.push(if text_keys { b'}' } else { b']' });
        Ok(at)
    }

    /// A key of an object; null becomes the text `null`.
    fn text_key(&self, cell: &[u8], at: usize, key: usize, most: usize, out: &mut Vec<u8>) -> Outcome<usize> {
        let start = out.len();
        let end = self.value(cell, at, key, most, out)?;
        if out[start] != b'"' {
            out.push(b'"');
            out.insert(start, b'"');
        }
        Ok(end)
    }
}

fn bytes(node: &WriteNode, body: &[u8], out: &mut Vec<u8>) -> Outcome<()> {
    match node.logical {
        Logical::Decimal(Some(scale)) => return decimal::print(body, scale, out).or_else(writer::bad_cell),
        Logical::Decimal(None) => writer::bytes(out, decimal::shortest(body)),
        _ => writer::bytes(out, body),
    }
    Ok(())
}

#[cold]
fn mismatch<T>(node: &WriteNode) -> Outcome<T> {
    data(format!("Invalid type for {}: the cell holds another", node.type_name))
}

fn kind(schema: &Schema, node: &Node, dialect: Dialect) -> WriteKind {
    match &node.kind {
        Type::Struct(fields) if dialect.is_union(node) => {
            WriteKind::OneOf(fields.iter().map(|field| field.node as usize).collect())
        }
        Type::Int8 => WriteKind::Integer(8),
        Type::Int16 => WriteKind::Integer(16),
        Type::Int32 => WriteKind::Integer(32),
        Type::Int64 => WriteKind::Integer(64),
        Type::Float32 => WriteKind::Float32,
        Type::Float64 => WriteKind::Float64,
        Type::Boolean => WriteKind::Boolean,
        Type::String => WriteKind::String,
        Type::Bytes => WriteKind::Bytes,
        Type::Array(element) => WriteKind::Array(*element as usize),
        Type::Map { key, value } => {
            WriteKind::Map { key: *key as usize, value: *value as usize, entries: dialect.entries(schema.node(*key)) }
        }
        Type::Struct(fields) => {
            let fields = fields.iter().enumerate().map(|(at, field)| {
                let mut before = vec![if at == 0 { b'{' } else { b',' }];
                writer::string(&mut before, field.name.as_bytes());
                before.push(b':');
                (before, field.node as usize)
            });
            WriteKind::Struct(fields.collect())
        }
    }
}
