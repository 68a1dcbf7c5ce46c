//! Worker groups in memory: a coordinator of the classic group protocol, as Kafka's GroupCoordinator is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;
use weir_core::port::{Coordinator, Joined, MemberId, Refused};

/// Groups of workers, for members in this process.
#[derive(Clone, Default)]
pub struct WorkerGroups {
    groups: Arc<Mutex<BTreeMap<String, Arc<Shared>>>>,
}

impl WorkerGroups {
    /// A group's coordinator as a member with these time-outs speaks to it.
    pub fn coordinator(&self, group: &str, session: Duration, rebalance: Duration) -> MemoryCoordinator {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = groups.entry(group.to_owned()).or_default().clone();
        MemoryCoordinator { shared, timeouts: Timeouts { session, rebalance } }
    }
}

/// A group in memory, as one member speaks to it.
pub struct MemoryCoordinator {
    shared: Arc<Shared>,
    timeouts: Timeouts,
}

#[derive(Default)]
struct Shared {
    group: Mutex<Group>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Timeouts {
    session: Duration,
    rebalance: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Empty,
    /// Members join until this time at most.
    Joining {
        until: Instant,
    },
    /// The leader decides.
    Deciding,
    Stable,
}

#[derive(Debug)]
struct Member {
    protocols: Vec<(String, Vec<u8>)>,
    timeouts: Timeouts,
    /// Whether it has joined the round that is gathered.
    joined: bool,
    /// When it is put out, while it is not waiting for an answer.
    expires: Instant,
    assignment: Vec<u8>,
}

#[derive(Debug, Default)]
struct Group {
    phase: Phase,
    generation: i32,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Ids that were given out and not used yet.
    promised: BTreeSet<String>,
    given: u64,
}

impl Group {
    /// Puts out whom time has run out for, and ends a round that is complete or late.
    fn pass_time(&mut self, now: Instant) {
        let gathering = matches!(self.phase, Phase::Joining { .. });
        let silent = |member: &Member| now >= member.expires && !(gathering && member.joined);
        let before = self.members.len();
        self.members.retain(|_, member| !silent(member));
        if self.members.len() < before {
            self.gather(now);
        }
        let Phase::Joining { until } = self.phase else { return };
        if now >= until {
            self.members.retain(|_, member| member.joined);
        }
        if self.members.values().all(|member| member.joined) {
            self.complete(now);
        }
    }

    /// Begins a round, unless one is being gathered.
    fn gather(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Joining { .. }) {
            let longest = self.members.values().map(|member| member.timeouts.rebalance).max().unwrap_or_default();
            self.phase = Phase::Joining { until: now + longest };
            self.members.values_mut().for_each(|member| member.joined = false);
        }
    }

    fn complete(&mut self, now: Instant) {
        let Some(first) = self.members.keys().next().cloned() else {
            self.phase = Phase::Empty;
            return;
        };
        self.generation += 1;
        self.phase = Phase::Deciding;
        if !self.members.contains_key(&self.leader) {
            self.leader = first;
        }
        for member in self.members.values_mut() {
            (member.expires, member.assignment) = (now + member.timeouts.session, Vec::new());
        }
        let known = |name: &String| self.members.values().all(|m| m.protocols.iter().any(|(n, _)| n == name));
        let best = self.members[&self.leader].protocols.iter().map(|(name, _)| name).find(|name| known(name));
        self.protocol = best.cloned().unwrap_or_default(); // joins see to it that there is one
    }

    fn join(
        &mut self,
        now: Instant,
        id: &str,
        protocols: &[(String, Vec<u8>)],
        timeouts: Timeouts,
    ) -> Result<(), Refused> {
        self.pass_time(now);
        let shared = |(name, _): &(String, Vec<u8>)| {
            self.members
                .iter()
                .filter(|(other, _)| *other != id)
                .all(|(_, m)| m.protocols.iter().any(|(n, _)| n == name))
        };
        if !protocols.iter().any(shared) {
            return Err(Refused::Fatal(
                "The group member's supported protocols are incompatible with those of existing members".into(),
            ));
        }
        if id.is_empty() {
            self.given += 1;
            let id = format!("connect-{}", self.given);
            self.promised.insert(id.clone());
            return Err(Refused::IdRequired(id));
        }
        if !self.promised.remove(id) && !self.members.contains_key(id) {
            return Err(Refused::Expelled);
        }
        let same = self.members.get(id).is_some_and(|member| member.protocols == protocols);
        let settled = matches!(self.phase, Phase::Stable | Phase::Deciding);
        if same && settled && (self.phase == Phase::Deciding || id != self.leader) {
            return Ok(()); // it did not hear the answer, or has nothing new to say
        }
        self.gather(now);
        let joined = Member {
            protocols: protocols.to_vec(),
            timeouts,
            joined: true,
            expires: now + timeouts.session,
            assignment: Vec::new(),
        };
        self.members.insert(id.to_owned(), joined);
        if let (Phase::Joining { until }, true) = (&mut self.phase, self.members.len() == 1) {
            *until = now + timeouts.rebalance;
        }
        self.pass_time(now);
        Ok(())
    }

    /// What a member that has joined is told, once the round is complete.
    fn joined(&mut self, now: Instant, id: &str) -> Option<Result<Joined, Refused>> {
        self.pass_time(now);
        if !self.members.contains_key(id) {
            return Some(Err(Refused::Expelled));
        }
        if matches!(self.phase, Phase::Joining { .. }) {
            return None;
        }
        let metadata = |member: &Member| {
            let named = member.protocols.iter().find(|(name, _)| *name == self.protocol);
            named.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
        };
        let all = || self.members.iter().map(|(id, member)| (id.clone(), metadata(member))).collect();
        Some(Ok(Joined {
            member: id.to_owned(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: if id == self.leader { all() } else { Vec::new() },
        }))
    }

    fn checked(&mut self, now: Instant, id: &MemberId) -> Result<(), Refused> {
        self.pass_time(now);
        let generation = self.generation;
        let member = self.members.get_mut(&id.member).filter(|_| id.generation == generation);
        let member = member.ok_or(Refused::Expelled)?;
        member.expires = now + member.timeouts.session;
        if matches!(self.phase, Phase::Joining { .. }) { Err(Refused::Rebalancing) } else { Ok(()) }
    }

    fn decide(&mut self, id: &MemberId, assignments: &[(String, Vec<u8>)]) {
        if self.phase != Phase::Deciding || id.member != self.leader {
            return;
        }
        for (member, assignment) in assignments {
            if let Some(member) = self.members.get_mut(member) {
                member.assignment.clone_from(assignment);
            }
        }
        self.phase = Phase::Stable;
    }

    /// What a member that asked for its assignment is told, once the leader has decided.
    fn synced(&mut self, now: Instant, id: &MemberId) -> Option<Result<Vec<u8>, Refused>> {
        match self.checked(now, id) {
            Err(refused) => Some(Err(refused)),
            Ok(()) if self.phase == Phase::Stable => Some(Ok(self.members[&id.member].assignment.clone())),
            Ok(()) => None,
        }
    }

    fn leave(&mut self, now: Instant, id: &str) {
        self.promised.remove(id);
        if self.members.remove(id).is_some() {
            self.gather(now);
        }
        self.pass_time(now);
    }

    /// When time alone may change something.
    fn next(&self) -> Option<Instant> {
        let until = match self.phase {
            Phase::Joining { until } => Some(until),
            Phase::Empty | Phase::Deciding | Phase::Stable => None,
        };
        // Whoever has joined the round is waited for by nobody.
        let awaited = self.members.values().filter(|member| until.is_none() || !member.joined);
        awaited.map(|member| member.expires).chain(until).min()
    }
}

impl Shared {
    fn act<T>(&self, act: impl FnOnce(&mut Group, Instant) -> T) -> T {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (group.phase, group.generation, group.members.len());
        let acted = act(&mut group, Instant::now());
        if before != (group.phase, group.generation, group.members.len()) {
            self.changed.notify_waiters();
        }
        acted
    }

    /// Asks until there is an answer.
    async fn wait<T>(&self, mut ask: impl FnMut(&mut Group, Instant) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let (answer, next) = self.act(|group, now| (ask(group, now), group.next()));
            match (answer, next) {
                (Some(answer), _) => return answer,
                (None, Some(next)) => _ = tokio::time::timeout_at(next, changed).await,
                (None, None) => changed.await,
            }
        }
    }
}

#[async_trait]
impl Coordinator for MemoryCoordinator {
    async fn find(&self) -> Result<(), Refused> {
        Ok(())
    }

    async fn join(&self, member: &str, protocols: &[(String, Vec<u8>)]) -> Result<Joined, Refused> {
        self.shared.act(|group, now| group.join(now, member, protocols, self.timeouts))?;
        self.shared.wait(|group, now| group.joined(now, member)).await
    }

    async fn sync(&self, id: &MemberId, assignments: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Refused> {
        self.shared.act(|group, now| {
            group.checked(now, id)?;
            group.decide(id, assignments);
            Ok(())
        })?;
        self.shared.wait(|group, now| group.synced(now, id)).await
    }

    async fn heartbeat(&self, id: &MemberId) -> Result<(), Refused> {
        self.shared.act(|group, now| group.checked(now, id))
    }

    async fn leave(&self, member: &str) {
        self.shared.act(|group, now| group.leave(now, member));
    }
}
