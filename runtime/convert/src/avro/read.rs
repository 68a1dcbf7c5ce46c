//! Pure. Avro's binary encoding to cells, by the plan of a schema. Reading is bounded: never past the end, and no more
//! than a batch may grow to.

use weir_data::cbor::{self, major};
use weir_data::{limits, logical::Logical};

use super::to_connect::{ReadKind, ReadNode, Readable};
use crate::json::keep_last;
use crate::{decimal, java_text};

/// Bytes of a record and where the next one is read.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What a batch may grow to.
    most: usize,
}

const TRUNCATED: &str = "the record ends inside a value";

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).ok_or(TRUNCATED)?;
        let taken = self.bytes.get(self.at..end).ok_or(TRUNCATED)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many bytes as were asked for"))
    }

    #[inline]
    fn long(&mut self) -> Result<i64, String> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(TRUNCATED)?;
            self.at += 1;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err("Invalid long encoding".into())
    }

    fn int(&mut self) -> Result<i32, String> {
        i32::try_from(self.long()?).map_err(|_| "Invalid int encoding".into())
    }

    /// The bytes behind a length.
    fn sized(&mut self) -> Result<&'a [u8], String> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| format!("Malformed data. Length is negative: {length}"))?;
        self.take(length)
    }

    /// How many elements the next block of an array or map has.
    fn block(&mut self) -> Result<u64, String> {
        let count = self.long()?;
        if count < 0 {
            self.long()?; // how many bytes they take
        }
        Ok(count.unsigned_abs())
    }

    fn branch(&mut self, count: usize) -> Result<usize, String> {
        let branch = self.long()?;
        let found = usize::try_from(branch).ok().filter(|&found| found < count);
        found.ok_or_else(|| format!("a union has {count} branches, and the record chooses number {branch}"))
    }

    fn room(&self, out: &[u8]) -> Result<(), String> {
        java_text::room(out, self.most).map_err(|too_large| too_large.to_string())
    }
}

impl Readable {
    /// Appends the cell of a record to a batch that is to take `most` bytes. Answers false, and appends nothing, where
    /// the record is null.
    pub(crate) fn cell(&self, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        let mut reader = Reader { bytes, at: 0, most };
        let root = &self.nodes[0];
        reader.room(out)?;
        if let Some(union) = root.union {
            let count = if union.null.is_some() { 2 } else { 1 };
            if Some(reader.branch(count)?) == union.null {
                return Ok(false);
            }
        }
        match (&root.kind, root.union, root.logical) {
            // Confluent's clients write bytes that are a whole record as they are, without their length.
            (ReadKind::Bytes, None, logical) => out.extend_from_slice(bytes_of(bytes, logical)),
            (ReadKind::Bytes, Some(_), logical) => out.extend_from_slice(bytes_of(reader.sized()?, logical)),
            (ReadKind::Fixed(size), _, logical) => out.extend_from_slice(bytes_of(reader.take(*size)?, logical)),
            (ReadKind::String, ..) => java_text::replaced(reader.sized()?, out),
            (ReadKind::Enum(symbols), ..) => {
                let text = symbol(symbols, reader.long()?)?;
                let head = cbor::read_head(text, 0).map_err(|malformed| malformed.to_string())?;
                out.extend_from_slice(&text[head.end..]);
            }
            (ReadKind::Union(..), ..) => {
                let start = out.len();
                self.bare(root, &mut reader, out)?;
                if out.len() == start + 1 && out[start] == cbor::NULL {
                    out.truncate(start);
                    return Ok(false);
                }
            }
            _ => self.bare(root, &mut reader, out)?,
        }
        Ok(true)
    }

    fn value(&self, position: u32, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let node = &self.nodes[position as usize];
        if let Some(union) = node.union {
            let count = if union.null.is_some() { 2 } else { 1 };
            if Some(reader.branch(count)?) == union.null {
                out.push(cbor::NULL);
                return Ok(());
            }
        }
        self.bare(node, reader, out)
    }

    fn bare(&self, node: &ReadNode, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        match &node.kind {
            ReadKind::Boolean => out.push(if reader.array()? == [1u8] { cbor::TRUE } else { cbor::FALSE }),
            ReadKind::Int(bits) => {
                let value = reader.int()?;
                let value = value << (32 - bits) >> (32 - bits);
                if node.logical == Logical::Time && !(0..=86_400_000).contains(&value) {
                    return Err(
                        "Time values must use number of milliseconds greater than 0 and less than 86400000".into()
                    );
                }
                cbor::integer(out, i64::from(value));
            }
            ReadKind::Long => cbor::integer(out, reader.long()?),
            ReadKind::Float => cbor::float32(out, f32::from_le_bytes(reader.array()?)),
            ReadKind::Double => cbor::float64(out, f64::from_le_bytes(reader.array()?)),
            ReadKind::Bytes => cbor::bytes(out, bytes_of(reader.sized()?, node.logical)),
            ReadKind::Fixed(size) => cbor::bytes(out, bytes_of(reader.take(*size)?, node.logical)),
            ReadKind::String => text(reader.sized()?, out),
            ReadKind::Enum(symbols) => {
                let text = symbol(symbols, reader.long()?)?;
                cbor::put(out, text);
            }
            ReadKind::Array(element) => {
                container(reader, out, major::ARRAY, |reader, out| self.value(*element, reader, out))?
            }
            ReadKind::Map(value) => container(reader, out, major::MAP, |reader, out| {
                text(reader.sized()?, out);
                self.value(*value, reader, out)
            })?,
            ReadKind::Entries { key, value, key_first } => container(reader, out, major::MAP, |reader, out| {
                if *key_first {
                    self.value(*key, reader, out)?;
                    return self.value(*value, reader, out);
                }
                let start = out.len();
                self.value(*value, reader, out)?;
                let middle = out.len();
                self.value(*key, reader, out)?;
                out[start..].rotate_left(middle - start);
                Ok(())
            })?,
            ReadKind::Struct(fields) => {
                reader.room(out)?;
                cbor::head(out, major::ARRAY, fields.len() as u64);
                for &field in fields {
                    self.value(field, reader, out)?;
                }
            }
            ReadKind::Union(branches, count) => {
                reader.room(out)?;
                let Some((field, position)) = branches[reader.branch(branches.len())?] else {
                    out.push(cbor::NULL);
                    return Ok(());
                };
                cbor::head(out, major::ARRAY, *count as u64);
                out.resize(out.len() + field, cbor::NULL);
                self.value(position, reader, out)?;
                out.resize(out.len() + count - field - 1, cbor::NULL);
            }
        }
        Ok(())
    }
}

/// Appends what stands in blocks as an array or a map.
fn container(
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
    major: u8,
    mut element: impl FnMut(&mut Reader<'_>, &mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let start = out.len();
    out.push(0);
    let mut count = 0;
    loop {
        let block = reader.block()?;
        if block == 0 {
            break;
        }
        for _ in 0..block {
            reader.room(out)?;
            element(reader, out)?;
            count += 1;
        }
    }
    if major == major::MAP && count > 1 {
        count = keep_last(out, start + 1, count);
    }
    cbor::patch_head(out, start, major, count);
    Ok(())
}

fn symbol(symbols: &[Vec<u8>], number: i64) -> Result<&[u8], String> {
    let found = usize::try_from(number).ok().and_then(|number| symbols.get(number));
    let wrong = || format!("an enum has {} symbols, and the record chooses number {number}", symbols.len());
    found.map(Vec::as_slice).ok_or_else(wrong)
}

fn bytes_of(bytes: &[u8], logical: Logical) -> &[u8] {
    if matches!(logical, Logical::Decimal(_)) { decimal::shortest(bytes) } else { bytes }
}

/// Appends text; bytes that are not UTF-8 are replaced as Java does.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    if std::str::from_utf8(bytes).is_ok() {
        return cbor::text(out, bytes);
    }
    let mut replaced = Vec::with_capacity(bytes.len());
    java_text::replaced(bytes, &mut replaced);
    cbor::text(out, &replaced);
}

/// Appends the cell of a record of Anything, which holds a value without schema; false where it is null.
pub(crate) fn anything(bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
    let mut reader = Reader { bytes, at: 0, most };
    let start = out.len();
    free(&mut reader, out, limits::DEPTH)?;
    if out.len() == start + 1 && out[start] == cbor::NULL {
        out.truncate(start);
        return Ok(false);
    }
    Ok(true)
}

/// How many members Anything has, and which of them an array and a map are.
const MEMBERS: usize = 9;

fn free(reader: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("nested deeper than {}", limits::DEPTH))?;
    reader.room(out)?;
    let start = out.len();
    for member in 0..MEMBERS {
        if reader.branch(2)? == 0 {
            continue;
        }
        let taken = out.len() > start;
        let kept = out.len();
        match member {
            0 => out.push(if reader.array()? == [1u8] { cbor::TRUE } else { cbor::FALSE }),
            1 => cbor::bytes(out, reader.sized()?),
            2 => cbor::float64(out, f64::from_le_bytes(reader.array()?)),
            3 => cbor::float32(out, f32::from_le_bytes(reader.array()?)),
            4 => cbor::integer(out, i64::from(reader.int()?)),
            5 => cbor::integer(out, reader.long()?),
            6 => text(reader.sized()?, out),
            7 => container(reader, out, major::ARRAY, |reader, out| free(reader, out, depth))?,
            _ => container(reader, out, major::MAP, |reader, out| {
                let key = out.len();
                free(reader, out, depth)?;
                match out[key] >> 5 {
                    major::TEXT => free(reader, out, depth),
                    _ => Err("a map without schema has a key that is not text".into()),
                }
            })?,
        }
        if taken {
            out.truncate(kept); // the first one counts
        }
    }
    if out.len() == start {
        out.push(cbor::NULL);
    }
    Ok(())
}
