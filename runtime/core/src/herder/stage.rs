//! What a worker is at, for whoever waits for it in vain (Connect's Stage).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A piece of work that takes its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it is, so that it reads on from "The worker is currently".
    pub what: String,
    /// When it began.
    pub began: SystemTime,
    /// When it was done; none while it is not.
    pub completed: Option<SystemTime>,
}

/// The latest stage of whoever goes through them.
#[derive(Clone, Debug, Default)]
pub struct Stages(Arc<Mutex<Option<Stage>>>);

/// A stage that is completed when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Entered {
    stages: Stages,
    stage: Stage,
}

tokio::task_local! {
    /// The stages of the request that a task carries out.
    pub static REQUEST: Stages;
}

/// Enters a stage of the request that is carried out, if one is.
pub fn of_request(what: &str) -> Option<Entered> {
    REQUEST.try_with(|stages| stages.enter(what)).ok()
}

impl Stages {
    fn lock(&self) -> MutexGuard<'_, Option<Stage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a stage.
    pub fn enter(&self, what: &str) -> Entered {
        let stage = Stage { what: what.to_owned(), began: SystemTime::now(), completed: None };
        *self.lock() = Some(stage.clone());
        Entered { stages: self.clone(), stage }
    }

    /// The latest stage, if there was one.
    pub fn latest(&self) -> Option<Stage> {
        self.lock().clone()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut latest = self.stages.lock();
        // One that began within it says more.
        if latest.as_ref() == Some(&self.stage) {
            let completed = Some(SystemTime::now());
            *latest = Some(Stage { completed, ..self.stage.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_current_until_it_is_left_and_then_the_last() {
        let stages = Stages::default();
        assert_eq!(stages.latest(), None);
        let outer = stages.enter("reading");
        assert!(stages.latest().is_some_and(|stage| stage.what == "reading" && stage.completed.is_none()));
        drop(stages.enter("writing"));
        drop(outer);
        assert!(stages.latest().is_some_and(|stage| stage.what == "writing" && stage.completed.is_some()));
    }

    #[tokio::test]
    async fn a_request_has_stages_of_its_own() {
        let own = Stages::default();
        assert!(of_request("outside of one").is_none());
        REQUEST.scope(own.clone(), async { drop(of_request("inside")) }).await;
        assert_eq!(own.latest().map(|stage| stage.what).as_deref(), Some("inside"));
    }
}
