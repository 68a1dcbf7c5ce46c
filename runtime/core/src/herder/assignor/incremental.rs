//! Pure. Incremental cooperative assignment (KIP-415), as Connect's IncrementalCooperativeAssignor decides it: members
//! keep what they run, what a lost member ran waits for its return, and load is levelled by revoking what is too much.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use super::{Round, Told};
use crate::model::{TaskId, Work};

/// What a leader remembers from round to round.
#[derive(Clone, Debug)]
pub struct IncrementalAssignor {
    max_delay: Duration,
    /// What was assigned when the last round ended, and the generation in which that was.
    previous: Work,
    previous_generation: i32,
    previous_revocation: Work,
    previous_members: BTreeSet<String>,
    /// Members that had nothing to do while lost work waited, in the order in which they were seen: they get it first.
    candidates: Vec<String>,
    /// When the delay ends, on the clock of the rounds.
    delayed_until: Option<Duration>,
    delay: Duration,
    levelled_in_previous: bool,
    /// Rounds in a row that wanted to level load.
    levellings: u32,
}

/// What each member will run, by member id.
type Loads = BTreeMap<String, Work>;

impl IncrementalAssignor {
    /// An assignor that waits `max_delay` for lost members (`scheduled.rebalance.max.delay.ms`).
    pub fn new(max_delay: Duration) -> IncrementalAssignor {
        IncrementalAssignor {
            max_delay,
            previous: Work::default(),
            previous_generation: -1,
            previous_revocation: Work::default(),
            previous_members: BTreeSet::new(),
            candidates: Vec::new(),
            delayed_until: None,
            delay: Duration::ZERO,
            levelled_in_previous: false,
            levellings: 0,
        }
    }

    /// One round in `generation`, at `now` on any clock that does not run backwards. `completed` is the last generation
    /// whose assignments this leader handed out; `members` is what each member says that it runs.
    pub fn assign(
        &mut self,
        now: Duration,
        configured: &Work,
        completed: i32,
        generation: i32,
        members: &BTreeMap<String, Work>,
    ) -> Round {
        if self.previous_generation != completed {
            self.previous = Work::default();
        }
        let active = union(members.values());
        let revocation = mem::take(&mut self.previous_revocation);
        if !revocation.shared(&active).is_empty() {
            self.previous = active.clone();
        }
        let deleted = self.previous.without(configured);
        let duplicated = duplicated(members);
        let lost = self.previous.without(&active).without(&deleted);
        let created = configured.without(&self.previous).without(&active);

        let mut revoked: Loads = members
            .iter()
            .map(|(member, runs)| (member.clone(), runs.shared(&union([&deleted, &duplicated]))))
            .collect();
        let mut loads: Loads =
            members.iter().map(|(member, runs)| (member.clone(), runs.without(&revoked[member]))).collect();
        let found = self.lost_to_assign(now, &lost, &mut loads);
        for (member, excess) in self.levelling(now, configured, &loads) {
            if let (Some(load), Some(revoked)) = (loads.get_mut(&member), revoked.get_mut(&member)) {
                load.remove(&excess);
                revoked.add(&excess);
            }
        }
        spread(&mut loads, [&created, &found]);

        self.previous_revocation = union(revoked.values());
        self.previous = union(loads.values()).without(&self.previous_revocation);
        self.previous.add(&lost);
        self.previous_generation = generation;
        self.previous_members = members.keys().cloned().collect();
        let told = |(member, runs): (String, Work)| {
            let revoked = revoked.remove(&member).unwrap_or_default();
            let assigned = runs.without(&members[&member].without(&deleted));
            (member, Told { assigned, runs: runs.without(&revoked), revoked })
        };
        Round { members: loads.into_iter().map(told).collect(), delay: self.delay }
    }

    /// Which lost work is assigned as if it were new. While a delay runs it is none; when the delay has ended,
    /// candidates get it at once.
    fn lost_to_assign(&mut self, now: Duration, lost: &Work, loads: &mut Loads) -> Work {
        if lost.is_empty() && !self.levelled_in_previous {
            self.end_delay();
            return Work::default();
        }
        let all_are_here = self.previous_members.iter().all(|member| loads.contains_key(member));
        if (self.delayed_until.is_none() && all_are_here) || self.max_delay.is_zero() {
            return lost.clone();
        }
        match self.delayed_until {
            Some(until) if now >= until => {
                self.candidates.retain(|member| loads.contains_key(member));
                let candidates = mem::take(&mut self.candidates);
                self.end_delay();
                self.levelled_in_previous = false;
                if candidates.is_empty() {
                    return lost.clone();
                }
                for (connector, member) in lost.connectors.iter().zip(candidates.iter().cycle()) {
                    loads.entry(member.clone()).or_default().connectors.insert(connector.clone());
                }
                for (task, member) in lost.tasks.iter().zip(candidates.iter().cycle()) {
                    loads.entry(member.clone()).or_default().tasks.insert(task.clone());
                }
            }
            running => {
                let idle = loads.iter().filter(|(member, load)| load.is_empty() && !self.candidates.contains(member));
                let idle: Vec<String> = idle.map(|(member, _)| member.clone()).collect();
                self.candidates.extend(idle);
                self.delay = running.map_or(self.max_delay, |until| (until - now).min(self.max_delay));
                self.delayed_until = Some(now + self.delay);
            }
        }
        Work::default()
    }

    fn end_delay(&mut self) {
        self.candidates.clear();
        self.delayed_until = None;
        self.delay = Duration::ZERO;
    }

    /// What to revoke so that no member runs more than its share; from the second round in a row on only after a delay.
    fn levelling(&mut self, now: Duration, configured: &Work, loads: &Loads) -> Loads {
        if !self.delay.is_zero() {
            self.levelled_in_previous = false;
            return Loads::new();
        }
        let excess = excess(configured, loads);
        if excess.is_empty() {
            if self.levelled_in_previous {
                (self.levelled_in_previous, self.levellings) = (false, 0);
            }
            return excess;
        }
        if !mem::replace(&mut self.levelled_in_previous, true) {
            return excess;
        }
        self.levellings = self.levellings.saturating_add(1);
        self.delay = Duration::from_millis(40u64.saturating_pow(self.levellings)).min(self.max_delay);
        if self.delay.is_zero() {
            return excess;
        }
        self.delayed_until = Some(now + self.delay);
        Loads::new()
    }
}

fn union<'a>(works: impl IntoIterator<Item = &'a Work>) -> Work {
    let mut all = Work::default();
    works.into_iter().for_each(|work| all.add(work));
    all
}

/// What more than one member runs.
fn duplicated(members: &BTreeMap<String, Work>) -> Work {
    let (mut seen, mut twice) = (Work::default(), Work::default());
    for runs in members.values() {
        twice.add(&seen.shared(runs));
        seen.add(runs);
    }
    twice
}

/// What each member runs beyond its share, connectors and tasks each for themselves.
fn excess(configured: &Work, loads: &Loads) -> Loads {
    let mut excess = Loads::new();
    if configured.is_empty() || loads.values().all(Work::is_empty) {
        return excess;
    }
    let connectors: Vec<usize> = loads.values().map(|load| load.connectors.len()).collect();
    let tasks: Vec<usize> = loads.values().map(|load| load.tasks.len()).collect();
    let connectors = too_many(configured.connectors.len(), &connectors);
    let tasks = too_many(configured.tasks.len(), &tasks);
    for (at, (member, load)) in loads.iter().enumerate() {
        let beyond = Work {
            connectors: load.connectors.iter().take(connectors[at]).cloned().collect(),
            tasks: load.tasks.iter().take(tasks[at]).cloned().collect(),
        };
        if !beyond.is_empty() {
            excess.insert(member.clone(), beyond);
        }
    }
    excess
}

/// How many each member has too many, when `total` are spread over all so that none has two more than another.
fn too_many(total: usize, held: &[usize]) -> Vec<usize> {
    let (least, mut one_more) = (total / held.len(), total % held.len());
    let level = |count: &usize| *count == least || *count == least + 1;
    if held.iter().all(level) && held.iter().filter(|count| **count == least + 1).count() == one_more {
        return vec![0; held.len()];
    }
    let of_member = |&count: &usize| {
        if count <= least {
            return 0;
        }
        let share = if one_more > 0 { least + 1 } else { least };
        one_more = one_more.saturating_sub(1);
        count - share
    };
    held.iter().map(of_member).collect()
}

/// Gives work, in its order, to the members that have least, ties by member id.
fn spread(loads: &mut Loads, work: [&Work; 2]) {
    let connectors: Vec<String> = work.iter().flat_map(|work| work.connectors.iter().cloned()).collect();
    let tasks: Vec<TaskId> = work.iter().flat_map(|work| work.tasks.iter().cloned()).collect();
    round_robin(
        loads,
        connectors,
        |load| load.connectors.len(),
        |load, connector| {
            load.connectors.insert(connector);
        },
    );
    round_robin(
        loads,
        tasks,
        |load| load.tasks.len(),
        |load, task| {
            load.tasks.insert(task);
        },
    );
}

fn round_robin<T>(loads: &mut Loads, things: Vec<T>, count: impl Fn(&Work) -> usize, give: impl Fn(&mut Work, T)) {
    let mut members: Vec<&mut Work> = loads.values_mut().collect();
    members.sort_by_key(|load| count(load));
    let mut things = things.into_iter().peekable();
    while things.peek().is_some() {
        let Some(first) = members.first().map(|load| count(load)) else { return };
        let equal = members.iter().position(|load| count(load) > first).unwrap_or(members.len());
        for (member, thing) in members[..equal].iter_mut().zip(things.by_ref()) {
            give(member, thing);
        }
    }
}
