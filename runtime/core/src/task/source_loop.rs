//! The loop of a source task: poll, transform, convert, send; commit what is proven to be in its topic.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::{Acknowledgements, Fault, OptionalCalls, Polled, RawRecords, TaskId};
use crate::observe::SourceTaskCounts;
use crate::port::{OffsetWriter, Producer, Sent, SourceTask, StoreError, Ticket};
use crate::process::{Chain, Converters, failure, first_failed};

use super::guest_calls::Grace;
use super::lifecycle::{Effect, Event, Lifecycle, TaskState};
use super::source_batch::Pieces;
use super::submitted::SubmittedRecords;
use super::topics::{NotMade, Topics};
use super::{Command, TaskFailure};

/// How long a guest may wait for its first record of a poll.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// The wait after an early poll that brought nothing, and what it doubles to.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
/// The wait before a topic that could not be made is tried again.
const MAKE_AGAIN: Duration = Duration::from_secs(1);

/// What a source task is made of.
pub struct SourceParts {
    /// Which task it is.
    pub id: TaskId,
    /// The class, for messages.
    pub class: String,
    /// Its instance.
    pub guest: Box<dyn SourceTask>,
    /// The optional calls it wants.
    pub wants: OptionalCalls,
    /// Its transformations.
    pub chain: Chain,
    /// Its converters.
    pub converters: Converters,
    /// What makes topics.
    pub topics: Topics,
    /// Where records go.
    pub producer: Box<dyn Producer>,
    /// Where offsets go.
    pub offsets: Arc<dyn OffsetWriter>,
    /// `offset.flush.interval.ms`
    pub flush_interval: Duration,
    /// `offset.flush.timeout.ms`
    pub flush_timeout: Duration,
    /// `batch.bytes.max`: what a poll is asked for, and what is on its way at a time of a poll that brought more.
    pub batch_bytes: usize,
    /// Polling stops while more bytes than this are unanswered (`buffer.memory`).
    pub buffer_bytes: usize,
    /// How it ends.
    pub grace: Grace,
    /// What its owner tells it.
    pub commands: mpsc::Receiver<Command>,
    /// Whom its state is told.
    pub report: Arc<dyn Fn(TaskState) + Send + Sync>,
    /// Whether its connector is paused.
    pub paused: bool,
    /// What it counts.
    pub counts: Arc<SourceTaskCounts>,
}

/// A row of the guest's that is on its way.
struct Row {
    id: u64,
    /// The topic that it goes to, once that is known.
    topic: Option<Arc<str>>,
}

struct Source {
    parts: SourceParts,
    life: Lifecycle,
    guest_started: bool,
    /// What the last poll brought and is not on its way yet.
    polled: Pieces,
    submitted: SubmittedRecords,
    /// Safe offsets that are not stored, because storing them failed.
    unstored: BTreeMap<Arc<str>, Option<String>>,
    /// The guest's rows by ticket, where it wants to know what became of them.
    rows: HashMap<Ticket, Row>,
    acknowledged: Acknowledgements,
    topics: HashSet<Arc<str>>,
    next_commit: Instant,
    backoff: Duration,
    not_before: Instant,
}

/// Runs a source task to its end.
pub async fn run_source(parts: SourceParts) {
    let now = Instant::now();
    let paused = parts.paused;
    let mut source = Source {
        life: Lifecycle::default(),
        guest_started: false,
        polled: Pieces::default(),
        submitted: SubmittedRecords::default(),
        unstored: BTreeMap::new(),
        rows: HashMap::new(),
        acknowledged: Acknowledgements::default(),
        topics: HashSet::new(),
        next_commit: now + parts.flush_interval,
        backoff: BACKOFF.0,
        not_before: now,
        parts,
    };
    source.happen(Event::Begin { paused }).await;
    while !source.life.is_over() {
        let event = source.next().await;
        source.happen(event).await;
    }
}

impl Source {
    async fn happen(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.life.on(event) {
                match effect {
                    Effect::StartGuest => events.push_back(self.start().await),
                    Effect::Report(state) => (self.parts.report)(state),
                    Effect::Hold | Effect::Work => self.not_before = Instant::now(),
                    Effect::FinishUp => events.push_back(self.finish().await),
                }
            }
        }
    }

    async fn start(&mut self) -> Event {
        self.guest_started = true;
        let start = self.parts.guest.start();
        match self.parts.grace.call("start", start).await {
            Ok(()) => Event::Started,
            Err(fault) => self.failed("start", &fault),
        }
    }

    fn failed(&self, call: &str, fault: &Fault) -> Event {
        Event::of_fault(fault, || TaskFailure::of_call(&self.parts.class, call, fault))
    }

    fn has_room(&self) -> bool {
        self.parts.producer.unanswered_bytes() <= self.parts.buffer_bytes
    }

    /// Goes on with the work until something happens to the task.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.wait().await {
                return event;
            }
            let worked = if !self.may_work() {
                None
            } else if !self.polled.is_empty() {
                self.take_piece().await
            } else if Instant::now() >= self.not_before {
                self.poll().await
            } else {
                None
            };
            if let Some(event) = worked {
                return event;
            }
        }
    }

    fn may_work(&self) -> bool {
        self.life.works() && self.has_room()
    }

    /// Waits for whatever comes first. Work comes last: a guest that always has some would keep all else waiting.
    async fn wait(&mut self) -> Option<Event> {
        let may_work = self.may_work();
        let has_work = may_work && (!self.polled.is_empty() || Instant::now() >= self.not_before);
        let unanswered = self.parts.producer.unanswered_bytes() > 0;
        tokio::select! {
            biased;
            () = self.parts.grace.stopping.cancelled() => Some(Event::Stop),
            command = self.parts.commands.recv() => Some(Event::told(command)),
            () = tokio::time::sleep_until(self.next_commit) => self.commit().await,
            answers = self.parts.producer.answers(), if unanswered => self.answered(answers),
            () = std::future::ready(()), if has_work => None,
            () = tokio::time::sleep_until(self.not_before), if may_work => None,
        }
    }

    async fn poll(&mut self) -> Option<Event> {
        if let Some(event) = self.tell_acknowledged().await {
            return Some(event);
        }
        let began = Instant::now();
        let mut happened = None;
        let mut commit_due = false;
        let mut answered = Vec::new();
        let parts = &mut self.parts;
        let polled = {
            let mut poll = std::pin::pin!(parts.grace.call("poll", parts.guest.poll(MAX_WAIT, parts.batch_bytes)));
            loop {
                let unanswered = parts.producer.unanswered_bytes() > 0;
                tokio::select! {
                    biased;
                    polled = &mut poll => break polled,
                    () = parts.grace.stopping.cancelled(), if happened.is_none() => happened = Some(Event::Stop),
                    command = parts.commands.recv(), if happened.is_none() => happened = Some(Event::told(command)),
                    answers = parts.producer.answers(), if unanswered => answered.push(answers),
                    () = tokio::time::sleep_until(self.next_commit), if !commit_due => commit_due = true,
                }
            }
        };
        for answers in answered {
            // A failure goes before a request: the task has ended by itself.
            happened = self.answered(answers).or(happened);
        }
        let sent = match polled {
            Ok(polled) if polled.records.rows == 0 => {
                if began.elapsed() < MAX_WAIT {
                    self.not_before = Instant::now() + self.backoff;
                    self.backoff = (self.backoff * 2).min(BACKOFF.1);
                }
                None
            }
            Ok(polled) => {
                self.backoff = BACKOFF.0;
                self.parts.counts.polled.add(polled.records.rows as u64);
                self.polled = Pieces::new(polled);
                self.take_piece().await
            }
            Err(Fault::Retriable(reason)) => {
                tracing::warn!(task = %self.parts.id, reason, "poll failed and is tried again");
                self.not_before = Instant::now() + BACKOFF.1;
                None
            }
            Err(fault) => Some(self.failed("poll", &fault)),
        };
        let committed = if commit_due { self.commit().await } else { None };
        sent.or(committed).or(happened)
    }

    /// Brings the next piece of what was polled on its way.
    async fn take_piece(&mut self) -> Option<Event> {
        match self.polled.next(self.parts.batch_bytes) {
            Some(piece) => self.take(piece).await,
            None => None,
        }
    }

    /// Brings records on their way.
    async fn take(&mut self, polled: Polled) -> Option<Event> {
        let Polled { records, source_partitions, source_partition, source_offset, row_id, .. } = polled;
        let rows = records.rows;
        let base = self.submitted.submit(rows, &source_partitions, &source_partition, source_offset);
        if self.parts.wants.acknowledged {
            let rows = row_id.iter().enumerate();
            self.rows.extend(rows.map(|(row, &id)| (base + row as u64, Row { id, topic: None })));
        }
        let mut chained = match self.parts.grace.unless_over(self.parts.chain.apply(records)).await {
            Some(Ok(chained)) => chained,
            Some(Err((class, fault))) => {
                return Some(Event::of_fault(&fault, || TaskFailure::of_call(&class, "apply", &fault)));
            }
            None => return Some(Event::Stop),
        };
        let kept = chained.kept.take();
        let origin = |row: usize| kept.as_ref().map_or(row as u32, |kept| kept[row]);
        let left = chained.records.rows;
        if let Some(kept) = &kept {
            self.acknowledge_filtered(base, rows, kept, &chained.faults);
        }
        let (mut raw, conversion_faults) = self.parts.converters.from_connect(chained.records).await;
        let mut faults = chained.faults;
        faults.extend(conversion_faults.into_iter().map(|mut fault| {
            fault.row = origin(fault.row as usize);
            fault
        }));
        let failed = first_failed(&faults);
        let mut tickets: Vec<Ticket> = (0..left).map(|row| base + u64::from(origin(row))).collect();
        if let Some(failed) = failed {
            // Nothing from the first failed row on goes out: the task ends there.
            let whole = tickets.iter().take_while(|&&ticket| ticket < base + u64::from(failed.row)).count();
            tickets.truncate(whole);
            raw = raw.select(&(0..whole as u32).collect::<Vec<_>>());
        }
        for (row, ticket) in tickets.iter().enumerate() {
            if let Some(known) = self.rows.get_mut(ticket) {
                known.topic = Some(raw.topic_of(row).clone());
            }
        }
        if let Err(event) = self.make_topics(&raw).await {
            return Some(event);
        }
        // Beyond the session another worker may run this task already, and reads what it has stored.
        if raw.rows > 0 && !self.parts.grace.ours().await {
            return Some(Event::Stop);
        }
        if raw.rows > 0
            && let Err(error) = self.parts.producer.send(raw, &tickets)
        {
            let what = "Unrecoverable exception trying to send";
            return Some(Event::Failed(TaskFailure::new(what, error)));
        }
        failed.map(|failed| Event::Failed(TaskFailure { trace: failure(failed) }))
    }

    /// Rows that the chain filtered are done with.
    fn acknowledge_filtered(&mut self, base: Ticket, rows: usize, kept: &[u32], faults: &[crate::process::StageFault]) {
        let mut kept = kept.iter().copied().peekable();
        let failed: HashSet<u32> = faults.iter().map(|fault| fault.row).collect();
        for row in 0..rows as u32 {
            if kept.next_if_eq(&row).is_some() || failed.contains(&row) {
                continue;
            }
            self.parts.counts.filtered.add(1);
            self.acknowledge(base + u64::from(row), None);
        }
        self.submitted.gather();
    }

    fn acknowledge(&mut self, ticket: Ticket, position: Option<(i32, i64)>) {
        self.submitted.acknowledge(ticket);
        let Some(Row { id, topic }) = self.rows.remove(&ticket) else { return };
        let told = &mut self.acknowledged;
        let (partition, offset) = position.unwrap_or((-1, -1));
        let topic = topic.unwrap_or_else(|| "".into());
        let at = told.topics.iter().rposition(|known| *known == topic).unwrap_or_else(|| {
            told.topics.push(topic);
            told.topics.len() - 1
        });
        told.row_id.push(id);
        told.topic.push(at as u32);
        told.partition.push(partition);
        told.offset.push(offset);
    }

    /// Makes the topics that are missing of those that records go to. A broker that cannot answer is asked again until the task is to stop.
    async fn make_topics(&mut self, records: &RawRecords) -> Result<(), Event> {
        let known = |topic: &Arc<str>| self.topics.contains(topic);
        if !self.parts.topics.makes_any() || records.topics.iter().all(known) {
            return Ok(());
        }
        for topic in written_topics(records) {
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
            let unanswered = self.parts.producer.unanswered_bytes() > 0;
            let happened = tokio::select! {
                biased;
                () = self.parts.grace.stopping.cancelled() => Some(Event::Stop),
                () = tokio::time::sleep_until(self.next_commit) => self.commit().await,
                answers = self.parts.producer.answers(), if unanswered => self.answered(answers),
                () = tokio::time::sleep_until(again) => return Ok(()),
            };
            happened.map_or(Ok(()), Err)?;
        }
    }

    fn answered(&mut self, answers: Vec<Sent>) -> Option<Event> {
        let mut failure = None;
        for Sent { ticket, outcome } in answers {
            match outcome {
                Ok(position) => {
                    self.parts.counts.written.add(1);
                    self.acknowledge(ticket, Some(position));
                }
                // Its ticket stays unacknowledged for ever, and holds back every later offset of its partition.
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.submitted.gather();
        let what = "Unrecoverable exception from producer send callback";
        failure.map(|error| Event::Failed(TaskFailure::new(what, error)))
    }

    /// Tells the guest where its rows went. Its errors are logged, as Connect does with those of commitRecord.
    async fn tell_acknowledged(&mut self) -> Option<Event> {
        if self.acknowledged.row_id.is_empty() {
            return None;
        }
        let rows = std::mem::take(&mut self.acknowledged);
        let told = self.parts.grace.call("acknowledged", self.parts.guest.acknowledged(&rows)).await;
        self.logged("acknowledged", told)
    }

    fn logged(&self, call: &str, outcome: Result<(), Fault>) -> Option<Event> {
        match outcome {
            Ok(()) => None,
            Err(fault) if fault.ends_instance() => Some(self.failed(call, &fault)),
            Err(fault) => {
                tracing::error!(task = %self.parts.id, call, %fault, "the task could not be told of a commit");
                None
            }
        }
    }

    /// Stores the offsets that are safe.
    async fn commit(&mut self) -> Option<Event> {
        self.next_commit = Instant::now() + self.parts.flush_interval;
        let safe = self.submitted.committable();
        self.unstored.extend(safe.offsets);
        if !self.unstored.is_empty() {
            let write = self.parts.offsets.write(&self.parts.id.connector, self.unstored.clone());
            match tokio::time::timeout(self.parts.flush_timeout, write).await {
                Ok(Ok(())) => {
                    self.unstored.clear();
                }
                Ok(Err(error @ StoreError::Unusable(_))) => {
                    self.parts.counts.commit_failures.add(1);
                    return Some(Event::Failed(TaskFailure::new("The task's offsets cannot be stored", error)));
                }
                Ok(Err(error)) => return self.commit_failed(&error.to_string()),
                Err(_) => return self.commit_failed("offset.flush.timeout.ms has passed"),
            }
        }
        self.parts.counts.commits.add(1);
        tracing::debug!(task = %self.parts.id, records = safe.acknowledged, waiting = safe.waiting, "offsets committed");
        if !self.parts.wants.committed || !self.guest_started {
            return None;
        }
        let told = self.parts.grace.call("committed", self.parts.guest.committed()).await;
        self.logged("committed", told)
    }

    fn commit_failed(&mut self, reason: &str) -> Option<Event> {
        self.parts.counts.commit_failures.add(1);
        tracing::error!(task = %self.parts.id, reason, "offsets could not be committed; the next commit tries again");
        None
    }

    /// Waits for what is on its way, commits what is proven, stops the guest.
    async fn finish(&mut self) -> Event {
        let until = Instant::now() + self.parts.flush_timeout;
        while self.submitted.waiting() > 0 && self.parts.producer.unanswered_bytes() > 0 {
            let answers = tokio::select! {
                biased;
                answers = self.parts.producer.answers() => answers,
                () = tokio::time::sleep_until(until) => break,
                () = self.parts.grace.over.cancelled() => break,
            };
            if let Some(Event::Failed(failure)) = self.answered(answers) {
                tracing::warn!(task = %self.parts.id, %failure, "a record was not written while the task stopped");
            }
        }
        self.tell_acknowledged().await;
        self.commit().await;
        if self.guest_started {
            let stopped = self.parts.grace.call("stop", self.parts.guest.stop()).await;
            if let Err(fault) = stopped {
                tracing::warn!(task = %self.parts.id, %fault, "the task did not stop cleanly");
            }
        }
        if self.parts.grace.over.is_cancelled() { Event::GraceOver } else { Event::Finished }
    }
}

/// The topics that records go to. Their table may name others: of rows that were filtered, for one.
fn written_topics(records: &RawRecords) -> impl Iterator<Item = &Arc<str>> {
    let mut written = vec![false; records.topics.len()];
    match records.topic.is_empty() {
        true => written.iter_mut().take(records.rows.min(1)).for_each(|first| *first = true),
        false => records.topic.iter().for_each(|&at| written[at as usize] = true),
    }
    records.topics.iter().zip(written).filter(|(_, written)| *written).map(|(topic, _)| topic)
}
