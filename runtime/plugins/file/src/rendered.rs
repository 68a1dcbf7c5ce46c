//! Pure. The lines of a batch, and which of them arrived when writing broke off in between.

use weir_data::cbor;

/// Lines, one for each row that has one.
#[derive(Debug, Default)]
pub struct Rendered {
    bytes: Vec<u8>,
    /// Where each row's line ends.
    ends: Vec<usize>,
    /// Where writing begins: behind what of the first line is written already.
    begin: usize,
    /// Where the first row's line begins: behind the end of a line that others left torn.
    first: usize,
}

impl Rendered {
    /// Forgets the lines, to render others.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        (self.begin, self.first) = (0, 0);
    }

    /// The bytes of the line under construction are appended here.
    #[inline]
    pub fn line(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a row's line.
    #[inline]
    pub fn end_line(&mut self) {
        cbor::put(&mut self.bytes, b"\n");
        self.ends.push(self.bytes.len());
    }

    /// Ends a row without a line.
    pub fn end_without_line(&mut self) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.bytes.truncate(end);
        self.ends.push(end);
    }

    /// Takes up where an earlier write broke off in the middle of a line: behind what is written of it when the first
    /// line is that one, else on a line of its own.
    pub fn take_up(&mut self, torn: &[u8]) {
        if torn.is_empty() {
            return;
        }
        if self.bytes.starts_with(torn) {
            self.begin = torn.len();
        } else {
            self.bytes.insert(0, b'\n');
            self.first = 1;
            self.ends.iter_mut().for_each(|end| *end += 1);
        }
    }

    /// How many bytes there are, those written earlier included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where writing begins.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// The next bytes to write from a place on: whole lines of at most so many bytes, or more of one long line.
    pub fn piece(&self, from: usize, most: usize) -> &[u8] {
        let fitting = self.ends.partition_point(|&end| end <= from + most);
        let end = match fitting.checked_sub(1).map(|last| self.ends[last]) {
            Some(end) if end > from => end,
            _ => self.bytes.len().min(from + most),
        };
        &self.bytes[from..end]
    }

    /// The first row of which not all is among the first `written` bytes, and the bytes of its line that are.
    pub fn broken_off(&self, written: usize) -> (usize, &[u8]) {
        let row = self.ends.partition_point(|&end| end <= written);
        let start = if row == 0 { self.first } else { self.ends[row - 1] };
        (row, &self.bytes[start.min(written)..written])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(lines: &[Option<&str>]) -> Rendered {
        let mut rendered = Rendered::default();
        for line in lines {
            rendered.line().extend_from_slice(line.unwrap_or("half of").as_bytes());
            match line {
                Some(_) => rendered.end_line(),
                None => rendered.end_without_line(),
            }
        }
        rendered
    }

    fn pieces(rendered: &Rendered, most: usize) -> Vec<String> {
        let (mut from, mut pieces) = (rendered.begin(), vec![]);
        while from < rendered.len() {
            let piece = rendered.piece(from, most);
            from += piece.len();
            pieces.push(String::from_utf8(piece.to_vec()).unwrap());
        }
        pieces
    }

    #[test]
    fn pieces_are_whole_lines_where_they_fit() {
        let lines = rendered(&[Some("aa"), None, Some("b"), Some("cccccc"), Some("")]);
        assert_eq!(pieces(&lines, 100), ["aa\nb\ncccccc\n\n"]);
        assert_eq!(pieces(&lines, 5), ["aa\nb\n", "ccccc", "c\n\n"]);
        assert_eq!(pieces(&lines, 3), ["aa\n", "b\n", "ccc", "ccc", "\n\n"]);
    }

    #[test]
    fn a_torn_line_is_taken_up_or_ended() {
        let text = [Some("first"), Some("second")];
        for written in 0.."first\nsecond\n".len() {
            let all = rendered(&text);
            let (row, torn) = all.broken_off(written);
            let mut again = rendered(&text[row..]);
            again.take_up(torn);
            assert_eq!(format!("{}{}", &"first\nsecond\n"[..written], pieces(&again, 100).concat()), "first\nsecond\n");
        }
        let mut other = rendered(&[Some("other")]);
        other.take_up(b"fi");
        assert_eq!(pieces(&other, 100), ["\nother\n"]);
        assert_eq!(other.broken_off(1), (0, &b""[..]));
        assert_eq!(other.broken_off(3), (0, &b"ot"[..]));
    }

    #[test]
    fn rows_without_a_line_count_as_written() {
        let lines = rendered(&[None, Some("a"), None, Some("b")]);
        assert_eq!(lines.broken_off(0), (1, &b""[..]));
        assert_eq!(lines.broken_off(2), (3, &b""[..]));
        assert_eq!(lines.broken_off(3), (3, &b"b"[..]));
        assert_eq!(lines.broken_off(4), (4, &b""[..]));
    }
}
