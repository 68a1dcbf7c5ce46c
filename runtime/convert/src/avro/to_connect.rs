//! Pure. Connect's schema of an Avro schema, as AvroData.toConnectSchema makes it, with the plan by which records of it
//! become cells.

use serde_json::Value as Json;
use weir_data::{Field, Node, Schema, Type, cbor, limits, logical};

use super::default;
use super::names::*;
use super::schema::{AvroNode, AvroSchema, AvroType};

/// Where a value stands among the branches of a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Optional {
    /// The branch that is null.
    pub(crate) null: Option<usize>,
    /// The branch that is the value.
    pub(crate) value: usize,
}

/// How a node's values stand in Avro.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReadKind {
    Boolean,
    /// An integer, of which so many bits are kept.
    Int(u32),
    Long,
    Float,
    Double,
    Bytes,
    Fixed(usize),
    String,
    /// The symbols as CBOR texts.
    Enum(Vec<Vec<u8>>),
    Array(u32),
    Map(u32),
    Entries {
        key: u32,
        value: u32,
        key_first: bool,
    },
    Struct(Vec<u32>),
    /// For each branch its field, or none for null; and how many fields there are.
    Union(Vec<Option<(usize, u32)>>, usize),
}

/// How a node is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadNode {
    pub(crate) union: Option<Optional>,
    pub(crate) kind: ReadKind,
    pub(crate) logical: logical::Logical,
}

/// A schema with its plan: nodes at the same positions.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) schema: Schema,
    pub(crate) nodes: Vec<ReadNode>,
}

/// Connect's schema of an Avro schema; `version` is that of the registry, which counts where the schema says none.
pub(crate) fn readable(avro: &AvroSchema, settings: &DataSettings, version: Option<i32>) -> Result<Readable, String> {
    let mut builder = Builder { avro, settings, nodes: Vec::new(), plan: Vec::new(), inside: Vec::new() };
    builder.node(avro.root, Asked { version, ..Asked::default() })?;
    let schema = Schema::new(builder.nodes).map_err(|bad| bad.to_string())?;
    for (node, read) in schema.nodes().iter().zip(&mut builder.plan) {
        read.logical = logical::of(node);
    }
    Ok(Readable { schema, nodes: builder.plan })
}

/// What stands around a node.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    union: Option<Optional>,
    field_default: Option<&'a Json>,
    doc: Option<&'a str>,
    version: Option<i32>,
    optional: bool,
}

struct Builder<'a> {
    avro: &'a AvroSchema,
    settings: &'a DataSettings,
    nodes: Vec<Node>,
    plan: Vec<ReadNode>,
    /// The named types around.
    inside: Vec<u32>,
}

fn set(parameters: &mut Vec<(String, String)>, key: String, value: String) {
    match parameters.iter_mut().find(|(known, _)| *known == key) {
        Some(known) => known.1 = value,
        None => parameters.push((key, value)),
    }
}

impl<'a> Builder<'a> {
    fn push(&mut self) -> Result<usize, String> {
        if self.nodes.len() >= limits::NODES {
            return Err(format!("the schema has more than {} nodes once it is spelled out", limits::NODES));
        }
        self.nodes.push(Node::new(Type::Boolean));
        let unset = ReadNode { union: None, kind: ReadKind::Boolean, logical: logical::Logical::Plain };
        self.plan.push(unset);
        Ok(self.nodes.len() - 1)
    }

    fn node(&mut self, at: u32, asked: Asked<'a>) -> Result<u32, String> {
        if self.inside.len() > limits::DEPTH {
            return Err(format!("nested deeper than {}", limits::DEPTH));
        }
        if self.inside.contains(&at) {
            let name = self.avro.node(at).full_name();
            return Err(format!(
                "the schema {name} holds itself, which schemas of records cannot do here; replace the field that \
                 holds {name} again"
            ));
        }
        self.inside.push(at);
        let made = self.fresh(at, asked);
        self.inside.pop();
        made
    }

    fn fresh(&mut self, at: u32, asked: Asked<'a>) -> Result<u32, String> {
        let avro = self.avro.node(at);
        if let AvroType::Union(branches) = &avro.kind
            && let Some((branch, union, optional)) = self.flattened(branches)
        {
            let inner = Asked { union: Some(union), doc: asked.doc, optional, ..Asked::default() };
            return self.node(branch, inner);
        }
        let position = self.push()?;
        let mut node = Node::new(Type::Boolean);
        let kind = self.kind(avro, position, &mut node)?;
        self.plan[position] = ReadNode { union: asked.union, kind, logical: logical::Logical::Plain };
        self.metadata(avro, asked, &mut node)?;
        if asked.optional {
            node.optional = true;
        }
        let parameters = self.given_default(avro, asked, &mut node);
        self.nodes[position] = node;
        if let Some(json) = parameters {
            let made = default::cell(self.avro, &self.nodes, &self.plan, (at, position as u32), json);
            self.nodes[position].default = made;
        }
        self.name(avro, position)?;
        Ok(position as u32)
    }

    /// The branch that a union is nothing but, optional or not.
    fn flattened(&self, branches: &[u32]) -> Option<(u32, Optional, bool)> {
        let is_null = |branch: &u32| {
            let node = self.avro.node(*branch);
            node.kind == AvroType::Null && node.props.is_empty()
        };
        match branches {
            [only] if self.settings.flatten_singleton_unions => Some((*only, Optional { null: None, value: 0 }, false)),
            [null, value] if is_null(null) && !is_null(value) => {
                Some((*value, Optional { null: Some(0), value: 1 }, true))
            }
            [value, null] if is_null(null) && !is_null(value) => {
                Some((*value, Optional { null: Some(1), value: 0 }, true))
            }
            _ => None,
        }
    }

    fn kind(&mut self, avro: &'a AvroNode, position: usize, node: &mut Node) -> Result<ReadKind, String> {
        let logical = avro.text("logicalType").unwrap_or_default();
        let is = |name: &str| logical.eq_ignore_ascii_case(name);
        let named = |node: &mut Node, name: &str| {
            node.name = Some(name.to_owned());
            node.version = Some(1);
        };
        Ok(match &avro.kind {
            AvroType::Null => {
                return Err("Standalone null schemas are not supported by this converter".into());
            }
            AvroType::Boolean => ReadKind::Boolean,
            AvroType::Bytes | AvroType::Fixed(_) => {
                node.kind = Type::Bytes;
                if is("decimal") {
                    named(node, logical::DECIMAL);
                    let scale = avro.props.get("scale").and_then(Json::as_i64).unwrap_or(0);
                    set(&mut node.parameters, "scale".into(), scale.to_string());
                    match avro.props.get("precision") {
                        None => {}
                        Some(Json::Number(precision)) if precision.as_i64() == Some(PRECISION) => {}
                        Some(Json::Number(precision)) => {
                            set(&mut node.parameters, DECIMAL_PRECISION.into(), precision.to_string());
                        }
                        Some(_) => {
                            return Err("precision property must be a JSON Integer. \
                            https://avro.apache.org/docs/1.9.1/spec.html#Decimal"
                                .into());
                        }
                    }
                }
                match avro.kind {
                    AvroType::Fixed(size) => {
                        set(&mut node.parameters, FIXED_SIZE.into(), size.to_string());
                        ReadKind::Fixed(size)
                    }
                    _ => ReadKind::Bytes,
                }
            }
            AvroType::Double => scalar(node, Type::Float64, ReadKind::Double),
            AvroType::Float => scalar(node, Type::Float32, ReadKind::Float),
            AvroType::Int => {
                let connect = avro.text(CONNECT_TYPE).filter(|_| !avro.props.contains_key("logicalType"));
                let (kind, bits) = match connect {
                    None => (Type::Int32, 32),
                    Some("int8") => (Type::Int8, 8),
                    Some("int16") => (Type::Int16, 16),
                    Some(_) => return Err("Connect type annotation for Avro int field is null".into()),
                };
                if is("date") {
                    named(node, logical::DATE);
                } else if is("time-millis") {
                    named(node, logical::TIME);
                }
                scalar(node, kind, ReadKind::Int(bits))
            }
            AvroType::Long => {
                if is("timestamp-millis") {
                    named(node, logical::TIMESTAMP);
                }
                scalar(node, Type::Int64, ReadKind::Long)
            }
            AvroType::String => scalar(node, Type::String, ReadKind::String),
            AvroType::Array(items) => match self.entry(*items)? {
                Some((key, value, key_first)) => {
                    let key = self.node(key, Asked::default())?;
                    let value = self.node(value, Asked::default())?;
                    node.kind = Type::Map { key, value };
                    ReadKind::Entries { key, value, key_first }
                }
                None => {
                    let items = self.node(*items, Asked::default())?;
                    scalar(node, Type::Array(items), ReadKind::Array(items))
                }
            },
            AvroType::Map(values) => {
                let key = self.push()? as u32;
                self.nodes[key as usize].kind = Type::String;
                self.plan[key as usize].kind = ReadKind::String;
                let value = self.node(*values, Asked::default())?;
                scalar(node, Type::Map { key, value }, ReadKind::Map(value))
            }
            AvroType::Record(fields) => {
                let documented = !self.settings.discard_type_doc_default && self.settings.connect_meta_data;
                if let (true, Some(doc)) = (documented, &avro.doc) {
                    set(&mut node.parameters, RECORD_DOC.into(), doc.clone());
                }
                let (mut made, mut read) = (Vec::new(), Vec::new());
                for field in fields {
                    if let (true, Some(doc)) = (documented, &field.doc) {
                        set(&mut node.parameters, format!("{FIELD_DOC}{}", field.name), doc.clone());
                    }
                    let given = |json: &&Json| default::is_given(self.avro, field.node, json);
                    let (field_default, doc) = (field.default.as_ref().filter(given), field.doc.as_deref());
                    let inner = self.node(field.node, Asked { field_default, doc, ..Asked::default() })?;
                    made.push(Field { name: field.name.clone(), node: inner });
                    read.push(inner);
                }
                scalar(node, Type::Struct(made), ReadKind::Struct(read))
            }
            AvroType::Enum { symbols, default } => {
                self.enumeration(avro, symbols, default.as_deref(), node);
                let as_cbor = |symbol: &String| {
                    let mut text = Vec::new();
                    cbor::text(&mut text, symbol.as_bytes());
                    text
                };
                scalar(node, Type::String, ReadKind::Enum(symbols.iter().map(as_cbor).collect()))
            }
            AvroType::Union(branches) => self.union(branches, position, node)?,
        })
    }

    fn enumeration(&self, avro: &AvroNode, symbols: &[String], default: Option<&str>, node: &mut Node) {
        let name = avro.name.as_ref().map_or("", |name| &name.name);
        let discard = self.settings.discard_type_doc_default;
        if self.settings.connect_meta_data {
            if let Some(doc) = &avro.doc {
                let key = if discard { CONNECT_ENUM_DOC.to_owned() } else { format!("{ENUM_DOC}{name}") };
                set(&mut node.parameters, key, doc.clone());
            }
            if let (false, Some(default)) = (discard, default) {
                set(&mut node.parameters, format!("{ENUM_DEFAULT}{name}"), default.to_owned());
            }
        }
        set(&mut node.parameters, ENUM.into(), avro.full_name());
        for symbol in symbols {
            set(&mut node.parameters, format!("{ENUM}.{symbol}"), symbol.clone());
        }
    }

    fn union(&mut self, branches: &[u32], _: usize, node: &mut Node) -> Result<ReadKind, String> {
        node.name = Some(UNION.to_owned());
        let (mut fields, mut read): (Vec<Field>, _) = (Vec::new(), Vec::new());
        for &branch in branches {
            let inner = self.avro.node(branch);
            if inner.kind == AvroType::Null {
                node.optional = true;
                read.push(None);
                continue;
            }
            let name = member_name(inner, self.settings);
            if fields.iter().any(|field| field.name == name) {
                return Err("Multiple union schemas map to the Connect union field name".into());
            }
            let made = self.node(branch, Asked { optional: true, ..Asked::default() })?;
            read.push(Some((fields.len(), made)));
            fields.push(Field { name, node: made });
        }
        let count = fields.len();
        node.kind = Type::Struct(fields);
        Ok(ReadKind::Union(read, count))
    }

    /// Key and value of a record that is an entry of a map, and whether the key comes first.
    fn entry(&self, items: u32) -> Result<Option<(u32, u32, bool)>, String> {
        let node = self.avro.node(items);
        let AvroType::Record(fields) = &node.kind else { return Ok(None) };
        let by_name = node.full_name() == format!("{NAMESPACE}.{MAP_ENTRY}");
        if !by_name && node.text(CONNECT_INTERNAL_TYPE) != Some(MAP_ENTRY) {
            return Ok(None);
        }
        match &fields[..] {
            [key, value] if key.name == "key" && value.name == "value" => Ok(Some((key.node, value.node, true))),
            [value, key] if key.name == "key" && value.name == "value" => Ok(Some((key.node, value.node, false))),
            _ => Err("Found map encoded as array of key-value pairs, but array elements do not match the expected \
                      format."
                .into()),
        }
    }

    /// Documentation, version and parameters.
    fn metadata(&self, avro: &AvroNode, asked: Asked<'_>, node: &mut Node) -> Result<(), String> {
        let settings = self.settings;
        let connect_doc = avro.text(CONNECT_DOC);
        if settings.discard_type_doc_default {
            node.doc = asked.doc.or(avro.doc.as_deref()).or(connect_doc).map(str::to_owned);
            if let (true, Some(doc)) = (settings.connect_meta_data, &avro.doc) {
                set(&mut node.parameters, CONNECT_RECORD_DOC.into(), doc.clone());
            }
        } else if settings.connect_meta_data {
            node.doc = connect_doc.map(str::to_owned);
        }
        match avro.props.get(CONNECT_VERSION) {
            Some(version) => {
                let said = version.as_i64().and_then(|version| i32::try_from(version).ok());
                let said = said.ok_or_else(|| format!("Invalid Connect version found: {version}"))?;
                match node.version {
                    _ if said < 0 => {}
                    Some(known) if known != said => {
                        return Err(format!(
                            "Mismatched versions: version already added to SchemaBuilder ({known}) differs from \
                             version in source schema ({said})"
                        ));
                    }
                    _ => node.version = Some(said),
                }
            }
            None => node.version = node.version.or(asked.version),
        }
        match avro.props.get(CONNECT_PARAMETERS).filter(|_| settings.connect_meta_data) {
            None => {}
            Some(Json::Object(parameters)) => {
                for (key, value) in parameters {
                    let wrong = || format!("Expected schema parameter values to be strings but found: {value}");
                    set(&mut node.parameters, key.clone(), value.as_str().ok_or_else(wrong)?.to_owned());
                }
            }
            Some(other) => return Err(format!("Expected JSON object for schema parameters but found: {other}")),
        }
        for (key, value) in avro.props.iter().filter(|(key, _)| key.starts_with("avro")) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            set(&mut node.parameters, key.clone(), text);
        }
        Ok(())
    }

    /// The default's JSON: that of the field, else the one that Connect left.
    fn given_default(&self, avro: &'a AvroNode, asked: Asked<'a>, node: &mut Node) -> Option<&'a Json> {
        let connect = avro.props.get(CONNECT_DEFAULT);
        let given = asked.field_default.or(connect)?;
        let settings = self.settings;
        let of_field = asked.field_default.is_some() && connect.is_none();
        if of_field && settings.connect_meta_data && !settings.discard_type_doc_default {
            set(&mut node.parameters, FIELD_DEFAULT.into(), "true".into());
        }
        Some(given)
    }

    fn name(&mut self, avro: &AvroNode, position: usize) -> Result<(), String> {
        let node = &mut self.nodes[position];
        let name = match (avro.props.get(CONNECT_NAME), &avro.kind) {
            (Some(Json::String(name)), _) => name.clone(),
            (Some(other), _) => return Err(format!("Invalid schema name: {other}")),
            (None, AvroType::Record(_) | AvroType::Enum { .. }) => avro.full_name(),
            (None, AvroType::Fixed(_)) if node.name.as_deref() != Some(logical::DECIMAL) => avro.full_name(),
            (None, _) => return Ok(()),
        };
        if name.starts_with(&format!("{NAMESPACE}.{DEFAULT_NAME}")) {
            return Ok(());
        }
        match &node.name {
            Some(known) if *known != name => Err(format!(
                "Mismatched names: name already added to SchemaBuilder ({known}) differs from name in source schema \
                 ({name})"
            )),
            _ => {
                node.name = Some(name);
                Ok(())
            }
        }
    }
}

fn scalar(node: &mut Node, kind: Type, read: ReadKind) -> ReadKind {
    node.kind = kind;
    read
}

/// The field that stands for a branch of a union.
pub(crate) fn member_name(branch: &AvroNode, settings: &DataSettings) -> String {
    match &branch.name {
        Some(name) if settings.enhanced => name.full(),
        Some(name) => name.name.clone(),
        None => branch.type_name().to_owned(),
    }
}
