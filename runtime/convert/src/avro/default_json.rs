//! Pure. Defaults of Connect's schemas, which are cells, as the JSON that Avro's schemas hold.

use serde_json::{Map, Number, Value as Json};
use weir_data::cbor::{self, Head, Malformed, major};
use weir_data::{Schema, Type};

use super::from_connect::{has_text_keys, is_union};
use super::names::{DataSettings, scrub};

/// The JSON of a default under the node at a position.
pub(crate) fn json(schema: &Schema, at: u32, cell: &[u8], settings: &DataSettings) -> Result<Json, String> {
    let printer = Printer { schema, cell, settings };
    let (json, _) = printer.value(at, 0).map_err(|malformed| format!("Invalid default value: {malformed}"))?;
    Ok(json)
}

#[derive(Clone, Copy)]
struct Printer<'a> {
    schema: &'a Schema,
    cell: &'a [u8],
    settings: &'a DataSettings,
}

impl Printer<'_> {
    fn value(&self, node: u32, at: usize) -> Result<(Json, usize), Malformed> {
        let head = cbor::read_head(self.cell, at)?;
        if head.first == cbor::NULL {
            return Ok((Json::Null, head.end));
        }
        let node = self.schema.node(node);
        let mut at = head.end;
        let json = match &node.kind {
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {
                let value = i64::try_from(head.argument).map_err(|_| Malformed::Unsupported)?;
                Json::from(if head.major == major::NEGATIVE { !value } else { value })
            }
            Type::Float32 => {
                // The digits of the float, not those of the double that is the same number.
                let digits = f32::from_bits(head.argument as u32).to_string();
                float(digits.parse().unwrap_or(f64::NAN))
            }
            Type::Float64 => float(f64::from_bits(head.argument)),
            Type::Boolean => Json::Bool(head.first == cbor::TRUE),
            Type::String => {
                let (text, end) = cbor::string_body(self.cell, &head)?;
                at = end;
                Json::from(String::from_utf8_lossy(text))
            }
            Type::Bytes => {
                let (bytes, end) = cbor::string_body(self.cell, &head)?;
                at = end;
                Json::from(bytes.iter().map(|&byte| char::from(byte)).collect::<String>())
            }
            Type::Array(items) => {
                let mut values = Vec::new();
                self.each(&head, &mut at, |at| {
                    let (value, end) = self.value(*items, at)?;
                    values.push(value);
                    Ok(end)
                })?;
                Json::from(values)
            }
            Type::Map { key, value } => {
                let mut entries = Vec::new();
                self.each(&head, &mut at, |at| {
                    let (key, end) = self.value(*key, at)?;
                    let (value, end) = self.value(*value, end)?;
                    entries.push((key, value));
                    Ok(end)
                })?;
                if has_text_keys(self.schema.node(*key), self.settings) {
                    let text = |key: Json| key.as_str().map(str::to_owned).unwrap_or_default();
                    entries.into_iter().map(|(key, value)| (text(key), value)).collect::<Map<_, _>>().into()
                } else {
                    entries.into_iter().map(|(key, value)| Json::from(vec![key, value])).collect()
                }
            }
            Type::Struct(fields) => {
                let mut members = Map::new();
                let mut fields = fields.iter();
                self.each(&head, &mut at, |at| {
                    let field = fields.next().ok_or(Malformed::Unsupported)?;
                    let (value, end) = self.value(field.node, at)?;
                    // A field that is null stands for its own default, as in Struct.get.
                    let own = self.schema.node(field.node).default.as_ref().filter(|_| value.is_null());
                    let own = own.map(|cell| Printer { cell, ..*self }.value(field.node, 0)).transpose()?;
                    members.insert(scrub(&field.name, self.settings), own.map_or(value, |(own, _)| own));
                    Ok(end)
                })?;
                // AvroData takes the first field of a union, set or not.
                if is_union(node) {
                    members.into_iter().next().map_or(Json::Null, |(_, first)| first)
                } else {
                    members.into()
                }
            }
        };
        Ok((json, at))
    }

    fn each(
        &self,
        head: &Head,
        at: &mut usize,
        mut read: impl FnMut(usize) -> Result<usize, Malformed>,
    ) -> Result<(), Malformed> {
        for _ in 0..head.argument {
            *at = read(*at)?;
        }
        Ok(())
    }
}

/// A float; those that JSON has no number for are text, as Jackson writes them.
fn float(value: f64) -> Json {
    let special = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Number::from_f64(value).map_or_else(|| Json::from(special), Json::Number)
}
