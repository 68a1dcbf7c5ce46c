//! The clients of librdkafka that there are, and what each counts.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use weir_core::model::ClientKind;
use weir_core::observe::ClientStats;

/// A client, as long as somebody has it.
type Known = (ClientKind, Weak<ClientStats>);

/// The clients that there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    all: Arc<Mutex<Vec<Known>>>,
    sample: Duration,
}

/// What a client is told that is about to be made.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    clients: Clients,
    of: ClientKind,
}

impl Clients {
    /// None yet; what they count is sampled in samples of this length.
    pub fn new(sample: Duration) -> Clients {
        Clients { all: Arc::default(), sample }
    }

    /// For a client of this kind.
    pub fn of(&self, kind: ClientKind) -> Birth {
        Birth { clients: self.clone(), of: kind }
    }

    /// All that are alive.
    pub fn alive(&self) -> Vec<(ClientKind, Arc<ClientStats>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, stats)| stats.strong_count() > 0);
        all.iter().filter_map(|(kind, stats)| Some((*kind, stats.upgrade()?))).collect()
    }
}

impl Birth {
    /// A client is gone, or about to be.
    pub fn leave(&self, stats: &Arc<ClientStats>) {
        let mut all = self.clients.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, other)| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(stats)));
    }

    /// What the client counts. Where another of its kind has its name, a number is put behind: one series is of one client.
    pub fn register(&self, id: &str) -> Arc<ClientStats> {
        let mut all = self.clients.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, stats)| stats.strong_count() > 0);
        let taken = |name: &str| {
            let same =
                |(kind, stats): &Known| *kind == self.of && stats.upgrade().is_some_and(|stats| stats.id == name);
            all.iter().any(same)
        };
        let numbered = (2..).map(|number| format!("{id}-{number}"));
        let name = std::iter::once(id.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        let stats = Arc::new(ClientStats::new(name, self.clients.sample));
        all.push((self.of, Arc::downgrade(&stats)));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_one_name_are_told_apart_as_long_as_they_live() {
        let clients = Clients::new(Duration::from_secs(1));
        let consumers = clients.of(ClientKind::Consumer);
        let (first, second) = (consumers.register("a"), consumers.register("a"));
        let producer = clients.of(ClientKind::Producer).register("a");
        assert_eq!([&*first.id, &second.id, &producer.id], ["a", "a-2", "a"]);
        drop(first);
        let third = consumers.register("a");
        assert_eq!((&*third.id, clients.alive().len()), ("a", 3));
        consumers.leave(&third);
        assert_eq!(consumers.register("a").id, "a", "who is about to go has its name no more");
    }
}
