//! What a plugin may ask of its worker. Natively there is no worker: wishes go nowhere and no offsets are stored.

use crate::error::Result;
use crate::sink::{Position, SinkRecord, TopicPartition};

#[cfg(target_arch = "wasm32")]
use crate::bindings::words::weir::connect as host;

/// The stored offsets of source partitions, both as JSON text of one object; none where there is none.
pub fn offsets(partitions: &[String]) -> Result<Vec<Option<String>>> {
    #[cfg(target_arch = "wasm32")]
    return host::offsets::read(partitions).map_err(Into::into);
    #[cfg(not(target_arch = "wasm32"))]
    return Ok(vec![None; partitions.len()]);
}

/// Asks for new task configurations (connectors).
pub fn reconfigure() {
    #[cfg(target_arch = "wasm32")]
    host::context::request_reconfiguration();
}

/// Whether the task was asked to stop: a `poll` that waits in pieces looks here in between.
pub fn stopping() -> bool {
    #[cfg(target_arch = "wasm32")]
    return host::context::stopping().ready();
    #[cfg(not(target_arch = "wasm32"))]
    return false;
}

/// Reports a record that a sink took and cannot use (KIP-610).
pub fn report_errant(record: &SinkRecord, reason: impl ToString) -> Result<()> {
    let reason = reason.to_string();
    #[cfg(target_arch = "wasm32")]
    return host::errant_records::report(&[host::errant_records::ErrantRow {
        topic: record.original_topic().to_owned(),
        partition: record.original_partition(),
        offset: record.offset(),
        reason,
    }])
    .map_err(Into::into);
    #[cfg(not(target_arch = "wasm32"))]
    {
        eprintln!("errant record at offset {}: {reason}", record.offset());
        Ok(())
    }
}

/// What a sink task may ask for.
#[derive(Clone, Copy, Debug)]
pub struct SinkContext;

#[cfg_attr(not(target_arch = "wasm32"), allow(unused_variables))]
impl SinkContext {
    /// Stops delivery from partitions.
    pub fn pause(self, partitions: &[TopicPartition]) {
        #[cfg(target_arch = "wasm32")]
        host::context::pause(partitions);
    }

    /// Takes up delivery from partitions.
    pub fn resume(self, partitions: &[TopicPartition]) {
        #[cfg(target_arch = "wasm32")]
        host::context::resume(partitions);
    }

    /// Delivers from these positions on, before the next `put`.
    pub fn rewind(self, positions: &[Position]) {
        #[cfg(target_arch = "wasm32")]
        host::context::rewind(positions);
    }

    /// Asks for an early commit of offsets.
    pub fn request_commit(self) {
        #[cfg(target_arch = "wasm32")]
        host::context::request_commit();
    }
}

/// A guest's own metrics.
#[cfg_attr(not(target_arch = "wasm32"), allow(unused_variables))]
pub mod metrics {
    /// Adds to a counter, which is made at its first use.
    pub fn add(counter: &str, amount: u64) {
        #[cfg(target_arch = "wasm32")]
        super::host::metrics::add(counter, amount);
    }

    /// Sets a gauge, which is made at its first use.
    pub fn set(gauge: &str, value: f64) {
        #[cfg(target_arch = "wasm32")]
        super::host::metrics::set(gauge, value);
    }
}
