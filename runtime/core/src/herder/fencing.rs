//! Pure. Whether older generations of a source connector's tasks have to be kept from writing before its tasks may
//! deliver exactly once (DistributedHerder.fenceZombieSourceTasks), and whether what was begun for one task set still
//! stands.

use crate::model::TaskId;

use super::request::HerderError;

/// What has to be done first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nothing: it was done for this task set.
    Nothing,
    /// It has to be noted how many tasks there are, so that they can be fenced one day. No older ones have to be now.
    Note,
    /// So many older tasks have to be fenced, and then that has to be noted.
    Fence(u32),
}

/// What has to be done before `tasks` tasks may start. `pending`: nothing was done since their set was stored; `noted`: how
/// many tasks may have been started since it was done last, none if never.
pub fn needed(pending: bool, noted: Option<u32>, tasks: usize) -> Needed {
    match noted {
        _ if !pending => Needed::Nothing,
        None => Needed::Note,
        // The one task that is to start takes the id of the only one before, which fences it.
        Some(1) if tasks == 1 => Needed::Note,
        Some(older) => Needed::Fence(older),
    }
}

/// Whether it may be noted that older tasks were fenced for the task set `begun`, when `now` is the last one: the tasks of a newer
/// one may have started meanwhile. Whoever leads no longer, or is between two assignments, notes nothing.
pub fn may_note(begun: u64, now: u64, leads: bool) -> Result<(), HerderError> {
    if now != begun {
        let message = "Fencing failed because new task configurations were generated for the connector";
        return Err(HerderError::Conflict(message.into()));
    }
    if leads { Ok(()) } else { Err(HerderError::Rebalancing) }
}

/// Whether a task of the task set `made` may go on starting, when `now` is the last one, and it is this worker's or not
/// (DistributedHerder.verifyTaskGenerationAndOwnership).
pub fn may_start(id: &TaskId, made: u64, now: u64, is_mine: bool) -> Result<(), HerderError> {
    if now != made {
        return Err(HerderError::Conflict(format!(
            "Cannot start source task {id} with exactly-once support as the connector has already generated a new set of \
             task configs"
        )));
    }
    if !is_mine {
        let message = format!("Cannot start source task {id} as it has already been revoked from this worker");
        return Err(HerderError::Conflict(message));
    }
    Ok(())
}

/// The id under which a task writes its transactions (Worker.taskTransactionalId).
pub fn transactional_id(group: &str, connector: &str, task: u32) -> String {
    format!("{group}-{connector}-{task}")
}

/// The id under which the leader of a group writes configurations (DistributedConfig.transactionalProducerId).
pub fn leaders_id(group: &str) -> String {
    format!("connect-cluster-{group}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_tasks_are_fenced_once_for_each_task_set_unless_its_only_task_takes_the_only_ones_place() {
        for (pending, noted, tasks, expected) in [
            (false, None, 3, Needed::Nothing),
            (false, Some(2), 3, Needed::Nothing),
            (true, None, 3, Needed::Note),
            (true, Some(1), 1, Needed::Note),
            (true, Some(1), 2, Needed::Fence(1)),
            (true, Some(2), 1, Needed::Fence(2)),
            (true, Some(3), 0, Needed::Fence(3)),
            (true, Some(0), 2, Needed::Fence(0)),
        ] {
            assert_eq!(needed(pending, noted, tasks), expected, "{pending} {noted:?} {tasks}");
        }
    }

    #[test]
    fn what_was_fenced_is_noted_by_who_leads_and_for_the_last_task_set_alone() {
        assert_eq!(may_note(4, 4, true), Ok(()));
        assert_eq!(may_note(4, 4, false), Err(HerderError::Rebalancing));
        for leads in [true, false] {
            let refused = may_note(4, 5, leads).unwrap_err();
            let HerderError::Conflict(why) = &refused else { panic!("{refused:?}") };
            assert!(why.contains("new task configurations"), "{why}");
        }
    }

    #[test]
    fn tasks_of_older_sets_and_of_other_workers_do_not_start() {
        let id = TaskId { connector: "a".into(), index: 3 };
        assert_eq!(may_start(&id, 2, 2, true), Ok(()));
        for (made, now, is_mine, says) in [
            (
                2,
                3,
                true,
                "Cannot start source task a-3 with exactly-once support as the connector has already generated",
            ),
            (2, 3, false, "has already generated a new set of task configs"),
            (2, 2, false, "Cannot start source task a-3 as it has already been revoked from this worker"),
        ] {
            let refused = may_start(&id, made, now, is_mine).unwrap_err();
            let HerderError::Conflict(why) = &refused else { panic!("{refused:?}") };
            assert!(why.contains(says), "{why}");
        }
    }
}
