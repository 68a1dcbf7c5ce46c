//! How the tasks of a source deliver: at least once or exactly once, and where their offsets are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::model::{Ceilings, Config, Problem, TaskId};
use crate::port::{BrokerError, NewTopic, OffsetWriter as _, Producer, TransactionalProducer};
use crate::settings::{ConnectorSettings, ExactlyOnceSupport};
use crate::store::{OffsetStore, SessionLog, SourceOffsets};
use crate::task::{Delivery, ExactlyOnce, Grace};
use crate::worker::NotingProducer;

use super::builder::{Builder, Failure};
use super::fencing::transactional_id;
use super::herd::AGAIN;
use super::offsets::AlteredOffset;
use super::preflight::Preflight;

/// How many tasks are fenced at a time.
const FENCED_AT_ONCE: usize = 8;
/// How long a topic that was made may take to be there.
const TOPIC: std::time::Duration = std::time::Duration::from_secs(30);

/// Stores of offsets in topics that connectors name, as long as anybody uses them.
#[derive(Default)]
pub struct OwnOffsets(Mutex<HashMap<OwnKey, Weak<OffsetStore>>>);

/// The topic, and the settings of the clients with which it is reached.
type OwnKey = (String, [Config; 3]);

impl OwnOffsets {
    fn get(&self, key: &OwnKey) -> Option<Arc<OffsetStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key)?.upgrade()
    }

    fn keep(&self, key: OwnKey, store: &Arc<OffsetStore>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, store| store.strong_count() > 0);
        all.insert(key, Arc::downgrade(store));
    }
}

/// Why a transactional id was not taken over, and what helps.
fn not_taken(id: &str, error: &BrokerError) -> String {
    match error {
        BrokerError::Denied(_) => format!(
            "transactional.id={id}: {error}: its principal has to be allowed to: kafka-acls.sh --add --allow-principal User:NAME \
             --operation Write --operation Describe --transactional-id {id}"
        ),
        _ => format!("transactional.id={id}: {error}"),
    }
}

impl Builder {
    /// How tasks are made ready to deliver exactly once; none where they do not.
    pub(super) fn preflight(&self) -> Option<&Preflight> {
        let group = self.settings.distributed.as_ref()?;
        self.preflight.as_ref().filter(|_| group.exactly_once == ExactlyOnceSupport::Enabled)
    }

    /// The topic of a source's own offsets, where it has one that is not the worker's: where it names one, and where its
    /// transactions are in another cluster (Worker.offsetStoreForExactlyOnceSourceTask). A topic of the same name there is
    /// another one. On a worker in no group, as with Connect, there are none.
    fn own_offsets_topic<'a>(&'a self, settings: &'a ConnectorSettings) -> Option<&'a str> {
        self.settings.distributed.as_ref()?;
        let (workers, here) = (self.settings.offset_topic.as_str(), self.writes_here(settings));
        match settings.delivery.offsets_topic.as_deref() {
            Some(topic) => (topic != workers || !here).then_some(topic),
            None => (self.preflight().is_some() && !here).then_some(workers),
        }
    }

    /// Says what keeps a topic from being that of a source's offsets: what else the worker keeps in it.
    pub(super) fn check_offsets_topic(&self, topic: Option<&str>) -> Result<(), Problem> {
        let kept = [(&self.settings.config_topic, "config"), (&self.settings.status_topic, "status")];
        let taken = kept.iter().find(|(own, _)| self.settings.distributed.is_some() && topic == Some(own.as_str()));
        let Some((topic, what)) = taken else { return Ok(()) };
        let key = "offsets.storage.topic";
        let message = format!(
            "Invalid value {topic} for configuration {key}: it is the worker's {what}.storage.topic; name a topic of its own"
        );
        Err(Problem { key: key.into(), message })
    }

    /// Where the offsets of a source are. Makes a topic that it names and that is not there.
    pub(super) async fn source_offsets(&self, settings: &ConnectorSettings) -> Result<SourceOffsets, Failure> {
        let workers = self.offsets.clone();
        let (Some(topic), Some(group)) = (self.own_offsets_topic(settings), &self.settings.distributed) else {
            return Ok(SourceOffsets { workers, own: None });
        };
        let taken = |problem| Failure::Config(vec![problem]);
        self.check_offsets_topic(Some(topic)).map_err(taken)?;
        let clients = [settings.admin.clone(), settings.producer.clone(), settings.consumer.clone()];
        let key = (topic.to_owned(), clients);
        if let Some(own) = self.own_offsets.get(&key) {
            return Ok(SourceOffsets { workers, own: Some(own) });
        }
        let made = &group.topics[1];
        let new = NewTopic {
            name: topic.to_owned(),
            partitions: made.partitions,
            replication_factor: made.replication_factor,
            config: made.config.clone(),
        };
        let admin = self.admin(settings, &format!("connector-adminclient-{}", settings.name))?;
        let (producer, consumer) = self.log_clients(settings);
        let until = Instant::now() + TOPIC;
        let log = loop {
            match admin.compacted_log_of(&new, &producer, &consumer).await {
                Err(BrokerError::Unavailable(_)) if Instant::now() < until => sleep(AGAIN).await,
                log => break log,
            }
        };
        let unusable = |error: &dyn std::fmt::Display| {
            Failure::Broker(format!("offsets.storage.topic={topic} cannot be used: {error}"))
        };
        let mut log = log.map_err(|error| unusable(&error))?;
        if let Some(session) = &self.session {
            log = Arc::new(SessionLog::new(log, session.clone(), group.appended_by()));
        }
        let own = OffsetStore::over(log).await.map_err(|error| unusable(&error))?;
        self.own_offsets.keep(key, &own);
        Ok(SourceOffsets { workers, own: Some(own) })
    }

    /// How a task delivers. One that delivers exactly once has the older tasks fenced first, takes its transactional id
    /// over, and looks whether it is its worker's still. None when it was asked to stop meanwhile.
    pub(super) async fn delivery(
        &self,
        settings: &ConnectorSettings,
        (id, generation): (&TaskId, u64),
        grace: &Grace,
    ) -> Result<Option<(Delivery, SourceOffsets)>, Failure> {
        let Some(offsets) = grace.unless_stopping(self.source_offsets(settings)).await.transpose()? else {
            return Ok(None);
        };
        let delivery = self.delivery_with(settings, (id, generation), &offsets, grace).await?;
        Ok(delivery.map(|delivery| (delivery, offsets)))
    }

    async fn delivery_with(
        &self,
        settings: &ConnectorSettings,
        (id, generation): (&TaskId, u64),
        offsets: &SourceOffsets,
        grace: &Grace,
    ) -> Result<Option<Delivery>, Failure> {
        let client = self.producer_settings(settings, id);
        let note = self.note_topics(id);
        let no_producer = |error: String| Failure::Broker(format!("The task has no producer: {error}"));
        let Some(preflight) = self.preflight() else {
            let producer = self.broker.producer(&client).await.map_err(|error| no_producer(error.to_string()))?;
            return Ok(Some(Delivery::AtLeastOnce(match note {
                Some(note) => Box::new(NotingProducer::<dyn Producer>::new(producer, note, None)),
                None => producer,
            })));
        };
        let refused = Failure::Broker;
        let made = async {
            preflight.fence(&id.connector).await.map_err(refused)?;
            // Whoever takes the id over although the task is not its own any more would stop the one that runs.
            preflight.claim(id, generation).await.map_err(refused)?;
            let transactional = preflight.transactional_id(id);
            let producer = self.broker.transactional_producer(&transactional, &client).await;
            let producer = producer.map_err(|error| no_producer(not_taken(&transactional, &error)))?;
            preflight.claim(id, generation).await.map_err(refused)?;
            // Whatever others have left open in the offsets is waited for here, and not in the time that the guest has to start.
            // What else is wrong with them, its guest is told.
            let _ = offsets.read_once_there(&id.connector, &[]).await;
            Ok(producer)
        };
        let Some(producer) = grace.unless_stopping(made).await.transpose()? else { return Ok(None) };
        let except = Some(self.offsets_topic(settings));
        let producer: Box<dyn TransactionalProducer> = match note {
            Some(note) => Box::new(NotingProducer::<dyn TransactionalProducer>::new(producer, note, except)),
            None => producer,
        };
        Ok(Some(Delivery::ExactlyOnce(self.transactions(settings, producer, offsets))))
    }

    /// Keeps tasks of a source from writing in transactions any more, those with the numbers below `older`.
    pub(super) async fn fence(&self, config: &Config, ceilings: &Ceilings, older: u32) -> Result<(), String> {
        let group = self.settings.distributed.as_ref().map(|group| group.group.as_str()).unwrap_or_default();
        let found = self.looked_up(config, Config::new(), ceilings).await.map_err(|failure| failure.to_string())?;
        let settings = &found.settings;
        let admin = self.admin(settings, &format!("connector-adminclient-{}", settings.name));
        let admin = &admin.map_err(|failure| failure.to_string())?;
        let fenced = stream::iter(0..older).map(|task| async move {
            let id = transactional_id(group, &settings.name, task);
            admin.fence(&id).await.map_err(|error| not_taken(&id, &error))
        });
        let mut fenced = fenced.buffer_unordered(FENCED_AT_ONCE);
        while let Some(done) = fenced.next().await {
            done?;
        }
        Ok(())
    }

    /// Where sources deliver exactly once, keeps tasks of a stopped one that may still write from it, before its offsets are
    /// looked at to be altered.
    pub(super) async fn fence_before_altering(&self, connector: &str) -> Result<(), String> {
        let Some(preflight) = self.preflight() else { return Ok(()) };
        let unfenced =
            |why| format!("Failed to perform zombie fencing for source connector prior to modifying offsets: {why}");
        preflight.fence(connector).await.map_err(unfenced)
    }

    /// Stores offsets in place of those of a stopped source. Where sources deliver exactly once, that is done in a
    /// transaction of the first task (Worker.modifySourceConnectorOffsets).
    pub(super) async fn alter_source_offsets(
        &self,
        settings: &ConnectorSettings,
        offsets: &SourceOffsets,
        altered: &[AlteredOffset],
    ) -> Result<(), String> {
        let name = &settings.name;
        let restated = offsets.restated(name, altered).await.map_err(|error| error.to_string())?;
        let Some(preflight) = self.preflight() else {
            return offsets.write(name, restated).await.map_err(|error| error.to_string());
        };
        let first = TaskId { connector: name.clone(), index: 0 };
        let (id, client) = (preflight.transactional_id(&first), self.producer_settings(settings, &first));
        let producer = self.broker.transactional_producer(&id, &client).await.map_err(|error| error.to_string())?;
        let mut once = self.transactions(settings, producer, offsets);
        once.commit_with(name, &restated).await.map(drop).map_err(|error| error.to_string())
    }

    fn offsets_topic(&self, settings: &ConnectorSettings) -> Arc<str> {
        self.own_offsets_topic(settings).unwrap_or(&self.settings.offset_topic).into()
    }

    fn transactions(
        &self,
        settings: &ConnectorSettings,
        producer: Box<dyn TransactionalProducer>,
        offsets: &SourceOffsets,
    ) -> ExactlyOnce {
        let place = (self.offsets_topic(settings), Arc::new(offsets.clone()) as Arc<_>);
        ExactlyOnce::new(producer, settings.delivery.boundary, place, offsets.copies())
    }
}
