//! Pure. What a task may do when, and which of its states are told to others. Knows nothing of guests or brokers.

use super::{Command, TaskFailure};
use crate::model::Fault;

/// A state as statuses show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It has failed.
    Failed(TaskFailure),
    /// It was stopped; nobody runs it.
    Unassigned,
}

/// What happens to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to begin, paused or not.
    Begin {
        /// Whether the connector's target state is paused.
        paused: bool,
    },
    /// The guest has started.
    Started,
    /// The connector is paused.
    Pause,
    /// The connector is resumed.
    Resume,
    /// It is to stop.
    Stop,
    /// Something ended it.
    Failed(TaskFailure),
    /// Everything is committed and closed.
    Finished,
    /// The time to stop gracefully has passed.
    GraceOver,
}

impl Event {
    /// What the owner told; none when there is no owner left.
    pub fn told(command: Option<Command>) -> Event {
        match command {
            Some(Command::Pause) => Event::Pause,
            Some(Command::Resume) => Event::Resume,
            // Nobody is left to tell it anything: it cannot be wanted.
            None => Event::Stop,
        }
    }

    /// What a guest's fault means. A call that was given up at the end of grace is no failure: another worker may own
    /// the task by now, and the end of this one is silent.
    pub fn of_fault(fault: &Fault, failure: impl FnOnce() -> TaskFailure) -> Event {
        match fault {
            Fault::Abandoned(_) => Event::Stop,
            _ => Event::Failed(failure()), // every other fault is the guest's
        }
    }
}

/// What has to be done about it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the guest.
    StartGuest,
    /// Tell others.
    Report(TaskState),
    /// Poll or deliver no more until told otherwise.
    Hold,
    /// Poll or deliver.
    Work,
    /// Commit what may be committed, stop the guest if it was started, close.
    FinishUp,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed(TaskFailure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Created,
    /// Paused before the guest was started, which waits for the resume.
    Waiting,
    Starting {
        pause: bool,
    },
    Running,
    Paused,
    Stopping(Exit),
    Ended(Exit),
    Abandoned,
}

/// One task's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    phase: Phase,
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle { phase: Phase::Created }
    }
}

impl Lifecycle {
    /// Takes an event in and answers what to do.
    pub fn on(&mut self, event: Event) -> Vec<Effect> {
        let (phase, effects) = step(self.phase.clone(), event);
        self.phase = phase;
        effects
    }

    /// How it ended; none while it has not.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.phase {
            Phase::Ended(exit) => Some(exit),
            _ => None,
        }
    }

    /// Whether something ended it.
    pub fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Stopping(Exit::Failed(_)) | Phase::Ended(Exit::Failed(_)))
    }

    /// Whether it polls or delivers.
    pub fn works(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_) | Phase::Abandoned)
    }
}

fn step(phase: Phase, event: Event) -> (Phase, Vec<Effect>) {
    use Effect::{FinishUp, Hold, Report, StartGuest, Work};
    match (phase, event) {
        (Phase::Created, Event::Begin { paused: false }) => (Phase::Starting { pause: false }, vec![StartGuest]),
        (Phase::Created, Event::Begin { paused: true }) => (Phase::Waiting, vec![Report(TaskState::Paused)]),
        (Phase::Waiting, Event::Resume) => (Phase::Starting { pause: false }, vec![StartGuest]),
        (Phase::Starting { .. }, Event::Pause) => (Phase::Starting { pause: true }, vec![]),
        (Phase::Starting { .. }, Event::Resume) => (Phase::Starting { pause: false }, vec![]),
        (Phase::Starting { pause: false }, Event::Started) => (Phase::Running, vec![Report(TaskState::Running), Work]),
        (Phase::Starting { pause: true }, Event::Started) => (Phase::Paused, vec![Hold, Report(TaskState::Paused)]),
        (Phase::Running, Event::Pause) => (Phase::Paused, vec![Hold, Report(TaskState::Paused)]),
        (Phase::Paused, Event::Resume) => (Phase::Running, vec![Report(TaskState::Running), Work]),
        // An end that is under way is neither hurried nor changed by what comes after its reason.
        (phase @ (Phase::Stopping(_) | Phase::Ended(_) | Phase::Abandoned), Event::Stop | Event::Failed(_)) => {
            (phase, vec![])
        }
        (_, Event::Stop) => (Phase::Stopping(Exit::Stopped), vec![FinishUp]),
        (_, Event::Failed(failure)) => {
            (Phase::Stopping(Exit::Failed(failure.clone())), vec![Report(TaskState::Failed(failure)), FinishUp])
        }
        (Phase::Stopping(Exit::Stopped), Event::Finished) => {
            (Phase::Ended(Exit::Stopped), vec![Report(TaskState::Unassigned)])
        }
        (Phase::Stopping(exit), Event::Finished) => (Phase::Ended(exit), vec![]),
        // Silent: another worker may own the task by now.
        (Phase::Stopping(_), Event::GraceOver) => (Phase::Abandoned, vec![]),
        (phase, _) => (phase, vec![]), // a request for the state it is in, or one that came too late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        vec![
            Event::Begin { paused: false },
            Event::Begin { paused: true },
            Event::Started,
            Event::Pause,
            Event::Resume,
            Event::Stop,
            Event::Failed(TaskFailure { trace: "x".into() }),
            Event::Finished,
            Event::GraceOver,
        ]
    }

    fn every_sequence(length: usize, visit: &mut impl FnMut(&[Event])) {
        fn go(rest: usize, so_far: &mut Vec<Event>, visit: &mut impl FnMut(&[Event])) {
            visit(so_far);
            if rest == 0 {
                return;
            }
            for event in events() {
                so_far.push(event);
                go(rest - 1, so_far, visit);
                so_far.pop();
            }
        }
        go(length, &mut vec![], visit);
    }

    #[test]
    fn no_sequence_of_events_breaks_the_promises() {
        every_sequence(6, &mut |sequence| {
            let mut life = Lifecycle::default();
            let (mut started, mut finishing, mut over) = (0, 0, false);
            for event in sequence {
                let works_before = life.works();
                let effects = life.on(event.clone());
                assert!(!over || effects.is_empty(), "{sequence:?}: something happens after the end");
                for effect in &effects {
                    match effect {
                        Effect::StartGuest => started += 1,
                        Effect::FinishUp => finishing += 1,
                        Effect::Report(TaskState::Running) => assert!(life.works(), "{sequence:?}"),
                        Effect::Report(TaskState::Unassigned) => assert_eq!(life.exit(), Some(&Exit::Stopped)),
                        _ => {}
                    }
                }
                assert!(life.works() || !works_before || !effects.is_empty(), "{sequence:?}: it stops silently");
                over = life.is_over();
            }
            assert!(started <= 1, "{sequence:?}: the guest is started twice");
            assert!(finishing <= 1, "{sequence:?}: it finishes twice");
        });
    }

    #[test]
    fn a_failure_is_told_at_once_and_stays_what_the_task_ended_with() {
        let failure = TaskFailure { trace: "x".into() };
        let mut life = Lifecycle::default();
        life.on(Event::Begin { paused: false });
        life.on(Event::Started);
        let effects = life.on(Event::Failed(failure.clone()));
        assert_eq!(effects, [Effect::Report(TaskState::Failed(failure.clone())), Effect::FinishUp]);
        assert_eq!(life.on(Event::Stop), []);
        assert_eq!(life.on(Event::Finished), []);
        assert_eq!(life.exit(), Some(&Exit::Failed(failure)));
    }

    #[test]
    fn a_failure_while_stopping_ends_unassigned() {
        let mut life = Lifecycle::default();
        life.on(Event::Begin { paused: false });
        life.on(Event::Stop);
        assert_eq!(life.on(Event::Failed(TaskFailure { trace: "late".into() })), []);
        assert_eq!(life.on(Event::Finished), [Effect::Report(TaskState::Unassigned)]);
    }

    #[test]
    fn the_abandoned_are_silent() {
        let mut life = Lifecycle::default();
        life.on(Event::Begin { paused: false });
        life.on(Event::Stop);
        assert_eq!(life.on(Event::GraceOver), []);
        assert!(life.is_over());
        assert_eq!(life.on(Event::Finished), []);
    }

    #[test]
    fn a_task_of_a_paused_connector_starts_its_guest_on_resume() {
        let mut life = Lifecycle::default();
        assert_eq!(life.on(Event::Begin { paused: true }), [Effect::Report(TaskState::Paused)]);
        assert_eq!(life.on(Event::Resume), [Effect::StartGuest]);
        assert_eq!(life.on(Event::Pause), []);
        assert_eq!(life.on(Event::Started), [Effect::Hold, Effect::Report(TaskState::Paused)]);
    }
}
