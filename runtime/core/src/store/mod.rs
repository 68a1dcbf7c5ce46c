//! Stores over compacted logs, with Connect's exact codecs.

mod config_codec;
mod configs;
mod jackson;
mod offset_codec;
mod offset_file;
mod offsets;
mod session_log;
mod source_offsets;
mod status_codec;
mod statuses;
mod topic_uses;

pub use config_codec::{ConfigRecord, Passed, TargetState, decode as decode_config, encode as encode_config};
pub use configs::{ConfigStore, LeadersPen};
pub use offset_codec::{OffsetKey, decode_key, encode_key, encode_value};
pub use offset_file::{NotOffsets, decode_offset_file, encode_offset_file};
pub use offsets::OffsetStore;
pub use session_log::SessionLog;
pub use source_offsets::{ConnectorOffsets, SourceOffsets};
pub use status_codec::{State, Status, StatusKey};
pub use statuses::StatusStore;
