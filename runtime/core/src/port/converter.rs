//! Converters: between a topic's bytes and cells.

use std::sync::Arc;

use async_trait::async_trait;
use weir_data::{Cells, Column};

use crate::model::{BatchTables, Config, ConfigKey, ConverterRole, Problem, RowFault};

/// The topics of a batch's rows.
#[derive(Clone, Copy, Debug)]
pub struct TopicColumn<'a> {
    /// The topics.
    pub topics: &'a [Arc<str>],
    /// Position of each row's topic; empty: all at 0.
    pub topic: &'a [u32],
}

/// Cells out of bytes.
#[derive(Debug, Default)]
pub struct Converted {
    /// As many rows as went in; a failed row is null.
    pub cells: Cells,
    /// Rows that failed, by rising row.
    pub faults: Vec<RowFault>,
}

/// Bytes out of cells.
#[derive(Debug, Default)]
pub struct Serialized {
    /// As many rows as went in; a failed row is null.
    pub bytes: Column,
    /// Rows that failed, by rising row.
    pub faults: Vec<RowFault>,
}

/// Turns one part of records, keys or values or header values, from bytes into cells and back. Asynchronous because
/// some ask a schema registry.
#[async_trait]
pub trait Converter: Send {
    /// Cells out of a topic's bytes. Schemas that are used are added to `tables`.
    async fn to_connect(&mut self, topics: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted;

    /// A topic's bytes out of cells, whose schemas stand in `tables`.
    #[expect(clippy::wrong_self_convention, reason = "Connect's names: toConnectData and fromConnectData")]
    async fn from_connect(&mut self, topics: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized;
}

/// Makes converters by class name.
pub trait ConverterFactory: Send + Sync {
    /// A converter with its settings, prefix taken off; or every problem with them.
    fn converter(
        &self,
        class: &str,
        settings: &Config,
        role: ConverterRole,
    ) -> Result<Box<dyn Converter>, Vec<Problem>>;

    /// The classes for a part of records, by name.
    fn classes(&self, role: ConverterRole) -> Vec<String>;

    /// The version of all of them.
    fn version(&self) -> &str;

    /// What a class is configured with, without prefix; none for one that is not there.
    fn definition(&self, class: &str) -> Option<Vec<ConfigKey>>;
}
