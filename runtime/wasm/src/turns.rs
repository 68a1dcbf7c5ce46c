//! Pure. Whose turn it is: fair queueing over a number of places, by tenant and then by task (start-time fair queueing, as
//! schedulers of CPUs do it). Who has run least for its weight goes first; who did not want to run saves nothing up. A
//! task may have a cap besides, which slows it whether or not somebody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A task, or a connector, among those that take turns.
pub type AccountId = u64;
/// A call that waits.
pub type Ticket = u64;

/// The weight of whoever says nothing.
pub const WEIGHT: u32 = 100;
/// How long a cap looks back: what was not used for longer is gone.
const CAP_WINDOW: u64 = 100_000_000;

/// What is spent, in nanoseconds of whoever has [`WEIGHT`].
type Virtual = u64;

/// Nanoseconds that somebody may have to come from before: whoever gave way, and is to wait again, had the place called out of
/// its hands.
const CREDIT: u64 = 20_000_000;

/// A bound on CPU time over time. Times are nanoseconds of one clock.
#[derive(Clone, Copy, Debug)]
struct Cap {
    /// Nanoseconds of CPU time a second.
    per_second: u64,
    /// What may be used now; less than none after a turn that took longer.
    left: i64,
    at: u64,
}

impl Cap {
    fn new(per_second: u64, now: u64) -> Cap {
        Cap { per_second, left: Cap::most(per_second), at: now }
    }

    fn most(per_second: u64) -> i64 {
        (u128::from(per_second) * u128::from(CAP_WINDOW) / 1_000_000_000) as i64
    }

    /// When there is something left; none when there is now.
    fn until(&mut self, now: u64) -> Option<u64> {
        let gained = u128::from(now.saturating_sub(self.at)) * u128::from(self.per_second) / 1_000_000_000;
        if gained > 0 {
            self.left = self.left.saturating_add(gained as i64).min(Cap::most(self.per_second));
            self.at = now;
        }
        let missing =
            u128::from(self.left.min(0).unsigned_abs() + 1) * 1_000_000_000 / u128::from(self.per_second.max(1));
        (self.left <= 0).then(|| now.saturating_add(missing as u64).max(now + 1))
    }
}

#[derive(Debug)]
struct Account {
    tenant: Arc<str>,
    weight: u32,
    spent: Virtual,
    cap: Option<Cap>,
}

#[derive(Debug, Default)]
struct Tenant {
    weight: u32,
    spent: Virtual,
    /// What the one of its tasks had spent that got a turn last.
    clock: Virtual,
    accounts: usize,
    /// By what their tasks have spent, then by who came first.
    waiting: BTreeSet<(Virtual, Ticket)>,
}

/// What becomes of who wants a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is its turn.
    Run,
    /// It waits; its ticket is called.
    Wait(Ticket),
    /// Its cap lets it try again at that time.
    Capped(u64),
}

/// Who runs, and who waits.
#[derive(Debug)]
pub struct Turns {
    places: usize,
    /// Places that are taken, by who runs or was called.
    taken: usize,
    /// What the tenant had spent that got a turn last.
    clock: Virtual,
    tenants: BTreeMap<Arc<str>, Tenant>,
    accounts: BTreeMap<AccountId, Account>,
    waiting: BTreeMap<Ticket, AccountId>,
    called: BTreeSet<Ticket>,
    next: u64,
}

fn virtual_time(nanos: u64, weight: u32) -> Virtual {
    (u128::from(nanos) * u128::from(WEIGHT) / u128::from(weight.max(1))) as u64
}

impl Turns {
    /// So many may run at a time.
    pub fn new(places: usize) -> Turns {
        Turns {
            places: places.max(1),
            taken: 0,
            clock: 0,
            tenants: BTreeMap::new(),
            accounts: BTreeMap::new(),
            waiting: BTreeMap::new(),
            called: BTreeSet::new(),
            next: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A task of a tenant is there, with a weight within it and nanoseconds of CPU time that it may use a second.
    pub fn open(&mut self, tenant: &str, weight: u32, cap: Option<u64>, now: u64) -> AccountId {
        let id = self.number();
        let tenant: Arc<str> = match self.tenants.get_key_value(tenant) {
            Some((known, _)) => known.clone(),
            None => tenant.into(),
        };
        let own = self.tenants.entry(tenant.clone()).or_insert_with(|| Tenant { weight: WEIGHT, ..Tenant::default() });
        own.accounts += 1;
        let account = Account { tenant, weight, spent: own.clock, cap: cap.map(|most| Cap::new(most, now)) };
        self.accounts.insert(id, account);
        id
    }

    /// A task is gone; it neither runs nor waits.
    pub fn close(&mut self, id: AccountId) {
        let Some(account) = self.accounts.remove(&id) else { return };
        if let Some(tenant) = self.tenants.get_mut(&account.tenant) {
            tenant.accounts -= 1;
            if tenant.accounts == 0 {
                self.tenants.remove(&account.tenant);
            }
        }
    }

    /// A task wants a turn.
    pub fn want(&mut self, id: AccountId, now: u64) -> Wanted {
        let ticket = self.number();
        let Some(account) = self.accounts.get_mut(&id) else { return Wanted::Run };
        if let Some(until) = account.cap.as_mut().and_then(|cap| cap.until(now)) {
            return Wanted::Capped(until);
        }
        let Some(tenant) = self.tenants.get_mut(&account.tenant) else { return Wanted::Run };
        // Who did not want to run has next to no more to come than who did.
        account.spent = account.spent.max(tenant.clock.saturating_sub(virtual_time(CREDIT, account.weight)));
        if tenant.waiting.is_empty() {
            tenant.spent = tenant.spent.max(self.clock.saturating_sub(virtual_time(CREDIT, tenant.weight)));
        }
        if self.taken < self.places {
            self.taken += 1;
            (tenant.clock, self.clock) = (tenant.clock.max(account.spent), self.clock.max(tenant.spent));
            return Wanted::Run;
        }
        tenant.waiting.insert((account.spent, ticket));
        self.waiting.insert(ticket, id);
        Wanted::Wait(ticket)
    }

    /// A task used so many nanoseconds.
    pub fn charge(&mut self, id: AccountId, used: u64) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        account.spent += virtual_time(used, account.weight);
        if let Some(cap) = &mut account.cap {
            cap.left = cap.left.saturating_sub_unsigned(used);
        }
        if let Some(tenant) = self.tenants.get_mut(&account.tenant) {
            tenant.spent += virtual_time(used, tenant.weight);
        }
    }

    /// Whether a task that used so many nanoseconds, and wants more, keeps its place: its cap lets it, and nobody who waits
    /// goes before it.
    pub fn keeps(&mut self, id: AccountId, used: u64, now: u64) -> bool {
        self.charge(id, used);
        let Some(account) = self.accounts.get_mut(&id) else { return false };
        if account.cap.as_mut().is_some_and(|cap| cap.until(now).is_some()) {
            return false;
        }
        let Some(own) = self.tenants.get(&account.tenant).map(|own| own.spent) else { return false };
        let mut wanting = self.tenants.iter().filter(|(_, tenant)| !tenant.waiting.is_empty());
        let somebody_goes_before = !self.waiting.is_empty()
            && wanting.any(|(name, tenant)| match *name == account.tenant {
                true => tenant.waiting.first().is_some_and(|(spent, _)| *spent < account.spent),
                false => tenant.spent < own,
            });
        if somebody_goes_before {
            return false;
        }
        // Who comes later begins where this one is, not where it was when it got its place.
        if let Some(tenant) = self.tenants.get_mut(&account.tenant) {
            tenant.clock = tenant.clock.max(account.spent);
        }
        self.clock = self.clock.max(own);
        true
    }

    /// A task's turn is over, in which it used so many nanoseconds; who is called next, if somebody waits.
    pub fn done(&mut self, id: AccountId, used: u64) -> Option<Ticket> {
        self.charge(id, used);
        self.taken -= 1;
        self.call()
    }

    fn call(&mut self) -> Option<Ticket> {
        if self.waiting.is_empty() {
            return None;
        }
        let wants = self.tenants.values_mut().filter(|tenant| !tenant.waiting.is_empty());
        let tenant = wants.min_by_key(|tenant| tenant.spent)?;
        let (spent, ticket) = tenant.waiting.pop_first()?;
        (tenant.clock, self.clock) = (tenant.clock.max(spent), self.clock.max(tenant.spent));
        self.waiting.remove(&ticket);
        self.called.insert(ticket);
        self.taken += 1;
        Some(ticket)
    }

    /// Whether a ticket was called: then its turn begins.
    pub fn begin(&mut self, ticket: Ticket) -> bool {
        self.called.remove(&ticket)
    }

    /// Who waited does so no more; who is called in its place, if its turn had come.
    pub fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.called.remove(&ticket) {
            self.taken -= 1;
            return self.call();
        }
        let id = self.waiting.remove(&ticket)?;
        let tenant = self.tenants.get_mut(&self.accounts.get(&id)?.tenant)?;
        tenant.waiting.retain(|(_, other)| *other != ticket);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// Tasks that always want to run, for a second of one place in turns of ten milliseconds; what each got.
    fn shared(turns: &mut Turns, ids: &[AccountId]) -> Vec<u64> {
        let mut got = vec![0; ids.len()];
        let mut waiting: BTreeMap<Ticket, usize> = BTreeMap::new();
        let (mut running, mut now) = (None, 0);
        for (at, id) in ids.iter().enumerate() {
            match turns.want(*id, now) {
                Wanted::Run => running = Some(at),
                Wanted::Wait(ticket) => _ = waiting.insert(ticket, at),
                Wanted::Capped(_) => unreachable!("nobody has used anything"),
            }
        }
        let mut capped: Vec<(u64, usize)> = Vec::new();
        while now < 1_000 * MILLI {
            let Some(at) = running.take() else {
                now += MILLI;
                let (due, later) = capped.into_iter().partition(|(until, _)| *until <= now);
                capped = later;
                let due: Vec<(u64, usize)> = due;
                for (_, at) in due {
                    match turns.want(ids[at], now) {
                        Wanted::Run => running = Some(at),
                        Wanted::Wait(ticket) => _ = waiting.insert(ticket, at),
                        Wanted::Capped(until) => capped.push((until, at)),
                    }
                }
                continue;
            };
            now += 10 * MILLI;
            got[at] += 10;
            if turns.keeps(ids[at], 10 * MILLI, now) {
                running = Some(at);
                continue;
            }
            let called = turns.done(ids[at], 0);
            match turns.want(ids[at], now) {
                Wanted::Run => running = Some(at),
                Wanted::Wait(ticket) => _ = waiting.insert(ticket, at),
                Wanted::Capped(until) => capped.push((until, at)),
            }
            if let Some(ticket) = called {
                assert!(turns.begin(ticket));
                running = waiting.remove(&ticket);
            }
        }
        got
    }

    #[test]
    fn equal_tasks_get_equal_shares_and_weights_make_them_unequal() {
        let mut turns = Turns::new(1);
        let ids = [100, 100, 200].map(|weight| turns.open("", weight, None, 0));
        let got = shared(&mut turns, &ids);
        assert!(got[0].abs_diff(250) <= 10 && got[1].abs_diff(250) <= 10 && got[2].abs_diff(500) <= 20, "{got:?}");
    }

    #[test]
    fn a_tenant_with_many_tasks_has_no_more_than_one_with_one() {
        let mut turns = Turns::new(1);
        let mut ids = vec![turns.open("a", WEIGHT, None, 0)];
        ids.extend((0..9).map(|_| turns.open("b", WEIGHT, None, 0)));
        let got = shared(&mut turns, &ids);
        assert!(got[0].abs_diff(500) <= 20, "{got:?}");
        assert!(got[1..].iter().all(|got| got.abs_diff(55) <= 15), "{got:?}");
    }

    #[test]
    fn a_cap_holds_whether_or_not_somebody_waits() {
        let mut turns = Turns::new(1);
        let alone = turns.open("", WEIGHT, Some(250 * MILLI), 0);
        let got = shared(&mut turns, &[alone]);
        // A fourth of a second, and what it had saved up.
        assert!(got[0] >= 240 && got[0] <= 290, "{got:?}");
        let mut turns = Turns::new(1);
        let ids = [Some(100 * MILLI), None].map(|cap| turns.open("", WEIGHT, cap, 0));
        let got = shared(&mut turns, &ids);
        assert!(got[0] <= 130 && got[1] >= 860, "{got:?}");
    }

    #[test]
    fn who_wants_to_run_again_after_a_pause_goes_first_and_has_saved_nothing_up() {
        let mut turns = Turns::new(1);
        let [spins, sleeps] = [(); 2].map(|()| turns.open("", WEIGHT, None, 0));
        for _ in 0..100 {
            assert_eq!(turns.want(spins, 0), Wanted::Run);
            assert_eq!(turns.done(spins, 10 * MILLI), None);
        }
        assert_eq!(turns.want(spins, 0), Wanted::Run);
        let Wanted::Wait(first) = turns.want(sleeps, 0) else { panic!("the place is taken") };
        assert_eq!(turns.done(spins, 10 * MILLI), Some(first));
        let Wanted::Wait(second) = turns.want(spins, 0) else { panic!("the place is promised") };
        assert!(turns.begin(first));
        // A thousand milliseconds behind, it is not let run for a thousand.
        assert_eq!(turns.done(sleeps, 20 * MILLI), Some(second));
    }

    #[test]
    fn who_gives_up_leaves_its_turn_to_the_next() {
        let mut turns = Turns::new(1);
        let ids = [(); 3].map(|()| turns.open("", WEIGHT, None, 0));
        assert_eq!(turns.want(ids[0], 0), Wanted::Run);
        let [Wanted::Wait(first), Wanted::Wait(second)] = [ids[1], ids[2]].map(|id| turns.want(id, 0)) else {
            panic!("both wait")
        };
        assert_eq!(turns.done(ids[0], 1), Some(first));
        assert_eq!(turns.give_up(first), Some(second), "it was called and does not come");
        assert!(turns.begin(second) && !turns.begin(first));
        let Wanted::Wait(third) = turns.want(ids[1], 0) else { panic!("it waits") };
        assert_eq!(turns.give_up(third), None);
        assert_eq!(turns.done(ids[2], 1), None, "nobody waits any more");
        assert_eq!(turns.want(ids[0], 0), Wanted::Run);
    }

    #[test]
    fn who_has_used_least_keeps_its_place() {
        let mut turns = Turns::new(1);
        let [heavy, light] = [300, 100].map(|weight| turns.open("", weight, None, 0));
        assert_eq!(turns.want(heavy, 0), Wanted::Run);
        assert!(turns.keeps(heavy, 9 * MILLI, 0), "nobody waits");
        let Wanted::Wait(ticket) = turns.want(light, 0) else { panic!("the place is taken") };
        assert!(!turns.keeps(heavy, 1, 0));
        assert_eq!(turns.done(heavy, 0), Some(ticket));
        assert!(turns.begin(ticket));
        let Wanted::Wait(_) = turns.want(heavy, 0) else { panic!("the place is taken") };
        assert!(turns.keeps(light, 2 * MILLI, 0), "a third as heavy, it has used less than a third of that");
        assert!(!turns.keeps(light, 2 * MILLI, 0));
    }

    #[test]
    fn who_comes_late_is_not_given_what_others_used_before() {
        let mut turns = Turns::new(1);
        let early = turns.open("a", WEIGHT, None, 0);
        assert_eq!(turns.want(early, 0), Wanted::Run);
        (0..100).for_each(|_| assert!(turns.keeps(early, 10 * MILLI, 0)));
        for tenant in ["a", "b"] {
            let late = turns.open(tenant, WEIGHT, None, 0);
            let Wanted::Wait(ticket) = turns.want(late, 0) else { panic!("the place is taken") };
            assert!(!turns.keeps(early, MILLI, 0), "{tenant}");
            assert_eq!(turns.done(early, 0), Some(ticket));
            assert!(turns.begin(ticket));
            let Wanted::Wait(again) = turns.want(early, 0) else { panic!("the place is taken") };
            let kept = (0..100).take_while(|_| turns.keeps(late, 10 * MILLI, 0)).count();
            assert!(kept <= 4, "{tenant}: it kept its place for {kept} turns");
            assert_eq!(turns.done(late, 0), Some(again));
            assert!(turns.begin(again));
        }
    }

    #[test]
    fn tenants_go_with_their_last_task() {
        let mut turns = Turns::new(2);
        let ids = ["a", "a", "b"].map(|tenant| turns.open(tenant, WEIGHT, None, 0));
        assert_eq!(turns.tenants.len(), 2);
        ids.into_iter().for_each(|id| turns.close(id));
        assert!(turns.tenants.is_empty() && turns.accounts.is_empty());
    }
}
