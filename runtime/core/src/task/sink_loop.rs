//! The loop of a sink task: read, convert, transform, put; commit what was delivered.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::{Fault, OptionalCalls, Position, TaskId, TopicPartition};
use crate::observe::SinkTaskCounts;
use crate::port::{BrokerError, Consumer, ConsumerPolled, SinkTask, Wish};
use crate::process::{Chain, Converters, Retries};

use super::guest_calls::Grace;
use super::lifecycle::{Effect, Event, Lifecycle, TaskState};
use super::reporter::Reporter;
use super::sink_commits::{Judged, SinkCommits};
use super::sink_put::Pending;
use super::{Command, TaskFailure, not_stopped};

/// The wait before what failed is tried again when nobody names another.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How long the consumer is asked to wait at most, so that a quiet task is still told that there is nothing.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked how far the task is behind.
const LAGS: Duration = Duration::from_secs(1);

/// What a sink task is made of.
pub struct SinkParts {
    /// Which task it is.
    pub id: TaskId,
    /// The class, for messages.
    pub class: String,
    /// Its instance.
    pub guest: Box<dyn SinkTask>,
    /// The optional calls it wants.
    pub wants: OptionalCalls,
    /// Its transformations.
    pub chain: Chain,
    /// Its converters.
    pub converters: Converters,
    /// How both try again.
    pub retries: Retries,
    /// What becomes of records that fail.
    pub reporter: Arc<Reporter>,
    /// Where records come from.
    pub consumer: Box<dyn Consumer>,
    /// `offset.flush.interval.ms`
    pub flush_interval: Duration,
    /// `batch.bytes.max`
    pub batch_bytes: usize,
    /// How it ends.
    pub grace: Grace,
    /// What its owner tells it.
    pub commands: mpsc::Receiver<Command>,
    /// What its guest asks for.
    pub wishes: mpsc::Receiver<Wish>,
    /// Whom its state is told.
    pub report: Arc<dyn Fn(TaskState) + Send + Sync>,
    /// Whether its connector is paused.
    pub paused: bool,
    /// What it counts.
    pub counts: Arc<SinkTaskCounts>,
}

pub(super) struct Sink {
    pub parts: SinkParts,
    pub life: Lifecycle,
    guest_started: bool,
    pub commits: SinkCommits,
    /// A batch that waits, and until when.
    pub pending: Option<(Pending, Instant)>,
    /// Partitions that the guest has paused.
    paused_by_guest: BTreeSet<TopicPartition>,
    /// Consumed rows that are on their way to the guest, or with it.
    pub in_hand: usize,
    next_commit: Instant,
    next_lags: Instant,
}

/// Runs a sink task to its end.
pub async fn run_sink(parts: SinkParts) {
    let paused = parts.paused;
    let mut sink = Sink {
        life: Lifecycle::default(),
        guest_started: false,
        commits: SinkCommits::default(),
        pending: None,
        paused_by_guest: BTreeSet::new(),
        in_hand: 0,
        next_commit: Instant::now() + parts.flush_interval,
        next_lags: Instant::now(),
        parts,
    };
    sink.happen(Event::Begin { paused }).await;
    while !sink.life.is_over() {
        let event = sink.next().await;
        sink.happen(event).await;
    }
}

pub(super) type Step = Result<(), Event>;

impl Sink {
    async fn happen(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.life.on(event) {
                match effect {
                    Effect::StartGuest => events.push_back(self.start().await),
                    Effect::Report(state) => (self.parts.report)(state),
                    Effect::Hold => {
                        let held = self.hold().await;
                        events.extend(held.err());
                    }
                    Effect::Work => {
                        let taken_up = self.read_again();
                        events.extend(taken_up.err());
                    }
                    Effect::FinishUp => events.push_back(self.finish().await),
                }
            }
        }
    }

    async fn start(&mut self) -> Event {
        self.guest_started = true;
        if let Err(fault) = self.parts.grace.call("start", self.parts.guest.start()).await {
            return self.failed("start", &fault);
        }
        // A task that was paused before its guest started has its partitions already.
        match self.open_guest(&self.commits.current(None)).await {
            Ok(()) => Event::Started,
            Err(event) => event,
        }
    }

    fn failed(&self, call: &str, fault: &Fault) -> Event {
        Event::of_fault(fault, || TaskFailure::of_call(&self.parts.class, call, fault))
    }

    /// Reading stops while the task is paused, and what was delivered is committed.
    async fn hold(&mut self) -> Step {
        self.pause_all()?;
        self.commit(None).await
    }

    pub fn pause_all(&mut self) -> Step {
        let partitions = self.commits.partitions();
        self.parts.consumer.pause(&partitions).map_err(consumer_failed)
    }

    /// Reads on: all partitions but those that the guest has paused, unless a batch waits to be offered again.
    pub fn read_again(&mut self) -> Step {
        if self.pending.is_some() || !self.life.works() {
            return Ok(());
        }
        let mut partitions = self.commits.partitions();
        partitions.retain(|partition| !self.paused_by_guest.contains(partition));
        self.parts.consumer.resume(&partitions).map_err(consumer_failed)
    }

    /// Goes on with the work until something happens to the task.
    async fn next(&mut self) -> Event {
        loop {
            if let Err(event) = self.turn().await {
                return event;
            }
        }
    }

    async fn turn(&mut self) -> Step {
        // However much there is to do, it is seen that the task is told something.
        if self.parts.grace.stopping.is_cancelled() {
            return Err(Event::Stop);
        }
        if let Ok(command) = self.parts.commands.try_recv() {
            return Err(Event::told(Some(command)));
        }
        // What the guest asked for in its last call holds before its next; what it asks for meanwhile waits.
        for _ in 0..self.parts.wishes.len() {
            let Ok(wish) = self.parts.wishes.try_recv() else { break };
            self.grant(wish).await?;
        }
        let now = Instant::now();
        self.note_lags(now);
        if self.next_commit <= now {
            return self.commit(None).await;
        }
        if self.life.works() && self.pending.as_ref().is_some_and(|(_, due)| *due <= now) {
            return self.go_on_with_pending().await;
        }
        self.parts.counts.task.held_back.set(self.pending.is_some() && self.life.works());
        let due = self.pending.as_ref().filter(|_| self.life.works()).map_or(self.next_commit, |(_, due)| *due);
        let wait = due.min(self.next_commit).saturating_duration_since(now).min(MAX_WAIT);
        let polled = tokio::select! {
            biased;
            () = self.parts.grace.stopping.cancelled() => return Err(Event::Stop),
            command = self.parts.commands.recv() => return Err(Event::told(command)),
            polled = self.parts.consumer.poll(wait, self.parts.batch_bytes) => polled,
            Some(wish) = self.parts.wishes.recv() => return self.grant(wish).await,
        };
        let polled = match polled {
            Err(BrokerError::Unavailable(reason)) => {
                tracing::warn!(task = %self.parts.id, reason, "nothing can be read now; it is tried again");
                let _ = tokio::time::timeout(RETRY, self.parts.grace.stopping.cancelled()).await;
                return Ok(());
            }
            polled => polled.map_err(consumer_failed)?,
        };
        match polled {
            ConsumerPolled::Nothing if self.life.works() && self.pending.is_none() => self.put_nothing().await,
            ConsumerPolled::Nothing => {
                // To the metrics a paused task is put to nothing, as Connect's are.
                if !self.life.works() {
                    self.parts.counts.put(0, Duration::ZERO);
                }
                Ok(())
            }
            ConsumerPolled::Records(raw) => {
                self.parts.counts.task.held_back.set(true);
                self.take(raw).await
            }
            ConsumerPolled::Assigned(positions) => self.open(positions).await,
            ConsumerPolled::Revoked(partitions) => self.revoked(partitions).await,
            ConsumerPolled::Lost(partitions) => self.close(&partitions).await,
        }
    }

    async fn grant(&mut self, wish: Wish) -> Step {
        match wish {
            Wish::Pause(partitions) => {
                let own = self.commits.partitions();
                let partitions: Vec<_> = partitions.into_iter().filter(|wanted| own.contains(wanted)).collect();
                self.parts.consumer.pause(&partitions).map_err(consumer_failed)?;
                self.paused_by_guest.extend(partitions);
                Ok(())
            }
            Wish::Resume(partitions) => {
                self.paused_by_guest.retain(|partition| !partitions.contains(partition));
                self.read_again()
            }
            Wish::Rewind(positions) => self.rewind(positions).await,
            Wish::Commit => self.commit(None).await,
            Wish::Reconfigure => Ok(()), // a connector's wish, not a task's
        }
    }

    /// Delivers from other positions on; those of partitions that the task has no more change nothing.
    async fn rewind(&mut self, positions: Vec<Position>) -> Step {
        if let Some(Position { partition, offset }) = positions.iter().find(|position| position.offset < 0) {
            let cause = format!("it asked for offset {offset} of {partition}; offsets begin at 0");
            return Err(Event::Failed(TaskFailure::new(format!("{} failed in rewind", self.parts.class), cause)));
        }
        positions.iter().for_each(|position| self.commits.rewound(position));
        self.take_back().await?;
        self.parts.consumer.seek(&positions).await.map_err(consumer_failed)
    }

    /// What waits is read again instead: it may hold rows that are not to come, and may stand before
    /// rows of other partitions that have not been delivered.
    async fn take_back(&mut self) -> Step {
        if self.pending.take().is_none() {
            return Ok(());
        }
        self.parts.consumer.seek(&self.commits.current(None)).await.map_err(consumer_failed)?;
        self.read_again()
    }

    /// Looks once in a while how far the task is behind.
    fn note_lags(&mut self, now: Instant) {
        if self.next_lags <= now {
            self.next_lags = now + LAGS;
            self.parts.counts.lags.set(self.commits.lags(&self.parts.consumer.ends()));
        }
    }

    /// Notes what is read and not committed.
    pub(super) fn note_progress(&self) {
        let (delivered, most) = self.commits.uncommitted();
        let pending = self.pending.as_ref().map_or(0, |(pending, _)| pending.rows());
        self.parts.counts.set_active(delivered + (self.in_hand + pending) as u64, most);
    }

    async fn open(&mut self, positions: Vec<Position>) -> Step {
        self.commits.open(&positions);
        self.note_partitions();
        positions.iter().for_each(|position| self.parts.reporter.opened(position.partition.clone()));
        let partitions: Vec<TopicPartition> = positions.iter().map(|p| p.partition.clone()).collect();
        if !self.life.works() || self.pending.is_some() {
            self.parts.consumer.pause(&partitions).map_err(consumer_failed)?;
        }
        if self.guest_started { self.open_guest(&positions).await } else { Ok(()) }
    }

    async fn open_guest(&mut self, positions: &[Position]) -> Step {
        if positions.is_empty() {
            return Ok(());
        }
        let opened = self.parts.grace.call("open", self.parts.guest.open(positions)).await;
        opened.map_err(|fault| self.failed("open", &fault))
    }

    /// Gives partitions up, once what was delivered of them is committed.
    async fn revoked(&mut self, partitions: Vec<TopicPartition>) -> Step {
        self.commit(Some(&partitions)).await?;
        self.close(&partitions).await?;
        self.parts.consumer.release().await.map_err(consumer_failed)
    }

    fn note_partitions(&mut self) {
        self.parts.counts.partitions.set(self.commits.partitions().len() as u64);
        self.parts.counts.lags.set(Vec::new());
        self.next_lags = Instant::now();
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Step {
        self.commits.close(partitions);
        self.note_partitions();
        self.note_progress();
        partitions.iter().for_each(|partition| self.parts.reporter.closed(partition));
        self.paused_by_guest.retain(|partition| !partitions.contains(partition));
        self.take_back().await?;
        if partitions.is_empty() || !self.guest_started {
            return Ok(());
        }
        let closed = self.parts.grace.call("close", self.parts.guest.close(partitions)).await;
        closed.map_err(|fault| self.failed("close", &fault))
    }

    /// Commits what was delivered, as far as the guest agrees.
    async fn commit(&mut self, only: Option<&[TopicPartition]>) -> Step {
        let step = self.commit_now(only).await;
        // From the end on: a commit that takes as long as the interval leaves time for the work.
        self.next_commit = Instant::now() + self.parts.flush_interval;
        step
    }

    async fn commit_now(&mut self, only: Option<&[TopicPartition]>) -> Step {
        let current = self.commits.current(only);
        if current.is_empty() || !self.guest_started {
            return Ok(());
        }
        let began = Instant::now();
        self.parts.counts.commit_seq_no.add(1);
        // Beyond the session another worker may run this task already: it begins where that one has committed.
        if !self.parts.grace.is_ours() {
            self.parts.counts.commit_skips.add(1);
            tracing::warn!(task = %self.parts.id, "no offsets are committed while the worker is no member of its group");
            return Ok(());
        }
        let answer = if self.parts.wants.pre_commit {
            match self.parts.grace.call("pre-commit", self.parts.guest.pre_commit(&current)).await {
                Ok(answer) => answer,
                Err(fault) if fault.ends_instance() => {
                    self.parts.counts.committed(began.elapsed(), false);
                    return Err(self.failed("pre-commit", &fault));
                }
                Err(fault) => {
                    self.parts.counts.committed(began.elapsed(), false);
                    return self.commit_refused(&fault, only.is_some()).await;
                }
            }
        } else {
            current.clone()
        };
        // What the guest has reported of these rows must not be lost with them.
        self.flush_reports().await?;
        let Judged { to_commit: positions, ignored } = self.commits.judge(&current, answer);
        if let Some((Position { partition, offset }, reason)) = ignored.first() {
            let (task, ignored) = (&self.parts.id, ignored.len());
            tracing::warn!(%task, ignored, %partition, offset, reason, "the task answered positions that cannot be");
        }
        // Of nothing new there is nothing to send; it counts all the same, as with Connect.
        let done = if positions.is_empty() { Ok(()) } else { self.parts.consumer.commit(&positions).await };
        self.parts.counts.committed(began.elapsed(), done.is_ok());
        match done {
            Ok(()) => self.commits.committed(&positions),
            Err(error) => tracing::error!(task = %self.parts.id, %error, "offsets could not be committed"),
        }
        self.note_progress();
        Ok(())
    }

    /// The guest could not make safe what was put: it gets it again, unless its partitions go elsewhere anyway.
    async fn commit_refused(&mut self, fault: &Fault, closing: bool) -> Step {
        tracing::error!(task = %self.parts.id, %fault, "the task could not prepare a commit");
        if closing {
            return Ok(());
        }
        self.rewind(self.commits.last_committed()).await
    }

    async fn finish(&mut self) -> Event {
        let partitions = self.commits.partitions();
        let steps = async {
            self.commit(Some(&partitions)).await?;
            self.close(&partitions).await
        };
        if let Err(Event::Failed(failure)) = steps.await {
            tracing::warn!(task = %self.parts.id, %failure, "the task did not finish cleanly");
        }
        if self.guest_started {
            let stopped = self.parts.grace.call("stop", self.parts.guest.stop()).await;
            not_stopped(&self.parts.id, stopped.err(), &self.life);
        }
        self.parts.counts.ended();
        if let Err(error) = self.parts.consumer.close().await {
            tracing::warn!(task = %self.parts.id, %error, "the consumer did not leave its group");
        }
        if self.parts.grace.over.is_cancelled() { Event::GraceOver } else { Event::Finished }
    }
}

fn consumer_failed(error: BrokerError) -> Event {
    Event::Failed(TaskFailure::new("The task's consumer failed", error))
}
