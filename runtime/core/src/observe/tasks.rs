//! The connectors and tasks that are this worker's, failed ones too, with what tasks count; and how often both started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::model::{ClassKind, Limits, TaskId};

use super::stat::now_ms;
use super::states::{StateTracker, TaskPhase};
use super::{Counter, ErrorCounts, GuestMeter, SinkTaskCounts, SourceTaskCounts, Stat};

/// What a task counts, by its kind.
#[derive(Clone, Debug)]
pub enum TaskCounts {
    /// A source task.
    Source(Arc<SourceTaskCounts>),
    /// A sink task.
    Sink(Arc<SinkTaskCounts>),
}

/// A class that takes part in a task, and its version where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the connector's configuration calls it.
    pub alias: String,
    /// The class.
    pub class: String,
    /// Its version; none where nothing is said of it.
    pub version: Option<String>,
}

/// What is known of a task once it is made.
#[derive(Clone, Debug)]
pub struct MadeTask {
    /// The kind of its connector.
    pub kind: ClassKind,
    /// The connector's class and version; a task's version is that of its connector.
    pub class: String,
    /// Their version.
    pub version: String,
    /// The task's class.
    pub task_class: String,
    /// Key, value and header converter, by what comes before `-class` in their attributes.
    pub converters: Vec<Part>,
    /// Its transformations.
    pub transforms: Vec<Part>,
    /// The predicates that guard them.
    pub predicates: Vec<Part>,
    /// What it counts.
    pub counts: TaskCounts,
    /// Whether it delivers exactly once, in transactions.
    pub exactly_once: bool,
    /// What it counts of records that fail.
    pub errors: Arc<ErrorCounts>,
    /// What its instances use.
    pub meter: Arc<GuestMeter>,
    /// The bounds on them.
    pub limits: Arc<Limits>,
}

/// A task that is this worker's.
#[derive(Debug, Default)]
pub struct ObservedTask {
    states: Mutex<StateTracker>,
    /// What it is made of; nothing in a task that could not be made.
    pub made: OnceLock<MadeTask>,
    /// How often it was started here before.
    pub restarts: u64,
}

impl ObservedTask {
    fn states(&self) -> MutexGuard<'_, StateTracker> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that it is in; none before it is in one.
    pub fn phase(&self) -> Option<TaskPhase> {
        self.states().now()
    }

    /// The shares of its time in which it ran and in which it was paused.
    pub fn shares(&self) -> (f64, f64) {
        self.states().shares(now_ms())
    }
}

/// How often something started, or did not.
#[derive(Debug, Default)]
pub struct Startups {
    /// Starts that succeeded.
    pub successes: Counter,
    /// Starts that failed.
    pub failures: Counter,
    /// One for each that succeeded, zero for one that failed.
    pub attempts: Stat,
}

impl Startups {
    fn new(sample: Duration) -> Startups {
        Startups { attempts: Stat::new(sample), ..Startups::default() }
    }

    /// A start succeeded or failed.
    pub fn attempted(&self, success: bool) {
        if success { &self.successes } else { &self.failures }.add(1);
        self.attempts.record(f64::from(u8::from(success)));
    }
}

/// Of so many tasks it is known how often they were started, those that moved away among them.
const STARTS_MOST: usize = 10_000;

/// The tasks of this worker.
#[derive(Debug, Default)]
pub struct Tasks {
    shown: Mutex<BTreeMap<TaskId, Arc<ObservedTask>>>,
    /// How often each was started here, those among them that are gone for now.
    starts: Mutex<BTreeMap<TaskId, u64>>,
    /// The connectors of this worker, with the state of each.
    connectors: Mutex<BTreeMap<String, &'static str>>,
    /// Starts of tasks.
    pub startups: Startups,
    /// Starts of connectors.
    pub connector_startups: Startups,
}

impl Tasks {
    /// None yet; startups are sampled in samples of this length.
    pub fn new(sample: Duration) -> Tasks {
        Tasks { startups: Startups::new(sample), connector_startups: Startups::new(sample), ..Tasks::default() }
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<TaskId, Arc<ObservedTask>>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starts(&self) -> MutexGuard<'_, BTreeMap<TaskId, u64>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a task that is started until the answer is dropped.
    pub fn show(self: &Arc<Self>, id: TaskId) -> Shown {
        let restarts = {
            let mut starts = self.starts();
            if starts.len() >= STARTS_MOST {
                let shown = self.shown();
                starts.retain(|id, _| shown.contains_key(id));
            }
            let starts = starts.entry(id.clone()).or_default();
            *starts += 1;
            *starts - 1
        };
        let task = Arc::new(ObservedTask { restarts, ..ObservedTask::default() });
        self.shown().insert(id.clone(), task.clone());
        Shown { tasks: self.clone(), id, task }
    }

    /// Forgets what was counted of a connector that is gone.
    pub fn forget(&self, connector: &str) {
        self.starts().retain(|id, _| id.connector != connector);
    }

    /// Shows a connector of this worker's in a state, or that it is this worker's no more.
    pub fn show_connector(&self, name: &str, state: Option<&'static str>) {
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            Some(state) => drop(connectors.insert(name.to_owned(), state)),
            None => drop(connectors.remove(name)),
        }
    }

    /// The connectors of this worker.
    pub fn connectors(&self) -> BTreeMap<String, &'static str> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<(TaskId, Arc<ObservedTask>)> {
        self.shown().iter().map(|(id, task)| (id.clone(), task.clone())).collect()
    }
}

/// A task that is shown.
#[derive(Debug)]
pub struct Shown {
    tasks: Arc<Tasks>,
    id: TaskId,
    /// The task.
    pub task: Arc<ObservedTask>,
}

impl Shown {
    /// Whom its states are told: the first time that it runs its start has succeeded, unless it failed before.
    pub fn told(&self) -> impl Fn(TaskPhase) + Send + Sync + use<> {
        let (tasks, task) = (self.tasks.clone(), self.task.clone());
        let attempted = OnceLock::new();
        move |phase| {
            task.states().change(phase, now_ms());
            let success = match phase {
                TaskPhase::Running => true,
                TaskPhase::Failed => false,
                TaskPhase::Paused | TaskPhase::Unassigned => return,
            };
            if attempted.set(()).is_ok() {
                tasks.startups.attempted(success);
            }
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut tasks = self.tasks.shown();
        // The next task of this id may be shown already.
        if tasks.get(&self.id).is_some_and(|task| Arc::ptr_eq(task, &self.task)) {
            tasks.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_succeeds_or_fails_once_whatever_comes_after() {
        let tasks = Arc::new(Tasks::default());
        let id = TaskId { connector: "c".into(), index: 0 };
        let counted = || (tasks.startups.successes.get(), tasks.startups.failures.get());
        for (phases, expected) in [
            (vec![TaskPhase::Running, TaskPhase::Paused, TaskPhase::Running, TaskPhase::Failed], (1, 0)),
            (vec![TaskPhase::Failed, TaskPhase::Failed], (1, 1)),
            (vec![TaskPhase::Paused, TaskPhase::Unassigned], (1, 1)),
            (vec![TaskPhase::Paused, TaskPhase::Running], (2, 1)),
        ] {
            let shown = tasks.show(id.clone());
            let told = shown.told();
            phases.iter().for_each(|phase| told(*phase));
            assert_eq!(counted(), expected, "{phases:?}");
            assert_eq!(shown.task.phase(), phases.last().copied());
        }
        assert_eq!(tasks.startups.attempts.shares().0, 2.0 / 3.0);
        assert_eq!((tasks.all().len(), tasks.show(id.clone()).task.restarts), (0, 4));
        tasks.forget("c");
        assert_eq!(tasks.show(id).task.restarts, 0);
    }
}
