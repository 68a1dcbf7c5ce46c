//! Pure. What a source task brings, and what it is told about it.

use std::sync::Arc;

use weir_data::Column;

use super::Records;

/// Where a source is, both as JSON text of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOffset {
    /// The source partition.
    pub partition: Arc<str>,
    /// The offset in it.
    pub offset: Option<String>,
}

/// Whether a source connector can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does not say.
    Unknown,
    /// It can.
    Supported,
    /// It cannot.
    Unsupported,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundaryKind {
    /// Committed.
    Commit,
    /// Aborted.
    Abort,
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The row after which it ends.
    pub row: u32,
    /// How.
    pub kind: BoundaryKind,
}

/// What a poll brought, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Polled {
    /// The records.
    pub records: Records,
    /// Source partitions as JSON text.
    pub source_partitions: Vec<Arc<str>>,
    /// Position of each row's source partition; empty: all at 0.
    pub source_partition: Vec<u32>,
    /// Each row's source offset as JSON text.
    pub source_offset: Column,
    /// Each row's number, never used twice by an instance.
    pub row_id: Vec<u64>,
    /// Where transactions end, by rising row.
    pub boundaries: Vec<Boundary>,
}

/// Where rows went, in columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgements {
    /// Numbers of the rows.
    pub row_id: Vec<u64>,
    /// Topics.
    pub topics: Vec<Arc<str>>,
    /// Position of each row's topic.
    pub topic: Vec<u32>,
    /// Partition of each row; -1 for a dropped one.
    pub partition: Vec<i32>,
    /// Offset of each row; -1 for a dropped one.
    pub offset: Vec<i64>,
}
