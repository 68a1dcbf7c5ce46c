//! A connector's offsets as people read and alter them (KIP-875): a source's in the offset store, a sink's in its group.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{Ceilings, ClassKind, Fault, Problem, TopicPartition};
use crate::port::{Broker, BrokerError};
use crate::settings::ConnectorSettings;

use super::asked::guest_failed;
use super::builder::{Builder, Failure, connector_kind, granted};
use super::request::HerderError;

/// A partition and its offset as JSON text of one object each; no offset where it is to be forgotten. A partition that
/// was not given is `null`.
pub type AlteredOffset = (String, Option<String>);

/// What is to become of a connector's offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffsetChange {
    /// These take the place of what there is for their partitions.
    Alter(Vec<AlteredOffset>),
    /// All are forgotten.
    Reset,
}

impl OffsetChange {
    /// What to call it: alter and altered, or reset.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            OffsetChange::Alter(_) => ("alter", "altered"),
            OffsetChange::Reset => ("reset", "reset"),
        }
    }

    /// What whoever asked is told (Worker.modifyConnectorOffsets). `externally`: the connector has altered its system.
    fn done(&self, externally: bool) -> String {
        let (_, altered) = self.words();
        match externally {
            true => format!("The offsets for this connector have been {altered} successfully"),
            false => format!(
                "The Connect framework-managed offsets for this connector have been {altered} successfully. However, if \
                 this connector manages offsets externally, they will need to be manually {altered} in the system that \
                 the connector uses."
            ),
        }
    }
}

fn invalid(message: impl Into<String>) -> HerderError {
    HerderError::Invalid(message.into())
}

/// A whole number as Java reads the text of a JSON value.
fn whole<T: std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.to_string().parse().ok(),
    }
}

/// A sink's offsets out of what a person wrote (SinkUtils.parseSinkConnectorOffsets). The last of several for one
/// partition holds.
fn sink_offsets(altered: &[AlteredOffset]) -> Result<BTreeMap<TopicPartition, Option<i64>>, HerderError> {
    let object = |text: &str| serde_json::from_str::<serde_json::Map<String, Value>>(text).unwrap_or_default();
    let mut offsets = BTreeMap::new();
    for (partition, offset) in altered {
        let partition = object(partition);
        let (Some(topic), Some(number)) = (partition.get("kafka_topic"), partition.get("kafka_partition")) else {
            return Err(invalid(
                "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
            ));
        };
        let topic = match topic {
            Value::Null => return Err(invalid("Kafka topic names must be valid strings and may not be null")),
            Value::String(topic) if topic.contains('\0') => {
                return Err(invalid(format!("Kafka topic names hold no NUL, as {topic:?} does")));
            }
            Value::String(topic) => topic.clone(),
            other => other.to_string(),
        };
        if number.is_null() {
            return Err(invalid("Kafka partitions must be valid numbers and may not be null"));
        }
        let Some(number) = whole::<i32>(number) else {
            return Err(invalid(format!(
                "Failed to parse the following Kafka partition value in the provided offsets: '{}'. Partition values for \
                 sink connectors need to be integers.",
                shown(number)
            )));
        };
        let offset = match offset {
            None => None,
            Some(offset) => {
                let offset = object(offset);
                let Some(offset) = offset.get("kafka_offset") else {
                    let message =
                        "The offset for a sink connector should either be null or contain the key 'kafka_offset'";
                    return Err(invalid(message));
                };
                let number = whole::<i64>(offset).ok_or_else(|| {
                    invalid(format!(
                        "Failed to parse the following Kafka offset value in the provided offsets: '{}'. Offset values \
                         for sink connectors need to be integers.",
                        shown(offset)
                    ))
                })?;
                if number < 0 {
                    return Err(invalid(format!("Kafka offsets begin at 0, so {number} is none")));
                }
                Some(number)
            }
        };
        offsets.insert(TopicPartition { topic: topic.into(), partition: number }, offset);
    }
    Ok(offsets)
}

/// A value as Java prints it: text without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Says which value of an object is no primitive (OffsetUtils.validateFormat).
fn check_primitive(object: &str) -> Result<(), HerderError> {
    let members: serde_json::Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
    match members.iter().find(|(_, value)| value.is_object() || value.is_array()) {
        None => Ok(()),
        Some((key, value)) => {
            let kind = if value.is_object() { "MAP" } else { "ARRAY" };
            Err(HerderError::Failed(format!(
                "Offsets may only contain primitive types as values, but field {key} contains {kind}"
            )))
        }
    }
}

impl Builder {
    /// The group in which a sink's tasks read.
    fn group(&self, settings: &ConnectorSettings) -> String {
        let own = settings.consumer.get("group.id").or_else(|| self.settings.consumer.get("group.id"));
        own.cloned().unwrap_or_else(|| format!("connect-{}", settings.name))
    }

    /// The brokers as the connector's own settings reach them (Worker.sinkConnectorOffsets).
    pub(super) fn admin_of(&self, settings: &ConnectorSettings) -> Result<Arc<dyn Broker>, HerderError> {
        self.admin(settings, &format!("connector-worker-adminclient-{}", settings.name)).map_err(failed)
    }

    /// The offsets of a connector whose variables were looked up.
    pub(super) async fn stored_offsets(
        &self,
        settings: &ConnectorSettings,
    ) -> Result<Vec<(String, String)>, HerderError> {
        let name = &settings.name;
        let found = self.connector_class(settings).map_err(failed)?;
        if found.class.kind == ClassKind::Source {
            let failed =
                |error| HerderError::Failed(format!("Failed to retrieve offsets for source connector {name}: {error}"));
            let offsets = self.source_offsets(settings).await.map_err(self::failed)?;
            return offsets.all(name).await.map_err(failed);
        }
        let positions = self.admin_of(settings)?.group_offsets(&self.group(settings)).await.map_err(|error| {
            HerderError::Failed(format!("Failed to retrieve consumer group offsets for sink connector {name}: {error}"))
        })?;
        let text = |position: crate::model::Position| {
            let TopicPartition { topic, partition } = position.partition;
            let partition = json!({"kafka_topic": &*topic, "kafka_partition": partition});
            (partition.to_string(), json!({"kafka_offset": position.offset}).to_string())
        };
        Ok(positions.into_iter().map(text).collect())
    }

    /// Alters or resets the offsets of a connector whose variables were looked up.
    pub(super) async fn change_stored_offsets(
        &self,
        settings: &ConnectorSettings,
        ceilings: &Ceilings,
        change: OffsetChange,
    ) -> Result<String, HerderError> {
        let found = self.connector_class(settings).map_err(failed)?;
        if found.class.kind == ClassKind::Source {
            self.fence_before_altering(&settings.name).await.map_err(HerderError::Failed)?;
        }
        let altered = match &change {
            OffsetChange::Alter(altered) => altered.clone(),
            OffsetChange::Reset => {
                self.stored_offsets(settings).await?.into_iter().map(|(partition, _)| (partition, None)).collect()
            }
        };
        if altered.iter().any(|(partition, _)| partition == "null") {
            let kind = if found.class.kind == ClassKind::Source { "source" } else { "sink" };
            return Err(invalid(format!("The partition for a {kind} connector offset cannot be null or missing")));
        }
        if found.class.kind == ClassKind::Source {
            let externally = self.has_its_say(settings, ceilings, &altered).await?;
            for (partition, offset) in &altered {
                [Some(partition), offset.as_ref()]
                    .into_iter()
                    .flatten()
                    .try_for_each(|object| check_primitive(object))?;
            }
            let offsets = self.source_offsets(settings).await.map_err(failed)?;
            self.alter_source_offsets(settings, &offsets, &altered).await.map_err(|error| {
                let (alter, _) = change.words();
                HerderError::Failed(format!(
                    "Failed to {alter} offsets for source connector {}: {error}",
                    settings.name
                ))
            })?;
            return Ok(change.done(externally));
        }
        let offsets: Vec<_> = sink_offsets(&altered)?.into_iter().collect();
        let externally = self.has_its_say(settings, ceilings, &altered).await?;
        let (group, admin) = (self.group(settings), self.admin_of(settings)?);
        let changed = match change {
            OffsetChange::Alter(_) => admin.alter_group_offsets(&group, &offsets).await,
            OffsetChange::Reset => admin.delete_group(&group).await,
        };
        changed.map_err(|error| not_changed(&change, &settings.name, error))?;
        Ok(change.done(externally))
    }

    /// Asks a connector's own `alter-offsets`: whether it has altered its system's state too.
    async fn has_its_say(
        &self,
        settings: &ConnectorSettings,
        ceilings: &Ceilings,
        altered: &[AlteredOffset],
    ) -> Result<bool, HerderError> {
        let found = self.connector_class(settings).map_err(failed)?;
        if !found.class.wants.alter_offsets {
            return Ok(false);
        }
        let grants = granted(&found, &settings.config, ceilings).map_err(failed)?;
        let context = self.context(settings.name.clone(), &found, settings.config.clone(), grants, &settings.name);
        let (component, kind, altered) = (found.component, connector_kind(found.class.kind), altered.to_vec());
        let class = found.class.name;
        let answered = self.on_data(async move {
            let instance = component.connector(kind, context).await;
            let mut instance = instance.map_err(guest_failed(class.clone(), "instantiate"))?;
            instance.alter_offsets(&altered).await.map_err(guest_failed(class, "alter-offsets"))
        });
        answered.await.map_err(|failure| match failure {
            // What it objects to, it says in its own words.
            Failure::Guest { fault: Fault::Config(problems), .. } => HerderError::Failed(Problem::lines(&problems)),
            Failure::Guest { fault: Fault::Retriable(why) | Fault::Data(why) | Fault::Fatal(why), .. } => {
                HerderError::Failed(why)
            }
            failure => failed(failure),
        })
    }
}

pub(super) fn failed(failure: Failure) -> HerderError {
    HerderError::Failed(failure.to_string())
}

/// Worker.alterSinkConnectorOffsets and resetSinkConnectorOffsets.
fn not_changed(change: &OffsetChange, connector: &str, error: BrokerError) -> HerderError {
    let (alter, _) = change.words();
    HerderError::Failed(match error {
        BrokerError::Fenced(_) => format!(
            "Failed to {alter} consumer group offsets for connector {connector} either because its tasks haven't stopped \
             completely yet or the connector was resumed before the request to {alter} its offsets could be successfully \
             completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't \
             eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
        ),
        other => format!("Failed to {alter} consumer group offsets for connector {connector}: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(partition: &str, offset: Option<&str>) -> AlteredOffset {
        (partition.to_owned(), offset.map(str::to_owned))
    }

    #[test]
    fn a_sinks_offsets_are_whole_numbers_or_their_text_and_the_last_of_a_partition_holds() {
        let read = sink_offsets(&[
            altered(r#"{"kafka_topic":"t","kafka_partition":1}"#, Some(r#"{"kafka_offset":5}"#)),
            altered(r#"{"kafka_topic":"t","kafka_partition":"0"}"#, Some(r#"{"kafka_offset":"7"}"#)),
            altered(r#"{"kafka_partition":1,"kafka_topic":"t"}"#, None),
        ]);
        let at = |partition| TopicPartition { topic: "t".into(), partition };
        assert_eq!(read, Ok(BTreeMap::from([(at(0), Some(7)), (at(1), None)])));
    }

    #[test]
    fn what_is_wrong_with_a_sinks_offsets_is_said_in_connects_words() {
        let whole = r#"{"kafka_topic":"t","kafka_partition":1}"#;
        for (partition, offset, part) in [
            (r#"{"kafka_topic":"t"}"#, None, "must contain the keys 'kafka_topic' and 'kafka_partition'"),
            (r#"{"kafka_topic":null,"kafka_partition":1}"#, None, "must be valid strings and may not be null"),
            (r#"{"kafka_topic":"t","kafka_partition":null}"#, None, "must be valid numbers and may not be null"),
            (
                r#"{"kafka_topic":"t","kafka_partition":"x"}"#,
                None,
                "offsets: 'x'. Partition values for sink connectors need",
            ),
            (r#"{"kafka_topic":"t","kafka_partition":1.5}"#, None, "offsets: '1.5'. Partition values"),
            (r#"{"kafka_topic":"a\u0000b","kafka_partition":1}"#, None, "hold no NUL"),
            (whole, Some(r#"{"kafka_offset":-1}"#), "begin at 0, so -1"),
            (whole, Some("{}"), "should either be null or contain the key 'kafka_offset'"),
            (
                whole,
                Some(r#"{"kafka_offset":"x"}"#),
                "offsets: 'x'. Offset values for sink connectors need to be integers",
            ),
        ] {
            let Err(HerderError::Invalid(message)) = sink_offsets(&[altered(partition, offset)]) else {
                panic!("{partition} was taken")
            };
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn offsets_of_a_source_hold_no_maps_and_no_lists() {
        assert_eq!(check_primitive(r#"{"a":1,"b":"x","c":null,"d":true}"#), Ok(()));
        for (object, part) in [(r#"{"a":{"b":1}}"#, "field a contains MAP"), (r#"{"a":[1]}"#, "field a contains ARRAY")]
        {
            let Err(HerderError::Failed(message)) = check_primitive(object) else { panic!("{object} was taken") };
            assert!(message.contains(part), "{message}");
        }
    }
}
