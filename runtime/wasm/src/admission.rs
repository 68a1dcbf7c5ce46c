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
use weir_core::model::Limits;
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

impl Queue {
    fn wake(&mut self, called: Option<Ticket>) {
        if let Some(waker) = called.and_then(|ticket| self.wakers.remove(&ticket)) {
            waker.wake();
        }
    }
}

/// The turns of an engine's guests.
pub(crate) struct Admission {
    queue: Mutex<Queue>,
    shares: Mutex<HashMap<Arc<str>, Weak<Share>>>,
    engine: wasmtime::Engine,
    /// A guest that computes ends by it alone.
    _ticker: Arc<Ticker>,
    /// When guests were made to give way last.
    gave_way: AtomicU64,
}

/// The share of one task, or of one connector, whatever instances it has.
pub(crate) struct Share {
    admission: Arc<Admission>,
    owner: Arc<str>,
    id: AccountId,
}

impl Admission {
    pub fn new(engine: wasmtime::Engine, ticker: Arc<Ticker>) -> Admission {
        let places = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let queue = Mutex::new(Queue { turns: Turns::new(places), wakers: BTreeMap::new() });
        Admission { queue, shares: Mutex::default(), engine, _ticker: ticker, gave_way: AtomicU64::new(0) }
    }

    /// The share of an owner: one for all of its instances.
    pub fn share(self: &Arc<Admission>, owner: &Arc<str>, limits: &Limits) -> Arc<Share> {
        let mut shares = locked(&self.shares);
        if let Some(share) = shares.get(owner).and_then(Weak::upgrade) {
            return share;
        }
        let tenant = owner.split_once('~').map_or("", |(tenant, _)| tenant);
        let id = locked(&self.queue).turns.open(tenant, limits.cpu_weight, limits.cpu_nanos_per_second, now());
        let share = Arc::new(Share { admission: self.clone(), owner: owner.clone(), id });
        shares.insert(owner.clone(), Arc::downgrade(&share));
        share
    }

    /// Has whoever runs give way, unless that was just done.
    fn make_way(&self) {
        let (now, last) = (now(), self.gave_way.load(Ordering::Relaxed));
        let is_due = now.saturating_sub(last) >= APART;
        if is_due && self.gave_way.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.engine.increment_epoch();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shares = locked(&self.admission.shares);
        // Another one may have taken its place while this one went.
        if shares.get(&self.owner).is_some_and(|share| share.strong_count() == 0) {
            shares.remove(&self.owner);
        }
        drop(shares);
        locked(&self.admission.queue).turns.close(self.id);
    }
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
        let mut queue = locked(&self.share.admission.queue);
        let called = queue.turns.done(self.share.id, self.used);
        queue.wake(called);
    }
}

impl<'a> Turn<'a> {
    /// Keeps its place although its turn is over.
    pub fn keep(&mut self, taken: Taken<'a>) {
        std::mem::forget(taken);
        self.place = Place::Kept;
    }

    pub fn new(share: &'a Share, meter: &'a GuestMeter) -> Turn<'a> {
        Turn { share, meter, place: Place::Outside, since: None }
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
                    break;
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
        if let Some(since) = self.since.take() {
            self.meter.admission_nanos.fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
            self.meter.admissions.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Taken { share: self.share, used: 0 })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (kept, ticket) = match self.place {
            Place::Outside | Place::Capped(_) => return,
            Place::Kept => (true, 0),
            Place::Waiting(ticket) => (false, ticket),
        };
        let mut queue = locked(&self.share.admission.queue);
        queue.wakers.remove(&ticket);
        let called = if kept { queue.turns.done(self.share.id, 0) } else { queue.turns.give_up(ticket) };
        queue.wake(called);
    }
}

impl Share {
    /// Whether a guest that used so many nanoseconds in its turn, and has not ended, keeps its place when it gives way.
    pub fn keeps(&self, used: u64) -> bool {
        locked(&self.admission.queue).turns.keeps(self.id, used, now())
    }
}
