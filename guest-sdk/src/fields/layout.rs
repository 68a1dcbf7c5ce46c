//! Pure. The fields of a shape while a plan is made: renamed, dropped, inserted, replaced, wrapped.

use std::rc::Rc;

use weir_data::cbor::{self, major};
use weir_data::{Node, Schema, Type};

use super::base::put;
use super::plan::{HeaderPlan, Place, Plan, Was, Work};
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
    /// Whether a changed schema is as optional as the one before.
    keeps_optional: bool,
    /// The default of a changed schema.
    default: Option<Vec<u8>>,
    works: Vec<Filling>,
    headers: Vec<Heading>,
}

/// A value that is filled for each row.
struct Filling {
    tag: u32,
    was: Option<Piece>,
    /// The schema of all it stood in.
    within: Option<Rc<Schema>>,
    place: Place,
}

/// A header that a field's value becomes.
struct Heading {
    name: Rc<str>,
    schema: Option<Rc<Schema>>,
    piece: Piece,
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
            keeps_optional: false,
            default: None,
            works: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Whether there is a schema.
    pub fn has_schema(&self) -> bool {
        self.schema.is_some()
    }

    /// The schema as it was before this plan changed its fields.
    pub fn schema(&self) -> Option<&Rc<Schema>> {
        self.schema.as_ref()
    }

    /// Whether these are fields at all: a struct, or a map without schema.
    pub fn is_fields(&self) -> bool {
        matches!(self.root, Piece::Fields(_))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(&self.root, Piece::Fixed(cbor) if **cbor == [cbor::NULL])
    }

    /// What is no fields, as its cell; none for fields and null.
    pub fn cell(&self) -> Option<&[u8]> {
        match &self.root {
            Piece::Slot { slot, .. } | Piece::Raw { slot, .. } => Some(self.row.get(self.cell, *slot)),
            Piece::Fixed(cbor) => (!self.is_null()).then_some(cbor),
            Piece::Fields(_) => None,
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

    /// Inserts a field with the same value in every row, as CBOR. A map's field of that name is replaced; for a struct
    /// it is an error. `schema` counts where there is one.
    pub fn insert(&mut self, name: &str, schema: &Rc<Schema>, cbor: &[u8]) -> Result<()> {
        self.push_new(name, schema, Piece::Fixed(cbor.into()))
    }

    /// Inserts a field as [`Layout::insert`] does, whose value the plan's `fill` makes for each row.
    pub fn insert_filled(&mut self, name: &str, schema: &Rc<Schema>, tag: u32) -> Result<()> {
        let slot = self.work(tag, None, Place::Field);
        self.push_new(name, schema, slot)
    }

    /// Replaces a field's value by what the plan's `fill` makes of it for each row. A map that has no such field gets
    /// it, made from none.
    pub fn fill(&mut self, name: &str, tag: u32) -> Result<()> {
        let with_schema = self.has_schema();
        let at = self.entries().iter().position(|entry| *entry.name == *name);
        let was = at.map(|at| self.entries()[at].piece.clone());
        let known = was.is_some();
        if !known && with_schema {
            return Ok(());
        }
        let piece = self.work(tag, was, Place::Field);
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        match at {
            Some(at) => entries[at].piece = piece,
            None => entries.push(Entry { name: name.into(), schema: None, piece }),
        }
        Ok(())
    }

    /// Replaces a field's value as [`Layout::fill`] does, and the schema of a struct's field.
    pub fn fill_as(&mut self, name: &str, schema: &Rc<Schema>, tag: u32) -> Result<()> {
        self.fill(name, tag)?;
        if self.has_schema()
            && let Some(entry) = self.entries_mut().and_then(|all| all.iter_mut().find(|entry| *entry.name == *name))
        {
            entry.schema = Some(schema.clone());
            self.changed = true;
        }
        Ok(())
    }

    /// Replaces all of it, under this schema or none, by what the plan's `fill` makes of it for each row, which must
    /// not be null.
    pub fn replace(&mut self, schema: Option<&Rc<Schema>>, tag: u32) {
        let raw = schema.map(|schema| &schema.root().kind).and_then(|kind| match kind {
            Type::String => Some(major::TEXT),
            Type::Bytes => Some(major::BYTES),
            _ => None,
        });
        let was = std::mem::replace(&mut self.root, null());
        let slot = self.work(tag, Some(was), if raw.is_some() { Place::Raw } else { Place::All });
        let root = match (raw, slot) {
            (Some(major), Piece::Slot { slot, .. }) => Piece::Raw { slot, major },
            (_, slot) => slot,
        };
        self.become_all(root, schema.cloned());
    }

    /// Makes it null under this schema, or without.
    pub fn make_null(&mut self, schema: Option<&Rc<Schema>>) {
        self.become_all(null(), schema.cloned());
    }

    /// Keeps a changed schema as optional as it was; what is changed is required otherwise.
    pub fn keep_optional(&mut self) {
        self.keeps_optional = true;
    }

    /// The default, as CBOR, of a changed schema, which has none otherwise.
    pub fn set_default(&mut self, cbor: Option<Vec<u8>>) {
        self.default = cbor;
    }

    /// Gives the schema another name, and another version, where one is named; all else of it stays.
    pub fn name_schema(&mut self, name: Option<&str>, version: Option<i32>) -> Result<()> {
        let (Some(schema), Some(head)) = (&self.schema, &mut self.head) else { return Ok(()) };
        let mut nodes = schema.nodes().to_vec();
        for node in [head, &mut nodes[0]] {
            node.name = name.map_or_else(|| node.name.take(), |name| Some(name.to_owned()));
            node.version = version.or(node.version);
        }
        let named = Schema::new(nodes).map_err(Error::data)?;
        if named != **schema {
            self.schema = Some(Rc::new(named));
        }
        Ok(())
    }

    /// Keeps just these fields, in this order, under a schema of their own; what a map lacks is null. The fields of a
    /// struct must be there.
    pub fn pick(&mut self, names: &[String]) -> Result<()> {
        let with_schema = self.has_schema();
        let Some(entries) = self.entries_mut() else { return Err(no_fields()) };
        let before = std::mem::take(entries);
        self.head = self.head.take().map(|_| Node::new(Type::Boolean));
        self.changed = true;
        for name in names {
            match before.iter().find(|entry| *entry.name == **name) {
                Some(entry) => self.push(entry.clone())?,
                None if with_schema => return Err(Error::data(format!("Unknown field: {name}"))),
                None => self.put_null(name)?,
            }
        }
        Ok(())
    }

    /// Adds a header of a field's value and schema, with the default in the place of null where `default_null`. A field
    /// that a map lacks is null.
    pub fn add_header(&mut self, header: &Rc<str>, field: &str, default_null: bool) -> Result<()> {
        let entry = self.entries().iter().find(|entry| *entry.name == *field);
        let (schema, piece) = match entry {
            Some(entry) if default_null => (entry.schema.clone(), entry.or_default()),
            Some(entry) => (entry.schema.clone(), entry.piece.clone()),
            None if self.has_schema() => return Err(Error::data(format!("Unknown field: {field}"))),
            None => (None, null()),
        };
        self.headers.push(Heading { name: header.clone(), schema, piece });
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
        entries.iter_mut().for_each(|entry| entry.piece = entry.or_default());
    }

    /// Makes it the only field of a struct or map.
    pub fn wrap(&mut self, name: &str) -> Result<()> {
        let schema = self.finished_schema()?;
        let piece = std::mem::replace(&mut self.root, Piece::Fields(Vec::new()));
        self.head = self.head.take().map(|_| Node::new(Type::Boolean));
        (self.keeps_optional, self.default) = (false, None);
        self.changed = true;
        self.push(Entry { name: name.into(), schema, piece })
    }

    /// Has a root and a schema in the place of all there was.
    pub(super) fn become_all(&mut self, root: Piece, schema: Option<Rc<Schema>>) {
        self.root = root;
        self.head = schema.as_ref().map(|schema| schema.root().clone());
        self.schema = schema;
        (self.keeps_optional, self.default) = (false, None);
        self.changed = false;
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

    fn work(&mut self, tag: u32, was: Option<Piece>, place: Place) -> Piece {
        self.works.push(Filling { tag, was, within: self.schema.clone(), place });
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
        let optional = self.keeps_optional && head.optional;
        nodes[0] = Node { kind, optional, default: self.default.clone(), ..head.clone() };
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
        for Filling { tag, mut was, within, place } in self.works {
            if let Some(was) = &mut was {
                settle(was, base);
            }
            let was = was.map(|was| match was {
                Piece::Slot { slot, or: None } => Was::Slot(slot),
                other => Was::Written(Box::new(Shape::new(within, None, other, origins.clone()))),
            });
            works.push(Work { tag, was, place });
            origins.push(Origin { container: origins.len() as u32, key: None });
        }
        let headers = self.headers.into_iter().map(|Heading { name, schema, mut piece }| {
            settle(&mut piece, base);
            HeaderPlan { name, shape: Shape::new(schema, None, piece, origins.clone()) }
        });
        let headers = headers.collect();
        let shape = Rc::new(Shape::new(schema, self.head, self.root, origins));
        Ok(Plan { expects: self.expects, works, shape, headers })
    }
}

pub(super) fn null() -> Piece {
    Piece::Fixed([cbor::NULL].into())
}

fn no_fields() -> Error {
    Error::data("this is neither a struct nor a map without schema")
}

/// Gives filled slots their places, which are behind all others.
fn settle(piece: &mut Piece, base: u32) {
    match piece {
        Piece::Slot { slot, .. } | Piece::Raw { slot, .. } if *slot & FILLED != 0 => *slot = (*slot ^ FILLED) + base,
        Piece::Slot { .. } | Piece::Raw { .. } | Piece::Fixed(_) => {}
        Piece::Fields(entries) => entries.iter_mut().for_each(|entry| settle(&mut entry.piece, base)),
    }
}

/// Whether a slot is filled by the plan being made, so that its bytes are not there yet.
pub(super) fn is_filled(slot: u32) -> bool {
    slot & FILLED != 0
}
