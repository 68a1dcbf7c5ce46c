//! The thread on which a store on disk is read. One, not tokio's many: glibc gives each thread an arena, and megabytes
//! allocated in ever another one and freed elsewhere left 100 MB of holes where this leaves 30.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

use weir_core::port::BrokerError;

type Job = Box<dyn FnOnce() + Send>;

/// Runs reads in the order in which they come. It ends when it is dropped.
pub(crate) struct Reader(Sender<Job>);

impl Reader {
    pub fn start() -> std::io::Result<Reader> {
        let (sender, jobs) = channel::<Job>();
        let work = move || {
            for job in jobs {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a read of the store panicked");
                }
            }
        };
        std::thread::Builder::new().name("weir-local-reader".into()).spawn(work)?;
        Ok(Reader(sender))
    }

    /// Has something read and waits for it. Whoever stops waiting has read nothing.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let _ = self.0.send(Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(read());
            }
        }));
        answered.await.unwrap_or_else(|_| Err(BrokerError::Unavailable("a read of the store did not end".into())))
    }
}
