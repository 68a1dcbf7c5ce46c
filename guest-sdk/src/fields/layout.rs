//! Pure. The fields of a shape while a plan is made: renamed, dropped, inserted, replaced, wrapped.

use std::rc::Rc;

use weir_data::{Node, Schema, Type};

use super::base::put;
use super::row::Row;
use super::shape::{Entry, Expect, Origin, Piece, Shape};
use crate::error::{Error, Result};

/// Set in the number of a slot that is filled by work of the plan being made: only its end tells the slot's place.
const FILLED: u32 = 1 << 31;

/// The fields of a key or value, for a plan to change. Those of a struct have schemas, those of a map have none.
///
/// A change of a struct's fields makes a new schema with the name, version, documentation and parameters of the old one,
/// required and without default, as Connect's transformations do.
pub struct Layout<'r> {
    pub(super) cell: &'r [u8],
    pub(super) row: &'r mut Row,
    pub(super) head: Option<Node>,
    pub(super) root: Piece,
    pub(super) origins: Vec<Origin>,
    pub(super) expects: Vec<Expect>,
    schema: Option<Rc<Schema>>,
    changed: bool,
    works: Vec<(u32, Option<Piece>)>,
}

/// A field of a [`Layout`].
#[derive(Clone, Copy)]
pub struct LayoutField<'a>(&'a Entry);

impl<'a> LayoutField<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        &self.0.name
    }

    /// Its schema; none in a map without schema.
    pub fn schema(self) -> Option<&'a Rc<Schema>> {
        self.0.schema.as_ref()
    }
}

impl<'r> Layout<'r> {
    pub(super) fn new(cell: &'r [u8], row: &'r mut Row, shape: &Shape) -> Layout<'r> {
        Layout {
            cell,
            row,
            head: shape.head.clone(),
            root: shape.root.clone(),
            origins: shape.origins.clone(),
            expects: Vec::new(),
            schema: shape.schema.clone(),
            changed: false,
            works: Vec::new(),
        }
    }

    /// Whether there is a schema.
    pub fn has_schema(&self) -> bool {
        self.schema.is_some()
    }

    /// The schema as it was before this plan.
    pub fn schema(&self) -> Option<&Rc<Schema>> {
        self.schema.as_ref()
    }

    /// Whether these are fields at all: a struct, or a map without schema.
    pub fn is_fields(&self) -> bool {
        matches!(self.root, Piece::Fields(_))
    }

    /// What is no fields, as its cell; none for fields and null.
    pub fn cell(&self) -> Option<&[u8]> {
        match self.root {
            Piece::Slot { slot, .. } | Piece::Raw { slot, .. } => Some(self.row.get(self.cell, slot)),
            Piece::Fixed(_) | Piece::Fields(_) => None,
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.root {
            Piece::Fields(entries) => entries,
            Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => &[],
        }
    }

    fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.root {
            Piece::Fields(entries) => Some(entries),
            Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => None,
        }
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = LayoutField<'_>> {
        self.entries().iter().map(LayoutField)
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<LayoutField<'_>> {
        self.fields().find(|field| field.name() == name)
    }

    /// Keeps the fields for which `to` has a name, under that name.
    pub fn select(&mut self, to: impl Fn(&str) -> Option<String>) -> Result<()> {
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        let before = std::mem::take(entries);
        self.changed = true;
        for entry in before {
            if let Some(name) = to(&entry.name) {
                let name = if *name == *entry.name { entry.name.clone() } else { name.into() };
                self.push(Entry { name, ..entry })?;
            }
        }
        Ok(())
    }

    /// Renames a field, when there is one of that name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.select(|name| Some(if name == from { to } else { name }.to_owned()))
    }

    /// Takes a field out.
    pub fn remove(&mut self, gone: &str) -> Result<()> {
        self.select(|name| (name != gone).then(|| name.to_owned()))
    }

    /// Inserts a field with the same value in every row, as CBOR. A map's field of that name is replaced; for a struct it
    /// is an error. `schema` counts where there is one.
    pub fn insert(&mut self, name: &str, schema: &Rc<Schema>, cbor: &[u8]) -> Result<()> {
        self.push_new(name, schema, Piece::Fixed(cbor.into()))
    }

    /// Inserts a field as [`Layout::insert`] does, whose value the plan's `fill` makes for each row.
    pub fn insert_filled(&mut self, name: &str, schema: &Rc<Schema>, tag: u32) -> Result<()> {
        let slot = self.work(tag, None);
        self.push_new(name, schema, slot)
    }

    /// Replaces a field's value by what the plan's `fill` makes of it for each row. A map that has no such field gets it,
    /// made from none.
    pub fn fill(&mut self, name: &str, tag: u32) -> Result<()> {
        let with_schema = self.has_schema();
        let at = self.entries().iter().position(|entry| *entry.name == *name);
        let was = at.map(|at| self.entries()[at].piece.clone());
        let known = was.is_some();
        if !known && with_schema {
            return Ok(());
        }
        let piece = self.work(tag, was);
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        match at {
            Some(at) => entries[at].piece = piece,
            None => entries.push(Entry { name: name.into(), schema: None, piece }),
        }
        Ok(())
    }

    /// Puts a map's field to null, or adds it so.
    pub fn put_null(&mut self, name: &str) -> Result<()> {
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        put(entries, Entry { name: name.into(), schema: None, piece: null() });
        Ok(())
    }

    /// Replaces null in fields whose schemas have a default by that default.
    pub fn default_nulls(&mut self) {
        let Some(entries) = self.entries_mut() else { return };
        for Entry { schema, piece, .. } in entries {
            let default = schema.as_ref().and_then(|schema| schema.root().default.as_deref());
            match (default, &mut *piece) {
                (Some(default), Piece::Slot { or: or @ None, .. }) => *or = Some(default.into()),
                (Some(default), Piece::Fixed(cbor)) if **cbor == [weir_data::cbor::NULL] => {
                    *piece = Piece::Fixed(default.into());
                }
                _ => {}
            }
        }
    }

    /// Makes it the only field of a struct or map.
    pub fn wrap(&mut self, name: &str) -> Result<()> {
        let schema = self.finished_schema()?;
        let piece = std::mem::replace(&mut self.root, Piece::Fields(Vec::new()));
        self.head = self.head.take().map(|_| Node::new(Type::Boolean));
        self.changed = true;
        self.push(Entry { name: name.into(), schema, piece })
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        let with_schema = self.has_schema();
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        if with_schema && entry.name.is_empty() {
            return Err(Error::data("fieldName cannot be null."));
        }
        if with_schema && entries.iter().any(|there| there.name == entry.name) {
            let name = &entry.name;
            return Err(Error::data(format!("Cannot create field because of field name duplication {name}")));
        }
        put(entries, entry);
        Ok(())
    }

    fn push_new(&mut self, name: &str, schema: &Rc<Schema>, piece: Piece) -> Result<()> {
        let schema = self.has_schema().then(|| schema.clone());
        self.changed = true;
        self.push(Entry { name: name.into(), schema, piece })
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Takes all fields out, for others to come in their place.
    pub(super) fn set_fields(&mut self) -> Vec<Entry> {
        self.changed = true;
        match std::mem::replace(&mut self.root, Piece::Fields(Vec::new())) {
            Piece::Fields(entries) => entries,
            Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => Vec::new(),
        }
    }

    fn work(&mut self, tag: u32, was: Option<Piece>) -> Piece {
        self.works.push((tag, was));
        Piece::Slot { slot: FILLED | (self.works.len() - 1) as u32, or: None }
    }

    /// The schema as the changes make it; the old one where they make no difference.
    fn finished_schema(&self) -> Result<Option<Rc<Schema>>> {
        let (Some(old), Some(head)) = (&self.schema, &self.head) else { return Ok(None) };
        if !self.changed {
            return Ok(Some(old.clone()));
        }
        let mut fields = Vec::new();
        for entry in self.entries() {
            let schema = entry.schema.as_ref().ok_or_else(|| Error::fatal("a struct's field without schema"))?;
            fields.push((&*entry.name, (**schema).clone()));
        }
        let mut nodes = Schema::record(fields).nodes().to_vec();
        let kind = std::mem::replace(&mut nodes[0].kind, Type::Boolean);
        nodes[0] = Node { kind, optional: false, default: None, ..head.clone() };
        let new = Schema::new(nodes).map_err(Error::data)?;
        Ok(Some(if new == **old { old.clone() } else { Rc::new(new) }))
    }

    pub(super) fn finish(mut self) -> Result<Plan> {
        let schema = self.finished_schema()?;
        if self.changed {
            self.head = schema.as_ref().map(|schema| schema.root().clone());
        }
        let base = self.origins.len() as u32;
        settle(&mut self.root, base);
        let mut works = Vec::with_capacity(self.works.len());
        let mut origins = self.origins;
        for (tag, mut was) in self.works {
            if let Some(was) = &mut was {
                settle(was, base);
            }
            let was = was.map(|was| match was {
                Piece::Slot { slot, or: None } => Was::Slot(slot),
                other => Was::Written(Box::new(Shape::new(schema.clone(), None, other, origins.clone()))),
            });
            works.push(Work { tag, was });
            origins.push(Origin { container: origins.len() as u32, key: None });
        }
        let shape = Rc::new(Shape::new(schema, self.head, self.root, origins));
        Ok(Plan { expects: self.expects, works, shape })
    }
}

pub(super) fn null() -> Piece {
    Piece::Fixed([weir_data::cbor::NULL].into())
}

fn no_fields() -> Error {
    Error::data("this is neither a struct nor a map without schema")
}

/// Gives filled slots their places, which are behind all others.
fn settle(piece: &mut Piece, base: u32) {
    match piece {
        Piece::Slot { slot, .. } if *slot & FILLED != 0 => *slot = (*slot ^ FILLED) + base,
        Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => {}
        Piece::Fields(entries) => entries.iter_mut().for_each(|entry| settle(&mut entry.piece, base)),
    }
}

/// Whether a slot is filled by the plan being made, so that its bytes are not there yet.
pub(super) fn is_filled(slot: u32) -> bool {
    slot & FILLED != 0
}

/// What a step does to rows of one shape.
#[derive(Debug)]
pub(crate) struct Plan {
    pub expects: Vec<Expect>,
    works: Vec<Work>,
    pub shape: Rc<Shape>,
}

#[derive(Debug)]
struct Work {
    tag: u32,
    was: Option<Was>,
}

#[derive(Debug)]
enum Was {
    Slot(u32),
    Written(Box<Shape>),
}

impl Plan {
    /// Adds to a row that meets the expectations what the plan has filled.
    #[inline(always)]
    pub fn fill(
        &self,
        cell: &[u8],
        row: &mut Row,
        scratch: &mut Vec<u8>,
        fill: &mut impl FnMut(u32, Option<&[u8]>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        for work in &self.works {
            scratch.clear();
            match &work.was {
                None => fill(work.tag, None, scratch)?,
                Some(Was::Slot(slot)) => fill(work.tag, Some(row.get(cell, *slot)), scratch)?,
                Some(Was::Written(was)) => {
                    let mut written = Vec::new();
                    was.write(cell, row, &mut written);
                    fill(work.tag, Some(&written), scratch)?;
                }
            }
            row.push_own(scratch);
        }
        Ok(())
    }
}
