//! Dead letters go back: a sink's to the topics that they came from, a source's through its chain once more. Connect has
//! nothing like it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{ClassKind, Config, Position, RawRecords, Subscription, TaskId, TopicPartition};
use crate::port::{BrokerError, Consumer, ConsumerPolled, Producer, Sent};
use crate::process::{Chain, Converters, Outbound, Passed, Retries, Way, taken_back, way};
use crate::settings::{ConnectorSettings, Hidden};
use crate::task::{NotMade, Topics};

use super::builder::{Builder, Failure};
use super::offsets::failed;
use super::request::HerderError;

/// How long it may take in all, which is less than REST waits.
const TIME: Duration = Duration::from_secs(60);
/// How long the queue is silent before it counts as read to its end.
const SILENCE: Duration = Duration::from_secs(1);
/// Bytes of letters that are on their way back at a time.
const BATCH_BYTES: usize = 1 << 20;

/// What became of a connector's dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// The queue.
    pub topic: String,
    /// Letters that were not looked at before.
    pub letters: u64,
    /// How many of them went back, or would have, by topic.
    pub back: BTreeMap<String, u64>,
    /// Of a source: how many its transformations filtered.
    pub filtered: u64,
    /// How many failed once more, or were refused, and are letters again.
    pub failed: u64,
    /// How many another connector gave up, which shares the queue.
    pub of_others: u64,
    /// How many do not say where they are from, which therefore stay.
    pub unknown: u64,
    /// Whether all were looked at. What came meanwhile is left for the next time.
    pub complete: bool,
}

/// The connectors whose letters go back at this moment.
#[derive(Clone, Default)]
pub struct Redrives(Arc<Mutex<BTreeSet<String>>>);

/// One of them, until it is dropped.
struct Underway(Redrives, String);

impl Redrives {
    fn begin(&self, name: &str) -> Option<Underway> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        begun.then(|| Underway(self.clone(), name.to_owned()))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Builder {
    /// Sends a connector's dead letters back, or says what that would do. A letter counts as looked at once what became
    /// of it is stored, so one that is interrupted goes back again.
    pub async fn redrive(self: &Arc<Self>, connector: &Config, dry_run: bool) -> Result<Redriven, HerderError> {
        let found = self.looked_up(connector, Config::new(), &self.looked_up_before()).await.map_err(failed)?;
        let hidden = Hidden::new(&found.values);
        let name = &found.settings.name;
        let Some(underway) = self.redrives.begin(name) else {
            return Err(HerderError::Conflict(format!(
                "Dead letters of connector {name} are on their way back already"
            )));
        };
        let (builder, settings) = (self.clone(), found.settings.clone());
        let redriven = self.data.spawn(async move {
            let _underway = underway;
            builder.redrive_with(&settings, dry_run).await
        });
        let redriven = redriven.await.unwrap_or_else(|error| Err(HerderError::Failed(error.to_string())));
        redriven.map_err(|error| error.map(|text| hidden.hide(text)))
    }

    async fn redrive_with(&self, settings: &ConnectorSettings, dry_run: bool) -> Result<Redriven, HerderError> {
        let name = &settings.name;
        let Some(letters) = &settings.errors.dead_letters else {
            return Err(HerderError::Invalid(format!(
                "Connector {name} has no dead letter queue: its configuration names none in errors.deadletterqueue.topic.name"
            )));
        };
        let kind = self.connector_class(settings).map_err(failed)?.class.kind;
        let subscription = Subscription::Topics(vec![letters.topic.clone()]);
        let consumer = self.broker.consumer(&subscription, &self.redrive_settings(settings)).await;
        let mut queue = Queue {
            consumer: consumer.map_err(|error| unreadable(&letters.topic, error))?,
            topic: letters.topic.clone(),
            until: Instant::now() + TIME,
            positions: BTreeMap::new(),
        };
        let only_topic = match (&settings.subscription, kind) {
            (Some(Subscription::Topics(topics)), ClassKind::Sink) if topics.len() == 1 => {
                Some(topics[0].as_str().into())
            }
            _ => None,
        };
        let mut tally = Tally {
            redriven: Redriven { topic: letters.topic.clone(), ..Redriven::default() },
            connector: name.clone(),
            only_topic,
        };
        let done = if dry_run {
            queue.ends(|batch| drop(tally.sort(batch))).await.map(|(_, complete)| tally.redriven.complete = complete)
        } else {
            let mut back = self.way_back(kind, settings).await?;
            back.drive(&mut queue, &mut tally).await
        };
        // The group has nothing to wait for, whatever came of it.
        if let Err(error) = queue.consumer.close().await {
            tracing::warn!(connector = name, %error, "the consumer of dead letters did not leave its group");
        }
        done.map(|()| tally.redriven)
    }

    /// The letters' own group, which is nobody else's whatever the connector overrides.
    fn redrive_settings(&self, settings: &ConnectorSettings) -> crate::port::ClientSettings {
        let name = &settings.name;
        let mut merged = self.consumer_settings(settings, &TaskId { connector: name.clone(), index: 0 });
        merged.insert("group.id".to_owned(), format!("connect-{name}-dead-letters"));
        merged.insert("client.id".to_owned(), format!("connector-dlq-consumer-{name}"));
        merged.insert("auto.offset.reset".to_owned(), "earliest".to_owned());
        merged
    }

    async fn way_back(&self, kind: ClassKind, settings: &ConnectorSettings) -> Result<WayBack, HerderError> {
        let id = TaskId { connector: settings.name.clone(), index: 0 };
        let again = match kind {
            ClassKind::Source => Some(self.once_more(settings).await.map_err(failed)?),
            ClassKind::Sink | ClassKind::Transformation | ClassKind::Predicate => None,
        };
        let mut producer = self.producer_settings(settings, &id);
        producer.insert("client.id".to_owned(), format!("connector-dlq-redrive-{}", settings.name));
        let producer = self.broker.producer(&producer).await;
        Ok(WayBack {
            producer: producer.map_err(|error| HerderError::Failed(format!("There is no producer: {error}")))?,
            topics: self.topics(settings, &id).map_err(failed)?,
            again,
        })
    }

    /// What brings a source's records on their way once more.
    async fn once_more(&self, settings: &ConnectorSettings) -> Result<Again, Failure> {
        let found = self.connector_class(settings)?;
        let owner = format!("{}|redrive", settings.name);
        let context = self.context(owner, &found, Config::new(), Default::default(), &settings.name);
        Ok(Again {
            written_down: self.written_down()?,
            chain: self.chain(settings, &context).await?,
            converters: self.converters(settings)?,
        })
    }
}

fn unreadable(topic: &str, error: BrokerError) -> HerderError {
    HerderError::Failed(format!("The dead letter queue {topic} cannot be read: {error}"))
}

/// A topic, and the partition of it where there is one that is meant.
type Place = (Arc<str>, Option<i32>);

/// What is found in letters.
struct Tally {
    redriven: Redriven,
    connector: String,
    only_topic: Option<Arc<str>>,
}

impl Tally {
    /// The rows that go back, and where to.
    fn sort(&mut self, letters: &RawRecords) -> (Vec<u32>, Vec<Place>) {
        let (mut rows, mut ways) = (Vec::new(), Vec::new());
        let counts = &mut self.redriven;
        counts.letters += letters.rows as u64;
        for row in 0..letters.rows {
            match way(letters, row, &self.connector, self.only_topic.as_ref()) {
                Way::Back(topic, partition) => {
                    *counts.back.entry(topic.to_string()).or_default() += 1;
                    rows.push(row as u32);
                    ways.push((topic, partition));
                }
                Way::OfAnother => counts.of_others += 1,
                Way::Unknown => counts.unknown += 1,
            }
        }
        (rows, ways)
    }

    /// A record that was counted as going back did not.
    fn stays(&mut self, topic: &str) {
        if let Some(back) = self.redriven.back.get_mut(topic) {
            *back = back.saturating_sub(1);
        }
    }
}

/// The queue, read by a group of its own.
struct Queue {
    consumer: Box<dyn Consumer>,
    topic: String,
    until: Instant,
    /// Where reading has begun.
    positions: BTreeMap<TopicPartition, i64>,
}

impl Queue {
    /// The next letters; none when there are no more, or the time is over.
    async fn next(&mut self) -> Result<Option<RawRecords>, HerderError> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() && self.positions.is_empty() {
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
                ConsumerPolled::Records(letters) => return Ok(Some(letters)),
                ConsumerPolled::Nothing if self.positions.is_empty() => {}
                ConsumerPolled::Nothing => return Ok(None),
                ConsumerPolled::Assigned(positions) => {
                    self.positions.extend(positions.into_iter().map(|position| (position.partition, position.offset)));
                }
                ConsumerPolled::Revoked(_) | ConsumerPolled::Lost(_) => {
                    return Err(HerderError::Conflict(format!(
                        "The dead letter queue {} is redriven elsewhere at this moment. Try again",
                        self.topic
                    )));
                }
            }
        }
    }

    /// Reads to the end. Answers where each partition ends, and whether the end was reached in time.
    async fn ends(
        &mut self,
        mut look: impl FnMut(&RawRecords),
    ) -> Result<(BTreeMap<TopicPartition, i64>, bool), HerderError> {
        let mut ends = BTreeMap::new();
        while let Some(letters) = self.next().await? {
            look(&letters);
            ends.extend(after(&letters));
        }
        Ok((ends, Instant::now() < self.until))
    }

    /// Begins anew where it had begun.
    async fn again_from_begin(&mut self) -> Result<(), HerderError> {
        let begin = |(partition, &offset): (&TopicPartition, &i64)| Position { partition: partition.clone(), offset };
        let positions: Vec<Position> = self.positions.iter().map(begin).collect();
        self.consumer.seek(&positions).await.map_err(|error| unreadable(&self.topic, error))
    }
}

/// The partition of a letter, and the offset after it.
fn place(letters: &RawRecords, row: usize) -> (TopicPartition, i64) {
    let partition = letters.partition_of(row).unwrap_or_default();
    (TopicPartition { topic: letters.topic_of(row).clone(), partition }, letters.offset[row] + 1)
}

/// The offset after the last letter of each partition.
fn after(letters: &RawRecords) -> BTreeMap<TopicPartition, i64> {
    (0..letters.rows).map(|row| place(letters, row)).collect()
}

/// What brings a source's records on their way once more.
struct Again {
    written_down: Converters,
    chain: Chain,
    converters: Converters,
}

/// What letters go back by.
struct WayBack {
    producer: Box<dyn Producer>,
    topics: Topics,
    again: Option<Again>,
}

impl WayBack {
    /// Sends everything back that is in the queue now. What comes meanwhile, because a task fails at it once more, is
    /// not looked at: it would never end.
    async fn drive(&mut self, queue: &mut Queue, tally: &mut Tally) -> Result<(), HerderError> {
        let (ends, _) = queue.ends(|_| {}).await?;
        queue.until = Instant::now() + TIME / 2;
        queue.again_from_begin().await?;
        let mut left = ends.clone();
        while !left.is_empty() {
            let Some(letters) = queue.next().await? else { return Ok(()) };
            let before_end = |row: &u32| {
                let (partition, offset) = place(&letters, *row as usize);
                ends.get(&partition).is_some_and(|end| offset <= *end)
            };
            let rows: Vec<u32> = (0..letters.rows as u32).filter(before_end).collect();
            let letters = letters.select(&rows);
            self.send_back(&letters, tally).await?;
            let reached = after(&letters);
            let position =
                |(partition, &offset): (&TopicPartition, &i64)| Position { partition: partition.clone(), offset };
            let positions: Vec<Position> = reached.iter().map(position).collect();
            if !positions.is_empty() {
                queue.consumer.commit(&positions).await.map_err(|error| unreadable(&queue.topic, error))?;
            }
            left.retain(|partition, end| reached.get(partition).is_none_or(|offset| offset < end));
        }
        tally.redriven.complete = true;
        Ok(())
    }

    async fn send_back(&mut self, letters: &RawRecords, tally: &mut Tally) -> Result<(), HerderError> {
        let (rows, ways) = tally.sort(letters);
        let back = taken_back(letters, &rows, &ways);
        let topics: Vec<Arc<str>> = ways.into_iter().map(|(topic, _)| topic).collect();
        let all = || (0..rows.len() as u32).collect::<Vec<u32>>();
        let (sent, from, mut failed) = match &mut self.again {
            None => (all(), back, Vec::new()),
            Some(again) => again.bring_on(back, tally, &topics).await?,
        };
        for topic in from.topics_used() {
            make(&self.topics, topic).await?;
        }
        let tickets: Vec<u64> = sent.iter().map(|&at| u64::from(at)).collect();
        for (at, error) in self.write(from, &tickets).await? {
            tracing::error!(connector = tally.connector, %error, "a dead letter could not go back");
            failed.push(at as u32);
        }
        self.are_letters_again(letters, &rows, &topics, failed, tally).await
    }

    /// What failed once more is put behind the others.
    async fn are_letters_again(
        &mut self,
        letters: &RawRecords,
        rows: &[u32],
        topics: &[Arc<str>],
        failed: Vec<u32>,
        tally: &mut Tally,
    ) -> Result<(), HerderError> {
        if failed.is_empty() {
            return Ok(());
        }
        failed.iter().for_each(|&at| tally.stays(&topics[at as usize]));
        tally.redriven.failed += failed.len() as u64;
        let again: Vec<u32> = failed.iter().map(|&at| rows[at as usize]).collect();
        let letters = RawRecords { offset: Vec::new(), ..letters.select(&again) };
        let tickets: Vec<u64> = (0..again.len() as u64).collect();
        match self.write(letters, &tickets).await?.into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(HerderError::Failed(format!("A dead letter can go nowhere: {error}"))),
        }
    }

    /// Writes records, and waits until they are answered. Answers the tickets of those that were refused.
    async fn write(&mut self, records: RawRecords, tickets: &[u64]) -> Result<Vec<(u64, BrokerError)>, HerderError> {
        let not_written = |error: BrokerError| HerderError::Failed(format!("Dead letters could not go back: {error}"));
        if tickets.is_empty() {
            return Ok(Vec::new());
        }
        self.producer.send(records, tickets).map_err(not_written)?;
        let mut refused = Vec::new();
        while self.producer.unanswered_bytes() > 0 {
            for Sent { ticket, outcome } in self.producer.answers().await {
                match outcome {
                    Ok(_) => {}
                    Err(error @ BrokerError::Rejected(_)) => refused.push((ticket, error)),
                    Err(error) => return Err(not_written(error)),
                }
            }
        }
        Ok(refused)
    }
}

async fn make(topics: &Topics, topic: &Arc<str>) -> Result<(), HerderError> {
    if !topics.makes_any() {
        return Ok(());
    }
    topics.make(topic).await.map_err(|error| match error {
        NotMade::Yet(reason) => HerderError::Failed(format!("The topic {topic} cannot be made now: {reason}")),
        NotMade::Ever(failure) => HerderError::Failed(failure.trace),
    })
}

impl Again {
    /// Brings a source's records through its chain. Answers which of them are left, what they are then, and which failed.
    async fn bring_on(
        &mut self,
        back: RawRecords,
        tally: &mut Tally,
        topics: &[Arc<str>],
    ) -> Result<(Vec<u32>, RawRecords, Vec<u32>), HerderError> {
        let count = back.rows as u32;
        let (records, unread) = self.written_down.to_connect(back).await;
        let mut passage = Outbound::new(records);
        let advanced = passage.advance((&mut self.chain, &mut self.converters), &Retries::default()).await;
        advanced
            .map_err(|(class, fault)| HerderError::Failed(format!("{class} failed in apply\nCaused by: {fault}")))?;
        let Passed { records, kept, faults } = passage.finish();
        for fault in unread.iter().chain(&faults) {
            let (connector, stage) = (&tally.connector, fault.stage.name());
            tracing::error!(%connector, stage, class = fault.class, reason = %fault.fault, "a dead letter failed once more");
        }
        let failed: BTreeSet<u32> = unread.iter().chain(&faults).map(|fault| fault.row).collect();
        let all: Vec<u32> = kept.unwrap_or_else(|| (0..count).collect());
        let left: BTreeSet<u32> = all.iter().copied().collect();
        for at in (0..count).filter(|at| !left.contains(at) && !failed.contains(at)) {
            tally.stays(&topics[at as usize]);
            tally.redriven.filtered += 1;
        }
        let good: Vec<u32> = (0..all.len() as u32).filter(|&at| !failed.contains(&all[at as usize])).collect();
        let sent = good.iter().map(|&at| all[at as usize]).collect();
        Ok((sent, records.select(&good), failed.into_iter().collect()))
    }
}
