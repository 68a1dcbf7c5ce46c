//! A dead letter queue, read from where it was looked at last up to where it ended when it was opened.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Position, RawRecords, TopicPartition};
use crate::port::{BrokerError, Consumer, ConsumerPolled};

use super::super::request::HerderError;

/// How long a redrive may take in all, which is less than REST waits.
pub(super) const TIME: Duration = Duration::from_secs(60);
/// How long the queue is silent before it counts as read to its end: what its end counts beyond is no record.
const SILENCE: Duration = Duration::from_secs(3);
/// Bytes of letters that are on their way back at a time.
const BATCH_BYTES: usize = 1 << 20;

/// A place in each partition.
pub(super) type Places = BTreeMap<TopicPartition, i64>;

pub(super) struct Queue {
    pub consumer: Box<dyn Consumer>,
    pub topic: String,
    pub deadline: Instant,
    /// Up to where it was looked at before.
    committed: Vec<Position>,
    /// Where partitions ended that are not read up to there.
    ends: Places,
    assigned: bool,
}

pub(super) fn unreadable(topic: &str, error: BrokerError) -> HerderError {
    HerderError::Failed(format!("The dead letter queue {topic} cannot be read: {error}"))
}

/// Pure. The partitions in which there is something, each with its end.
pub(super) fn unread(ends: Vec<Position>, committed: &[Position]) -> Places {
    let before = |end: &Position| committed.iter().find(|committed| committed.partition == end.partition);
    let looked_at = |end: &Position| before(end).map_or(0, |committed| committed.offset);
    ends.into_iter().filter(|end| end.offset > looked_at(end)).map(|end| (end.partition, end.offset)).collect()
}

impl Queue {
    /// A queue in which partitions go on up to these ends.
    pub fn new(consumer: Box<dyn Consumer>, topic: &str, committed: Vec<Position>, ends: Places) -> Queue {
        let deadline = Instant::now() + TIME;
        Queue { consumer, topic: topic.to_owned(), deadline, committed, ends, assigned: false }
    }

    /// Whether all was read.
    pub fn is_through(&self) -> bool {
        self.ends.is_empty()
    }

    /// The next letters; none when there are no more, or the time is over. What came since the queue was opened is left
    /// alone: where a task fails at letters that went back, it would never end.
    pub async fn next(&mut self) -> Result<Option<RawRecords>, HerderError> {
        while !self.is_through() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && !self.assigned {
                return Err(HerderError::Conflict(format!(
                    "The dead letter queue {} was given to no reader in {} s: it is redriven elsewhere at this moment, or \
                     Kafka is busy. Try again",
                    self.topic,
                    TIME.as_secs()
                )));
            }
            if left.is_zero() {
                return Ok(None);
            }
            let polled = self.consumer.poll(SILENCE.min(left), BATCH_BYTES).await;
            match polled.map_err(|error| unreadable(&self.topic, error))? {
                ConsumerPolled::Records(letters) => {
                    let letters = self.before_ends(&letters);
                    if letters.rows > 0 {
                        return Ok(Some(letters));
                    }
                }
                ConsumerPolled::Nothing if self.assigned => self.ends.clear(),
                ConsumerPolled::Nothing => {}
                ConsumerPolled::Assigned(_) => {
                    self.assigned = true;
                    let looked_at = self.consumer.seek(&self.committed).await;
                    looked_at.map_err(|error| unreadable(&self.topic, error))?;
                }
                ConsumerPolled::Revoked(_) | ConsumerPolled::Lost(_) => {
                    return Err(HerderError::Conflict(format!(
                        "The dead letter queue {} is redriven elsewhere at this moment. Try again",
                        self.topic
                    )));
                }
            }
        }
        Ok(None)
    }

    fn before_ends(&mut self, letters: &RawRecords) -> RawRecords {
        let wanted = |row: &u32| {
            let (partition, offset) = place(letters, *row as usize);
            self.ends.get(&partition).is_some_and(|end| offset <= *end)
        };
        let rows: Vec<u32> = (0..letters.rows as u32).filter(wanted).collect();
        let reached = after(letters);
        self.ends.retain(|partition, end| reached.get(partition).is_none_or(|offset| offset < end));
        letters.select(&rows)
    }
}

/// The partition of a letter, and the offset after it.
fn place(letters: &RawRecords, row: usize) -> (TopicPartition, i64) {
    let partition = letters.partition_of(row).unwrap_or_default();
    (TopicPartition { topic: letters.topic_of(row).clone(), partition }, letters.offset[row] + 1)
}

/// The offset after the last letter of each partition.
pub(super) fn after(letters: &RawRecords) -> Places {
    (0..letters.rows).map(|row| place(letters, row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_with_something_new_are_read() {
        let at = |partition, offset| Position { partition: TopicPartition { topic: "dead".into(), partition }, offset };
        let ends = vec![at(0, 5), at(1, 5), at(2, 0), at(3, 4)];
        let unread = unread(ends, &[at(0, 5), at(1, 3)]);
        let places: Vec<(i32, i64)> = unread.iter().map(|(place, end)| (place.partition, *end)).collect();
        assert_eq!(places, [(1, 5), (3, 4)]);
    }
}
