//! Pure. Records of the offsets topic as Connect writes them: key `["connector",{partition}]`, value `{offset}`.

use std::sync::Arc;

use serde_json::Value;

use crate::port::{LogRecord, Offsets, StoreError};

use super::jackson;

/// The key of a stored offset. Keys are compared by meaning: neither blanks nor the order of members matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OffsetKey {
    /// The connector.
    pub connector: String,
    /// The source partition, as JSON text with its members in order of their names.
    pub partition: String,
}

/// JSON text of one object with its members in order of their names; none when it is no such text.
pub fn canonical(partition: &str) -> Option<String> {
    match serde_json::from_str(partition).ok()? {
        Value::Object(members) => {
            let sorted: std::collections::BTreeMap<String, Value> = members.into_iter().collect();
            serde_json::to_string(&sorted).ok()
        }
        _ => None,
    }
}

/// JSON text as Connect writes it, members as they stand.
fn rewritten(object: &str) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_str(object).ok()?;
    value.is_object().then(|| jackson::text(&value))
}

/// The key's bytes; none when the partition is not the JSON text of an object.
pub fn encode_key(connector: &str, partition: &str) -> Option<Vec<u8>> {
    let name = jackson::text(&Value::String(connector.to_owned()));
    Some([&b"["[..], &name, b",", &rewritten(partition)?, b"]"].concat())
}

/// The value's bytes; none when the offset is not the JSON text of an object.
pub fn encode_value(offset: &str) -> Option<Vec<u8>> {
    rewritten(offset)
}

/// The records that store offsets of a connector's source partitions; none forgets one.
pub fn encode(connector: &str, offsets: &Offsets) -> Result<Vec<LogRecord>, StoreError> {
    let unusable = |what: &str, text: &str| {
        StoreError::Unusable(format!("{connector}: source {what} {text} is not the JSON text of an object"))
    };
    let record = |(partition, offset): (&Arc<str>, &Option<String>)| {
        let key = encode_key(connector, partition).ok_or_else(|| unusable("partition", partition))?;
        let value = match offset {
            None => None,
            Some(offset) => Some(encode_value(offset).ok_or_else(|| unusable("offset", offset))?),
        };
        Ok(LogRecord { key: Some(key), value })
    };
    offsets.iter().map(record).collect()
}

/// What a key stands for, and its partition as it is written; none when it is not one of ours.
pub fn decode_key(key: &[u8]) -> Option<(OffsetKey, String)> {
    let Value::Array(pair) = serde_json::from_slice(key).ok()? else { return None };
    let [Value::String(connector), partition @ Value::Object(_)] = &pair[..] else { return None };
    let written = partition.to_string();
    Some((OffsetKey { connector: connector.clone(), partition: canonical(&written)? }, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_connect_writes_them() {
        let key = encode_key("a \"b\"", r#"{ "filename" : "/x" }"#).unwrap();
        assert_eq!(key, br#"["a \"b\"",{"filename":"/x"}]"#);
        assert_eq!(encode_value(r#"{"position": 12}"#).unwrap(), br#"{"position":12}"#);
    }

    #[test]
    fn keys_are_compared_by_meaning() {
        let (one, written) = decode_key(br#"["c",{"b": 1, "a":"x"}]"#).unwrap();
        assert_eq!(written, r#"{"b":1,"a":"x"}"#);
        assert_eq!(decode_key(br#" [ "c" , { "a" : "x" , "b" : 1 } ] "#).unwrap().0, one);
        assert_ne!(decode_key(br#"["c",{"b":2,"a":"x"}]"#).unwrap().0, one);
        assert_eq!(canonical(r#"{"b":1,"a":"x"}"#).unwrap(), one.partition);
    }

    #[test]
    fn what_is_no_key_is_none() {
        for bad in ["", "{}", "[]", r#"["c"]"#, r#"["c",1]"#, r#"[1,{}]"#, r#"["c",{},1]"#, "\u{0}"] {
            assert_eq!(decode_key(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(encode_key("c", "[]"), None);
        assert_eq!(encode_value("7"), None);
    }
}
