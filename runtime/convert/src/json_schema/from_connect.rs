//! Pure. The JSON Schema of Connect's schema, as JsonSchemaData.fromConnectSchema makes it.

use serde_json::{Map, Value as Json, json};
use weir_data::{Node, Schema, Type, logical};

use super::settings::DataSettings;
use crate::json::{ONE_OF, SchemaWriting};

/// The beginning of parameters that are the mapping's own.
pub(super) const NAMESPACE: &str = "io.confluent.connect.json";
/// The parameter of enums; with a dot behind it, the beginning of those with their symbols.
pub(super) const ENUM: &str = "io.confluent.connect.json.Enum";
/// What stands for null among an enum's symbols.
pub(super) const NULL_MARKER: &str = "<NULL>";

/// The JSON Schema of a Connect schema.
pub(crate) fn schema(schema: &Schema, settings: &DataSettings) -> Result<Json, String> {
    Builder { schema, settings }.node(0, None, false)
}

struct Builder<'a> {
    schema: &'a Schema,
    settings: &'a DataSettings,
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

impl Builder<'_> {
    /// The schema of a node; `index` says which field of a struct it is, `required` makes it one without null.
    fn node(&self, at: u32, index: Option<usize>, required: bool) -> Result<Json, String> {
        let node = self.schema.node(at);
        let optional = node.optional && !required;
        if node.name.as_deref() == Some(ONE_OF) && matches!(node.kind, Type::Struct(_)) {
            let mut branches = if optional { vec![json!({"type": "null"})] } else { Vec::new() };
            for (number, field) in self.fields(node).iter().enumerate() {
                branches.push(self.node(field.node, Some(number), true)?);
            }
            return Ok(indexed(object(json!({"oneOf": branches})), index));
        }
        let inner = if optional { None } else { index };
        let base = indexed(self.base(at, node)?, inner);
        if !optional {
            return Ok(base);
        }
        Ok(indexed(object(json!({"oneOf": [{"type": "null"}, base]})), index))
    }

    fn fields(&self, node: &Node) -> Vec<weir_data::Field> {
        match &node.kind {
            Type::Struct(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }

    fn base(&self, at: u32, node: &Node) -> Result<Map<String, Json>, String> {
        let integer = |kind: &str| json!({"type": "integer", "connect.type": kind});
        let mut made = object(match &node.kind {
            Type::Int8 => integer("int8"),
            Type::Int16 => integer("int16"),
            Type::Int32 => integer("int32"),
            Type::Int64 => integer("int64"),
            Type::Float32 => json!({"type": "number", "connect.type": "float32"}),
            Type::Float64 => json!({"type": "number", "connect.type": "float64"}),
            Type::Boolean => json!({"type": "boolean"}),
            Type::String => self.text(node),
            Type::Bytes => {
                let is_number = self.settings.numeric_decimals && node.name.as_deref() == Some(logical::DECIMAL);
                json!({"type": if is_number { "number" } else { "string" }, "connect.type": "bytes"})
            }
            Type::Array(items) => json!({"type": "array", "items": self.node(*items, None, false)?}),
            Type::Map { key, value } => {
                let keys = self.schema.node(*key);
                if keys.kind == Type::String && !keys.optional {
                    let values = self.node(*value, None, false)?;
                    json!({"type": "object", "additionalProperties": values, "connect.type": "map"})
                } else {
                    let properties =
                        json!({"key": self.node(*key, Some(0), false)?, "value": self.node(*value, Some(1), false)?});
                    let entry = json!({"type": "object", "properties": properties});
                    json!({"type": "array", "items": entry, "connect.type": "map"})
                }
            }
            Type::Struct(fields) => {
                let mut properties = Map::new();
                for (number, field) in fields.iter().enumerate() {
                    properties.insert(field.name.clone(), self.node(field.node, Some(number), false)?);
                }
                let mut made = json!({"type": "object"});
                if !properties.is_empty() {
                    made["properties"] = properties.into();
                }
                if !self.settings.additional_properties {
                    made["additionalProperties"] = false.into();
                }
                made
            }
        });
        self.metadata(at, node, &mut made)?;
        Ok(made)
    }

    fn text(&self, node: &Node) -> Json {
        if !node.parameters.iter().any(|(key, _)| key == ENUM) {
            return json!({"type": "string"});
        }
        let prefix = format!("{ENUM}.");
        let symbols = node.parameters.iter().filter_map(|(key, _)| key.strip_prefix(&prefix));
        let symbols = symbols.map(|symbol| if symbol == NULL_MARKER { Json::Null } else { symbol.into() });
        json!({"enum": symbols.collect::<Vec<Json>>()})
    }

    fn metadata(&self, at: u32, node: &Node, made: &mut Map<String, Json>) -> Result<(), String> {
        if let Some(name) = &node.name {
            made.insert("title".into(), name.clone().into());
        }
        if let Some(doc) = &node.doc {
            made.insert("description".into(), doc.clone().into());
        }
        if let Some(version) = node.version {
            made.insert("connect.version".into(), version.into());
        }
        let shown = node.parameters.iter().filter(|(key, _)| !key.starts_with(NAMESPACE));
        let parameters: Map<String, Json> = shown.map(|(key, value)| (key.clone(), value.clone().into())).collect();
        if !parameters.is_empty() {
            made.insert("connect.parameters".into(), parameters.into());
        }
        let is_optional_struct = node.optional && matches!(node.kind, Type::Struct(_));
        if let Some(default) = node.default.as_ref().filter(|_| !is_optional_struct) {
            let writing = SchemaWriting::new(&self.schema.subschema(at), self.settings.numeric_decimals, true)?;
            let text = writing.default(default)?;
            let json = serde_json::from_slice(&text).map_err(|error| format!("Invalid default value: {error}"))?;
            made.insert("default".into(), json);
        }
        Ok(())
    }
}

fn indexed(mut made: Map<String, Json>, index: Option<usize>) -> Json {
    if let Some(index) = index {
        made.insert("connect.index".into(), index.into());
    }
    Json::Object(made)
}
