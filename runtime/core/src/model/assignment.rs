//! Pure. What the members of a worker group run, and what their leader tells them (KIP-415).

use std::collections::BTreeSet;
use std::time::Duration;

use super::TaskId;

/// Connectors and tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Connectors, by name.
    pub connectors: BTreeSet<String>,
    /// Tasks.
    pub tasks: BTreeSet<TaskId>,
}

impl Work {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// What is here and not there.
    pub fn without(&self, there: &Work) -> Work {
        Work {
            connectors: self.connectors.difference(&there.connectors).cloned().collect(),
            tasks: self.tasks.difference(&there.tasks).cloned().collect(),
        }
    }

    /// What is both here and there.
    pub fn shared(&self, there: &Work) -> Work {
        Work {
            connectors: self.connectors.intersection(&there.connectors).cloned().collect(),
            tasks: self.tasks.intersection(&there.tasks).cloned().collect(),
        }
    }

    /// Adds other work.
    pub fn add(&mut self, more: &Work) {
        self.connectors.extend(more.connectors.iter().cloned());
        self.tasks.extend(more.tasks.iter().cloned());
    }

    /// Takes work away.
    pub fn remove(&mut self, less: &Work) {
        self.connectors.retain(|connector| !less.connectors.contains(connector));
        self.tasks.retain(|task| !less.tasks.contains(task));
    }
}

/// A sub-protocol of the group protocol `connect`, by rising version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupProtocol {
    /// Version 0: everything stops at each rebalance.
    Eager,
    /// Version 1: incremental.
    Compatible,
    /// Version 2: incremental, with signed internal requests (KIP-507).
    Sessioned,
}

impl GroupProtocol {
    /// The name by which members offer it.
    pub fn name(self) -> &'static str {
        match self {
            GroupProtocol::Eager => "default",
            GroupProtocol::Compatible => "compatible",
            GroupProtocol::Sessioned => "sessioned",
        }
    }

    /// What `connect.protocol` calls it.
    pub fn config_name(self) -> &'static str {
        match self {
            GroupProtocol::Eager => "eager",
            other => other.name(),
        }
    }

    /// The one of a name, if there is.
    pub fn of_name(name: &str) -> Option<GroupProtocol> {
        [GroupProtocol::Sessioned, GroupProtocol::Compatible, GroupProtocol::Eager]
            .into_iter()
            .find(|p| p.name() == name)
    }

    /// What a member offers whose `connect.protocol` allows this one at most, the best first.
    pub fn offered(self) -> &'static [GroupProtocol] {
        const ALL: [GroupProtocol; 3] = [GroupProtocol::Sessioned, GroupProtocol::Compatible, GroupProtocol::Eager];
        match self {
            GroupProtocol::Sessioned => &ALL,
            GroupProtocol::Compatible => &ALL[1..],
            GroupProtocol::Eager => &ALL[2..],
        }
    }
}

/// What the leader tells a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The leader's member id.
    pub leader: String,
    /// Where the leader answers REST.
    pub leader_url: String,
    /// Position in the config topic up to which the leader had read.
    pub offset: i64,
    /// Whether the leader could not read as far as some member has; then there is no work in it.
    pub mismatch: bool,
    /// What to start; with [`GroupProtocol::Eager`] everything to run.
    pub assigned: Work,
    /// What to stop.
    pub revoked: Work,
    /// After how long to join again, so that what a lost member ran is given to others; zero for not.
    pub delay: Duration,
}

/// What a member tells its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Where it answers REST.
    pub url: String,
    /// Position in the config topic up to which it has read.
    pub offset: i64,
    /// What it runs; never with [`GroupProtocol::Eager`].
    pub runs: Work,
}
