//! Pure. How long a worker stays out of its group that could not read the config topic (DistributedHerder.backoff).

use std::time::Duration;

use crate::model::GroupProtocol;

use super::GroupSettings;

/// Waits for parts of `scheduled.rebalance.max.delay.ms`, each longer than the one before
/// (DistributedHerder.BACKOFF_RETRIES).
const PARTS: u32 = 5;

/// The waits of a worker, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    left: u32,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { left: PARTS }
    }
}

impl Backoff {
    /// The next wait. Where rounds are incremental the others wait, too, before they take over what it ran: it is back
    /// before that, if it can be. After the longest wait comes the shortest.
    pub fn next(&mut self, protocol: GroupProtocol, settings: &GroupSettings) -> Duration {
        match protocol {
            GroupProtocol::Eager => settings.unsync_backoff,
            GroupProtocol::Compatible | GroupProtocol::Sessioned => {
                let wait = settings.max_delay / 10 / self.left;
                self.left = if self.left == 1 { PARTS } else { self.left - 1 };
                wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incremental_rounds_are_waited_for_in_parts_of_the_delay_and_eager_ones_as_long_as_is_set() {
        let settings = GroupSettings {
            url: String::new(),
            protocol: GroupProtocol::Sessioned,
            max_delay: Duration::from_secs(300),
            sync_timeout: Duration::from_secs(3),
            unsync_backoff: Duration::from_secs(240),
        };
        let mut backoff = Backoff::default();
        let waits = [0; 6].map(|_| backoff.next(GroupProtocol::Compatible, &settings).as_millis());
        assert_eq!(waits, [6_000, 7_500, 10_000, 15_000, 30_000, 6_000]);
        assert_eq!(backoff.next(GroupProtocol::Eager, &settings), Duration::from_secs(240));
    }
}
