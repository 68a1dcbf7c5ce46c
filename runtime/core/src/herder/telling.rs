//! What connectors and tasks say of themselves, as it may be said to others, and with what follows a failure.

use std::sync::{Arc, OnceLock};

use crate::model::{Config, TaskId};
use crate::settings::Hidden;
use crate::task::{TaskFailure, TaskState};
use crate::worker::{ConnectorEvent, SharedStatuses, Statuses};

use super::auto_restart::AutoRestart;
use super::builder::Builder;
use super::runnable::Runnable;
use super::tries::tries_allowed;
use super::variables::LookedUp;

/// Stands between what was made out of a configuration and whoever is told of it.
pub(super) struct Telling {
    auto_restart: AutoRestart,
    /// How many tries its configuration allows as it was given.
    tries: Option<u32>,
    /// What its variables stand for, and how many tries it allows, once they were looked up.
    looked_up: OnceLock<(Hidden, Option<u32>)>,
    statuses: SharedStatuses,
}

impl Telling {
    /// Notes what was made out of the configuration.
    pub fn looked_up(&self, found: &LookedUp) {
        let noted = (Hidden::new(&found.values), tries_allowed(&found.settings.config));
        let _ = self.looked_up.set(noted); // once for each instance
    }

    fn failed(&self, what: &Runnable, TaskFailure { trace }: TaskFailure) -> TaskFailure {
        let (trace, most) = match self.looked_up.get() {
            Some((hidden, most)) => (hidden.hide(trace), *most),
            None => (trace, self.tries),
        };
        self.auto_restart.failed(what, most, TaskFailure { trace })
    }

    /// What a connector tells.
    pub fn of_connector(&self, name: &str, event: ConnectorEvent) -> ConnectorEvent {
        let what = Runnable::Connector(name.to_owned());
        match event {
            ConnectorEvent::Failed(failure) => ConnectorEvent::Failed(self.failed(&what, failure)),
            tasks @ ConnectorEvent::Tasks(_) => {
                self.auto_restart.runs(&what);
                tasks
            }
        }
    }
}

impl Statuses for Telling {
    fn task(&self, id: &TaskId, state: TaskState, version: Option<&str>) {
        let what = Runnable::Task(id.clone());
        let state = match state {
            TaskState::Failed(failure) => TaskState::Failed(self.failed(&what, failure)),
            TaskState::Running => {
                self.auto_restart.runs(&what);
                TaskState::Running
            }
            state => state,
        };
        self.statuses.task(id, state, version);
    }

    fn topic(&self, id: &TaskId, topic: &str) {
        self.statuses.topic(id, topic);
    }
}

impl Builder {
    /// What is made out of this configuration tells others through this.
    pub(super) fn telling(&self, config: &Config) -> Arc<Telling> {
        Arc::new(Telling {
            auto_restart: self.auto_restart.clone(),
            tries: tries_allowed(config),
            looked_up: OnceLock::new(),
            statuses: self.statuses.clone(),
        })
    }
}
