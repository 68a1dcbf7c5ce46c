//! Pure. RecordIsTombstone: whether a record's value is null.

use weir_sdk::prelude::*;

use crate::naming;

/// Connect's RecordIsTombstone.
pub struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn class() -> Class {
        naming::predicate("RecordIsTombstone")
            .doc("A predicate which is true for records which are tombstones (i.e. have null value).")
    }

    fn configure(_: &Config) -> Result<Self> {
        Ok(RecordIsTombstone)
    }

    fn reads(&self) -> Parts {
        Parts::VALUE
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.is_tombstone())
    }
}
