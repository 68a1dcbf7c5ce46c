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

async fn log(broker: &dyn Broker, name: &str, made: &InternalTopic) -> Result<Arc<dyn CompactedLog>, String> {
    for ignored in &made.ignored {
        tracing::warn!("{ignored}");
    }
    let mut config = made.config.clone();
    config.insert("cleanup.policy".to_owned(), "compact".to_owned());
    let (partitions, replication_factor) = (made.partitions, made.replication_factor);
    let topic = NewTopic { name: name.to_owned(), partitions, replication_factor, config };
    // Other workers may be making it at this moment, and a broker that was asked first may not know of it yet.
    let until = Instant::now() + TOPIC;
    loop {
        match broker.compacted_log(&topic).await {
            Err(BrokerError::Unavailable(reason)) if Instant::now() < until => {
                tracing::debug!(topic = name, reason, "asked again");
                tokio::time::sleep(TOPIC_AGAIN).await;
            }
            answer => return answer.map_err(|error| format!("topic {name}: {error}{}", remedy(name, &error))),
        }
    }
}

/// What helps where the worker's user may not do something with a topic of its own.
fn remedy(topic: &str, error: &BrokerError) -> String {
    match error {
        BrokerError::Denied(_) => format!(
            ": the worker's user has to be allowed to read and write the topic, and to create it where it is not there: \
             kafka-acls.sh --add --allow-principal User:NAME --operation Create --operation Read --operation Write \
             --topic {topic}"
        ),
        BrokerError::Unavailable(_) | BrokerError::Rejected(_) | BrokerError::Fenced(_) => String::new(),
    }
}

fn kafka(settings: &WorkerSettings) -> Result<KafkaBroker, String> {
    KafkaBroker::new(&settings.config)
        .map_err(|problems| format!("the worker's Kafka settings are not usable:\n{}", lines(&problems)))
}

/// The ground of a worker in a group: all in Kafka.
pub async fn shared(settings: &WorkerSettings, group: &DistributedSettings) -> Result<Ground, String> {
    let broker = kafka(settings)?.appends_within(group.append_within());
    let [configs, offsets, statuses] = &group.topics;
    let asked = &settings.config_topic;
    let described = broker.describe_topics(&[asked]).await.map_err(|error| {
        let (servers, remedy) = (broker.servers(), remedy(asked, &error));
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
        configs: log(&broker, &settings.config_topic, configs).await?,
        offsets: log(&broker, &settings.offset_topic, offsets).await?,
        statuses: log(&broker, &settings.status_topic, statuses).await?,
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
    let configs = log(&*local, &settings.config_topic, &embedded(1)).await?;
    let statuses = log(&*local, &settings.status_topic, &embedded(5)).await?;
    let (offsets, broker): (Arc<dyn CompactedLog>, Arc<dyn Broker>) = match (&settings.bootstrap, &settings.offset_file)
    {
        (Bootstrap::Kafka(_), Some(file)) => {
            let broker = kafka(settings)?;
            (Arc::new(OffsetFile::open(file).map_err(|error| error.to_string())?), Arc::new(broker))
        }
        _ => (log(&*local, &settings.offset_topic, &embedded(25)).await?, local), // settings.parse asks for the file on Kafka
    };
    Ok(Ground { broker, configs, offsets, statuses })
}
