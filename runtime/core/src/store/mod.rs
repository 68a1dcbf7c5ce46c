//! Stores over compacted logs, with Connect's exact codecs.

mod offset_codec;
mod offsets;

pub use offset_codec::{OffsetKey, decode_key, encode_key, encode_value};
pub use offsets::{ConnectorOffsets, OffsetStore};
