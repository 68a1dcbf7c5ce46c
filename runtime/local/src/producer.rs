//! A producer: places rows, encodes them by partition, and answers for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use weir_core::model::RawRecords;
use weir_core::port::{BrokerError, Producer, Sent, Ticket};

use crate::catalog::Topic;
use crate::codec::encode;
use crate::commit::{Done, Job, Op, Part, Reply};
use crate::local::{Engine, Shared};
use crate::partitioner::Partitioner;
use crate::rows::{batches, row_bytes};

pub(crate) struct LocalProducer {
    engine: Arc<Engine>,
    partitioner: Partitioner,
    record_bytes_max: usize,
    unanswered: usize,
    sender: UnboundedSender<(usize, Vec<Sent>)>,
    answers: UnboundedReceiver<(usize, Vec<Sent>)>,
    /// Gone with the producer, and with it what waits for room.
    alive: Arc<()>,
}

/// What a row takes beside its bytes, about.
const ROW_BYTES: usize = 16;

/// Where each row of a batch goes: its part and its place there, or why it goes nowhere.
pub(crate) type Placed = Vec<Result<(usize, i64), BrokerError>>;

impl LocalProducer {
    pub fn new(engine: Arc<Engine>, partitioner: Partitioner, record_bytes_max: usize) -> LocalProducer {
        let (sender, answers) = unbounded_channel();
        LocalProducer { engine, partitioner, record_bytes_max, unanswered: 0, sender, answers, alive: Arc::new(()) }
    }
}

#[async_trait]
impl Producer for LocalProducer {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        if tickets.len() != records.rows {
            let why = format!("{} tickets for {} records", tickets.len(), records.rows);
            return Err(BrokerError::Rejected(why));
        }
        if records.rows == 0 {
            return Ok(());
        }
        // An empty record, too, is one that waits.
        let bytes = records.bytes() + records.rows * ROW_BYTES;
        let (parts, placed) = place(&self.engine.shared, &mut self.partitioner, self.record_bytes_max, &records);
        drop(records);
        self.unanswered += bytes;
        let (tickets, sender) = (tickets.to_vec(), self.sender.clone());
        let partitions: Vec<i32> = parts.iter().map(|part| part.partition).collect();
        let reply: Reply = Box::new(move |done: Result<Done, BrokerError>| {
            // Nobody listens once the producer was dropped.
            let _ = sender.send((bytes, answer(&tickets, placed, &partitions, &done)));
        });
        if parts.is_empty() {
            reply(Ok(Done::Nothing));
        } else {
            self.engine.shared.submit(Job { op: Op::Append(parts), reply, patient: Some(Arc::downgrade(&self.alive)) });
        }
        Ok(())
    }

    fn unanswered_bytes(&self) -> usize {
        self.unanswered
    }

    async fn answers(&mut self) -> Vec<Sent> {
        let Some((bytes, mut sent)) = self.answers.recv().await else { return Vec::new() };
        self.unanswered -= bytes;
        while let Ok((bytes, more)) = self.answers.try_recv() {
            self.unanswered -= bytes;
            sent.extend(more);
        }
        sent
    }
}

/// Places and encodes records.
pub(crate) fn place(
    shared: &Shared,
    partitioner: &mut Partitioner,
    record_bytes_max: usize,
    records: &RawRecords,
) -> (Vec<Part>, Placed) {
    let topics: Vec<Option<Arc<Topic>>> = records.topics.iter().map(|name| shared.catalog.get(name)).collect();
    let mut parts: Vec<(Arc<Topic>, i32, Vec<u32>)> = Vec::new();
    let mut known: BTreeMap<(usize, i32), usize> = BTreeMap::new();
    let mut placed = Placed::with_capacity(records.rows);
    for row in 0..records.rows {
        let at = records.topic.get(row).map_or(0, |at| *at as usize);
        let bytes = row_bytes(records, row);
        let partition = match topics.get(at) {
            Some(Some(topic)) => partition(topic, partitioner, record_bytes_max, records, row, bytes),
            _ => Err(BrokerError::Rejected(match records.topics.get(at) {
                Some(name) => format!("topic {name} does not exist"),
                None => format!("record {row} names no topic"),
            })),
        };
        placed.push(match (partition, topics.get(at)) {
            (Ok(partition), Some(Some(topic))) => {
                let part = *known.entry((at, partition)).or_insert_with(|| {
                    parts.push((topic.clone(), partition, Vec::new()));
                    parts.len() - 1
                });
                parts[part].2.push(row as u32);
                Ok((part, parts[part].2.len() as i64 - 1))
            }
            (Err(why), _) => Err(why),
            (Ok(_), _) => Err(BrokerError::Rejected(format!("record {row} names no topic"))),
        });
    }
    let now = shared.settings.clock.now();
    let encoded = parts.into_iter().map(|(topic, partition, rows)| {
        let batches = batches(records, &rows, shared.settings.entry_bytes_max, now, topic.config.timestamp_type);
        let frame = |batch: crate::codec::Batch| {
            let mut frame = Vec::new();
            encode(&batch, &mut frame);
            (frame, batch.span)
        };
        Part { topic, partition, frames: batches.into_iter().map(frame).collect() }
    });
    (encoded.collect(), placed)
}

fn partition(
    topic: &Topic,
    partitioner: &mut Partitioner,
    record_bytes_max: usize,
    records: &RawRecords,
    row: usize,
    bytes: usize,
) -> Result<i32, BrokerError> {
    let most = topic.config.record_bytes_max.unwrap_or(usize::MAX).min(record_bytes_max);
    if bytes > most {
        let why = format!("a record of {bytes} bytes for topic {}, which takes at most {most}", topic.name);
        return Err(BrokerError::BadRecord(why));
    }
    let key = records.key.get(row);
    if topic.config.compact && key.is_none() {
        let why = format!("topic {} is compacted and takes no record without key", topic.name);
        return Err(BrokerError::BadRecord(why));
    }
    let partitions = topic.partitions.len() as i32;
    let chosen = partitioner.place(&topic.name, partitions, records.partition_of(row), key, bytes);
    chosen.map_err(BrokerError::Rejected)
}

/// The answer for each ticket, in their order.
pub(crate) fn answer(
    tickets: &[Ticket],
    placed: Placed,
    partitions: &[i32],
    done: &Result<Done, BrokerError>,
) -> Vec<Sent> {
    let outcome = |placed: Result<(usize, i64), BrokerError>| {
        let (part, nth) = placed?;
        match done {
            Ok(Done::Appended(offsets)) => Ok((partitions[part], offsets[part] + nth)),
            Ok(_) => Err(BrokerError::Unavailable("the store did not say where the record is".into())),
            Err(error) => Err(error.clone()),
        }
    };
    tickets.iter().zip(placed).map(|(ticket, placed)| Sent { ticket: *ticket, outcome: outcome(placed) }).collect()
}
