//! Pure. What anybody can cause, and what is therefore said once in a while only.

use std::time::Duration;

/// The time from one line to the next.
const PAUSE: Duration = Duration::from_secs(60);

/// When something was said last, and how often it was held back since.
#[derive(Debug, Default)]
pub struct Sparing {
    said_at: Option<Duration>,
    held_back: u64,
}

impl Sparing {
    /// It happened, so long after the beginning. Where it is to be said: how often it was not, since the last time.
    pub fn happened(&mut self, at: Duration) -> Option<u64> {
        if self.said_at.is_some_and(|said_at| at < said_at + PAUSE) {
            self.held_back += 1;
            return None;
        }
        self.said_at = Some(at);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_a_minute_with_how_often_it_was_not() {
        let mut sparing = Sparing::default();
        let said = [5, 6, 64, 65, 66, 200].map(|second| sparing.happened(Duration::from_secs(second)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
