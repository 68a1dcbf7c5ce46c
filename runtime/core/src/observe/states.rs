//! Pure. For how long a task was in which state (Connect's StateTracker).

/// A state of a task, as Connect's metrics know them (AbstractStatus.State).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskPhase {
    /// Nobody runs it.
    Unassigned,
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It has failed.
    Failed,
}

impl TaskPhase {
    /// As metrics show it.
    pub fn name(self) -> &'static str {
        match self {
            TaskPhase::Unassigned => "unassigned",
            TaskPhase::Running => "running",
            TaskPhase::Paused => "paused",
            TaskPhase::Failed => "failed",
        }
    }
}

/// The states that a task was in since it was made. Times are milliseconds of one clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateTracker {
    /// The state now and since when; none before the first.
    current: Option<(TaskPhase, u64)>,
    running_ms: u64,
    paused_ms: u64,
    others_ms: u64,
}

impl StateTracker {
    /// The state now.
    pub fn now(&self) -> Option<TaskPhase> {
        self.current.map(|(phase, _)| phase)
    }

    /// It is in another state from now on.
    pub fn change(&mut self, phase: TaskPhase, now: u64) {
        *self = StateTracker { current: Some((phase, now)), ..self.until(now) };
    }

    fn until(mut self, now: u64) -> StateTracker {
        let Some((phase, since)) = self.current else { return self };
        let spent = now.saturating_sub(since);
        match phase {
            TaskPhase::Running => self.running_ms += spent,
            TaskPhase::Paused => self.paused_ms += spent,
            TaskPhase::Unassigned | TaskPhase::Failed => self.others_ms += spent,
        }
        self
    }

    /// The shares of its time in which it ran and in which it was paused. In the instant of its first state that is all
    /// of it, where Connect says nothing of it.
    pub fn shares(&self, now: u64) -> (f64, f64) {
        let StateTracker { running_ms, paused_ms, others_ms, .. } = self.until(now);
        let total = running_ms + paused_ms + others_ms;
        if total == 0 {
            let is = |phase| f64::from(u8::from(self.now() == Some(phase)));
            return (is(TaskPhase::Running), is(TaskPhase::Paused));
        }
        (running_ms as f64 / total as f64, paused_ms as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_and_paused_are_all_of_it_until_it_fails() {
        let mut states = StateTracker::default();
        assert_eq!(states.shares(7), (0.0, 0.0), "nothing is said before the first state");
        states.change(TaskPhase::Running, 100);
        assert_eq!((states.shares(100), states.shares(900)), ((1.0, 0.0), (1.0, 0.0)));
        states.change(TaskPhase::Paused, 400);
        assert_eq!(states.shares(700), (0.5, 0.5));
        states.change(TaskPhase::Running, 700);
        assert_eq!(states.shares(1_300), (0.75, 0.25), "a pause is not forgotten");
        states.change(TaskPhase::Failed, 1_300);
        assert_eq!(states.shares(2_500), (900.0 / 2_400.0, 300.0 / 2_400.0), "what failed does neither");
        assert_eq!(states.now(), Some(TaskPhase::Failed));
    }
}
