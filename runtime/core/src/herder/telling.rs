//! What connectors and tasks say of themselves, as it may be said to others, and with what follows a failure.

use std::sync::Arc;

use crate::model::{Config, TaskId};
use crate::port::Secrets;
use crate::task::{TaskFailure, TaskState};
use crate::worker::{ConnectorEvent, SharedStatuses, Statuses};

use super::auto_restart::AutoRestart;
use super::held::Owner;

/// Stands between what was made out of a configuration and whoever is told of it.
pub(super) struct Telling {
    pub secrets: Secrets,
    pub auto_restart: AutoRestart,
    /// The connector's configuration, as it was given.
    pub config: Config,
    pub statuses: SharedStatuses,
}

impl Telling {
    fn failed(&self, owner: &Owner, TaskFailure { trace }: TaskFailure) -> TaskFailure {
        self.auto_restart.failed(owner, &self.config, TaskFailure { trace: self.secrets.hide(trace) })
    }

    /// What a connector tells.
    pub fn of_connector(&self, name: &str, event: ConnectorEvent) -> ConnectorEvent {
        let owner = Owner::Connector(name.to_owned());
        match event {
            ConnectorEvent::Failed(failure) => ConnectorEvent::Failed(self.failed(&owner, failure)),
            tasks @ ConnectorEvent::Tasks(_) => {
                self.auto_restart.runs(&owner);
                tasks
            }
        }
    }
}

impl Statuses for Telling {
    fn task(&self, id: &TaskId, state: TaskState, version: Option<&str>) {
        let owner = Owner::Task(id.clone());
        let state = match state {
            TaskState::Failed(failure) => TaskState::Failed(self.failed(&owner, failure)),
            TaskState::Running => {
                self.auto_restart.runs(&owner);
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

impl super::builder::Builder {
    /// What is made out of this configuration tells others through this.
    pub(super) fn telling(&self, config: &Config) -> Arc<Telling> {
        Arc::new(Telling {
            secrets: self.secrets.clone(),
            auto_restart: self.auto_restart.clone(),
            config: config.clone(),
            statuses: self.statuses.clone(),
        })
    }
}
