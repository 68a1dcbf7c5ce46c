//! Converters of records whose schemas stand in a registry, whatever the format of those records is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_core::model::{BatchTables, Fault, Problem, RowFault, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, Schema};

use super::answer::{Registered, RegistryError};
use super::client::{Asked, RegistryClient};
use super::settings::{Http, RegistrySettings};
use super::usage::{Usage, Writing};
use super::{PREFIX, framed, prefix};
use crate::plain;
use crate::rows::{self, Positions};

/// How long a registry is not asked again for what it has not, or has refused.
const REFUSED: Duration = Duration::from_secs(10);

/// A schema of one's own, as a registry is told of it.
pub(crate) struct Own {
    /// Its text.
    pub(crate) text: String,
    /// Its full name.
    pub(crate) name: String,
}

/// A format of records: how its schemas map to Connect's, and its records to cells.
pub(crate) trait Format: Send + Sync + 'static {
    /// What registries call it.
    const KIND: &'static str;
    /// What its messages call it.
    const SHOWN: &'static str;
    /// Records of one schema, on their way to cells.
    type Reading: Send + Sync;
    /// Cells of one schema, on their way to records.
    type Writing: Send + Sync;

    /// How many bytes at the beginning of a record say which of a schema's types it is of.
    fn selector(_body: &[u8]) -> Result<usize, String> {
        Ok(0)
    }

    /// The full name of a registered schema, or of the one that a record's beginning says.
    fn name(&self, found: &Registered, selector: &[u8]) -> Result<String, String>;

    /// Prepares to read records of a registered schema, whose version in its subject may be known: Connect's schema of
    /// them, none for values without schema.
    fn reading(
        &self,
        found: &Registered,
        selector: &[u8],
        version: Option<i32>,
    ) -> Result<(Option<Schema>, Self::Reading), String>;

    /// Appends the cell of a record; answers false, and appends nothing, where it is null.
    fn read(reading: &Self::Reading, body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String>;

    /// The schema of Connect's schema, or of values without.
    fn own(&self, schema: Option<&Schema>) -> Result<Own, String>;

    /// Prepares to write records of a schema given by its text and the names and texts of those it refers to.
    fn writing(
        &self,
        schema: Option<&Schema>,
        text: &str,
        references: &[(String, String)],
    ) -> Result<Self::Writing, String>;

    /// Appends the record of a cell.
    fn write(writing: &Self::Writing, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String>;

    /// Appends the record of a null under a schema; answers false where that is a tombstone.
    fn write_null(schema: &Schema, writing: Option<&Self::Writing>, out: &mut Vec<u8>) -> Result<bool, String>;

    /// Whether a null under a schema is written by [`Format::write_null`] with the schema's plan and not without.
    fn registers_for_null(schema: &Schema) -> bool;

    /// The message of a record that is not read.
    fn not_read(topic: &str, why: &str) -> String;

    /// The message of a record that is not written.
    fn not_written(topic: &str, why: &str) -> String;
}

struct Read<F: Format> {
    schema: Option<SchemaHandle>,
    plan: F::Reading,
}

struct Written<F: Format> {
    prefix: [u8; PREFIX],
    plan: F::Writing,
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

/// A schema by its id, and by what a record says beside it.
type Selected = (u32, Box<[u8]>);

/// A schema and a topic.
type Place<S> = (S, Arc<str>);

/// A converter of records of a format.
pub(crate) struct RegistryConverter<F: Format> {
    format: F,
    usage: Usage,
    is_key: bool,
    cache_size: usize,
    client: RegistryClient,
    /// That the registry did not answer, and when: asking for every schema of a batch would take as often as long.
    down: Option<(Instant, Fault)>,
    /// By schema and topic: the registry's version of a schema is that of the topic's subject.
    readings: HashMap<Place<Selected>, Kept<Read<F>>>,
    /// By the numbers of schema handles, none for no schema, and topic.
    writings: HashMap<Place<Option<u64>>, Kept<Written<F>>>,
}

impl<F: Format> RegistryConverter<F> {
    /// A converter with these settings; at most `cache_size` schemas are kept each way.
    pub(crate) fn new(
        format: F,
        (registry, usage, cache_size): (RegistrySettings, Usage, usize),
        is_key: bool,
        http: &Http,
    ) -> Result<RegistryConverter<F>, Vec<Problem>> {
        let client = RegistryClient::new(registry.client(http)?, registry);
        let (readings, writings) = (HashMap::new(), HashMap::new());
        let down = None;
        Ok(RegistryConverter { format, usage, is_key, cache_size, client, down, readings, writings })
    }

    /// What the registry failed with a moment ago.
    fn is_down(&self) -> Option<Fault> {
        self.down.as_ref().filter(|(since, _)| since.elapsed() < REFUSED).map(|(_, fault)| fault.clone())
    }

    fn note<T>(&mut self, asked: &Result<T, Fault>) {
        self.down = match asked {
            Err(fault @ Fault::Retriable(_)) => Some((Instant::now(), fault.clone())),
            _ => None, // it answered
        };
    }

    fn part(&self) -> &'static str {
        if self.is_key { "key" } else { "value" }
    }

    async fn reading(&mut self, id: u32, selector: &[u8], topic: &Arc<str>) -> Result<Arc<Read<F>>, Fault> {
        let place = ((id, selector.into()), topic.clone());
        if let Some(kept) = self.readings.get(&place).filter(|kept| kept.holds()) {
            return kept.what.clone();
        }
        if self.readings.len() >= self.cache_size {
            self.readings.clear();
        }
        if let Some(down) = self.is_down() {
            return Err(down);
        }
        let read = self.read_schema(id, selector, topic).await;
        self.note(&read);
        let made = Kept::new(read);
        let what = made.what.clone();
        self.readings.insert(place, made);
        what
    }

    async fn read_schema(&mut self, id: u32, selector: &[u8], topic: &str) -> Result<Read<F>, Fault> {
        let (usage, part, shown) = (self.usage, self.part(), F::SHOWN);
        let failed = |error: RegistryError, what: &str| {
            let why = format!("Error retrieving {shown} {part} schema{what} for id {id}: {}", error.message());
            fault(&error, F::not_read(topic, &why))
        };
        let known = usage.strategy.known(topic, self.is_key);
        let found = self.client.by_id(id, known.as_deref()).await.map_err(|error| failed(error, ""))?;
        let unusable = |why: String| Fault::Data(F::not_read(topic, &format!("the schema with id {id}: {why}")));
        if found.kind != F::KIND {
            return Err(unusable(format!("it is of type {}, not {}", found.kind, F::KIND)));
        }
        let name = self.format.name(&found, selector).map_err(unusable)?;
        let subject = usage.strategy.subject(topic, self.is_key, &name);
        let asked = Asked { subject: &subject, schema: &found.schema, kind: F::KIND, references: &found.said };
        let version = match self.client.lookup(&asked, usage.normalize).await {
            Ok((_, version)) => Some(version),
            // A topic's records may have been written under another subject, by hand or by a mirror.
            Err(RegistryError::Missing(_)) => None,
            Err(error) => return Err(failed(error, " version")),
        };
        let (schema, plan) = self.format.reading(&found, selector, version).map_err(unusable)?;
        let handle = |schema| plain::handle_of(&schema).unwrap_or_else(|| SchemaHandle::new(schema));
        Ok(Read { schema: schema.map(handle), plan })
    }

    async fn writing(&mut self, schema: Option<&SchemaHandle>, topic: &Arc<str>) -> Result<Arc<Written<F>>, Fault> {
        let place = (schema.map(SchemaHandle::id), topic.clone());
        if let Some(kept) = self.writings.get(&place).filter(|kept| kept.holds()) {
            return kept.what.clone();
        }
        if self.writings.len() >= self.cache_size {
            self.writings.clear();
        }
        if let Some(down) = self.is_down() {
            return Err(down);
        }
        let written = self.write_schema(schema.map(SchemaHandle::schema), topic).await;
        self.note(&written);
        let made = Kept::new(written);
        let what = made.what.clone();
        self.writings.insert(place, made);
        what
    }

    async fn write_schema(&mut self, schema: Option<&Schema>, topic: &str) -> Result<Written<F>, Fault> {
        let (usage, shown) = (self.usage, F::SHOWN);
        let unusable = |why: String| Fault::Data(F::not_written(topic, &why));
        let own = self.format.own(schema).map_err(unusable)?;
        let subject = usage.strategy.subject(topic, self.is_key, &own.name);
        let asked = Asked { subject: &subject, schema: &own.text, kind: F::KIND, references: &Json::Null };
        let failed = |error: RegistryError, doing: String| {
            let why = format!("{doing}{}: {}", own.text, error.message());
            fault(&error, F::not_written(topic, &why))
        };
        let (id, text, references) = match usage.writing {
            Writing::Registered => {
                let id = self.client.register(&asked, usage.normalize).await;
                (id.map_err(|error| failed(error, format!("Error registering {shown} schema")))?, None, Vec::new())
            }
            Writing::Known => {
                let found = self.client.lookup(&asked, usage.normalize).await;
                let found = found.map_err(|error| failed(error, format!("Error retrieving {shown} schema")));
                (found?.0, None, Vec::new())
            }
            Writing::Latest => {
                let found = self
                    .client
                    .latest(&subject)
                    .await
                    .map_err(|error| failed(error, format!("Error retrieving latest version of {shown} schema")))?;
                (found.id, Some(found.schema), found.references)
            }
            Writing::Id(id) => {
                let found = self.client.by_id(id, Some(&subject)).await;
                let found = found.map_err(|error| failed(error, "Error retrieving schema ID".into()))?;
                (id, Some(found.schema), found.references)
            }
        };
        let plan = self.format.writing(schema, text.as_deref().unwrap_or(&own.text), &references);
        let unfit = |why| match text {
            Some(_) => unusable(format!("records do not fit the schema with id {id} of subject {subject}: {why}")),
            None => unusable(why),
        };
        Ok(Written { prefix: prefix(id), plan: plan.map_err(unfit)? })
    }
}

/// What a registry's failure means for a record: one that is not there may be there later.
fn fault(error: &RegistryError, message: String) -> Fault {
    match error {
        RegistryError::Unavailable(_) => Fault::Retriable(message),
        RegistryError::Missing(_) | RegistryError::Refused(_) => Fault::Data(message),
    }
}

fn topic_position(topics: &TopicColumn<'_>, row: usize) -> usize {
    topics.topic.get(row).map_or(0, |&position| position as usize)
}

fn topic_of(topics: &TopicColumn<'_>, row: usize) -> Arc<str> {
    topics.topics.get(topic_position(topics, row)).cloned().unwrap_or_else(|| Arc::from(""))
}

fn row_fault(row: usize, fault: Fault) -> RowFault {
    RowFault { row: row as u32, step: 0, fault }
}

#[async_trait]
impl<F: Format> Converter for RegistryConverter<F> {
    async fn to_connect(&mut self, topics: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        let rows = bytes.ends.len();
        let most = rows::bytes_max(bytes.data.len());
        let mut column = Column::with_capacity(rows, bytes.data.len() * 5 / 4);
        let mut schemas = Positions::new(rows);
        let mut faults = Vec::new();
        let mut last: Option<((u32, &[u8], usize), Arc<Read<F>>)> = None;
        for row in 0..rows {
            let start = column.data.len();
            let Some(record) = bytes.get(row) else {
                column.push_absent();
                schemas.push(None, tables);
                continue;
            };
            let topic = topic_position(&topics, row);
            let failed = |why: String| Fault::Data(F::not_read(&topic_of(&topics, row), &why));
            let split = framed(record).and_then(|(id, body)| Ok((id, body.split_at(F::selector(body)?))));
            let found = match split {
                Err(why) => Err(failed(why)),
                Ok((id, (selector, body))) => match &last {
                    Some((place, reading)) if *place == (id, selector, topic) => Ok((reading.clone(), body)),
                    _ => match self.reading(id, selector, &topic_of(&topics, row)).await {
                        Ok(reading) => {
                            last = Some(((id, selector, topic), reading.clone()));
                            Ok((reading, body))
                        }
                        Err(fault) => Err(fault),
                    },
                },
            };
            let read = found.and_then(|(reading, body)| {
                let present = F::read(&reading.plan, body, most, &mut column.data).map_err(failed)?;
                Ok((reading, present))
            });
            match read {
                Ok((reading, present)) => {
                    if present {
                        column.end_cell();
                    } else {
                        column.push_absent();
                    }
                    schemas.push(reading.schema.as_ref(), tables);
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
        let mut bytes = Column::with_capacity(rows, cells.column.data.len() + rows * PREFIX);
        let mut faults = Vec::new();
        let mut last: Option<((usize, usize), Arc<Written<F>>)> = None;
        for row in 0..rows {
            let start = bytes.data.len();
            let position = cells.schema_of(row);
            let schema = tables.schemas.get(position).and_then(Option::as_ref);
            let (topic, cell) = (topic_position(&topics, row), cells.column.get(row));
            let plan = match (schema, cell) {
                (None, None) => {
                    bytes.push_absent();
                    continue;
                }
                (Some(schema), None) if !F::registers_for_null(schema.schema()) => Ok(None),
                _ => match &last {
                    Some((place, writing)) if *place == (position, topic) => Ok(Some(writing.clone())),
                    _ => self.writing(schema, &topic_of(&topics, row)).await.map(Some),
                },
            };
            let written = plan.and_then(|plan| {
                let written = plan.as_ref().map(|plan| &plan.plan);
                if let Some(plan) = &plan {
                    bytes.data.extend_from_slice(&plan.prefix);
                }
                let present = match (cell, schema, written) {
                    (Some(cell), _, Some(plan)) => F::write(plan, cell, most, &mut bytes.data).map(|()| true),
                    (_, Some(schema), plan) => F::write_null(schema.schema(), plan, &mut bytes.data),
                    (_, None, _) => Ok(false),
                };
                if let Some(plan) = plan {
                    last = Some(((position, topic), plan));
                }
                present.map_err(|why| Fault::Data(F::not_written(&topic_of(&topics, row), &why)))
            });
            match written {
                Ok(true) => bytes.end_cell(),
                Ok(false) => {
                    bytes.data.truncate(start);
                    bytes.push_absent();
                }
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
