//! Pure. The member itself.

use std::time::Duration;

use crate::port::{Joined, MemberId, Refused};

use super::{Effect, Event, Timings};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody knows the coordinator since `since`; `asking` while a question is out, else from `again` on.
    Seeking { since: Duration, asking: bool, again: Duration },
    /// The herder gets ready.
    Preparing,
    /// A join is out.
    Joining,
    /// A join was refused and is tried again at `again`, with whatever it runs by then.
    Waiting { again: Duration },
    /// The herder decides.
    Deciding { protocol: String },
    /// A sync is out.
    Syncing { protocol: String },
    /// It has its assignment.
    Stable,
    /// It stepped out of the group until the herder wants to join again, and whether it has left by now.
    Out { left: bool },
    /// It left, or ended.
    Gone,
}

/// The member.
#[derive(Clone, Debug)]
pub struct Member {
    timings: Timings,
    phase: Phase,
    id: String,
    /// Below zero while it is in no generation.
    generation: i32,
    /// Whether the herder may be running something.
    holds: bool,
    rejoin: bool,
    /// Whether it has given up what it said, when it joined, that it runs: the round goes by what it said.
    said_too_much: bool,
    beating: bool,
    last_beat: Duration,
    /// Since when it may say that the coordinator is silent.
    last_answer: Duration,
    /// When the join or sync that is out was sent.
    asked: Duration,
    /// When it sent what the group last answered it as a member. (When the answer came says nothing: it may have been on its
    /// way, or this process stopped, for longer than a session.)
    confirmed: Duration,
    /// When it sent what was answered last as by a group in which no round was under way. Whoever does not join a round in
    /// time is put out of the group, however often it beats.
    settled: Duration,
}

impl Member {
    /// A member that is in no group yet, and what it does first.
    pub fn new(timings: Timings, now: Duration) -> (Member, Vec<Effect>) {
        let member = Member {
            timings,
            phase: Phase::Seeking { since: now, asking: true, again: now },
            id: String::new(),
            generation: -1,
            holds: false,
            rejoin: true,
            said_too_much: false,
            beating: false,
            last_beat: now,
            last_answer: now,
            asked: now,
            confirmed: now,
            settled: now,
        };
        (member, vec![Effect::Find])
    }

    /// Whether it has an assignment of the generation that it is in.
    pub fn is_stable(&self) -> bool {
        self.phase == Phase::Stable && !self.rejoin
    }

    /// Until when it may take itself for a member, if the coordinator does not answer again; none when it is none.
    pub fn session_until(&self) -> Option<Duration> {
        let until = (self.confirmed + self.timings.session).min(self.settled + self.timings.rebalance);
        (self.generation >= 0).then_some(until)
    }

    /// When [`Event::Tick`] is due.
    pub fn wake_at(&self) -> Option<Duration> {
        let beat = (self.beats() && !self.beating).then_some(self.last_beat + self.timings.heartbeat);
        let expiry = self.beats().then_some(self.last_answer + self.timings.session);
        let lapse = self.lapses_at();
        let own = match self.phase {
            Phase::Seeking { since, asking, again } => {
                let give_up = self.holds.then_some(since + self.timings.heartbeat);
                [give_up, (!asking).then_some(again)].into_iter().flatten().min()
            }
            Phase::Waiting { again } => Some(again),
            _ => None,
        };
        [beat, expiry, lapse, own].into_iter().flatten().min()
    }

    /// Takes note of an event and says what to do.
    pub fn on(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Leave => self.leave(&mut effects),
            _ if self.phase == Phase::Gone => {}
            Event::Rejoin => {
                self.rejoin = true;
                self.come_back(now, &mut effects);
                self.settle(&mut effects);
            }
            Event::StepOut => self.step_out(&mut effects),
            Event::Left => {
                if matches!(self.phase, Phase::Out { .. }) {
                    self.phase = Phase::Out { left: true };
                    self.come_back(now, &mut effects);
                }
            }
            Event::Tick => self.tick(now, &mut effects),
            Event::Found(answer) => self.found(now, answer, &mut effects),
            Event::Prepared => {
                if self.phase == Phase::Preparing {
                    self.join(now, &mut effects);
                }
            }
            Event::Joined(answer) => self.joined(now, answer, &mut effects),
            Event::Decided { generation, assignments } => {
                if let (Phase::Deciding { protocol }, true) = (&self.phase, generation == self.generation) {
                    self.phase = Phase::Syncing { protocol: protocol.clone() };
                    effects.push(self.sync(now, assignments));
                }
            }
            Event::Synced(answer) => self.synced(now, answer, &mut effects),
            Event::Beaten(answer) => self.beaten(now, answer, &mut effects),
        }
        effects
    }

    /// Whether it is in a generation and the coordinator is known, so that heartbeats are due: also while its join waits for
    /// others, who may take longer than a session. (Connect's do not beat then, and take themselves for members.)
    fn beats(&self) -> bool {
        match self.phase {
            Phase::Preparing | Phase::Joining | Phase::Deciding { .. } | Phase::Syncing { .. } | Phase::Stable => {
                self.generation >= 0
            }
            Phase::Seeking { .. } | Phase::Waiting { .. } | Phase::Out { .. } | Phase::Gone => false,
        }
    }

    /// When it has to stop what it runs unless it is confirmed before: it may be out by then, and an answer to a beat that
    /// is on its way does not make it a member again. Once its join is answered, the sync after it says what is so.
    fn lapses_at(&self) -> Option<Duration> {
        let may_be_out = matches!(self.phase, Phase::Stable | Phase::Preparing | Phase::Joining);
        self.session_until().filter(|_| may_be_out && self.holds)
    }

    fn id(&self) -> MemberId {
        MemberId { member: self.id.clone(), generation: self.generation }
    }

    fn sync(&mut self, now: Duration, assignments: Vec<(String, Vec<u8>)>) -> Effect {
        self.asked = now;
        Effect::Sync { id: self.id(), assignments }
    }

    fn leave(&mut self, effects: &mut Vec<Effect>) {
        if !self.id.is_empty() && !matches!(self.phase, Phase::Gone | Phase::Seeking { .. } | Phase::Out { .. }) {
            effects.push(Effect::Leave(self.id.clone()));
        }
        self.phase = Phase::Gone;
    }

    /// Leaves the group, which need not wait for it then. What it ran others may be told to run.
    fn step_out(&mut self, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Out { .. }) {
            // A coordinator that nobody knows puts it out by itself.
            let known = !matches!(self.phase, Phase::Seeking { .. });
            let id = std::mem::take(&mut self.id);
            effects.push(Effect::StepOut(if known { id } else { String::new() }));
            (self.phase, self.generation, self.beating) = (Phase::Out { left: false }, -1, false);
            if self.holds {
                self.give_up(effects);
            }
        }
        self.rejoin = false;
    }

    /// Looks for its group again, once it has left and the herder wants to join.
    fn come_back(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.rejoin && self.phase == (Phase::Out { left: true }) {
            self.lose_coordinator(now, effects);
        }
    }

    fn end(&mut self, why: String, effects: &mut Vec<Effect>) {
        self.phase = Phase::Gone;
        effects.push(Effect::End(why));
    }

    fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.beats() && now >= self.last_answer + self.timings.session {
            // The coordinator has put it out by now, and says so once it is found.
            self.lose_coordinator(now, effects);
            if self.holds {
                self.give_up(effects);
            }
            return;
        }
        if self.lapses_at().is_some_and(|at| now >= at) {
            self.give_up(effects);
            self.settle(effects);
        }
        if self.beats() && !self.beating && now >= self.last_beat + self.timings.heartbeat {
            (self.beating, self.last_beat) = (true, now);
            effects.push(Effect::Beat(self.id()));
        }
        match self.phase {
            Phase::Seeking { since, asking, again } => {
                if self.holds && now >= since + self.timings.heartbeat {
                    self.give_up(effects);
                }
                if !asking && now >= again {
                    self.phase = Phase::Seeking { since, asking: true, again };
                    effects.push(Effect::Find);
                }
            }
            Phase::Waiting { again } if now >= again => self.prepare(effects),
            _ => {}
        }
    }

    fn answered(&mut self, now: Duration, sent: Duration) {
        (self.last_answer, self.confirmed) = (now, self.confirmed.max(sent));
    }

    /// The same, by a group in which no round is under way.
    fn settled(&mut self, now: Duration, sent: Duration) {
        self.answered(now, sent);
        self.settled = self.settled.max(sent);
    }

    /// What it ran may be given to others from now on, so it says at the next join that it runs nothing.
    fn give_up(&mut self, effects: &mut Vec<Effect>) {
        (self.holds, self.rejoin, self.said_too_much) = (false, true, true);
        effects.push(Effect::GiveUp);
    }

    fn lose_coordinator(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.beating = false;
        self.rejoin |= self.phase != Phase::Stable;
        self.phase = Phase::Seeking { since: now, asking: true, again: now };
        effects.push(Effect::Find);
    }

    fn expelled(&mut self, effects: &mut Vec<Effect>) {
        (self.id, self.generation, self.rejoin) = (String::new(), -1, true);
        if self.holds {
            self.give_up(effects);
        }
    }

    /// Joins when that is wanted and nothing else is under way.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        if self.rejoin && self.phase == Phase::Stable {
            self.prepare(effects);
        }
    }

    fn prepare(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Preparing;
        effects.push(Effect::Prepare);
    }

    fn join(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        (self.beating, self.asked, self.said_too_much) = (false, now, false);
        self.phase = Phase::Joining;
        effects.push(Effect::Join(self.id.clone()));
    }

    fn found(&mut self, now: Duration, answer: Result<(), Refused>, effects: &mut Vec<Effect>) {
        let Phase::Seeking { since, .. } = self.phase else { return };
        match answer {
            Ok(()) => {
                // Whether it is still a member it hears by a beat at once; that there is a coordinator proves nothing.
                (self.beating, self.last_beat) = (false, now.saturating_sub(self.timings.heartbeat));
                self.last_answer = now;
                self.phase = Phase::Stable;
                self.settle(effects);
            }
            Err(Refused::Fatal(why)) => self.end(why, effects),
            Err(_) => self.phase = Phase::Seeking { since, asking: false, again: now + self.timings.retry },
        }
    }

    fn joined(&mut self, now: Duration, answer: Result<Joined, Refused>, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Joining {
            return;
        }
        match answer {
            Ok(joined) => {
                (self.id, self.generation, self.rejoin) = (joined.member, joined.generation, self.said_too_much);
                (self.beating, self.last_beat) = (false, now);
                self.settled(now, self.asked);
                effects.push(Effect::Enter(joined.protocol.clone()));
                if joined.leader == self.id {
                    let (protocol, members) = (joined.protocol.clone(), joined.members);
                    self.phase = Phase::Deciding { protocol: joined.protocol };
                    effects.push(Effect::Decide { id: self.id(), protocol, members });
                } else {
                    self.phase = Phase::Syncing { protocol: joined.protocol };
                    effects.push(self.sync(now, Vec::new()));
                }
            }
            Err(Refused::IdRequired(id)) => {
                self.id = id;
                self.join(now, effects);
            }
            Err(Refused::Expelled) => {
                self.expelled(effects);
                self.phase = Phase::Waiting { again: now + self.timings.retry };
            }
            Err(Refused::Loading | Refused::Rebalancing) => {
                self.phase = Phase::Waiting { again: now + self.timings.retry };
            }
            Err(Refused::NoCoordinator) => self.lose_coordinator(now, effects),
            Err(Refused::Fatal(why)) => self.end(why, effects),
        }
    }

    fn synced(&mut self, now: Duration, answer: Result<Vec<u8>, Refused>, effects: &mut Vec<Effect>) {
        let Phase::Syncing { protocol } = &self.phase else { return };
        let protocol = protocol.clone();
        match answer {
            Ok(assignment) => {
                (self.phase, self.holds) = (Phase::Stable, true);
                self.settled(now, self.asked);
                effects.push(Effect::Assigned { id: self.id(), protocol, assignment });
                self.settle(effects);
            }
            Err(Refused::Fatal(why)) => self.end(why, effects),
            Err(refused) => self.join_anew(now, self.asked, refused, effects),
        }
    }

    fn beaten(&mut self, now: Duration, answer: Result<(), Refused>, effects: &mut Vec<Effect>) {
        // An answer to a beat of before the last join says nothing about this generation.
        if !self.beats() || !std::mem::take(&mut self.beating) {
            return;
        }
        match answer {
            Ok(()) => self.settled(now, self.last_beat),
            Err(Refused::Loading) => {}
            Err(Refused::Fatal(why)) => self.end(why, effects),
            Err(Refused::Rebalancing) if self.phase != Phase::Stable => self.answered(now, self.last_beat),
            // What is so its join is told.
            Err(_) if self.phase == Phase::Joining => {}
            Err(refused) => self.join_anew(now, self.last_beat, refused, effects),
        }
    }

    /// After a sync or a beat was refused.
    fn join_anew(&mut self, now: Duration, sent: Duration, refused: Refused, effects: &mut Vec<Effect>) {
        if refused == Refused::NoCoordinator {
            return self.lose_coordinator(now, effects);
        }
        self.rejoin = true;
        match refused {
            Refused::Expelled => self.expelled(effects),
            Refused::Rebalancing => self.answered(now, sent),
            Refused::Loading | Refused::NoCoordinator | Refused::IdRequired(_) | Refused::Fatal(_) => {
                self.last_answer = now;
            }
        }
        if self.phase != Phase::Preparing {
            self.phase = Phase::Stable;
            self.settle(effects);
        } else if self.generation < 0 {
            // What the herder was about to say, that it still runs things, is no longer so.
            self.prepare(effects);
        }
    }
}

#[cfg(test)]
mod tests;
