//! A log to which a worker writes only while it may take itself for a member of its group: what a zombie appends is
//! refused before it is sent, and so is what might still be on its way when it has become one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::port::{CompactedLog, LogReader, LogRecord, Session, StoreError};

/// A log, for as long as a session holds for the time that an append may take.
pub struct SessionLog {
    log: Arc<dyn CompactedLog>,
    session: Arc<Session>,
    append: Duration,
}

impl SessionLog {
    /// The log within a session. Its appends land within `append`, or never.
    pub fn new(log: Arc<dyn CompactedLog>, session: Arc<Session>, append: Duration) -> SessionLog {
        SessionLog { log, session, append }
    }
}

#[async_trait]
impl CompactedLog for SessionLog {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        if self.session.holds_for(self.append) { self.log.append(records).await } else { Err(StoreError::Fenced) }
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        self.log.reader().await
    }
}
