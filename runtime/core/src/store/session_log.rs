//! A log to which a worker writes only while it may take itself for a member of its group: what a zombie appends is
//! refused before it is sent.

use std::sync::Arc;

use async_trait::async_trait;

use crate::port::{CompactedLog, LogReader, LogRecord, Session, StoreError};

/// A log, for as long as a session holds.
pub struct SessionLog {
    log: Arc<dyn CompactedLog>,
    session: Arc<Session>,
}

impl SessionLog {
    /// The log within a session.
    pub fn new(log: Arc<dyn CompactedLog>, session: Arc<Session>) -> SessionLog {
        SessionLog { log, session }
    }
}

#[async_trait]
impl CompactedLog for SessionLog {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        if self.session.holds() { self.log.append(records).await } else { Err(StoreError::Fenced) }
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        self.log.reader().await
    }
}
