//! Pure. What requests are written with and answers read with. Reading makes room for nothing that has not arrived.

/// The largest answer that is read. The group's own record in Kafka is smaller by far.
pub(super) const ANSWER_MAX: i32 = 16 << 20;

/// An answer that is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A request that grows.
pub(super) struct Writer {
    bytes: Vec<u8>,
    fits: bool,
}

impl Writer {
    /// A frame whose length comes last.
    pub(super) fn new() -> Writer {
        Writer { bytes: vec![0; 4], fits: true }
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.fits &= i32::try_from(length).is_ok();
        self.i32(length as i32);
    }

    pub(super) fn string(&mut self, text: &str) {
        self.fits &= i16::try_from(text.len()).is_ok();
        self.i16(text.len() as i16);
        self.bytes.extend(text.as_bytes());
    }

    /// A string that is not there.
    pub(super) fn no_string(&mut self) {
        self.i16(-1);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend(bytes);
    }

    /// An array of names with bytes.
    pub(super) fn pairs(&mut self, pairs: &[(String, Vec<u8>)]) {
        self.length(pairs.len());
        for (name, bytes) in pairs {
            self.string(name);
            self.bytes(bytes);
        }
    }

    /// The frame; none if something in it is longer than Kafka's protocol can say.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        let length = i32::try_from(self.bytes.len() - 4).ok().filter(|_| self.fits)?;
        self.bytes[..4].copy_from_slice(&length.to_be_bytes());
        Some(self.bytes)
    }
}

/// What is left of an answer.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// A string; one that is not there is empty.
    pub(super) fn string(&mut self) -> Result<String, Malformed> {
        let length = self.i16()?;
        if length == -1 {
            return Ok(String::new());
        }
        let bytes = self.take(usize::try_from(length).map_err(|_| Malformed)?)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
    }

    /// Bytes; what is not there is empty.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = self.i32()?;
        if length == -1 {
            return Ok(Vec::new());
        }
        Ok(self.take(usize::try_from(length).map_err(|_| Malformed)?)?.to_vec())
    }

    /// An array, with what reads one element. An element takes at least a byte, so the announced count costs nothing.
    pub(super) fn elements<T>(
        &mut self,
        mut element: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.i32()?;
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_framed() {
        let mut writer = Writer::new();
        writer.i16(-2);
        writer.string("größe");
        writer.no_string();
        writer.bytes(&[1, 2, 3]);
        writer.pairs(&[("a".into(), vec![7]), ("b".into(), vec![])]);
        writer.i8(1);
        let frame = writer.finish().unwrap();
        let (length, rest) = frame.split_at(4);
        assert_eq!(length, (rest.len() as i32).to_be_bytes());
        let mut reader = Reader(rest);
        assert_eq!(reader.i16(), Ok(-2));
        assert_eq!((reader.string(), reader.string()), (Ok("größe".into()), Ok(String::new())));
        assert_eq!(reader.bytes(), Ok(vec![1, 2, 3]));
        let pairs = reader.elements(|reader| Ok((reader.string()?, reader.bytes()?)));
        assert_eq!(pairs, Ok(vec![("a".into(), vec![7]), ("b".into(), vec![])]));
        assert_eq!(reader.0, [1]);
    }

    #[test]
    fn a_frame_that_cannot_say_its_lengths_is_none() {
        let mut writer = Writer::new();
        writer.string(&"x".repeat(1 << 15));
        assert_eq!(writer.finish(), None);
    }

    #[test]
    fn announcing_much_and_bringing_little_is_malformed() {
        let many = i32::MAX.to_be_bytes();
        assert_eq!(Reader(&many).elements(|reader| reader.i16()), Err(Malformed));
        assert_eq!(Reader(&many).bytes(), Err(Malformed));
        assert_eq!(Reader(&(-7i32).to_be_bytes()).bytes(), Err(Malformed));
        assert_eq!(Reader(&[0x7f, 0xff, b'x']).string(), Err(Malformed));
        assert_eq!(Reader(&[0, 1, 0xff]).string(), Err(Malformed));
    }
}
