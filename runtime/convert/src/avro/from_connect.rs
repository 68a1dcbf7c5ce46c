//! Pure. The Avro schema of Connect's, as AvroData.fromConnectSchema makes it.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use weir_data::{Field, Node, Schema, Type, logical};

use super::default_json;
use super::names::*;
use super::schema::{AvroField, AvroNode, AvroSchema, AvroType, Name};

/// The Avro schema of a Connect schema.
pub(crate) fn avro(schema: &Schema, settings: &DataSettings) -> Result<AvroSchema, String> {
    let mut builder = Builder { schema, settings, nodes: Vec::new(), made: HashMap::new(), unnamed: 0 };
    let root = builder.node(0, Wanted::AsItIs)?;
    builder.nodes.iter().try_for_each(check_names)?;
    Ok(AvroSchema { nodes: builder.nodes, root })
}

/// That names are such as Avro allows.
fn check_names(node: &AvroNode) -> Result<(), String> {
    let check = |name: &str| match name.chars().next() {
        None => Err("Empty name".to_owned()),
        Some(first) if !(first.is_alphabetic() || first == '_') => Err(format!("Illegal initial character: {name}")),
        Some(_) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => Ok(()),
        Some(_) => Err(format!("Illegal character in: {name}")),
    };
    let hint = |why: String| format!("{why}; scrub.invalid.names=true replaces what Avro does not allow in names");
    node.name.iter().try_for_each(|name| check(&name.name).map_err(hint))?;
    match &node.kind {
        AvroType::Record(fields) => fields.iter().try_for_each(|field| check(&field.name).map_err(hint)),
        AvroType::Enum { symbols, .. } => symbols.iter().try_for_each(|symbol| check(symbol).map_err(hint)),
        _ => Ok(()), // no names inside
    }
}

/// The schema of values without one.
pub(crate) fn anything() -> AvroSchema {
    let scalars = ["boolean", "bytes", "double", "float", "int", "long", "string"];
    let optional = |kind: Json| Json::from(vec![Json::from("null"), kind]);
    let field = |name: &str, kind: Json| serde_json::json!({"name": name, "type": optional(kind), "default": null});
    let mut fields: Vec<Json> = scalars.iter().map(|name| field(name, Json::from(*name))).collect();
    fields.push(field("array", serde_json::json!({"type": "array", "items": ANYTHING})));
    let entry = serde_json::json!({"type": "record", "name": MAP_ENTRY, "namespace": NAMESPACE, "fields": [
        {"name": "key", "type": ANYTHING}, {"name": "value", "type": ANYTHING}]});
    fields.push(field("map", serde_json::json!({"type": "array", "items": entry})));
    let schema = serde_json::json!({"type": "record", "name": ANYTHING, "fields": fields});
    AvroSchema::parse(&schema.to_string(), &[]).expect("a schema of our own")
}

/// Whether a map's entries stand in Avro's own kind of map.
pub(crate) fn has_text_keys(key: &Node, settings: &DataSettings) -> bool {
    key.kind == Type::String && (!key.optional || settings.allow_optional_map_keys)
}

/// Whether a node is a struct that stands for a union.
pub(crate) fn is_union(node: &Node) -> bool {
    matches!(node.kind, Type::Struct(_)) && node.name.as_deref() == Some(UNION)
}

/// A parameter of a node.
pub(crate) fn parameter<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.parameters.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

/// The size of bytes that stand as a fixed.
pub(crate) fn fixed_size(node: &Node) -> Result<Option<usize>, String> {
    if node.kind != Type::Bytes || node.name.is_none() {
        return Ok(None);
    }
    let size = parameter(node, FIXED_SIZE);
    size.map(|size| size.parse().map_err(|_| format!("{FIXED_SIZE} is {size}, which is no length"))).transpose()
}

/// What is asked of a node's schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A union with null where it is optional.
    AsItIs,
    /// The same as if it were required.
    Required,
}

struct Builder<'a> {
    schema: &'a Schema,
    settings: &'a DataSettings,
    nodes: Vec<AvroNode>,
    /// Required schemas that have been made, which named types need to stand once.
    made: HashMap<Schema, u32>,
    unnamed: usize,
}

impl Builder<'_> {
    fn push(&mut self, node: AvroNode) -> u32 {
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    fn or_default(&mut self, name: Option<&str>) -> Name {
        if let Some(name) = name {
            return split(name, self.settings);
        }
        self.unnamed += 1;
        let number = if self.unnamed > 1 { self.unnamed.to_string() } else { String::new() };
        Name { namespace: Some(NAMESPACE.into()), name: format!("{DEFAULT_NAME}{number}") }
    }

    fn union(&mut self, branches: Vec<u32>) -> u32 {
        self.push(AvroNode::new(AvroType::Union(branches)))
    }

    fn node(&mut self, at: u32, wanted: Wanted) -> Result<u32, String> {
        let node = self.schema.node(at);
        if is_union(node) {
            let mut branches = Vec::new();
            if node.optional && wanted == Wanted::AsItIs {
                branches.push(self.push(AvroNode::new(AvroType::Null)));
            }
            let Type::Struct(fields) = &node.kind else { return Err("a union is a struct".into()) };
            for field in fields {
                branches.push(self.node(field.node, Wanted::Required)?);
            }
            return Ok(self.union(branches));
        }
        let optional = node.optional && wanted == Wanted::AsItIs;
        let base = self.required(at)?;
        if !optional {
            return Ok(base);
        }
        let null = self.push(AvroNode::new(AvroType::Null));
        let is_struct = matches!(node.kind, Type::Struct(_));
        Ok(self.union(if node.default.is_some() && !is_struct { vec![base, null] } else { vec![null, base] }))
    }

    fn required(&mut self, at: u32) -> Result<u32, String> {
        let mut key_nodes = self.schema.subschema(at).nodes().to_vec();
        key_nodes[0].optional = false;
        let key = Schema::new(key_nodes).map_err(|bad| bad.to_string())?;
        if let Some(made) = self.made.get(&key) {
            return Ok(*made);
        }
        let made = self.base(at)?;
        self.metadata(at, made)?;
        self.made.insert(key, made);
        Ok(made)
    }

    /// The schema without what Connect adds to it.
    fn base(&mut self, at: u32) -> Result<u32, String> {
        let schema = self.schema;
        let node = schema.node(at);
        let kind = match &node.kind {
            Type::Int8 | Type::Int16 | Type::Int32 => AvroType::Int,
            Type::Int64 => AvroType::Long,
            Type::Float32 => AvroType::Float,
            Type::Float64 => AvroType::Double,
            Type::Boolean => AvroType::Boolean,
            Type::String => match parameter(node, ENUM).filter(|_| self.settings.enhanced) {
                Some(name) => return Ok(self.enumeration(node, name)),
                None => AvroType::String,
            },
            Type::Bytes => {
                let made = match fixed_size(node)? {
                    Some(size) => {
                        let name = self.or_default(node.name.as_deref());
                        AvroNode { name: Some(name), ..AvroNode::new(AvroType::Fixed(size)) }
                    }
                    None => AvroNode::new(AvroType::Bytes),
                };
                let made = self.push(made);
                if is_decimal(node) {
                    self.decimal(node, made)?;
                }
                return Ok(made);
            }
            Type::Array(items) => AvroType::Array(self.node(*items, Wanted::AsItIs)?),
            Type::Map { key, value } if has_text_keys(schema.node(*key), self.settings) => {
                AvroType::Map(self.node(*value, Wanted::AsItIs)?)
            }
            Type::Map { key, value } => {
                let entry = match node.name.as_deref() {
                    None => Name { namespace: Some(NAMESPACE.into()), name: MAP_ENTRY.into() },
                    Some(name) => split(name, self.settings),
                };
                let mut record = AvroNode { name: Some(entry), ..AvroNode::new(AvroType::Null) };
                if node.name.is_some() {
                    record.props.insert(CONNECT_INTERNAL_TYPE.into(), MAP_ENTRY.into());
                }
                let entry = self.push(record);
                let fields = vec![self.field("key", *key, None)?, self.field("value", *value, None)?];
                self.nodes[entry as usize].kind = AvroType::Record(fields);
                AvroType::Array(entry)
            }
            Type::Struct(fields) => {
                let name = self.or_default(node.name.as_deref());
                let discard = self.settings.discard_type_doc_default;
                let doc = parameter(node, if discard { CONNECT_RECORD_DOC } else { RECORD_DOC });
                let made = AvroNode { name: Some(name), doc: doc.map(Into::into), ..AvroNode::new(AvroType::Null) };
                let record = self.push(made);
                let read = fields.iter().map(|field| self.struct_field(node, field)).collect::<Result<_, _>>()?;
                self.nodes[record as usize].kind = AvroType::Record(read);
                return Ok(record);
            }
        };
        Ok(self.push(AvroNode::new(kind)))
    }

    fn enumeration(&mut self, node: &Node, name: &str) -> u32 {
        let own = self.or_default(node.name.as_deref()).name;
        let prefix = format!("{ENUM}.");
        let symbols = node.parameters.iter().filter_map(|(key, _)| key.strip_prefix(&prefix)).map(Into::into).collect();
        let discard = self.settings.discard_type_doc_default;
        let doc = if discard { CONNECT_ENUM_DOC.to_owned() } else { format!("{ENUM_DOC}{own}") };
        let default = parameter(node, &format!("{ENUM_DEFAULT}{own}")).filter(|_| !discard);
        let kind = AvroType::Enum { symbols, default: default.map(Into::into) };
        let doc = parameter(node, &doc).map(Into::into);
        self.push(AvroNode { name: Some(Name::of(name, None)), doc, ..AvroNode::new(kind) })
    }

    fn struct_field(&mut self, record: &Node, field: &Field) -> Result<AvroField, String> {
        let doc = match self.settings.discard_type_doc_default {
            true => self.schema.node(field.node).doc.as_deref(),
            false => parameter(record, &format!("{FIELD_DOC}{}", field.name)),
        };
        self.field(&scrub(&field.name, self.settings), field.node, doc)
    }

    fn field(&mut self, name: &str, at: u32, doc: Option<&str>) -> Result<AvroField, String> {
        let node = self.schema.node(at);
        let default = match &node.default {
            Some(cell) => Some(default_json::json(self.schema, at, cell, self.settings)?),
            None => node.optional.then_some(Json::Null),
        };
        let made = self.node(at, Wanted::AsItIs)?;
        // Connect leaves out defaults that Avro does not take, with a warning.
        let default = default.filter(|default| self.is_default(made, default));
        Ok(AvroField { name: name.to_owned(), node: made, doc: doc.map(Into::into), default })
    }

    fn is_default(&self, at: u32, json: &Json) -> bool {
        match &self.nodes[at as usize].kind {
            AvroType::Null => json.is_null(),
            AvroType::Boolean => json.is_boolean(),
            AvroType::Int => json.as_i64().is_some_and(|value| i32::try_from(value).is_ok()),
            AvroType::Long => json.is_i64(),
            AvroType::Float | AvroType::Double => json.is_number(),
            AvroType::Bytes | AvroType::String | AvroType::Fixed(_) | AvroType::Enum { .. } => json.is_string(),
            AvroType::Array(items) => {
                json.as_array().is_some_and(|values| values.iter().all(|value| self.is_default(*items, value)))
            }
            AvroType::Map(values) => {
                json.as_object().is_some_and(|entries| entries.values().all(|value| self.is_default(*values, value)))
            }
            AvroType::Union(branches) => branches.iter().any(|&branch| self.is_default(branch, json)),
            AvroType::Record(fields) => json.as_object().is_some_and(|members| {
                let given = |field: &AvroField| members.get(&field.name).or(field.default.as_ref()).cloned();
                fields.iter().all(|field| given(field).is_some_and(|value| self.is_default(field.node, &value)))
            }),
        }
    }

    fn decimal(&mut self, node: &Node, made: u32) -> Result<(), String> {
        let scale = number(node, "scale")?.ok_or("a Decimal has no parameter scale")?;
        let precision = number(node, DECIMAL_PRECISION)?.unwrap_or(PRECISION);
        let props = &mut self.nodes[made as usize].props;
        props.insert("scale".into(), scale.into());
        props.insert("precision".into(), precision.into());
        Ok(())
    }

    /// What Connect adds: its own metadata, then what Avro calls logical types.
    fn metadata(&mut self, at: u32, carrier: u32) -> Result<(), String> {
        let node = self.schema.node(at);
        let mut props = std::mem::take(&mut self.nodes[carrier as usize].props);
        if self.settings.connect_meta_data {
            self.connect_metadata(at, &mut props)?;
        }
        let logical = match node.name.as_deref() {
            Some(name) if name.eq_ignore_ascii_case(logical::DECIMAL) => Some("decimal"),
            Some(name) if name.eq_ignore_ascii_case(logical::TIME) => Some("time-millis"),
            Some(name) if name.eq_ignore_ascii_case(logical::TIMESTAMP) => Some("timestamp-millis"),
            Some(name) if name.eq_ignore_ascii_case(logical::DATE) => Some("date"),
            _ => None,
        };
        if let Some(logical) = logical {
            props.insert("logicalType".into(), logical.into());
        }
        for (key, value) in node.parameters.iter().filter(|(key, _)| key.starts_with("avro")) {
            props.insert(key.clone(), value.clone().into());
        }
        self.nodes[carrier as usize].props = props;
        Ok(())
    }

    fn connect_metadata(&self, at: u32, props: &mut Map<String, Json>) -> Result<(), String> {
        let node = self.schema.node(at);
        let discard = self.settings.discard_type_doc_default;
        if let Some(doc) = &node.doc {
            props.insert(CONNECT_DOC.into(), doc.clone().into());
        }
        if let Some(version) = node.version {
            props.insert(CONNECT_VERSION.into(), version.into());
        }
        let shown = node.parameters.iter().filter(|(key, _)| discard || key != FIELD_DEFAULT);
        let parameters: Map<String, Json> = shown.map(|(key, value)| (key.clone(), value.clone().into())).collect();
        if !parameters.is_empty() {
            props.insert(CONNECT_PARAMETERS.into(), parameters.into());
        }
        if let Some(cell) = &node.default
            && (discard || parameter(node, FIELD_DEFAULT).is_none())
        {
            let json = default_json::json(self.schema, at, cell, self.settings)?;
            props.insert(CONNECT_DEFAULT.into(), json);
        }
        if let Some(name) = &node.name {
            props.insert(CONNECT_NAME.into(), name.clone().into());
        }
        let kind = match node.kind {
            Type::Int8 => Some("int8"),
            Type::Int16 => Some("int16"),
            _ => None, // Avro has types of its own for the others
        };
        if let Some(kind) = kind {
            props.insert(CONNECT_TYPE.into(), kind.into());
        }
        Ok(())
    }
}

fn is_decimal(node: &Node) -> bool {
    node.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(logical::DECIMAL))
}

fn number(node: &Node, key: &str) -> Result<Option<i64>, String> {
    let wrong = |text: &str| format!("the parameter {key} of a Decimal is {text}, which is no number");
    parameter(node, key).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
}
