//! Pure. Who of a worker group runs what. Knows nothing of frames, clocks or configurations.

mod eager;
mod incremental;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Work;

pub use eager::eager;
pub use incremental::IncrementalAssignor;

/// What a round tells one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What to start.
    pub assigned: Work,
    /// What to stop.
    pub revoked: Work,
    /// All that it runs once it has done so.
    pub runs: Work,
}

/// The outcome of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// By member id.
    pub members: BTreeMap<String, Told>,
    /// After how long all have to join again; zero for not.
    pub delay: Duration,
}
