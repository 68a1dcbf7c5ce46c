//! How a source task delivers: at least once, or in transactions exactly once (Connect's ExactlyOnceWorkerSourceTask).

use std::sync::Arc;

use crate::model::{BoundaryKind, RawRecords};
use crate::port::{
    BrokerError, LogRecord, OffsetCopies, OffsetWriter, Offsets, Producer, Sent, StoreError, Ticket,
    TransactionalProducer,
};
use crate::settings::TransactionBoundary;

/// Why a transaction was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// The broker would not.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Its offsets cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The ticket of offsets that are written beside records.
const OFFSETS: Ticket = Ticket::MAX;

/// Where a source task's records go, and when their offsets are stored.
pub enum Delivery {
    /// Offsets are stored, on a timer, once their records are in their topics.
    AtLeastOnce(Box<dyn Producer>),
    /// Offsets and their records are written together or not at all.
    ExactlyOnce(ExactlyOnce),
}

/// What writes a source task's transactions.
pub struct ExactlyOnce {
    producer: Box<dyn TransactionalProducer>,
    boundary: TransactionBoundary,
    /// Where offsets are.
    pub offsets_topic: Arc<str>,
    /// What makes records of them.
    offsets: Arc<dyn OffsetWriter>,
    /// Where a copy of them goes, which is the worker's own topic; none where offsets are there.
    copies: Option<Arc<dyn OffsetCopies>>,
    /// Whether anything was sent since the last commit.
    open: bool,
    /// Records that were sent since then, and those of them that were answered.
    sent: u64,
    answered: u64,
}

impl ExactlyOnce {
    /// Transactions of a producer.
    pub fn new(
        producer: Box<dyn TransactionalProducer>,
        boundary: TransactionBoundary,
        (offsets_topic, offsets): (Arc<str>, Arc<dyn OffsetWriter>),
        copies: Option<Arc<dyn OffsetCopies>>,
    ) -> ExactlyOnce {
        ExactlyOnce { producer, boundary, offsets_topic, offsets, copies, open: false, sent: 0, answered: 0 }
    }

    /// Whether anything was sent since the last commit.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Commits what was sent together with offsets of a connector. Answers what was not answered before.
    pub async fn commit_with(&mut self, connector: &str, offsets: &Offsets) -> Result<Vec<Sent>, NotCommitted> {
        if let Some(copies) = &self.copies {
            copies.before(connector, offsets).await?;
        }
        let records = LogRecord::rows(&self.offsets_topic, &self.offsets.records(connector, offsets)?)?;
        if records.rows > 0 {
            let tickets = vec![OFFSETS; records.rows];
            self.open = true;
            self.producer.send(records, &tickets)?;
        }
        let answers = self.producer.commit().await?;
        self.open = false;
        if let Some(copies) = &self.copies {
            copies.after(connector, offsets).await;
        }
        Ok(without_offsets(answers))
    }

    /// Gives up what was sent.
    pub async fn abort(&mut self) -> Result<(), BrokerError> {
        (self.open, self.sent, self.answered) = (false, 0, 0);
        self.producer.abort().await
    }

    /// How many records were sent since the last commit, and not answered: nobody answers them once they are given up.
    pub fn unanswered(&self) -> u64 {
        self.sent.saturating_sub(self.answered)
    }

    /// Counts records that were answered, and are in their topics only once they are committed.
    pub fn count(&mut self, records: u64) {
        self.answered += records;
    }

    /// The records that were answered since this was asked last, at the end of a transaction.
    pub fn take_count(&mut self) -> u64 {
        self.sent = 0;
        std::mem::take(&mut self.answered)
    }
}

fn without_offsets(mut answers: Vec<Sent>) -> Vec<Sent> {
    answers.retain(|sent| sent.ticket != OFFSETS);
    answers
}

impl Delivery {
    fn producer(&self) -> &dyn Producer {
        match self {
            Delivery::AtLeastOnce(producer) => &**producer,
            Delivery::ExactlyOnce(once) => &*once.producer,
        }
    }

    /// Where transactions end; none where there are none.
    pub fn boundary(&self) -> Option<TransactionBoundary> {
        match self {
            Delivery::AtLeastOnce(_) => None,
            Delivery::ExactlyOnce(once) => Some(once.boundary),
        }
    }

    /// Whether offsets and their records are written together.
    pub fn is_exactly_once(&self) -> bool {
        self.boundary().is_some()
    }

    /// Bytes that were sent and are not answered.
    pub fn unanswered_bytes(&self) -> usize {
        self.producer().unanswered_bytes()
    }

    /// Answers of records, maybe none. Cancel safe.
    pub async fn answers(&mut self) -> Vec<Sent> {
        match self {
            Delivery::AtLeastOnce(producer) => producer.answers().await,
            Delivery::ExactlyOnce(once) => without_offsets(once.producer.answers().await),
        }
    }

    /// Sends records, in the transaction that is open or begins with them.
    pub fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        match self {
            Delivery::AtLeastOnce(producer) => producer.send(records, tickets),
            Delivery::ExactlyOnce(once) => {
                once.open |= records.rows > 0;
                once.sent += records.rows as u64;
                once.producer.send(records, tickets)
            }
        }
    }
}

/// Rows of a batch that are sent together, and how their transaction ends behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The first of the rows that are left.
    pub from: usize,
    /// Behind the last.
    pub to: usize,
    /// How the transaction ends; none where it stays open.
    pub end: Option<BoundaryKind>,
}

/// The sections of a batch: `tickets` of the rows that are left, rising, and behind which ticket a transaction ends and
/// how, rising too.
pub(super) fn sections(tickets: &[Ticket], ends: &[(Ticket, BoundaryKind)]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut from = 0;
    for (ticket, kind) in ends {
        let to = tickets.partition_point(|one| one <= ticket);
        sections.push(Section { from, to, end: Some(*kind) });
        from = to;
    }
    if from < tickets.len() || sections.is_empty() {
        sections.push(Section { from, to: tickets.len(), end: None });
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_where_transactions_end_whether_that_row_is_left_or_not() {
        use BoundaryKind::{Abort, Commit};
        let section = |from, to, end| Section { from, to, end };
        for (tickets, ends, expected) in [
            (&[4, 5, 6][..], &[][..], &[section(0, 3, None)][..]),
            (&[4, 5, 6], &[(4, Commit), (6, Abort)], &[section(0, 1, Some(Commit)), section(1, 3, Some(Abort))]),
            (&[4, 7], &[(5, Commit)], &[section(0, 1, Some(Commit)), section(1, 2, None)]),
            (&[4, 7], &[(8, Commit)], &[section(0, 2, Some(Commit))]),
            (&[], &[(4, Commit), (5, Abort)], &[section(0, 0, Some(Commit)), section(0, 0, Some(Abort))]),
            (&[], &[], &[section(0, 0, None)]),
        ] {
            assert_eq!(sections(tickets, ends), expected, "{tickets:?} {ends:?}");
        }
    }
}
