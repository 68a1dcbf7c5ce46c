//! Pure. Protobuf's wire format: varints, tags and the values behind them.

/// A value as it stands behind its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Bytes and where the next value is read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

const TRUNCATED: &str = "the record ends inside a value";

impl<'a> Reader<'a> {
    /// At the beginning.
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How much was read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).ok_or(TRUNCATED)?;
        let taken = self.bytes.get(self.at..end).ok_or(TRUNCATED)?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(TRUNCATED)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number of more than ten bytes".into())
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, String> {
        let taken = self.take(8)?;
        Ok(u64::from_le_bytes(taken.try_into().expect("eight bytes")))
    }

    pub(crate) fn fixed32(&mut self) -> Result<u32, String> {
        let taken = self.take(4)?;
        Ok(u32::from_le_bytes(taken.try_into().expect("four bytes")))
    }

    /// The number of the next field and its value.
    pub(crate) fn field(&mut self) -> Result<(u32, Wire<'a>), String> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| format!("a field has the number {}", tag >> 3))?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed64()?),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(usize::try_from(length).map_err(|_| TRUNCATED)?)?)
            }
            5 => Wire::Fixed32(self.fixed32()?),
            3 | 4 => return Err(format!("field {number} is a group, which is not supported")),
            other => return Err(format!("field {number} is of wire type {other}, which does not exist")),
        };
        Ok((number, value))
    }
}

/// Appends a varint.
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a field.
pub(crate) fn tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    varint(out, u64::from(number) << 3 | wire_type);
}

/// An integer with its sign in the lowest bit.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The integer of one with its sign in the lowest bit.
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Puts the length of what stands in `out` from `start` on before it.
pub(crate) fn put_length(out: &mut Vec<u8>, start: usize) {
    let mut length = Vec::with_capacity(5);
    varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
}

/// The path of positions that a record begins with, and how many bytes it takes.
pub(crate) fn message_path(body: &[u8]) -> Result<(Vec<usize>, usize), String> {
    let mut reader = Reader::new(body);
    let count = unzigzag(reader.varint()?);
    let mut path = Vec::new();
    match count {
        0 => path.push(0),
        1..=64 => {
            for _ in 0..count {
                let position = unzigzag(reader.varint()?);
                path.push(usize::try_from(position).map_err(|_| format!("a message has the position {position}"))?);
            }
        }
        _ => return Err(format!("the record names a message by {count} positions")),
    }
    Ok((path, reader.position()))
}

/// Appends the path of positions that a record begins with.
pub(crate) fn put_message_path(out: &mut Vec<u8>, path: &[usize]) {
    if path == [0] {
        return out.push(0);
    }
    varint(out, zigzag(path.len() as i64));
    path.iter().for_each(|position| varint(out, zigzag(*position as i64)));
}
