//! A sink's batch from its consumer to its guest: what fails on the way is tried again, passed over or ends the task, and
//! what was delivered is noted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::model::{Fault, RawRecords, RowFault};
use crate::port::{SinkDelivery, SinkRecords};
use crate::process::{Inbound, Judged, Progress, Stage, StageFault, failure, judge};

use super::TaskFailure;
use super::lifecycle::Event;
use super::sink_batch::{Batch, Consumed, Placed, consumed, select};
use super::sink_loop::{RETRY, Sink, Step};

/// The least wait, so that partitions are given up and taken on meanwhile.
const WAIT_LEAST: Duration = Duration::from_millis(1);

/// A batch that waits. Until it goes on nothing more is read.
pub(super) enum Pending {
    /// On its way to the guest: some of its rows are to be tried again.
    Passing(Box<Passing>),
    /// The guest wants it offered again.
    Offered(Box<Batch>),
}

impl Pending {
    /// How many consumed rows it is of.
    pub fn rows(&self) -> usize {
        match self {
            Pending::Passing(passing) => passing.consumed.offset.len(),
            Pending::Offered(batch) => batch.records.records.rows,
        }
    }
}

/// A batch on its way to the guest.
pub(super) struct Passing {
    passage: Inbound,
    placed: Placed,
    consumed: Consumed,
    raw: Option<Arc<RawRecords>>,
}

impl Sink {
    /// Takes what was consumed.
    pub(super) async fn take(&mut self, raw: RawRecords) -> Step {
        self.parts.counts.read.add(raw.rows as u64);
        self.in_hand = raw.rows;
        self.note_progress();
        let passing = Passing {
            placed: Placed::new(&raw),
            consumed: consumed(&raw),
            raw: self.parts.reporter.needs_records().then(|| Arc::new(raw.clone())),
            passage: Inbound::new(raw),
        };
        self.bring_on(Box::new(passing)).await
    }

    pub(super) async fn go_on_with_pending(&mut self) -> Step {
        let pending = self.pending.take();
        self.in_hand = pending.as_ref().map_or(0, |(pending, _)| pending.rows());
        match pending {
            Some((Pending::Passing(passing), _)) => self.bring_on(passing).await?,
            Some((Pending::Offered(batch), _)) => self.put(*batch).await?,
            None => {}
        }
        self.read_again()
    }

    async fn bring_on(&mut self, mut passing: Box<Passing>) -> Step {
        let parts = &mut self.parts;
        let stages = (&mut parts.converters, &mut parts.chain);
        let advancing = passing.passage.advance(stages, &parts.retries, parts.reporter.tolerance());
        let advanced = parts.grace.unless_over(advancing).await;
        let progress = advanced
            .ok_or(Event::Stop)?
            .map_err(|(class, fault)| Event::of_fault(&fault, || TaskFailure::of_call(&class, "apply", &fault)))?;
        match progress {
            Progress::Through => self.passed(*passing).await,
            Progress::Again(wait) => {
                tracing::debug!(task = %self.parts.id, ?wait, "records that failed are tried again");
                self.wait_with(Pending::Passing(passing), wait)
            }
        }
    }

    fn wait_with(&mut self, pending: Pending, wait: Duration) -> Step {
        self.in_hand = 0;
        self.pending = Some((pending, Instant::now() + wait.max(WAIT_LEAST)));
        self.note_progress();
        self.pause_all()
    }

    /// Puts what is left of a batch. Of one in which a row ends the task, that is what stands before.
    async fn passed(&mut self, Passing { passage, placed, consumed, raw }: Passing) -> Step {
        let passed = passage.finish();
        let (mut records, mut origin) = (passed.records, passed.kept);
        let judged = judge(self.parts.reporter.tolerance(), passed.faults);
        self.report(&judged, raw.as_deref()).await?;
        let failed = judged.fatal.map(|fatal| {
            let trace = failure(&fatal, &consumed.name(fatal.row));
            (fatal.row, TaskFailure { trace })
        });
        if let Some((row, _)) = &failed {
            let came = |at: u32| origin.as_ref().map_or(at, |origin| origin[at as usize]);
            let rows: Vec<u32> = (0..records.rows as u32).filter(|&at| came(at) < *row).collect();
            records = records.select(&rows);
            origin = Some(rows.iter().map(|&at| came(at)).collect());
        }
        let original = placed.original(&mut records, origin.as_deref());
        self.put(Batch { records: SinkRecords { records, original }, origin, consumed, raw, failed }).await
    }

    async fn report(&mut self, judged: &Judged, raw: Option<&RawRecords>) -> Step {
        if *judged == Judged::default() {
            return Ok(());
        }
        // Beyond the session another worker may run this task already, and report the same.
        if !self.parts.grace.ours().await {
            return Err(Event::Stop);
        }
        let reported = self.parts.grace.unless_over(self.parts.reporter.report(judged, raw)).await;
        reported.ok_or(Event::Stop)?.map_err(Event::Failed)
    }

    /// Waits until what the guest has reported is stored. Where nothing is tolerated, that ends the task.
    pub(super) async fn flush_reports(&mut self) -> Step {
        let flushed = self.parts.grace.unless_over(self.parts.reporter.flush()).await;
        flushed.ok_or(Event::Stop)?.map_err(Event::Failed)?;
        self.parts.reporter.exceeded().map_or(Ok(()), |failure| Err(Event::Failed(failure)))
    }

    /// Tells the guest that there is nothing.
    pub(super) async fn put_nothing(&mut self) -> Step {
        self.put(Batch {
            records: SinkRecords::default(),
            origin: None,
            consumed: Consumed::default(),
            raw: None,
            failed: None,
        })
        .await
    }

    /// Offers a batch to the guest.
    async fn put(&mut self, batch: Batch) -> Step {
        let rows = batch.records.records.rows;
        // A batch of which nothing is left need not cross; an empty one tells the guest that there is nothing.
        let crosses = rows > 0 || batch.consumed.offset.is_empty();
        let (began, mut took) = (Instant::now(), Duration::ZERO);
        let delivery = if crosses {
            self.parts.reporter.about_to_put(batch.raw.as_ref());
            let put = self.parts.guest.put(&batch.records);
            let delivery = self.parts.grace.call("put", put).await;
            took = began.elapsed();
            self.flush_reports().await?;
            match delivery {
                Ok(delivery) => delivery,
                Err(Fault::Retriable(reason)) => return self.keep(batch, 0, None, &reason),
                Err(fault) => return Err(self.unrecoverable(&fault)),
            }
        } else {
            SinkDelivery::default()
        };
        self.pass_over(&batch, delivery.faults).await?;
        if let Some(retry) = delivery.retry {
            if retry.from > 0 {
                self.parts.counts.put(u64::from(retry.from), took);
            }
            return self.keep(batch, retry.from as usize, retry.after, &retry.reason);
        }
        self.parts.counts.put(rows as u64, took);
        self.note_ages(&batch);
        self.delivered(&batch, rows);
        self.in_hand = 0;
        self.note_progress();
        match batch.failed {
            Some((_, failure)) => Err(Event::Failed(failure)),
            None => Ok(()),
        }
    }

    /// Notes how old records are that are put.
    fn note_ages(&self, batch: &Batch) {
        let timestamps = &batch.records.records.timestamp;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let ages = timestamps.iter().filter(|timestamp| **timestamp >= 0).map(|timestamp| now - timestamp);
        self.parts.counts.task.latency.observe_ages(ages);
    }

    /// Passes over rows that the guest could not use, as far as that is tolerated: those whose data is wrong.
    async fn pass_over(&mut self, batch: &Batch, faults: Vec<RowFault>) -> Step {
        let of_row = |RowFault { row, fault, .. }: &RowFault| StageFault {
            row: batch.came_from(*row),
            stage: Stage::TaskPut,
            class: self.parts.class.clone(),
            fault: fault.clone(),
        };
        let wrong = |fault: &&RowFault| matches!(fault.fault, Fault::Data(_));
        let judged = judge(self.parts.reporter.tolerance(), faults.iter().take_while(wrong).map(of_row).collect());
        self.parts.reporter.count_named(&judged).await;
        let (others, fatal) = (faults.iter().find(|fault| !wrong(fault)), judged.fatal.is_some());
        self.report(&judged, batch.raw.as_deref()).await?;
        let ends = if fatal { faults.first() } else { others };
        let Some(ends) = ends else { return Ok(()) };
        self.delivered(batch, ends.row as usize);
        Err(self.unrecoverable(&ends.fault))
    }

    fn unrecoverable(&self, fault: &Fault) -> Event {
        let what = format!(
            "Exiting WorkerSinkTask due to unrecoverable exception.\nCaused by: {} failed in put",
            self.parts.class
        );
        Event::of_fault(fault, || TaskFailure::new(what, fault))
    }

    /// The rows of a batch before `row` are delivered, and with them every consumed row before theirs.
    fn delivered(&mut self, batch: &Batch, row: usize) {
        let whole = row >= batch.records.records.rows;
        let until = if whole {
            batch.failed.as_ref().map_or(batch.consumed.offset.len(), |(row, _)| *row as usize)
        } else {
            batch.came_from(row as u32) as usize
        };
        let mut last = vec![None; batch.consumed.partitions.len()];
        for (&partition, &offset) in batch.consumed.partition.iter().zip(&batch.consumed.offset).take(until) {
            last[partition as usize] = Some(offset);
        }
        for (partition, offset) in batch.consumed.partitions.iter().zip(last) {
            if let Some(offset) = offset {
                self.commits.delivered(partition, offset + 1);
            }
        }
    }

    /// Keeps the rows from `from` on, to be offered again.
    fn keep(&mut self, batch: Batch, from: usize, after: Option<Duration>, reason: &str) -> Step {
        self.parts.counts.retried.add(1);
        tracing::warn!(task = %self.parts.id, reason, rows = batch.records.records.rows - from, "a batch is offered again");
        self.delivered(&batch, from);
        let rows: Vec<u32> = (from as u32..batch.records.records.rows as u32).collect();
        let rest = select(batch, &rows);
        self.wait_with(Pending::Offered(Box::new(rest)), after.unwrap_or(RETRY))
    }
}
