//! Waiting with a deadline, and doing something again and again beside a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The wait before it is looked again.
const AGAIN: Duration = Duration::from_millis(10);

/// Whether something holds within a time.
pub fn holds_within(most: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + most;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(AGAIN);
    }
}

/// Waits until something holds; fails the test when it takes longer than a minute.
pub fn wait(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(Duration::from_secs(60), holds), "waited in vain for {what}");
}

/// What is done again and again, until it is ended or dropped, or says that it is done.
pub struct Repeated {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repeated {
    /// Does something at a pace for as long as it answers true.
    pub fn every(pace: Duration, mut act: impl FnMut() -> bool + Send + 'static) -> Repeated {
        let ended = Arc::new(AtomicBool::new(false));
        let until = ended.clone();
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) && act() {
                std::thread::sleep(pace);
            }
        });
        Repeated { ended, thread: Some(thread) }
    }

    /// Ends it, and waits for what is being done.
    pub fn end(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("what is repeated does not panic");
        }
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
