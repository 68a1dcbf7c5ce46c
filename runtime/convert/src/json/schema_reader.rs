//! Pure. Schemas as the JSON envelope spells them, read with Connect's rules and messages.

use std::collections::HashSet;

use weir_data::{Field, Node, Schema, Type, limits};

use super::by_schema::{self, members};
use super::dialect::Dialect;
use super::flaw::{DEFAULT_MAX, Flaw, Outcome, data};
use super::read_plan::ReadPlan;
use super::reader::Reader;

/// The schema that stands at the cursor; none for null.
pub(crate) fn read(reader: &mut Reader<'_>, replace_null_with_default: bool) -> Outcome<Option<Schema>> {
    let mut builder = Builder { nodes: Vec::new(), replace_null_with_default };
    match builder.node(reader, limits::DEPTH)? {
        None => Ok(None),
        Some(_) => match Schema::new(builder.nodes) {
            Ok(schema) => Ok(Some(schema)),
            Err(bad) => data(bad.to_string()),
        },
    }
}

struct Builder {
    nodes: Vec<Node>,
    replace_null_with_default: bool,
}

type Members<'a> = Vec<(Vec<u8>, Reader<'a>)>;

fn member<'a>(members: &Members<'a>, name: &str) -> Option<Reader<'a>> {
    let found = members.iter().find(|(key, _)| key == name.as_bytes());
    found.map(|(_, value)| value.moved_to(value.at))
}

/// The text where the value is a string.
fn text(value: Option<Reader<'_>>) -> Option<String> {
    let mut value = value?;
    if value.text[value.at] != b'"' {
        return None;
    }
    let mut scratch = Vec::new();
    let text = value.unescaped(&mut scratch).ok()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

impl Builder {
    /// Appends the node at the cursor with all it holds, and answers its position; none for null.
    fn node(&mut self, reader: &mut Reader<'_>, depth: usize) -> Outcome<Option<u32>> {
        let depth = reader.deeper(depth)?;
        match reader.token()? {
            b'n' => {
                reader.literal(b"null")?;
                return Ok(None);
            }
            b'{' => {}
            _ => return data("Schema must contain 'type' field"),
        }
        let members = members(reader)?;
        let Some(kind) = text(member(&members, "type")) else {
            return data("Schema must contain 'type' field");
        };
        if self.nodes.len() >= limits::NODES {
            return data(format!("Schema has more than {} parts", limits::NODES));
        }
        let at = self.nodes.len();
        self.nodes.push(Node::new(Type::Boolean));
        self.nodes[at].kind = self.kind(&kind, &members, depth)?;
        let node = &mut self.nodes[at];
        node.optional = member(&members, "optional").is_some_and(|mut value| value.literal(b"true").is_ok());
        node.name = text(member(&members, "name"));
        node.version = version(member(&members, "version"));
        node.doc = text(member(&members, "doc"));
        let given = member(&members, "parameters").filter(|value| value.text[value.at] == b'{');
        if let Some(mut given) = given {
            for (key, value) in by_schema::members(&mut given)? {
                let Some(value) = text(Some(value)) else {
                    return data("Schema parameters must have string values.");
                };
                self.nodes[at].parameters.push((String::from_utf8_lossy(&key).into_owned(), value));
            }
        }
        if let Some(value) = member(&members, "default") {
            self.default(at, value)?;
        }
        Ok(Some(at as u32))
    }

    fn kind(&mut self, name: &str, members: &Members<'_>, depth: usize) -> Outcome<Type> {
        Ok(match name {
            "boolean" => Type::Boolean,
            "int8" => Type::Int8,
            "int16" => Type::Int16,
            "int32" => Type::Int32,
            "int64" => Type::Int64,
            "float" => Type::Float32,
            "double" => Type::Float64,
            "bytes" => Type::Bytes,
            "string" => Type::String,
            "array" => {
                let items = match member(members, "items") {
                    Some(mut items) => self.node(&mut items, depth)?,
                    None => None,
                };
                let Some(items) = items else {
                    return data("Array schema did not specify the element type");
                };
                Type::Array(items)
            }
            "map" => {
                let Some(mut keys) = member(members, "keys") else {
                    return data("Map schema did not specify the key type");
                };
                let Some(mut values) = member(members, "values") else {
                    return data("Map schema did not specify the value type");
                };
                let Some(key) = self.node(&mut keys, depth)? else {
                    return data("keySchema cannot be null.");
                };
                let Some(value) = self.node(&mut values, depth)? else {
                    return data("valueSchema cannot be null.");
                };
                Type::Map { key, value }
            }
            "struct" => self.fields(member(members, "fields"), depth)?,
            unknown => return data(format!("Unknown schema type: {unknown}")),
        })
    }

    fn fields(&mut self, list: Option<Reader<'_>>, depth: usize) -> Outcome<Type> {
        let list = list.filter(|list| list.text[list.at] == b'[');
        let Some(mut list) = list else {
            return data("Struct schema's \"fields\" argument is not an array.");
        };
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        list.at += 1;
        if list.closes(b']')? {
            return Ok(Type::Struct(fields));
        }
        loop {
            let is_object = list.token()? == b'{';
            let mut object = list.moved_to(list.at);
            let name = if is_object { text(member(&members(&mut list)?, "field")) } else { None };
            let Some(name) = name else {
                return data("Struct schema's field name not specified properly");
            };
            let node = self.node(&mut object, depth)?;
            let Some(node) = node else {
                return data(format!("fieldSchema for field {name} cannot be null."));
            };
            if name.is_empty() {
                return data("fieldName cannot be null.");
            }
            if !names.insert(name.clone()) {
                return data(format!("Cannot create field because of field name duplication {name}"));
            }
            fields.push(Field { name, node });
            if !list.more(b']')? {
                return Ok(Type::Struct(fields));
            }
        }
    }

    /// Reads a default by the node it belongs to, whose children all stand behind it.
    fn default(&mut self, at: usize, mut value: Reader<'_>) -> Outcome<()> {
        let mut nodes = self.nodes[at..].to_vec();
        for node in &mut nodes {
            match &mut node.kind {
                Type::Array(element) => *element -= at as u32,
                Type::Map { key, value } => {
                    *key -= at as u32;
                    *value -= at as u32;
                }
                Type::Struct(fields) => fields.iter_mut().for_each(|field| field.node -= at as u32),
                _ => {}
            }
        }
        let schema = match Schema::new(nodes) {
            Ok(schema) => schema,
            Err(bad) => return data(bad.to_string()),
        };
        let is_null = value.text[value.at] == b'n';
        let plan = ReadPlan::new(&schema, self.replace_null_with_default, Dialect::Connect);
        let mut default = Vec::new();
        by_schema::transcode(&mut value, &plan, 0, &mut default).map_err(|flaw| match *flaw {
            Flaw::NullFor { .. } => {
                Box::new(Flaw::Data(format!("Invalid default value: {}", flaw.to_connect_message(&[]))))
            }
            _ => flaw,
        })?;
        if default.len() > DEFAULT_MAX {
            return data("Invalid default value: it is too large");
        }
        if !is_null {
            self.nodes[at].default = Some(default);
        }
        Ok(())
    }
}

/// An integer's low 32 bits.
fn version(value: Option<Reader<'_>>) -> Option<i32> {
    let mut value = value.filter(|value| matches!(value.text[value.at], b'-' | b'0'..=b'9'))?;
    let number = value.number().ok().filter(|number| number.integral)?;
    Some(number.as_i64() as i32)
}
