//! The one writer: a thread that commits what came in together, or, in memory, the caller itself.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::port::BrokerError;

use crate::commit::{Committer, Done, Job, Op};

/// How long what waits for room waits between two tries, and how often the log says so.
const AGAIN: Duration = Duration::from_millis(250);
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Takes operations and has them committed in order.
pub(crate) enum Writer {
    /// On the caller's thread, before the call returns: nothing depends on threads or time.
    Inline(Box<Mutex<Committer>>),
    /// On a thread of its own, in groups.
    Thread { jobs: Mutex<Option<Sender<Job>>>, thread: Mutex<Option<JoinHandle<()>>> },
}

/// How groups are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grouping {
    pub delay_max: Duration,
    pub bytes_max: usize,
}

impl Writer {
    pub fn inline(committer: Committer) -> Writer {
        Writer::Inline(Box::new(Mutex::new(committer)))
    }

    pub fn thread(committer: Committer, grouping: Grouping) -> std::io::Result<Writer> {
        let (sender, jobs) = channel();
        let work = move || run(committer, &jobs, grouping);
        let thread = std::thread::Builder::new().name("weir-local-writer".into()).spawn(work)?;
        Ok(Writer::Thread { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Has a job done, some time. Its reply comes from the writer.
    pub fn submit(&self, job: Job) {
        match self {
            Writer::Inline(committer) => {
                let committed = committer.lock().unwrap_or_else(PoisonError::into_inner).commit(vec![job]);
                committed.unwrap_or_else(refuse);
            }
            Writer::Thread { jobs, .. } => {
                let refused = match &*jobs.lock().unwrap_or_else(PoisonError::into_inner) {
                    Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
                    None => Some(job),
                };
                if let Some(job) = refused {
                    (job.reply)(Err(ended()));
                }
            }
        }
    }

    /// Has an operation done and waits on this thread.
    pub fn apply(&self, op: Op) -> Result<Done, BrokerError> {
        match self {
            Writer::Inline(committer) => committer.lock().unwrap_or_else(PoisonError::into_inner).apply(op),
            Writer::Thread { .. } => {
                let (answer, answered) = channel();
                self.submit(Job { op, reply: Box::new(move |done| _ = answer.send(done)), patient: None });
                answered.recv().unwrap_or_else(|_| Err(ended()))
            }
        }
    }

    /// Has an operation done and waits.
    pub async fn done(&self, op: Op) -> Result<Done, BrokerError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.submit(Job { op, reply: Box::new(move |done| _ = answer.send(done)), patient: None });
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Finishes what was taken, then ends. Idempotent.
    pub fn close(&self) {
        if let Writer::Thread { jobs, thread } = self {
            drop(jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
            let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            if thread
                .is_some_and(|thread| thread.thread().id() != std::thread::current().id() && thread.join().is_err())
            {
                tracing::error!("the store's writer panicked");
            }
        }
    }
}

fn ended() -> BrokerError {
    BrokerError::Unavailable("the store's writer has ended".into())
}

fn refuse((jobs, error): (Vec<Job>, BrokerError)) {
    jobs.into_iter().for_each(|job| (job.reply)(Err(error.clone())));
}

fn run(mut committer: Committer, jobs: &Receiver<Job>, grouping: Grouping) {
    let mut crowded = false;
    let mut last = Duration::ZERO;
    let mut held = Held::default();
    loop {
        let first = match held.next_try {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => jobs.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let group = match first {
            Ok(first) => group(first, jobs, patience(crowded, last, grouping.delay_max), grouping.bytes_max),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        crowded = group.len() > 1;
        let begun = Instant::now();
        held.commit(&mut committer, group, grouping.bytes_max);
        last = begun.elapsed();
    }
    refuse((held.jobs.into(), ended()));
}

fn group(first: Job, jobs: &Receiver<Job>, patience: Duration, bytes_max: usize) -> Vec<Job> {
    let deadline = Instant::now() + patience;
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while bytes < bytes_max {
        match jobs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(job) => {
                bytes += job.bytes();
                group.push(job);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    group
}

/// Jobs that wait for room, in their order. A task's producer waits for its broker as long as the task lives; so do
/// Connect's (`delivery.timeout.ms` and `max.block.ms` are without end there).
#[derive(Default)]
struct Held {
    jobs: VecDeque<Job>,
    next_try: Option<Instant>,
    said: Option<Instant>,
}

impl Held {
    /// Commits jobs, behind those that wait. Whatever does not append goes ahead: it may make room.
    fn commit(&mut self, committer: &mut Committer, group: Vec<Job>, bytes_max: usize) {
        let Some(next_try) = self.next_try else {
            return self.attempt(committer, group);
        };
        let (behind, ahead): (Vec<Job>, Vec<Job>) = group.into_iter().partition(|job| job.patient.is_some());
        self.jobs.extend(behind);
        if !ahead.is_empty() {
            committer.commit(ahead).unwrap_or_else(refuse);
        }
        if Instant::now() < next_try {
            return;
        }
        self.next_try = None;
        self.jobs.retain(|job| job.patient.as_ref().is_some_and(|owner| owner.strong_count() > 0));
        while self.next_try.is_none() && !self.jobs.is_empty() {
            let mut bytes = 0;
            let fits = |job: &&Job| {
                let before = bytes;
                bytes += job.bytes();
                before < bytes_max
            };
            let count = self.jobs.iter().take_while(fits).count();
            let group = self.jobs.drain(..count).collect();
            self.attempt(committer, group);
        }
        if self.next_try.is_none() && self.said.take().is_some() {
            tracing::info!("the store takes records again");
        }
    }

    fn attempt(&mut self, committer: &mut Committer, group: Vec<Job>) {
        let Err((jobs, error)) = committer.commit(group) else { return };
        let BrokerError::Unavailable(reason) = &error else { return refuse((jobs, error)) };
        let (patient, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.patient.is_some());
        if !patient.is_empty() {
            self.next_try = Some(Instant::now() + AGAIN);
            if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                self.said = Some(Instant::now());
                tracing::warn!(reason, "the store takes no records, which wait until it does");
            }
        }
        patient.into_iter().rev().for_each(|job| self.jobs.push_front(job));
        refuse((others, error));
    }
}

/// How long a first job waits for others. One that comes alone, after one that came alone, would wait for nobody.
fn patience(crowded: bool, last: Duration, delay_max: Duration) -> Duration {
    if crowded { last.min(delay_max) } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_crowd_waits_and_never_longer_than_it_may() {
        let (ms, max) = (Duration::from_millis, Duration::from_millis(5));
        assert_eq!(patience(false, ms(3), max), Duration::ZERO);
        assert_eq!(patience(true, ms(3), max), ms(3));
        assert_eq!(patience(true, ms(30), max), max);
    }
}
