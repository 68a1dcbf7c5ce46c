//! Pure. Keys, values and header values: a value with or without schema, decoded only when looked at.

use std::rc::Rc;

use weir_data::{Node, Schema, Type, Value, decode_cell, encode_cell, java_text};

use crate::error::{Error, Result};

thread_local! {
    pub(crate) static STRING: Rc<Schema> = Rc::new(Schema::of(Node::new(Type::String)));
    static BYTES: Rc<Schema> = Rc::new(Schema::of(Node::new(Type::Bytes)));
}

/// A value and its schema. Null is [`Value::Null`].
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// The schema; none for a value that describes itself.
    pub schema: Option<Rc<Schema>>,
    /// The value.
    pub value: Value,
}

impl Data {
    /// Null without schema.
    pub fn null() -> Data {
        Data { schema: None, value: Value::Null }
    }

    /// Text under the plain string schema.
    pub fn text(text: impl Into<String>) -> Data {
        Data { schema: Some(STRING.with(Rc::clone)), value: Value::Text(text.into()) }
    }

    /// Bytes under the plain bytes schema.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Data {
        Data { schema: Some(BYTES.with(Rc::clone)), value: Value::Bytes(bytes.into()) }
    }

    /// A value without schema.
    pub fn free(value: impl Into<Value>) -> Data {
        Data { schema: None, value: value.into() }
    }

    /// A value under a schema. Keep one `Rc` for a schema: equal ones are found again, but not for free.
    pub fn under(schema: &Rc<Schema>, value: Value) -> Data {
        Data { schema: Some(schema.clone()), value }
    }

    /// The value of a struct's field, or under a map's text key.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match (&self.value, &self.schema) {
            (Value::Struct(values), Some(schema)) => {
                values.get(schema.fields().iter().position(|field| field.name == name)?)
            }
            (value, _) => value.get(name),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Appends the cell; null appends nothing.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null() {
            return Ok(());
        }
        encode_cell(self.schema.as_deref(), &self.value, out).map_err(Error::data)
    }
}

/// A cell of a batch: bytes, and the schema by which they are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The schema; none for CBOR that describes itself.
    pub schema: Option<&'a Rc<Schema>>,
}

impl<'a> Cell<'a> {
    /// The text, when the schema is a string.
    pub fn as_text(&self) -> Option<&'a str> {
        match self.schema {
            Some(schema) if schema.root().kind == Type::String => std::str::from_utf8(self.bytes).ok(),
            _ => None,
        }
    }

    /// The raw bytes, when the schema is a string or bytes.
    pub fn as_raw(&self) -> Option<&'a [u8]> {
        self.schema.filter(|schema| schema.is_raw()).map(|_| self.bytes)
    }

    /// The value, decoded.
    pub fn value(&self) -> Result<Value> {
        decode_cell(self.schema.map(|schema| &**schema), self.bytes).map_err(Error::data)
    }

    /// Appends the value as Java prints it (`toString`): text as it is, `{a=1}` for maps, `Struct{a=1}` for structs.
    pub fn java_text(&self, out: &mut Vec<u8>) -> Result<()> {
        java_text::append(self.schema.map(|schema| &**schema), self.bytes, usize::MAX, out).map_err(Error::data)
    }

    /// The value with its schema.
    pub fn data(&self) -> Result<Data> {
        Ok(Data { schema: self.schema.cloned(), value: self.value()? })
    }
}

/// Whether two schemas are the same object, which is how batches tell them apart quickly.
pub(crate) fn same_schema(a: Option<&Rc<Schema>>, b: Option<&Rc<Schema>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_print_as_in_java() {
        let text = |data: Data| {
            let (mut bytes, mut out) = (vec![], b"> ".to_vec());
            data.write(&mut bytes).unwrap();
            Cell { bytes: &bytes, schema: data.schema.as_ref() }.java_text(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let schema = Rc::new(Schema::record([("a", Schema::of(Node::new(Type::Int64)))]));
        assert_eq!(text(Data::text("plain")), "> plain");
        assert_eq!(text(Data::under(&schema, Value::Struct(vec![Value::from(7)]))), "> Struct{a=7}");
        assert_eq!(text(Data::free(1.5)), "> 1.5");
    }
}
