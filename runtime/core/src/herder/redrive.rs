//! Dead letters go back: a sink's to the topics that they came from, a source's through its chain once more. Connect has
//! nothing like it.

mod queue;
mod tally;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{ClassKind, Config, Position, RawRecords, Subscription, TaskId, TopicPartition};
use crate::port::{BrokerError, Producer, Sent};
use crate::process::{Chain, Converters, Outbound, Passed, Retries, taken_back};
use crate::settings::{ConnectorSettings, DEAD_LETTER_TOPIC, Hidden, Tolerance};
use crate::task::{NotMade, Topics};

use super::builder::{Builder, Failure};
use super::offsets::failed;
use super::request::HerderError;
use queue::{Queue, TIME, after, unread, unreadable};
pub use tally::Redriven;
use tally::{Origins, Tally};

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
                "Connector {name} has no dead letter queue: its configuration names none in {DEAD_LETTER_TOPIC}"
            )));
        };
        let kind = self.connector_class(settings).map_err(failed)?.class.kind;
        self.check_overrides(kind, &settings.config).map_err(failed)?;
        let mut tally = Tally {
            redriven: Redriven { topic: letters.topic.clone(), ..Redriven::default() },
            connector: name.clone(),
            origins: Origins::of(kind, settings.subscription.as_ref()).map_err(HerderError::Invalid)?,
        };
        let mut back = match dry_run {
            true => None,
            false => Some(self.way_back(kind, settings).await?),
        };
        let Some(mut queue) = self.queue(&letters.topic, settings, dry_run).await? else {
            tally.redriven.complete = true;
            return Ok(tally.redriven);
        };
        let done = drive(back.as_mut(), &mut queue, &mut tally).await;
        tally.redriven.complete = queue.is_through();
        // The group has nothing to wait for, whatever came of it.
        if let Err(error) = queue.consumer.close().await {
            tracing::warn!(connector = name, %error, "the consumer of dead letters did not leave its group");
        }
        done.map(|()| tally.redriven)
    }

    /// The queue, from where it was looked at last; none where there is nothing new in it. A dry run reads in a group that
    /// nobody else is in.
    async fn queue(
        &self,
        topic: &str,
        settings: &ConnectorSettings,
        dry_run: bool,
    ) -> Result<Option<Queue>, HerderError> {
        let name = &settings.name;
        let failed = |error| unreadable(topic, error);
        let admin = self.admin_of(settings)?;
        if admin.describe_topics(&[topic]).await.map_err(failed)?.iter().all(Option::is_none) {
            return Err(HerderError::Invalid(format!(
                "The dead letter queue {topic} that connector {name} names in {DEAD_LETTER_TOPIC} is not there: \
                 no task of it has run yet, or somebody has deleted it"
            )));
        }
        let own = format!("weir-redrive-{name}");
        let committed = admin.group_offsets(&own).await.map_err(failed)?;
        let ends = unread(self.broker.topic_ends(topic).await.map_err(failed)?, &committed);
        if ends.is_empty() {
            return Ok(None);
        }
        let group = if dry_run { format!("{own}-dry-{:x}", fastrand::u64(..)) } else { own };
        let mut merged = self.consumer_settings(settings, &TaskId { connector: name.clone(), index: 0 });
        let client = format!("connector-dlq-consumer-{name}");
        for (key, value) in [("group.id", group.as_str()), ("client.id", &client), ("auto.offset.reset", "earliest")] {
            merged.insert(key.to_owned(), value.to_owned());
        }
        let subscription = Subscription::Topics(vec![topic.to_owned()]);
        let consumer = self.broker.consumer(&subscription, &merged).await.map_err(failed)?;
        Ok(Some(Queue::new(consumer, topic, committed, ends)))
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

/// Sends everything back that is in the queue, or only counts it where there is no way.
async fn drive(mut back: Option<&mut WayBack>, queue: &mut Queue, tally: &mut Tally) -> Result<(), HerderError> {
    while let Some(letters) = queue.next().await? {
        let Some(back) = &mut back else {
            tally.sort(&letters);
            continue;
        };
        let sending = tokio::time::timeout_at(queue.deadline, back.send_back(&letters, tally)).await;
        sending.map_err(|_| too_slow(&queue.topic))??;
        let position = |(partition, offset): (TopicPartition, i64)| Position { partition, offset };
        let positions: Vec<Position> = after(&letters).into_iter().map(position).collect();
        queue.consumer.commit(&positions).await.map_err(|error| unreadable(&queue.topic, error))?;
    }
    Ok(())
}

impl WayBack {
    async fn send_back(&mut self, letters: &RawRecords, tally: &mut Tally) -> Result<(), HerderError> {
        let (rows, places) = tally.sort(letters);
        let back = taken_back(letters, &rows, &places);
        let topics: Vec<Arc<str>> = places.into_iter().map(|(topic, _)| topic).collect();
        let (sent, from, mut failed) = match &mut self.again {
            None => ((0..rows.len() as u32).collect::<Vec<u32>>(), back, Vec::new()),
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

    /// Writes records, and waits until they are answered. Answers the tickets of those that were refused for what they are.
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
                    Err(error @ BrokerError::BadRecord(_)) => refused.push((ticket, error)),
                    Err(error) => return Err(not_written(error)),
                }
            }
        }
        Ok(refused)
    }
}

fn too_slow(topic: &str) -> HerderError {
    let seconds = TIME.as_secs();
    HerderError::Failed(format!(
        "Dead letters of {topic} were not all written within {seconds} s. Those of the last batch go back once more next time"
    ))
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
        let advanced =
            passage.advance((&mut self.chain, &mut self.converters), &Retries::default(), Tolerance::All).await;
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
