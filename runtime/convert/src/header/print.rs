//! Pure. Header values as text, as Connect's `Values.convertToString` prints them.

use weir_data::cbor::{self, Malformed, major};
use weir_data::{Schema, Type, limits};

use crate::java_text::{self, Unprintable, date};
use crate::logical::{self, Logical};
use crate::{base64, decimal};

/// Appends a cell as text to texts that are to take `most` bytes.
pub(crate) fn print(schema: Option<&Schema>, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Unprintable> {
    java_text::room(out, most)?;
    let mut printer = Printer { cell, most, out };
    let end = match schema {
        None => printer.free(0, false, limits::DEPTH)?,
        Some(schema) => match schema.root().kind {
            Type::String => {
                printer.out.extend_from_slice(cell);
                return Ok(());
            }
            Type::Bytes => {
                printer.bytes(cell, logical::of(schema.root()), false)?;
                return Ok(());
            }
            _ => printer.by_schema(schema, 0, 0, false)?,
        },
    };
    if end == cell.len() { Ok(()) } else { Err(Malformed::Trailing.into()) }
}

struct Printer<'a> {
    cell: &'a [u8],
    most: usize,
    out: &'a mut Vec<u8>,
}

impl Printer<'_> {
    fn separate(&mut self, entry: u64) {
        if entry > 0 {
            self.out.push(b',');
        }
    }

    fn free(&mut self, at: usize, embedded: bool, depth: usize) -> Result<usize, Unprintable> {
        let head = cbor::read_head(self.cell, at)?;
        let mut at = head.end;
        match head.major {
            major::ARRAY => {
                let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
                self.out.push(b'[');
                for element in 0..head.argument {
                    self.separate(element);
                    at = self.free(at, true, depth)?;
                }
                self.out.push(b']');
                Ok(at)
            }
            major::MAP => {
                let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
                self.out.push(b'{');
                for entry in 0..head.argument {
                    self.separate(entry);
                    at = self.free(at, true, 0)?;
                    self.out.push(b':');
                    at = self.free(at, true, depth)?;
                }
                self.out.push(b'}');
                Ok(at)
            }
            _ => self.scalar(&head, Logical::Plain, embedded),
        }
    }

    fn by_schema(&mut self, schema: &Schema, node: u32, at: usize, embedded: bool) -> Result<usize, Unprintable> {
        let node = schema.node(node);
        let head = cbor::read_head(self.cell, at)?;
        let mut at = head.end;
        match (&node.kind, head.major) {
            (Type::Array(element), major::ARRAY) => {
                self.out.push(b'[');
                for position in 0..head.argument {
                    self.separate(position);
                    at = self.by_schema(schema, *element, at, true)?;
                }
                self.out.push(b']');
                Ok(at)
            }
            (Type::Map { key, value }, major::MAP) => {
                self.out.push(b'{');
                for entry in 0..head.argument {
                    self.separate(entry);
                    at = self.by_schema(schema, *key, at, true)?;
                    self.out.push(b':');
                    at = self.by_schema(schema, *value, at, true)?;
                }
                self.out.push(b'}');
                Ok(at)
            }
            (Type::Struct(fields), major::ARRAY) if head.argument == fields.len() as u64 => {
                java_text::room(self.out, self.most)?;
                self.out.push(b'{');
                for (position, field) in fields.iter().enumerate() {
                    self.separate(position as u64);
                    self.text(field.name.as_bytes(), true);
                    self.out.push(b':');
                    at = self.field(schema, field.node, at)?;
                }
                self.out.push(b'}');
                Ok(at)
            }
            (_, major::ARRAY | major::MAP) => Err(Malformed::Unsupported.into()),
            _ => self.scalar(&head, logical::of(node), embedded),
        }
    }

    /// A field of a struct: its default where it is null and has one.
    fn field(&mut self, schema: &Schema, node: u32, at: usize) -> Result<usize, Unprintable> {
        if let (Some(&cbor::NULL), Some(default)) = (self.cell.get(at), &schema.node(node).default) {
            java_text::room(self.out, self.most)?;
            let mut inner = Printer { cell: default, most: self.most, out: self.out };
            inner.by_schema(schema, node, 0, true)?;
            return Ok(at + 1);
        }
        self.by_schema(schema, node, at, true)
    }

    fn scalar(&mut self, head: &cbor::Head, logical: Logical, embedded: bool) -> Result<usize, Unprintable> {
        match (head.major, head.first) {
            (major::TEXT, _) => {
                let (text, end) = cbor::string_body(self.cell, head)?;
                self.text(text, embedded);
                return Ok(end);
            }
            (major::BYTES, _) => {
                let (body, end) = cbor::string_body(self.cell, head)?;
                self.bytes(body, logical, embedded)?;
                return Ok(end);
            }
            (major::UNSIGNED | major::NEGATIVE, _) => {
                let value = i64::try_from(head.argument).map_err(|_| Malformed::Unsupported)?;
                let value = if head.major == major::NEGATIVE { !value } else { value };
                match logical {
                    Logical::Date => self.moment(value.saturating_mul(date::DAY)),
                    Logical::Time | Logical::Timestamp => self.moment(value),
                    _ => self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
                }
            }
            (_, cbor::TRUE) => self.out.extend_from_slice(b"true"),
            (_, cbor::FALSE) => self.out.extend_from_slice(b"false"),
            (_, cbor::NULL) => self.out.extend_from_slice(b"null"),
            (_, cbor::FLOAT32) => java_text::single(f32::from_bits(head.argument as u32), self.out),
            (_, cbor::FLOAT64) => java_text::double(f64::from_bits(head.argument), self.out),
            _ => return Err(Malformed::Unsupported.into()),
        }
        Ok(head.end)
    }

    fn text(&mut self, text: &[u8], embedded: bool) {
        if !embedded {
            return self.out.extend_from_slice(text);
        }
        self.out.push(b'"');
        for &byte in text {
            if matches!(byte, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(byte);
        }
        self.out.push(b'"');
    }

    fn bytes(&mut self, body: &[u8], logical: Logical, embedded: bool) -> Result<(), Malformed> {
        if let Logical::Decimal(Some(scale)) = logical {
            return decimal::print(body, scale, self.out);
        }
        let quote: &[u8] = if embedded { b"\"" } else { b"" };
        self.out.extend_from_slice(quote);
        base64::encode(body, self.out);
        self.out.extend_from_slice(quote);
        Ok(())
    }

    /// What lies within the first day is printed as a time, whole days as a date, whatever the schema says.
    fn moment(&mut self, millis: i64) {
        if millis >= date::DAY {
            date::iso_date(millis, self.out);
            if millis % date::DAY == 0 {
                return;
            }
            self.out.push(b'T');
        }
        date::iso_time(millis, self.out);
    }
}
