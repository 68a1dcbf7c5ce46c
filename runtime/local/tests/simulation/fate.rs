//! What fate has in store for plugins: what fails next, and what the variable of configurations stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use weir_core::model::{Ceilings, Fault};
use weir_core::port::{ConfigProviders, LookupError};
use weir_core::settings::{Values, Variable};

/// The key that may have the variable for its value.
pub const MARK: &str = "mark";
/// The variable.
pub const VARIABLE: &str = "${fate:mark}";
/// With what everything begins that the variable ever stands for.
pub const SECRET: &str = "secret-";
/// The worst wait until a change of what it stands for is seen.
const TTL: Duration = Duration::from_secs(5);
/// What is said of every failure.
const FAILED: &str = "fate has it so";

#[derive(Default)]
struct Known {
    fails: BTreeSet<String>,
    changes: u64,
    out_of_reach: bool,
}

/// What fate has in store, for all workers.
#[derive(Clone, Default)]
pub struct Fate(Arc<Mutex<Known>>);

impl Fate {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a connector fail when it starts next, or a task when it works next.
    pub fn fail(&self, what: &str) {
        self.known().fails.insert(what.to_owned());
    }

    /// Whether something fails now; its fault says what it was made out of.
    pub fn spares(&self, what: &str, mark: Option<&String>) -> Result<(), Fault> {
        let fails = self.known().fails.remove(what);
        if fails { Err(Fault::Fatal(format!("{FAILED}, with {mark:?}"))) } else { Ok(()) }
    }

    /// Has the variable stand for something else.
    pub fn change(&self) {
        self.known().changes += 1;
    }

    /// Has nobody look the variable up, or everybody again.
    pub fn hide(&self, out_of_reach: bool) {
        self.known().out_of_reach = out_of_reach;
    }

    /// What the variable stands for.
    pub fn value(&self) -> String {
        format!("{SECRET}{}", self.known().changes)
    }
}

/// Whether it is fate that somebody failed by.
pub fn is_by_fate(trace: &str) -> bool {
    trace.contains(FAILED)
}

#[async_trait]
impl ConfigProviders for Fate {
    fn is_known(&self, provider: &str) -> bool {
        provider == "fate"
    }

    fn ttl(&self, _: &str) -> Option<Duration> {
        Some(TTL)
    }

    async fn values(&self, wanted: BTreeSet<Variable>, _: &Ceilings) -> Result<Values, LookupError> {
        if self.known().out_of_reach {
            return Err(LookupError::Unreadable(format!("{FAILED}, and says nothing")));
        }
        Ok(wanted.into_iter().map(|variable| (variable, self.value())).collect::<BTreeMap<_, _>>())
    }
}
