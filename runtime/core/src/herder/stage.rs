//! What a worker is at, for whoever waits for it in vain (Connect's Stage).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::store::{ConfigRecord, TargetState};

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

#[derive(Debug, Default)]
struct Content {
    /// Those that are not completed, the latest last.
    current: Vec<(u64, Stage)>,
    entered: u64,
    /// The one that was completed last.
    last: Option<Stage>,
}

/// The stages that somebody is at.
#[derive(Clone, Debug, Default)]
pub struct Stages(Arc<Mutex<Content>>);

/// A stage that is completed when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Entered {
    stages: Stages,
    number: u64,
}

tokio::task_local! {
    /// The stages of the request that a task carries out.
    pub static REQUEST: Stages;
}

/// Enters a stage of the request that is carried out, if one is.
pub fn of_request(what: &str) -> Option<Entered> {
    REQUEST.try_with(|stages| stages.enter(what)).ok()
}

/// What writing these records is called, in Connect's words where it has some (DistributedHerder's TickThreadStages).
pub(super) fn writing(records: &[ConfigRecord]) -> String {
    match telling(records) {
        Some(ConfigRecord::Connector(name, Some(_))) => {
            format!("writing a config for connector {name} to the config topic")
        }
        Some(ConfigRecord::Connector(name, None)) => {
            format!("removing the config for connector {name} from the config topic")
        }
        Some(ConfigRecord::Commit(name, tasks)) => {
            format!("writing {tasks} task configs for connector {name} to the config topic")
        }
        Some(ConfigRecord::Target(name, target)) => {
            let target = target.map_or("last", TargetState::name);
            format!("writing the {target} target stage for connector {name} to the config topic")
        }
        Some(ConfigRecord::Restart { name, .. }) => {
            format!("writing restart request for connector {name} to the config topic")
        }
        Some(ConfigRecord::Fencing(name, _)) => {
            format!("writing a task count record for connector {name} to the config topic")
        }
        Some(ConfigRecord::SessionKey(_)) => "writing a new session key to the config topic".to_owned(),
        Some(ConfigRecord::LoggerLevel { logger, .. }) => {
            format!("writing a level for logger {logger} to the config topic")
        }
        Some(ConfigRecord::Task(..)) | None => "writing to the config topic".to_owned(),
    }
}

/// The record that says what writing these is for.
fn telling(records: &[ConfigRecord]) -> Option<&ConfigRecord> {
    // The end of a task set says more than its tasks, and what they follow from more than that.
    records.iter().min_by_key(|record| match record {
        ConfigRecord::Connector(..) => 0,
        ConfigRecord::Target(..) => 1,
        ConfigRecord::Task(..) => 3,
        ConfigRecord::Commit(..)
        | ConfigRecord::Restart { .. }
        | ConfigRecord::Fencing(..)
        | ConfigRecord::SessionKey(_)
        | ConfigRecord::LoggerLevel { .. } => 2,
    })
}

/// What is said when these records could not be written (KafkaConfigBackingStore).
pub(super) fn not_written(records: &[ConfigRecord], alone: bool) -> String {
    let (what, place) = match telling(records) {
        Some(ConfigRecord::Connector(_, Some(_))) => ("writing connector configuration", "to"),
        Some(ConfigRecord::Connector(_, None)) => ("removing connector configuration", "from"),
        Some(ConfigRecord::Target(..)) => ("writing target state", "to"),
        Some(ConfigRecord::Task(..) | ConfigRecord::Commit(..)) => ("writing task configurations", "to"),
        Some(ConfigRecord::Restart { .. }) => ("writing restart request", "to"),
        Some(ConfigRecord::Fencing(..)) => ("writing task count record", "to"),
        Some(ConfigRecord::SessionKey(_)) => ("writing session key", "to"),
        Some(ConfigRecord::LoggerLevel { .. }) => ("writing logger level", "to"),
        None => ("writing nothing", "to"),
    };
    format!("Error {what} {place} {}", if alone { "the worker's store" } else { "Kafka" })
}

impl Stages {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a stage.
    pub fn enter(&self, what: &str) -> Entered {
        let stage = Stage { what: what.to_owned(), began: SystemTime::now(), completed: None };
        let mut content = self.lock();
        content.entered += 1;
        let number = content.entered;
        content.current.push((number, stage));
        Entered { stages: self.clone(), number }
    }

    /// The stage that began last of those that are not completed, else the one that was completed last, if there was one.
    pub fn latest(&self) -> Option<Stage> {
        let content = self.lock();
        content.current.last().map(|(_, stage)| stage).or(content.last.as_ref()).cloned()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut content = self.stages.lock();
        if let Some(at) = content.current.iter().position(|(number, _)| *number == self.number) {
            let (_, stage) = content.current.remove(at);
            content.last = Some(Stage { completed: Some(SystemTime::now()), ..stage });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Config, TaskId};

    use super::*;

    #[test]
    fn a_stage_is_current_until_it_is_left_and_then_the_last() {
        let stages = Stages::default();
        let latest = || stages.latest().map(|stage| (stage.what, stage.completed.is_some()));
        assert_eq!(latest(), None);
        let outer = stages.enter("restarting");
        let inner = stages.enter("writing");
        assert_eq!(latest(), Some(("writing".into(), false)));
        drop(inner);
        assert_eq!(latest(), Some(("restarting".into(), false)), "what is under way says more than what is over");
        drop(outer);
        assert_eq!(latest(), Some(("restarting".into(), true)));
    }

    #[test]
    fn writing_is_called_by_what_is_written() {
        let config = || ConfigRecord::Connector("a".into(), Some(Config::new()));
        let target = |target| ConfigRecord::Target("a".into(), target);
        let said = |records: &[ConfigRecord]| writing(records).replace(" to the config topic", "");
        assert_eq!(said(&[target(Some(TargetState::Paused)), config()]), "writing a config for connector a");
        let gone = [ConfigRecord::Connector("a".into(), None), target(None)];
        assert_eq!(said(&gone), "removing the config for connector a from the config topic");
        let task = ConfigRecord::Task(TaskId { connector: "a".into(), index: 0 }, Config::new());
        assert_eq!(said(&[task, ConfigRecord::Commit("a".into(), 1)]), "writing 1 task configs for connector a");
        let stops = [ConfigRecord::Commit("a".into(), 0), target(Some(TargetState::Stopped))];
        assert_eq!(said(&stops), "writing the STOPPED target stage for connector a");
        let restart = ConfigRecord::Restart { name: "a".into(), include_tasks: true, only_failed: false };
        assert_eq!(said(&[restart]), "writing restart request for connector a");
        assert_eq!(said(&[]), "writing");
    }

    #[tokio::test]
    async fn a_request_has_stages_of_its_own() {
        let own = Stages::default();
        assert!(of_request("outside of one").is_none());
        REQUEST.scope(own.clone(), async { drop(of_request("inside")) }).await;
        assert_eq!(own.latest().map(|stage| stage.what).as_deref(), Some("inside"));
    }
}
