//! Pure. Round robin over all members, whatever they ran before (Connect's EagerAssignor).

use std::collections::BTreeMap;

use super::{Round, Told};
use crate::model::Work;

/// Connectors first, then tasks, one after another to the members in the order of their ids.
pub fn eager<'a>(configured: &Work, members: impl Iterator<Item = &'a String>) -> Round {
    let mut told: BTreeMap<String, Told> = members.map(|member| (member.clone(), Told::default())).collect();
    let count = told.len();
    if count == 0 {
        return Round::default();
    }
    for (at, member) in told.values_mut().enumerate() {
        let connectors = configured.connectors.iter().skip(at).step_by(count).cloned().collect();
        let first_task = (at + count - configured.connectors.len() % count) % count;
        let tasks = configured.tasks.iter().skip(first_task).step_by(count).cloned().collect();
        member.assigned = Work { connectors, tasks };
        member.runs = member.assigned.clone();
    }
    Round { members: told, ..Round::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TaskId;

    #[test]
    fn tasks_go_on_where_connectors_left_off() {
        let task = |index| TaskId { connector: "a".into(), index };
        let configured =
            Work { connectors: ["a", "b", "c"].map(String::from).into(), tasks: (0..4).map(task).collect() };
        let members = ["m1", "m2"].map(String::from);
        let round = eager(&configured, members.iter());
        let shown = |member: &str| {
            let Work { connectors, tasks } = &round.members[member].assigned;
            (connectors.iter().cloned().collect::<String>(), tasks.iter().map(|task| task.index).collect::<Vec<_>>())
        };
        assert_eq!(shown("m1"), ("ac".into(), vec![1, 3]));
        assert_eq!(shown("m2"), ("b".into(), vec![0, 2]));
        assert_eq!(eager(&configured, [].iter()), Round::default());
    }
}
