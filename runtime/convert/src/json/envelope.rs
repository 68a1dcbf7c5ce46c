//! Pure. JSON with a schema: the envelope of `schema` and `payload`, the schemas seen lately, and cells laid out by
//! them.

use std::collections::HashMap;

use weir_core::model::SchemaHandle;
use weir_data::{Schema, cbor, limits};

use super::by_schema;
use super::dialect::Dialect;
use super::flaw::{Flaw, Outcome, data};
use super::read_plan::{ReadKind, ReadPlan};
use super::reader::Reader;
use super::schema_reader;
use crate::logical::Logical;
use crate::plain;

const NO_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not \
    contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your \
    converter configuration.";

/// A schema that was read, with its plan.
#[derive(Clone)]
pub(crate) struct Known {
    /// Its handle.
    pub(crate) handle: SchemaHandle,
    plan: std::sync::Arc<ReadPlan>,
}

/// Schemas by the text they were read from.
pub(crate) struct Schemas {
    replace_null_with_default: bool,
    size: usize,
    /// Bytes of what is kept, about.
    bytes: usize,
    by_text: HashMap<Box<[u8]>, Known>,
    by_schema: HashMap<Schema, Known>,
    /// The text and schema used last: a topic's records mostly share one.
    last: Option<(Box<[u8]>, Known)>,
}

impl Schemas {
    /// None yet; at most `size` are kept.
    pub(crate) fn new(size: usize, replace_null_with_default: bool) -> Schemas {
        let size = size.max(1);
        Schemas {
            replace_null_with_default,
            size,
            bytes: 0,
            by_text: HashMap::new(),
            by_schema: HashMap::new(),
            last: None,
        }
    }

    /// The schema at the cursor, which moves behind it; none for null.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Outcome<Option<Known>> {
        reader.token()?;
        let start = reader.at;
        if let Some((text, known)) = &self.last
            && reader.text[start..].starts_with(text)
        {
            reader.at += text.len();
            return Ok(Some(known.clone()));
        }
        reader.skip()?;
        let text = &reader.text[start..reader.at];
        let known = match self.by_text.get(text) {
            Some(known) => known.clone(),
            None => {
                let mut again = reader.moved_to(start);
                match schema_reader::read(&mut again, self.replace_null_with_default)? {
                    None => return Ok(None),
                    Some(schema) => self.keep(text, schema),
                }
            }
        };
        self.last = Some((text.into(), known.clone()));
        Ok(Some(known))
    }

    fn keep(&mut self, text: &[u8], schema: Schema) -> Known {
        self.bytes += text.len() + schema.bytes();
        let full = self.bytes > limits::SCHEMAS_BYTES;
        if full {
            self.bytes = text.len() + schema.bytes();
        }
        if full || self.by_text.len() >= self.size {
            self.by_text.clear();
        }
        if full || self.by_schema.len() >= self.size {
            self.by_schema.clear();
        }
        let known = self.by_schema.entry(schema).or_insert_with_key(|schema| {
            let handle = plain::handle_of(schema).unwrap_or_else(|| SchemaHandle::new(schema.clone()));
            Known { plan: ReadPlan::new(schema, self.replace_null_with_default, Dialect::Connect).into(), handle }
        });
        self.by_text.insert(text.into(), known.clone());
        known.clone()
    }
}

/// What a record turned out to be.
pub(crate) struct Read {
    /// Its schema; none when it has none.
    pub(crate) known: Option<Known>,
    /// Whether it is more than null.
    pub(crate) present: bool,
}

/// Appends the cell of the enveloped record at the cursor. A payload without schema is left to `free`.
pub(crate) fn transcode(
    reader: &mut Reader<'_>,
    schemas: &mut Schemas,
    out: &mut Vec<u8>,
    mut free: impl FnMut(&mut Reader<'_>, &mut Vec<u8>) -> Outcome<bool>,
) -> Outcome<Read> {
    if reader.is_blank() || reader.token()? != b'{' {
        return not_an_envelope(reader);
    }
    let start = reader.at;
    let cell = out.len();
    // Whatever is unusual, flaws among it, is looked at again with all members known.
    if let Ok(Some(read)) = in_order(reader, schemas, out, &mut free) {
        return Ok(read);
    }
    out.truncate(cell);
    reader.at = start;
    let members = by_schema::members(reader)?;
    let find = |name: &[u8]| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.at);
    let (Some(schema), Some(at), 2) = (find(b"schema"), find(b"payload"), members.len()) else {
        return data(NO_ENVELOPE);
    };
    let known = schemas.read(&mut reader.moved_to(schema))?;
    let present = payload(&mut reader.moved_to(at), known.as_ref(), out, &mut free)?;
    Ok(Read { known, present })
}

/// The envelope as converters write it: the schema, then the payload, then nothing.
fn in_order(
    reader: &mut Reader<'_>,
    schemas: &mut Schemas,
    out: &mut Vec<u8>,
    free: &mut impl FnMut(&mut Reader<'_>, &mut Vec<u8>) -> Outcome<bool>,
) -> Outcome<Option<Read>> {
    const SCHEMA: &[u8] = b"{\"schema\":";
    const PAYLOAD: &[u8] = b"\"payload\"";
    if !reader.text[reader.at..].starts_with(SCHEMA) {
        return Ok(None);
    }
    reader.at += SCHEMA.len();
    let known = schemas.read(reader)?;
    if !reader.more(b'}')? || reader.token()? != b'"' || !reader.text[reader.at..].starts_with(PAYLOAD) {
        return Ok(None);
    }
    reader.at += PAYLOAD.len();
    reader.colon()?;
    let present = payload(reader, known.as_ref(), out, free)?;
    Ok(if reader.more(b'}')? { None } else { Some(Read { known, present }) })
}

fn not_an_envelope(reader: &mut Reader<'_>) -> Outcome<Read> {
    if !reader.is_blank() {
        reader.skip()?;
    }
    data(NO_ENVELOPE)
}

fn payload(
    reader: &mut Reader<'_>,
    known: Option<&Known>,
    out: &mut Vec<u8>,
    free: &mut impl FnMut(&mut Reader<'_>, &mut Vec<u8>) -> Outcome<bool>,
) -> Outcome<bool> {
    match known {
        None => free(reader, out),
        Some(known) => root(reader, known, out),
    }
}

/// Appends the cell of the value at the cursor under a schema: raw under strings and bytes, else CBOR. Answers false,
/// and appends nothing, where the value is null.
pub(crate) fn root(reader: &mut Reader<'_>, known: &Known, out: &mut Vec<u8>) -> Outcome<bool> {
    by_plan(reader, &known.plan, out)
}

/// The same by a plan.
#[inline]
pub(super) fn by_plan(reader: &mut Reader<'_>, plan: &ReadPlan, out: &mut Vec<u8>) -> Outcome<bool> {
    let node = &plan.nodes[0];
    let start = out.len();
    if matches!(node.kind, ReadKind::String) && node.logical == Logical::Plain && reader.token()? == b'"' {
        match reader.string()? {
            super::reader::Text::Plain(text) => out.extend_from_slice(text),
            super::reader::Text::Escaped => reader.unescape(out)?,
        }
        return Ok(true);
    }
    match by_schema::transcode(reader, plan, 0, out) {
        // A record may be null where its schema says it may not be, when Jackson found nothing of the kind.
        Err(flaw) if matches!(&*flaw, Flaw::NullFor { place, .. } if place.is_empty()) => {
            out.truncate(start);
            return Ok(false);
        }
        other => other?,
    }
    if out.len() == start + 1 && out[start] == cbor::NULL {
        out.truncate(start);
        return Ok(false);
    }
    if matches!(node.kind, ReadKind::String | ReadKind::Bytes) {
        let head = cbor::read_head(out, start).expect("a string that was just written");
        out.drain(start..head.end);
    }
    Ok(true)
}
