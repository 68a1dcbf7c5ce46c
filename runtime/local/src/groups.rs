//! All consumer groups of a store: their members, and who must be woken when something changes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::assignment::MemberId;
use crate::group::{Group, Wish};

type Signals = BTreeMap<MemberId, Arc<Notify>>;

#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Mutex<BTreeMap<String, (Group, Signals)>>,
    members: AtomicU64,
}

impl Groups {
    pub fn join(&self, name: &str, wish: Wish, signal: &Arc<Notify>, topics: BTreeMap<Arc<str>, i32>) -> MemberId {
        let id = self.members.fetch_add(1, Ordering::Relaxed);
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let (group, signals) = groups.entry(name.to_string()).or_default();
        group.topics(topics);
        group.join(id, wish);
        signals.insert(id, signal.clone());
        signals.values().for_each(|signal| signal.notify_one());
        id
    }

    pub fn leave(&self, name: &str, id: MemberId) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((group, signals)) = groups.get_mut(name) {
            group.leave(id);
            signals.remove(&id);
            signals.values().for_each(|signal| signal.notify_one());
            if group.is_empty() {
                groups.remove(name);
            }
        }
    }

    pub fn release(&self, name: &str, id: MemberId) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((group, signals)) = groups.get_mut(name) {
            group.release(id);
            signals.values().for_each(|signal| signal.notify_one());
        }
    }

    pub fn topics_changed(&self, topics: &BTreeMap<Arc<str>, i32>) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for (group, signals) in groups.values_mut() {
            group.topics(topics.clone());
            signals.values().for_each(|signal| signal.notify_one());
        }
    }

    /// Does something with a group while nobody else changes it; none when it has no members.
    pub fn with<T>(&self, name: &str, f: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get_mut(name).map(|(group, _)| f(group))
    }
}
