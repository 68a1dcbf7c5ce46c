//! A source's batch from its guest to its producer: what fails on the way is tried again, passed over or ends the task.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{BoundaryKind, Fault, Polled, RawRecords, Records};
use crate::port::{BrokerError, Ticket};
use crate::process::{Judged, Outbound, Passed, Progress, Stage, StageFault, failure, judge};
use crate::settings::{Tolerance, TransactionBoundary};

use super::TaskFailure;
use super::delivery::{Delivery, Section, sections};
use super::lifecycle::Event;
use super::source_loop::{Row, Source};
use super::topics::NotMade;

/// The wait before a topic that could not be made is tried again.
const MAKE_AGAIN: Duration = Duration::from_secs(1);
/// The class that Connect names where a record could not be produced.
const SOURCE_TASK: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";

/// A batch on its way to the producer.
pub(super) struct OnTheWay {
    /// The ticket of its first row.
    base: Ticket,
    rows: usize,
    passage: Outbound,
    /// The rows as they were polled, where reports need them.
    polled: Option<Arc<Records>>,
    /// Behind which tickets the task ends its transactions, and how.
    ends: Vec<(Ticket, BoundaryKind)>,
}

/// Batches as they were polled, of which rows are not answered yet.
#[derive(Default)]
pub(super) struct Unanswered {
    batches: VecDeque<(Ticket, Arc<Records>)>,
    bytes: usize,
}

impl Unanswered {
    fn keep(&mut self, base: Ticket, records: Arc<Records>) {
        self.bytes += records.bytes();
        self.batches.push_back((base, records));
    }

    /// The bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batch that a ticket is of, and its first ticket.
    fn of(&self, ticket: Ticket) -> Option<(Ticket, Arc<Records>)> {
        let after = self.batches.partition_point(|(base, _)| *base <= ticket);
        let (base, records) = self.batches.get(after.checked_sub(1)?)?;
        Some((*base, records.clone()))
    }

    /// Forgets what stands before a ticket.
    fn forget_before(&mut self, ticket: Ticket) {
        while self.batches.front().is_some_and(|(base, records)| base + records.rows as u64 <= ticket) {
            self.bytes -= self.batches.pop_front().map_or(0, |(_, records)| records.bytes());
        }
    }
}

impl Source {
    /// Brings records on their way.
    pub(super) async fn take(&mut self, polled: Polled) -> Option<Event> {
        let Polled { records, source_partitions, source_partition, source_offset, row_id, boundaries } = polled;
        let rows = records.rows;
        let base = self.submitted.submit(rows, &source_partitions, &source_partition, source_offset);
        self.polls.polled(base, self.polled_at);
        if self.parts.wants.acknowledged {
            let rows = row_id.iter().enumerate();
            self.rows.extend(rows.map(|(row, &id)| (base + row as u64, Row { id, topic: None })));
        }
        let polled = self.parts.reports.need_records().then(|| Arc::new(records.clone()));
        let ends = match self.parts.delivery.boundary() {
            Some(TransactionBoundary::Connector) => {
                boundaries.iter().map(|end| (base + u64::from(end.row), end.kind)).collect()
            }
            _ => Vec::new(),
        };
        self.bring_on(Box::new(OnTheWay { base, rows, passage: Outbound::new(records), polled, ends })).await
    }

    /// Brings a batch on as far as it comes.
    pub(super) async fn bring_on(&mut self, mut batch: Box<OnTheWay>) -> Option<Event> {
        let parts = &mut self.parts;
        let stages = (&mut parts.chain, &mut parts.converters);
        let advancing = batch.passage.advance(stages, &parts.retries, parts.tolerance);
        match parts.grace.unless_over(advancing).await {
            None => Some(Event::Stop),
            Some(Err((class, fault))) => {
                Some(Event::of_fault(&fault, || TaskFailure::of_call(&class, "apply", &fault)))
            }
            Some(Ok(Progress::Again(wait))) => {
                tracing::debug!(task = %self.parts.id, ?wait, "records that failed are tried again");
                self.on_the_way = Some((batch, Instant::now() + wait));
                None
            }
            Some(Ok(Progress::Through)) => match self.send(*batch).await {
                Ok(()) => self.end_batch().await,
                Err(event) => Some(event),
            },
        }
    }

    async fn send(&mut self, batch: OnTheWay) -> Result<(), Event> {
        let OnTheWay { base, rows, passage, polled, mut ends } = batch;
        let Passed { records: mut raw, kept, faults } = passage.finish();
        self.parts.counts.done((rows - raw.rows) as u64);
        self.acknowledge_filtered(base, rows, kept.as_deref(), &faults);
        let Judged { passed_over, fatal } = self.pass_over(base, faults, polled.as_deref()).await?;
        passed_over.iter().for_each(|fault| self.acknowledge(base + u64::from(fault.row), None));
        self.gather();
        let origin = |row: usize| kept.as_ref().map_or(row as u32, |kept| kept[row]);
        let mut tickets: Vec<Ticket> = (0..raw.rows).map(|row| base + u64::from(origin(row))).collect();
        if let Some(fatal) = &fatal {
            // Nothing from the row on that ends the task goes out.
            let whole = tickets.iter().take_while(|&&ticket| ticket < base + u64::from(fatal.row)).count();
            tickets.truncate(whole);
            ends.retain(|(ticket, _)| *ticket < base + u64::from(fatal.row));
            raw = raw.select(&(0..whole as u32).collect::<Vec<_>>());
        }
        self.check_topics(&raw)?;
        self.make_topics(&raw).await?;
        // Beyond the session another worker may run this task already, and reads what it has stored.
        if raw.rows > 0 && !self.parts.grace.ours().await {
            return Err(Event::Stop);
        }
        let at_least_once = !self.parts.delivery.is_exactly_once();
        if let Some(polled) = polled.filter(|_| raw.rows > 0 && at_least_once && self.parts.tolerance == Tolerance::All)
        {
            self.unanswered.keep(base, polled);
        }
        self.write(raw, &tickets, &ends).await?;
        let Some(fatal) = fatal else { return Ok(()) };
        let (partition, offset) = self.submitted.source_of(base + u64::from(fatal.row)).unwrap_or_default();
        let record = format!("source record is {{sourcePartition={partition}, sourceOffset={offset}}}");
        Err(Event::Failed(TaskFailure { trace: failure(&fatal, &record) }))
    }

    /// Sends records, in as many transactions as their task says.
    async fn write(
        &mut self,
        raw: RawRecords,
        tickets: &[Ticket],
        ends: &[(Ticket, BoundaryKind)],
    ) -> Result<(), Event> {
        if ends.is_empty() {
            return self.dispatch(raw, tickets);
        }
        for Section { from, to, end } in sections(tickets, ends) {
            let rows: Vec<u32> = (from as u32..to as u32).collect();
            self.dispatch(raw.select(&rows), &tickets[from..to])?;
            if let Some(kind) = end {
                self.end_section(kind).await?;
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, raw: RawRecords, tickets: &[Ticket]) -> Result<(), Event> {
        if raw.rows == 0 {
            return Ok(());
        }
        for (row, ticket) in tickets.iter().enumerate() {
            if let Some(known) = self.rows.get_mut(ticket) {
                known.topic = Some(raw.topic_of(row).clone());
            }
        }
        self.parts
            .delivery
            .send(raw, tickets)
            .map_err(|error| Event::Failed(TaskFailure::new("Unrecoverable exception trying to send", error)))?;
        self.parts.counts.unanswered_bytes.set(self.parts.delivery.unanswered_bytes() as u64);
        if self.parts.delivery.is_exactly_once() {
            // It is committed with its offset, or neither is.
            tickets.iter().for_each(|&ticket| self.submitted.acknowledge(ticket));
        }
        Ok(())
    }

    /// A task's own offsets are written by the worker alone: who reads them waits for open transactions
    /// (ExactlyOnceWorkerSourceTask.prepareToSendRecord).
    fn check_topics(&self, raw: &RawRecords) -> Result<(), Event> {
        let Delivery::ExactlyOnce(once) = &self.parts.delivery else { return Ok(()) };
        if raw.topics_used().all(|topic| *topic != once.offsets_topic) {
            return Ok(());
        }
        let what = "Source tasks may not produce to their own offsets topics when exactly-once support is enabled";
        let cause = format!("it has a record for topic {}", once.offsets_topic);
        Err(Event::Failed(TaskFailure::new(what, cause)))
    }

    /// Reports rows that failed, and waits until that is stored.
    async fn pass_over(
        &mut self,
        base: Ticket,
        faults: Vec<StageFault>,
        polled: Option<&Records>,
    ) -> Result<Judged, Event> {
        let judged = judge(self.parts.tolerance, faults);
        self.parts.reports.count(&judged);
        self.report(base, &judged.reported().collect::<Vec<_>>(), polled).await?;
        Ok(judged)
    }

    async fn report(&mut self, base: Ticket, faults: &[&StageFault], polled: Option<&Records>) -> Result<(), Event> {
        if faults.is_empty() {
            return Ok(());
        }
        // Beyond the session another worker may run this task already, and report the same.
        if !self.parts.grace.ours().await {
            return Err(Event::Stop);
        }
        let source = |fault: &&StageFault| self.submitted.source_of(base + u64::from(fault.row)).unwrap_or_default();
        let sources: Vec<_> = faults.iter().map(source).collect();
        let reports = &mut self.parts.reports;
        let reporting = async {
            reports.of_polled(faults, sources, polled).await?;
            reports.flush().await
        };
        let reported = self.parts.grace.unless_over(reporting).await.ok_or(Event::Stop)?;
        reported.map_err(|error| Event::Failed(TaskFailure { trace: self.parts.reports.not_stored(error) }))
    }

    /// Rows that the chain filtered are done with.
    fn acknowledge_filtered(&mut self, base: Ticket, rows: usize, kept: Option<&[u32]>, faults: &[StageFault]) {
        let Some(kept) = kept else { return };
        let mut kept = kept.iter().copied().peekable();
        let failed: HashSet<u32> = faults.iter().map(|fault| fault.row).collect();
        for row in 0..rows as u32 {
            if kept.next_if_eq(&row).is_some() || failed.contains(&row) {
                continue;
            }
            self.parts.counts.filtered.add(1);
            self.acknowledge(base + u64::from(row), None);
        }
        self.gather();
    }

    /// Passes over records that the brokers refused for what they are, where that is tolerated.
    pub(super) async fn pass_over_refused(&mut self, refused: Vec<(Ticket, BrokerError)>) -> Result<(), Event> {
        let mut by_batch: BTreeMap<Ticket, (Option<Arc<Records>>, Vec<StageFault>)> = BTreeMap::new();
        let tickets: Vec<Ticket> = refused.iter().map(|(ticket, _)| *ticket).collect();
        for (ticket, error) in refused {
            let (base, polled) = self.unanswered.of(ticket).unzip();
            let base = base.unwrap_or(ticket);
            let (row, class) = ((ticket - base) as u32, SOURCE_TASK.to_owned());
            let fault = StageFault { row, stage: Stage::KafkaProduce, class, fault: Fault::Data(error.to_string()) };
            by_batch.entry(base).or_insert((polled, Vec::new())).1.push(fault);
            self.parts.reports.count_report(false);
        }
        for (base, (polled, faults)) in by_batch {
            self.report(base, &faults.iter().collect::<Vec<_>>(), polled.as_deref()).await?;
        }
        tickets.into_iter().for_each(|ticket| self.acknowledge(ticket, None));
        Ok(())
    }

    /// Collects what became safe.
    pub(super) fn gather(&mut self) {
        self.submitted.gather();
        self.unanswered.forget_before(self.submitted.oldest());
        // Those of a transaction are answered at its end, however soon their offsets are ready.
        if !self.parts.delivery.is_exactly_once() {
            self.polls.forget_before(self.submitted.oldest());
        }
    }

    /// Makes the topics that are missing of those that records go to. A broker that cannot answer is asked again until the task is to stop.
    async fn make_topics(&mut self, records: &RawRecords) -> Result<(), Event> {
        let known = |topic: &Arc<str>| self.topics.contains(topic);
        if !self.parts.topics.makes_any() || records.topics.iter().all(known) {
            return Ok(());
        }
        for topic in records.topics_used() {
            if self.topics.contains(topic) {
                continue;
            }
            while let Err(error) = self.parts.topics.make(topic).await {
                let reason = match error {
                    NotMade::Yet(reason) => reason,
                    NotMade::Ever(failure) => return Err(Event::Failed(failure)),
                };
                tracing::warn!(task = %self.parts.id, %topic, reason, "the topic cannot be made now and is tried again");
                self.wait_to_make_again().await?;
            }
            self.topics.insert(topic.clone());
        }
        Ok(())
    }

    /// What was written before does not wait with the topic: it is acknowledged and committed.
    async fn wait_to_make_again(&mut self) -> Result<(), Event> {
        let again = Instant::now() + MAKE_AGAIN;
        loop {
            let unanswered = self.parts.delivery.unanswered_bytes() > 0;
            // A transaction ends behind its batch, which waits here.
            let by_time = !self.parts.delivery.is_exactly_once();
            let happened = tokio::select! {
                biased;
                () = self.parts.grace.stopping.cancelled() => Some(Event::Stop),
                () = tokio::time::sleep_until(self.next_commit), if by_time => self.commit().await,
                answers = self.parts.delivery.answers(), if unanswered => self.answered(answers).await,
                () = tokio::time::sleep_until(again) => return Ok(()),
            };
            happened.map_or(Ok(()), Err)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_known_by_its_tickets_until_all_before_them_are_answered() {
        let mut unanswered = Unanswered::default();
        for (base, rows) in [(10, 3), (13, 2)] {
            unanswered.keep(base, Arc::new(Records { rows, ..Records::default() }));
        }
        let base_of = |unanswered: &Unanswered, ticket| unanswered.of(ticket).map(|(base, _)| base);
        assert_eq!(
            [9, 10, 12, 13, 14].map(|t| base_of(&unanswered, t)),
            [None, Some(10), Some(10), Some(13), Some(13)]
        );
        unanswered.forget_before(12);
        assert_eq!(base_of(&unanswered, 12), Some(10));
        unanswered.forget_before(13);
        assert_eq!((base_of(&unanswered, 12), base_of(&unanswered, 13)), (None, Some(13)));
    }
}
