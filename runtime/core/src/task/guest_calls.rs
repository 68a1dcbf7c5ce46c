//! Guest calls of a task that may be asked to stop: each ends, or is dropped when the time to stop gracefully is over.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::model::Fault;

/// The two moments of a task's end.
#[derive(Clone, Debug, Default)]
pub struct Grace {
    /// The task is asked to stop; its guest can see it.
    pub stopping: CancellationToken,
    /// Whatever still runs is given up.
    pub over: CancellationToken,
}

impl Grace {
    /// Waits for a call of the guest, at most until grace is over.
    pub async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        self.unless_over(call).await.unwrap_or(Err(Fault::Abandoned(name)))
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
