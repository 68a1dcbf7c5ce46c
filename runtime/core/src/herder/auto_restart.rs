//! Starts again what has failed, where its configuration wants that (`auto.restart`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::store::State;
use crate::task::TaskFailure;

use super::request::Herder;
use super::runnable::{Runnable, here, restart, whenever_due};
use super::tries::{Tries, said};

#[derive(Default)]
struct Tried {
    tries: Tries,
    restart_at: Option<Instant>,
    restarts: u64,
    /// Whether it has failed and was not said to run since.
    failed: bool,
    /// Whether it is being restarted by itself: whatever else stops it, its tries begin anew.
    restarting: bool,
}

/// The wait before a restart that was refused is tried again, as while the group decides who runs what.
const REFUSED: Duration = Duration::from_secs(2);

/// What was started again, and what will be.
#[derive(Clone)]
pub struct AutoRestart {
    tried: Arc<Mutex<BTreeMap<Runnable, Tried>>>,
    news: Arc<Notify>,
    began: Instant,
}

impl Default for AutoRestart {
    fn default() -> AutoRestart {
        AutoRestart { tried: Arc::default(), news: Arc::default(), began: Instant::now() }
    }
}

impl AutoRestart {
    fn tried(&self) -> MutexGuard<'_, BTreeMap<Runnable, Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes that something runs.
    pub(super) fn runs(&self, what: &Runnable) {
        if let Some(tried) = self.tried().get_mut(what) {
            tried.tries.runs(self.now());
            tried.failed = false;
        }
    }

    /// Notes a failure; answers its trace, with what follows. `most` is how many tries its configuration allows.
    pub(super) fn failed(&self, what: &Runnable, most: Option<u32>, failure: TaskFailure) -> TaskFailure {
        let Some(most) = most else { return failure };
        let mut all = self.tried();
        let tried = all.entry(what.clone()).or_default();
        let wait = tried.tries.failed(self.now(), most);
        (tried.restart_at, tried.restarting, tried.failed) = (wait.map(|wait| Instant::now() + wait), false, true);
        let said = said(tried.tries.made, most, wait);
        self.news.notify_one();
        TaskFailure { trace: format!("{}\n{said}", failure.trace) }
    }

    /// Notes that something has stopped: for good, by hand, or to be started elsewhere, unless by itself.
    pub(super) fn stopped(&self, what: &Runnable) {
        let mut all = self.tried();
        if all.get(what).is_some_and(|tried| !tried.restarting) {
            all.remove(what);
        }
    }

    /// How often each was started again by itself, and the attempts since it was well.
    pub(super) fn counts(&self) -> Vec<(Runnable, u64, u32)> {
        let now = self.now();
        self.tried().iter().map(|(what, tried)| (what.clone(), tried.restarts, tried.tries.made_by(now))).collect()
    }

    fn take_due(&self, now: Instant) -> Vec<Runnable> {
        let due = |tried: &mut Tried| tried.restart_at.take_if(|at| *at <= now).is_some();
        self.tried().iter_mut().filter_map(|(what, tried)| due(tried).then(|| what.clone())).collect()
    }

    /// Looks again later at something that is due and whose failure is not to be seen: its status may be on its way, or a
    /// hand has restarted it, which ends its tries.
    fn put_off(&self, what: &Runnable) {
        if let Some(tried) = self.tried().get_mut(what).filter(|tried| tried.failed && !tried.restarting) {
            tried.restart_at = Some(Instant::now() + REFUSED);
            self.news.notify_one();
        }
    }

    /// Notes that something is about to be restarted by itself.
    fn restarting(&self, what: &Runnable) {
        if let Some(tried) = self.tried().get_mut(what) {
            tried.restarting = true;
        }
    }

    /// Notes what became of a restart.
    fn restarted(&self, what: &Runnable, done: bool) {
        if let Some(tried) = self.tried().get_mut(what) {
            tried.restarting = false;
            if done {
                tried.restarts += 1;
            } else {
                tried.restart_at = Some(Instant::now() + REFUSED);
                self.news.notify_one();
            }
        }
    }

    fn first(&self) -> Option<Instant> {
        self.tried().values().filter_map(|tried| tried.restart_at).min()
    }
}

/// Starts again what has failed here, until it is cancelled.
pub async fn restart_failed(herder: Herder, worker_id: String, cancel: CancellationToken) {
    let restarts = herder.builder.auto_restart.clone();
    let look = |now| {
        for what in restarts.take_due(now) {
            let (herder, restarts, worker_id) = (herder.clone(), restarts.clone(), worker_id.clone());
            // One that takes long keeps nobody else waiting.
            tokio::spawn(async move {
                // Whoever restarted it by hand has had their reasons.
                if here(&herder, &what, &worker_id) == Some(State::Failed) {
                    restarts.restarting(&what);
                    let done = restart(&herder, &what, "it has failed, and auto.restart is on").await.is_ok();
                    restarts.restarted(&what, done);
                } else {
                    restarts.put_off(&what);
                }
            });
        }
    };
    whenever_due(cancel, &restarts.news, || restarts.first(), look).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_due_before_its_failure_is_to_be_seen_is_looked_at_again_until_it_runs_or_has_stopped() {
        let (restarts, what) = (AutoRestart::default(), Runnable::Connector("c".into()));
        restarts.failed(&what, Some(5), TaskFailure { trace: "why".into() });
        for _ in 0..3 {
            tokio::time::advance(REFUSED).await;
            assert_eq!(restarts.take_due(Instant::now()), std::slice::from_ref(&what));
            restarts.put_off(&what);
        }
        restarts.runs(&what);
        tokio::time::advance(REFUSED).await;
        assert_eq!(restarts.take_due(Instant::now()), std::slice::from_ref(&what));
        restarts.put_off(&what);
        assert_eq!(restarts.first(), None, "it runs");
        restarts.failed(&what, Some(5), TaskFailure { trace: "why".into() });
        restarts.stopped(&what);
        restarts.put_off(&what);
        assert_eq!(restarts.first(), None, "it has stopped");
    }

    #[test]
    fn what_is_restarted_by_hand_or_gone_after_it_was_restarted_by_itself_begins_anew() {
        let (restarts, what) = (AutoRestart::default(), Runnable::Connector("c".into()));
        let fails = |attempt: &str| {
            let told = restarts.failed(&what, Some(5), TaskFailure { trace: "why".into() }).trace;
            assert!(told.contains(&format!("attempt {attempt} of 5")), "{told}");
        };
        fails("1");
        for attempt in ["2", "3"] {
            restarts.restarting(&what);
            restarts.stopped(&what);
            restarts.restarted(&what, true);
            restarts.runs(&what);
            fails(attempt);
        }
        restarts.restarting(&what);
        restarts.stopped(&what);
        restarts.restarted(&what, true);
        assert_eq!(restarts.counts(), [(what.clone(), 3, 3)]);
        restarts.stopped(&what);
        assert_eq!(restarts.counts(), []);
        fails("1");
    }
}
