//! Pure. A member of a worker group in Kafka's classic group protocol: when it looks for its coordinator, joins, syncs,
//! beats, and when it must give up what it runs (Connect's WorkerCoordinator over AbstractCoordinator). Knows nothing of
//! frames or of what is assigned.

mod machine;

use std::time::Duration;

use crate::port::{Joined, MemberId, Refused};

pub use machine::Member;

/// Timings, all from the worker's settings.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// `session.timeout.ms`
    pub session: Duration,
    /// `heartbeat.interval.ms`
    pub heartbeat: Duration,
    /// `retry.backoff.ms`
    pub retry: Duration,
    /// `rebalance.timeout.ms`: how long a round waits for those who have not joined it, whose beats notwithstanding.
    pub rebalance: Duration,
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
    Decided {
        /// The generation that was decided.
        generation: i32,
        /// Everybody's assignments.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// A sync was answered with this member's assignment.
    Synced(Result<Vec<u8>, Refused>),
    /// A heartbeat was answered.
    Beaten(Result<(), Refused>),
    /// The herder wants a rebalance, or to come back after it stepped out.
    Rejoin,
    /// The herder cannot keep up with the group, and is to stay out of it until it wants to join again.
    StepOut,
    /// The group was left, as far as that could be said to it.
    Left,
    /// The worker stops.
    Leave,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask any broker who the coordinator is.
    Find,
    /// Ask the herder to get ready to join and to say so with [`Event::Prepared`]. A later one takes the place of one
    /// that was not answered.
    Prepare,
    /// Join under this id, which is empty at first.
    Join(String),
    /// Tell the herder that it is in a round of this sub-protocol, of which it may hear nothing more.
    Enter(String),
    /// Ask the herder, as the leader's, who runs what.
    Decide {
        /// The leader, in the generation that is decided.
        id: MemberId,
        /// The sub-protocol that all members know.
        protocol: String,
        /// Every member with its metadata.
        members: Vec<(String, Vec<u8>)>,
    },
    /// Ask the coordinator for the member's own assignment.
    Sync {
        /// The member.
        id: MemberId,
        /// Everybody's assignments, from the leader.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// Beat.
    Beat(MemberId),
    /// Give the herder its assignment.
    Assigned {
        /// The member.
        id: MemberId,
        /// The sub-protocol of the assignment.
        protocol: String,
        /// The assignment.
        assignment: Vec<u8>,
    },
    /// Have the herder stop all that was assigned: others may be told to run it.
    GiveUp,
    /// Leave the group under this id.
    Leave(String),
    /// Give up whatever was asked, leave the group under this id, unless it is empty, and say so with [`Event::Left`].
    StepOut(String),
    /// End the worker.
    End(String),
}
