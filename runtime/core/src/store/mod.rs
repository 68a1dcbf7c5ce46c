//! Stores over compacted logs, with Connect's exact codecs.

mod config_codec;
mod offset_codec;
mod offsets;
mod status_codec;

pub use config_codec::{ConfigRecord, Passed, TargetState, decode as decode_config, encode as encode_config};
pub use offset_codec::{OffsetKey, decode_key, encode_key, encode_value};
pub use offsets::{ConnectorOffsets, OffsetStore};
pub use status_codec::{State, Status, StatusKey};
