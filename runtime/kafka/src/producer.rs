//! A producer: rows into librdkafka's queue, answers out of it by their tickets.

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::types::RDKafkaErrorCode as Code;
use weir_core::model::RawRecords;
use weir_core::port::{BrokerError, Producer, Sent, Ticket};

use crate::errors::classified;
use crate::native::{Client, Delivery, KafkaError, Payload, Topics};

/// Answers taken in one go, about; a task has other things to do between.
const ANSWERS_MAX: usize = 20_000;

pub(crate) struct KafkaProducer {
    topics: Topics,
    client: Arc<Client>,
    /// Refused before they were sent.
    refused: Vec<Sent>,
    unanswered: usize,
    /// Whether it gives up where a broker does not let it log in.
    gives_up: bool,
}

impl KafkaProducer {
    pub fn new(client: Arc<Client>) -> KafkaProducer {
        let topics = Topics::new(client.clone());
        KafkaProducer { topics, client, refused: Vec::new(), unanswered: 0, gives_up: false }
    }

    /// The same, where a broker that does not let it log in is the end of what it has to send, as with Java's.
    pub fn giving_up(self) -> KafkaProducer {
        KafkaProducer { gives_up: true, ..self }
    }

    /// Rows `from..to` are of one topic and have neither partition nor time nor headers.
    fn send_plain(&mut self, records: &RawRecords, from: usize, to: usize, tickets: &[Ticket]) {
        let payload = |row| Payload { key: records.key.get(row), value: records.value.get(row) };
        let rows = (from..to).map(|row| (payload(row), tickets[row] as usize));
        self.unanswered += (from..to).map(|row| payload(row).bytes()).sum::<usize>();
        let (refused, unanswered) = (&mut self.refused, &mut self.unanswered);
        self.topics.send_plain(records.topic_of(from), rows, |nth, error| {
            let row = from + nth;
            *unanswered -= payload(row).bytes();
            refused.push(Sent { ticket: tickets[row], outcome: Err(not_taken(error, payload(row).length())) });
        });
    }

    fn send_row(&mut self, records: &RawRecords, row: usize, ticket: Ticket) {
        let chosen = records.partition_of(row);
        let payload = Payload { key: records.key.get(row), value: records.value.get(row) };
        let headers = records.headers.of(row);
        let headers: usize = headers.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
        let sent = match chosen {
            Some(partition) if partition < 0 => {
                Err(BrokerError::Rejected(format!("partition {partition} of topic {}", records.topic_of(row))))
            }
            _ => self
                .topics
                .send(records, row, ticket as usize)
                .map_err(|error| not_taken(error, payload.length() + headers)),
        };
        match sent {
            Ok(()) => self.unanswered += payload.bytes() + headers,
            Err(error) => self.refused.push(Sent { ticket, outcome: Err(error) }),
        }
    }
}

fn is_purged(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight)
}

/// Why a record of so many bytes was not taken to be sent (RecordTooLargeException of Java's producer).
fn not_taken(mut error: KafkaError, bytes: usize) -> BrokerError {
    if error.code == Code::MessageSizeTooLarge {
        error.message = format!(
            "The message is {bytes} bytes when serialized which is larger than max.request.size allows: raise \
             producer.override.max.request.size of the connector or producer.max.request.size of the worker"
        );
    }
    classified(error)
}

/// Why a record was not written.
fn unsent(mut error: KafkaError) -> BrokerError {
    match error.code {
        Code::UnknownTopic | Code::UnknownTopicOrPartition => {
            error.message += ": the topic is not there, and the brokers make none by themselves. Make it, or have the source make \
                              it with topic.creation.default.partitions and topic.creation.default.replication.factor";
        }
        Code::MessageSizeTooLarge => {
            error.message += ": raise the topic's max.message.bytes or the brokers' message.max.bytes; where only batches of \
                              records are larger, lower producer.override.batch.size of the connector";
        }
        _ => {}
    }
    classified(error)
}

#[async_trait]
impl Producer for KafkaProducer {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        if tickets.len() != records.rows {
            let why = format!("{} tickets for {} records", tickets.len(), records.rows);
            return Err(BrokerError::Rejected(why));
        }
        let plain = records.timestamp.is_empty()
            && records.headers.ends.is_empty()
            && records.partitions.iter().all(Option::is_none);
        let mut row = 0;
        while row < records.rows {
            let topic = records.topic.get(row);
            if plain {
                let end = (row..records.rows).find(|at| records.topic.get(*at) != topic).unwrap_or(records.rows);
                self.send_plain(&records, row, end, tickets);
                row = end;
            } else {
                self.send_row(&records, row, tickets[row]);
                row += 1;
            }
        }
        if !self.refused.is_empty() {
            self.client.wake();
        }
        Ok(())
    }

    /// Refused records have no bytes any more, and count so that their answers are asked for.
    fn unanswered_bytes(&self) -> usize {
        self.unanswered + self.refused.len()
    }

    async fn answers(&mut self) -> Vec<Sent> {
        loop {
            let mut sent = std::mem::take(&mut self.refused);
            let unanswered = &mut self.unanswered;
            self.client.deliveries(ANSWERS_MAX, |Delivery { ticket, bytes, outcome }| {
                *unanswered -= bytes;
                let why = |error: KafkaError| match self.client.denied() {
                    Some(denied) if is_purged(error.code) => denied.clone(),
                    _ => error,
                };
                sent.push(Sent { ticket: ticket as Ticket, outcome: outcome.map_err(|error| unsent(why(error))) });
            });
            if !sent.is_empty() {
                return sent;
            }
            if self.gives_up && self.client.denied().is_some() {
                self.client.purge();
            }
            self.client.woken().await;
        }
    }
}
