//! BooleanConverter, ShortConverter, IntegerConverter, LongConverter, FloatConverter and DoubleConverter: one value in
//! as many bytes as it has, most significant first.

use async_trait::async_trait;
use weir_core::model::{BatchTables, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::cbor::{self, major};
use weir_data::{Cells, Column, Type};

use crate::logical::{self, Logical, type_name};
use crate::{java_class, plain, rows};

/// What a converter converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Boolean,
    Short,
    Integer,
    Long,
    Float,
    Double,
}

impl Primitive {
    fn kind(self) -> Type {
        match self {
            Primitive::Boolean => Type::Boolean,
            Primitive::Short => Type::Int16,
            Primitive::Integer => Type::Int32,
            Primitive::Long => Type::Int64,
            Primitive::Float => Type::Float32,
            Primitive::Double => Type::Float64,
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Primitive::Boolean => "boolean",
            Primitive::Short => "short",
            Primitive::Integer => "integer",
            Primitive::Long => "long",
            Primitive::Float => "float",
            Primitive::Double => "double",
        }
    }

    fn size(self) -> usize {
        match self {
            Primitive::Boolean => 1,
            Primitive::Short => 2,
            Primitive::Integer | Primitive::Float => 4,
            Primitive::Long | Primitive::Double => 8,
        }
    }

    fn deserializer(self) -> &'static str {
        match self {
            Primitive::Boolean => "BooleanDeserializer",
            Primitive::Short => "ShortDeserializer",
            Primitive::Integer => "IntegerDeserializer",
            Primitive::Long => "LongDeserializer",
            Primitive::Float | Primitive::Double => "Deserializer",
        }
    }

    /// Appends the cell of a record, or says what is wrong with it.
    fn read(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let (name, deserializer) = (self.type_name(), self.deserializer());
        let flaw = |what: String| Err(format!("Failed to deserialize {name}: {what}"));
        let size = self.size();
        if bytes.len() != size {
            return flaw(format!("Size of data received by {deserializer} is not {size}"));
        }
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(bytes);
        let bits = i64::from_be_bytes(wide) >> (64 - 8 * size);
        match self {
            Primitive::Boolean => match bits {
                0 => out.push(cbor::FALSE),
                1 => out.push(cbor::TRUE),
                _ => return flaw(format!("Unexpected byte received by {deserializer}: {bits}")),
            },
            Primitive::Short | Primitive::Integer | Primitive::Long => cbor::integer(out, bits),
            Primitive::Float => cbor::float32(out, f32::from_bits(bits as u32)),
            Primitive::Double => cbor::float64(out, f64::from_bits(bits as u64)),
        }
        Ok(())
    }

    /// Appends the bytes of a cell; answers false where it is no value of this type.
    fn write(self, cell: &[u8], out: &mut Vec<u8>) -> Result<bool, cbor::Malformed> {
        let head = cbor::read_head(cell, 0)?;
        let integer = match (head.major, i64::try_from(head.argument)) {
            (major::UNSIGNED, Ok(value)) => Some(value),
            (major::NEGATIVE, Ok(value)) => Some(!value),
            _ => None,
        };
        match (self, head.first, integer) {
            (Primitive::Boolean, cbor::FALSE | cbor::TRUE, _) => out.push(u8::from(head.first == cbor::TRUE)),
            (Primitive::Float, cbor::FLOAT32, _) => out.extend_from_slice(&(head.argument as u32).to_be_bytes()),
            (Primitive::Double, cbor::FLOAT64, _) => out.extend_from_slice(&head.argument.to_be_bytes()),
            (Primitive::Short | Primitive::Integer | Primitive::Long, _, Some(value)) => {
                let size = self.size();
                let spare = 64 - 8 * size;
                if value << spare >> spare != value {
                    return Ok(false);
                }
                out.extend_from_slice(&value.to_be_bytes()[8 - size..]);
            }
            _ => return Ok(false),
        }
        if head.end == cell.len() { Ok(true) } else { Err(cbor::Malformed::Trailing) }
    }

    /// Why cells under a schema are not written, null or not.
    fn wrong_schema(self, schema: Option<&SchemaHandle>) -> Option<String> {
        let kind = &schema?.schema().root().kind;
        let wrong = self == Primitive::Boolean && *kind != Type::Boolean;
        wrong.then(|| format!("Invalid schema type for BooleanConverter: {}", type_name(kind)))
    }

    fn wrong_class(self, class: &str) -> String {
        match self {
            Primitive::Boolean => format!("BooleanConverter is not compatible with objects of type class {class}"),
            _ => format!("Failed to serialize to {} (was class {class}): ", self.type_name()),
        }
    }

    fn write_row(self, schema: Option<&SchemaHandle>, cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let malformed = |malformed: cbor::Malformed| malformed.to_string();
        let class = match schema.map(|schema| schema.schema().root()) {
            Some(node) if node.kind == self.kind() && logical::of(node) == Logical::Plain => {
                return match self.write(cell, out).map_err(malformed)? {
                    true => Ok(()),
                    false => Err(format!("a cell that is no {}", type_name(&node.kind))),
                };
            }
            Some(node) => java_class::of_node(node),
            None => {
                if self.write(cell, out).map_err(malformed)? {
                    return Ok(());
                }
                java_class::of_head(&cbor::read_head(cell, 0).map_err(malformed)?)
            }
        };
        Err(self.wrong_class(class))
    }
}

/// A converter of one of them.
pub(crate) struct PrimitiveConverter(pub(crate) Primitive);

#[async_trait]
impl Converter for PrimitiveConverter {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let handle = plain::plain_schema(&self.0.kind(), true).expect("a plain schema");
        let rows = bytes.ends.len();
        let schema = rows::uniform(&handle, rows, tables);
        let mut column = Column::with_capacity(rows, rows + bytes.data.len());
        let mut faults = Vec::new();
        for row in 0..rows {
            match bytes.get(row).map(|bytes| self.0.read(bytes, &mut column.data)) {
                None => column.push_absent(),
                Some(Ok(())) => column.end_cell(),
                Some(Err(message)) => {
                    column.push_absent();
                    faults.push(rows::fault(row, message));
                }
            }
        }
        Converted { cells: Cells { column, schema }, faults }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let rows = rows::count(&cells);
        let mut bytes = Column::with_capacity(rows, rows * self.0.size());
        let mut faults = Vec::new();
        for row in 0..rows {
            let schema = tables.schemas.get(cells.schema_of(row)).and_then(Option::as_ref);
            let start = bytes.data.len();
            let written = match (self.0.wrong_schema(schema), cells.column.get(row)) {
                (Some(message), _) => Err(message),
                (None, None) => {
                    bytes.push_absent();
                    continue;
                }
                (None, Some(cell)) => self.0.write_row(schema, cell, &mut bytes.data),
            };
            match written {
                Ok(()) => bytes.end_cell(),
                Err(message) => {
                    bytes.data.truncate(start);
                    bytes.push_absent();
                    faults.push(rows::fault(row, message));
                }
            }
        }
        Serialized { bytes, faults }
    }
}
