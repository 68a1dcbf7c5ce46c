//! The one writer: a thread that commits what came in together, or, in memory, the caller itself.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::port::BrokerError;

use crate::commit::{Committer, Done, Job, Op};

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
                committer.lock().unwrap_or_else(PoisonError::into_inner).commit(vec![job]);
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
                self.submit(Job { op, reply: Box::new(move |done| _ = answer.send(done)) });
                answered.recv().unwrap_or_else(|_| Err(ended()))
            }
        }
    }

    /// Has an operation done and waits.
    pub async fn done(&self, op: Op) -> Result<Done, BrokerError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.submit(Job { op, reply: Box::new(move |done| _ = answer.send(done)) });
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

fn run(mut committer: Committer, jobs: &Receiver<Job>, grouping: Grouping) {
    let mut crowded = false;
    let mut last = Duration::ZERO;
    while let Ok(first) = jobs.recv() {
        let deadline = Instant::now() + patience(crowded, last, grouping.delay_max);
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while bytes < grouping.bytes_max {
            match jobs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(job) => {
                    bytes += job.bytes();
                    group.push(job);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        crowded = group.len() > 1;
        let begun = Instant::now();
        committer.commit(group);
        last = begun.elapsed();
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
