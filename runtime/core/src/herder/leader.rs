//! Pure. What the leader of a worker group decides in a round, from what members say to what each is told (Connect's
//! EagerAssignor.performAssignment and IncrementalCooperativeAssignor.performAssignment).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Assignment, GroupProtocol, MemberState, Work};

use super::assignor::{IncrementalAssignor, Round, Told, eager};
use super::group_codec::{Malformed, decode_state, encode_assignment};

/// What the leader knows of configurations.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// Connectors and tasks that there are.
    pub work: &'a Work,
    /// Position in the config topic up to which they were read.
    pub offset: i64,
    /// Whether that was the topic's end just now.
    pub fresh: bool,
}

/// A round, as the coordinator put it to the leader.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The leader's member id.
    pub leader: &'a str,
    /// The generation that is decided.
    pub generation: i32,
    /// The last generation whose assignments this leader handed out; -1 for none.
    pub completed: i32,
    /// The sub-protocol that all members know.
    pub protocol: GroupProtocol,
    /// The sub-protocol of the round before, as far as this leader was in it.
    pub before: Option<GroupProtocol>,
    /// Every member with its metadata.
    pub members: &'a [(String, Vec<u8>)],
}

/// Where a member answers REST and what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its URL.
    pub url: String,
    /// What it runs once the round is over.
    pub runs: Work,
}

/// What comes of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Some member has read further than the leader, which has to read the config topic to its end and ask again.
    Read,
    /// Everybody's assignment, and who runs what by it.
    Assign {
        /// Assignments by member id, in Connect's bytes.
        assignments: Vec<(String, Vec<u8>)>,
        /// Owners by member id; none when the round ends in a mismatch.
        owners: BTreeMap<String, Owner>,
        /// Members whose metadata could not be read, which get nothing to run.
        unreadable: Vec<(String, Malformed)>,
        /// Whether another round has to follow at once.
        again: bool,
    },
}

/// Decides a round. `now` is on any clock that does not run backwards.
pub fn decide(
    assignor: &mut IncrementalAssignor,
    now: Duration,
    configured: Configured<'_>,
    question: Question<'_>,
) -> Decision {
    let mut states: BTreeMap<&String, MemberState> = BTreeMap::new();
    let mut unreadable = Vec::new();
    for (member, metadata) in question.members {
        match decode_state(metadata) {
            Ok(state) => drop(states.insert(member, state)),
            Err(error) => unreadable.push((member.clone(), error)),
        }
    }
    let furthest = states.values().map(|state| state.offset).max().unwrap_or(configured.offset);
    if furthest > configured.offset && !configured.fresh {
        return Decision::Read;
    }
    let mismatch = furthest > configured.offset;
    // In an eager round nobody says what runs, since all of it was stopped; but after another kind of round it was not. So
    // this one hands out nothing, and everybody has stopped before the next.
    let stops = question.protocol == GroupProtocol::Eager
        && question.before != Some(GroupProtocol::Eager)
        && question.members.len() > 1;
    let round = match question.protocol {
        _ if mismatch || stops => Round::default(),
        GroupProtocol::Eager => eager(configured.work, states.keys().copied()),
        GroupProtocol::Compatible | GroupProtocol::Sessioned => {
            let members = states.iter().map(|(member, state)| ((*member).clone(), state.runs.clone())).collect();
            assignor.assign(now, configured.work, question.completed, question.generation, &members)
        }
    };
    let leader_url =
        states.iter().find(|(member, _)| member.as_str() == question.leader).map(|(_, state)| state.url.clone());
    let base = Assignment {
        leader: question.leader.to_owned(),
        leader_url: leader_url.unwrap_or_default(),
        offset: furthest.max(configured.offset),
        mismatch,
        assigned: Work::default(),
        revoked: Work::default(),
        delay: round.delay,
    };
    let assignment = |member: &String| {
        let Told { assigned, revoked, .. } = round.members.get(member).cloned().unwrap_or_default();
        let told = Assignment { assigned, revoked, ..base.clone() };
        (member.clone(), encode_assignment(&told, question.protocol))
    };
    let assignments = question.members.iter().map(|(member, _)| assignment(member)).collect();
    let owner = |(member, told): (&String, &Told)| {
        let url = states.get(member).map(|state| state.url.clone()).unwrap_or_default();
        (member.clone(), Owner { url, runs: told.runs.clone() })
    };
    let owners = round.members.iter().map(owner).collect();
    Decision::Assign { assignments, owners, unreadable, again: stops }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::herder::group_codec::{decode_assignment, encode_state};

    fn configured(connectors: &[&str]) -> Work {
        Work { connectors: connectors.iter().map(|name| (*name).to_owned()).collect(), ..Work::default() }
    }

    fn member(id: &str, offset: i64, protocol: GroupProtocol) -> (String, Vec<u8>) {
        let state = MemberState { url: format!("http://{id}/"), offset, runs: Work::default() };
        (id.to_owned(), encode_state(&state, protocol, None))
    }

    fn ask(
        protocol: GroupProtocol,
        members: &[(String, Vec<u8>)],
        work: &Work,
        (offset, fresh): (i64, bool),
    ) -> Decision {
        let mut assignor = IncrementalAssignor::new(Duration::ZERO);
        let before = Some(protocol);
        let question = Question { leader: "a", generation: 1, completed: -1, protocol, before, members };
        decide(&mut assignor, Duration::ZERO, Configured { work, offset, fresh }, question)
    }

    fn told(decision: &Decision) -> Vec<(&str, Assignment)> {
        let Decision::Assign { assignments, .. } = decision else { panic!("{decision:?}") };
        assignments.iter().map(|(member, bytes)| (member.as_str(), decode_assignment(bytes).unwrap())).collect()
    }

    #[test]
    fn work_is_spread_by_every_protocol_and_the_leader_knows_who_has_it() {
        for protocol in [GroupProtocol::Eager, GroupProtocol::Compatible, GroupProtocol::Sessioned] {
            let members = [member("b", 3, protocol), member("a", 5, protocol)];
            let work = configured(&["x", "y"]);
            let decision = ask(protocol, &members, &work, (5, false));
            let told = told(&decision);
            assert!(told.iter().all(|(_, told)| told.leader_url == "http://a/" && told.offset == 5 && !told.mismatch));
            let Decision::Assign { owners, .. } = &decision else { unreachable!("it was told above") };
            for (member, told) in &told {
                assert_eq!(told.assigned.connectors.len(), 1, "{protocol:?}: {member}");
                let url = format!("http://{member}/");
                assert_eq!(owners[*member], Owner { url, runs: told.assigned.clone() });
            }
        }
    }

    #[test]
    fn a_leader_that_is_behind_reads_first_and_assigns_nothing_while_it_stays_behind() {
        let protocol = GroupProtocol::Sessioned;
        let members = [member("a", 5, protocol), member("b", 9, protocol)];
        let work = configured(&["x"]);
        assert_eq!(ask(protocol, &members, &work, (5, false)), Decision::Read);
        let decision = ask(protocol, &members, &work, (5, true));
        assert!(told(&decision).iter().all(|(_, told)| told.mismatch && told.offset == 9 && told.assigned.is_empty()));
        let decision = ask(protocol, &members, &work, (11, true));
        assert!(told(&decision).iter().all(|(_, told)| !told.mismatch && told.offset == 11));
    }

    #[test]
    fn the_first_eager_round_after_another_kind_hands_out_nothing_and_is_followed_by_one_that_does() {
        let (eager, work) = (GroupProtocol::Eager, configured(&["x", "y"]));
        let members = [member("a", 5, eager), member("b", 5, eager)];
        let decide = |before, members: &[(String, Vec<u8>)]| {
            let question = Question { leader: "a", generation: 2, completed: 1, protocol: eager, before, members };
            let configured = Configured { work: &work, offset: 5, fresh: false };
            let decision = decide(&mut IncrementalAssignor::new(Duration::ZERO), Duration::ZERO, configured, question);
            let Decision::Assign { again, .. } = decision else { panic!("{decision:?}") };
            (again, told(&decision).iter().all(|(_, told)| told.assigned.is_empty() && !told.mismatch))
        };
        assert_eq!(decide(Some(GroupProtocol::Compatible), &members), (true, true));
        assert_eq!(decide(None, &members), (true, true), "it was not in that round");
        assert_eq!(decide(Some(eager), &members), (false, false));
        assert_eq!(decide(None, &members[..1]), (false, false), "there is nobody else");
    }

    #[test]
    fn a_member_that_cannot_be_read_gets_nothing_and_is_named() {
        let protocol = GroupProtocol::Sessioned;
        let members = [member("a", 5, protocol), ("b".to_owned(), vec![0, 2, 0])];
        let decision = ask(protocol, &members, &configured(&["x", "y"]), (5, false));
        let told = told(&decision);
        assert_eq!((told[0].1.assigned.connectors.len(), told[1].1.assigned.is_empty()), (2, true));
        let Decision::Assign { unreadable, .. } = &decision else { unreachable!("it was told above") };
        assert_eq!(unreadable[0].0, "b");
    }
}
