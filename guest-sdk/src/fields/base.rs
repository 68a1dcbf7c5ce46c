//! Pure. The shapes of cells as they come: one for each schema, and for maps without schema one for each sequence of
//! keys, recognised by comparing bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use weir_data::cbor::{self, Malformed, major};
use weir_data::{Schema, Type};

use super::row::{Live, Row, skip, walk_struct};
use super::shape::{Entry, Origin, Piece, Sequence, Shape};
use crate::data::{Cell, Data};
use crate::error::{Error, Result};

/// Schemas whose shapes are kept, and sequences of keys.
const SHAPES_MAX: usize = 1_024;
/// Fields of all shapes of either kind that are kept: with the plans of a chain each takes about a kilobyte.
const FIELDS_MAX: usize = 16_384;

/// The shape of cells under a schema; the address is a key because `schema` keeps it in use.
#[derive(Clone)]
struct Base {
    schema: Rc<Schema>,
    null: bool,
    /// How many fields its cells have; none where they are no structs.
    fields: Option<usize>,
    shape: Rc<Shape>,
}

impl Base {
    fn new(schema: &Rc<Schema>, null: bool) -> Base {
        let root = schema.root();
        let whole = vec![Origin { container: 0, key: None }];
        let (fields, piece, origins) = match (&root.kind, null) {
            (_, true) => (None, Piece::Fixed([cbor::NULL].into()), vec![]),
            (Type::String, _) => (None, Piece::Raw { slot: 0, major: major::TEXT }, whole),
            (Type::Bytes, _) => (None, Piece::Raw { slot: 0, major: major::BYTES }, whole),
            (Type::Struct(fields), _) => {
                let entries = fields.iter().enumerate().map(|(at, field)| Entry {
                    name: field.name.as_str().into(),
                    schema: Some(Rc::new(schema.subschema(field.node))),
                    piece: Piece::Slot { slot: at as u32, or: None },
                });
                (Some(fields.len()), Piece::Fields(entries.collect()), vec![whole[0].clone(); fields.len()])
            }
            _ => (None, Piece::Slot { slot: 0, or: None }, whole),
        };
        let shape = Shape::new(Some(schema.clone()), Some(root.clone()), piece, origins);
        Base { schema: schema.clone(), null, fields, shape: Rc::new(shape) }
    }

    fn is_of(&self, schema: &Rc<Schema>, null: bool) -> bool {
        Rc::ptr_eq(&self.schema, schema) && self.null == null
    }
}

#[derive(Default)]
struct Bases {
    last: Option<Base>,
    by_schema: BTreeMap<(*const Schema, bool), Base>,
    fields: usize,
    sequences: Sequences,
    /// Without schema: what is no map, and null.
    plain: Option<(Rc<Shape>, Rc<Shape>)>,
}

impl Bases {
    #[inline(always)]
    fn of_schema(&mut self, schema: &Rc<Schema>, null: bool) -> &Base {
        if !self.last.as_ref().is_some_and(|last| last.is_of(schema, null)) {
            let key = (Rc::as_ptr(schema), null);
            if !self.by_schema.contains_key(&key) {
                self.fields += schema.nodes().len();
                if self.by_schema.len() >= SHAPES_MAX || self.fields > FIELDS_MAX {
                    self.by_schema.clear();
                    self.fields = schema.nodes().len();
                }
            }
            self.last = Some(self.by_schema.entry(key).or_insert_with(|| Base::new(schema, null)).clone());
        }
        self.last.as_ref().expect("it was set")
    }

    fn plain(&mut self, null: bool) -> Rc<Shape> {
        let (other, none) = self.plain.get_or_insert_with(|| {
            let slot = Piece::Slot { slot: 0, or: None };
            let other = Shape::new(None, None, slot, vec![Origin { container: 0, key: None }]);
            let none = Shape::new(None, None, Piece::Fixed([cbor::NULL].into()), vec![]);
            (Rc::new(other), Rc::new(none))
        });
        if null { none.clone() } else { other.clone() }
    }
}

/// The sequences of keys seen last.
#[derive(Default)]
struct Sequences {
    known: Vec<Known>,
    by_hash: BTreeMap<u64, usize>,
    last: usize,
    fields: usize,
}

struct Known {
    keys: Rc<Sequence>,
    shape: Rc<Shape>,
}

impl Sequences {
    /// Appends the slots of a map and answers its shape and where it ends.
    #[inline]
    fn take(&mut self, bytes: &[u8], row: &mut Row) -> std::result::Result<(Rc<Shape>, usize), Malformed> {
        if let Some(known) = self.known.get(self.last)
            && let Some(end) = known.keys.follow(bytes, row.spans())?
        {
            return Ok((known.shape.clone(), end));
        }
        self.find(bytes, row)
    }

    #[inline(never)]
    fn find(&mut self, bytes: &[u8], row: &mut Row) -> std::result::Result<(Rc<Shape>, usize), Malformed> {
        let hash = hash(bytes)?;
        if let Some(&at) = self.by_hash.get(&hash) {
            let known = &self.known[at];
            if let Some(end) = known.keys.follow(bytes, row.spans())? {
                self.last = at;
                return Ok((known.shape.clone(), end));
            }
        }
        let names = names(bytes)?;
        let keys = Rc::new(Sequence::new(names.iter().map(|&name| name.into()).collect()));
        let shape = Rc::new(shape_of(&keys));
        let Some(end) = keys.follow(bytes, row.spans())? else {
            // The keys have heads that are longer than they need be.
            return Err(Malformed::Unsupported);
        };
        self.fields += keys.names.len();
        if self.known.len() >= SHAPES_MAX || self.fields > FIELDS_MAX {
            self.fields = keys.names.len();
            self.known.clear();
            self.by_hash.clear();
        }
        self.last = self.known.len();
        self.by_hash.insert(hash, self.last);
        self.known.push(Known { keys, shape: shape.clone() });
        Ok((shape, end))
    }
}

/// The keys of a map.
pub(crate) fn names(bytes: &[u8]) -> std::result::Result<Vec<&str>, Malformed> {
    let head = cbor::read_head(bytes, 0)?;
    let mut names = Vec::new();
    let mut at = head.end;
    for _ in 0..head.argument {
        let key = cbor::read_head(bytes, at)?;
        if key.major != major::TEXT {
            return Err(Malformed::KeyNotText);
        }
        let (name, end) = cbor::string_body(bytes, &key)?;
        names.push(std::str::from_utf8(name).map_err(|_| Malformed::NotUtf8)?);
        at = cbor::skip(bytes, end)?;
    }
    Ok(names)
}

/// A number for a sequence of keys: from each its length, its first bytes and its last.
fn hash(bytes: &[u8]) -> std::result::Result<u64, Malformed> {
    let head = cbor::read_head(bytes, 0)?;
    let mut hash = head.argument;
    let mut at = head.end;
    for _ in 0..head.argument {
        let key = cbor::read_head(bytes, at)?;
        let (name, end) = cbor::string_body(bytes, &key)?;
        let word = |from: usize| name[from..].first_chunk::<4>().map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
        let few = || name.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        let ends = if name.len() < 4 { few() } else { word(0) << 32 | word(name.len() - 4) };
        hash = (hash.rotate_left(5) ^ ends ^ (name.len() as u64) << 24).wrapping_mul(0x517c_c1b7_2722_0a95);
        at = skip(bytes, end)?;
    }
    Ok(hash)
}

fn shape_of(keys: &Sequence) -> Shape {
    let mut entries: Vec<Entry> = Vec::with_capacity(keys.names.len());
    let mut origins = Vec::with_capacity(keys.names.len());
    for (slot, name) in keys.names.iter().enumerate() {
        origins.push(Origin { container: 0, key: Some(name.clone()) });
        put(
            &mut entries,
            Entry { name: name.clone(), schema: None, piece: Piece::Slot { slot: slot as u32, or: None } },
        );
    }
    Shape::new(None, None, Piece::Fields(entries), origins)
}

/// Adds a field; one of its name gives way to it.
pub(crate) fn put(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|there| there.name == entry.name) {
        Some(there) => *there = entry,
        None => entries.push(entry),
    }
}

thread_local! {
    static BASES: RefCell<Bases> = RefCell::default();
}

/// The fields of a cell as it came.
#[inline]
pub(crate) fn live<'a>(cell: Option<Cell<'a>>, schema: Option<&Rc<Schema>>) -> Result<Live<'a>> {
    let mut row = Live::idle_row();
    let bytes = cell.map_or(&[][..], |cell| cell.bytes);
    let shape = BASES.with_borrow_mut(|bases| shape(bases, &mut row, bytes, cell.is_none(), schema));
    Ok(Live::new(bytes, row, shape.map_err(Error::data)?))
}

#[inline]
fn shape(
    bases: &mut Bases,
    row: &mut Row,
    bytes: &[u8],
    null: bool,
    schema: Option<&Rc<Schema>>,
) -> std::result::Result<Rc<Shape>, Malformed> {
    let (shape, end) = match schema {
        Some(schema) => {
            let base = bases.of_schema(schema, null);
            match base.fields {
                Some(fields) => {
                    let walked = walk_struct(bytes, fields, row.spans())?;
                    (base.shape.clone(), walked.ok_or(Malformed::Unsupported)?)
                }
                None => {
                    if !null {
                        row.push_whole(bytes);
                    }
                    return Ok(base.shape.clone());
                }
            }
        }
        None if !null && cbor::read_head(bytes, 0)?.major == major::MAP => bases.sequences.take(bytes, row)?,
        None => {
            if !null {
                row.push_whole(bytes);
            }
            return Ok(bases.plain(null));
        }
    };
    if end == bytes.len() { Ok(shape) } else { Err(Malformed::Trailing) }
}

/// The fields of a value that a step has set.
pub(crate) fn live_of_data(data: &Data) -> Result<Live<'static>> {
    let mut bytes = Vec::new();
    data.write(&mut bytes)?;
    let cell = (!data.is_null()).then_some(Cell { bytes: &bytes, schema: data.schema.as_ref() });
    let mut live = live(cell, data.schema.as_ref())?;
    let (mut row, shape) = (std::mem::take(&mut live.row), live.shape.clone());
    row.make_own(&bytes);
    Ok(Live::new(&[], row, shape))
}
