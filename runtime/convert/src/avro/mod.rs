//! AvroConverter: records in Avro whose schemas stand in a schema registry, by straight transcoding between Avro and
//! CBOR cells. Schemas map to Connect's as Confluent's AvroData maps them.

mod default;
mod default_json;
mod from_connect;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
mod names;
mod print;
mod read;
mod schema;
mod settings;
mod to_connect;
mod write;
mod write_plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_core::model::{BatchTables, Fault, Problem, RowFault, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column};

use crate::plain;
use crate::rows::{self, Positions};
use crate::schema_registry::{self, Asked, Http, RegistryClient, RegistryError};
use schema::AvroSchema;
use settings::Writing;
use to_connect::Readable;
use write_plan::WritePlan;

pub(crate) use settings::{AvroSettings, avro_keys};

/// How long a registry is not asked again for what it has not, or has refused.
const REFUSED: Duration = Duration::from_secs(10);

/// Records of one schema, on their way to cells.
struct Reading {
    /// None for values without schema.
    schema: Option<(SchemaHandle, Readable)>,
}

/// Cells of one schema, on their way to records.
struct Written {
    prefix: [u8; schema_registry::PREFIX],
    /// None for values without schema.
    plan: Option<WritePlan>,
}

/// What became of a schema, and when.
struct Kept<T> {
    what: Result<Arc<T>, Fault>,
    since: Instant,
}

impl<T> Kept<T> {
    fn new(what: Result<T, Fault>) -> Kept<T> {
        Kept { what: what.map(Arc::new), since: Instant::now() }
    }

    /// Whether it still holds: what is there is there, what failed may be mended.
    fn holds(&self) -> bool {
        self.what.is_ok() || self.since.elapsed() < REFUSED
    }
}

/// AvroConverter.
pub(crate) struct AvroConverter {
    settings: AvroSettings,
    is_key: bool,
    client: RegistryClient,
    /// By schema id and topic: the registry's version of a schema is that of the topic's subject.
    readings: HashMap<(u32, Arc<str>), Kept<Reading>>,
    /// By the numbers of schema handles, none for no schema, and topic.
    writings: HashMap<(Option<u64>, Arc<str>), Kept<Written>>,
}

impl AvroConverter {
    /// A converter with these settings.
    pub(crate) fn new(settings: AvroSettings, is_key: bool, http: &Http) -> Result<AvroConverter, Vec<Problem>> {
        let client = RegistryClient::new(settings.registry.client(http)?, settings.registry.clone());
        Ok(AvroConverter { settings, is_key, client, readings: HashMap::new(), writings: HashMap::new() })
    }

    fn part(&self) -> &'static str {
        if self.is_key { "key" } else { "value" }
    }

    async fn reading(&mut self, id: u32, topic: &Arc<str>) -> Result<Arc<Reading>, Fault> {
        let place = (id, topic.clone());
        if let Some(kept) = self.readings.get(&place).filter(|kept| kept.holds()) {
            return kept.what.clone();
        }
        if self.readings.len() >= self.settings.cache_size {
            self.readings.clear();
        }
        let made = Kept::new(self.read_schema(id, topic).await);
        let what = made.what.clone();
        self.readings.insert(place, made);
        what
    }

    async fn read_schema(&mut self, id: u32, topic: &str) -> Result<Reading, Fault> {
        let usage = self.settings.usage;
        let part = self.part();
        let failed = |what: String| format!("Failed to deserialize data for topic {topic} to Avro: {what}");
        let unread = |error: RegistryError| {
            fault(&error, failed(format!("Error retrieving Avro {part} schema for id {id}: {}", error.message())))
        };
        let known = usage.strategy.known(topic, self.is_key);
        let found = self.client.by_id(id, known.as_deref()).await.map_err(unread)?;
        if found.kind != "AVRO" {
            return Err(Fault::Data(failed(format!("the schema with id {id} is of type {}, not AVRO", found.kind))));
        }
        let unusable = |why: String| Fault::Data(failed(format!("the schema with id {id}: {why}")));
        let references: Vec<String> = found.references.iter().map(|(_, schema)| schema.clone()).collect();
        let avro = AvroSchema::parse(&found.schema, &references).map_err(unusable)?;
        if avro.root().full_name() == names::ANYTHING {
            return Ok(Reading { schema: None });
        }
        let subject = usage.strategy.subject(topic, self.is_key, &avro.root().full_name());
        let asked = Asked { subject: &subject, schema: &found.schema, kind: "AVRO", references: &found.said };
        let version = match self.client.lookup(&asked, usage.normalize).await {
            Ok((_, version)) => Some(version),
            // A topic's records may have been written under another subject, by hand or by a mirror.
            Err(RegistryError::Missing(_)) => None,
            Err(error) => {
                let what = format!("Error retrieving Avro {part} schema version for id {id}: {}", error.message());
                return Err(fault(&error, failed(what)));
            }
        };
        let readable = to_connect::readable(&avro, &self.settings.data, version).map_err(unusable)?;
        let handle = plain::handle_of(&readable.schema);
        let handle = handle.unwrap_or_else(|| SchemaHandle::new(readable.schema.clone()));
        Ok(Reading { schema: Some((handle, readable)) })
    }

    async fn writing(&mut self, schema: Option<&SchemaHandle>, topic: &Arc<str>) -> Result<Arc<Written>, Fault> {
        let place = (schema.map(SchemaHandle::id), topic.clone());
        if let Some(kept) = self.writings.get(&place).filter(|kept| kept.holds()) {
            return kept.what.clone();
        }
        if self.writings.len() >= self.settings.cache_size {
            self.writings.clear();
        }
        let made = Kept::new(self.write_schema(schema, topic).await);
        let what = made.what.clone();
        self.writings.insert(place, made);
        what
    }

    async fn write_schema(&mut self, schema: Option<&SchemaHandle>, topic: &str) -> Result<Written, Fault> {
        let (data, usage) = (self.settings.data, self.settings.usage);
        let unusable = |why: String| Fault::Data(not_written(topic, &why));
        let own = match schema {
            Some(schema) => from_connect::avro(schema.schema(), &data).map_err(unusable)?,
            None => from_connect::anything(),
        };
        let text = print::text(&own);
        // As those who read the records will see it: types that share a name are one there.
        let own = AvroSchema::parse(&text, &[]).map_err(unusable)?;
        let subject = usage.strategy.subject(topic, self.is_key, &own.root().full_name());
        let asked = Asked { subject: &subject, schema: &text, kind: "AVRO", references: &Json::Null };
        let failed = |doing: &'static str| {
            let text = &text;
            move |error: RegistryError| {
                fault(&error, not_written(topic, &format!("{doing}{text}: {}", error.message())))
            }
        };
        let (id, avro) = match usage.writing {
            Writing::Registered => {
                let id = self.client.register(&asked, usage.normalize).await;
                (id.map_err(failed("Error registering Avro schema"))?, own)
            }
            Writing::Known => {
                let found = self.client.lookup(&asked, usage.normalize).await;
                (found.map_err(failed("Error retrieving Avro schema"))?.0, own)
            }
            Writing::Latest | Writing::Id(_) => {
                let found = match usage.writing {
                    Writing::Id(id) => {
                        let found = self.client.by_id(id, Some(&subject)).await;
                        found.map_err(failed("Error retrieving schema ID"))?
                    }
                    _ => {
                        let found = self.client.latest(&subject).await;
                        found.map_err(failed("Error retrieving latest version of Avro schema"))?
                    }
                };
                let references: Vec<String> = found.references.iter().map(|(_, schema)| schema.clone()).collect();
                (found.id, AvroSchema::parse(&found.schema, &references).map_err(unusable)?)
            }
        };
        let plan = schema.map(|schema| WritePlan::new(schema.schema(), &avro, &data)).transpose();
        let unfit = |why| unusable(format!("records do not fit the schema with id {id} of subject {subject}: {why}"));
        Ok(Written { prefix: schema_registry::prefix(id), plan: plan.map_err(unfit)? })
    }

    fn read(reading: &Reading, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        match &reading.schema {
            Some((_, readable)) => readable.cell(body, most, out),
            None => read::anything(body, most, out),
        }
    }
}

fn not_written(topic: &str, why: &str) -> String {
    format!("Failed to serialize Avro data from topic {topic}: {why}")
}

/// What a registry's failure means for a record: one that is not there may be there later.
fn fault(error: &RegistryError, message: String) -> Fault {
    match error {
        RegistryError::Unavailable(_) => Fault::Retriable(message),
        RegistryError::Missing(_) | RegistryError::Refused(_) => Fault::Data(message),
    }
}

/// The topic of a row.
fn topic_of(topics: &TopicColumn<'_>, row: usize) -> Arc<str> {
    let position = topics.topic.get(row).map_or(0, |&position| position as usize);
    topics.topics.get(position).cloned().unwrap_or_else(|| Arc::from(""))
}

fn row_fault(row: usize, fault: Fault) -> RowFault {
    RowFault { row: row as u32, step: 0, fault }
}

#[async_trait]
impl Converter for AvroConverter {
    async fn to_connect(&mut self, topics: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let rows = bytes.ends.len();
        let most = rows::bytes_max(bytes.data.len());
        let mut column = Column::with_capacity(rows, bytes.data.len() * 5 / 4);
        let mut schemas = Positions::new(rows);
        let mut faults = Vec::new();
        let mut last: Option<((u32, usize), Arc<Reading>)> = None;
        for row in 0..rows {
            let start = column.data.len();
            let Some(record) = bytes.get(row) else {
                column.push_absent();
                schemas.push(None, tables);
                continue;
            };
            let topic = topics.topic.get(row).map_or(0, |&position| position as usize);
            let failed = |why: String| {
                let topic = topic_of(&topics, row);
                Fault::Data(format!("Failed to deserialize data for topic {topic} to Avro: {why}"))
            };
            let found = match schema_registry::framed(record) {
                Err(why) => Err(failed(why)),
                Ok((id, body)) => match &last {
                    Some((place, reading)) if *place == (id, topic) => Ok((reading.clone(), body)),
                    _ => match self.reading(id, &topic_of(&topics, row)).await {
                        Ok(reading) => {
                            last = Some(((id, topic), reading.clone()));
                            Ok((reading, body))
                        }
                        Err(fault) => Err(fault),
                    },
                },
            };
            let read = found.and_then(|(reading, body)| {
                let present = Self::read(&reading, body, most, &mut column.data).map_err(failed)?;
                Ok((reading, present))
            });
            match read {
                Ok((reading, present)) => {
                    if present {
                        column.end_cell();
                    } else {
                        column.push_absent();
                    }
                    schemas.push(reading.schema.as_ref().map(|(handle, _)| handle), tables);
                }
                Err(fault) => {
                    column.data.truncate(start);
                    column.push_absent();
                    schemas.push(None, tables);
                    faults.push(row_fault(row, fault));
                }
            }
        }
        Converted { cells: Cells { column, schema: schemas.finish() }, faults }
    }

    async fn from_connect(&mut self, topics: TopicColumn<'_>, cells: Cells, tables: &BatchTables) -> Serialized {
        let rows = rows::count(&cells);
        let most = rows::bytes_max(cells.column.data.len());
        let mut bytes = Column::with_capacity(rows, cells.column.data.len() + rows * schema_registry::PREFIX);
        let mut faults = Vec::new();
        let mut last: Option<((usize, usize), Arc<Written>)> = None;
        for row in 0..rows {
            let start = bytes.data.len();
            let position = cells.schema_of(row);
            let schema = tables.schemas.get(position).and_then(Option::as_ref);
            let topic = topics.topic.get(row).map_or(0, |&position| position as usize);
            let Some(cell) = cells.column.get(row) else {
                bytes.push_absent();
                if schema.is_some_and(|schema| !schema.schema().root().optional) {
                    let why = "Found null value for non-optional schema".to_owned();
                    faults.push(rows::fault(row, why));
                }
                continue;
            };
            let found = match &last {
                Some((place, writing)) if *place == (position, topic) => Ok(writing.clone()),
                _ => self.writing(schema, &topic_of(&topics, row)).await,
            };
            let written = found.and_then(|writing| {
                bytes.data.extend_from_slice(&writing.prefix);
                let written = match &writing.plan {
                    Some(plan) => plan.cell(cell, most, &mut bytes.data),
                    None => write::anything(cell, most, &mut bytes.data),
                };
                last = Some(((position, topic), writing));
                written.map_err(|why| Fault::Data(not_written(&topic_of(&topics, row), &why)))
            });
            match written {
                Ok(()) => bytes.end_cell(),
                Err(fault) => {
                    bytes.data.truncate(start);
                    bytes.push_absent();
                    faults.push(row_fault(row, fault));
                }
            }
        }
        Serialized { bytes, faults }
    }
}
