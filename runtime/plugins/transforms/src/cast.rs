//! Pure. Cast: fields, or all of a key or value, as another type.

use std::marker::PhantomData;
use std::rc::Rc;

use weir_data::{Node, Type, logical};
use weir_sdk::fields::{Edits, Layout};
use weir_sdk::prelude::*;

use crate::cast_value::{self, Source, TARGETS, Target};
use crate::settings::{self, invalid};
use crate::subject::{self, Half, replace_null_with_default, require_fields};

const SPEC: &str = "spec";

/// Connect's Cast.
pub struct Cast<H> {
    casts: Casts,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

/// What is cast.
enum Casts {
    All(Target),
    Fields(Vec<(String, Target)>),
}

impl<H: Half> Transformation for Cast<H> {
    fn class() -> Class {
        let doc = "Cast fields or the entire key or value to a specific type, e.g. to force an integer field to a \
                   smaller width. Cast from integers, floats, boolean and string to any other type, and cast binary to \
                   string (base64 encoded).";
        subject::class::<H>("Cast", doc)
            .key(Key::list(SPEC).importance(Importance::High).doc(
                "List of fields and the type to cast them to of the form field1:type,field2:type to cast fields of \
                 Maps or Structs. A single type to cast the entire value. Valid types are int8, int16, int32, int64, \
                 float32, float64, boolean, and string. Note that binary fields can only be cast to string.",
            ))
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        let given = config.get(SPEC).map(|_| casts(config));
        given.and_then(Result::err).map_or_else(Vec::new, settings::problems)
    }

    fn configure(config: &Config) -> Result<Self> {
        let replace_null = settings::replace_null(config)?;
        Ok(Cast { casts: casts(config)?, replace_null, edits: Edits::default(), half: PhantomData })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        if record.is_null(H::SIDE) {
            return Ok(Outcome::Keep);
        }
        let Cast { casts, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| match casts {
                Casts::All(target) => cast_all(layout, *target),
                Casts::Fields(fields) => cast_fields(layout, fields, *replace_null),
            },
            |tag, was, out| match was {
                Some(was) => cast_value::cast_tagged(tag, was, out),
                None => {
                    out.push(weir_data::cbor::NULL);
                    Ok(())
                }
            },
        )?;
        Ok(Outcome::Keep)
    }
}

fn cast_all(layout: &mut Layout<'_>, target: Target) -> Result<()> {
    let Some(schema) = layout.schema().cloned() else {
        layout.replace(None, tag(Source::Plain, target)?);
        return Ok(());
    };
    let root = schema.root();
    let default = cast_default(root, target)?;
    let named_logical = [logical::DECIMAL, logical::DATE, logical::TIME, logical::TIMESTAMP].contains(&name_of(root));
    if default.is_some() && named_logical {
        // The name stays, and says of the default what it no longer is.
        return Err(Error::data("Invalid default value"));
    }
    let node = Node { kind: kind(target), default, ..root.clone() };
    layout.replace(Some(&Rc::new(Schema::of(node))), tag(Source::of(root), target)?);
    Ok(())
}

fn cast_fields(layout: &mut Layout<'_>, fields: &[(String, Target)], replace_null: bool) -> Result<()> {
    let Some(schema) = layout.schema().cloned() else {
        require_fields(layout, "cast types")?;
        return fields.iter().try_for_each(|(name, target)| layout.fill(name, tag(Source::Plain, *target)?));
    };
    let root = schema.root();
    let Type::Struct(all) = &root.kind else { return Err(Error::data("Cannot list fields on non-struct type")) };
    let cast = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, target)| *target);
    let mut schemas = Vec::new();
    for field in all {
        let Some(target) = cast(&field.name) else { continue };
        let node = schema.node(field.node);
        let default = cast_default(node, target)?;
        let new = Node { default, optional: node.optional, ..Node::new(kind(target)) };
        schemas.push((field, Rc::new(Schema::of(new)), tag(Source::of(node), target)?));
    }
    // No struct can be cast, and its default no more than itself.
    cast_default(root, Target::Text)?;
    if replace_null {
        layout.default_nulls();
    }
    layout.keep_optional();
    schemas.into_iter().try_for_each(|(field, schema, tag)| layout.fill_as(&field.name, &schema, tag))
}

fn name_of(node: &Node) -> &str {
    node.name.as_deref().unwrap_or_default()
}

fn cast_default(node: &Node, target: Target) -> Result<Option<Vec<u8>>> {
    let Some(default) = &node.default else { return Ok(None) };
    let mut cast = Vec::new();
    cast_value::cast(Source::of(node), target, default, &mut cast)?;
    Ok(Some(cast))
}

fn tag(source: Source, target: Target) -> Result<u32> {
    cast_value::tag(source, target).ok_or_else(|| Error::data("a decimal of such a scale cannot be cast"))
}

fn kind(target: Target) -> Type {
    TARGETS[target as usize].2.clone()
}

fn casts(config: &Config) -> Result<Casts> {
    config.text(SPEC)?;
    let specs = config.list(SPEC);
    if specs.is_empty() {
        return Err(Error::config(SPEC, "Must specify at least one field to cast."));
    }
    let (mut all, mut fields): (Option<Target>, Vec<(String, Target)>) = (None, Vec::new());
    for spec in &specs {
        // Java's split leaves out what is empty at the end.
        let mut parts: Vec<&str> = spec.split(':').collect();
        while parts.len() > 1 && parts.last() == Some(&"") {
            parts.pop();
        }
        match parts[..] {
            [name] => all = Some(target(name.trim())?),
            [name, kind] => {
                let (name, target) = (name.trim().to_owned(), target(kind.trim())?);
                fields.retain(|(there, _)| *there != name);
                fields.push((name, target));
            }
            // The key is what Apache's class names here.
            _ => {
                let why = format!("Invalid rename mapping: {spec}");
                let message = invalid("renames", &settings::shown(&specs), &why);
                return Err(Error::config(SPEC, settings::problems(message).remove(0).message));
            }
        }
    }
    match all {
        None => Ok(Casts::Fields(fields)),
        Some(target) if specs.len() == 1 => Ok(Casts::All(target)),
        Some(_) => Err(Error::config(
            SPEC,
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in \
             their spec",
        )),
    }
}

fn target(name: &str) -> Result<Target> {
    let upper = name.to_uppercase();
    if let Some((_, target, _)) = TARGETS.iter().find(|(known, ..)| *known == upper) {
        return Ok(*target);
    }
    let supported: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
    let message = match upper.as_str() {
        "BYTES" | "ARRAY" | "MAP" | "STRUCT" => format!(
            "Cast transformation does not support casting to {upper}; supported types are {}",
            settings::shown(&supported)
        ),
        _ => format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant \
             org.apache.kafka.connect.data.Schema.Type.{upper} for configuration Invalid type found in casting spec: \
             {name}"
        ),
    };
    Err(Error::config(SPEC, message))
}
