//! A worker that is behind the leader in the config topic: it catches up soon, or leaves the group until it can.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::{AGAIN, Distributed, Wish};

/// The wait before the config topic is read again.
const LOOK: Duration = Duration::from_millis(100);

impl Distributed {
    /// Reads the config topic up to where the leader had read it, in the time that a worker may take to catch up; answers
    /// whether it could (DistributedHerder.readConfigToEnd).
    pub(super) async fn catch_up(&mut self, offset: i64) -> bool {
        let until = Instant::now() + self.settings.sync_timeout;
        loop {
            let read = self.read().await;
            if self.herd.configs.offset() >= offset {
                return true;
            }
            if !read || Instant::now() >= until {
                return false;
            }
            sleep(LOOK).await;
        }
    }

    /// A worker that cannot read what the others go by is in their way: it leaves the group, and with it what it runs.
    pub(super) fn step_out(&mut self) {
        let wait = self.backoff.next(self.place.protocol(), &self.settings);
        tracing::warn!(?wait, "this worker cannot keep up with the config topic and leaves the group for a while");
        (self.regrouping, self.revoking) = (true, false);
        (self.rejoin_at, self.preparing) = (None, None);
        self.place.give_up();
        self.out_until = Some(Instant::now() + wait.max(AGAIN));
        self.wish(Wish::StepOut);
    }

    /// Joins again once the config topic can be read: to join and to leave at once would cost the others two rounds.
    pub(super) async fn come_back(&mut self) {
        if self.read().await {
            (self.out_until, self.herd.regroup, self.backoff) = (None, false, Backoff::default());
            self.wish(Wish::Rejoin);
        } else {
            let wait = self.backoff.next(self.place.protocol(), &self.settings);
            self.out_until = Some(Instant::now() + wait.max(AGAIN));
        }
    }
}
