//! A compacted topic as a log: one task owns its producer, each reader a client that reads all partitions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;
use weir_core::model::{ClientKind, Position, RawRecords, TopicPartition};
use weir_core::port::{BrokerError, CompactedLog, LogEntry, LogReader, LogRecord, Producer, Sent, StoreError, Ticket};

use crate::broker::{beside, joined};
use crate::clients::Clients;
use crate::errors::{classified, passes_by_itself, store_error};
use crate::native::{Admin, Client, Intake, Kind, Place};
use crate::producer::KafkaProducer;

/// Bytes taken from the queue at once.
const TAKE_BYTES: usize = 1 << 20;
/// How often a reader that waits for records looks whether it may go on waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Append = (RawRecords, oneshot::Sender<Result<(), BrokerError>>);

/// What a log is made of.
#[derive(Clone)]
pub(crate) struct LogSettings {
    pub topic: Arc<str>,
    pub partitions: i32,
    /// Properties of readers.
    pub reader: Vec<(String, String)>,
    /// Who is asked for ends: over a reader's own connections the question would stand behind a fetch that waits.
    pub admin: Arc<Client>,
    /// The clients that there are.
    pub clients: Clients,
    /// How long a request may take.
    pub wait: Duration,
}

pub(crate) struct KafkaLog {
    settings: LogSettings,
    appends: mpsc::UnboundedSender<Append>,
}

impl KafkaLog {
    /// A log whose producer runs as a task of this runtime until the log is dropped.
    pub fn start(settings: LogSettings, producer: KafkaProducer) -> KafkaLog {
        let (appends, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(producer, queue));
        KafkaLog { settings, appends }
    }

    fn places(&self) -> Vec<TopicPartition> {
        let topic = &self.settings.topic;
        (0..self.settings.partitions).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect()
    }
}

/// An append that is not safe yet.
struct Open {
    left: usize,
    answer: Option<oneshot::Sender<Result<(), BrokerError>>>,
}

/// Sends appends in their order and answers each when all of its records were.
async fn write(mut producer: KafkaProducer, mut queue: mpsc::UnboundedReceiver<Append>) {
    let mut open: HashMap<Ticket, Open> = HashMap::new();
    let mut next: Ticket = 0;
    loop {
        tokio::select! {
            biased;
            append = queue.recv() => {
                let Some((records, answer)) = append else { break };
                let tickets = vec![next; records.rows];
                let left = records.rows;
                match producer.send(records, &tickets) {
                    Ok(()) => _ = open.insert(next, Open { left, answer: Some(answer) }),
                    Err(e) => _ = answer.send(Err(e)),
                }
                next += 1;
            }
            sent = producer.answers() => {
                for Sent { ticket, outcome } in sent {
                    let Some(append) = open.get_mut(&ticket) else { continue };
                    append.left -= 1;
                    let failed = outcome.err();
                    if failed.is_some() || append.left == 0 {
                        // Whoever appended may have gone.
                        append.answer.take().map(|answer| answer.send(failed.map_or(Ok(()), Err)));
                    }
                    if append.left == 0 {
                        open.remove(&ticket);
                    }
                }
            }
        }
    }
}

#[async_trait]
impl CompactedLog for KafkaLog {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let topic = &self.settings.topic;
        let rows = LogRecord::rows(topic, &records)?;
        let (answer, answered) = oneshot::channel();
        let gone = || BrokerError::Unavailable(format!("the producer of topic {topic} has ended"));
        self.appends.send((rows, answer)).map_err(|_| store_error(topic, gone()))?;
        answered.await.unwrap_or_else(|_| Err(gone())).map_err(|error| store_error(topic, error))
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        let (settings, places) = (self.settings.clone(), self.places());
        let (client, starts) = joined(beside({
            let places = places.clone();
            move || {
                let birth = settings.clients.of(ClientKind::Consumer);
                let client = Client::new(&birth, Kind::Plain, &settings.reader)?;
                let admin = Admin { client: &client, wait: settings.wait };
                let starts = admin.offsets(&places, Place::Beginning, false)?;
                for start in &starts {
                    client.read(&settings.topic, start.partition.partition, start.offset)?;
                }
                Ok((Arc::new(client), starts))
            }
        }))
        .await
        .map_err(|error| store_error(&self.settings.topic, error))?;
        let mut positions = vec![0; places.len()];
        for start in starts {
            positions[start.partition.partition as usize] = start.offset;
        }
        Ok(Box::new(Reader {
            settings: self.settings.clone(),
            intake: Intake::new(client.clone()),
            client,
            places,
            positions,
            read: Vec::new(),
        }))
    }
}

struct Reader {
    settings: LogSettings,
    client: Arc<Client>,
    intake: Intake,
    places: Vec<TopicPartition>,
    /// How far each partition was taken from the queue.
    positions: Vec<i64>,
    /// Taken and not handed out.
    read: Vec<LogEntry>,
}

impl Reader {
    /// Takes what there is. Never waits.
    fn take(&mut self) -> Result<(), StoreError> {
        loop {
            match self.intake.take(TAKE_BYTES) {
                Ok(records) if records.rows == 0 => return Ok(()),
                Ok(records) => {
                    for row in 0..records.rows {
                        let (partition, offset) = (records.partition_of(row).unwrap_or(0), records.offset[row]);
                        self.reached(partition, offset + 1);
                        let cell = |column: &weir_data::Column| column.get(row).map(<[u8]>::to_vec);
                        self.read.push(LogEntry {
                            partition,
                            offset,
                            timestamp: records.timestamp_of(row).unwrap_or(-1),
                            record: LogRecord { key: cell(&records.key), value: cell(&records.value) },
                        });
                    }
                }
                // An end tells the position behind what is no record: markers of transactions, compacted records.
                Err((Position { partition, offset }, error)) if passes_by_itself(error.code) => {
                    if error.code == rdkafka::types::RDKafkaErrorCode::PartitionEOF {
                        self.reached(partition.partition, offset);
                    } else {
                        warn!(%partition, "{}; trying again", error.message);
                    }
                }
                Err((_, error)) => return Err(store_error(&self.settings.topic, classified(error))),
            }
        }
    }

    fn reached(&mut self, partition: i32, offset: i64) {
        if let Some(position) = self.positions.get_mut(partition as usize) {
            *position = offset.max(*position);
        }
    }

    async fn ends(&self) -> Result<Vec<Position>, StoreError> {
        let (client, places) = (self.settings.admin.clone(), self.places.clone());
        let wait = self.settings.wait;
        // Behind transactions that are open, too: what comes of them is waited for, since what was committed after they began
        // shows only then (KafkaBasedLog's requireAdminForOffsets).
        let ends = beside(move || Admin { client: &client, wait }.offsets(&places, Place::End, false));
        joined(ends).await.map_err(|error| store_error(&self.settings.topic, error))
    }
}

#[async_trait]
impl LogReader for Reader {
    async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError> {
        let ends = self.ends().await?;
        let mut deadline = Instant::now() + self.settings.wait;
        let mut had = self.read.len();
        loop {
            self.take()?;
            let behind = |end: &&Position| self.positions[end.partition.partition as usize] < end.offset;
            let Some(behind) = ends.iter().find(behind) else {
                return Ok(std::mem::take(&mut self.read));
            };
            if self.read.len() > had {
                // As long as records come, it goes on.
                (had, deadline) = (self.read.len(), Instant::now() + self.settings.wait);
            }
            if Instant::now() >= deadline {
                let why = format!("{} was not read to its end {} in time", behind.partition, behind.offset);
                return Err(StoreError::Unavailable(why));
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.client.woken()).await;
        }
    }

    async fn changed(&mut self) -> Result<(), StoreError> {
        loop {
            self.take()?;
            if !self.read.is_empty() {
                return Ok(());
            }
            self.client.woken().await;
        }
    }
}
