//! Pure. What has to happen so that what runs is what is wanted: cluster state against running set, action by action.
//! Knows nothing of how a connector or task is started.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{TaskId, Work};
use crate::store::TargetState;
use crate::task::Command;

use super::cluster_state::{ClusterState, ConnectorRecord};

/// Where a connector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorSlot {
    /// Its instance was started; what became of it is not known yet.
    Starting(u64),
    /// It runs, from the configuration of this generation.
    Running(u64),
    /// It has failed, with the configuration of this generation.
    Failed(u64),
    /// It is being stopped.
    Stopping,
    /// It is paused or stopped and has no instance.
    Resting(TargetState),
}

/// Where a task is. One that has failed is live until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSlot {
    /// It was started.
    Live {
        /// The task set it is of.
        generation: u64,
        /// Whether it was told to pause.
        paused: bool,
    },
    /// It is being stopped.
    Stopping,
}

/// What this worker runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// The connectors.
    pub connectors: BTreeMap<String, ConnectorSlot>,
    /// The tasks.
    pub tasks: BTreeMap<TaskId, TaskSlot>,
    /// Connectors that must not be started yet.
    pub held: BTreeSet<String>,
}

/// A generation that no configuration has: what is of it is started anew.
const NONE: u64 = u64::MAX;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a connector's instance.
    StartConnector(String),
    /// Stop a connector's instance.
    StopConnector(String),
    /// Say that a connector rests, paused or stopped.
    Rest(String, TargetState),
    /// Forget a connector that is gone.
    Forget(String),
    /// Start a task.
    StartTask(TaskId),
    /// Stop a task.
    StopTask(TaskId),
    /// Tell a task to pause or to go on.
    Tell(TaskId, Command),
}

impl Running {
    /// Notes that a connector and tasks of it have to be stopped and started, whatever they run.
    pub fn restart(&mut self, name: &str, connector: bool, tasks: &[TaskId]) {
        if connector && let Some(slot) = self.connectors.get_mut(name) {
            match slot {
                ConnectorSlot::Starting(generation) | ConnectorSlot::Running(generation) => *generation = NONE,
                ConnectorSlot::Failed(generation) => *generation = NONE,
                // What is on its way out or rests is made anew when it is wanted again.
                ConnectorSlot::Stopping | ConnectorSlot::Resting(_) => {}
            }
        }
        for id in tasks {
            if let Some(TaskSlot::Live { generation, .. }) = self.tasks.get_mut(id) {
                *generation = NONE;
            }
        }
    }

    /// Whether nothing of a connector is on its way from one state into another.
    pub fn settled(&self, name: &str) -> bool {
        let connector = match self.connectors.get(name) {
            Some(ConnectorSlot::Starting(_) | ConnectorSlot::Stopping) => false,
            Some(ConnectorSlot::Running(_) | ConnectorSlot::Failed(_) | ConnectorSlot::Resting(_)) | None => true,
        };
        connector && !self.of(name).any(|(_, slot)| *slot == TaskSlot::Stopping)
    }

    /// Whether all that runs or is being stopped is of this work.
    pub fn holds_only(&self, work: &Work) -> bool {
        let rests = |slot: &ConnectorSlot| matches!(slot, ConnectorSlot::Resting(_));
        self.connectors.iter().all(|(name, slot)| rests(slot) || work.connectors.contains(name))
            && self.tasks.keys().all(|id| work.tasks.contains(id))
    }

    /// A connector's tasks.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a TaskId, &'a TaskSlot)> {
        let first = TaskId { connector: name.to_owned(), index: 0 };
        self.tasks.range(first..).take_while(move |(id, _)| id.connector == name)
    }
}

/// What has to happen here, where only `mine` is to run; everything when there is none.
pub fn plan(state: &ClusterState, running: &Running, mine: Option<&Work>) -> Vec<Action> {
    let free = |name: &String| state.get(name).filter(|_| !running.held.contains(name));
    let wanted = |name: &String| free(name).filter(|_| mine.is_none_or(|mine| mine.connectors.contains(name)));
    let is_mine = |id: &TaskId| mine.is_none_or(|mine| mine.tasks.contains(id));
    let names: BTreeSet<&String> = state.connectors().keys().chain(running.connectors.keys()).collect();
    let mut actions: Vec<Action> = names
        .into_iter()
        .filter_map(|name| for_connector(name, wanted(name), running.connectors.get(name).copied()))
        .collect();
    for (id, slot) in &running.tasks {
        actions.extend(for_task(id, free(&id.connector).filter(|_| is_mine(id)), *slot));
    }
    for (name, connector) in state.connectors() {
        if free(name).is_some() && connector.target != TargetState::Stopped {
            let ids = (0..connector.tasks.len()).map(|index| TaskId { connector: name.clone(), index: index as u32 });
            actions.extend(ids.filter(|id| is_mine(id) && !running.tasks.contains_key(id)).map(Action::StartTask));
        }
    }
    actions
}

fn for_connector(name: &str, wanted: Option<&ConnectorRecord>, slot: Option<ConnectorSlot>) -> Option<Action> {
    use ConnectorSlot::{Failed, Resting, Running, Starting, Stopping};
    let name = name.to_owned();
    match (wanted.map(|wanted| (wanted.target, wanted.generation)), slot) {
        (_, Some(Stopping)) | (None, None) => None,
        (None, Some(Resting(_))) => Some(Action::Forget(name)),
        (None, Some(Starting(_) | Running(_) | Failed(_))) => Some(Action::StopConnector(name)),
        (Some((TargetState::Started, _)), None | Some(Resting(_))) => Some(Action::StartConnector(name)),
        (Some((target, _)), None) => Some(Action::Rest(name, target)),
        (Some((target, _)), Some(Resting(shown))) => (target != shown).then_some(Action::Rest(name, target)),
        (Some((TargetState::Started, wanted)), Some(Starting(has) | Running(has) | Failed(has))) => {
            (wanted != has).then_some(Action::StopConnector(name))
        }
        // Pausing does not heal what has failed; another configuration or a restart may.
        (Some((TargetState::Paused, wanted)), Some(Failed(has))) => {
            (wanted != has).then_some(Action::StopConnector(name))
        }
        (Some((TargetState::Paused | TargetState::Stopped, _)), Some(Starting(_) | Running(_) | Failed(_))) => {
            Some(Action::StopConnector(name))
        }
    }
}

fn for_task(id: &TaskId, wanted: Option<&ConnectorRecord>, slot: TaskSlot) -> Option<Action> {
    let TaskSlot::Live { generation, paused } = slot else { return None };
    let wanted = wanted.filter(|wanted| {
        wanted.target != TargetState::Stopped
            && wanted.task_generation == generation
            && (id.index as usize) < wanted.tasks.len()
    });
    let Some(wanted) = wanted else { return Some(Action::StopTask(id.clone())) };
    match (wanted.target == TargetState::Paused, paused) {
        (true, false) => Some(Action::Tell(id.clone(), Command::Pause)),
        (false, true) => Some(Action::Tell(id.clone(), Command::Resume)),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;
    use crate::store::ConfigRecord;

    /// A worker that does at once what it is told, except for stops and starts, which end when the test says.
    #[derive(Clone, Default)]
    struct Worker {
        state: ClusterState,
        running: Running,
    }

    impl Worker {
        fn carry_out(&mut self) {
            for round in 0.. {
                assert!(round < 20, "the plan does not come to rest: {:?}", self.running);
                let actions = plan(&self.state, &self.running, None);
                if actions.is_empty() {
                    return;
                }
                for action in actions {
                    self.act(action);
                }
            }
        }

        fn act(&mut self, action: Action) {
            let Running { connectors, tasks, .. } = &mut self.running;
            match action {
                Action::StartConnector(name) => {
                    let generation = self.state.get(&name).unwrap().generation;
                    let before = connectors.insert(name, ConnectorSlot::Starting(generation));
                    assert!(matches!(before, None | Some(ConnectorSlot::Resting(_))), "started over {before:?}");
                }
                Action::StopConnector(name) => drop(connectors.insert(name, ConnectorSlot::Stopping)),
                Action::Rest(name, target) => drop(connectors.insert(name, ConnectorSlot::Resting(target))),
                Action::Forget(name) => drop(connectors.remove(&name)),
                Action::StartTask(id) => {
                    let connector = self.state.get(&id.connector).unwrap();
                    let (generation, paused) = (connector.task_generation, connector.target == TargetState::Paused);
                    let before = tasks.insert(id, TaskSlot::Live { generation, paused });
                    assert_eq!(before, None, "two of one task");
                }
                Action::StopTask(id) => drop(tasks.insert(id, TaskSlot::Stopping)),
                Action::Tell(id, command) => {
                    let Some(TaskSlot::Live { paused, .. }) = tasks.get_mut(&id) else { panic!("told nobody") };
                    *paused = command == Command::Pause;
                }
            }
        }

        /// What was on its way has arrived.
        fn arrive(&mut self, fails: bool) {
            self.running.tasks.retain(|_, slot| *slot != TaskSlot::Stopping);
            self.running.connectors.retain(|_, slot| *slot != ConnectorSlot::Stopping);
            for slot in self.running.connectors.values_mut() {
                if let ConnectorSlot::Starting(generation) = *slot {
                    *slot = if fails { ConnectorSlot::Failed(generation) } else { ConnectorSlot::Running(generation) };
                }
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Happening {
        Configure,
        Remove,
        Tasks(u32),
        Target(TargetState),
        Restart,
        Arrive { fails: bool },
    }

    fn happen(worker: &mut Worker, happening: Happening) {
        let name = || "c".to_owned();
        let mut write = |record| drop(worker.state.apply(record));
        match happening {
            Happening::Configure => write(ConfigRecord::Connector(name(), Some(Config::new()))),
            Happening::Remove => write(ConfigRecord::Connector(name(), None)),
            Happening::Tasks(count) => {
                for index in 0..count {
                    write(ConfigRecord::Task(TaskId { connector: name(), index }, Config::new()));
                }
                write(ConfigRecord::Commit(name(), count));
            }
            Happening::Target(target) => write(ConfigRecord::Target(name(), Some(target))),
            Happening::Restart => {
                let ids: Vec<TaskId> = worker.running.tasks.keys().cloned().collect();
                worker.running.restart("c", true, &ids);
            }
            Happening::Arrive { fails } => worker.arrive(fails),
        }
        worker.carry_out();
    }

    const HAPPENINGS: [Happening; 10] = [
        Happening::Configure,
        Happening::Remove,
        Happening::Tasks(0),
        Happening::Tasks(2),
        Happening::Target(TargetState::Started),
        Happening::Target(TargetState::Paused),
        Happening::Target(TargetState::Stopped),
        Happening::Restart,
        Happening::Arrive { fails: false },
        Happening::Arrive { fails: true },
    ];

    #[test]
    fn after_any_sequence_what_runs_is_what_is_wanted_once_all_has_arrived() {
        fn go(worker: &Worker, trace: &mut Vec<Happening>, rest: usize) {
            check(worker.clone(), trace);
            if rest > 0 {
                for happening in HAPPENINGS {
                    let mut next = worker.clone();
                    happen(&mut next, happening);
                    trace.push(happening);
                    go(&next, trace, rest - 1);
                    trace.pop();
                }
            }
        }
        go(&Worker::default(), &mut Vec::new(), 5);
    }

    fn check(mut worker: Worker, trace: &[Happening]) {
        for _ in 0..3 {
            happen(&mut worker, Happening::Arrive { fails: false });
        }
        assert!(worker.running.settled("c"), "{trace:?}");
        let slot = worker.running.connectors.get("c").copied();
        let tasks = worker.running.of("c").count();
        let Some(wanted) = worker.state.get("c") else {
            assert_eq!((slot, tasks), (None, 0), "{trace:?}: something of a removed connector is left");
            return;
        };
        let live = |paused| TaskSlot::Live { generation: wanted.task_generation, paused };
        match (wanted.target, slot) {
            (TargetState::Started, Some(ConnectorSlot::Running(has) | ConnectorSlot::Failed(has))) => {
                assert_eq!(has, wanted.generation, "{trace:?}");
                assert!(worker.running.of("c").all(|(_, slot)| *slot == live(false)), "{trace:?}");
            }
            (TargetState::Paused, Some(ConnectorSlot::Resting(TargetState::Paused) | ConnectorSlot::Failed(_))) => {
                assert!(worker.running.of("c").all(|(_, slot)| *slot == live(true)), "{trace:?}");
            }
            (TargetState::Stopped, Some(ConnectorSlot::Resting(TargetState::Stopped))) => {
                assert_eq!(tasks, 0, "{trace:?}");
                return;
            }
            other => panic!("{trace:?}: {other:?}"),
        }
        assert_eq!(tasks, wanted.tasks.len(), "{trace:?}");
    }

    #[test]
    fn what_is_held_is_not_started_and_what_it_runs_is_stopped() {
        let mut worker = Worker::default();
        happen(&mut worker, Happening::Configure);
        happen(&mut worker, Happening::Tasks(2));
        let held = Running { held: ["c".to_owned()].into(), ..Running::default() };
        assert_eq!(plan(&worker.state, &held, None), []);
    }

    #[test]
    fn an_unchanged_task_set_goes_on_when_only_its_connector_is_configured_anew() {
        let mut worker = Worker::default();
        for happening in [Happening::Configure, Happening::Tasks(1), Happening::Arrive { fails: false }] {
            happen(&mut worker, happening);
        }
        worker.state.apply(ConfigRecord::Connector("c".into(), Some(Config::new())));
        assert_eq!(plan(&worker.state, &worker.running, None), [Action::StopConnector("c".into())]);
    }
}
