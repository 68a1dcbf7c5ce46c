//! Pure. Whether older generations of a source connector's tasks have to be kept from writing before its tasks may
//! deliver exactly once (DistributedHerder.fenceZombieSourceTasks).

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
}
