//! Pure. Defaults of Avro schemas, which are JSON, as the cells that Connect's schemas hold.

use serde_json::Value as Json;
use weir_data::{Node, cbor};

use super::schema::{AvroSchema, AvroType};
use super::to_connect::{ReadKind, ReadNode};

/// Bytes that one default may have.
const MOST: usize = 64 << 10;

/// The cell of a default under the node at a position; none where it is null or no value of the schema, as Connect
/// leaves such defaults out.
pub(crate) fn cell(
    avro: &AvroSchema,
    nodes: &[Node],
    plan: &[ReadNode],
    (at, position): (u32, u32),
    json: &Json,
) -> Option<Vec<u8>> {
    if json.is_null() {
        return None;
    }
    let mut out = Vec::new();
    let writer = Writer { avro, nodes, plan };
    writer.value(at, position, json, &mut out)?;
    (out.len() <= MOST).then_some(out)
}

/// Whether Avro's own library makes anything of a field's default.
pub(crate) fn is_given(avro: &AvroSchema, at: u32, json: &Json) -> bool {
    let kind = &avro.node(at).kind;
    if let AvroType::Union(branches) = kind {
        return branches.first().is_some_and(|&first| is_given(avro, first, json));
    }
    match json {
        Json::Null | Json::Bool(_) => true,
        Json::Number(number) if number.is_i64() || number.is_u64() => {
            matches!(kind, AvroType::Int | AvroType::Long | AvroType::Float | AvroType::Double)
        }
        Json::Number(_) => matches!(kind, AvroType::Float | AvroType::Double),
        Json::String(_) => {
            matches!(kind, AvroType::String | AvroType::Enum { .. } | AvroType::Bytes | AvroType::Fixed(_))
        }
        Json::Array(_) => matches!(kind, AvroType::Array(_)),
        Json::Object(_) => matches!(kind, AvroType::Map(_) | AvroType::Record(_)),
    }
}

struct Writer<'a> {
    avro: &'a AvroSchema,
    nodes: &'a [Node],
    plan: &'a [ReadNode],
}

impl Writer<'_> {
    fn value(&self, at: u32, position: u32, json: &Json, out: &mut Vec<u8>) -> Option<()> {
        if out.len() > MOST {
            return None;
        }
        let (avro, node, read) = (self.avro.node(at), &self.nodes[position as usize], &self.plan[position as usize]);
        if json.is_null() {
            return node.optional.then(|| out.push(cbor::NULL));
        }
        if let (AvroType::Union(branches), Some(union)) = (&avro.kind, read.union) {
            return self.bare(branches[union.value], read, json, out);
        }
        self.bare(at, read, json, out)
    }

    fn bare(&self, at: u32, read: &ReadNode, json: &Json, out: &mut Vec<u8>) -> Option<()> {
        let avro = self.avro.node(at);
        match (&read.kind, &avro.kind) {
            (ReadKind::Boolean, _) => out.push(if json.as_bool()? { cbor::TRUE } else { cbor::FALSE }),
            (ReadKind::Int(bits), _) => {
                let value = i32::try_from(json.as_i64()?).ok()?;
                cbor::integer(out, i64::from(value << (32 - bits) >> (32 - bits)));
            }
            (ReadKind::Long, _) => cbor::integer(out, json.as_i64()?),
            (ReadKind::Float, _) => cbor::float32(out, json.as_f64()? as f32),
            (ReadKind::Double, _) => cbor::float64(out, json.as_f64()?),
            (ReadKind::Bytes | ReadKind::Fixed(_), _) => {
                let bytes: Option<Vec<u8>> =
                    json.as_str()?.chars().map(|unit| u8::try_from(u32::from(unit)).ok()).collect();
                cbor::bytes(out, &bytes?);
            }
            (ReadKind::String | ReadKind::Enum(_), _) => cbor::text(out, json.as_str()?.as_bytes()),
            (ReadKind::Array(element), AvroType::Array(items)) => {
                let values = json.as_array()?;
                cbor::head(out, cbor::major::ARRAY, values.len() as u64);
                values.iter().try_for_each(|value| self.value(*items, *element, value, out))?;
            }
            (ReadKind::Map(value), AvroType::Map(values)) => {
                let entries = json.as_object()?;
                cbor::head(out, cbor::major::MAP, entries.len() as u64);
                for (key, entry) in entries {
                    cbor::text(out, key.as_bytes());
                    self.value(*values, *value, entry, out)?;
                }
            }
            (ReadKind::Struct(inner), AvroType::Record(fields)) => {
                let members = json.as_object()?;
                cbor::head(out, cbor::major::ARRAY, fields.len() as u64);
                for (field, &position) in fields.iter().zip(inner) {
                    match (members.get(&field.name), &self.nodes[position as usize].default) {
                        (Some(value), _) => self.value(field.node, position, value, out)?,
                        (None, Some(default)) => out.extend_from_slice(default),
                        (None, None) => self.value(field.node, position, &Json::Null, out)?,
                    }
                }
            }
            (ReadKind::Union(branches, count), AvroType::Union(types)) => {
                // A default is of the first branch.
                let (field, position) = (*branches.first()?)?;
                cbor::head(out, cbor::major::ARRAY, *count as u64);
                out.resize(out.len() + field, cbor::NULL);
                self.value(*types.first()?, position, json, out)?;
                out.resize(out.len() + count - field - 1, cbor::NULL);
            }
            _ => return None, // entries of maps with other keys, whose defaults Connect leaves out
        }
        Some(())
    }
}
