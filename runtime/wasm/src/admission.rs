//! Who may run next. A call that runs long gives way at every tick, and what it waits is counted. Shares are equal: what
//! the data runtime runs next is the task that has waited longest. Weights by tenant and task take this place.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use weir_core::observe::GuestMeter;

/// The share of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share;

impl Share {
    /// What a guest that has run for a tick waits for before it runs on.
    pub fn give_way(&self, meter: Arc<GuestMeter>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let began = Instant::now();
            tokio::task::yield_now().await;
            meter.admission_nanos.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
            meter.admissions.fetch_add(1, Ordering::Relaxed);
        })
    }
}
