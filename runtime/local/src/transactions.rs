//! A producer that writes in transactions: what is sent is kept until it is committed, and then written at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use weir_core::model::RawRecords;
use weir_core::port::{BrokerError, Producer, Sent, Ticket, TransactionalProducer};

use crate::commit::{Done, Job, Op, Part, Reply};
use crate::local::Engine;
use crate::partitioner::Partitioner;
use crate::producer::{Placed, answer, place};

/// Who has each transactional id. None outlives the process, so it is kept in memory.
#[derive(Default)]
pub(crate) struct Holders(Mutex<BTreeMap<String, u64>>);

impl Holders {
    /// Takes an id over; answers as its which holder.
    fn take(&self, id: &str) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = all.entry(id.to_owned()).or_default();
        *holder += 1;
        *holder
    }
}

pub(crate) struct LocalTransactions {
    engine: Arc<Engine>,
    partitioner: Partitioner,
    record_bytes_max: usize,
    id: String,
    holder: u64,
    /// What was sent and is not committed.
    sent: Vec<(RawRecords, Vec<Ticket>)>,
    bytes: usize,
    alive: Arc<()>,
}

impl LocalTransactions {
    /// Takes an id over from whoever had it.
    pub fn new(engine: Arc<Engine>, partitioner: Partitioner, record_bytes_max: usize, id: &str) -> LocalTransactions {
        let holder = engine.shared.holders.take(id);
        let (id, alive) = (id.to_owned(), Arc::default());
        LocalTransactions { engine, partitioner, record_bytes_max, id, holder, sent: Vec::new(), bytes: 0, alive }
    }

    /// Writes parts, if the id is still this producer's. What another has begun by then comes behind it.
    fn submit(&self, parts: Vec<Part>, reply: Reply) -> Result<(), BrokerError> {
        let shared = &self.engine.shared;
        let holders = shared.holders.0.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.get(&self.id) != Some(&self.holder) {
            let id = &self.id;
            return Err(BrokerError::Fenced(format!("transactional.id={id}: a newer producer has taken it over")));
        }
        if parts.is_empty() {
            return Ok(());
        }
        shared.submit(Job { op: Op::Append(parts), reply, patient: Some(Arc::downgrade(&self.alive)) });
        Ok(())
    }
}

#[async_trait]
impl Producer for LocalTransactions {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        if tickets.len() != records.rows {
            let why = format!("{} tickets for {} records", tickets.len(), records.rows);
            return Err(BrokerError::Rejected(why));
        }
        self.bytes += records.bytes();
        self.sent.push((records, tickets.to_vec()));
        Ok(())
    }

    fn unanswered_bytes(&self) -> usize {
        self.bytes
    }

    /// What is sent is answered when it is committed.
    async fn answers(&mut self) -> Vec<Sent> {
        std::future::pending().await
    }
}

/// What was placed of one call of send: its first part, its tickets, where they stand.
type Chunk = (usize, Vec<Ticket>, Placed);

#[async_trait]
impl TransactionalProducer for LocalTransactions {
    async fn commit(&mut self) -> Result<Vec<Sent>, BrokerError> {
        let (mut parts, mut chunks): (Vec<Part>, Vec<Chunk>) = Default::default();
        for (records, tickets) in &self.sent {
            let shared = &self.engine.shared;
            let (more, placed) = place(shared, &mut self.partitioner, self.record_bytes_max, records);
            if let Some(refused) = placed.iter().find_map(|placed| placed.clone().err()) {
                return Err(refused);
            }
            chunks.push((parts.len(), tickets.clone(), placed));
            parts.extend(more);
        }
        let partitions: Vec<i32> = parts.iter().map(|part| part.partition).collect();
        let (reply, replied) = oneshot::channel();
        let nothing = parts.is_empty();
        self.submit(parts, Box::new(move |done: Result<Done, BrokerError>| drop(reply.send(done))))?;
        if nothing {
            return Ok(Vec::new());
        }
        let gone = |_| BrokerError::Unavailable("the store was closed".into());
        let Done::Appended(offsets) = replied.await.map_err(gone)?? else {
            return Err(BrokerError::Unavailable("the store did not say where the records are".into()));
        };
        (self.sent, self.bytes) = (Vec::new(), 0);
        let answers = chunks.into_iter().flat_map(|(first, tickets, placed)| {
            let done = Ok(Done::Appended(offsets[first..].to_vec()));
            answer(&tickets, placed, &partitions[first..], &done)
        });
        Ok(answers.collect())
    }

    async fn abort(&mut self) -> Result<(), BrokerError> {
        (self.sent, self.bytes) = (Vec::new(), 0);
        Ok(())
    }
}
