//! What was done to have components compiled, by their hashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_core::port::Compilation;

/// What was done for each component that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compilations(Arc<Mutex<BTreeMap<String, Compilation>>>);

impl Compilations {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Compilation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was there compiled.
    pub fn hit(&self, hash: &str) {
        self.locked().entry(hash.to_owned()).or_default().cache_hits += 1;
    }

    /// It was compiled, which took this long.
    pub fn compiled(&self, hash: &str, took: Duration) {
        let mut all = self.locked();
        let own = all.entry(hash.to_owned()).or_default();
        (own.compiles, own.took) = (own.compiles + 1, Some(took));
    }

    /// It is gone.
    pub fn forget(&self, hash: &str) {
        self.locked().remove(hash);
    }

    /// What was done for one.
    pub fn of(&self, hash: &str) -> Compilation {
        self.locked().get(hash).copied().unwrap_or_default()
    }
}
