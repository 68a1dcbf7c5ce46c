//! Pure. The keys that maps without schema were seen to have, rendered. Records of a topic look alike: the key after
//! the last one is mostly the one that came after it the last time.

use weir_data::cbor;

use super::writer;

const KEYS_MAX: usize = 256;
const LOOK_AHEAD: usize = 8;

struct Rendered {
    /// The key as CBOR text.
    cbor: Box<[u8]>,
    /// A comma, the key as a JSON string, a colon.
    json: Box<[u8]>,
}

/// Rendered keys, as a ring in the order they were first seen.
pub(crate) struct RenderedKeys {
    keys: Vec<Rendered>,
    next: usize,
}

impl RenderedKeys {
    /// None yet.
    pub(crate) fn new() -> RenderedKeys {
        RenderedKeys { keys: Vec::new(), next: 0 }
    }

    /// If the key at `at` is known, appends it with its colon, and its comma unless it is the first, and answers where
    /// it ends.
    #[inline(always)]
    pub(crate) fn write(&mut self, cell: &[u8], at: usize, first: bool, out: &mut Vec<u8>) -> Option<usize> {
        for _ in 0..LOOK_AHEAD.min(self.keys.len()) {
            if self.next >= self.keys.len() {
                self.next = 0;
            }
            let key = &self.keys[self.next];
            self.next += 1;
            let end = at + key.cbor.len();
            if cell.get(at..end).is_some_and(|found| cbor::same(found, &key.cbor)) {
                cbor::put(out, &key.json[usize::from(first)..]);
                return Some(end);
            }
        }
        None
    }

    /// Notes a key that was not known, when there is room.
    #[cold]
    pub(crate) fn learn(&mut self, as_cbor: &[u8], text: &[u8]) {
        if self.keys.len() >= KEYS_MAX || text.len() > 64 {
            return;
        }
        let mut json = vec![b','];
        writer::string(&mut json, text);
        json.push(b':');
        self.keys.push(Rendered { cbor: as_cbor.into(), json: json.into() });
        self.next = self.keys.len();
    }
}
