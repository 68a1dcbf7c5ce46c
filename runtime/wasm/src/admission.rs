//! Who may run next. Every call is admitted, and a call that runs long gives way at every tick. Shares are equal: what
//! the data runtime runs next is the task that has waited longest. Weights by tenant and task take this place.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The share of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share;

impl Share {
    /// Waits until the task may call its guest; answers how long that took.
    pub async fn admit(&self) -> Duration {
        Duration::ZERO
    }

    /// What a guest that has run for a tick waits for before it runs on.
    pub fn give_way(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::task::yield_now())
    }
}
