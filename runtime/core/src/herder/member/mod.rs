//! Pure. A member of a worker group in Kafka's classic group protocol: when it looks for its coordinator, joins, syncs,
//! beats, and when it must give up what it runs (Connect's WorkerCoordinator over AbstractCoordinator). Knows nothing of
//! frames or of what is assigned.

mod machine;

use std::time::Duration;

pub use machine::Member;

/// Timings, all from the worker's settings.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// `session.timeout.ms`
    pub session: Duration,
    /// `heartbeat.interval.ms`
    pub heartbeat: Duration,
    /// `rebalance.timeout.ms`
    pub rebalance: Duration,
    /// `retry.backoff.ms`
    pub retry: Duration,
}

/// Why the coordinator did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is loading; the same may go through soon.
    Loading,
    /// It does not answer, or is no longer the coordinator.
    NoCoordinator,
    /// It wants the member to join again under this id (KIP-394).
    IdRequired(String),
    /// It does not know the member, or not in this generation.
    Expelled,
    /// A rebalance is under way.
    Rebalancing,
    /// Nothing mends it but another configuration.
    Fatal(String),
}

/// What a join was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The member's id.
    pub member: String,
    /// The generation.
    pub generation: i32,
    /// The sub-protocol that all members know.
    pub protocol: String,
    /// The leader's member id.
    pub leader: String,
    /// Every member with its metadata; for the leader only.
    pub members: Vec<(String, Vec<u8>)>,
}

/// What happens to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passes.
    Tick,
    /// The coordinator was found, or not.
    Found(Result<(), Refused>),
    /// The herder has written what it had to before joining, and says so.
    Prepared,
    /// A join was answered.
    Joined(Result<Joined, Refused>),
    /// The herder, as the leader's, has decided.
    Decided(Vec<(String, Vec<u8>)>),
    /// A sync was answered with this member's assignment.
    Synced(Result<Vec<u8>, Refused>),
    /// A heartbeat was answered.
    Beaten(Result<(), Refused>),
    /// The herder wants a rebalance.
    Rejoin,
    /// The worker stops.
    Leave,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask any broker who the coordinator is.
    Find,
    /// Ask the herder to get ready to join and to say so with [`Event::Prepared`].
    Prepare,
    /// Join under this id, which is empty at first.
    Join(String),
    /// Ask the herder, as the leader's, who runs what.
    Decide {
        /// The generation that is decided.
        generation: i32,
        /// The sub-protocol that all members know.
        protocol: String,
        /// Every member with its metadata.
        members: Vec<(String, Vec<u8>)>,
    },
    /// Ask the coordinator for the member's own assignment.
    Sync {
        /// The member.
        id: Id,
        /// Everybody's assignments, from the leader.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// Beat.
    Beat(Id),
    /// Give the herder its assignment.
    Assigned {
        /// The member.
        id: Id,
        /// The sub-protocol of the assignment.
        protocol: String,
        /// The assignment.
        assignment: Vec<u8>,
    },
    /// Have the herder stop all that was assigned: others may be told to run it.
    GiveUp,
    /// Leave the group under this id.
    Leave(String),
    /// End the worker.
    End(String),
}

/// A member in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// The member's id.
    pub member: String,
    /// The generation.
    pub generation: i32,
}
