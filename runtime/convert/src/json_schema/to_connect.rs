//! Pure. Connect's schema of a JSON Schema, as JsonSchemaData.toConnectSchema makes it of what its library reads.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;
use weir_data::{Field, Node, Schema, Type, limits};

use super::from_connect::{ENUM, NULL_MARKER};
use super::settings::DataSettings;
use crate::json::{ONE_OF, SchemaReading};

/// The Connect schema of a JSON Schema and of those that it refers to by name; `version` is that of the registry, which
/// counts where the schema says none.
pub(crate) fn schema(
    text: &str,
    references: &[(String, String)],
    settings: &DataSettings,
    version: Option<i32>,
) -> Result<Schema, String> {
    let bytes = text.len() + references.iter().map(|(_, schema)| schema.len()).sum::<usize>();
    if bytes > limits::SCHEMA_BYTES {
        return Err(format!("{bytes} bytes of schema are more than {}", limits::SCHEMA_BYTES));
    }
    let root = super::parsed(text)?;
    let parsed = |(name, text): &(String, String)| Ok((name.clone(), super::parsed(text)?));
    let named: HashMap<String, Json> = references.iter().map(parsed).collect::<Result<_, String>>()?;
    let looks = Cell::new(limits::NODES);
    let mut builder =
        Builder { named: &named, settings, nodes: Vec::new(), defaults: Vec::new(), inside: Vec::new(), looks };
    builder.node(Place { json: &root, document: &root }, Asked { version, optional: false })?;
    let Builder { nodes, defaults, .. } = builder;
    with_defaults(Schema::new(nodes).map_err(|bad| bad.to_string())?, &defaults)
}

/// The schema with defaults, inner ones first: outer ones may lean on them.
fn with_defaults(schema: Schema, defaults: &[(usize, &Json)]) -> Result<Schema, String> {
    let mut nodes = schema.nodes().to_vec();
    let mut sorted = defaults.to_vec();
    sorted.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
    for (position, json) in sorted {
        let so_far = Schema::new(nodes.clone()).map_err(|bad| bad.to_string())?;
        let reading = SchemaReading::new(&so_far.subschema(position as u32));
        nodes[position].default = reading.default(json.to_string().as_bytes());
    }
    Schema::new(nodes).map_err(|bad| bad.to_string())
}

/// A schema and the document that it stands in.
#[derive(Clone, Copy)]
struct Place<'a> {
    json: &'a Json,
    document: &'a Json,
}

#[derive(Clone, Copy, Default)]
struct Asked {
    version: Option<i32>,
    optional: bool,
}

/// What a schema says of its values.
enum Shape<'a> {
    Null,
    Boolean,
    Number {
        integer: bool,
    },
    Text,
    Array,
    Object,
    /// What values may be.
    Symbols(Vec<&'a Json>),
    /// Values are of one of these.
    AnyOf(Vec<Part<'a>>),
    /// Values are of all of these.
    AllOf(Vec<Part<'a>>),
    Reference(Place<'a>),
    Empty,
}

/// A schema inside another, or what one says beside something else.
enum Part<'a> {
    Schema(Place<'a>),
    Shape(Shape<'a>, Place<'a>),
}

struct Builder<'a> {
    named: &'a HashMap<String, Json>,
    settings: &'a DataSettings,
    nodes: Vec<Node>,
    defaults: Vec<(usize, &'a Json)>,
    /// The schemas around, by where they are.
    inside: Vec<*const Json>,
    /// How many schemas may still be looked at for properties: they may refer to one another in rings.
    looks: Cell<usize>,
}

const TEXT_WORDS: [&str; 4] = ["minLength", "maxLength", "pattern", "format"];
const NUMBER_WORDS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const ARRAY_WORDS: [&str; 5] = ["items", "additionalItems", "minItems", "maxItems", "uniqueItems"];
const OBJECT_WORDS: [&str; 6] =
    ["properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"];

impl<'a> Builder<'a> {
    fn push(&mut self) -> Result<usize, String> {
        if self.nodes.len() >= limits::NODES {
            return Err(format!("the schema has more than {} nodes once it is spelled out", limits::NODES));
        }
        self.nodes.push(Node::new(Type::Boolean));
        Ok(self.nodes.len() - 1)
    }

    fn shape(&self, place: Place<'a>) -> Result<Shape<'a>, String> {
        let object = match place.json {
            Json::Object(object) => object,
            Json::Bool(true) => return Ok(Shape::Empty),
            other => return Err(format!("{other} is no schema that values could be of")),
        };
        if let Some(reference) = object.get("$ref").and_then(Json::as_str) {
            return Ok(Shape::Reference(self.referred(reference, place)?));
        }
        let mut parts = Vec::new();
        let mut add = |shape| parts.push(shape);
        if let Some(values) = object.get("enum").and_then(Json::as_array) {
            add(Shape::Symbols(values.iter().collect()));
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let Some(inner) = object.get(key).and_then(Json::as_array) else { continue };
            let inner = inner.iter().map(|json| Part::Schema(Place { json, ..place })).collect();
            add(if key == "allOf" { Shape::AllOf(inner) } else { Shape::AnyOf(inner) });
        }
        if let Some(value) = object.get("const") {
            add(Shape::Symbols(vec![value]));
        }
        match object.get("type") {
            Some(Json::String(kind)) => add(typed(kind)?),
            Some(Json::Array(kinds)) => {
                let typed = |kind: &Json| Ok(Part::Shape(typed(kind.as_str().unwrap_or_default())?, place));
                add(Shape::AnyOf(kinds.iter().map(typed).collect::<Result<_, String>>()?));
            }
            _ => {
                let has = |words: &[&str]| words.iter().any(|word| object.contains_key(*word));
                if has(&OBJECT_WORDS) {
                    add(Shape::Object);
                } else if has(&ARRAY_WORDS) {
                    add(Shape::Array);
                } else if has(&TEXT_WORDS) {
                    add(Shape::Text);
                } else if has(&NUMBER_WORDS) {
                    add(Shape::Number { integer: false });
                }
            }
        }
        Ok(match parts.len() {
            0 => Shape::Empty,
            1 => parts.remove(0),
            _ => Shape::AllOf(parts.into_iter().map(|shape| Part::Shape(shape, place)).collect()),
        })
    }

    fn referred(&self, reference: &str, place: Place<'a>) -> Result<Place<'a>, String> {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let missing = || format!("no schema is found for the reference {reference}");
        let document = if name.is_empty() { place.document } else { self.named.get(name).ok_or_else(missing)? };
        let json = document.pointer(pointer).ok_or_else(missing)?;
        Ok(Place { json, document })
    }

    fn node(&mut self, place: Place<'a>, asked: Asked) -> Result<u32, String> {
        let address: *const Json = place.json;
        if self.inside.contains(&address) {
            let title = place.json.get("title").and_then(Json::as_str).unwrap_or("without title");
            return Err(format!(
                "the schema {title} holds itself, which schemas of records cannot do here; replace the property that \
                 refers to it again"
            ));
        }
        if self.inside.len() > limits::DEPTH {
            return Err(format!("nested deeper than {}", limits::DEPTH));
        }
        self.inside.push(address);
        let shape = self.shape(place);
        let made = shape.and_then(|shape| self.shaped(shape, place, asked));
        self.inside.pop();
        made
    }

    fn part(&mut self, part: Part<'a>, asked: Asked) -> Result<u32, String> {
        match part {
            Part::Schema(place) => self.node(place, asked),
            Part::Shape(shape, place) => self.shaped(shape, place, asked),
        }
    }

    fn is_null(&self, part: &Part<'a>) -> bool {
        match part {
            Part::Schema(place) => matches!(self.shape(*place), Ok(Shape::Null)),
            Part::Shape(shape, _) => matches!(shape, Shape::Null),
        }
    }

    fn shaped(&mut self, shape: Shape<'a>, place: Place<'a>, asked: Asked) -> Result<u32, String> {
        let connect_type = place.json.get("connect.type").and_then(Json::as_str);
        let mut node = Node::new(Type::Boolean);
        let position;
        match shape {
            Shape::Reference(referred) => return self.node(referred, asked),
            Shape::AllOf(parts) => return self.all_of(parts, place, asked),
            Shape::AnyOf(mut parts) => {
                if parts.len() == 1 && self.settings.flatten_singleton_unions {
                    return self.part(parts.remove(0), Asked::default());
                }
                if parts.len() == 2
                    && let Some(null) = parts.iter().position(|part| self.is_null(part))
                {
                    return self.part(parts.remove(1 - null), Asked { optional: true, ..asked });
                }
                position = self.push()?;
                node.name = Some(ONE_OF.to_owned());
                let mut fields = Vec::new();
                for part in parts {
                    if self.is_null(&part) {
                        node.optional = true;
                        continue;
                    }
                    let made = self.part(part, Asked { optional: true, version: None })?;
                    fields.push(Field { name: format!("{ONE_OF}.field.{}", fields.len()), node: made });
                }
                if fields.is_empty() {
                    return Err("a union has no branch that values could be of".into());
                }
                node.kind = Type::Struct(fields);
            }
            Shape::Symbols(values) => {
                position = self.push()?;
                node.kind = Type::String;
                node.parameters.push((ENUM.into(), String::new()));
                for value in values {
                    let symbol = match value {
                        Json::Null => NULL_MARKER.to_owned(),
                        Json::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    node.parameters.push((format!("{ENUM}.{symbol}"), symbol));
                }
            }
            Shape::Null => return Err("a schema that is null alone has no values; use it in oneOf".into()),
            Shape::Empty => return Err("a schema that says nothing of its values has no Connect schema".into()),
            Shape::Boolean => position = self.push()?,
            Shape::Number { integer } => {
                position = self.push()?;
                node.kind = match connect_type {
                    None if integer => Type::Int64,
                    None | Some("float64") => Type::Float64,
                    Some("int8") => Type::Int8,
                    Some("int16") => Type::Int16,
                    Some("int32") => Type::Int32,
                    Some("int64") => Type::Int64,
                    Some("float32") => Type::Float32,
                    Some("bytes") => Type::Bytes,
                    Some(other) => return Err(format!("Unsupported type {other}")),
                };
            }
            Shape::Text => {
                position = self.push()?;
                node.kind = if connect_type == Some("bytes") { Type::Bytes } else { Type::String };
            }
            Shape::Array => {
                position = self.push()?;
                let items = place.json.get("items").filter(|items| items.is_object() || **items == Json::Bool(true));
                let items = items.ok_or("Array schema did not specify the items type")?;
                node.kind = self.items(Place { json: items, ..place }, connect_type)?;
            }
            Shape::Object => {
                position = self.push()?;
                node.kind = self.object(place, connect_type)?;
            }
        }
        self.metadata(place, asked, position, node);
        Ok(position as u32)
    }

    fn items(&mut self, items: Place<'a>, connect_type: Option<&str>) -> Result<Type, String> {
        if connect_type == Some("map")
            && let Shape::Object = self.shape(items)?
        {
            let properties = items.json.get("properties");
            let mut inner = |name: &str| {
                let json = properties.and_then(|properties| properties.get(name));
                let json = json.ok_or_else(|| format!("the entries of a map have no property {name}"))?;
                self.node(Place { json, ..items }, Asked::default())
            };
            return Ok(Type::Map { key: inner("key")?, value: inner("value")? });
        }
        Ok(Type::Array(self.node(items, Asked::default())?))
    }

    fn object(&mut self, place: Place<'a>, connect_type: Option<&str>) -> Result<Type, String> {
        if connect_type == Some("map") {
            let values = place.json.get("additionalProperties").filter(|values| values.is_object());
            let values = values.ok_or("the schema of a map says nothing of its values in additionalProperties")?;
            let key = self.push()? as u32;
            self.nodes[key as usize].kind = Type::String;
            return Ok(Type::Map { key, value: self.node(Place { json: values, ..place }, Asked::default())? });
        }
        let mut in_order: BTreeMap<u64, (&'a str, &'a Json)> = BTreeMap::new();
        if let Some(properties) = place.json.get("properties").and_then(Json::as_object) {
            for (name, json) in properties {
                let index = json.get("connect.index").and_then(Json::as_u64).unwrap_or(in_order.len() as u64);
                if let Some((other, _)) = in_order.insert(index, (name, json)) {
                    return Err(format!("the properties {other} and {name} have the same connect.index, {index}"));
                }
            }
        }
        let required = required(place.json);
        let fields =
            in_order.into_values().map(|(name, json)| (name, Place { json, ..place }, required.contains(&name)));
        self.fields(fields.collect())
    }

    fn fields(&mut self, fields: Vec<(&'a str, Place<'a>, bool)>) -> Result<Type, String> {
        let mut made = Vec::with_capacity(fields.len());
        for (name, place, required) in fields {
            let optional = self.settings.optional_for_non_required && !required;
            let node = self.node(place, Asked { optional, version: None })?;
            made.push(Field { name: name.to_owned(), node });
        }
        Ok(Type::Struct(made))
    }

    /// Schemas that hold all at once: a struct of all their properties, else the one that says most.
    fn all_of(&mut self, parts: Vec<Part<'a>>, place: Place<'a>, asked: Asked) -> Result<u32, String> {
        let mut properties = Vec::new();
        let mut shapes = Vec::new();
        for part in parts {
            let (shape, place) = match part {
                Part::Schema(place) => (self.shape(place)?, place),
                Part::Shape(shape, place) => (shape, place),
            };
            self.collect(&shape, place, &mut properties, limits::DEPTH)?;
            shapes.push((shape, place));
        }
        if !properties.is_empty() {
            let position = self.push()?;
            let kind = self.fields(properties)?;
            self.nodes[position] = Node { optional: asked.optional, ..Node::new(kind) };
            return Ok(position as u32);
        }
        let mut take = |wanted: fn(&Shape<'a>) -> bool| {
            let found = shapes.iter().rposition(|(shape, _)| wanted(shape));
            found.map(|at| shapes.remove(at))
        };
        let combined = take(|shape| matches!(shape, Shape::AnyOf(_) | Shape::AllOf(_)));
        let symbols = take(|shape| matches!(shape, Shape::Symbols(_)));
        let text = take(|shape| matches!(shape, Shape::Text));
        let number = take(|shape| matches!(shape, Shape::Number { .. }));
        let reference = take(|shape| matches!(shape, Shape::Reference(_)));
        let is_const = symbols.as_ref().is_some_and(|(_, place)| place.json.get("enum").is_none());
        let found = match (combined, symbols, text, number, reference) {
            (Some(combined), ..) => Some(combined),
            (None, Some(_), Some(text), _, _) if is_const => Some(text),
            (None, Some(symbols), Some(_), _, _) => Some(symbols),
            (None, Some(_), None, number, _) => number,
            (None, None, _, Some(number), _) => Some(number),
            (None, None, Some(text), None, _) => Some(text),
            (None, None, None, None, reference) => reference,
        };
        match found {
            // Title and description are those of all together, which are left behind.
            Some((shape @ Shape::Symbols(_), _)) => self.shaped(shape, Place { json: &Json::Null, ..place }, asked),
            Some((shape, place)) => self.shaped(shape, place, asked),
            None => Err(format!("Unsupported criterion allOf for {}", place.json)),
        }
    }

    fn collect(
        &self,
        shape: &Shape<'a>,
        place: Place<'a>,
        properties: &mut Vec<(&'a str, Place<'a>, bool)>,
        depth: usize,
    ) -> Result<(), String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("nested deeper than {}", limits::DEPTH))?;
        let left = self.looks.get().checked_sub(1).ok_or("its schemas refer to one another too often")?;
        self.looks.set(left);
        match shape {
            Shape::AllOf(parts) => {
                for part in parts {
                    match part {
                        Part::Schema(place) => self.collect(&self.shape(*place)?, *place, properties, depth)?,
                        Part::Shape(shape, place) => self.collect(shape, *place, properties, depth)?,
                    }
                }
            }
            Shape::Object => {
                let required = required(place.json);
                for (name, json) in place.json.get("properties").and_then(Json::as_object).into_iter().flatten() {
                    let found = (name.as_str(), Place { json, ..place }, required.contains(&name.as_str()));
                    match properties.iter_mut().find(|(known, ..)| known == name) {
                        Some(known) => *known = found,
                        None => properties.push(found),
                    }
                }
            }
            Shape::Reference(referred) => self.collect(&self.shape(*referred)?, *referred, properties, depth)?,
            _ => {} // no properties
        }
        Ok(())
    }

    fn metadata(&mut self, place: Place<'a>, asked: Asked, position: usize, mut node: Node) {
        let json = place.json;
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
        node.name = node.name.or_else(|| text("title"));
        let version =
            json.get("connect.version").and_then(Json::as_i64).and_then(|version| i32::try_from(version).ok());
        node.version = version.or(asked.version);
        node.doc = text("description");
        let parameters = json.get("connect.parameters").and_then(Json::as_object);
        for (key, value) in parameters.into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match node.parameters.iter_mut().find(|(known, _)| known == key) {
                Some(known) => known.1 = value,
                None => node.parameters.push((key.clone(), value)),
            }
        }
        node.optional |= asked.optional;
        self.nodes[position] = node;
        if let Some(default) = json.get("default").filter(|default| !default.is_null()) {
            self.defaults.push((position, default));
        }
    }
}

fn typed<'a>(kind: &str) -> Result<Shape<'a>, String> {
    Ok(match kind {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "integer" => Shape::Number { integer: true },
        "number" => Shape::Number { integer: false },
        "string" => Shape::Text,
        "array" => Shape::Array,
        "object" => Shape::Object,
        other => return Err(format!("{other:?} is no type of JSON Schema")),
    })
}

fn required(json: &Json) -> Vec<&str> {
    let names = json.get("required").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(Json::as_str).collect()
}
