//! A Kafka cluster as core's broker: topics and groups through one admin client, and the clients it hands out.

mod clients;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tracing::warn;
use weir_core::model::{Pattern, Position, Problem, Subscription, TopicPartition};
use weir_core::observe::ClientStats;
use weir_core::port::{
    Broker, BrokerError, ClientSettings, CompactedLog, Consumer, Created, NewTopic, Producer, TopicDescription,
    TransactionalProducer,
};
use weir_core::settings::MetricsSettings;

use crate::checked::checked;
use crate::clients::Clients;
use crate::consumer::{KafkaConsumer, Manner};
use crate::defaults::{self, Properties};
use crate::errors::classified;
use crate::native::{Admin, Client, KafkaError, Kind, Place};
use crate::producer::KafkaProducer;
use crate::properties::{self, ClientKind, Mapped, NATIVE_PREFIX, Origin};
use crate::subscription::{Watch, Watcher};
use crate::topics::{create, describe, ends};

/// Java's default.api.timeout.ms.
const WAIT: Duration = Duration::from_secs(60);
/// What a worker's file says about its own group, not about that of a consumer.
const WORKERS_OWN: &[&str] =
    &["group.id", "group.instance.id", "group.protocol", "session.timeout.ms", "heartbeat.interval.ms"];

/// A Kafka cluster. Nothing connects before it is first used.
pub struct KafkaBroker {
    bootstrap: String,
    /// What the worker's file says of admin clients.
    admin_settings: ClientSettings,
    admin_properties: Properties,
    log_producer: Properties,
    log_reader: Properties,
    /// librdkafka's own settings of the worker's file, for every client.
    native: Properties,
    /// What the worker's file says of tasks' clients.
    worker: ClientSettings,
    wait: Duration,
    admin: OnceCell<Arc<Client>>,
    clients: Clients,
    warned: Mutex<BTreeSet<String>>,
}

impl KafkaBroker {
    /// A cluster, as a worker's file describes it: `bootstrap.servers`, `security.protocol`, `sasl.*`, `ssl.*` and the
    /// rest of what Java's clients know, also `librdkafka.*`. Other keys of the worker are passed over. Topics, groups
    /// and compacted logs are reached with these settings, topics and groups with those below `admin.` too; producers and
    /// consumers of tasks get their own, and of these only `bootstrap.servers` and `librdkafka.*`.
    pub fn new(worker: &ClientSettings) -> Result<KafkaBroker, Vec<Problem>> {
        let mut problems = Vec::new();
        let bootstrap = worker.get("bootstrap.servers").map(|servers| servers.trim().to_string()).unwrap_or_default();
        if bootstrap.is_empty() {
            let message = "is missing; name brokers as host:port, separated by commas".to_string();
            problems.push(Problem { key: "bootstrap.servers".into(), message });
        }
        let known = |kind| {
            let mut known = properties::known(kind, worker);
            WORKERS_OWN.iter().for_each(|key| _ = known.remove(*key));
            if kind == ClientKind::Admin {
                known.extend(properties::of_tasks(kind, worker));
            }
            known
        };
        let admin_settings = known(ClientKind::Admin);
        let mut mapped = |kind| {
            let known = known(kind);
            match checked(kind, Origin::Worker, &known) {
                Ok(mapped) => mapped.properties,
                Err(found) => {
                    problems
                        .extend(found.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
                    Properties::new()
                }
            }
        };
        let admin_properties = defaults::admin(mapped(ClientKind::Admin));
        let log_producer = defaults::log_producer(mapped(ClientKind::Producer));
        let log_reader = defaults::log_reader(mapped(ClientKind::Consumer));
        problems.extend(properties::login_missing(&admin_properties));
        for kind in [ClientKind::Producer, ClientKind::Consumer] {
            let wrong = checked(kind, Origin::Connector, &properties::of_tasks(kind, worker)).err();
            let named = |problem: Problem| Problem { key: format!("{}{}", kind.prefix(), problem.key), ..problem };
            problems.extend(wrong.into_iter().flatten().map(named));
        }
        let wait = worker.get("default.api.timeout.ms").map(|wait| wait.trim().parse());
        let wait = match wait {
            None => WAIT,
            Some(Ok(wait)) => Duration::from_millis(wait),
            Some(Err(_)) => {
                let message = "expected milliseconds".to_string();
                problems.push(Problem { key: "default.api.timeout.ms".into(), message });
                WAIT
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let native = worker.iter().filter_map(|(key, value)| Some((key.strip_prefix(NATIVE_PREFIX)?, value)));
        let native = native.map(|(key, value)| (key.to_string(), value.trim().to_string())).collect();
        let of_clients = [ClientKind::Producer, ClientKind::Consumer].map(ClientKind::prefix);
        let of_clients = |key: &str| of_clients.iter().any(|prefix| key.starts_with(prefix));
        let clients = Clients::new(MetricsSettings::default().sample);
        let worker = worker.iter().filter(|(key, _)| of_clients(key));
        let worker = worker.map(|(key, value)| (key.clone(), value.clone())).collect();
        let (admin, warned) = (OnceCell::new(), Mutex::default());
        Ok(KafkaBroker {
            bootstrap,
            admin_settings,
            admin_properties,
            log_producer,
            log_reader,
            native,
            worker,
            wait,
            admin,
            clients,
            warned,
        })
    }

    /// The cluster, with appends to its logs that are in the log or given up after so long, also where a worker's file lets
    /// producers try for longer.
    pub fn appends_within(mut self, most: Duration) -> KafkaBroker {
        let most = most.as_millis().max(1);
        let own = self.log_producer.get("message.timeout.ms").and_then(|own| own.parse().ok());
        // Zero is for ever.
        let least = own.filter(|own| *own > 0).map_or(most, |own: u128| own.min(most));
        self.log_producer.insert("message.timeout.ms".into(), least.to_string());
        self
    }

    /// The cluster, with clients that count in samples of this length, not of Kafka's default. Called before any is made.
    pub fn sampled(mut self, sample: Duration) -> KafkaBroker {
        self.clients = Clients::new(sample);
        self
    }

    /// `bootstrap.servers`
    pub fn servers(&self) -> &str {
        &self.bootstrap
    }

    async fn admin(&self) -> Result<Arc<Client>, BrokerError> {
        let make = || async {
            let properties: Vec<_> = self.admin_properties.clone().into_iter().collect();
            let birth = self.clients.of(ClientKind::Admin);
            joined(beside(move || Client::new(&birth, Kind::Plain, &properties).map(Arc::new))).await
        };
        self.admin.get_or_try_init(make).await.cloned()
    }

    /// Asks with the admin client, beside tokio.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Admin<'_>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let (client, wait) = (self.admin().await?, self.wait);
        let asked = move || ask(Admin { client: &client, wait }).map_err(|error| client.explained(error));
        joined(beside(asked)).await
    }

    /// Asks about a group, with a client that belongs to it and never joins it: librdkafka falls over its group, where it
    /// has none, as soon as a coordinator is about to be another one.
    async fn ask_of<T: Send + 'static>(
        &self,
        group: &str,
        ask: impl FnOnce(Admin<'_>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let mut properties = self.admin_properties.clone();
        properties.insert("group.id".into(), group.to_owned());
        properties.insert("enable.auto.commit".into(), "false".into());
        let (properties, group, wait): (Vec<_>, _, _) = (properties.into_iter().collect(), group.to_owned(), self.wait);
        let birth = self.clients.of(ClientKind::Admin);
        let asked = beside(move || {
            let client = Client::new(&birth, Kind::Plain, &properties)?;
            ask(Admin { client: &client, wait }, &group)
        });
        joined(asked).await
    }

    /// Settings of a task's client, mapped. What the worker's file has, and clients do not know or do not heed, was named
    /// when the worker started, and is left out.
    fn checked(&self, kind: ClientKind, settings: &ClientSettings) -> Result<Mapped, Vec<Problem>> {
        let of_worker = |key: &str| {
            let theirs = self.worker.get(&format!("{}{key}", kind.prefix()));
            theirs.is_some_and(|value| settings.get(key) == Some(value))
        };
        let mut settings = settings.clone();
        settings.retain(|key, _| !of_worker(key) || properties::is_known(kind, key));
        let mut mapped = checked(kind, Origin::Connector, &settings)?;
        mapped.ignored.retain(|key, _| !of_worker(key));
        Ok(mapped)
    }

    /// Settings of a connector's admin client: its own over the worker's, of which those for librdkafka are left out.
    fn admin_mapped(&self, id: &str, settings: &ClientSettings) -> Result<Mapped, Vec<Problem>> {
        let mut merged = ClientSettings::from([("client.id".to_owned(), id.to_owned())]);
        merged.extend(self.admin_settings.clone());
        merged.retain(|key, _| !key.starts_with(NATIVE_PREFIX));
        merged.extend(settings.clone());
        checked(ClientKind::Admin, Origin::Connector, &merged)
    }

    /// Says once of each setting that it has no effect.
    fn warn_of(&self, kind: ClientKind, ignored: BTreeMap<String, &'static str>) {
        for (key, why) in ignored {
            let warning = format!("{}{key} has no effect here: {why}", kind.override_prefix());
            if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.clone()) {
                warn!("{warning}");
            }
        }
    }

    /// Settings of a task's client as properties, without defaults.
    fn mapped(&self, kind: ClientKind, settings: &ClientSettings) -> Result<Properties, BrokerError> {
        let mapped = self.checked(kind, settings);
        let mut mapped = mapped.map_err(|problems| BrokerError::Rejected(Problem::lines(&problems)))?;
        self.warn_of(kind, mapped.ignored);
        mapped.properties.entry("bootstrap.servers".into()).or_insert_with(|| self.bootstrap.clone());
        mapped.properties.extend(self.native.clone());
        Ok(mapped.properties)
    }
}

/// Runs what waits for a broker on a thread that may wait.
pub(crate) fn beside<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(run)
}

/// What came of it.
pub(crate) async fn joined<T>(run: JoinHandle<Result<T, KafkaError>>) -> Result<T, BrokerError> {
    match run.await {
        Ok(done) => done.map_err(classified),
        Err(e) => Err(BrokerError::Unavailable(format!("a call of the Kafka client did not end: {e}"))),
    }
}

fn milliseconds(settings: &ClientSettings, key: &str, default: Duration) -> Result<Duration, BrokerError> {
    let Some(value) = settings.get(key) else { return Ok(default) };
    let number =
        value.trim().parse().map_err(|_| BrokerError::Rejected(format!("{key}={value}: expected milliseconds")))?;
    Ok(Duration::from_millis(number))
}

#[async_trait]
impl Broker for KafkaBroker {
    async fn cluster_id(&self) -> Result<String, BrokerError> {
        self.ask(|admin| admin.cluster_id()).await
    }

    async fn describe_topics(&self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, BrokerError> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        self.ask(move |admin| describe(admin, &names)).await
    }

    async fn topic_ends(&self, topic: &str) -> Result<Vec<Position>, BrokerError> {
        let topic = topic.to_owned();
        self.ask(move |admin| ends(admin, &topic)).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        let topic = topic.clone();
        self.ask(move |admin| create(admin, &topic)).await
    }

    /// Brokers make topics that are written to, or refuse to, as they are configured.
    fn makes_missing_topics(&self) -> bool {
        false
    }

    fn with_admin(&self, id: &str, settings: &ClientSettings) -> Result<Option<Arc<dyn Broker>>, BrokerError> {
        if settings.is_empty() {
            return Ok(None);
        }
        let rejected = |problems: Vec<Problem>| BrokerError::Rejected(Problem::lines(&problems));
        let Mapped { mut properties, mut ignored, .. } = self.admin_mapped(id, settings).map_err(rejected)?;
        ignored.retain(|key, _| settings.contains_key(key));
        self.warn_of(ClientKind::Admin, ignored);
        properties.extend(self.native.clone());
        Ok(Some(Arc::new(KafkaBroker {
            bootstrap: properties.get("bootstrap.servers").unwrap_or(&self.bootstrap).clone(),
            admin_properties: defaults::admin(properties),
            admin_settings: self.admin_settings.clone(),
            log_producer: self.log_producer.clone(),
            log_reader: self.log_reader.clone(),
            native: self.native.clone(),
            worker: self.worker.clone(),
            wait: milliseconds(settings, "default.api.timeout.ms", self.wait)?,
            admin: OnceCell::new(),
            clients: self.clients.clone(),
            warned: Mutex::default(),
        })))
    }

    fn check_client(&self, kind: ClientKind, settings: &ClientSettings) -> Result<(), Vec<Problem>> {
        match kind {
            ClientKind::Producer | ClientKind::Consumer => self.checked(kind, settings).map(drop),
            ClientKind::Admin => self.admin_mapped("", settings).map(drop),
        }
    }

    fn clients(&self) -> Vec<(ClientKind, Arc<ClientStats>)> {
        self.clients.alive()
    }

    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError> {
        let properties: Vec<_> = defaults::producer(self.mapped(ClientKind::Producer, settings)?).into_iter().collect();
        let birth = self.clients.of(ClientKind::Producer);
        let client = joined(beside(move || Client::new(&birth, Kind::Producer, &properties))).await?;
        Ok(Box::new(KafkaProducer::new(Arc::new(client)).giving_up()))
    }

    async fn transactional_producer(
        &self,
        id: &str,
        settings: &ClientSettings,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        let wait = milliseconds(settings, "max.block.ms", self.wait)?;
        self.transactions(id, self.mapped(ClientKind::Producer, settings)?, wait).await
    }

    async fn own_transactional_producer(&self, id: &str) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        self.transactions(id, self.log_producer.clone(), self.wait).await
    }

    async fn fence(&self, id: &str) -> Result<(), BrokerError> {
        self.transactions(id, self.admin_properties.clone(), self.wait).await.map(drop)
    }

    async fn consumer(
        &self,
        subscription: &Subscription,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let properties = defaults::member(self.mapped(ClientKind::Consumer, settings)?);
        if properties.get("group.id").is_none_or(String::is_empty) {
            return Err(BrokerError::Rejected("group.id is missing; a consumer reads as a member of a group".into()));
        }
        let wait = milliseconds(settings, "default.api.timeout.ms", self.wait)?;
        let poll_every = milliseconds(settings, "max.poll.interval.ms", Duration::from_secs(300))? / 3;
        let manner = Manner {
            reset: match properties["auto.offset.reset"].as_str() {
                "earliest" => Some(Place::Beginning),
                "latest" => Some(Place::End),
                _ => None,
            },
            committed_only: properties["isolation.level"] == "read_committed",
            wait,
            poll_every: poll_every.max(Duration::from_millis(10)),
        };
        let watch = match subscription {
            Subscription::Topics(_) => None,
            Subscription::Pattern(pattern) => Some(Watch {
                pattern: Pattern::new(pattern).map_err(BrokerError::Rejected)?,
                internal_too: settings.get("exclude.internal.topics").is_some_and(|value| value.trim() == "false"),
                every: milliseconds(settings, "metadata.max.age.ms", Duration::from_secs(300))?
                    .max(Duration::from_millis(10)),
                wait,
                matched: Vec::new(),
            }),
        };
        let topics = match subscription {
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(_) => Vec::new(),
        };
        let properties: Vec<_> = properties.into_iter().collect();
        let birth = self.clients.of(ClientKind::Consumer);
        let made = beside(move || {
            let client = Client::new(&birth, Kind::Member, &properties)?;
            let mut watch = watch;
            match &mut watch {
                Some(watch) => watch.look(&client)?,
                None => client.subscribe(&topics)?,
            }
            Ok((client, watch))
        });
        let (client, watch) = joined(made).await?;
        Ok(Box::new(KafkaConsumer::new(Arc::new(client), manner, watch.map(Watcher::new))))
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<Position>, BrokerError> {
        let mut offsets = self.ask_of(group, |admin, group| admin.group_offsets(group)).await?;
        offsets.sort();
        Ok(offsets)
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError> {
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        for (partition, offset) in offsets.iter().cloned() {
            match offset {
                Some(offset) => set.push(Position { partition, offset }),
                None => removed.push(partition),
            }
        }
        self.ask_of(group, move |admin, group| {
            if !set.is_empty() {
                admin.alter_group_offsets(group, &set)?;
            }
            if !removed.is_empty() {
                admin.remove_group_offsets(group, &removed)?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_group(&self, group: &str) -> Result<(), BrokerError> {
        self.ask_of(group, |admin, group| admin.delete_group(group)).await
    }

    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        self.log(topic, self.log_producer.clone(), self.log_reader.clone()).await
    }

    async fn compacted_log_of(
        &self,
        topic: &NewTopic,
        producer: &ClientSettings,
        consumer: &ClientSettings,
    ) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        let mut producer = defaults::log_producer(self.mapped(ClientKind::Producer, producer)?);
        producer.insert("message.timeout.ms".into(), self.log_producer["message.timeout.ms"].clone());
        let mut reader = defaults::log_reader(self.mapped(ClientKind::Consumer, consumer)?);
        reader.insert("isolation.level".into(), "read_committed".into());
        self.log(topic, producer, reader).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(entries: &[(&str, &str)]) -> ClientSettings {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_only_the_workers_file_gives_clients_is_left_out_where_they_do_not_know_it() {
        let given = [("bootstrap.servers", "a:1"), ("producer.bogus", "1"), ("producer.linger.ms", "7")];
        let broker = KafkaBroker::new(&settings(&given)).unwrap();
        let mapped = broker.mapped(ClientKind::Producer, &settings(&[("bogus", "1"), ("linger.ms", "7")])).unwrap();
        assert_eq!((mapped["linger.ms"].as_str(), mapped.get("bogus")), ("7", None));
        let own = broker.mapped(ClientKind::Producer, &settings(&[("bogus", "2")])).unwrap_err();
        assert!(own.to_string().contains("bogus=2"), "{own}");
    }

    #[test]
    fn appends_to_logs_are_bounded_and_never_made_longer() {
        let within = |more: &[(&str, &str)], most| {
            let given = [&[("bootstrap.servers", "a:1")], more].concat();
            let broker = KafkaBroker::new(&settings(&given)).unwrap().appends_within(Duration::from_secs(most));
            broker.log_producer["message.timeout.ms"].clone()
        };
        assert_eq!(within(&[], 10), "10000");
        assert_eq!(within(&[("delivery.timeout.ms", "4000")], 10), "4000");
        assert_eq!(within(&[("librdkafka.message.timeout.ms", "0")], 10), "10000");
        assert_eq!(within(&[], 600), "120000");
    }

    #[test]
    fn the_admin_client_takes_what_is_below_its_prefix_over_the_rest() {
        let given = [("bootstrap.servers", "a:1"), ("client.id", "all"), ("admin.client.id", "admin")];
        let broker = KafkaBroker::new(&settings(&given)).unwrap();
        assert_eq!(broker.admin_properties["client.id"], "admin");
        assert_eq!(broker.log_producer["client.id"], "all");
    }

    #[test]
    fn an_admin_client_of_its_own_has_the_workers_settings_and_others_over_them() {
        let given = [("bootstrap.servers", "a:1"), ("admin.retry.backoff.ms", "7"), ("librdkafka.debug", "admin")];
        let broker = KafkaBroker::new(&settings(&given)).unwrap();
        assert!(broker.with_admin("id", &settings(&[])).unwrap().is_none());
        for (own, part) in [("librdkafka.debug", "worker's file only"), ("bogus", "is called so")] {
            let refused = broker.with_admin("id", &settings(&[(own, "1")])).err().unwrap().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        let own = broker.admin_mapped("id", &settings(&[("bootstrap.servers", "b:2")])).unwrap().properties;
        let expected = [("bootstrap.servers", "b:2"), ("client.id", "id"), ("retry.backoff.ms", "7")];
        assert_eq!(own, settings(&expected));
        assert!(broker.with_admin("id", &settings(&[("default.api.timeout.ms", "5")])).unwrap().is_some());
    }
}
