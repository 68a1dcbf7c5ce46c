//! Pure. A worker's place in its group after each round: what it is to run, who leads, and who has to carry a request
//! out (Connect's DistributedHerder between two rebalances).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Assignment, GroupProtocol, MemberState, TaskId, Work};
use crate::observe::GroupNow;
use crate::port::MemberId;

use super::group_codec::encode_state;
use super::leader::Owner;
use super::request::Request;

/// A worker's place.
#[derive(Clone, Debug)]
pub struct Place {
    url: String,
    offered: GroupProtocol,
    me: Option<MemberId>,
    protocol: GroupProtocol,
    /// The sub-protocol of the last round that it was in, even if it never heard what came of it.
    entered: Option<GroupProtocol>,
    last: Option<Assignment>,
    /// What it is to run.
    pub mine: Work,
    /// As the leader: who runs what, by member id.
    pub owners: BTreeMap<String, Owner>,
}

/// Who has to carry a request out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This worker.
    Ours,
    /// The worker that answers REST here; none when that is not known.
    Theirs(Option<String>),
}

impl Place {
    /// The place of a worker that is in no group yet, answers REST at `url` and offers this sub-protocol and older ones.
    pub fn new(url: String, offered: GroupProtocol) -> Place {
        Place {
            url,
            offered,
            me: None,
            protocol: offered,
            entered: None,
            last: None,
            mine: Work::default(),
            owners: BTreeMap::new(),
        }
    }

    /// Takes an assignment in.
    pub fn assigned(&mut self, me: MemberId, protocol: GroupProtocol, assignment: Assignment) {
        match protocol {
            GroupProtocol::Eager => self.mine = assignment.assigned.clone(),
            GroupProtocol::Compatible | GroupProtocol::Sessioned => {
                self.mine.remove(&assignment.revoked);
                self.mine.add(&assignment.assigned);
            }
        }
        if assignment.leader != me.member {
            self.owners.clear();
        }
        (self.me, self.protocol, self.last) = (Some(me), protocol, Some(assignment));
    }

    /// It is to run nothing and knows no leader any more.
    pub fn give_up(&mut self) {
        (self.mine, self.last) = (Work::default(), None);
        self.owners.clear();
    }

    /// It is in a round of this sub-protocol.
    pub fn enter(&mut self, protocol: Option<GroupProtocol>) {
        self.entered = protocol;
    }

    /// With the eager sub-protocol a worker stops everything before it joins: whoever leads takes it that it has.
    pub fn prepare(&mut self) {
        if self.protocol == GroupProtocol::Eager || self.entered == Some(GroupProtocol::Eager) {
            self.mine = Work::default();
        }
    }

    /// The sub-protocols that it joins with, the best first, each with what it says; `offset` is how far it has read the
    /// config topic.
    pub fn says(&self, offset: i64) -> Vec<(String, Vec<u8>)> {
        let state = MemberState { url: self.url.clone(), offset, runs: self.mine.clone() };
        let say = |protocol: &GroupProtocol| {
            (protocol.name().to_owned(), encode_state(&state, *protocol, self.last.as_ref()))
        };
        self.offered.offered().iter().map(say).collect()
    }

    /// The last generation in which it had an assignment; -1 for none.
    pub fn completed(&self) -> i32 {
        self.me.as_ref().map_or(-1, |me| me.generation)
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        matches!((&self.me, &self.last), (Some(me), Some(last)) if me.member == last.leader)
    }

    /// The sub-protocol of its last assignment, at first the best that it offers.
    pub fn protocol(&self) -> GroupProtocol {
        self.protocol
    }

    /// The group as metrics show it.
    pub fn now(&self, generation: i64) -> GroupNow {
        GroupNow {
            protocol: self.protocol.config_name().to_uppercase(),
            leader: self.leader_url().unwrap_or_default().to_owned(),
            generation,
            assigned: (self.mine.connectors.len(), self.mine.tasks.len()),
        }
    }

    /// Whether requests between workers are signed.
    pub fn signs(&self) -> bool {
        self.protocol == GroupProtocol::Sessioned
    }

    /// Where the leader answers REST.
    pub fn leader_url(&self) -> Option<&str> {
        self.last.as_ref().map(|last| last.leader_url.as_str()).filter(|url| !url.is_empty())
    }

    /// Where those workers answer REST that requests may be sent on to.
    pub fn reachable(&self) -> BTreeSet<String> {
        let owners = self.owners.values().map(|owner| owner.url.as_str());
        self.leader_url().into_iter().chain(owners).map(str::to_owned).collect()
    }

    fn owner(&self, runs: impl Fn(&Work) -> bool) -> Whose {
        if runs(&self.mine) {
            return Whose::Ours;
        }
        if !self.leads() {
            return Whose::Theirs(self.leader_url().map(str::to_owned));
        }
        Whose::Theirs(self.owners.values().find(|owner| runs(&owner.runs)).map(|owner| owner.url.clone()))
    }

    /// Whose a request is. What every worker may do is ours.
    pub fn whose(&self, request: &Request) -> Whose {
        match request {
            _ if request.is_anybodys() => Whose::Ours,
            Request::RestartConnector { name, .. } => self.owner(|work| work.connectors.contains(name)),
            Request::RestartTask { id, .. } => self.owner(|work: &Work| work.tasks.contains::<TaskId>(id)),
            Request::Put { .. }
            | Request::Delete { .. }
            | Request::Restart { .. }
            | Request::Tasks { .. }
            | Request::Fence { .. }
            | Request::Claim { .. }
            | Request::Target { .. }
            | Request::Offsets { .. }
            | Request::LoggerLevel { .. }
            | Request::Ping { .. } => match self.leads() {
                true => Whose::Ours,
                false => Whose::Theirs(self.leader_url().map(str::to_owned)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    fn work(connectors: &[&str]) -> Work {
        Work { connectors: connectors.iter().map(|name| (*name).to_owned()).collect(), ..Work::default() }
    }

    fn assignment(leader: &str, assigned: &[&str], revoked: &[&str]) -> Assignment {
        Assignment {
            leader: leader.into(),
            leader_url: format!("http://{leader}/"),
            offset: 3,
            mismatch: false,
            assigned: work(assigned),
            revoked: work(revoked),
            delay: Duration::ZERO,
        }
    }

    fn me(generation: i32) -> MemberId {
        MemberId { member: "m1".into(), generation }
    }

    fn restart(name: &str) -> Request {
        Request::RestartConnector { name: name.into(), answer: oneshot::channel().0 }
    }

    #[test]
    fn incremental_rounds_add_and_take_away_and_eager_ones_replace() {
        let mut place = Place::new("http://m1/".into(), GroupProtocol::Sessioned);
        assert_eq!((place.completed(), place.leads(), place.leader_url()), (-1, false, None));
        place.assigned(me(1), GroupProtocol::Sessioned, assignment("m2", &["a", "b"], &[]));
        place.assigned(me(2), GroupProtocol::Sessioned, assignment("m2", &["c"], &["a"]));
        assert_eq!((&place.mine, place.completed()), (&work(&["b", "c"]), 2));
        place.prepare();
        assert_eq!(place.mine, work(&["b", "c"]), "an incremental round keeps what runs");
        place.assigned(me(3), GroupProtocol::Eager, assignment("m2", &["d"], &[]));
        assert_eq!(place.mine, work(&["d"]));
        place.prepare();
        assert_eq!(place.mine, Work::default());
        assert!(!place.signs());

        let mut place = Place::new("http://m1/".into(), GroupProtocol::Sessioned);
        place.assigned(me(1), GroupProtocol::Sessioned, assignment("m2", &["a"], &[]));
        place.enter(Some(GroupProtocol::Eager));
        assert_eq!((place.mine.clone(), place.signs()), (work(&["a"]), true), "it may be told to run on");
        place.prepare();
        assert_eq!(place.mine, Work::default(), "what came of that round it never heard");
    }

    #[test]
    fn restarts_go_to_the_owner_by_way_of_the_leader() {
        let mut place = Place::new("http://m1/".into(), GroupProtocol::Sessioned);
        assert_eq!(place.whose(&restart("a")), Whose::Theirs(None));
        place.assigned(me(1), GroupProtocol::Sessioned, assignment("m2", &["a"], &[]));
        assert_eq!(place.whose(&restart("a")), Whose::Ours);
        assert_eq!(place.whose(&restart("b")), Whose::Theirs(Some("http://m2/".into())));
        place.owners = BTreeMap::from([("m3".into(), Owner { url: "http://m3/".into(), runs: work(&["b"]) })]);
        place.assigned(me(2), GroupProtocol::Sessioned, assignment("m1", &[], &[]));
        assert_eq!(place.whose(&restart("b")), Whose::Theirs(Some("http://m3/".into())));
        assert_eq!(Vec::from_iter(place.reachable()), ["http://m1/", "http://m3/"]);
        assert_eq!(place.whose(&restart("nobody's")), Whose::Theirs(None));
        let delete = Request::Delete { name: "b".into(), answer: oneshot::channel().0 };
        assert_eq!(place.whose(&delete), Whose::Ours);
        place.give_up();
        assert_eq!((place.whose(&delete), place.completed()), (Whose::Theirs(None), 2));
    }
}
