//! Pure. One field made all of a key or value.

use std::rc::Rc;

use weir_data::cbor::{self, major};
use weir_data::{Schema, Type};

use super::base::put;
use super::flatten::{Opened, fixed_fields};
use super::layout::{Layout, is_filled, null};
use super::plan::body;
use super::shape::{Entry, Expect, Origin, Piece};
use crate::error::{Error, Result};

impl Layout<'_> {
    /// Makes the field of a name all of the key or value, under the field's schema; where it is null, its default where
    /// `default_null`. Null stays null, under the schema of its field. Answers false, and changes nothing, where there
    /// is no such field. What this plan fills cannot be extracted.
    pub fn extract(&mut self, name: &str, default_null: bool) -> Result<bool> {
        let (schema, piece) = match &self.root {
            Piece::Fields(entries) => match entries.iter().find(|entry| *entry.name == *name) {
                Some(entry) if default_null => (entry.schema.clone(), entry.or_default()),
                Some(entry) => (entry.schema.clone(), entry.piece.clone()),
                None if self.has_schema() => return Ok(false),
                None => (None, null()),
            },
            _ if !self.is_null() => return Ok(false),
            _ => match self.schema() {
                None => (None, null()),
                Some(schema) => {
                    let Some(field) = schema.fields().iter().find(|field| field.name == name) else { return Ok(false) };
                    (Some(Rc::new(schema.subschema(field.node))), null())
                }
            },
        };
        let root = match &schema {
            Some(schema) => self.open_under(schema, piece)?,
            None => self.open_free(piece)?,
        };
        self.become_all(root, schema);
        Ok(true)
    }

    fn open_under(&mut self, schema: &Schema, piece: Piece) -> Result<Piece> {
        let piece = match self.settled_null(piece)? {
            Piece::Fixed(cbor) if *cbor == [cbor::NULL] => return Ok(null()),
            piece => piece,
        };
        match &schema.root().kind {
            Type::Struct(fields) => {
                if matches!(piece, Piece::Fields(_)) {
                    return Ok(piece);
                }
                let pieces = match piece {
                    Piece::Fixed(cbor) => fixed_fields(&cbor, fields.len())?,
                    piece => self.open_struct(piece, fields.len())?,
                };
                let entries = fields.iter().zip(pieces).map(|(field, piece)| Entry {
                    name: field.name.as_str().into(),
                    schema: Some(Rc::new(schema.subschema(field.node))),
                    piece,
                });
                Ok(Piece::Fields(entries.collect()))
            }
            Type::String => self.open_raw(piece, major::TEXT),
            Type::Bytes => self.open_raw(piece, major::BYTES),
            _ => {
                if let Piece::Slot { slot, .. } = piece {
                    self.expects.push(Expect::Present(slot));
                }
                Ok(piece)
            }
        }
    }

    fn open_free(&mut self, piece: Piece) -> Result<Piece> {
        let piece = self.settled_null(piece)?;
        let holds_map = |bytes: &[u8]| bytes.first().is_some_and(|first| first >> 5 == major::MAP);
        match piece {
            Piece::Slot { slot, .. } if !holds_map(self.row.get(self.cell, slot)) => {
                self.expects.push(Expect::Plain(slot));
                Ok(piece)
            }
            piece => match self.open_map(piece)? {
                Opened::Other(piece) => Ok(piece),
                Opened::Map(pieces) => {
                    let mut entries = Vec::with_capacity(pieces.len());
                    for (name, piece) in pieces {
                        put(&mut entries, Entry { name, schema: None, piece });
                    }
                    Ok(Piece::Fields(entries))
                }
            },
        }
    }

    /// Null is made a piece of its own, so that any other is not null.
    fn settled_null(&mut self, piece: Piece) -> Result<Piece> {
        match piece {
            Piece::Slot { slot, .. } if is_filled(slot) => Err(Error::fatal("what a plan fills cannot be extracted")),
            Piece::Slot { slot, or } if self.row.get(self.cell, slot) == [cbor::NULL] => {
                self.expects.push(Expect::Null(slot));
                Ok(or.map_or_else(null, Piece::Fixed))
            }
            Piece::Slot { slot, .. } => Ok(Piece::Slot { slot, or: None }),
            piece => Ok(piece),
        }
    }

    /// The body of text or bytes in a slot of its own: a cell under such a schema has no head.
    fn open_raw(&mut self, piece: Piece, major: u8) -> Result<Piece> {
        let slot = self.row.slots() as u32;
        match piece {
            Piece::Slot { slot: from, .. } => {
                self.row.open_body(self.cell, from).map_err(Error::data)?;
                self.expects.push(Expect::Body(from));
            }
            Piece::Fixed(cbor) => {
                let body: Rc<[u8]> = body(&cbor)?.into();
                self.row.push_own(&body);
                self.expects.push(Expect::Own(body));
            }
            raw => return Ok(raw),
        }
        self.origins.push(Origin { container: self.origins.len() as u32, key: None });
        Ok(Piece::Raw { slot, major })
    }
}
