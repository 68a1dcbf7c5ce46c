//! Kafka's protocol over sockets of our own, as far as a member of a worker group speaks it: librdkafka joins groups only
//! as `consumer`.
//!
//! The codecs are ours too. Those of the crate kafka-protocol make room for as many elements as an answer announces,
//! before any has arrived: twenty bytes of a server that is no broker end the process.

mod connection;
mod coordinator;
mod errors;
mod frame;
#[cfg(test)]
pub(crate) mod fuzz;
mod messages;
mod sasl;
mod scram;
mod settings;
mod tls;

pub use coordinator::KafkaCoordinator;
