//! The transactions of a producer. Each call but the one that begins them waits for the brokers.

use std::time::Duration;

use rdkafka::bindings as sys;

use super::KafkaError;
use super::client::Client;

fn milliseconds(most: Duration) -> i32 {
    i32::try_from(most.as_millis()).unwrap_or(i32::MAX)
}

impl Client {
    /// Takes the client's transactional id over from whoever had it.
    pub fn init_transactions(&self, most: Duration) -> Result<(), KafkaError> {
        // SAFETY: the client is alive; the error is taken.
        unsafe { KafkaError::take(sys::rd_kafka_init_transactions(self.rk(), milliseconds(most))) }
    }

    /// Begins a transaction; asks nobody.
    pub fn begin_transaction(&self) -> Result<(), KafkaError> {
        // SAFETY: as above.
        unsafe { KafkaError::take(sys::rd_kafka_begin_transaction(self.rk())) }
    }

    /// Commits. Whatever was sent has to be answered.
    pub fn commit_transaction(&self, most: Duration) -> Result<(), KafkaError> {
        // SAFETY: as above.
        unsafe { KafkaError::take(sys::rd_kafka_commit_transaction(self.rk(), milliseconds(most))) }
    }

    /// Gives up. What is still on its way is dropped, and answered so.
    pub fn abort_transaction(&self, most: Duration) -> Result<(), KafkaError> {
        // SAFETY: as above.
        unsafe { KafkaError::take(sys::rd_kafka_abort_transaction(self.rk(), milliseconds(most))) }
    }
}
