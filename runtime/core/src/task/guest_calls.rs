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
        tokio::select! {
            biased;
            answer = call => answer,
            () = self.over.cancelled() => Err(Fault::Abandoned(name)),
        }
    }
}
