//! One call into a guest: admitted, metered, bounded, and either it ends or its instance does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::FutureExt;
use wasmtime::{CallHook, Store, UpdateDeadline};
use weir_core::model::{Fault, Limit, Limits};
use weir_core::observe::{COUNTED, GuestMeter};

use crate::admission::{Share, Turn};
use crate::bindings::weir::connect::errors;
use crate::engine::Engine;
use crate::state::GuestState;

/// CPU time of the call that an instance is in, by the clock of the thread that polls it.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    began: AtomicU64,
    used: AtomicU64,
    /// How often guests had been interrupted when the turn began.
    interruptions: AtomicU64,
    /// What of the turn was charged before its end.
    charged: AtomicU64,
    /// Whether it was interrupted for others to run.
    gave_way: AtomicBool,
    /// Whether it keeps its place all the same.
    keeps: AtomicBool,
}

fn thread_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Slice {
    /// What the call has used, read from inside a poll.
    fn used_now(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed) + self.turn_now())
    }

    /// What the turn has used, read from inside of it.
    fn turn_now(&self) -> u64 {
        thread_nanos().saturating_sub(self.began.load(Ordering::Relaxed))
    }

    /// Whether guests were interrupted since the turn began: what was before that is not the turn's.
    fn is_interrupted(&self, share: &Share) -> bool {
        share.interruptions() != self.interruptions.load(Ordering::Relaxed)
    }

    /// Gives way: what the turn has used is charged, and says whether the place is kept.
    fn give_way(&self, share: &Share) {
        let used = self.turn_now();
        let charged = self.charged.swap(used, Ordering::Relaxed);
        self.keeps.store(share.keeps(used.saturating_sub(charged)), Ordering::Relaxed);
        self.gave_way.store(true, Ordering::Relaxed);
    }
}

/// A future each of whose polls is a turn, and metered.
struct Metered<'a, F> {
    future: Pin<&'a mut F>,
    slice: &'a Slice,
    turn: Turn<'a>,
    meter: &'a GuestMeter,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let gave_way = self.slice.gave_way.load(Ordering::Relaxed);
        let mut taken = ready!(self.turn.poll(context, gave_way));
        self.slice.gave_way.store(false, Ordering::Relaxed);
        self.slice.interruptions.store(self.turn.interruptions(), Ordering::Relaxed);
        let began = thread_nanos();
        self.slice.began.store(began, Ordering::Relaxed);
        let polled = self.future.as_mut().poll(context);
        let used = thread_nanos().saturating_sub(began);
        taken.used = used.saturating_sub(self.slice.charged.swap(0, Ordering::Relaxed));
        self.slice.used.fetch_add(used, Ordering::Relaxed);
        self.meter.cpu_nanos.fetch_add(used, Ordering::Relaxed);
        if self.slice.keeps.swap(false, Ordering::Relaxed) && polled.is_pending() {
            self.turn.keep(taken);
        }
        polled
    }
}

/// How long a call may take, and the worker setting that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub key: &'static str,
    pub limit: Duration,
    /// What the call was told to wait, which it may besides.
    pub wait: Duration,
}

impl Deadline {
    /// A deadline of a call that is not told to wait.
    pub fn new(key: &'static str, limit: Duration) -> Deadline {
        Deadline { key, limit, wait: Duration::ZERO }
    }
}

/// A live instance's store. Gone once a call trapped, ran out of time or was dropped.
pub(crate) struct Guest {
    store: Option<Store<GuestState>>,
    slice: Arc<Slice>,
    share: Arc<Share>,
    /// What it uses.
    pub meter: Arc<GuestMeter>,
}

impl Guest {
    pub fn new(engine: &Engine, context: weir_core::port::Context) -> Result<Guest, Fault> {
        let (slice, meter) = (Arc::new(Slice::default()), context.meter.clone());
        let share = engine.admission().share(&context);
        let hostcall_bytes = usize::try_from(context.limits.memory_bytes).unwrap_or(usize::MAX);
        let mut store = Store::new(engine.wasmtime(), GuestState::new(context, slice.clone(), share.clone(), engine)?);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(hostcall_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let state = store.data_mut();
            let (used, limit) = (state.slice.used_now(), state.context.limits.call_cpu);
            if used > limit {
                let hit = Limit::Cpu { key: "task.call.cpu.max.ms", limit, used };
                let message = hit.to_string();
                state.memory.hit = Some(hit);
                return Err(wasmtime::Error::msg(message));
            }
            if !state.slice.is_interrupted(&state.share) {
                return Ok(UpdateDeadline::Continue(1));
            }
            state.slice.give_way(&state.share);
            Ok(UpdateDeadline::Yield(1))
        });
        if COUNTED {
            time_host_calls(&mut store);
        }
        Ok(Guest { store: Some(store), slice, share, meter })
    }

    /// Makes one call. While it runs the store is the call's own, so a call that is dropped takes the instance with it.
    pub async fn call<T, F>(
        &mut self,
        name: &'static str,
        deadline: Deadline,
        run: impl FnOnce(Store<GuestState>) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = (Store<GuestState>, wasmtime::Result<T>)>,
    {
        let gone = || Fault::Trapped(format!("{name} was called on an instance that has ended"));
        let mut store = self.store.take().ok_or_else(gone)?;
        // Ticks since its last call are not its own: it gives way once it has run for one.
        store.set_epoch_deadline(1);
        self.slice.used.store(0, Ordering::Relaxed);
        let began = Instant::now();
        let future = std::pin::pin!(run(store));
        let metered =
            Metered { future, slice: &self.slice, turn: Turn::new(&self.share, &self.meter), meter: &self.meter };
        let answer =
            tokio::time::timeout(deadline.wait + deadline.limit, AssertUnwindSafe(metered).catch_unwind()).await;
        let meter = &self.meter;
        meter.calls.took(name, began.elapsed());
        let fault = match answer {
            Ok(Ok((store, Ok(value)))) => {
                self.store = Some(store);
                return Ok(value);
            }
            Ok(Ok((mut store, Err(error)))) => trapped(name, &error, store.data_mut()),
            Ok(Err(panic)) => {
                meter.traps.count("host-panic");
                Fault::Trapped(format!("{name}: the host panicked: {}", panic_text(&*panic)))
            }
            Err(_) => {
                let Deadline { key, limit, wait } = deadline;
                Fault::Limited { call: name, limit: Limit::Deadline { key, limit, wait, used: began.elapsed() } }
            }
        };
        if let Fault::Limited { limit, .. } = &fault {
            meter.limit_hits.count(limit.key());
        }
        Err(fault)
    }

    /// An answer that breaks the contract.
    pub fn lied(&self, call: &'static str, what: impl std::fmt::Display) -> Fault {
        self.meter.traps.count("contract");
        lie(call, what)
    }
}

fn time_host_calls(store: &mut Store<GuestState>) {
    let mut entered = None;
    store.call_hook(move |store, hook| {
        match hook {
            CallHook::CallingHost => entered = Some(Instant::now()),
            CallHook::ReturningFromHost => {
                let spent = entered.take().map_or(Duration::ZERO, |entered| entered.elapsed());
                store.data().context.meter.host_nanos.fetch_add(spent.as_nanos() as u64, Ordering::Relaxed);
            }
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    });
}

/// An answer that breaks the contract, and is not counted.
pub(crate) fn lie(call: &'static str, what: impl std::fmt::Display) -> Fault {
    Fault::Trapped(format!("{call} broke the contract: {what}"))
}

/// What wasmtime says of an answer that passes the bound on what a call may bring over; its error has no type of its own.
const ANSWER_TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";

fn trapped(call: &'static str, error: &wasmtime::Error, state: &mut GuestState) -> Fault {
    if let Some(limit) = state.memory.hit.take().or_else(|| unmetered(error, &state.context.limits)) {
        return Fault::Limited { call, limit };
    }
    state.context.meter.traps.count(&kind(error));
    let last = state.log.last();
    let said = if last.is_empty() { String::new() } else { format!("\nlast log lines:\n{}", last.join("\n")) };
    Fault::Trapped(format!("{call} trapped: {}{said}", chain(error)))
}

/// What kind of trap an error is, in words of wasmtime's: `unreachable-code-reached`.
fn kind(error: &wasmtime::Error) -> String {
    let Some(trap) = error.downcast_ref::<wasmtime::Trap>() else { return "other".to_owned() };
    format!("{trap:?}").chars().fold(String::new(), |mut name, c| {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
        name
    })
}

/// An error and what caused it, a line each, with the guest's backtrace where it has one. The host's own, which
/// `{:?}` prints too, is nobody's business who reads a status.
fn chain(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string().trim_end().to_owned()).collect();
    causes.join("\ncaused by: ")
}

/// The limits that wasmtime keeps by itself, as its errors tell of them.
fn unmetered(error: &wasmtime::Error, limits: &Limits) -> Option<Limit> {
    if error.downcast_ref() == Some(&wasmtime::Trap::StackOverflow) {
        return Some(Limit::Stack { key: "task.stack.max.bytes", limit: limits.stack_bytes });
    }
    let text = error.root_cause().to_string();
    if text.contains(ANSWER_TOO_LARGE) {
        return Some(Limit::Answer { key: "task.memory.max.bytes", limit: limits.memory_bytes });
    }
    let (what, asked) = text.strip_prefix("resource limit exceeded: ")?.split_once(" count too high at ")?;
    let asked = asked.parse().ok()?;
    let count = |key, what, limit| Some(Limit::Count { key, what, limit, asked });
    match what {
        "instance" => count("task.core.instances.max", "core instances", limits.core_instances),
        "table" => count("task.tables.max", "tables", limits.tables),
        "memory" => count("task.memories.max", "memories", limits.memories),
        _ => None, // a limit of wasmtime's that has no key here
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// What a guest's own error means.
pub(crate) fn fault(error: errors::Error) -> Fault {
    match error {
        errors::Error::Retriable(reason) => Fault::Retriable(reason),
        errors::Error::Data(reason) => Fault::Data(reason),
        errors::Error::Config(problems) => Fault::Config(problems.into_iter().map(problem).collect()),
        errors::Error::Fatal(reason) => Fault::Fatal(reason),
    }
}

pub(crate) fn problem(problem: errors::Problem) -> weir_core::model::Problem {
    weir_core::model::Problem { key: problem.key, message: problem.message }
}
