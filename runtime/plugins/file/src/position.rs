//! Pure. Source partitions and offsets of files as JSON text, and what may be altered about them.

use serde_json::Value;
use weir_data::{cbor, java_text};
use weir_sdk::{Error, Result};

const FILENAME: &str = "filename";
const POSITION: &str = "position";

/// The source partition of a file, or of standard input.
pub fn partition(file: Option<&str>) -> String {
    format!(r#"{{"{FILENAME}":{}}}"#, file.map_or_else(|| "null".to_owned(), quoted))
}

/// A JSON string as Jackson writes it, in which offsets were stored by Connect.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Appends the offset behind so many bytes; of standard input, none is kept.
#[inline]
pub fn append(position: Option<u64>, out: &mut Vec<u8>) {
    cbor::put(out, br#"{"position":"#);
    match position {
        Some(position) => java_text::integer(position as i64, out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

/// The position in a stored offset.
pub fn stored(offset: &str) -> Result<u64> {
    let offset: Value = serde_json::from_str(offset)
        .map_err(|error| Error::fatal(format!("Stored offset {offset} is not JSON: {error}")))?;
    match &offset[POSITION] {
        Value::Null => Ok(0),
        position => position.as_u64().ok_or_else(|| {
            Error::fatal(format!(
                "Offset position is the incorrect type: expected an integer from 0 on, found {position}"
            ))
        }),
    }
}

/// Whether these offsets may take the place of stored ones, with Connect's words where they may not.
pub fn check_altered(file: Option<&str>, offsets: &[(String, Option<String>)]) -> Result<()> {
    if file.is_none() {
        return Err(Error::fatal(
            "Offsets cannot be modified if the 'file' configuration is unspecified. \
             This is because stdin is used for input and offsets are not tracked.",
        ));
    }
    for (partition, offset) in offsets {
        // Whatever was stored may be forgotten, so that what should not be there can be cleaned up.
        let Some(offset) = offset else { continue };
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let (partition, offset) = (read(partition), read(offset));
        let problem = match offset.get(POSITION) {
            _ if offset.is_null() => continue,
            None => "Offset objects should either be null or contain the key 'position'",
            Some(position) if !position.is_i64() => {
                "The value for the 'position' key in the offset is expected to be a Long value"
            }
            Some(position) if !position.is_u64() => {
                "The value for the 'position' key in the offset should be a non-negative value"
            }
            Some(_) if partition.is_null() => "Partition objects cannot be null",
            Some(_) if partition.get(FILENAME).is_none() => "Partition objects should contain the key 'filename'",
            Some(_) => continue,
        };
        return Err(Error::fatal(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_offsets_are_written_as_connect_writes_them() {
        assert_eq!(partition(Some("/tmp/a.txt")), r#"{"filename":"/tmp/a.txt"}"#);
        assert_eq!(partition(Some("a\"\\\u{1f}ü/\n")), r#"{"filename":"a\"\\\u001Fü/\n"}"#);
        assert_eq!(partition(None), r#"{"filename":null}"#);
        let mut offset = vec![];
        append(Some(1_234_567_890_123), &mut offset);
        assert_eq!(offset, br#"{"position":1234567890123}"#);
    }

    #[test]
    fn stored_positions_are_read_back() {
        assert_eq!(stored(r#"{"position":17}"#), Ok(17));
        assert_eq!(stored(r#"{ "other": [{}], "position" : 9223372036854775807 }"#), Ok(i64::MAX as u64));
        assert_eq!(stored(r#"{"position":null}"#), Ok(0));
        assert_eq!(stored("{}"), Ok(0));
        for wrong in [r#"{"position":"17"}"#, r#"{"position":1.5}"#, r#"{"position":-1}"#, "seventeen"] {
            assert!(matches!(stored(wrong), Err(Error::Fatal(_))), "{wrong}");
        }
    }

    #[test]
    fn offsets_are_altered_only_to_what_a_task_can_use() {
        let alter = |partition: &str, offset: Option<&str>| {
            check_altered(Some("f"), &[(partition.to_owned(), offset.map(str::to_owned))]).map_err(|e| e.to_string())
        };
        let good = r#"{"filename":"f"}"#;
        assert_eq!(alter(good, Some(r#"{"position":0}"#)), Ok(()));
        assert_eq!(alter("{}", None), Ok(()));
        for (partition, offset, expected) in [
            (good, r#"{"other":1}"#, "contain the key 'position'"),
            (good, r#"{"position":"1"}"#, "expected to be a Long value"),
            (good, r#"{"position":1.0}"#, "expected to be a Long value"),
            (good, r#"{"position":null}"#, "expected to be a Long value"),
            (good, r#"{"position":-1}"#, "non-negative"),
            (r#"{"file":"f"}"#, r#"{"position":1}"#, "contain the key 'filename'"),
            ("null", r#"{"position":1}"#, "cannot be null"),
        ] {
            let problem = alter(partition, Some(offset)).unwrap_err();
            assert!(problem.contains(expected), "{partition} {offset}: {problem}");
        }
        assert!(check_altered(None, &[]).unwrap_err().to_string().contains("stdin"));
    }
}
