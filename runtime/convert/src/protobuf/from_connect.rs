//! Pure. The text of the Protobuf schema of Connect's schema, as ProtobufData.fromConnectSchema makes it.

use std::collections::BTreeSet;

use weir_data::{Field, Node, Schema, Type, logical};

use super::names::*;
use super::settings::DataSettings;
use super::write::is_union;

/// A schema's text and the full name of its message.
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) name: String,
}

/// The schema of Connect's.
pub(crate) fn written(schema: &Schema, settings: &DataSettings) -> Result<Written, String> {
    let mut builder = Builder { schema, settings, imports: BTreeSet::new(), unnamed: 0 };
    let root = schema.root();
    if let Some(wrapper) = wrapper(root) {
        let name = format!("google.protobuf.{wrapper}");
        let kind = wrapped_kind(wrapper);
        let text = format!(
            "syntax = \"proto3\";\npackage google.protobuf;\n\nmessage {wrapper} {{\n  {kind} value = 1;\n}}\n"
        );
        return Ok(Written { text, name });
    }
    if !matches!(root.kind, Type::Struct(_)) {
        return Err(format!("Unsupported root schema of type {}", logical::type_name(&root.kind)));
    }
    let full = builder.or_default(root.name.as_deref());
    let (package, name) = match full.rsplit_once('.') {
        Some((package, name)) => (Some(package), name),
        None => (None, &full[..]),
    };
    let mut body = String::new();
    builder.message(name, root, 0, &mut body)?;
    let package = package.map_or_else(String::new, |package| format!("package {package};\n"));
    let imports: String = builder.imports.iter().map(|import| format!("import \"{import}\";\n")).collect();
    let text = format!("syntax = \"proto3\";\n{package}\n{imports}\n{body}");
    Ok(Written { text, name: full })
}

/// The wrapper of a scalar that is a whole record, or that is optional where that is asked for.
fn wrapper(node: &Node) -> Option<&'static str> {
    Some(match node.kind {
        Type::Int8 | Type::Int16 | Type::Int32 => "Int32Value",
        Type::Int64 => match parameter(node, TYPE) {
            Some("uint32" | "fixed32") => "UInt32Value",
            Some("uint64" | "fixed64") => "UInt64Value",
            _ => "Int64Value",
        },
        Type::Float32 => "FloatValue",
        Type::Float64 => "DoubleValue",
        Type::Boolean => "BoolValue",
        Type::String => "StringValue",
        Type::Bytes => "BytesValue",
        Type::Array(_) | Type::Map { .. } | Type::Struct(_) => return None,
    })
}

fn wrapped_kind(wrapper: &str) -> String {
    wrapper.trim_end_matches("Value").to_ascii_lowercase()
}

fn parameter<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.parameters.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

struct Builder<'a> {
    schema: &'a Schema,
    settings: &'a DataSettings,
    imports: BTreeSet<&'static str>,
    unnamed: usize,
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn check(name: &str) -> Result<(), String> {
    let first = name.chars().next();
    let is_name = first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_name { Ok(()) } else { Err(format!("{name:?} is no name in Protobuf")) }
}

fn unqualified(full: &str) -> &str {
    full.rsplit_once('.').map_or(full, |(_, name)| name)
}

/// The name of the message that a map's entries are.
fn entry_name(name: &str) -> String {
    let mut entry = String::new();
    for part in name.split('_') {
        let mut letters = part.chars();
        entry.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        entry.push_str(letters.as_str());
    }
    entry + "Entry"
}

impl Builder<'_> {
    fn or_default(&mut self, name: Option<&str>) -> String {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => {
                self.unnamed += 1;
                format!("{DEFAULT_NAME}{}", self.unnamed)
            }
        }
    }

    fn message(&mut self, name: &str, node: &Node, depth: usize, out: &mut String) -> Result<(), String> {
        check(name)?;
        let Type::Struct(fields) = &node.kind else { return Err("a message is a struct".into()) };
        indent(out, depth);
        out.push_str(&format!("message {name} {{\n"));
        let mut inner = String::new();
        let mut known = BTreeSet::from([name.to_owned()]);
        self.fields(fields, depth + 1, (&mut known, &mut inner), out)?;
        out.push_str(&inner);
        indent(out, depth);
        out.push_str("}\n");
        Ok(())
    }

    fn fields(
        &mut self,
        fields: &[Field],
        depth: usize,
        (known, inner): (&mut BTreeSet<String>, &mut String),
        out: &mut String,
    ) -> Result<(), String> {
        let mut next = 1;
        for field in fields {
            let node = self.schema.node(field.node);
            let given = parameter(node, TAG).and_then(|tag| tag.parse::<u32>().ok());
            let tag = given.unwrap_or(next);
            next += u32::from(given.is_none());
            if is_union(node) {
                let Type::Struct(members) = &node.kind else { continue };
                let union = node.name.as_deref().unwrap_or_default();
                let union = unqualified(union.strip_prefix(UNION).unwrap_or(union)).to_owned();
                check(&union)?;
                indent(out, depth);
                out.push_str(&format!("oneof {union} {{\n"));
                for member in members {
                    let node = self.schema.node(member.node);
                    let given = parameter(node, TAG).and_then(|tag| tag.parse::<u32>().ok());
                    let tag = given.ok_or_else(|| format!("the field {} of a oneof has no {TAG}", member.name))?;
                    self.field((&member.name, member.node, tag), ("", depth + 1), (known, inner), out)?;
                }
                indent(out, depth);
                out.push_str("}\n");
                continue;
            }
            let label = match node.kind {
                Type::Array(_) | Type::Map { .. } => "repeated ",
                _ if self.settings.optional_for_nullables && node.optional => "optional ",
                _ => "",
            };
            self.field((&field.name, field.node, tag), (label, depth), (known, inner), out)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        (name, at, tag): (&str, u32, u32),
        (label, depth): (&str, usize),
        (known, inner): (&mut BTreeSet<String>, &mut String),
        out: &mut String,
    ) -> Result<(), String> {
        check(name)?;
        let schema = self.schema;
        let node = match schema.node(at).kind {
            Type::Array(items) => schema.node(items),
            _ => schema.node(at),
        };
        let mut params: Vec<(&str, String)> = Vec::new();
        let kind = self.kind(name, node, depth, &mut params, (known, inner))?;
        indent(out, depth);
        out.push_str(&format!("{label}{kind} {name} = {tag}"));
        if !params.is_empty() {
            self.imports.insert("confluent/meta.proto");
            let shown: Vec<String> =
                params.iter().map(|(key, value)| format!("{{ key: \"{key}\", value: \"{value}\" }}")).collect();
            out.push_str(&format!(" [(confluent.field_meta) = {{ params: [{}] }}]", shown.join(", ")));
        }
        out.push_str(";\n");
        Ok(())
    }

    fn kind(
        &mut self,
        field: &str,
        node: &Node,
        depth: usize,
        params: &mut Vec<(&'static str, String)>,
        (known, inner): (&mut BTreeSet<String>, &mut String),
    ) -> Result<String, String> {
        let mut imported = |file: &'static str, name: &str| {
            self.imports.insert(file);
            Ok(name.to_owned())
        };
        match node.name.as_deref() {
            Some(logical::DECIMAL) => {
                for (key, known) in [("precision", "connect.decimal.precision"), ("scale", "scale")] {
                    params.extend(parameter(node, known).map(|value| (key, value.to_owned())));
                }
                return imported("confluent/type/decimal.proto", DECIMAL_TYPE);
            }
            Some(logical::DATE) => return imported("google/type/date.proto", DATE_TYPE),
            Some(logical::TIME) => return imported("google/type/timeofday.proto", TIME_TYPE),
            Some(logical::TIMESTAMP) => return imported("google/protobuf/timestamp.proto", TIMESTAMP_TYPE),
            _ => {}
        }
        if let Some(symbols) = parameter(node, ENUM) {
            let name = unqualified(node.name.as_deref().unwrap_or(symbols)).to_owned();
            if known.insert(name.clone()) {
                self.enumeration(&name, node, depth, inner)?;
            }
            return Ok(name);
        }
        match &node.kind {
            Type::Struct(_) => {
                let full = self.or_default(node.name.as_deref());
                let mut name = unqualified(&full).to_owned();
                if name == field {
                    name.push_str("Message");
                }
                if known.insert(name.clone()) {
                    self.message(&name, node, depth, inner)?;
                }
                return Ok(name);
            }
            Type::Map { key, value } => {
                let full = self.or_default(node.name.as_deref());
                let name = entry_name(unqualified(&full));
                check(&name)?;
                if !known.insert(name.clone()) {
                    return Err(format!("two maps of one message are called {name}"));
                }
                let mut body = String::new();
                let mut deeper = String::new();
                let mut names = BTreeSet::from([name.clone()]);
                for (part, at, tag) in [("key", *key, 1), ("value", *value, 2)] {
                    if matches!(self.schema.node(at).kind, Type::Array(_)) {
                        return Err("Array cannot be nested".into());
                    }
                    self.field((part, at, tag), ("", depth + 1), (&mut names, &mut deeper), &mut body)?;
                }
                indent(inner, depth);
                inner.push_str(&format!("message {name} {{\n{body}{deeper}"));
                indent(inner, depth);
                inner.push_str("}\n");
                return Ok(name);
            }
            Type::Array(_) => return Err("Array cannot be nested".into()),
            _ => {}
        }
        if let Some(small) = match node.kind {
            Type::Int8 => Some("int8"),
            Type::Int16 => Some("int16"),
            _ => None, // Protobuf has types of its own for the others
        } {
            params.push(("connect.type", small.to_owned()));
        }
        let wrapper = wrapper(node).unwrap_or_default();
        if self.settings.wrapper_for_nullables && node.optional {
            self.imports.insert("google/protobuf/wrappers.proto");
            return Ok(format!("google.protobuf.{wrapper}"));
        }
        let given = parameter(node, TYPE).filter(|_| matches!(node.kind, Type::Int32 | Type::Int64));
        Ok(given.map_or_else(|| wrapped_kind(wrapper), str::to_owned))
    }

    fn enumeration(&self, name: &str, node: &Node, depth: usize, out: &mut String) -> Result<(), String> {
        check(name)?;
        indent(out, depth);
        out.push_str(&format!("enum {name} {{\n"));
        let prefix = format!("{ENUM}.");
        for (symbol, number) in node.parameters.iter().filter_map(|(key, n)| Some((key.strip_prefix(&prefix)?, n))) {
            check(symbol)?;
            let number: i32 = number.parse().map_err(|_| format!("the symbol {symbol} has the number {number:?}"))?;
            indent(out, depth + 1);
            out.push_str(&format!("{symbol} = {number};\n"));
        }
        indent(out, depth);
        out.push_str("}\n");
        Ok(())
    }
}
