//! Schema registries that speak Confluent's API: what converters of schemas are configured with, how they ask, and how
//! records name their schemas.

mod answer;
mod client;
mod converter;
#[cfg(test)]
pub(crate) mod fuzzed;
mod keys;
mod settings;
mod subject;
mod usage;

pub use settings::{Http, HttpSettings};

pub(crate) use answer::Registered;
pub(crate) use converter::{Format, Own, RegistryConverter};
pub(crate) use keys::{flag, registry_keys, whole_number};
pub(crate) use settings::{RegistrySettings, boolean};
pub(crate) use usage::{Usage, cache_size, invalid};

/// What stands before every record: a zero, and the schema's id.
const PREFIX: usize = 5;

/// The id of a record's schema and what stands behind it.
fn framed(record: &[u8]) -> Result<(u32, &[u8]), String> {
    match record {
        [0, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [0, ..] => Err(format!("the record has {} bytes, fewer than its magic byte and schema id", record.len())),
        _ => Err("Unknown magic byte!".into()),
    }
}

/// What stands before a record of a schema.
fn prefix(id: u32) -> [u8; PREFIX] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}
