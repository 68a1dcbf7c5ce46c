//! A worker's place in its group: carries out what the [`Member`] decides, apart from the herder, so that heartbeats go
//! on whatever the herder does.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::observe::GroupStats;
use crate::port::{Coordinator, MemberId, Refused, Session};

use super::member::{Effect, Event, Member, Timings};

/// How long a coordinator may take to take note that a member leaves.
const LEAVE: Duration = Duration::from_secs(3);

/// What the herder tells its membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is ready to join with these sub-protocols, the best first, each with what it has to say.
    Prepared {
        /// The number of the question.
        number: u64,
        /// Names and metadata.
        protocols: Vec<(String, Vec<u8>)>,
    },
    /// As the leader's, it has decided a round.
    Decided {
        /// The generation.
        generation: i32,
        /// Everybody's assignments.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// It wants a rebalance, or to come back after it stepped out.
    Rejoin,
    /// It cannot keep up with the group: leave it, until it wishes to join again. It is to run nothing by then.
    StepOut,
}

/// What its membership tells the herder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Get ready to join, and answer with [`Wish::Prepared`] of this number. The last question counts.
    Prepare(u64),
    /// It is in a round of this sub-protocol, whether it gets to know what comes of it or not.
    Enter(String),
    /// Decide who runs what, and answer with [`Wish::Decided`].
    Decide {
        /// The generation.
        generation: i32,
        /// The leader, which is this member.
        leader: String,
        /// The sub-protocol that all members know.
        protocol: String,
        /// Every member with its metadata.
        members: Vec<(String, Vec<u8>)>,
    },
    /// Run this.
    Assigned {
        /// The member.
        id: MemberId,
        /// The sub-protocol of the assignment.
        protocol: String,
        /// The assignment.
        assignment: Vec<u8>,
    },
    /// Stop everything and say nothing about it: others may be told to run it.
    GiveUp,
    /// End the worker.
    End(String),
}

/// The herder's end of its membership.
pub struct Membership {
    /// What it wants.
    pub wishes: mpsc::UnboundedSender<Wish>,
    /// What it is told. Unbounded: a question is followed by another only once it was answered or overtaken.
    pub told: mpsc::UnboundedReceiver<Told>,
    /// How long it may take itself for a member.
    pub session: Arc<Session>,
    /// What is counted of it.
    pub stats: Arc<GroupStats>,
}

/// Runs a membership until it is cancelled, then leaves the group; also leaves when the herder's end is dropped. The
/// second value is that run.
pub fn membership(
    coordinator: Arc<dyn Coordinator>,
    timings: Timings,
    stats: Arc<GroupStats>,
    cancel: CancellationToken,
) -> (Membership, impl Future<Output = ()> + Send) {
    let (wishes, wished) = mpsc::unbounded_channel();
    let (tell, told) = mpsc::unbounded_channel();
    let session = Arc::new(Session::default());
    let (member, effects) = Member::new(timings, Duration::ZERO);
    let run = Run {
        coordinator,
        member,
        start: Instant::now(),
        session: session.clone(),
        stats: stats.clone(),
        tell,
        protocols: Vec::new(),
        prepares: 0,
        asking: Box::pin(pending()),
        beating: Box::pin(pending()),
        leaving: None,
    };
    (Membership { wishes, told, session, stats }, run.run(effects, wished, cancel))
}

struct Run {
    coordinator: Arc<dyn Coordinator>,
    member: Member,
    /// The beginning of the member's time.
    start: Instant,
    session: Arc<Session>,
    stats: Arc<GroupStats>,
    tell: mpsc::UnboundedSender<Told>,
    /// What the herder last wanted to join with.
    protocols: Vec<(String, Vec<u8>)>,
    /// Numbers the questions whether the herder is ready.
    prepares: u64,
    /// The search, join or sync that is out.
    asking: BoxFuture<'static, Event>,
    beating: BoxFuture<'static, Event>,
    leaving: Option<String>,
}

impl Run {
    async fn run(mut self, effects: Vec<Effect>, mut wishes: mpsc::UnboundedReceiver<Wish>, cancel: CancellationToken) {
        self.carry_out(effects);
        loop {
            let wake_at = self.member.wake_at().map(|at| self.start + at);
            let event = tokio::select! {
                biased;
                () = cancel.cancelled() => Event::Leave,
                event = &mut self.asking => { self.asking = Box::pin(pending()); event }
                event = &mut self.beating => { self.beating = Box::pin(pending()); event }
                wish = wishes.recv() => match wish {
                    None => Event::Leave,
                    Some(Wish::Rejoin) => Event::Rejoin,
                    Some(Wish::StepOut) => Event::StepOut,
                    Some(Wish::Decided { generation, assignments }) => Event::Decided { generation, assignments },
                    Some(Wish::Prepared { number, .. }) if number != self.prepares => continue,
                    Some(Wish::Prepared { protocols, .. }) => { self.protocols = protocols; Event::Prepared }
                },
                () = tokio::time::sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => Event::Tick,
            };
            let leaves = event == Event::Leave;
            let effects = self.member.on(self.start.elapsed(), event);
            self.session.extend_to(self.member.session_until().map(|until| self.start + until));
            self.carry_out(effects);
            if leaves {
                break;
            }
        }
        if let Some(member) = self.leaving.take() {
            // A coordinator that does not take note does so when the session times out.
            let _ = tokio::time::timeout(LEAVE, self.coordinator.leave(&member)).await;
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let (coordinator, stats, began) = (self.coordinator.clone(), self.stats.clone(), Instant::now());
            match effect {
                Effect::Find => {
                    self.beating = Box::pin(pending());
                    self.asking = Box::pin(async move { Event::Found(coordinator.find().await) });
                }
                Effect::Join(member) => {
                    self.beating = Box::pin(pending());
                    let protocols = self.protocols.clone();
                    stats.tries();
                    self.asking = Box::pin(async move {
                        let joined = coordinator.join(&member, &protocols).await;
                        stats.stepped(&stats.joins, began.elapsed(), joined.is_ok());
                        Event::Joined(joined)
                    });
                }
                Effect::Sync { id, assignments } => {
                    self.asking = Box::pin(async move {
                        let synced = coordinator.sync(&id, &assignments).await;
                        stats.stepped(&stats.syncs, began.elapsed(), synced.is_ok());
                        Event::Synced(synced)
                    });
                }
                Effect::Beat(id) => {
                    stats.last_heartbeat.set();
                    self.beating = Box::pin(async move {
                        let beaten = coordinator.heartbeat(&id).await;
                        // One that is refused was answered, too.
                        if beaten != Err(Refused::NoCoordinator) {
                            stats.heartbeats.answered(began.elapsed());
                        }
                        Event::Beaten(beaten)
                    });
                }
                Effect::Prepare => {
                    self.prepares += 1;
                    self.tell(Told::Prepare(self.prepares));
                }
                Effect::Enter(protocol) => self.tell(Told::Enter(protocol)),
                Effect::Decide { id, protocol, members } => {
                    let MemberId { member: leader, generation } = id;
                    self.tell(Told::Decide { generation, leader, protocol, members });
                }
                Effect::Assigned { id, protocol, assignment } => {
                    stats.assigned();
                    self.tell(Told::Assigned { id, protocol, assignment });
                }
                Effect::GiveUp => self.tell(Told::GiveUp),
                Effect::End(why) => self.tell(Told::End(why)),
                Effect::Leave(member) => self.leaving = Some(member),
                Effect::StepOut(member) => {
                    self.beating = Box::pin(pending());
                    self.asking = Box::pin(async move {
                        if !member.is_empty() {
                            let _ = tokio::time::timeout(LEAVE, coordinator.leave(&member)).await;
                        }
                        Event::Left
                    });
                }
            }
        }
    }

    fn tell(&self, told: Told) {
        // A herder that is gone is noticed by its wishes.
        let _ = self.tell.send(told);
    }
}
