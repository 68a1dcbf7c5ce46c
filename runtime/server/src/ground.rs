//! What a worker stands on: its broker, and the logs in which its stores are kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use weir_core::model::Config;
use weir_core::port::{Broker, BrokerError, CompactedLog, NewTopic};
use weir_core::settings::{Bootstrap, DistributedSettings, InternalTopic, WorkerSettings};
use weir_kafka::KafkaBroker;
use weir_local::Local;

use crate::offset_file::OffsetFile;
use crate::worker::lines;

/// How long an internal topic may take to be there (Connect's default.api.timeout.ms of 60 s), and the wait in between.
const TOPIC: Duration = Duration::from_secs(60);
const TOPIC_AGAIN: Duration = Duration::from_millis(200);

/// Where topics are, and the logs of the stores.
pub struct Ground {
    pub broker: Arc<dyn Broker>,
    pub configs: Arc<dyn CompactedLog>,
    pub offsets: Arc<dyn CompactedLog>,
    pub statuses: Arc<dyn CompactedLog>,
}

/// One of a worker's own topics.
#[derive(Clone, Copy)]
struct Role {
    /// What its keys begin with.
    key: &'static str,
    /// What is in it, as Connect says it.
    purpose: &'static str,
}

const CONFIGS: Role = Role { key: "config.storage", purpose: "connector configurations" };
const OFFSETS: Role = Role { key: "offset.storage", purpose: "source connector offsets" };
const STATUSES: Role = Role { key: "status.storage", purpose: "connector and task statuses" };

impl Role {
    /// A topic that is there has to be compacted, and nothing else (TopicAdmin.verifyTopicCleanupPolicyOnlyCompact). One
    /// whose settings may not be read is taken as it is.
    async fn check_policy(self, broker: &dyn Broker, name: &str) -> Result<(), String> {
        let Role { key, purpose } = self;
        let Ok(described) = broker.describe_topics(&[name]).await else { return Ok(()) };
        let policy = described.into_iter().flatten().find_map(|topic| topic.cleanup_policy);
        match policy.filter(|policy| policy != "compact") {
            None => Ok(()),
            Some(policy) => Err(format!(
                "Topic '{name}' supplied via the '{key}.topic' property is required to have 'cleanup.policy=compact' to \
                 guarantee consistency and durability of {purpose}, but found the topic currently has \
                 'cleanup.policy={policy}'. Continuing would likely result in eventually losing {purpose} and problems \
                 restarting this Connect cluster in the future. Change the '{key}.topic' property in the Connect worker \
                 configurations to use a topic with 'cleanup.policy=compact'."
            )),
        }
    }

    /// What helps where the worker's user may not do something with the topic, or it cannot be made as it is to be.
    fn remedy(self, name: &str, made: &InternalTopic, error: &BrokerError) -> String {
        let Role { key, .. } = self;
        match error {
            BrokerError::Denied(_) => format!(
                ": the worker's user has to be allowed to read and write the topic, and to create it where it is not \
                 there: kafka-acls.sh --add --allow-principal User:NAME --operation Create --operation Read --operation \
                 Write --topic {name}"
            ),
            BrokerError::Rejected(_) | BrokerError::BadRecord(_) => format!(
                ". Where it is not there it is made with {key}.partitions={} and {key}.replication.factor={}: correct \
                 these keys, or make the topic, compacted",
                made.partitions, made.replication_factor
            ),
            BrokerError::Unavailable(_) => ". Check the worker's broker connection and security properties".to_owned(),
            BrokerError::Fenced(_) => String::new(),
        }
    }
}

async fn log(
    broker: &dyn Broker,
    role: Role,
    name: &str,
    made: &InternalTopic,
) -> Result<Arc<dyn CompactedLog>, String> {
    for ignored in &made.ignored {
        tracing::warn!("{ignored}");
    }
    let mut config = made.config.clone();
    config.insert("cleanup.policy".to_owned(), "compact".to_owned());
    let (partitions, replication_factor) = (made.partitions, made.replication_factor);
    let topic = NewTopic { name: name.to_owned(), partitions, replication_factor, config };
    // Other workers may be making it at this moment, and a broker that was asked first may not know of it yet.
    let until = Instant::now() + TOPIC;
    role.check_policy(broker, name).await?;
    loop {
        match broker.compacted_log(&topic).await {
            Err(BrokerError::Unavailable(reason)) if Instant::now() < until => {
                tracing::debug!(topic = name, reason, "asked again");
                tokio::time::sleep(TOPIC_AGAIN).await;
            }
            answer => {
                let said = |error: BrokerError| {
                    format!("{}.topic={name}: {error}{}", role.key, role.remedy(name, made, &error))
                };
                return answer.map_err(said);
            }
        }
    }
}

fn kafka(settings: &WorkerSettings) -> Result<KafkaBroker, String> {
    let broker = KafkaBroker::new(&settings.config);
    broker
        .map(|broker| broker.sampled(settings.metrics.sample))
        .map_err(|problems| format!("the worker's Kafka settings are not usable:\n{}", lines(&problems)))
}

/// The ground of a worker in a group: all in Kafka.
pub async fn shared(settings: &WorkerSettings, group: &DistributedSettings) -> Result<Ground, String> {
    let broker = kafka(settings)?.appends_within(group.append_within());
    let [configs, offsets, statuses] = &group.topics;
    let asked = &settings.config_topic;
    let described = broker.describe_topics(&[asked]).await.map_err(|error| {
        let (servers, remedy) = (broker.servers(), CONFIGS.remedy(asked, configs, &error));
        format!("config.storage.topic={asked} cannot be looked up at bootstrap.servers={servers}: {error}{remedy}")
    })?;
    if let Some(topic) = described.into_iter().flatten().next().filter(|topic| topic.partitions != 1) {
        return Err(format!(
            "Topic '{}' supplied via the 'config.storage.topic' property is required to have a single partition in \
             order to guarantee consistency of connector configurations, but found {} partitions.",
            topic.name, topic.partitions
        ));
    }
    Ok(Ground {
        configs: log(&broker, CONFIGS, &settings.config_topic, configs).await?,
        offsets: log(&broker, OFFSETS, &settings.offset_topic, offsets).await?,
        statuses: log(&broker, STATUSES, &settings.status_topic, statuses).await?,
        broker: Arc::new(broker),
    })
}

/// A topic of the embedded store.
fn embedded(partitions: i32) -> InternalTopic {
    InternalTopic { partitions, replication_factor: -1, config: Config::new(), ignored: Vec::new() }
}

pub async fn of_its_own(settings: &WorkerSettings, cancel: &CancellationToken) -> Result<Ground, String> {
    let options = weir_local::Settings::default;
    let local = match &settings.bootstrap {
        Bootstrap::Local(dir) => {
            let local = Local::open(dir, options()).map_err(|error| error.to_string())?;
            let server = weir_local::Server::bind(local.clone()).map_err(|error| error.to_string())?;
            tokio::spawn(server.run(cancel.clone().cancelled_owned()));
            local
        }
        // On Kafka, too, a standalone worker keeps configurations and statuses in memory, as Connect does.
        Bootstrap::LocalMemory | Bootstrap::Kafka(_) => Local::memory(options()).map_err(|error| error.to_string())?,
    };
    let configs = log(&*local, CONFIGS, &settings.config_topic, &embedded(1)).await?;
    let statuses = log(&*local, STATUSES, &settings.status_topic, &embedded(5)).await?;
    let (offsets, broker): (Arc<dyn CompactedLog>, Arc<dyn Broker>) = match (&settings.bootstrap, &settings.offset_file)
    {
        (Bootstrap::Kafka(_), Some(file)) => {
            let broker = kafka(settings)?;
            (Arc::new(OffsetFile::open(file).map_err(|error| error.to_string())?), Arc::new(broker))
        }
        _ => (log(&*local, OFFSETS, &settings.offset_topic, &embedded(25)).await?, local), // settings.parse asks for the file on Kafka
    };
    Ok(Ground { broker, configs, offsets, statuses })
}
