//! A distributed worker's herder: one of a group in which each runs what the leader assigns to it. Every change goes to
//! the config topic first; what comes back from there, and each round of the group, is planned and carried out.

mod backoff;
mod catch_up;
mod fencing;
mod task_sets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::model::{Config, GroupProtocol, TaskId, Work};
use crate::port::{MemberId, Peers};
use crate::store::{ConfigRecord, ConfigStore};

use super::assignor::IncrementalAssignor;
use super::builder::Builder;
use super::group_codec::decode_assignment;
use super::herd::{AGAIN, Herd};
use super::leader::{Configured, Decision, Question, decide};
use super::membership::{Membership, Told, Wish};
use super::place::{Place, Whose};
use super::request::{HerderError, Request, View};

use backoff::Backoff;
use fencing::Fencings;
use task_sets::Submitted;

/// How long statuses may take to be written before the worker joins without them.
const FLUSH: Duration = Duration::from_secs(3);
/// How long a request waits for a round to end before it is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that may wait for the end of a round.
const WAITING: usize = 64;
/// How often a leader looks for states of what is gone.
const FORGET: Duration = Duration::from_secs(1);
/// How often a leader looks whether the key for requests between workers is due.
const LOOK_AT_KEY: Duration = Duration::from_secs(60);

/// What a distributed worker's herder goes by.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// Where this worker answers REST, for the others: `http://host:port/`.
    pub url: String,
    /// `connect.protocol`
    pub protocol: GroupProtocol,
    /// `scheduled.rebalance.max.delay.ms`
    pub max_delay: Duration,
    /// `worker.sync.timeout.ms`
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`
    pub unsync_backoff: Duration,
}

/// A distributed worker's herder.
pub struct Distributed {
    herd: Herd,
    place: Place,
    assignor: IncrementalAssignor,
    membership: Membership,
    peers: Arc<dyn Peers>,
    settings: GroupSettings,
    requests: mpsc::Receiver<Request>,
    /// Requests that wait until it is known whose they are, and until when.
    waiting: Vec<(Instant, Request)>,
    /// Whether a round was asked for or began, and its assignment is not here yet.
    regrouping: bool,
    /// The number of the question whether it is ready to join, and until when it waits for its statuses.
    preparing: Option<(u64, Instant)>,
    /// Whether it joins again as soon as what was revoked has stopped.
    revoking: bool,
    /// When it joins again so that what a lost member ran is given to others.
    rejoin_at: Option<Instant>,
    /// When it tries to come back, after it stepped out of the group because it could not read the config topic.
    out_until: Option<Instant>,
    backoff: Backoff,
    /// The task sets that connectors which run here wanted last.
    wanted: BTreeMap<String, Vec<Config>>,
    /// Task sets on their way to the leader.
    submitted: JoinSet<Submitted>,
    /// Whose they are.
    submitting: BTreeMap<task::Id, String>,
    /// Older tasks that are being kept from writing.
    fencings: Fencings,
    /// Task sets that connectors want and that are not stored, and when that is tried again.
    unstored: BTreeMap<String, Vec<Config>>,
    store_at: Instant,
    key_at: Instant,
    forget_at: Instant,
    began: Instant,
    cancel: CancellationToken,
}

impl Distributed {
    /// A herder that stops when `cancel` is cancelled.
    pub fn new(
        builder: Arc<Builder>,
        view: View,
        configs: ConfigStore,
        (membership, peers): (Membership, Arc<dyn Peers>),
        settings: GroupSettings,
        requests: mpsc::Receiver<Request>,
        cancel: CancellationToken,
    ) -> Distributed {
        let (now, place) = (Instant::now(), Place::new(settings.url.clone(), settings.protocol));
        // Before there is a group that could say otherwise, too, nothing is taken that is not signed.
        view.signs.store(place.signs(), Ordering::Relaxed);
        if !place.signs() {
            let protocol = settings.protocol.config_name();
            tracing::warn!(
                "Internal request verification will be disabled for this cluster as this worker's connect.protocol \
                 configuration has been set to '{protocol}'. If this is not intentional, either remove the \
                 'connect.protocol' configuration from the worker config file or change its value to 'sessioned'. If this \
                 configuration is left as-is, the cluster will be insecure; for more information, see KIP-507: \
                 https://cwiki.apache.org/confluence/display/KAFKA/KIP-507%3A+Securing+Internal+Connect+REST+Endpoints"
            );
        }
        Distributed {
            herd: Herd::new(builder, view, configs, BTreeMap::new(), Some(membership.session.clone())),
            place,
            assignor: IncrementalAssignor::new(settings.max_delay),
            membership,
            peers,
            settings,
            requests,
            waiting: Vec::new(),
            regrouping: true,
            preparing: None,
            revoking: false,
            rejoin_at: None,
            out_until: None,
            backoff: Backoff::default(),
            wanted: BTreeMap::new(),
            submitted: JoinSet::new(),
            submitting: BTreeMap::new(),
            fencings: Fencings::default(),
            unstored: BTreeMap::new(),
            store_at: now,
            key_at: now,
            forget_at: now,
            began: now,
            cancel,
        }
    }

    /// Takes requests until it is cancelled, then stops everything and leaves the group. An error is what the group
    /// turned this worker away with.
    pub async fn run(mut self) -> Result<(), String> {
        // A worker that knows of no connectors must not lead.
        while !self.read().await {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Ok(()),
                () = self.herd.configs.news() => {}
            }
        }
        self.herd.regroup = false;
        let ended = loop {
            // Beyond its session a worker starts nothing: it is about to be told to stop everything.
            let session = self.membership.session.clone();
            let lapsed = !session.holds() && !self.place.mine.is_empty();
            if !lapsed {
                self.herd.carry_out(Some(&self.place.mine));
            }
            self.herd.answer_waiters();
            self.look_at_stored();
            self.ask_for_rounds();
            let idle = self.herd.running.slots.holds_only(&self.place.mine);
            let ready = self.preparing.filter(|_| idle);
            let statuses = self.herd.view.statuses.clone();
            // Beyond its session nothing that it says is written.
            let flush_until = ready.filter(|_| session.holds()).map_or_else(Instant::now, |(_, until)| until);
            let patience = self.waiting.first().map(|(until, _)| *until);
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break Ok(()),
                told = self.membership.told.recv() => match told {
                    Some(Told::End(why)) => break Err(why),
                    Some(told) => self.told(told).await,
                    None => break Err("the membership has ended, which is a bug in weir".to_owned()),
                },
                arrival = self.herd.running.arrival() => {
                    if let Some((name, configs)) = self.herd.arrived(arrival, Some(&self.place.mine)) {
                        self.retask(name, configs).await;
                    }
                }
                _ = tokio::time::timeout_at(flush_until, statuses.flushed()), if ready.is_some() => self.join(),
                () = sleep_until(self.rejoin_at.unwrap_or(self.began)), if self.rejoin_at.is_some() => {
                    (self.rejoin_at, self.herd.regroup) = (None, true);
                }
                () = sleep_until(self.out_until.unwrap_or(self.began)), if self.out_until.is_some() => self.come_back().await,
                Some(done) = self.submitted.join_next_with_id() => self.was_submitted(done),
                Some((name, done)) = self.fencings.ended() => self.was_fenced(name, done).await,
                () = sleep_until(self.store_at), if !self.unstored.is_empty() => self.store_again().await,
                // What was put off is carried out.
                () = session.begun(), if lapsed => {}
                () = sleep_until(self.key_at), if self.place.leads() => self.renew_key().await,
                () = sleep_until(self.forget_at), if self.place.leads() && !self.regrouping => self.forget_what_is_gone(),
                () = sleep_until(patience.unwrap_or(self.began)), if patience.is_some() => self.lose_patience(),
                () = self.herd.configs.news() => drop(self.read().await),
                request = self.requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    None => break Ok(()),
                },
            }
        };
        self.waiting.clear();
        self.submitted.shutdown().await;
        self.fencings.give_up();
        self.herd.stop().await;
        ended
    }

    /// Reads the config topic to its end, within the time that a worker may take to catch up. Answers whether it could.
    async fn read(&mut self) -> bool {
        let failed = match timeout(self.settings.sync_timeout, self.herd.read()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("worker.sync.timeout.ms has passed".to_owned()),
        };
        if let Some(error) = &failed {
            tracing::warn!(error, "the config topic cannot be read, which is tried again");
            // There is other work to be done in between.
            self.herd.configs.put_off();
        }
        failed.is_none()
    }

    /// Wishes for a round where who runs what has to be decided anew.
    fn ask_for_rounds(&mut self) {
        if self.revoking && self.herd.running.slots.holds_only(&self.place.mine) {
            (self.revoking, self.herd.regroup) = (false, true);
        }
        if self.out_until.is_some() {
            return;
        }
        // What it joins with says how far it has read; while it prepares, that is still to be said.
        if std::mem::take(&mut self.herd.regroup) && self.preparing.is_none() {
            self.regrouping = true;
            self.wish(Wish::Rejoin);
        }
    }

    fn wish(&self, wish: Wish) {
        // A membership that has ended is noticed by what it tells.
        let _ = self.membership.wishes.send(wish);
    }

    async fn told(&mut self, told: Told) {
        match told {
            Told::Prepare(number) => {
                self.regrouping = true;
                self.membership.stats.rebalance_begins();
                self.preparing = Some((number, Instant::now() + FLUSH));
                self.place.prepare();
                self.give_up_if_lapsed();
            }
            Told::Enter(protocol) => self.place.enter(GroupProtocol::of_name(&protocol)),
            Told::Decide { generation, leader, protocol, members } => {
                if let Some(assignments) = self.decide(generation, &leader, &protocol, &members).await {
                    self.wish(Wish::Decided { generation, assignments });
                }
            }
            Told::Assigned { id, protocol, assignment } => self.assigned(id, &protocol, &assignment).await,
            Told::GiveUp => {
                tracing::warn!("this worker lost its place in the group and stops what it runs");
                self.regrouping = true;
                (self.rejoin_at, self.revoking) = (None, false);
                self.membership.stats.lost();
                self.fencings.give_up();
                self.place.give_up();
            }
            Told::End(_) => {} // the loop ends with it
        }
    }

    /// Whoever may be out of the group is silent: what it runs may be somebody else's by now. So it runs nothing then, and
    /// whatever is given to it anew is said anew. Answers whether there is something to stop.
    fn give_up_if_lapsed(&mut self) -> bool {
        if self.membership.session.holds() {
            return false;
        }
        self.herd.view.statuses.silence();
        let ran = !self.place.mine.is_empty();
        if ran {
            self.place.give_up();
        }
        ran
    }

    fn join(&mut self) {
        if self.give_up_if_lapsed() {
            return; // it says what it runs once it has stopped
        }
        let Some((number, _)) = self.preparing.take() else { return };
        let protocols = self.place.says(self.herd.configs.offset());
        self.wish(Wish::Prepared { number, protocols });
    }

    fn configured(&self) -> Work {
        let state = self.herd.view.state();
        let tasks = state.connectors().iter().flat_map(|(name, connector)| {
            (0..connector.tasks.len()).map(|index| TaskId { connector: name.clone(), index: index as u32 })
        });
        Work { connectors: state.connectors().keys().cloned().collect(), tasks: tasks.collect() }
    }

    /// What everybody is told, by this worker as the leader; none when it cannot know, and leads no longer.
    async fn decide(
        &mut self,
        generation: i32,
        leader: &str,
        protocol: &str,
        members: &[(String, Vec<u8>)],
    ) -> Option<Vec<(String, Vec<u8>)>> {
        let Some(protocol) = GroupProtocol::of_name(protocol) else { return Some(Vec::new()) };
        let mut fresh = false;
        loop {
            let work = self.configured();
            let configured = Configured { work: &work, offset: self.herd.configs.offset(), fresh };
            let completed = self.place.completed();
            let before = (completed >= 0 && completed == generation - 1).then(|| self.place.protocol());
            let question = Question { leader, generation, completed, protocol, before, members };
            match decide(&mut self.assignor, self.began.elapsed(), configured, question) {
                Decision::Read if self.read().await => fresh = true,
                Decision::Read => {
                    self.step_out();
                    return None;
                }
                Decision::Assign { assignments, owners, unreadable, again } => {
                    self.herd.regroup |= again;
                    for (member, error) in unreadable {
                        tracing::warn!(member, %error, "a member's metadata cannot be read, so it gets nothing to run");
                    }
                    self.place.owners = owners;
                    self.forget_what_is_gone();
                    return Some(assignments);
                }
            }
        }
    }

    /// States of what is configured no more are the leader's to forget (DistributedHerder.updateDeletedConnectorStatus). A
    /// last word of who ran it may come after the round, so it looks again and again.
    fn forget_what_is_gone(&mut self) {
        self.forget_at = Instant::now() + FORGET;
        let (state, statuses) = (self.herd.view.state(), &self.herd.view.statuses);
        statuses.retain(|name| state.get(name).is_some());
        for (name, connector) in state.connectors() {
            statuses.keep_tasks(name, connector.tasks.len());
        }
    }

    async fn assigned(&mut self, id: MemberId, protocol: &str, assignment: &[u8]) {
        let (Ok(assignment), Some(protocol)) = (decode_assignment(assignment), GroupProtocol::of_name(protocol)) else {
            tracing::error!("an assignment cannot be read: another one is asked for");
            self.rejoin_at = Some(Instant::now() + AGAIN);
            return;
        };
        let (offset, mismatch, generation) = (assignment.offset, assignment.mismatch, id.generation);
        if self.herd.configs.offset() < offset && !self.catch_up(offset).await {
            return self.step_out();
        }
        tracing::info!(
            generation = id.generation,
            leader = assignment.leader_url,
            connectors = ?assignment.assigned.connectors,
            tasks = assignment.assigned.tasks.len(),
            revoked = assignment.revoked.tasks.len() + assignment.revoked.connectors.len(),
            delay = ?assignment.delay,
            "joined the group"
        );
        self.herd.view.statuses.set_generation(id.generation);
        self.regrouping = false;
        self.revoking = !assignment.revoked.is_empty();
        self.rejoin_at = (!assignment.delay.is_zero()).then(|| Instant::now() + assignment.delay);
        if self.place.leader_url() != Some(&assignment.leader_url) {
            self.submit_anew();
        }
        self.place.assigned(id, protocol, assignment);
        if !self.place.leads() {
            self.fencings.give_up();
        }
        self.claim_pen().await;
        self.herd.view.reachable.send_replace(self.place.reachable());
        let signs = self.place.signs();
        if self.herd.view.signs.swap(signs, Ordering::Relaxed) != signs {
            let protocol = self.place.protocol().name();
            tracing::warn!(protocol, signs, "whether workers sign what they ask of each other has changed");
        }
        // Whoever has read further than the leader, or was told that somebody has, joins again.
        self.herd.regroup |= mismatch || self.herd.configs.offset() > offset;
        if self.place.leads() {
            self.renew_key().await;
        }
        self.membership.stats.rebalanced(self.place.now(i64::from(generation)));
        for (_, request) in std::mem::take(&mut self.waiting) {
            self.request(request).await;
        }
    }

    /// As the leader, sees to it that there is a current key for requests between workers.
    async fn renew_key(&mut self) {
        self.key_at = Instant::now() + LOOK_AT_KEY;
        let current = self.herd.view.state().session_key().is_some_and(|key| self.peers.is_current(key));
        if current || !self.place.signs() {
            return;
        }
        let written = match self.peers.new_key() {
            Ok(key) => self.herd.write(&[ConfigRecord::SessionKey(key)]).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(error, "no session key could be distributed, which is tried again");
            self.key_at = Instant::now() + AGAIN;
        }
    }

    /// Carries a request out, sends it elsewhere, or lets it wait until it is known whose it is.
    async fn request(&mut self, request: Request) {
        match self.place.whose(&request) {
            Whose::Ours if self.may_do(&request) => self.carry_out(request).await,
            _ if !self.is_settled() && self.waiting.len() < WAITING => {
                self.waiting.push((Instant::now() + PATIENCE, request));
            }
            Whose::Ours => request.refuse(self.why_not_now()),
            // What is not there is said at once: no other worker knows it either.
            Whose::Theirs(url) => match self.herd.missing(&request) {
                Some(error) => request.refuse(error),
                None => request.refuse(HerderError::Elsewhere(url)),
            },
        }
    }

    async fn carry_out(&mut self, request: Request) {
        match request {
            Request::Fence { name, answer } => self.fence(name, answer).await,
            // Whoever asked may have gone.
            Request::Claim { id, generation, answer } => drop(answer.send(self.claim(&id, generation).await)),
            request => self.herd.handle(request).await,
        }
    }

    fn why_not_now(&self) -> HerderError {
        match self.membership.session.holds() {
            true => HerderError::Rebalancing,
            false => HerderError::OutOfTouch,
        }
    }

    /// Whether it has its assignment and may write.
    fn is_settled(&self) -> bool {
        !self.regrouping && self.membership.session.holds()
    }

    fn may_do(&self, request: &Request) -> bool {
        match request {
            Request::Ping { .. } => true,
            request if request.is_anybodys() => self.membership.session.holds(),
            _ => self.is_settled(),
        }
    }

    fn lose_patience(&mut self) {
        let now = Instant::now();
        let (late, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(until, _)| *until <= now);
        self.waiting = waiting;
        let late: Vec<(Instant, Request)> = late;
        late.into_iter().for_each(|(_, request)| request.refuse(self.why_not_now()));
    }
}
