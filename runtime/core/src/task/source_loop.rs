//! The loop of a source task: poll, transform, convert, send; commit what is proven to be in its topic.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::{Acknowledgements, Fault, OptionalCalls, TaskId};
use crate::observe::SourceTaskCounts;
use crate::port::{BrokerError, OffsetWriter, Offsets, Sent, SourceTask, Ticket};
use crate::process::{Chain, Converters, Reports, Retries};
use crate::settings::Tolerance;

use super::delivery::Delivery;
use super::guest_calls::Grace;
use super::lifecycle::{Effect, Event, Lifecycle, TaskState};
use super::polls::Polls;
use super::source_batch::Pieces;
use super::source_send::{OnTheWay, Unanswered};
use super::submitted::SubmittedRecords;
use super::topics::Topics;
use super::{Command, TaskFailure, not_stopped};

/// How long a guest may wait for its first record of a poll.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// The wait after an early poll that brought nothing, and what it doubles to.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

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
    /// How both try again.
    pub retries: Retries,
    /// What becomes of the task that meets a record that fails.
    pub tolerance: Tolerance,
    /// Whom such records are reported to.
    pub reports: Reports,
    /// What makes topics.
    pub topics: Topics,
    /// Where records go, and whether their offsets go with them.
    pub delivery: Delivery,
    /// Where offsets go that do not.
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
pub(super) struct Row {
    pub id: u64,
    /// The topic that it goes to, once that is known.
    pub topic: Option<Arc<str>>,
}

pub(super) struct Source {
    pub parts: SourceParts,
    life: Lifecycle,
    pub guest_started: bool,
    /// What the last poll brought and is not on its way yet.
    polled: Pieces,
    /// When it did.
    pub polled_at: Instant,
    /// What is on its way, but waits until some of it is tried again, and until when.
    pub on_the_way: Option<(Box<OnTheWay>, Instant)>,
    pub unanswered: Unanswered,
    pub submitted: SubmittedRecords,
    /// Safe offsets that are not stored, because storing them failed.
    pub unstored: Offsets,
    /// The guest's rows by ticket, where it wants to know what became of them.
    pub rows: HashMap<Ticket, Row>,
    pub acknowledged: Acknowledgements,
    pub topics: HashSet<Arc<str>>,
    pub next_commit: Instant,
    /// When what is not answered was polled.
    pub polls: Polls,
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
        polled_at: now,
        on_the_way: None,
        unanswered: Unanswered::default(),
        submitted: SubmittedRecords::default(),
        unstored: BTreeMap::new(),
        rows: HashMap::new(),
        acknowledged: Acknowledgements::default(),
        topics: HashSet::new(),
        next_commit: now + parts.flush_interval,
        polls: Polls::default(),
        backoff: BACKOFF.0,
        not_before: now,
        parts,
    };
    source.next_commit = now + source.commit_interval();
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
                    Effect::Work => self.not_before = Instant::now(),
                    Effect::Hold => events.extend(self.commit_before_rest().await),
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
        self.parts.delivery.unanswered_bytes().max(self.unanswered.bytes()) <= self.parts.buffer_bytes
    }

    /// Goes on with the work until something happens to the task.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.wait().await {
                return event;
            }
            let now = Instant::now();
            let worked = if !self.may_work() {
                None
            } else if let Some((batch, _)) = self.on_the_way.take_if(|(_, due)| *due <= now) {
                self.bring_on(batch).await
            } else if self.on_the_way.is_some() {
                None
            } else if !self.polled.is_empty() {
                self.take_piece().await
            } else if now >= self.not_before {
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
        let due = match &self.on_the_way {
            Some((_, due)) => Some(*due),
            None => self.polled.is_empty().then_some(self.not_before),
        };
        let began = Instant::now();
        let has_work = may_work && due.is_none_or(|due| due <= began);
        let held_back = self.life.works() && (!may_work || self.on_the_way.is_some());
        self.parts.counts.task.held_back.set(held_back);
        let (unanswered, by_time) = (self.parts.delivery.unanswered_bytes() > 0, self.commits_by_time());
        tokio::select! {
            biased;
            () = self.parts.grace.stopping.cancelled() => Some(Event::Stop),
            command = self.parts.commands.recv() => Some(Event::told(command)),
            () = tokio::time::sleep_until(self.next_commit), if by_time => self.commit().await,
            answers = self.parts.delivery.answers(), if unanswered => self.answered(answers).await,
            () = std::future::ready(()), if has_work => None,
            () = tokio::time::sleep_until(due.unwrap_or(self.not_before)), if may_work => None,
        }
    }

    async fn poll(&mut self) -> Option<Event> {
        // Where rows went is certain only when their transaction is committed.
        if !self.parts.delivery.is_exactly_once()
            && let Some(event) = self.tell_acknowledged().await
        {
            return Some(event);
        }
        self.parts.counts.task.held_back.set(false);
        let began = Instant::now();
        let mut happened = None;
        let mut commit_due = false;
        let mut answered = Vec::new();
        let parts = &mut self.parts;
        let polled = {
            let mut poll = std::pin::pin!(parts.grace.call("poll", parts.guest.poll(MAX_WAIT, parts.batch_bytes)));
            loop {
                let unanswered = parts.delivery.unanswered_bytes() > 0;
                tokio::select! {
                    biased;
                    polled = &mut poll => break polled,
                    () = parts.grace.stopping.cancelled(), if happened.is_none() => happened = Some(Event::Stop),
                    command = parts.commands.recv(), if happened.is_none() => happened = Some(Event::told(command)),
                    answers = parts.delivery.answers(), if unanswered => answered.push(answers),
                    () = tokio::time::sleep_until(self.next_commit), if !commit_due => commit_due = true,
                }
            }
        };
        let took = began.elapsed();
        for answers in answered {
            // A failure goes before a request: the task has ended by itself.
            happened = self.answered(answers).await.or(happened);
        }
        let sent = match polled {
            Ok(polled) if polled.records.rows == 0 => {
                if took < MAX_WAIT {
                    self.not_before = Instant::now() + self.backoff;
                    self.backoff = (self.backoff * 2).min(BACKOFF.1);
                }
                self.end_batch().await
            }
            Ok(polled) => {
                self.backoff = BACKOFF.0;
                self.parts.counts.polled(polled.records.rows, took);
                self.polled_at = began + took;
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
        // A batch that was taken has ended the transaction where that was due.
        let due = commit_due && sent.is_none() && Instant::now() >= self.next_commit;
        let committed = if due && self.commits_by_time() { self.commit().await } else { None };
        sent.or(committed).or(happened)
    }

    /// Whether nothing of a batch is still to be sent.
    pub(super) fn is_between_batches(&self) -> bool {
        self.polled.is_empty() && self.on_the_way.is_none()
    }

    /// Brings the next piece of what was polled on its way.
    async fn take_piece(&mut self) -> Option<Event> {
        match self.polled.next(self.parts.batch_bytes) {
            Some(piece) => self.take(piece).await,
            None => None,
        }
    }

    pub(super) fn acknowledge(&mut self, ticket: Ticket, position: Option<(i32, i64)>) {
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

    pub(super) async fn answered(&mut self, answers: Vec<Sent>) -> Option<Event> {
        let (mut failure, mut refused) = (None, Vec::new());
        let (all, mut written) = (answers.len() as u64, 0);
        for Sent { ticket, outcome } in answers {
            match outcome {
                Ok(position) => {
                    written += 1;
                    self.polls.acknowledged(ticket);
                    self.acknowledge(ticket, Some(position));
                }
                // The commit of its transaction fails with it, whatever is tolerated.
                Err(_) if self.parts.delivery.is_exactly_once() => {}
                Err(error @ BrokerError::BadRecord(_)) if self.parts.tolerance == Tolerance::All => {
                    refused.push((ticket, error));
                }
                // Its ticket stays unacknowledged for ever, and holds back every later offset of its partition.
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.polls.observe(&self.parts.counts.task.latency);
        self.parts.counts.done(all);
        match &mut self.parts.delivery {
            Delivery::AtLeastOnce(_) => self.parts.counts.written(written),
            Delivery::ExactlyOnce(once) => once.count(written),
        }
        self.parts.counts.unanswered_bytes.set(self.parts.delivery.unanswered_bytes() as u64);
        let passed_over = self.pass_over_refused(refused).await;
        self.gather();
        let what = "Unrecoverable exception from producer send callback";
        failure.map(|error| Event::Failed(TaskFailure::new(what, error))).or(passed_over.err())
    }

    /// Tells the guest where its rows went. Its errors are logged, as Connect does with those of commitRecord.
    pub(super) async fn tell_acknowledged(&mut self) -> Option<Event> {
        if self.acknowledged.row_id.is_empty() {
            return None;
        }
        let rows = std::mem::take(&mut self.acknowledged);
        let told = self.parts.grace.call("acknowledged", self.parts.guest.acknowledged(&rows)).await;
        self.logged("acknowledged", told)
    }

    pub(super) fn logged(&self, call: &str, outcome: Result<(), Fault>) -> Option<Event> {
        match outcome {
            Ok(()) => None,
            Err(fault) if fault.ends_instance() => Some(self.failed(call, &fault)),
            Err(fault) => {
                tracing::error!(task = %self.parts.id, call, %fault, "the task could not be told of a commit");
                None
            }
        }
    }

    /// Waits for what is on its way, commits what is proven, stops the guest.
    async fn finish(&mut self) -> Event {
        let until = Instant::now() + self.parts.flush_timeout;
        let proves = !self.parts.delivery.is_exactly_once();
        while proves && self.submitted.waiting() > 0 && self.parts.delivery.unanswered_bytes() > 0 {
            let answers = tokio::select! {
                biased;
                answers = self.parts.delivery.answers() => answers,
                () = tokio::time::sleep_until(until) => break,
                () = self.parts.grace.over.cancelled() => break,
            };
            if let Some(Event::Failed(failure)) = self.answered(answers).await {
                tracing::warn!(task = %self.parts.id, %failure, "a record was not written while the task stopped");
            }
        }
        self.last_commit(self.life.has_failed()).await;
        if self.guest_started {
            let stopped = self.parts.grace.call("stop", self.parts.guest.stop()).await;
            not_stopped(&self.parts.id, stopped.err(), &self.life);
        }
        self.parts.counts.ended();
        if self.parts.grace.over.is_cancelled() { Event::GraceOver } else { Event::Finished }
    }
}
