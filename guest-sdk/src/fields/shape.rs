//! Pure. What rows of one schema, or of one sequence of keys, have in common: which field stands where, and how a cell
//! is written from them.

use std::cell::RefCell;
use std::rc::Rc;

use weir_data::cbor::{self, Malformed, major};
use weir_data::{Node, Schema};

use super::plan::Plan;
use super::row::{Row, skip};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// The CBOR of the row in this slot; where that is null, `or`.
    Slot { slot: u32, or: Option<Rc<[u8]>> },
    /// The text or bytes of the row in this slot, which have no CBOR head.
    Raw { slot: u32, major: u8 },
    /// The same CBOR in every row.
    Fixed(Rc<[u8]>),
    /// Fields: those of a struct with schema, those of a map without.
    Fields(Vec<Entry>),
}

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub name: Rc<str>,
    /// None without schema.
    pub schema: Option<Rc<Schema>>,
    pub piece: Piece,
}

impl Entry {
    /// Its piece, with its schema's default in the place of null.
    pub fn or_default(&self) -> Piece {
        let default = self.schema.as_ref().and_then(|schema| schema.root().default.as_deref());
        match (default, &self.piece) {
            (Some(default), Piece::Slot { slot, or: None }) => Piece::Slot { slot: *slot, or: Some(default.into()) },
            (Some(default), Piece::Fixed(cbor)) if **cbor == [cbor::NULL] => Piece::Fixed(default.into()),
            _ => self.piece.clone(),
        }
    }
}

/// How a slot came to be: slots of the same container stand one behind the other in its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub container: u32,
    /// The map's key before the value.
    pub key: Option<Rc<str>>,
}

/// One value: as it came, or as steps left it.
#[derive(Debug)]
pub(crate) struct Shape {
    pub schema: Option<Rc<Schema>>,
    /// The attributes of the root's schema; its type says nothing.
    pub head: Option<Node>,
    pub root: Piece,
    pub origins: Vec<Origin>,
    /// What steps make of rows of this shape. They go when it goes, which bounds them.
    pub next: RefCell<Vec<Next>>,
    writer: Writer,
}

/// The plans of one step.
#[derive(Debug)]
pub(crate) struct Next {
    /// The step's number, and what else its plan depends on.
    pub ask: (u32, u32),
    pub plans: Vec<Rc<Plan>>,
}

impl Shape {
    pub fn new(schema: Option<Rc<Schema>>, head: Option<Node>, root: Piece, origins: Vec<Origin>) -> Shape {
        let mut writer = Writer { ops: Vec::new(), literals: Vec::new(), with_schema: schema.is_some() };
        writer.piece(&root, &origins);
        Shape { schema, head, root, origins, next: RefCell::default(), writer }
    }

    /// Appends the cell of a row.
    #[inline]
    pub fn write(&self, cell: &[u8], row: &Row, out: &mut Vec<u8>) {
        let literals = &self.writer.literals[..];
        for op in &self.writer.ops {
            cbor::put(out, &literals[op.from as usize..op.to as usize]);
            match op.then {
                Then::Copy { first, last } => cbor::put(out, row.between(cell, first, last)),
                Then::Nothing => {}
                Then::CopyOr { slot, from, to } => match row.get(cell, slot) {
                    [cbor::NULL] => cbor::put(out, &literals[from as usize..to as usize]),
                    bytes => cbor::put(out, bytes),
                },
                Then::Raw { slot, major } => {
                    let bytes = row.get(cell, slot);
                    cbor::head(out, major, bytes.len() as u64);
                    cbor::put(out, bytes);
                }
            }
        }
    }

    /// Whether the cell is the raw text or bytes that came.
    pub fn raw_slot(&self) -> Option<u32> {
        match self.root {
            Piece::Raw { slot, .. } => Some(slot),
            Piece::Slot { .. } | Piece::Fixed(_) | Piece::Fields(_) => None,
        }
    }

    /// Whether it is null in every row.
    pub fn is_null(&self) -> bool {
        matches!(&self.root, Piece::Fixed(cbor) if **cbor == [cbor::NULL])
    }
}

/// Bytes that are the same in every row, and what comes behind them.
#[derive(Debug)]
struct Op {
    from: u32,
    to: u32,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// The bytes from the first slot to the end of the last, with the keys between.
    Copy { first: u32, last: u32 },
    /// The next one's bytes.
    Nothing,
    /// A slot, or where that is null the literal.
    CopyOr { slot: u32, from: u32, to: u32 },
    /// A slot behind a head.
    Raw { slot: u32, major: u8 },
}

#[derive(Debug)]
struct Writer {
    ops: Vec<Op>,
    literals: Vec<u8>,
    with_schema: bool,
}

impl Writer {
    fn literal(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.literals.len() as u32;
        write(&mut self.literals);
        let to = self.literals.len() as u32;
        match self.ops.last_mut() {
            Some(Op { to: end, then: Then::Nothing, .. }) if *end == from => *end = to,
            _ => self.ops.push(Op { from, to, then: Then::Nothing }),
        }
    }

    fn then(&mut self, then: Then) {
        match self.ops.last_mut() {
            Some(Op { then: nothing @ Then::Nothing, .. }) => *nothing = then,
            _ => self.ops.push(Op { from: 0, to: 0, then }),
        }
    }

    fn piece(&mut self, piece: &Piece, origins: &[Origin]) {
        match piece {
            Piece::Slot { slot, or: None } => self.then(Then::Copy { first: *slot, last: *slot }),
            Piece::Slot { slot, or: Some(or) } => {
                let from = self.literals.len() as u32;
                self.literals.extend_from_slice(or);
                self.then(Then::CopyOr { slot: *slot, from, to: self.literals.len() as u32 });
            }
            Piece::Raw { slot, major } => self.then(Then::Raw { slot: *slot, major: *major }),
            Piece::Fixed(cbor) => self.literal(|out| out.extend_from_slice(cbor)),
            Piece::Fields(entries) => {
                let major = if self.with_schema { major::ARRAY } else { major::MAP };
                self.literal(|out| cbor::head(out, major, entries.len() as u64));
                for entry in entries {
                    if self.joins(entry, origins) {
                        continue;
                    }
                    if !self.with_schema {
                        self.literal(|out| cbor::text(out, entry.name.as_bytes()));
                    }
                    self.piece(&entry.piece, origins);
                }
            }
        }
    }

    /// Lets the copy before go on over a field that stood behind it already, under the same key.
    fn joins(&mut self, entry: &Entry, origins: &[Origin]) -> bool {
        let Piece::Slot { slot, or: None } = entry.piece else { return false };
        let Some(Op { then: Then::Copy { last, .. }, .. }) = self.ops.last_mut() else { return false };
        let (before, this) = (&origins[*last as usize], &origins[slot as usize]);
        let key_stays = self.with_schema || this.key.as_ref() == Some(&entry.name);
        let joins = *last + 1 == slot && before.container == this.container && key_stays;
        if joins {
            *last = slot;
        }
        joins
    }
}

/// What rows must hold besides for a plan to fit them. Containers append the slots of what is in them.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// Anything but a map.
    Scalar(u32),
    /// Null.
    Null(u32),
    /// Anything but null.
    Present(u32),
    /// Anything but null and maps.
    Plain(u32),
    /// Text or bytes; their body is appended.
    Body(u32),
    /// Nothing: these bytes are appended.
    Own(Rc<[u8]>),
    /// A struct of so many fields.
    Struct { slot: u32, fields: u32 },
    /// A map with these keys.
    Map { slot: u32, keys: Rc<Sequence> },
}

/// The keys of a map, in their order.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub names: Vec<Rc<str>>,
    /// The keys in CBOR, one after the other, and where each ends.
    keys: Vec<u8>,
    ends: Vec<u32>,
}

impl Sequence {
    pub fn new(names: Vec<Rc<str>>) -> Sequence {
        let (mut keys, mut ends) = (Vec::new(), Vec::new());
        for name in &names {
            cbor::text(&mut keys, name.as_bytes());
            ends.push(keys.len() as u32);
        }
        Sequence { names, keys, ends }
    }

    /// Appends where each value of a map that has just these keys starts and ends; none where it has others.
    #[inline]
    pub fn follow(&self, bytes: &[u8], spans: &mut Vec<(u32, u32)>) -> Result<Option<usize>, Malformed> {
        let head = cbor::read_head(bytes, 0)?;
        if head.major != major::MAP || head.argument != self.ends.len() as u64 {
            return Ok(None);
        }
        let first = spans.len();
        spans.resize(first + self.ends.len(), (0, 0));
        let (mut at, mut from) = (head.end, 0);
        for (span, &end) in spans[first..].iter_mut().zip(&self.ends) {
            let key = &self.keys[from as usize..end as usize];
            let start = at + key.len();
            if !bytes.get(at..start).is_some_and(|found| cbor::same(found, key)) {
                spans.truncate(first);
                return Ok(None);
            }
            at = skip(bytes, start)?;
            *span = (start as u32, at as u32);
            from = end;
        }
        if at > bytes.len() { Err(Malformed::Truncated) } else { Ok(Some(at)) }
    }
}
