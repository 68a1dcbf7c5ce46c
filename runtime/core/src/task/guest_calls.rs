//! How a task ends, and how long it may write: guest calls of a task that may be asked to stop each end, or are dropped
//! when the time to stop gracefully is over.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::Fault;
use crate::port::Session;

/// The two moments of a task's end, and what it may do before.
#[derive(Clone, Debug, Default)]
pub struct Grace {
    /// The task is asked to stop; its guest can see it.
    pub stopping: CancellationToken,
    /// Whatever still runs is given up.
    pub over: CancellationToken,
    /// For how long its worker may take itself for a member of its group; none in a worker of its own.
    pub session: Option<Arc<Session>>,
}

impl Grace {
    /// Whether the task is its worker's for certain: nobody else was told to run it.
    pub fn is_ours(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.holds())
    }

    /// Waits until the task is its worker's for certain; answers whether it became so before it was asked to stop.
    pub async fn ours(&self) -> bool {
        let Some(session) = self.session.as_ref().filter(|_| !self.is_ours()) else { return true };
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => false,
            () = session.begun() => true,
        }
    }

    /// Waits for a call of the guest, at most until grace is over.
    pub async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        self.unless_over(call).await.unwrap_or(Err(Fault::Abandoned(name)))
    }

    /// Waits for something at most until the task is asked to stop; none when it was.
    pub async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// Waits for something at most until grace is over; none when it was given up.
    pub async fn unless_over<T>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.over.cancelled() => None,
        }
    }
}
