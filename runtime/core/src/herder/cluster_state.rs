//! Pure. What the config topic says, record by record (KafkaConfigBackingStore): which connectors there are, what they
//! are meant to do, and which task sets are whole.

use std::collections::BTreeMap;

use crate::model::{Config, TaskId};
use crate::port::SessionKey;
use crate::store::{ConfigRecord, TargetState};

/// A connector as the config topic has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectorRecord {
    /// Its configuration.
    pub config: Config,
    /// Counts configurations, so that one that was written again starts the connector anew.
    pub generation: u64,
    /// What it is meant to do.
    pub target: TargetState,
    /// Its tasks; empty until a whole set is there.
    pub tasks: Vec<Config>,
    /// Which task set it is, counted over all connectors: one that was written again, or of a connector that was made anew, is
    /// known to be another.
    pub task_generation: u64,
    /// Whether its last task set was not whole: it has to be made again.
    pub inconsistent: bool,
    /// Whether older tasks may still write: none were fenced since its task set was stored.
    pub pending_fencing: bool,
    /// The configuration from which its task set was made.
    pub applied: Option<Config>,
}

/// What a record changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is a connector that was not there.
    Added(String),
    /// A connector's configuration was written again.
    Configured(String),
    /// A connector is gone.
    Removed(String),
    /// A connector has another task set.
    Tasks(String),
    /// A connector is meant to do something else.
    Target(String),
    /// A logger is to have another level on every worker.
    LoggerLevel {
        /// The logger.
        logger: String,
        /// Its level's name.
        level: String,
    },
    /// A connector is to be restarted.
    Restart {
        /// The connector.
        name: String,
        /// Its tasks too.
        include_tasks: bool,
        /// Only what has failed.
        only_failed: bool,
    },
}

/// All connectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterState {
    connectors: BTreeMap<String, ConnectorRecord>,
    /// Task configurations whose set is not committed.
    buffered: BTreeMap<TaskId, Config>,
    /// Target states of connectors that are not there: they may come before their connector.
    early_targets: BTreeMap<String, TargetState>,
    /// Task sets so far.
    task_sets: u64,
    /// How many tasks of each connector may write in transactions. They may go on when it is gone.
    fenced_tasks: BTreeMap<String, u32>,
    /// The key for requests between workers.
    session_key: Option<SessionKey>,
}

impl ClusterState {
    /// The connectors, by name.
    pub fn connectors(&self) -> &BTreeMap<String, ConnectorRecord> {
        &self.connectors
    }

    /// The key with which workers sign requests to each other; none until a leader has made one.
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_ref()
    }

    /// How many tasks of a connector, of whatever task set, may write in transactions; none if there never were any.
    pub fn fenced_tasks(&self, name: &str) -> Option<u32> {
        self.fenced_tasks.get(name).copied()
    }

    /// A connector.
    pub fn get(&self, name: &str) -> Option<&ConnectorRecord> {
        self.connectors.get(name)
    }

    /// Takes a record in and answers what it changed.
    pub fn apply(&mut self, record: ConfigRecord) -> Option<Change> {
        match record {
            ConfigRecord::Connector(name, Some(config)) => {
                let early = self.early_targets.remove(&name);
                let connector = self.connectors.entry(name.clone()).or_insert_with(|| ConnectorRecord {
                    target: early.unwrap_or_default(),
                    ..ConnectorRecord::default()
                });
                connector.config = config;
                connector.generation += 1;
                Some(if connector.generation == 1 { Change::Added(name) } else { Change::Configured(name) })
            }
            ConfigRecord::Connector(name, None) => {
                self.buffered.retain(|id, _| id.connector != name);
                self.connectors.remove(&name).map(|_| Change::Removed(name))
            }
            ConfigRecord::Task(id, config) => {
                self.buffered.insert(id, config);
                None
            }
            ConfigRecord::Commit(name, tasks) => self.commit(name, tasks),
            ConfigRecord::Target(name, state) => self.target(name, state),
            ConfigRecord::Fencing(name, tasks) => {
                if let Some(connector) = self.connectors.get_mut(&name) {
                    connector.pending_fencing = false;
                }
                self.fenced_tasks.insert(name, tasks);
                None
            }
            ConfigRecord::SessionKey(key) => {
                self.session_key = Some(key);
                None
            }
            ConfigRecord::LoggerLevel { logger, level } => Some(Change::LoggerLevel { logger, level }),
            ConfigRecord::Restart { name, include_tasks, only_failed } => {
                self.connectors.contains_key(&name).then_some(Change::Restart { name, include_tasks, only_failed })
            }
        }
    }

    fn commit(&mut self, name: String, tasks: u32) -> Option<Change> {
        let (mut mine, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.buffered).into_iter().partition(|(id, _)| id.connector == name);
        self.buffered = others;
        let connector = self.connectors.get_mut(&name)?;
        connector.pending_fencing = true;
        let had = mine.len();
        let whole: Option<Vec<Config>> =
            (0..tasks).map(|index| mine.remove(&TaskId { connector: name.clone(), index })).collect();
        match whole {
            Some(set) => {
                connector.tasks = set;
                if had > 0 || tasks == 0 {
                    self.task_sets += 1;
                    connector.task_generation = self.task_sets;
                }
                connector.inconsistent = false;
                connector.applied = Some(connector.config.clone());
            }
            None => {
                connector.tasks.clear();
                connector.inconsistent = true;
            }
        }
        Some(Change::Tasks(name))
    }

    fn target(&mut self, name: String, state: Option<TargetState>) -> Option<Change> {
        let Some(connector) = self.connectors.get_mut(&name) else {
            match state {
                Some(state) => self.early_targets.insert(name, state),
                None => self.early_targets.remove(&name),
            };
            return None;
        };
        let state = state.unwrap_or_default();
        if std::mem::replace(&mut connector.target, state) == state {
            return None;
        }
        Some(Change::Target(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: &str) -> Config {
        Config::from([("k".to_owned(), value.to_owned())])
    }

    fn connector(value: &str) -> ConfigRecord {
        ConfigRecord::Connector("c".into(), Some(config(value)))
    }

    fn task(index: u32, value: &str) -> ConfigRecord {
        ConfigRecord::Task(TaskId { connector: "c".into(), index }, config(value))
    }

    fn commit(tasks: u32) -> ConfigRecord {
        ConfigRecord::Commit("c".into(), tasks)
    }

    fn state_after(records: impl IntoIterator<Item = ConfigRecord>) -> ClusterState {
        let mut state = ClusterState::default();
        records.into_iter().for_each(|record| {
            state.apply(record);
        });
        state
    }

    #[test]
    fn tasks_hold_once_their_set_is_committed() {
        let mut state = state_after([connector("1"), task(0, "a"), task(1, "b")]);
        assert_eq!(state.get("c").unwrap().tasks, []);
        assert_eq!(state.apply(commit(2)), Some(Change::Tasks("c".into())));
        let there = state.get("c").unwrap();
        assert_eq!(there.tasks, [config("a"), config("b")]);
        assert_eq!(there.applied, Some(config("1")));
        assert_eq!((there.task_generation, there.inconsistent), (1, false));
    }

    #[test]
    fn a_half_written_set_is_inconsistent_until_it_is_made_again() {
        let mut state = state_after([connector("1"), task(0, "a"), task(1, "b"), commit(2), task(1, "c"), commit(2)]);
        assert!(state.get("c").unwrap().inconsistent);
        assert_eq!(state.get("c").unwrap().tasks, []);
        for record in [task(0, "d"), task(1, "e"), commit(2)] {
            state.apply(record);
        }
        assert_eq!(state.get("c").unwrap().tasks, [config("d"), config("e")]);
        assert!(!state.get("c").unwrap().inconsistent);
    }

    #[test]
    fn a_set_without_its_connector_is_dropped() {
        let mut state = state_after([task(0, "a")]);
        assert_eq!(state.apply(commit(1)), None);
        state.apply(connector("1"));
        assert_eq!(state.apply(commit(1)), Some(Change::Tasks("c".into())));
        assert!(state.get("c").unwrap().inconsistent, "its leftovers do not count");
    }

    #[test]
    fn a_target_state_may_come_before_its_connector_and_is_told_on_change_only() {
        let target = |state| ConfigRecord::Target("c".into(), state);
        let mut state = ClusterState::default();
        assert_eq!(state.apply(target(Some(TargetState::Paused))), None);
        assert_eq!(state.apply(connector("1")), Some(Change::Added("c".into())));
        assert_eq!(state.apply(connector("1")), Some(Change::Configured("c".into())));
        assert_eq!(state.get("c").unwrap().target, TargetState::Paused);
        assert_eq!(state.apply(target(Some(TargetState::Paused))), None);
        assert_eq!(state.apply(target(None)), Some(Change::Target("c".into())));
        assert_eq!(state.get("c").unwrap().target, TargetState::Started);
    }

    #[test]
    fn a_removed_connector_takes_its_tasks_with_it() {
        let mut state = state_after([connector("1"), task(0, "a"), commit(1), task(0, "b")]);
        assert_eq!(state.apply(ConfigRecord::Connector("c".into(), None)), Some(Change::Removed("c".into())));
        assert_eq!(state.apply(ConfigRecord::Connector("c".into(), None)), None);
        state.apply(connector("2"));
        assert_eq!(state.get("c").unwrap().tasks, []);
        assert_eq!(state.connectors(), state_after([connector("2")]).connectors());
        state.apply(commit(1));
        assert!(state.get("c").unwrap().inconsistent, "what was buffered is gone with it");
        [task(0, "c"), commit(1)].into_iter().for_each(|record| drop(state.apply(record)));
        assert_eq!(
            state.get("c").unwrap().task_generation,
            2,
            "it is another set than the one before it was made anew"
        );
    }

    #[test]
    fn a_task_set_is_to_be_fenced_until_that_is_noted_and_the_count_outlives_its_connector() {
        let fencing = |tasks| ConfigRecord::Fencing("c".into(), tasks);
        let mut state = state_after([connector("1"), task(0, "a"), commit(1)]);
        assert_eq!((state.get("c").unwrap().pending_fencing, state.fenced_tasks("c")), (true, None));
        assert_eq!(state.apply(fencing(1)), None);
        assert_eq!((state.get("c").unwrap().pending_fencing, state.fenced_tasks("c")), (false, Some(1)));
        state.apply(commit(0));
        assert!(state.get("c").unwrap().pending_fencing);
        state.apply(ConfigRecord::Connector("c".into(), None));
        state.apply(fencing(2));
        assert_eq!(state.fenced_tasks("c"), Some(2));
        state.apply(connector("2"));
        assert!(!state.get("c").unwrap().pending_fencing, "it has no tasks yet");
    }

    #[test]
    fn any_order_of_any_records_is_taken_in() {
        let records = [
            connector("1"),
            ConfigRecord::Connector("c".into(), None),
            task(0, "a"),
            task(7, "b"),
            commit(0),
            commit(1),
            commit(u32::MAX),
            ConfigRecord::Target("c".into(), None),
            ConfigRecord::Restart { name: "c".into(), include_tasks: true, only_failed: true },
            ConfigRecord::Fencing("c".into(), u32::MAX),
        ];
        for a in &records {
            for b in &records {
                for c in &records {
                    for d in &records {
                        state_after([a, b, c, d].map(Clone::clone));
                    }
                }
            }
        }
    }
}
