//! Pure. Records as JSON: values as Connect's JsonConverter writes them without schemas.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use weir_sdk::{Cell, Error, Result, Schema, SinkRecord, Type, Value};

/// The body of a request: an array of records, or of their values.
pub fn body(records: &[SinkRecord<'_>], whole: bool) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut json = serde_json::Serializer::new(&mut body);
    let mut array = json.serialize_seq(Some(records.len())).map_err(Error::fatal)?;
    for record in records {
        if whole {
            array.serialize_element(&Whole::of(record)?).map_err(Error::fatal)?;
        } else {
            array.serialize_element(&Datum::of(record.value())?).map_err(Error::fatal)?;
        }
    }
    SerializeSeq::end(array).map_err(Error::fatal)?;
    Ok(body)
}

#[derive(serde::Serialize)]
struct Whole<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Datum<'a>,
    value: Datum<'a>,
    headers: Vec<HeaderDatum<'a>>,
}

#[derive(serde::Serialize)]
struct HeaderDatum<'a> {
    name: &'a str,
    value: Datum<'a>,
}

impl<'a> Whole<'a> {
    fn of(record: &SinkRecord<'a>) -> Result<Whole<'a>> {
        let headers =
            record.headers().map(|header| Ok(HeaderDatum { name: header.name, value: Datum::of(header.value)? }));
        Ok(Whole {
            topic: record.topic(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp: record.timestamp(),
            key: Datum::of(record.key())?,
            value: Datum::of(record.value())?,
            headers: headers.collect::<Result<_>>()?,
        })
    }
}

/// A decoded value with its schema.
struct Datum<'a> {
    schema: Option<&'a Schema>,
    value: Value,
}

impl<'a> Datum<'a> {
    fn of(cell: Option<Cell<'a>>) -> Result<Datum<'a>> {
        let Some(cell) = cell else { return Ok(Datum { schema: None, value: Value::Null }) };
        Ok(Datum { schema: cell.schema.map(|schema| &**schema), value: cell.value()? })
    }
}

impl Serialize for Datum<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Part { schema: self.schema.map(|schema| (schema, 0)), value: &self.value }.serialize(serializer)
    }
}

/// A part of a value with its place in the schema.
#[derive(Clone, Copy)]
struct Part<'a> {
    schema: Option<(&'a Schema, u32)>,
    value: &'a Value,
}

impl<'a> Part<'a> {
    fn kind(&self) -> Option<&'a Type> {
        self.schema.map(|(schema, at)| &schema.nodes()[at as usize].kind)
    }

    fn inner(&self, at: Option<u32>, value: &'a Value) -> Part<'a> {
        Part { schema: self.schema.zip(at).map(|((schema, _), at)| (schema, at)), value }
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float32(value) => serializer.serialize_f32(*value),
            Value::Float64(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::Array(values) => {
                let item = match self.kind() {
                    Some(Type::Array(item)) => Some(*item),
                    _ => None,
                };
                serializer.collect_seq(values.iter().map(|value| self.inner(item, value)))
            }
            Value::Map(entries) => {
                let (of_keys, of_values) = match self.kind() {
                    Some(Type::Map { key, value }) => (Some(*key), Some(*value)),
                    _ => (None, None),
                };
                if entries.iter().all(|(key, _)| key.as_text().is_some()) {
                    let entry = |(key, value)| (self.inner(of_keys, key), self.inner(of_values, value));
                    return serializer.collect_map(entries.iter().map(|(key, value)| entry((key, value))));
                }
                let pair = |(key, value)| [self.inner(of_keys, key), self.inner(of_values, value)];
                serializer.collect_seq(entries.iter().map(|(key, value)| pair((key, value))))
            }
            Value::Struct(values) => {
                let fields = match self.kind() {
                    Some(Type::Struct(fields)) => fields.as_slice(),
                    _ => &[],
                };
                let mut map = serializer.serialize_map(Some(values.len()))?;
                for (field, value) in fields.iter().zip(values) {
                    map.serialize_entry(&field.name, &self.inner(Some(field.node), value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use weir_sdk::{Data, Node, SinkBatch};

    fn text(values: &[Data], whole: bool) -> String {
        let batch = SinkBatch::of_values("t", 3, 7, values).unwrap();
        let records: Vec<_> = batch.iter().collect();
        String::from_utf8(body(&records, whole).unwrap()).unwrap()
    }

    #[test]
    fn values_of_every_kind_are_json() {
        let item =
            Schema::record([("n", Schema::of(Node::new(Type::Int32))), ("s", Schema::of(Node::new(Type::String)))]);
        let schema = Rc::new(item);
        let values = [
            Data::text("a \"b\""),
            Data::bytes([1, 2, 255]),
            Data::free(1.5),
            Data::free(f64::NAN),
            Data::null(),
            Data::free(Value::map([("a", Value::Array(vec![Value::from(1), Value::Boolean(true)]))])),
            Data::under(&schema, Value::Struct(vec![Value::from(4), Value::from("x")])),
        ];
        let expected = r#"["a \"b\"","AQL/",1.5,null,null,{"a":[1,true]},{"n":4,"s":"x"}]"#;
        assert_eq!(text(&values, false), expected);
    }

    #[test]
    fn whole_records_say_where_they_come_from() {
        let expected =
            r#"[{"topic":"t","partition":3,"offset":7,"timestamp":null,"key":null,"value":"v","headers":[]}]"#;
        assert_eq!(text(&[Data::text("v")], true), expected);
        assert_eq!(text(&[], true), "[]");
    }
}
