//! Pure. The offsets file of a standalone worker (FileOffsetBackingStore): a `HashMap` of byte arrays as Java serialises
//! it, read and written so that Connect can take the file over, and weir can take over Connect's.

/// Keys and values of the offsets topic, as the file has them.
pub type Entries = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const HEADER: [u8; 4] = [0xac, 0xed, 0x00, 0x05];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END_BLOCK: u8 = 0x78;
/// The first handle; objects and classes are numbered from it as they appear.
const FIRST_HANDLE: u32 = 0x007e_0000;
/// The class description of `java.util.HashMap`, fields `loadFactor` and `threshold` included.
const MAP_CLASS: &[u8] =
    b"\x72\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\nloadFactorI\x00\tthreshold\x78\x70";
/// The class description of `byte[]`.
const BYTES_CLASS: &[u8] = b"\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00\x78\x70";
/// `loadFactor` 0.75
const LOAD_FACTOR: [u8; 4] = [0x3f, 0x40, 0, 0];

/// Bytes that references may repeat of byte arrays that stood before: five bytes of a file could stand for all of it.
const REPEATED_MAX: usize = 16 << 20;

/// Why a file is not an offsets file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct NotOffsets {
    /// Where.
    pub at: usize,
    /// What was found there.
    pub what: String,
}

struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What has been numbered: byte arrays by their content, everything else as none.
    handles: Vec<Option<Vec<u8>>>,
    /// Bytes that references have repeated.
    repeated: usize,
}

impl<'a> Stream<'a> {
    fn wrong(&self, what: impl Into<String>) -> NotOffsets {
        NotOffsets { at: self.at, what: what.into() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], NotOffsets> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.wrong("the file ends early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, NotOffsets> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Result<u32, NotOffsets> {
        let taken = self.take(4)?;
        Ok(u32::from_be_bytes([taken[0], taken[1], taken[2], taken[3]]))
    }

    fn expect(&mut self, bytes: &[u8], what: &str) -> Result<(), NotOffsets> {
        if self.bytes[self.at..].starts_with(bytes) {
            self.at += bytes.len();
            return Ok(());
        }
        Err(self.wrong(format!("no {what}")))
    }

    fn referred(&mut self) -> Result<Option<Vec<u8>>, NotOffsets> {
        let handle = self.number()?;
        let known = handle.checked_sub(FIRST_HANDLE).and_then(|at| self.handles.get(at as usize)).cloned();
        known.ok_or_else(|| self.wrong("a reference to nothing"))
    }

    /// A byte array or null.
    fn bytes(&mut self) -> Result<Option<Vec<u8>>, NotOffsets> {
        match self.byte()? {
            NULL => Ok(None),
            REFERENCE => {
                let found = self.referred()?;
                let found = found.ok_or_else(|| self.wrong("a reference to something that is no byte array"))?;
                self.repeated += found.len();
                if self.repeated > REPEATED_MAX {
                    return Err(self.wrong(format!("references that repeat more than {REPEATED_MAX} bytes")));
                }
                Ok(Some(found))
            }
            ARRAY => {
                if self.bytes.get(self.at) == Some(&CLASS) {
                    self.expect(BYTES_CLASS, "class byte[]")?;
                    self.handles.push(None);
                } else if self.byte()? == REFERENCE {
                    self.referred()?;
                } else {
                    return Err(self.wrong("an array without its class"));
                }
                let length = self.number()? as usize;
                let content = self.take(length)?.to_vec();
                self.handles.push(Some(content.clone()));
                Ok(Some(content))
            }
            other => Err(self.wrong(format!("{other:#04x} where a byte array is expected"))),
        }
    }
}

/// Reads an offsets file. An empty one has no offsets.
pub fn decode_offset_file(bytes: &[u8]) -> Result<Entries, NotOffsets> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut stream = Stream { bytes, at: 0, handles: Vec::new(), repeated: 0 };
    stream.expect(&HEADER, "Java serialisation")?;
    stream.expect(&[OBJECT], "object")?;
    stream.expect(MAP_CLASS, "java.util.HashMap")?;
    stream.handles.extend([None, None]); // its class, itself
    stream.take(8)?; // loadFactor and threshold: each map finds its own
    stream.expect(&[BLOCK, 8], "size of the map")?;
    stream.number()?;
    let size = stream.number()?;
    let mut entries = Vec::new();
    for _ in 0..size {
        let key = stream.bytes()?;
        let value = stream.bytes()?;
        // Connect makes no null keys; one would name nothing.
        if let Some(key) = key {
            entries.push((key, value));
        }
    }
    stream.expect(&[END_BLOCK], "end of the map")?;
    if stream.at < bytes.len() {
        return Err(stream.wrong("something behind the map"));
    }
    Ok(entries)
}

/// Writes an offsets file.
pub fn encode_offset_file<'a>(entries: impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Vec<u8> {
    let size = entries.len() as u32;
    let buckets = (size.saturating_mul(4) / 3 + 1).next_power_of_two().max(16);
    let mut out = [&HEADER[..], &[OBJECT], MAP_CLASS, &LOAD_FACTOR].concat();
    out.extend((buckets / 4 * 3).to_be_bytes());
    out.extend([BLOCK, 8]);
    out.extend(buckets.to_be_bytes());
    out.extend(size.to_be_bytes());
    let mut class_written = false;
    let mut write = |bytes: Option<&[u8]>| {
        let Some(bytes) = bytes else {
            out.push(NULL);
            return;
        };
        out.push(ARRAY);
        if class_written {
            out.push(REFERENCE);
            out.extend((FIRST_HANDLE + 2).to_be_bytes());
        } else {
            out.extend(BYTES_CLASS);
            class_written = true;
        }
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend(bytes);
    };
    for (key, value) in entries {
        write(Some(key));
        write(value);
    }
    out.push(END_BLOCK);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ObjectOutputStream of Java 17 wrote for a HashMap of byte arrays: keys `k1`, `k2`, values `v1` and null.
    const OF_JAVA: &str = "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f6164466163746f724900097468726573686f6c6478703f4000000000000c77080000001000000002757200025b42acf317f8060854e00200007870000000026b317571007e00020000000276317571007e0002000000026b327078";

    fn encode(entries: &Entries) -> Vec<u8> {
        let borrowed: Vec<_> = entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        encode_offset_file(borrowed.into_iter())
    }

    #[test]
    fn what_is_written_is_read_back() {
        for size in [0_u8, 1, 2, 12, 13, 100] {
            let entry = |at: u8| (vec![b'k', at], (!at.is_multiple_of(3)).then(|| vec![at; usize::from(at)]));
            let entries: Entries = (0..size).map(entry).collect();
            assert_eq!(decode_offset_file(&encode(&entries)), Ok(entries));
        }
        assert_eq!(decode_offset_file(&[]), Ok(vec![]));
    }

    #[test]
    fn what_java_wrote_is_read_and_written_alike() {
        let bytes: Vec<u8> =
            (0..OF_JAVA.len() / 2).map(|at| u8::from_str_radix(&OF_JAVA[2 * at..2 * at + 2], 16).unwrap()).collect();
        let entries = decode_offset_file(&bytes).unwrap();
        assert_eq!(encode(&entries), bytes);
    }

    #[test]
    fn half_a_file_or_any_other_is_refused_with_its_place() {
        let whole = encode(&vec![(b"k".to_vec(), Some(b"v".to_vec())), (b"l".to_vec(), None)]);
        for end in 1..whole.len() {
            assert!(decode_offset_file(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _ = decode_offset_file(&broken); // whatever it says, it does not panic
        }
        let error = decode_offset_file(b"position=7").unwrap_err().to_string();
        assert_eq!(error, "byte 0: no Java serialisation");
        assert!(decode_offset_file(&[whole, vec![0]].concat()).is_err());
    }
}
