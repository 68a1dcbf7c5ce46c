//! Who may run next. Each poll of a guest's call is a turn, which ends when the call waits for something, gives way or is
//! over. As many turns are taken at a time as there are cores; who comes when all are taken has the others give way, and
//! whose turn it is then is decided by `turns`.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use weir_core::observe::GuestMeter;

use crate::engine::Ticker;
use crate::turns::{AccountId, Ticket, Turns, Wanted};

/// How soon after one another guests are made to give way.
const APART: u64 = 100_000;

/// Nanoseconds since this process first asked.
fn now() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_nanos() as u64
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Queue {
    turns: Turns,
    wakers: BTreeMap<Ticket, Waker>,
}

/// The turns of an engine's guests.
pub(crate) struct Admission {
    queue: Mutex<Queue>,
    /// By the address of what the instances of a task, or of a connector, count together: each has one of its own.
    shares: Mutex<HashMap<usize, Weak<Share>>>,
    engine: wasmtime::Engine,
    /// A guest that computes ends by it alone.
    ticker: Arc<Ticker>,
    /// When guests were made to give way last.
    gave_way: AtomicU64,
}

/// The share of one task, or of one connector, whatever instances it has.
pub(crate) struct Share {
    admission: Arc<Admission>,
    id: AccountId,
    /// Kept, so that nobody else gets its address.
    meter: Arc<GuestMeter>,
}

impl Admission {
    pub fn new(engine: wasmtime::Engine, ticker: Arc<Ticker>) -> Admission {
        let places = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let queue = Mutex::new(Queue { turns: Turns::new(places), wakers: BTreeMap::new() });
        Admission { queue, shares: Mutex::default(), engine, ticker, gave_way: AtomicU64::new(0) }
    }

    /// The share of an instance: one for all of its task's.
    pub fn share(self: &Arc<Admission>, of: &weir_core::port::Context) -> Arc<Share> {
        let mut shares = locked(&self.shares);
        if let Some(share) = shares.get(&address(&of.meter)).and_then(Weak::upgrade) {
            return share;
        }
        let (weight, cap) = (of.limits.cpu_weight, of.limits.cpu_nanos_per_second);
        let id = locked(&self.queue).turns.open(&of.tenant, weight, cap, now());
        let share = Arc::new(Share { admission: self.clone(), id, meter: of.meter.clone() });
        shares.insert(address(&of.meter), Arc::downgrade(&share));
        share
    }

    /// Changes who has which turn, and wakes who is called by that.
    fn change(&self, change: impl FnOnce(&mut Queue) -> Option<Ticket>) {
        let mut queue = locked(&self.queue);
        let called = change(&mut queue);
        let waker = called.and_then(|ticket| queue.wakers.remove(&ticket));
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How often guests were interrupted so far.
    pub fn interruptions(&self) -> u64 {
        self.ticker.ticks()
    }

    /// Has whoever runs give way, unless that was just done.
    fn make_way(&self) {
        let (now, last) = (now(), self.gave_way.load(Ordering::Relaxed));
        let is_due = now.saturating_sub(last) >= APART;
        if is_due && self.gave_way.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.ticker.tick(&self.engine);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shares = locked(&self.admission.shares);
        // Another one may have taken its place while this one went.
        if shares.get(&address(&self.meter)).is_some_and(|share| share.strong_count() == 0) {
            shares.remove(&address(&self.meter));
        }
        drop(shares);
        locked(&self.admission.queue).turns.close(self.id);
    }
}

fn address(meter: &Arc<GuestMeter>) -> usize {
    Arc::as_ptr(meter).addr()
}

enum Place {
    /// It neither runs nor waits.
    Outside,
    /// It gave way, and goes on as soon as it may.
    Kept,
    Waiting(Ticket),
    Capped(Pin<Box<Sleep>>),
}

/// The turns of one call.
pub(crate) struct Turn<'a> {
    share: &'a Share,
    meter: &'a GuestMeter,
    place: Place,
    /// Since when it wants to run and does not.
    since: Option<Instant>,
}

/// A turn that is taken. It is over when this is dropped.
pub(crate) struct Taken<'a> {
    share: &'a Share,
    /// Nanoseconds of CPU time that it took.
    pub used: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.share.admission.change(|queue| queue.turns.done(self.share.id, self.used));
    }
}

impl<'a> Turn<'a> {
    /// Keeps its place although its turn is over.
    pub fn keep(&mut self, taken: Taken<'a>) {
        self.share.charge(taken.used);
        std::mem::forget(taken);
        self.place = Place::Kept;
    }

    pub fn new(share: &'a Share, meter: &'a GuestMeter) -> Turn<'a> {
        Turn { share, meter, place: Place::Outside, since: None }
    }

    /// How often guests were interrupted so far.
    pub fn interruptions(&self) -> u64 {
        self.share.interruptions()
    }

    fn note_wait(&mut self) {
        if let Some(since) = self.since.take() {
            self.meter.admission_nanos.fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
            self.meter.admissions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for its turn. Whoever gave way by itself does not make others do so.
    pub fn poll(&mut self, context: &mut Context<'_>, gave_way: bool) -> Poll<Taken<'a>> {
        let admission = &self.share.admission;
        loop {
            match &mut self.place {
                Place::Capped(sleep) => {
                    std::task::ready!(sleep.as_mut().poll(context));
                    self.place = Place::Outside;
                }
                Place::Kept => {
                    self.place = Place::Outside;
                    if self.share.keeps(0) {
                        break;
                    }
                    // Somebody came meanwhile who goes before.
                    admission.change(|queue| queue.turns.done(self.share.id, 0));
                }
                Place::Waiting(ticket) => {
                    let mut queue = locked(&admission.queue);
                    if !queue.turns.begin(*ticket) {
                        queue.wakers.insert(*ticket, context.waker().clone());
                        return Poll::Pending;
                    }
                    self.place = Place::Outside;
                    break;
                }
                Place::Outside => {
                    let now = now();
                    let mut queue = locked(&admission.queue);
                    match queue.turns.want(self.share.id, now) {
                        Wanted::Run => break,
                        Wanted::Wait(ticket) => {
                            queue.wakers.insert(ticket, context.waker().clone());
                            drop(queue);
                            self.place = Place::Waiting(ticket);
                            self.since.get_or_insert_with(Instant::now);
                            if !gave_way {
                                admission.make_way();
                            }
                            return Poll::Pending;
                        }
                        Wanted::Capped(until) => {
                            let wait = Duration::from_nanos(until.saturating_sub(now));
                            self.since.get_or_insert_with(Instant::now);
                            self.place = Place::Capped(Box::pin(tokio::time::sleep(wait)));
                        }
                    }
                }
            }
        }
        self.note_wait();
        Poll::Ready(Taken { share: self.share, used: 0 })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.note_wait();
        match self.place {
            Place::Outside | Place::Capped(_) => {}
            Place::Kept => self.share.admission.change(|queue| queue.turns.done(self.share.id, 0)),
            Place::Waiting(ticket) => self.share.admission.change(|queue| {
                queue.wakers.remove(&ticket);
                queue.turns.give_up(ticket)
            }),
        }
    }
}

impl Share {
    /// How often guests were interrupted so far.
    pub fn interruptions(&self) -> u64 {
        self.admission.interruptions()
    }

    fn charge(&self, used: u64) {
        locked(&self.admission.queue).turns.charge(self.id, used);
    }

    /// Whether a guest that used so many nanoseconds in its turn, and has not ended, keeps its place when it gives way.
    pub fn keeps(&self, used: u64) -> bool {
        locked(&self.admission.queue).turns.keeps(self.id, used, now())
    }
}
