//! The engine: what guests may use of WebAssembly, the clock by which they are interrupted, and whom their TLS trusts.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::admission::Admission;
use crate::tls::Authorities;

/// How often a running guest is interrupted to look at its limits and to let others run.
pub const TICK: Duration = Duration::from_millis(10);

/// Stack that host functions have beyond their guest's.
const HOST_STACK_BYTES: usize = 3 << 19;

/// The settings that compiler and worker must share for compiled code to be accepted.
fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32))
        .wasm_memory64(false)
        .concurrency_support(false);
    config
}

/// An engine that compiles; only the compiling process has one.
pub(crate) fn compiling_engine() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config())
}

/// As long as it is there, the clock goes.
#[derive(Default)]
pub(crate) struct Ticker {
    ticks: AtomicU64,
}

impl Ticker {
    /// Interrupts all guests that run.
    pub fn tick(&self, engine: &wasmtime::Engine) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        engine.increment_epoch();
    }

    /// How often it did so.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

/// The engine of a worker: runs compiled code, has no compiler, and ticks.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    authorities: Authorities,
    admission: Arc<Admission>,
}

impl Engine {
    /// An engine with its own ticking thread, which ends with the last clone and the last guest. Its guests have `stack_bytes` of stack, and
    /// reach servers for which `authorities` vouch.
    pub fn new(stack_bytes: usize, authorities: Authorities) -> wasmtime::Result<Engine> {
        let mut config = config();
        config.enable_compiler(false).max_wasm_stack(stack_bytes).async_stack_size(stack_bytes + HOST_STACK_BYTES);
        let engine = wasmtime::Engine::new(&config)?;
        let ticker = Arc::new(Ticker::default());
        let (weak, ticked): (Weak<Ticker>, _) = (Arc::downgrade(&ticker), engine.weak());
        std::thread::Builder::new().name("weir-epoch".into()).spawn(move || {
            while let (Some(ticker), Some(engine)) = (weak.upgrade(), ticked.upgrade()) {
                ticker.tick(&engine);
                drop((ticker, engine));
                std::thread::sleep(TICK);
            }
        })?;
        let admission = Arc::new(Admission::new(engine.clone(), ticker));
        Ok(Engine { engine, authorities, admission })
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Tells compiled code of this engine from that of any other version or setting.
    pub(crate) fn fingerprint(&self) -> &str {
        static FINGERPRINT: OnceLock<String> = OnceLock::new();
        FINGERPRINT.get_or_init(|| {
            use std::hash::{Hash, Hasher};
            #[expect(deprecated, reason = "the only std hasher whose result is the same in every process")]
            let mut hasher = std::hash::SipHasher::new();
            self.engine.precompile_compatibility_hash().hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        })
    }
}
