//! Pure. Unions of JSON Schema, which have no name for the branch that a value is of: the first that fits, and among
//! structs the one that knows most of the value's members.

use weir_data::cbor::{self, major};

use super::by_schema::{self, found, members};
use super::flaw::{Outcome, data};
use super::read_plan::{ReadKind, ReadPlan};
use super::reader::Reader;
use crate::logical::Logical;

/// Bytes that are looked at for one value: as many as it has for each branch.
const WORK: usize = 256 << 20;

/// Appends the value at the cursor as a struct of which the field is set that fits it.
pub(crate) fn transcode(
    reader: &mut Reader<'_>,
    plan: &ReadPlan,
    fields: &[usize],
    first: u8,
    out: &mut Vec<u8>,
) -> Outcome<()> {
    let left = reader.text.len() - reader.at;
    if left.saturating_mul(fields.len()) > WORK {
        return data(format!("a union of {} branches is too many for a record of {left} bytes", fields.len()));
    }
    let mut best = None;
    let mut most = 0;
    for (at, &node) in fields.iter().enumerate() {
        if fits(&mut reader.moved_to(reader.at), plan, node, first)? {
            best = Some((at, node));
            break;
        }
        let known = known_members(&mut reader.moved_to(reader.at), plan, node, first)?;
        if known > most {
            (best, most) = (Some((at, node)), known);
        }
    }
    let Some((at, node)) = best else {
        reader.skip()?;
        return data(format!("Did not find matching oneof field for data: it is of type {}", found(first)));
    };
    cbor::head(out, major::ARRAY, fields.len() as u64);
    out.resize(out.len() + at, cbor::NULL);
    by_schema::transcode(reader, plan, node, out)?;
    out.resize(out.len() + fields.len() - at - 1, cbor::NULL);
    Ok(())
}

/// Whether a value, which begins with this byte, is one of a node that is no struct.
fn fits(reader: &mut Reader<'_>, plan: &ReadPlan, node: usize, first: u8) -> Outcome<bool> {
    let is_number = first == b'-' || first.is_ascii_digit();
    let node = &plan.nodes[node];
    Ok(match &node.kind {
        ReadKind::Integer(_) => is_number && reader.number()?.integral,
        ReadKind::Float32 | ReadKind::Float64 => is_number,
        ReadKind::Boolean => matches!(first, b't' | b'f'),
        ReadKind::String => first == b'"',
        ReadKind::Bytes => match node.logical {
            Logical::Decimal(_) => is_number || first == b'"',
            _ => first == b'"',
        },
        ReadKind::Array(_) => first == b'[',
        ReadKind::Map { .. } => matches!(first, b'{' | b'['),
        ReadKind::Struct(_) | ReadKind::OneOf(_) => false,
    })
}

/// How many members of a value, and of the values in it, a struct has fields for.
fn known_members(reader: &mut Reader<'_>, plan: &ReadPlan, node: usize, first: u8) -> Outcome<usize> {
    let ReadKind::Struct(fields) = &plan.nodes[node].kind else { return Ok(0) };
    if first != b'{' {
        return Ok(0);
    }
    let mut known = 0;
    for (name, mut value) in members(reader)? {
        if let Some(at) = fields.find(&name) {
            let first = value.token()?;
            known += 1 + known_members(&mut value, plan, fields.list[at].node, first)?;
        }
    }
    Ok(known)
}
