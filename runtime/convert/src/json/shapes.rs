//! Pure. The key sequences that objects were seen to have. Records of a topic look alike: where the next key is the
//! one that came next the last time, it is recognised by one comparison, its CBOR is at hand, and it is known not to
//! have stood in the object before.

use weir_data::cbor;

/// No sequence is followed.
pub(crate) const NONE: u32 = u32::MAX;
const NODES_MAX: usize = 4_096;
const SIBLINGS_MAX: usize = 8;
const KEY_MAX: usize = 64;

/// A key after those before it.
struct Shape {
    /// The key with its quotes and the colon behind it, as they mostly stand in JSON.
    quoted: Box<[u8]>,
    /// The key as CBOR text.
    cbor: Box<[u8]>,
    /// The key before it in the same object, or the start of the object.
    parent: u32,
    /// The first key seen after it.
    next: u32,
    /// Another key seen in its place.
    sibling: u32,
    /// The start of objects that are its value.
    inner: u32,
}

impl Shape {
    fn key(&self) -> &[u8] {
        &self.quoted[1..self.quoted.len() - 2]
    }
}

/// Key sequences, as a tree. Position 0 is the start of a record's outermost object.
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
}

impl Shapes {
    /// No sequences yet.
    pub(crate) fn new() -> Shapes {
        let mut shapes = Shapes { shapes: Vec::new() };
        shapes.push(b"", NONE);
        shapes
    }

    fn push(&mut self, key: &[u8], parent: u32) -> u32 {
        let mut as_cbor = Vec::new();
        cbor::text(&mut as_cbor, key);
        let quoted = [b"\"", key, b"\":"].concat().into();
        self.shapes.push(Shape { quoted, cbor: as_cbor.into(), parent, next: NONE, sibling: NONE, inner: NONE });
        (self.shapes.len() - 1) as u32
    }

    /// Forgets everything when there is no room left. Only between records: positions become void.
    pub(crate) fn make_room(&mut self) {
        if self.shapes.len() >= NODES_MAX {
            *self = Shapes::new();
        }
    }

    /// The key that stands with its colon at the beginning of `text`, if it was seen after `after` before: its
    /// position, the length of its text, its CBOR.
    #[inline(always)]
    pub(crate) fn predict(&self, after: u32, text: &[u8]) -> Option<(u32, usize, &[u8])> {
        let mut at = self.shapes.get(after as usize)?.next;
        while let Some(shape) = self.shapes.get(at as usize) {
            let length = shape.quoted.len();
            if text.get(..length).is_some_and(|start| cbor::same(start, &shape.quoted)) {
                return Some((at, length, &shape.cbor));
            }
            at = shape.sibling;
        }
        None
    }

    /// Notes that `key` came after `after`, and answers its position; [`NONE`] when there is no room or when it stood
    /// in the object before.
    #[cold]
    pub(crate) fn learn(&mut self, after: u32, key: &[u8]) -> u32 {
        if after == NONE || self.shapes.len() >= NODES_MAX || key.len() > KEY_MAX || key.contains(&b'\\') {
            return NONE;
        }
        let mut before = after;
        while self.shapes[before as usize].parent != NONE {
            let shape = &self.shapes[before as usize];
            if shape.key() == key {
                return NONE;
            }
            before = shape.parent;
        }
        let mut siblings = 0;
        let mut last = NONE;
        let mut at = self.shapes[after as usize].next;
        while at != NONE {
            if self.shapes[at as usize].key() == key {
                return at;
            }
            (siblings, last, at) = (siblings + 1, at, self.shapes[at as usize].sibling);
        }
        if siblings >= SIBLINGS_MAX {
            return NONE;
        }
        let learned = self.push(key, after);
        match self.shapes.get_mut(last as usize) {
            Some(sibling) => sibling.sibling = learned,
            None => self.shapes[after as usize].next = learned,
        }
        learned
    }

    /// The start of objects that are the value of the key at `key`, or elements of an array that is.
    #[inline(always)]
    pub(crate) fn inside(&mut self, key: u32) -> u32 {
        match self.shapes.get(key as usize) {
            Some(shape) if shape.inner != NONE => shape.inner,
            Some(_) => self.start_inside(key),
            None => NONE,
        }
    }

    #[cold]
    fn start_inside(&mut self, key: u32) -> u32 {
        if self.shapes.len() >= NODES_MAX {
            return NONE;
        }
        let inner = self.push(b"", NONE);
        self.shapes[key as usize].inner = inner;
        inner
    }
}
