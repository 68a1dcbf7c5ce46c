//! Pure. Nested fields made top-level ones, by Connect's rules for names, optionality and defaults.

use std::rc::Rc;

use weir_data::cbor::{self, major};
use weir_data::logical::type_name;
use weir_data::{Schema, Type};

use super::base::names;
use super::layout::{Layout, is_filled, null};
use super::row::walk_struct;
use super::shape::{Entry, Expect, Origin, Piece, Sequence};
use crate::error::{Error, Result};

/// What a struct hands down to one of its fields.
struct Above {
    prefix: String,
    optional: bool,
    /// What the struct's default says of the field, as CBOR.
    default: Option<Rc<[u8]>>,
}

impl Layout<'_> {
    /// Makes fields of nested structs or maps top-level ones, named by the path with `delimiter` between. What was
    /// optional above makes its fields optional, and defaults above are handed down. Arrays stay as they are; maps under a
    /// schema are an error. What this plan fills is taken for no map.
    pub fn flatten(&mut self, delimiter: &str) -> Result<()> {
        let with_schema = self.has_schema();
        let head = self.head.clone().filter(|_| !self.is_changed());
        let optional = head.as_ref().is_some_and(|head| head.optional);
        let entries = self.set_fields();
        let defaults = defaults(head.and_then(|head| head.default).as_deref(), entries.len())?;
        for (entry, default) in entries.into_iter().zip(defaults) {
            if with_schema {
                self.flatten_field(entry, &Above { prefix: String::new(), optional, default }, delimiter)?;
            } else {
                self.flatten_entry(entry, "", delimiter)?;
            }
        }
        Ok(())
    }

    fn flatten_field(&mut self, entry: Entry, above: &Above, delimiter: &str) -> Result<()> {
        let Some(schema) = &entry.schema else { return Err(Error::fatal("a struct's field without schema")) };
        let node = schema.root();
        let name = joined(&above.prefix, &entry.name, delimiter);
        let optional = above.optional || node.optional;
        let default = node.default.as_deref().map(Into::into).or_else(|| above.default.clone());
        match &node.kind {
            Type::Struct(fields) => {
                let pieces = self.open_struct(entry.piece, fields.len())?;
                let inside: Vec<Option<Rc<[u8]>>> = defaults(default.as_deref(), fields.len())?;
                for ((field, piece), default) in fields.iter().zip(pieces).zip(inside) {
                    let schema = Some(Rc::new(schema.subschema(field.node)));
                    let entry = Entry { name: field.name.as_str().into(), schema, piece };
                    self.flatten_field(entry, &Above { prefix: name.clone(), optional, default }, delimiter)?;
                }
                Ok(())
            }
            Type::Map { .. } => Err(Error::data(format!(
                "Flatten transformation does not support {} for record with schemas (for field {name}).",
                type_name(&node.kind)
            ))),
            _ => {
                let piece = match entry.piece {
                    Piece::Slot { slot, or: None } if !is_filled(slot) => {
                        Piece::Slot { slot, or: node.default.as_deref().map(Into::into) }
                    }
                    other => other,
                };
                let mut nodes = schema.nodes().to_vec();
                nodes[0].optional = optional;
                nodes[0].default = default.map(|default| default.to_vec());
                let schema = Schema::new(nodes).map_err(Error::data)?;
                self.push(Entry { name: name.as_str().into(), schema: Some(Rc::new(schema)), piece })
            }
        }
    }

    fn flatten_entry(&mut self, entry: Entry, prefix: &str, delimiter: &str) -> Result<()> {
        let name = joined(prefix, &entry.name, delimiter);
        match self.open_map(entry.piece)? {
            Opened::Map(entries) => entries.into_iter().try_for_each(|(key, piece)| {
                self.flatten_entry(Entry { name: key, schema: None, piece }, &name, delimiter)
            }),
            Opened::Other(piece) => self.push(Entry { name: name.as_str().into(), schema: None, piece }),
        }
    }

    /// The fields of a nested struct; null in every field where the struct is null.
    pub(super) fn open_struct(&mut self, piece: Piece, fields: usize) -> Result<Vec<Piece>> {
        match piece {
            Piece::Fields(entries) => Ok(entries.into_iter().map(|entry| entry.piece).collect()),
            Piece::Fixed(cbor) => fixed_fields(&cbor, fields),
            Piece::Slot { slot, or } => {
                if self.row.get(self.cell, slot) == [cbor::NULL] {
                    self.expects.push(Expect::Null(slot));
                    return or.map_or_else(|| Ok(vec![null(); fields]), |or| fixed_fields(&or, fields));
                }
                self.expects.push(Expect::Struct { slot, fields: fields as u32 });
                let first = self.row.slots() as u32;
                let walked = self.row.open(self.cell, slot, |bytes, spans| walk_struct(bytes, fields, spans));
                walked.map_err(Error::data)?.ok_or_else(|| Error::data("a struct of another number of fields"))?;
                let container = self.origins.len() as u32;
                self.origins.resize(self.origins.len() + fields, Origin { container, key: None });
                Ok((first..first + fields as u32).map(|slot| Piece::Slot { slot, or: None }).collect())
            }
            Piece::Raw { .. } => Err(Error::data("text where a struct should be")),
        }
    }

    pub(super) fn open_map(&mut self, piece: Piece) -> Result<Opened> {
        match piece {
            Piece::Fields(entries) => {
                Ok(Opened::Map(entries.into_iter().map(|entry| (entry.name, entry.piece)).collect()))
            }
            Piece::Slot { slot, .. } if !is_filled(slot) => {
                let bytes = self.row.get(self.cell, slot);
                if bytes.first().is_none_or(|first| first >> 5 != major::MAP) {
                    self.expects.push(Expect::Scalar(slot));
                    return Ok(Opened::Other(piece));
                }
                let names = names(bytes).map_err(Error::data)?.into_iter().map(Into::into).collect();
                let keys = Rc::new(Sequence::new(names));
                let first = self.row.slots() as u32;
                let followed = self.row.open(self.cell, slot, |bytes, spans| keys.follow(bytes, spans));
                followed.map_err(Error::data)?.ok_or_else(|| Error::data("a map's key with a long head"))?;
                let container = self.origins.len() as u32;
                self.origins.extend(keys.names.iter().map(|key| Origin { container, key: Some(key.clone()) }));
                let slots = (first..).map(|slot| Piece::Slot { slot, or: None });
                let entries = keys.names.iter().cloned().zip(slots).collect();
                self.expects.push(Expect::Map { slot, keys });
                Ok(Opened::Map(entries))
            }
            Piece::Fixed(cbor) if cbor.first().is_some_and(|first| first >> 5 == major::MAP) => {
                let keys = Sequence::new(names(&cbor).map_err(Error::data)?.into_iter().map(Into::into).collect());
                let mut spans = Vec::new();
                keys.follow(&cbor, &mut spans).map_err(Error::data)?;
                let pieces = fixed(&cbor, spans);
                Ok(Opened::Map(keys.names.iter().cloned().zip(pieces).collect()))
            }
            Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => Ok(Opened::Other(piece)),
        }
    }
}

pub(super) enum Opened {
    Map(Vec<(Rc<str>, Piece)>),
    Other(Piece),
}

fn joined(prefix: &str, name: &str, delimiter: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}{delimiter}{name}") }
}

pub(super) fn fixed_fields(cbor: &[u8], fields: usize) -> Result<Vec<Piece>> {
    if cbor == [cbor::NULL] {
        return Ok(vec![null(); fields]);
    }
    let mut spans = Vec::with_capacity(fields);
    let walked = walk_struct(cbor, fields, &mut spans);
    walked.map_err(Error::data)?.ok_or_else(|| Error::data("a struct of another number of fields"))?;
    Ok(fixed(cbor, spans).collect())
}

fn fixed(cbor: &[u8], spans: Vec<(u32, u32)>) -> impl Iterator<Item = Piece> {
    spans.into_iter().map(|(start, end)| Piece::Fixed(cbor[start as usize..end as usize].into()))
}

/// What the default of a struct says of its fields; null says nothing.
fn defaults(default: Option<&[u8]>, fields: usize) -> Result<Vec<Option<Rc<[u8]>>>> {
    let Some(default) = default else { return Ok(vec![None; fields]) };
    let pieces = fixed_fields(default, fields)?.into_iter();
    Ok(pieces
        .map(|piece| match piece {
            Piece::Fixed(cbor) if *cbor != [cbor::NULL] => Some(cbor),
            Piece::Fixed(_) | Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fields(_) => None,
        })
        .collect())
}
