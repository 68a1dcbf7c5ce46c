//! Pure. Bytes into lines as Connect's FileStreamSource ends them: at `\n`, `\r\n` or `\r`. A `\r` at the end of what
//! is there waits for the byte behind it, and a line without end for its end.

/// Bytes that were read and are not yet taken as lines.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is no end of a line.
    searched: usize,
    /// Whether there may be a `\r`.
    returns: bool,
    /// Whether nothing is to come.
    ended: bool,
}

impl Lines {
    /// Adds what was read next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.returns = memchr::memchr(b'\r', bytes).is_some() || (self.returns && self.bytes.contains(&b'\r'));
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing is to come: what is left is a line.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether nothing is to come.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes are not taken yet.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Takes the next line, without its end, and says how many bytes are left behind it.
    #[inline]
    pub fn take(&mut self) -> Option<(&[u8], usize)> {
        let unsearched = &self.bytes[self.searched..];
        let found = match self.returns {
            false => memchr::memchr(b'\n', unsearched),
            true => memchr::memchr2(b'\n', b'\r', unsearched),
        };
        let Some(found) = found else {
            self.searched = self.bytes.len();
            return self.take_rest();
        };
        let end = self.searched + found;
        let next = match (self.bytes[end], self.bytes.get(end + 1)) {
            (b'\r', Some(b'\n')) => end + 2,
            (b'\r', None) if !self.ended => {
                self.searched = end;
                return None;
            }
            _ => end + 1,
        };
        let line = self.start..end;
        (self.start, self.searched) = (next, next);
        Some((&self.bytes[line], self.bytes.len() - next))
    }

    fn take_rest(&mut self) -> Option<(&[u8], usize)> {
        if !self.ended || self.pending() == 0 {
            return None;
        }
        let line = self.start..self.bytes.len();
        self.start = self.bytes.len();
        Some((&self.bytes[line], 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines, and how many bytes are left.
    fn lines(pieces: &[&str], ended: bool) -> (Vec<String>, usize) {
        let (mut lines, mut taken) = (Lines::default(), vec![]);
        let mut take = |lines: &mut Lines| {
            while let Some((line, _)) = lines.take() {
                taken.push(String::from_utf8(line.to_vec()).unwrap());
            }
        };
        for piece in pieces {
            lines.push(piece.as_bytes());
            take(&mut lines);
        }
        if ended {
            lines.end();
            take(&mut lines);
        }
        (taken, lines.pending())
    }

    #[test]
    fn lines_end_as_in_java() {
        for (pieces, expected, left, at_the_end) in [
            (&["a\nb\n"][..], &["a", "b"][..], 0, &["a", "b"][..]),
            (&["a\n", "b"], &["a"], 1, &["a", "b"]),
            (&["a", "b", "c\nd"], &["abc"], 1, &["abc", "d"]),
            (&["a\r\nb\r\n"], &["a", "b"], 0, &["a", "b"]),
            (&["a\r", "\nb"], &["a"], 1, &["a", "b"]),
            (&["a\rb\n"], &["a", "b"], 0, &["a", "b"]),
            (&["a\r"], &[], 2, &["a"]),
            (&["a\r", "b\r", "\r"], &["a", "b"], 1, &["a", "b", ""]),
            (&["\n\n\r\n\r"], &["", "", ""], 1, &["", "", "", ""]),
            (&["\n\r\n\r"], &["", ""], 1, &["", "", ""]),
            (&["a\r", "b\n", "c\n"], &["a", "b", "c"], 0, &["a", "b", "c"]),
            (&[""], &[], 0, &[]),
        ] {
            let texts = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
            assert_eq!(lines(pieces, false), (texts(expected), left), "{pieces:?}");
            assert_eq!(lines(pieces, true), (texts(at_the_end), 0), "{pieces:?}");
        }
    }

    #[test]
    fn lines_do_not_depend_on_how_they_were_read() {
        let text = "one\ntwo\r\nthree\rfour\n\n\r\r\n\nfive\r\n\r\nsix";
        let whole = lines(&[text], false);
        for first in 0..text.len() {
            for second in first..text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(lines(&pieces, false), whole, "{pieces:?}");
            }
        }
    }
}
