//! Plugins in Rust: a source whose tasks count, and the sink for what they count; both note where they run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use weir_core::model::{
    Acknowledgements, BatchTables, Class, ClassKind, Config, ConfigKey, ConverterRole, Fault, OptionalCalls, Polled,
    Problem, Recommendation, Records, SchemaHandle,
};
use weir_core::port::{
    Component, ConnectorKind, Context, Converted, Converter, ConverterFactory, Instance, Serialized, Session, SinkTask,
    SourceTask, TopicColumn, Transformations,
};
use weir_data::{Cells, Column, Node, Schema, Type};

use crate::fate::{Fate, MARK};
use crate::keeper::{self, KeeperTask};
use crate::links::Link;

/// The class of the source.
pub const CLASS: &str = "sim.Counter";
/// The topic to which it counts.
pub const TOPIC: &str = "counted";
/// How long it takes to count on.
const PACE: Duration = Duration::from_millis(500);

/// An instance that is there.
struct Held {
    /// The number of its worker's life.
    life: u32,
    session: Arc<Session>,
    /// What its variable stood for when it was made.
    mark: Option<String>,
}

/// What runs, by what it is, and by the number of the instance.
#[derive(Default)]
pub struct Floor {
    runs: BTreeMap<String, BTreeMap<u64, Held>>,
    /// Numbers instances.
    entered: u64,
    /// How often counters have counted, in all of their lives.
    pub counted: BTreeMap<String, u64>,
    /// Offsets of what a sink has kept.
    pub kept: BTreeSet<i64>,
    /// What should not have happened.
    pub violations: Vec<String>,
}

/// What runs, shared.
pub type SharedFloor = Arc<Mutex<Floor>>;

impl Floor {
    fn enter(&mut self, what: &str, mark: Option<String>, life: u32, session: &Arc<Session>) -> u64 {
        let here = self.runs.entry(what.to_owned()).or_default();
        // In one life there is never a second instance, whatever its session says.
        if let Some(other) = here.values().find(|other| other.life == life || other.session.holds()) {
            self.violations.push(format!("{what} starts in life {life} while life {} runs it", other.life));
        }
        self.entered += 1;
        here.insert(self.entered, Held { life, session: session.clone(), mark });
        self.entered
    }

    fn leave(&mut self, what: &str, number: u64) {
        if let Some(here) = self.runs.get_mut(what) {
            here.remove(&number);
        }
    }

    /// Looks at everything that runs: one whose session had lapsed when another one started may take itself for a member
    /// again.
    pub fn look(&mut self) -> Option<String> {
        let owners = self.runs.keys().map(|what| (what, self.owners(what)));
        let found = owners.into_iter().find(|(_, owners)| owners.len() > 1);
        let found = found.map(|(what, owners)| format!("{what} runs in lives {owners:?}"))?;
        self.violations.push(found.clone());
        Some(found)
    }

    /// Where something runs, as far as anybody may say that it runs.
    pub fn owners(&self, what: &str) -> Vec<u32> {
        let here = self.runs.get(what).into_iter().flatten();
        here.filter(|(_, held)| held.session.holds()).map(|(_, held)| held.life).collect()
    }

    /// What the variables of something that runs stood for when it was made.
    pub fn marks(&self, what: &str) -> Vec<Option<String>> {
        let here = self.runs.get(what).into_iter().flatten();
        here.filter(|(_, held)| held.session.holds()).map(|(_, held)| held.mark.clone()).collect()
    }

    /// All that runs.
    pub fn running(&self) -> Vec<&str> {
        self.runs.keys().filter(|what| !self.owners(what).is_empty()).map(String::as_str).collect()
    }

    /// A life that has ended runs nothing.
    pub fn end(&mut self, life: u32) {
        self.runs.values_mut().for_each(|here| here.retain(|_, held| held.life != life));
    }
}

/// Notes that something runs for as long as it is there.
pub struct Place {
    what: String,
    mark: Option<String>,
    number: u64,
    floor: SharedFloor,
    fate: Fate,
}

impl Place {
    fn enter(context: &Context, worker: &Counter) -> Place {
        let (what, mark) = (context.owner.trim_end_matches("|worker").to_owned(), context.config.get(MARK).cloned());
        let mut floor = worker.floor.lock().unwrap_or_else(PoisonError::into_inner);
        let number = floor.enter(&what, mark.clone(), worker.life, &worker.session);
        Place { what, mark, number, floor: worker.floor.clone(), fate: worker.fate.clone() }
    }

    /// Goes on, unless fate has it otherwise.
    pub fn go_on(&self) -> Result<(), Fault> {
        self.fate.spares(&self.what, self.mark.as_ref())
    }

    /// Notes what a sink has kept.
    pub fn keep(&self, offsets: impl Iterator<Item = i64>) {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner).kept.extend(offsets);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner).leave(&self.what, self.number);
    }
}

/// The component, as one life of a worker has it.
#[derive(Clone)]
pub struct Counter {
    classes: Vec<Class>,
    life: u32,
    session: Arc<Session>,
    link: Link,
    floor: SharedFloor,
    fate: Fate,
}

impl Counter {
    /// The component for a life of a worker.
    pub fn new(life: u32, session: Arc<Session>, link: Link, floor: SharedFloor, fate: Fate) -> Counter {
        let class = |name: &str, kind, wants| Class {
            name: name.into(),
            aliases: vec![],
            kind,
            version: "1".into(),
            documentation: String::new(),
            config: vec![],
            wants,
        };
        let keeps = OptionalCalls { pre_commit: true, ..OptionalCalls::default() };
        let classes = vec![
            class(CLASS, ClassKind::Source, OptionalCalls::default()),
            class(keeper::CLASS, ClassKind::Sink, keeps),
        ];
        Counter { classes, life, session, link, floor, fate }
    }
}

#[async_trait]
impl Component for Counter {
    fn hash(&self) -> &str {
        "counter"
    }

    fn size(&self) -> u64 {
        0
    }

    fn imports(&self) -> &[String] {
        &[]
    }

    fn classes(&self) -> &[Class] {
        &self.classes
    }

    async fn connector(&self, _: ConnectorKind, context: Context) -> Result<Box<dyn Instance>, Fault> {
        let tasks = context.config.get("tasks").and_then(|tasks| tasks.parse().ok()).unwrap_or(1);
        Ok(Box::new(CounterConnector { tasks, place: Place::enter(&context, self) }))
    }

    async fn source_task(&self, context: Context) -> Result<Box<dyn SourceTask>, Fault> {
        let place = Place::enter(&context, self);
        Ok(Box::new(CounterTask {
            partition: format!("{{\"counter\":\"{}\"}}", context.owner),
            schema: SchemaHandle::new(Schema::of(Node::new(Type::String))),
            counted: 0,
            link: self.link.clone(),
            context,
            place,
        }))
    }

    async fn sink_task(&self, context: Context) -> Result<Box<dyn SinkTask>, Fault> {
        Ok(Box::new(KeeperTask::new(self.link.clone(), Place::enter(&context, self))))
    }

    async fn transformations(&self, _: Context) -> Result<Box<dyn Transformations>, Fault> {
        Err(Fault::Fatal("it transforms nothing".into()))
    }

    async fn recommend(&self, _: Context) -> Result<Vec<Recommendation>, Fault> {
        Ok(Vec::new())
    }
}

struct CounterConnector {
    tasks: u32,
    place: Place,
}

#[async_trait]
impl Instance for CounterConnector {
    async fn validate(&mut self) -> Result<Vec<Problem>, Fault> {
        Ok(Vec::new())
    }

    async fn start(&mut self) -> Result<(), Fault> {
        self.place.go_on()
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>, Fault> {
        let mark = self.place.mark.iter().map(|mark| (MARK.to_owned(), mark.clone()));
        let config = |task: u32| mark.clone().chain([("number".to_owned(), task.to_string())]).collect::<Config>();
        Ok((0..self.tasks.min(max_tasks)).map(config).collect())
    }

    async fn alter_offsets(&mut self, _: &[(String, Option<String>)]) -> Result<bool, Fault> {
        Ok(false)
    }

    async fn watch(&mut self, max_wait: Duration) -> Result<bool, Fault> {
        tokio::time::sleep(max_wait).await;
        Ok(false)
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Counts from where its stored offset says, a number each half second.
struct CounterTask {
    partition: String,
    schema: SchemaHandle,
    counted: u64,
    link: Link,
    context: Context,
    place: Place,
}

#[async_trait]
impl SourceTask for CounterTask {
    async fn start(&mut self) -> Result<(), Fault> {
        let offsets = self.context.offsets.as_ref().ok_or_else(|| Fault::Fatal("no offsets".into()))?;
        let stored = offsets.read(vec![self.partition.clone()]).await?;
        let number = |text: &str| text.trim_start_matches("{\"n\":").trim_end_matches('}').parse().ok();
        self.counted = stored.first().and_then(|text| number(text.as_deref()?)).unwrap_or(0);
        Ok(())
    }

    async fn poll(&mut self, max_wait: Duration, _: usize) -> Result<Polled, Fault> {
        tokio::time::sleep(PACE.min(max_wait)).await;
        self.link.pass().await;
        self.place.go_on()?;
        self.counted += 1;
        let mut floor = self.place.floor.lock().unwrap_or_else(PoisonError::into_inner);
        *floor.counted.entry(self.context.owner.to_string()).or_insert(0) += 1;
        drop(floor);
        let (mut value, mut offset) = (Column::default(), Column::default());
        value.push(format!("{} {}", self.context.owner, self.counted).as_bytes());
        offset.push(format!("{{\"n\":{}}}", self.counted).as_bytes());
        let mut records = Records { rows: 1, topic: vec![0], ..Records::default() };
        records.tables.topics = vec![TOPIC.into()];
        records.tables.schemas.push(Some(self.schema.clone()));
        records.value = Cells { column: value, schema: vec![] };
        Ok(Polled {
            records,
            source_partitions: vec![self.partition.as_str().into()],
            source_offset: offset,
            ..Polled::default()
        })
    }

    async fn acknowledged(&mut self, _: &Acknowledgements) -> Result<(), Fault> {
        Ok(())
    }

    async fn committed(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Text as it is.
pub struct Plain;

impl ConverterFactory for Plain {
    fn version(&self) -> &str {
        "1"
    }

    fn converter(&self, _: &str, _: &Config, _: ConverterRole) -> Result<Box<dyn Converter>, Vec<Problem>> {
        Ok(Box::new(Plain))
    }

    fn classes(&self, _: ConverterRole) -> Vec<String> {
        Vec::new()
    }

    fn definition(&self, _: &str) -> Option<Vec<ConfigKey>> {
        None
    }
}

#[async_trait]
impl Converter for Plain {
    async fn to_connect(&mut self, _: TopicColumn<'_>, bytes: Column, tables: &mut BatchTables) -> Converted {
        tables.schemas.push(None);
        Converted { cells: Cells { column: bytes, schema: vec![] }, faults: Vec::new() }
    }

    async fn from_connect(&mut self, _: TopicColumn<'_>, cells: Cells, _: &BatchTables) -> Serialized {
        Serialized { bytes: cells.column, faults: Vec::new() }
    }
}
