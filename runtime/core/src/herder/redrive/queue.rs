//! A dead letter queue, read from where it was looked at last up to where it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Position, RawRecords, TopicPartition};
use crate::port::{BrokerError, Consumer, ConsumerPolled};

use super::super::request::HerderError;

/// How long a redrive may take in all, which is less than REST waits.
pub(super) const TIME: Duration = Duration::from_secs(60);
/// How much of that may pass before anything goes back.
const LOOKING: Duration = Duration::from_secs(25);
/// How long the queue is silent at its beginning, and then, before it counts as read to its end.
const SILENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(1));
/// Bytes of letters that are on their way back at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Up to where each partition goes.
pub(super) type Ends = BTreeMap<TopicPartition, i64>;

pub(super) struct Queue {
    pub consumer: Box<dyn Consumer>,
    pub topic: String,
    begun: Instant,
    until: Instant,
    /// Up to where it was looked at before.
    committed: Vec<Position>,
    /// Where reading has begun.
    positions: Ends,
    /// How long the next silence has to be to be the end.
    silence: Duration,
}

pub(super) fn unreadable(topic: &str, error: BrokerError) -> HerderError {
    HerderError::Failed(format!("The dead letter queue {topic} cannot be read: {error}"))
}

impl Queue {
    pub fn new(consumer: Box<dyn Consumer>, topic: &str, committed: Vec<Position>) -> Queue {
        let begun = Instant::now();
        let (until, positions, silence) = (begun + LOOKING, Ends::new(), SILENCE.0);
        Queue { consumer, topic: topic.to_owned(), begun, until, committed, positions, silence }
    }

    /// When everything has to be done.
    pub fn deadline(&self) -> Instant {
        self.begun + TIME
    }

    /// The next letters; none when there are no more, or the time is over.
    pub async fn next(&mut self) -> Result<Option<RawRecords>, HerderError> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() && self.positions.is_empty() {
                return Err(HerderError::Conflict(format!(
                    "The dead letter queue {} was given to no reader in {} s: it is redriven elsewhere at this moment, or \
                     Kafka is busy. Try again",
                    self.topic,
                    LOOKING.as_secs()
                )));
            }
            if left.is_zero() {
                return Ok(None);
            }
            let polled = self.consumer.poll(self.silence.min(left), BATCH_BYTES).await;
            match polled.map_err(|error| unreadable(&self.topic, error))? {
                ConsumerPolled::Records(letters) => {
                    self.silence = SILENCE.1;
                    return Ok(Some(letters));
                }
                ConsumerPolled::Nothing if self.positions.is_empty() => {}
                ConsumerPolled::Nothing => return Ok(None),
                ConsumerPolled::Assigned(positions) => self.begin_at(positions).await?,
                ConsumerPolled::Revoked(_) | ConsumerPolled::Lost(_) => {
                    return Err(HerderError::Conflict(format!(
                        "The dead letter queue {} is redriven elsewhere at this moment. Try again",
                        self.topic
                    )));
                }
            }
        }
    }

    async fn begin_at(&mut self, positions: Vec<Position>) -> Result<(), HerderError> {
        for Position { partition, offset } in positions {
            let before = self.committed.iter().find(|committed| committed.partition == partition);
            let offset = before.map_or(offset, |committed| committed.offset);
            self.positions.insert(partition, offset);
        }
        self.again_from_begin().await
    }

    /// Reads to the end. Answers where each partition ends, and whether the end was reached in time.
    pub async fn ends(&mut self, mut look: impl FnMut(&RawRecords)) -> Result<(Ends, bool), HerderError> {
        let mut ends = Ends::new();
        while let Some(letters) = self.next().await? {
            look(&letters);
            ends.extend(after(&letters));
        }
        Ok((ends, Instant::now() < self.until))
    }

    /// Begins anew where it had begun, with all the time that is left.
    pub async fn once_more(&mut self) -> Result<(), HerderError> {
        (self.until, self.silence) = (self.deadline(), SILENCE.0);
        self.again_from_begin().await
    }

    async fn again_from_begin(&mut self) -> Result<(), HerderError> {
        let begin = |(partition, &offset): (&TopicPartition, &i64)| Position { partition: partition.clone(), offset };
        let positions: Vec<Position> = self.positions.iter().map(begin).collect();
        self.consumer.seek(&positions).await.map_err(|error| unreadable(&self.topic, error))
    }
}

/// The partition of a letter, and the offset after it.
pub(super) fn place(letters: &RawRecords, row: usize) -> (TopicPartition, i64) {
    let partition = letters.partition_of(row).unwrap_or_default();
    (TopicPartition { topic: letters.topic_of(row).clone(), partition }, letters.offset[row] + 1)
}

/// The offset after the last letter of each partition.
pub(super) fn after(letters: &RawRecords) -> Ends {
    (0..letters.rows).map(|row| place(letters, row)).collect()
}
