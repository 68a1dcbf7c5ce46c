//! What a member of a group asks of it, and what it does with its partitions.

use std::ptr;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;
use weir_core::model::{Position, TopicPartition};

use super::client::{Client, Reading};
use super::partitions::PartitionList;
use super::{KafkaError, c_string};

/// How long a seek may be refused because reading has not begun yet.
const SEEK_ATTEMPTS: usize = 100;
const SEEK_PAUSE: Duration = Duration::from_millis(10);

impl Client {
    /// Subscribes to topics in place of what was subscribed to; to none: unsubscribes. Waits for librdkafka's thread.
    pub fn subscribe(&self, topics: &[String]) -> Result<(), KafkaError> {
        let list = PartitionList::topics(topics);
        // SAFETY: client and list are alive.
        KafkaError::check(unsafe {
            if topics.is_empty() {
                sys::rd_kafka_unsubscribe(self.rk())
            } else {
                sys::rd_kafka_subscribe(self.rk(), list.as_ptr())
            }
        })
    }

    /// The committed offsets of the member's group; none where there is none. Waits for the broker.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, KafkaError> {
        let list = PartitionList::of(partitions);
        // SAFETY: client and list are alive.
        KafkaError::check(unsafe { sys::rd_kafka_committed(self.rk(), list.as_ptr(), wait.as_millis() as i32) })?;
        list.first_error()?;
        let entry = |(position, _): (Position, _)| (position.partition, Some(position.offset).filter(|at| *at >= 0));
        Ok(list.entries().into_iter().map(entry).collect())
    }

    /// Answers an assignment: reads these from these positions on. Waits for librdkafka's thread.
    pub fn assign(&self, positions: &[Position], cooperative: bool) -> Result<(), KafkaError> {
        let list = PartitionList::at(positions);
        // SAFETY: client and list are alive.
        unsafe {
            if cooperative {
                KafkaError::take(sys::rd_kafka_incremental_assign(self.rk(), list.as_ptr()))
            } else {
                KafkaError::check(sys::rd_kafka_assign(self.rk(), list.as_ptr()))
            }
        }
    }

    /// Answers a revocation: gives these up. Waits for librdkafka's thread.
    pub fn unassign(&self, partitions: &[TopicPartition], cooperative: bool) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions);
        // SAFETY: client and list are alive.
        unsafe {
            if cooperative {
                KafkaError::take(sys::rd_kafka_incremental_unassign(self.rk(), list.as_ptr()))
            } else {
                KafkaError::check(sys::rd_kafka_assign(self.rk(), ptr::null()))
            }
        }
    }

    /// Stops or takes up fetching. What was fetched of partitions that stop is thrown away and fetched again.
    pub fn set_paused(&self, partitions: &[TopicPartition], paused: bool) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions);
        // SAFETY: client and list are alive.
        KafkaError::check(unsafe {
            if paused {
                sys::rd_kafka_pause_partitions(self.rk(), list.as_ptr())
            } else {
                sys::rd_kafka_resume_partitions(self.rk(), list.as_ptr())
            }
        })
    }

    /// Reads from these positions on. Waits for librdkafka's thread.
    pub fn seek(&self, positions: &[Position]) -> Result<(), KafkaError> {
        let mut rest = positions.to_vec();
        for attempt in 1.. {
            let list = PartitionList::at(&rest);
            // SAFETY: client and list are alive.
            unsafe { KafkaError::take(sys::rd_kafka_seek_partitions(self.rk(), list.as_ptr(), 10_000)) }?;
            let refused: Vec<(Position, KafkaError)> =
                list.entries().into_iter().filter_map(|(position, seek)| Some((position, seek.err()?))).collect();
            let Some((position, error)) = refused.first() else { break };
            // An assignment that was just made begins to read in the background.
            if error.code != RDKafkaErrorCode::State || attempt == SEEK_ATTEMPTS {
                let message = format!("seeking {}: {}", position.partition, error.message);
                return Err(KafkaError { message, ..error.clone() });
            }
            rest = refused.into_iter().map(|(position, _)| position).collect();
            std::thread::sleep(SEEK_PAUSE);
        }
        Ok(())
    }

    /// Commits positions. Waits for the broker.
    pub fn commit(&self, positions: &[Position]) -> Result<(), KafkaError> {
        let list = PartitionList::at(positions);
        // SAFETY: client and list are alive.
        KafkaError::check(unsafe { sys::rd_kafka_commit(self.rk(), list.as_ptr(), 0) })?;
        list.first_error()
    }

    /// Reads a partition into the client's queue, outside of any group. Waits for nothing.
    pub fn read(&self, topic: &str, partition: i32, from: i64) -> Result<(), KafkaError> {
        // SAFETY: the client is alive; it keeps the topic while it is read.
        unsafe {
            let topic = sys::rd_kafka_topic_new(self.rk(), c_string(topic).as_ptr(), ptr::null_mut());
            if topic.is_null() {
                return Err(KafkaError::of(sys::rd_kafka_last_error()));
            }
            let started = sys::rd_kafka_consume_start_queue(topic, partition, from, self.queue());
            if started != 0 {
                let error = KafkaError::of(sys::rd_kafka_last_error());
                sys::rd_kafka_topic_destroy(topic);
                return Err(error);
            }
            self.keep(Reading { topic, partition });
            Ok(())
        }
    }
}
