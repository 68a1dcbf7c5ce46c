//! What several of a broker's clients are made into: producers that write in transactions, and logs.

use std::sync::Arc;
use std::time::Duration;

use weir_core::port::{BrokerError, CompactedLog, NewTopic, TransactionalProducer};

use super::{KafkaBroker, beside, joined};
use crate::defaults::{self, Properties};
use crate::log::{KafkaLog, LogSettings};
use crate::native::{Client, Kind};
use crate::producer::KafkaProducer;
use crate::properties::ClientKind;
use crate::topics::{create, describe};
use crate::transactions::KafkaTransactions;

impl KafkaBroker {
    /// A producer that writes in transactions under an id, once whoever had it is fenced.
    pub(super) async fn transactions(
        &self,
        id: &str,
        properties: Properties,
        wait: Duration,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        let properties: Vec<_> = defaults::transactional_producer(id, properties).into_iter().collect();
        let birth = self.clients.of(ClientKind::Producer);
        let client = joined(beside(move || Client::new(&birth, Kind::Producer, &properties))).await?;
        Ok(Box::new(KafkaTransactions::begin(client, wait).await?))
    }

    /// A compacted topic as a log, made when it is missing and may be.
    pub(super) async fn log(
        &self,
        topic: &NewTopic,
        producer: Properties,
        reader: Properties,
    ) -> Result<Arc<dyn CompactedLog>, BrokerError> {
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
                "topic {name} has cleanup.policy={policy}, and what is kept in it needs cleanup.policy=compact"
            )));
        }
        let settings = LogSettings {
            topic: described.name,
            partitions: described.partitions,
            reader: reader.into_iter().collect(),
            admin: self.admin().await?,
            clients: self.clients.clone(),
            wait: self.wait,
        };
        let properties: Vec<_> = producer.into_iter().collect();
        let birth = self.clients.of(ClientKind::Producer);
        let producer = joined(beside(move || Client::new(&birth, Kind::Producer, &properties))).await?;
        Ok(Arc::new(KafkaLog::start(settings, KafkaProducer::new(Arc::new(producer)))))
    }
}
