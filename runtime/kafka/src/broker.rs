//! A Kafka cluster as core's broker: topics and groups through one admin client, and the clients it hands out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tracing::warn;
use weir_core::model::{Position, Problem, Subscription, TopicPartition};
use weir_core::port::{
    Broker, BrokerError, ClientSettings, CompactedLog, Consumer, Created, NewTopic, Producer, TopicDescription,
};

use crate::checked::checked;
use crate::consumer::{KafkaConsumer, Manner};
use crate::defaults::{self, Properties};
use crate::errors::classified;
use crate::log::{KafkaLog, LogSettings};
use crate::native::{Admin, Client, KafkaError, Kind, Place};
use crate::pattern::Pattern;
use crate::producer::KafkaProducer;
use crate::properties::{self, ClientKind, Mapped, NATIVE_PREFIX, Origin};
use crate::subscription::{Watch, Watcher};

/// Java's default.api.timeout.ms.
const WAIT: Duration = Duration::from_secs(60);
/// How long a topic that was made may stay unknown to brokers.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);
const VISIBLE_PAUSE: Duration = Duration::from_millis(10);
/// What a worker's file says about its own group, not about that of a consumer.
const WORKERS_OWN: &[&str] =
    &["group.id", "group.instance.id", "group.protocol", "session.timeout.ms", "heartbeat.interval.ms"];

/// A Kafka cluster. Nothing connects before it is first used.
pub struct KafkaBroker {
    bootstrap: String,
    admin_properties: Properties,
    log_producer: Properties,
    log_reader: Properties,
    /// librdkafka's own settings of the worker's file, for every client.
    native: Properties,
    /// What the worker's file says of tasks' clients.
    worker: ClientSettings,
    wait: Duration,
    admin: OnceCell<Arc<Client>>,
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
        let mut mapped = |kind| {
            let mut known = properties::known(kind, worker);
            WORKERS_OWN.iter().for_each(|key| _ = known.remove(*key));
            if kind == ClientKind::Admin {
                known.extend(properties::of_tasks(kind, worker));
            }
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
        let worker = worker.iter().filter(|(key, _)| of_clients(key));
        let worker = worker.map(|(key, value)| (key.clone(), value.clone())).collect();
        let (admin, warned) = (OnceCell::new(), Mutex::default());
        Ok(KafkaBroker { bootstrap, admin_properties, log_producer, log_reader, native, worker, wait, admin, warned })
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

    /// `bootstrap.servers`
    pub fn servers(&self) -> &str {
        &self.bootstrap
    }

    async fn admin(&self) -> Result<Arc<Client>, BrokerError> {
        let make = || async {
            let properties: Vec<_> = self.admin_properties.clone().into_iter().collect();
            joined(beside(move || Client::new(Kind::Plain, &properties).map(Arc::new))).await
        };
        self.admin.get_or_try_init(make).await.cloned()
    }

    /// Asks with the admin client, beside tokio.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Admin<'_>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let (client, wait) = (self.admin().await?, self.wait);
        joined(beside(move || ask(Admin { client: &client, wait }))).await
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

    /// Settings of a task's client as properties, without defaults.
    fn mapped(&self, kind: ClientKind, settings: &ClientSettings) -> Result<Properties, BrokerError> {
        let mapped = self.checked(kind, settings);
        let mut mapped = mapped.map_err(|problems| BrokerError::Rejected(Problem::lines(&problems)))?;
        for (key, why) in mapped.ignored {
            let warning = format!("{}override.{key} has no effect here: {why}", kind.prefix());
            if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.clone()) {
                warn!("{warning}");
            }
        }
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

fn describe(admin: Admin<'_>, names: &[String]) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut described = vec![None; names.len()];
    for (name, found) in admin.describe(&names)? {
        let place = names.iter().position(|wanted| **wanted == *name);
        match (found, place) {
            (Ok(partitions), Some(place)) => {
                described[place] =
                    Some(TopicDescription { name: name.as_str().into(), partitions, cleanup_policy: None });
            }
            (Err(e), _) if matches!(e.code, Code::UnknownTopicOrPartition | Code::InvalidTopic) => {}
            (Err(e), _) => return Err(KafkaError { message: format!("topic {name}: {}", e.message), ..e }),
            (Ok(_), None) => {}
        }
    }
    let there: Vec<&str> =
        names.iter().zip(&described).filter(|(_, found)| found.is_some()).map(|(name, _)| *name).collect();
    if there.is_empty() {
        return Ok(described);
    }
    let policies = match admin.topic_setting(&there, "cleanup.policy") {
        Ok(policies) => policies,
        Err(e) if matches!(classified(e.clone()), BrokerError::Denied(_)) => vec![None; there.len()],
        Err(e) => return Err(e),
    };
    for (topic, policy) in described.iter_mut().flatten().zip(policies) {
        topic.cleanup_policy = policy;
    }
    Ok(described)
}

fn create(admin: Admin<'_>, topic: &NewTopic) -> Result<Created, KafkaError> {
    match admin.create(topic) {
        Ok(()) => {}
        Err(e) if e.code == Code::TopicAlreadyExists => return Ok(Created::Existed),
        Err(e) => return Err(KafkaError { message: format!("topic {}: {}", topic.name, e.message), ..e }),
    }
    // The controller made it; whoever uses it next asks another broker, which hears of it a moment later.
    let until = Instant::now() + VISIBLE_WITHIN;
    while Instant::now() < until {
        if matches!(admin.describe(&[&topic.name])?.first(), Some((_, Ok(1..)))) {
            break;
        }
        std::thread::sleep(VISIBLE_PAUSE);
    }
    Ok(Created::New)
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

    async fn create_topic(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        let topic = topic.clone();
        self.ask(move |admin| create(admin, &topic)).await
    }

    fn check_pattern(&self, pattern: &str) -> Result<(), String> {
        Pattern::new(pattern).map(drop)
    }

    fn check_client(&self, kind: ClientKind, settings: &ClientSettings) -> Result<(), Vec<Problem>> {
        self.checked(kind, settings).map(drop)
    }

    async fn producer(&self, settings: &ClientSettings) -> Result<Box<dyn Producer>, BrokerError> {
        let properties: Vec<_> = defaults::producer(self.mapped(ClientKind::Producer, settings)?).into_iter().collect();
        let client = joined(beside(move || Client::new(Kind::Producer, &properties))).await?;
        Ok(Box::new(KafkaProducer::new(Arc::new(client))))
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
        let made = beside(move || {
            let client = Client::new(Kind::Member, &properties)?;
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
        let group = group.to_string();
        let mut offsets = self.ask(move |admin| admin.group_offsets(&group)).await?;
        offsets.sort();
        Ok(offsets)
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), BrokerError> {
        let group = group.to_string();
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        for (partition, offset) in offsets.iter().cloned() {
            match offset {
                Some(offset) => set.push(Position { partition, offset }),
                None => removed.push(partition),
            }
        }
        self.ask(move |admin| {
            if !set.is_empty() {
                admin.alter_group_offsets(&group, &set)?;
            }
            if !removed.is_empty() {
                admin.remove_group_offsets(&group, &removed)?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_group(&self, group: &str) -> Result<(), BrokerError> {
        let group = group.to_string();
        self.ask(move |admin| admin.delete_group(&group)).await
    }

    async fn compacted_log(&self, topic: &NewTopic) -> Result<Arc<dyn CompactedLog>, BrokerError> {
        let mut wanted = topic.clone();
        wanted.config.insert("cleanup.policy".into(), "compact".into());
        let described = self
            .ask(move |admin| {
                let names = [wanted.name.clone()];
                if let Some(found) = describe(admin, &names)?.pop().flatten() {
                    return Ok(Some(found));
                }
                create(admin, &wanted)?;
                Ok(describe(admin, &names)?.pop().flatten())
            })
            .await?;
        let name = &topic.name;
        let Some(described) = described else {
            return Err(BrokerError::Unavailable(format!("topic {name} was made and is not there yet")));
        };
        if let Some(policy) = described.cleanup_policy.filter(|policy| policy != "compact") {
            return Err(BrokerError::Rejected(format!(
                "Topic '{name}' is required to have 'cleanup.policy=compact' to guarantee consistency and durability of what is stored in it, but found the topic currently has 'cleanup.policy={policy}'. Continuing would likely result in eventually losing it and problems restarting this Connect cluster in the future. Use a topic with 'cleanup.policy=compact'."
            )));
        }
        let settings = LogSettings {
            topic: described.name,
            partitions: described.partitions,
            committed_only: self.log_reader["isolation.level"] == "read_committed",
            reader: self.log_reader.clone().into_iter().collect(),
            admin: self.admin().await?,
            wait: self.wait,
        };
        let properties: Vec<_> = self.log_producer.clone().into_iter().collect();
        let producer = joined(beside(move || Client::new(Kind::Producer, &properties))).await?;
        Ok(Arc::new(KafkaLog::start(settings, KafkaProducer::new(Arc::new(producer)))))
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
}
