//! How a source's offsets are stored: on a timer, behind records that are proven to be in their topics, or in one
//! transaction with them.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::model::BoundaryKind;
use crate::port::{BrokerError, StoreError};
use crate::settings::TransactionBoundary;

use super::TaskFailure;
use super::delivery::{Delivery, NotCommitted};
use super::lifecycle::Event;
use super::source_loop::Source;

/// What a row counts, and an offset, of what is kept until a transaction ends.
const ROW_BYTES: usize = 48;
const OFFSET_BYTES: usize = 256;

impl Source {
    /// Whether commits come by themselves when their time has come. Transactions end between two batches only.
    pub(super) fn commits_by_time(&self) -> bool {
        match self.parts.delivery.boundary() {
            None => true,
            // Without an interval every batch ends one.
            Some(TransactionBoundary::Interval(_)) => !self.commit_interval().is_zero() && self.is_between_batches(),
            Some(TransactionBoundary::Poll | TransactionBoundary::Connector) => false,
        }
    }

    /// Commits, since it is time to.
    pub(super) async fn commit(&mut self) -> Option<Event> {
        self.next_commit = Instant::now() + self.commit_interval();
        match self.parts.delivery.is_exactly_once() {
            true => self.commit_transaction().await.err(),
            false => self.commit_offsets().await,
        }
    }

    pub(super) fn commit_interval(&self) -> Duration {
        match self.parts.delivery.boundary() {
            Some(TransactionBoundary::Interval(Some(own))) => own,
            _ => self.parts.flush_interval,
        }
    }

    /// Ends the transaction where it ends with the batch.
    pub(super) async fn end_batch(&mut self) -> Option<Event> {
        let ends = match self.parts.delivery.boundary() {
            Some(TransactionBoundary::Poll) => true,
            Some(TransactionBoundary::Interval(_)) => Instant::now() >= self.next_commit,
            Some(TransactionBoundary::Connector) => {
                if self.kept_bytes() > self.parts.buffer_bytes {
                    return Some(Event::Failed(self.never_ends()));
                }
                false
            }
            None => false,
        };
        if ends && self.is_between_batches() { self.commit().await } else { None }
    }

    /// About what is kept in memory until the transaction ends.
    fn kept_bytes(&self) -> usize {
        (self.acknowledged.row_id.len() + self.rows.len()) * ROW_BYTES
            + (self.submitted.gathered() + self.unstored.len()) * OFFSET_BYTES
    }

    fn never_ends(&self) -> TaskFailure {
        let (task, most) = (&self.parts.id, self.parts.buffer_bytes);
        TaskFailure {
            trace: format!(
                "What waits until the task {task} ends its transaction is beyond producer.buffer.memory={most}: have its connector \
                 end transactions more often, or set transaction.boundary to poll or interval"
            ),
        }
    }

    /// Ends the transaction as its task says.
    pub(super) async fn end_section(&mut self, kind: BoundaryKind) -> Result<(), Event> {
        if kind == BoundaryKind::Abort {
            tracing::debug!(task = %self.parts.id, "the transaction is given up, as its task says");
            self.abort_transaction().await?;
        }
        // What was given up is not to come again: its offsets are stored all the same.
        self.commit_transaction().await
    }

    /// Whether what was sent is committed when the task rests or ends: the task alone may say where transactions end.
    fn ends_anywhere(&self) -> bool {
        !matches!(self.parts.delivery.boundary(), None | Some(TransactionBoundary::Connector))
    }

    /// Ends the transaction before the task rests.
    pub(super) async fn commit_before_rest(&mut self) -> Option<Event> {
        if self.ends_anywhere() { self.commit().await } else { None }
    }

    /// The commit of a task that ends. One that has failed commits no transaction.
    pub(super) async fn last_commit(&mut self, failed: bool) {
        if !self.parts.delivery.is_exactly_once() {
            self.tell_acknowledged().await;
            self.commit().await;
            return;
        }
        if !failed
            && self.ends_anywhere()
            && let Err(Event::Failed(failure)) = self.commit_transaction().await
        {
            tracing::warn!(task = %self.parts.id, %failure, "the last transaction was not committed");
        }
        if let Delivery::ExactlyOnce(once) = &mut self.parts.delivery
            && once.is_open()
        {
            let aborting = timeout(self.parts.flush_timeout, once.abort());
            if !matches!(self.parts.grace.unless_over(aborting).await, Some(Ok(Ok(())))) {
                tracing::debug!(task = %self.parts.id, "the open transaction is left to the task's next producer");
            }
        }
    }

    /// Stores the offsets that are safe.
    async fn commit_offsets(&mut self) -> Option<Event> {
        let began = Instant::now();
        self.gather();
        let safe = self.submitted.committable();
        self.unstored.extend(safe.offsets);
        if !self.unstored.is_empty() {
            let write = self.parts.offsets.write(&self.parts.id.connector, self.unstored.clone());
            match timeout(self.parts.flush_timeout, write).await {
                Ok(Ok(())) => {
                    self.unstored.clear();
                }
                Ok(Err(error @ StoreError::Unusable(_))) => {
                    self.parts.counts.task.committed(began.elapsed(), false);
                    return Some(Event::Failed(TaskFailure::new("The task's offsets cannot be stored", error)));
                }
                Ok(Err(error)) => return self.commit_failed(began, &error.to_string()),
                Err(_) => return self.commit_failed(began, "offset.flush.timeout.ms has passed"),
            }
        }
        self.parts.counts.task.committed(began.elapsed(), true);
        tracing::debug!(task = %self.parts.id, records = safe.acknowledged, waiting = safe.waiting, "offsets committed");
        self.tell_committed().await
    }

    fn commit_failed(&mut self, began: Instant, reason: &str) -> Option<Event> {
        self.parts.counts.task.committed(began.elapsed(), false);
        tracing::error!(task = %self.parts.id, reason, "offsets could not be committed; the next commit tries again");
        None
    }

    async fn tell_committed(&mut self) -> Option<Event> {
        if !self.parts.wants.committed || !self.guest_started {
            return None;
        }
        let told = self.parts.grace.call("committed", self.parts.guest.committed()).await;
        self.logged("committed", told)
    }

    /// Commits what was sent, with the offsets of everything that was sent or dropped. Of nothing there is no transaction,
    /// but the task is told all the same.
    async fn commit_transaction(&mut self) -> Result<(), Event> {
        let began = Instant::now();
        self.gather();
        self.unstored.extend(self.submitted.committable().offsets);
        let open = matches!(&self.parts.delivery, Delivery::ExactlyOnce(once) if once.is_open());
        if open || !self.unstored.is_empty() {
            // Beyond the session another worker may run this task already. Its producer fences this one, too.
            if !self.parts.grace.ours().await {
                return Err(Event::Stop);
            }
            self.write_transaction(began).await?;
        }
        self.parts.counts.task.committed(began.elapsed(), true);
        self.tell_acknowledged().await.map_or(Ok(()), Err)?;
        self.tell_committed().await.map_or(Ok(()), Err)
    }

    async fn write_transaction(&mut self, began: Instant) -> Result<(), Event> {
        // They are stored with this transaction or with the next: not even one that fails may go without them.
        let offsets = self.unstored.clone();
        let (id, Delivery::ExactlyOnce(once)) = (&self.parts.id, &mut self.parts.delivery) else { return Ok(()) };
        let committing = once.commit_with(&id.connector, &offsets);
        let answers = match self.parts.grace.unless_over(committing).await {
            None => return Err(Event::Stop),
            Some(Ok(answers)) => answers,
            Some(Err(error)) => {
                let failure = not_committed(&id.to_string(), error);
                self.parts.counts.task.committed(began.elapsed(), false);
                return Err(Event::Failed(failure));
            }
        };
        self.unstored.clear();
        self.answered(answers).await.map_or(Ok(()), Err)?;
        let Delivery::ExactlyOnce(once) = &mut self.parts.delivery else { return Ok(()) };
        let records = once.take_count();
        self.polls.forget_before(self.submitted.oldest());
        self.parts.counts.written(records);
        self.parts.counts.transaction_size.record(records as f64);
        tracing::debug!(task = %self.parts.id, offsets = offsets.len(), "a transaction is committed");
        Ok(())
    }

    /// Gives up what was sent since the last commit. Those rows are dropped, as their task is told with the next commit.
    async fn abort_transaction(&mut self) -> Result<(), Event> {
        let Delivery::ExactlyOnce(once) = &mut self.parts.delivery else { return Ok(()) };
        self.parts.counts.done(once.unanswered());
        let aborted = self.parts.grace.unless_over(once.abort()).await.ok_or(Event::Stop)?;
        if let Err(error) = aborted {
            let what = format!("Failed to abort the transaction of task {}", self.parts.id);
            return Err(Event::Failed(TaskFailure::new(what, error)));
        }
        self.acknowledged.partition.fill(-1);
        self.acknowledged.offset.fill(-1);
        let sent: Vec<_> = self.rows.iter().filter(|(_, row)| row.topic.is_some()).map(|(ticket, _)| *ticket).collect();
        sent.into_iter().for_each(|ticket| self.acknowledge(ticket, None));
        Ok(())
    }
}

/// ExactlyOnceWorkerSourceTask.maybeWrapProducerSendException.
fn not_committed(task: &str, error: NotCommitted) -> TaskFailure {
    let what = format!("Failed to flush offsets and/or records for task {task}");
    match error {
        // librdkafka does not tell an expired transaction from one that somebody else has ended.
        NotCommitted::Broker(error @ BrokerError::Fenced(_)) => TaskFailure::new(
            what,
            format!(
                "{error}\nEither another worker runs the task by now, or the task {task} was unable to finish writing records to \
                 Kafka before its producer transaction expired. It may be necessary to reconfigure this connector in order \
                 for it to run healthily with exactly-once support. Options for this include: tune the connector's producer \
                 configuration for higher throughput, increase the transaction timeout for the connector's producers, \
                 decrease the offset commit interval (if using interval-based transaction boundaries), or use the 'poll' \
                 transaction boundary (if the connector is not already configured to use it)."
            ),
        ),
        error => TaskFailure::new(what, error),
    }
}
