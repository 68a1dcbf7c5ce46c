//! Membership in a group of workers: the requests of Kafka's classic group protocol that a member sends to its group's
//! coordinator. When to send them is decided by `herder::member`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::observe::ClientStats;

/// Why a coordinator did not do what it was asked, by the member's next move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is loading, or not ready for another reason that passes; the same may go through soon.
    Loading,
    /// It does not answer, or is no longer the coordinator.
    NoCoordinator,
    /// It wants the member to join again under this id (KIP-394).
    IdRequired(String),
    /// It does not know the member, or not in this generation.
    Expelled,
    /// A rebalance is under way.
    Rebalancing,
    /// Nothing mends it but another configuration; the text is for the log.
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

/// A member in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberId {
    /// The member's id.
    pub member: String,
    /// The generation.
    pub generation: i32,
}

/// The coordinator of one group of protocol type `connect`, as one member speaks to it. At most one join or sync is
/// under way at a time, with heartbeats beside it. A call that is dropped before its answer leaves nothing in the way of
/// the next.
#[async_trait]
pub trait Coordinator: Send + Sync {
    /// Looks for the coordinator and connects to it. What was asked of a former one is answered
    /// [`Refused::NoCoordinator`].
    async fn find(&self) -> Result<(), Refused>;

    /// Joins under an id, empty at first, offering sub-protocols with the member's metadata, the best first. Answers when
    /// the rebalance has gathered its members, which may take the group's rebalance time-out.
    async fn join(&self, member: &str, protocols: &[(String, Vec<u8>)]) -> Result<Joined, Refused>;

    /// Asks for the member's assignment in its generation. The leader brings everybody's, the others none. Answers when
    /// the leader has brought them.
    async fn sync(&self, id: &MemberId, assignments: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Refused>;

    /// Says that the member lives.
    async fn heartbeat(&self, id: &MemberId) -> Result<(), Refused>;

    /// Leaves the group, if the coordinator answers soon.
    async fn leave(&self, member: &str);

    /// What its client counts; nothing where it has no sockets.
    fn client(&self) -> Arc<ClientStats> {
        Arc::default()
    }
}

/// How long a worker may take itself for a member. Whoever writes in its name looks here first.
#[derive(Debug)]
pub struct Session {
    start: Instant,
    /// Milliseconds from `start` at which the session ends, if the coordinator does not answer until then; 0 for none.
    until: AtomicU64,
    extended: Notify,
}

impl Default for Session {
    fn default() -> Session {
        Session { start: Instant::now(), until: AtomicU64::new(0), extended: Notify::new() }
    }
}

impl Session {
    /// Whether the coordinator answered within the session time-out, so that nobody else was told to do the work.
    pub fn holds(&self) -> bool {
        self.holds_for(Duration::ZERO)
    }

    /// Whether it holds for at least so long from now on.
    pub fn holds_for(&self, least: Duration) -> bool {
        self.start.elapsed() + least < Duration::from_millis(self.until.load(Ordering::Acquire))
    }

    /// Returns once it holds.
    pub async fn begun(&self) {
        loop {
            let mut extended = std::pin::pin!(self.extended.notified());
            extended.as_mut().enable();
            if self.holds() {
                return;
            }
            extended.await;
        }
    }

    /// Returns once it does not hold.
    pub async fn lapsed(&self) {
        while self.holds() {
            let until = Duration::from_millis(self.until.load(Ordering::Acquire));
            tokio::time::sleep_until(self.start + until).await;
        }
    }

    /// Sets its end; none ends it at once.
    pub fn extend_to(&self, until: Option<Instant>) {
        let millis = until.map_or(0, |until| until.saturating_duration_since(self.start).as_millis() as u64);
        self.until.store(millis, Ordering::Release);
        self.extended.notify_waiters();
    }
}
