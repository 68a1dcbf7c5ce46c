//! When rows were polled that are not answered yet.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::observe::Histogram;
use crate::port::Ticket;

/// The polls of rows that are not answered, and how many of the poll that was answered last were.
#[derive(Default)]
pub(super) struct Polls {
    /// Each one's first ticket, and when it was.
    polls: VecDeque<(Ticket, Instant)>,
    /// The poll of the last ticket that was acknowledged: from which ticket to which, and when it was.
    last: Option<(Ticket, Ticket, Instant)>,
    /// Rows of polls that were acknowledged since it was observed last.
    acknowledged: Vec<(Instant, u64)>,
}

impl Polls {
    /// Rows from this ticket on were polled.
    pub fn polled(&mut self, base: Ticket, at: Instant) {
        self.polls.push_back((base, at));
    }

    /// A row was answered.
    pub fn acknowledged(&mut self, ticket: Ticket) {
        let within = |(from, to, _): &(Ticket, Ticket, Instant)| *from <= ticket && ticket < *to;
        if !self.last.as_ref().is_some_and(within) {
            let after = self.polls.partition_point(|(base, _)| *base <= ticket);
            let Some(&(from, at)) = after.checked_sub(1).and_then(|before| self.polls.get(before)) else { return };
            let to = self.polls.get(after).map_or(Ticket::MAX, |(base, _)| *base);
            self.last = Some((from, to, at));
        }
        let Some((_, _, at)) = self.last else { return };
        match self.acknowledged.last_mut().filter(|(last, _)| *last == at) {
            Some((_, rows)) => *rows += 1,
            None => self.acknowledged.push((at, 1)),
        }
    }

    /// Notes how long what was acknowledged took.
    pub fn observe(&mut self, latency: &Histogram) {
        self.acknowledged.drain(..).for_each(|(at, rows)| latency.observe_many(at.elapsed(), rows));
    }

    /// Forgets polls of which all is answered.
    pub fn forget_before(&mut self, ticket: Ticket) {
        while self.polls.get(1).is_some_and(|(base, _)| *base <= ticket) {
            self.polls.pop_front();
        }
        // What comes next may be of a poll that was not there when this one was the last.
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_row_took_as_long_as_its_poll_is_ago() {
        let (mut polls, latency) = (Polls::default(), Histogram::default());
        polls.polled(0, Instant::now());
        tokio::time::advance(Duration::from_secs(5)).await;
        polls.polled(10, Instant::now());
        tokio::time::advance(Duration::from_millis(200)).await;
        [3, 4, 12, 5].into_iter().for_each(|ticket| polls.acknowledged(ticket));
        polls.observe(&latency);
        let observed = latency.get().unwrap();
        assert_eq!((observed.count(), observed.sum), (4, 3.0 * 5.2 + 0.2));
        polls.forget_before(10);
        polls.acknowledged(11);
        polls.observe(&latency);
        assert_eq!(latency.get().unwrap().sum, 3.0 * 5.2 + 0.4);
        assert_eq!(polls.polls.len(), 1);
    }
}
