//! What is written, asked and looked at all the while, and what has to hold at the end.

use super::watch::Watch;
use super::*;

/// A group under observation.
pub struct Trial {
    watch: Watch,
    doubles: Doubles,
    pub feed: Feed,
    sources: usize,
}

impl Trial {
    /// Begins, once lines go through. With `writes` workers are asked to write, too, which only the leader does: so the
    /// group has to have a broker.
    pub fn begin(group: &Group, sources: usize, writes: bool) -> Trial {
        let watch = Watch::over(&group.urls(), "sink", writes);
        let trial =
            Trial { watch, doubles: Doubles::watch(group, sources), feed: Feed::start(group, sources), sources };
        wait("lines", || trial.feed.is_there(0..20));
        trial
    }

    /// A worker is about to be killed, or to be stopped in the middle of what it does: nobody asks it, and what it has
    /// open says nothing.
    pub fn leave_out(&self, group: &Group, at: usize) {
        self.watch.ask_no_more(&group.workers[at].as_ref().expect("a worker that lives").url);
        self.overlook(at);
    }

    /// What a worker has open says nothing from now on; it is asked as before.
    pub fn overlook(&self, at: usize) {
        self.doubles.overlook(at);
    }

    /// A worker is back.
    pub fn look_at(&mut self, group: &Group, at: usize) {
        self.watch.ask(&group.workers[at].as_ref().expect("a worker that lives").url);
        self.doubles.look_at(group, at);
    }

    /// Ends once every line has arrived; fails the test if clients, files or topics show what must not be. Lines of these
    /// rounds stand in the topic once.
    pub fn end(self, group: &Group, once: &[std::ops::Range<usize>]) {
        self.feed.end();
        self.watch.end();
        self.doubles.end(group);
        topics::nobody_speaks_for_others(group);
        topics::no_offset_goes_back(group);
        let sent = topics::lines(group);
        for rounds in once {
            for (number, round) in (0..self.sources).flat_map(|number| rounds.clone().map(move |round| (number, round)))
            {
                assert_eq!(sent[&line(number, round)], 1, "round {round} of {number}, of {rounds:?}");
            }
        }
    }
}
