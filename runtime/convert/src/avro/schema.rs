//! Pure. Avro schemas as tables of nodes: read from their JSON, with the properties that Connect keeps in them. A named
//! type stands once and is pointed to, so a schema may hold itself.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use weir_data::limits;

/// What values of a node look like, with the positions of the nodes inside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AvroType {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(u32),
    Map(u32),
    Union(Vec<u32>),
    Record(Vec<AvroField>),
    Enum { symbols: Vec<String>, default: Option<String> },
    Fixed(usize),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AvroField {
    pub(crate) name: String,
    pub(crate) node: u32,
    pub(crate) doc: Option<String>,
    pub(crate) default: Option<Json>,
}

/// The name of a record, an enum or a fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl Name {
    /// The name with its namespace.
    pub(crate) fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// A name, of which a part before a dot is the namespace.
    pub(crate) fn of(name: &str, namespace: Option<&str>) -> Name {
        match name.rsplit_once('.') {
            Some((namespace, name)) => {
                Name { namespace: Some(namespace.to_owned()).filter(|space| !space.is_empty()), name: name.to_owned() }
            }
            None => Name {
                namespace: namespace.map(str::to_owned).filter(|space| !space.is_empty()),
                name: name.to_owned(),
            },
        }
    }
}

/// One schema inside a schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AvroNode {
    pub(crate) kind: AvroType,
    pub(crate) name: Option<Name>,
    pub(crate) doc: Option<String>,
    /// What is not Avro's own, `logicalType` among it, in order.
    pub(crate) props: Map<String, Json>,
}

impl AvroNode {
    /// A node without name or properties.
    pub(crate) fn new(kind: AvroType) -> AvroNode {
        AvroNode { kind, name: None, doc: None, props: Map::new() }
    }

    /// A property that is text.
    pub(crate) fn text(&self, prop: &str) -> Option<&str> {
        self.props.get(prop).and_then(Json::as_str)
    }

    /// The full name of a named type, the type's name of any other.
    pub(crate) fn full_name(&self) -> String {
        self.name.as_ref().map_or_else(|| self.type_name().to_owned(), Name::full)
    }

    /// Avro's name of the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            AvroType::Null => "null",
            AvroType::Boolean => "boolean",
            AvroType::Int => "int",
            AvroType::Long => "long",
            AvroType::Float => "float",
            AvroType::Double => "double",
            AvroType::Bytes => "bytes",
            AvroType::String => "string",
            AvroType::Array(_) => "array",
            AvroType::Map(_) => "map",
            AvroType::Union(_) => "union",
            AvroType::Record(_) => "record",
            AvroType::Enum { .. } => "enum",
            AvroType::Fixed(_) => "fixed",
        }
    }
}

/// A schema: its nodes and which of them is the root.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AvroSchema {
    pub(crate) nodes: Vec<AvroNode>,
    pub(crate) root: u32,
}

impl AvroSchema {
    /// The node at a position found in this schema.
    pub(crate) fn node(&self, position: u32) -> &AvroNode {
        &self.nodes[position as usize]
    }

    /// The root.
    pub(crate) fn root(&self) -> &AvroNode {
        self.node(self.root)
    }

    /// Reads a schema, after the schemas that it refers to.
    pub(crate) fn parse(text: &str, references: &[String]) -> Result<AvroSchema, String> {
        let mut reader = Reader::default();
        let bytes = references.iter().map(String::len).sum::<usize>() + text.len();
        if bytes > limits::SCHEMA_BYTES {
            return Err(format!("{bytes} bytes of schema are more than {}", limits::SCHEMA_BYTES));
        }
        let mut root = 0;
        for text in references.iter().map(String::as_str).chain([text]) {
            let json: Json = serde_json::from_str(text).map_err(|error| format!("the schema is not JSON: {error}"))?;
            root = reader.read(&json, None, limits::DEPTH)?;
        }
        Ok(AvroSchema { nodes: reader.nodes, root })
    }
}

/// What is Avro's own in a schema's object.
const RESERVED: [&str; 10] =
    ["doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"];

#[derive(Default)]
struct Reader {
    nodes: Vec<AvroNode>,
    names: HashMap<String, u32>,
}

impl Reader {
    fn push(&mut self, node: AvroNode) -> Result<u32, String> {
        if self.nodes.len() >= limits::NODES {
            return Err(format!("the schema has more than {} nodes", limits::NODES));
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as u32)
    }

    fn read(&mut self, json: &Json, namespace: Option<&str>, depth: usize) -> Result<u32, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("nested deeper than {}", limits::DEPTH))?;
        match json {
            Json::String(name) => self.named(name, namespace),
            Json::Array(branches) => {
                let at = self.push(AvroNode::new(AvroType::Null))?;
                let mut read = Vec::with_capacity(branches.len());
                for branch in branches {
                    let branch = self.read(branch, namespace, depth)?;
                    if matches!(self.nodes[branch as usize].kind, AvroType::Union(_)) {
                        return Err("a union stands immediately in a union".into());
                    }
                    read.push(branch);
                }
                self.nodes[at as usize].kind = AvroType::Union(read);
                Ok(at)
            }
            Json::Object(object) => self.object(object, namespace, depth),
            Json::Null | Json::Bool(_) | Json::Number(_) => Err(format!("{json} is no schema")),
        }
    }

    fn named(&mut self, name: &str, namespace: Option<&str>) -> Result<u32, String> {
        if let Some(kind) = primitive(name) {
            return self.push(AvroNode::new(kind));
        }
        let full = Name::of(name, namespace).full();
        let found = self.names.get(&full).or_else(|| self.names.get(name));
        found.copied().ok_or_else(|| format!("no type is called {full}"))
    }

    fn object(&mut self, object: &Map<String, Json>, namespace: Option<&str>, depth: usize) -> Result<u32, String> {
        let kind = match object.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            // A schema in place of a type: what is around it says nothing.
            Some(nested @ (Json::Object(_) | Json::Array(_))) => return self.read(nested, namespace, depth),
            _ => return Err("a schema has no type".into()),
        };
        let text = |key: &str| object.get(key).and_then(Json::as_str);
        let mut node = AvroNode::new(AvroType::Null);
        let is_enum = kind == "enum";
        let is_prop = |key: &str| !RESERVED.contains(&key) && !(is_enum && key == "default");
        node.props =
            object.iter().filter(|(key, _)| is_prop(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        let need = |key: &str| object.get(key).ok_or_else(|| format!("the schema of type {kind} has no {key}"));
        match kind {
            "array" | "map" => {
                let at = self.push(node)?;
                let inner = self.read(need(if kind == "array" { "items" } else { "values" })?, namespace, depth)?;
                self.nodes[at as usize].kind =
                    if kind == "array" { AvroType::Array(inner) } else { AvroType::Map(inner) };
                Ok(at)
            }
            "record" | "error" | "enum" | "fixed" => {
                let given = text("name").ok_or_else(|| format!("the schema of type {kind} has no name"))?;
                let name = Name::of(given, text("namespace").or(namespace));
                let full = name.full();
                node.doc = text("doc").map(str::to_owned);
                let inside = name.namespace.clone();
                node.name = Some(name);
                let at = self.push(node)?;
                if self.names.insert(full.clone(), at).is_some() {
                    return Err(format!("the type {full} is defined twice"));
                }
                let kind = match kind {
                    "fixed" => {
                        let size = need("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                        AvroType::Fixed(size.ok_or_else(|| format!("the size of {full} is no length"))?)
                    }
                    "enum" => {
                        let symbols = need("symbols")?.as_array().map(Vec::as_slice).unwrap_or_default();
                        let symbols = symbols.iter().filter_map(Json::as_str).map(str::to_owned).collect();
                        AvroType::Enum { symbols, default: text("default").map(str::to_owned) }
                    }
                    _ => AvroType::Record(self.fields(need("fields")?, inside.as_deref(), depth)?),
                };
                self.nodes[at as usize].kind = kind;
                Ok(at)
            }
            name => match primitive(name) {
                Some(kind) => self.push(AvroNode { kind, ..node }),
                None => self.named(name, namespace),
            },
        }
    }

    fn fields(&mut self, fields: &Json, namespace: Option<&str>, depth: usize) -> Result<Vec<AvroField>, String> {
        let fields = fields.as_array().ok_or("the fields of a record are no array")?;
        let mut read: Vec<AvroField> = Vec::with_capacity(fields.len());
        let mut names = std::collections::HashSet::new();
        for field in fields {
            let name = field.get("name").and_then(Json::as_str).ok_or("a field has no name")?;
            if !names.insert(name) {
                return Err(format!("the field {name} stands twice in a record"));
            }
            let kind = field.get("type").ok_or_else(|| format!("the field {name} has no type"))?;
            read.push(AvroField {
                name: name.to_owned(),
                node: self.read(kind, namespace, depth)?,
                doc: field.get("doc").and_then(Json::as_str).map(str::to_owned),
                default: field.get("default").cloned(),
            });
        }
        Ok(read)
    }
}

fn primitive(name: &str) -> Option<AvroType> {
    Some(match name {
        "null" => AvroType::Null,
        "boolean" => AvroType::Boolean,
        "int" => AvroType::Int,
        "long" => AvroType::Long,
        "float" => AvroType::Float,
        "double" => AvroType::Double,
        "bytes" => AvroType::Bytes,
        "string" => AvroType::String,
        _ => return None,
    })
}
