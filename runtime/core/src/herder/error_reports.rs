//! Whom a task's records that fail are reported to, made out of its connector's settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ClassKind, Config, ConverterRole, TaskId};
use crate::observe::ErrorCounts;
use crate::port::{BrokerError, ClientSettings, Converter, NewTopic};
use crate::process::{Converters, DeadLetters, Reports};
use crate::settings::{ConnectorSettings, DeadLetterSettings};

use super::builder::{Builder, Failure};

/// How a source's records are written down: readable, and with all that their schemas say.
const WRITTEN_DOWN: &str = "org.apache.kafka.connect.json.JsonConverter";

impl Builder {
    /// Whom a task's records are reported to. The topic of its dead letters is made where it is missing.
    pub(super) async fn reports(
        &self,
        kind: ClassKind,
        settings: &ConnectorSettings,
        id: &TaskId,
        counts: Arc<ErrorCounts>,
    ) -> Result<Reports, Failure> {
        let letters = match &settings.errors.dead_letters {
            Some(letters) => Some(self.dead_letters(letters, settings, id).await?),
            None => None,
        };
        let mut reports = Reports { log: settings.errors.log, letters, ..Reports::counted(id.clone(), counts) };
        if kind == ClassKind::Source && reports.need_records() {
            reports.written_down = Some(self.written_down()?);
        }
        Ok(reports)
    }

    async fn dead_letters(
        &self,
        letters: &DeadLetterSettings,
        settings: &ConnectorSettings,
        id: &TaskId,
    ) -> Result<DeadLetters, Failure> {
        let failed = |error: BrokerError| {
            let DeadLetterSettings { topic, replication_factor, .. } = letters;
            let remedy = match &error {
                BrokerError::Rejected(_) => format!(
                    ". It is made with errors.deadletterqueue.topic.replication.factor={replication_factor}: correct that, or \
                     make the topic"
                ),
                _ => String::new(),
            };
            let what = format!("Could not initialize dead letter queue with topic={topic}");
            Failure::Broker(format!("{what}\nCaused by: {error}{remedy}"))
        };
        let admin = self.admin(settings, &format!("connector-dlq-adminclient-{id}"))?;
        let found = admin.describe_topics(&[&letters.topic]).await.map_err(failed)?;
        if found.iter().all(Option::is_none) {
            tracing::error!(task = %id, topic = letters.topic, "Topic {} doesn't exist. Will attempt to create topic.", letters.topic);
            let new = NewTopic {
                name: letters.topic.clone(),
                partitions: 1,
                replication_factor: letters.replication_factor,
                config: BTreeMap::new(),
            };
            admin.create_topic(&new).await.map_err(failed)?;
        }
        let producer = self.broker.producer(&self.dead_letter_settings(settings, id)).await.map_err(failed)?;
        Ok(DeadLetters::new(&letters.topic, letters.context_headers, producer, self.settings.buffer_memory))
    }

    fn dead_letter_settings(&self, settings: &ConnectorSettings, id: &TaskId) -> ClientSettings {
        let own = format!("connector-producer-{id}");
        let mut merged = self.producer_settings(settings, id);
        if merged.get("client.id") == Some(&own) {
            merged.insert("client.id".to_owned(), format!("connector-dlq-producer-{id}"));
        }
        merged
    }

    /// The converters by which a source's records become letters, and letters its records again.
    pub(super) fn written_down(&self) -> Result<Converters, Failure> {
        let settings = Config::from([("schemas.enable".to_owned(), "true".to_owned())]);
        let make = |role: ConverterRole| -> Result<(String, Box<dyn Converter>), Failure> {
            let converter = self.converters.converter(WRITTEN_DOWN, &settings, role).map_err(Failure::Config)?;
            Ok((WRITTEN_DOWN.to_owned(), converter))
        };
        Ok(Converters {
            key: make(ConverterRole::Key)?,
            value: make(ConverterRole::Value)?,
            header: make(ConverterRole::Header)?,
        })
    }
}
