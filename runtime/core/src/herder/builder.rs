//! Connectors and tasks made out of configurations: instances, chain, converters, clients.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use tokio::sync::mpsc;

use crate::model::{
    Ceilings, ClassKind, Config, ConverterRole, Fault, Grants, Limits, Problem, Subscription, TaskId, VersionRange,
};
use crate::observe::{ClientStats, ErrorCounts, GroupStats, SinkTaskCounts, SourceTaskCounts, TaskCounts, Tasks};
use crate::plugin::{Found, Registry, grants};
use crate::port::{
    Broker, ConfigProviders, ConnectorKind, Consumer, Context, Converter, ConverterFactory, LookupError, OffsetReader,
    Secrets, Session, Step, StepGuard, Transformations,
};
use crate::process::{Chain, ChainSegmentPlace, Converters, Gate, Retries};
use crate::settings::{ConnectorSettings, StepSettings, WorkerSettings, limits_of_connector, put_back};
use crate::store::{ConnectorOffsets, OffsetStore, SourceOffsets};
use crate::task::{Grace, Reporter, SinkParts, SourceParts, TaskFailure, TaskState, run_sink, run_source};
use crate::worker::{
    ConnectorEvent, ConnectorParts, Desk, NoteTopic, NotingConsumer, RunningConnector, RunningTask, SharedStatuses,
};

use super::auto_restart::AutoRestart;
use super::deliveries::OwnOffsets;
use super::held::Held;
use super::preflight::Preflight;
use super::redrive::Redrives;
use super::runnable::Runnable;
use super::tasks_max;
use super::telling::Telling;
use super::variables::LookedUp;

/// Wishes of a guest that may wait for its task.
const WISHES: usize = 64;

/// Why a connector or task could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its configuration is wrong.
    #[error("{}", Problem::lines(.0))]
    Config(Vec<Problem>),
    /// A class is not there.
    #[error("{0}")]
    NoClass(String),
    /// Its guest failed.
    #[error("{class} failed in {call}\nCaused by: {fault}")]
    Guest {
        /// The class.
        class: String,
        /// The call.
        call: &'static str,
        /// What it failed with.
        fault: Fault,
    },
    /// The broker did.
    #[error("{0}")]
    Broker(String),
    /// A variable of its configuration cannot be looked up.
    #[error("{0}")]
    Lookup(LookupError),
}

/// What a sink reads, which its configuration has to say.
fn subscription(settings: &ConnectorSettings) -> Result<&Subscription, Failure> {
    settings.subscription.as_ref().ok_or_else(|| {
        let message = "Must configure one of topics or topics.regex".to_owned();
        Failure::Config(vec![Problem { key: "topics".into(), message }])
    })
}

/// What a configuration opens to its connector and tasks.
pub(super) fn granted(found: &Found, config: &Config, ceilings: &Ceilings) -> Result<Grants, Failure> {
    grants(&found.class, config, ceilings).map_err(Failure::Config)
}

pub(super) fn connector_kind(kind: ClassKind) -> ConnectorKind {
    match kind {
        ClassKind::Sink => ConnectorKind::Sink,
        ClassKind::Source | ClassKind::Transformation | ClassKind::Predicate => ConnectorKind::Source,
    }
}

/// Whole task configurations out of what a connector answered (Worker.connectorTaskConfigs).
fn complete(
    mut configs: Vec<Config>,
    kind: ConnectorKind,
    settings: &ConnectorSettings,
    task_class: &str,
) -> Result<Vec<Config>, TaskFailure> {
    tasks_max::enforce(settings, configs.len()).map_err(|trace| TaskFailure { trace })?;
    for config in &mut configs {
        config.insert("task.class".into(), task_class.to_owned());
        for key in ["topics", "topics.regex"] {
            if let (ConnectorKind::Sink, Some(value)) = (kind, settings.config.get(key)) {
                config.insert(key.into(), value.clone());
            }
        }
    }
    Ok(configs)
}

/// Makes and runs connectors and tasks.
pub struct Builder {
    /// Its settings.
    pub settings: Arc<WorkerSettings>,
    /// The plugins.
    pub plugins: Arc<RwLock<Registry>>,
    /// The converters.
    pub converters: Arc<dyn ConverterFactory>,
    /// Where topics are.
    pub broker: Arc<dyn Broker>,
    /// Where source offsets are.
    pub offsets: Arc<OffsetStore>,
    /// Where they are of connectors that name a topic of their own.
    pub own_offsets: OwnOffsets,
    /// How sources' tasks are made ready to deliver exactly once; none on a worker that is in no group.
    pub preflight: Option<Preflight>,
    /// Where tasks run, apart from everything that must not wait for a guest.
    pub data: tokio::runtime::Handle,
    /// Whom states are told.
    pub statuses: SharedStatuses,
    /// Where tasks show what they count.
    pub tasks: Arc<Tasks>,
    /// What is counted of the group that the worker is one of, and of the client that speaks to its coordinator.
    pub group: Option<(Arc<GroupStats>, Arc<ClientStats>)>,
    /// For how long tasks may write, where the worker is one of a group.
    pub session: Option<Arc<Session>>,
    /// Where variables of configurations are looked up.
    pub providers: Arc<dyn ConfigProviders>,
    /// What they stand for.
    pub secrets: Secrets,
    /// What was made out of variables that hold for a time only.
    pub held: Held,
    /// What was started again after it had failed, and will be.
    pub auto_restart: AutoRestart,
    /// Whose dead letters go back.
    pub redrives: Redrives,
}

impl Builder {
    fn find(
        &self,
        name: &str,
        kinds: &[ClassKind],
        what: &str,
        version: Option<&VersionRange>,
    ) -> Result<Found, Failure> {
        let plugins = self.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        plugins.find_kind_within(name, kinds, what, version).cloned().map_err(Failure::NoClass)
    }

    /// The connector class of a configuration.
    pub fn connector_class(&self, settings: &ConnectorSettings) -> Result<Found, Failure> {
        let kinds = [ClassKind::Sink, ClassKind::Source];
        self.find(&settings.class, &kinds, "Connector", settings.version.as_ref())
    }

    fn offset_reader(&self, offsets: SourceOffsets, connector: &str) -> Arc<dyn OffsetReader> {
        Arc::new(ConnectorOffsets { offsets, connector: connector.to_owned() })
    }

    pub(super) fn context(
        &self,
        owner: String,
        found: &Found,
        config: Config,
        grants: Grants,
        connector: &str,
    ) -> Context {
        // A configuration that asks for more is refused elsewhere.
        let limits =
            limits_of_connector(&self.settings.limits, &config).unwrap_or_else(|_| self.settings.limits.clone());
        Context {
            owner: owner.into(),
            tenant: "".into(),
            class: found.class.name.as_str().into(),
            config: Arc::new(config),
            grants: Arc::new(grants),
            limits: Arc::new(limits),
            offsets: (found.class.kind == ClassKind::Source)
                .then(|| self.offset_reader(SourceOffsets { workers: self.offsets.clone(), own: None }, connector)),
            errants: None,
            wishes: None,
            stopping: Default::default(),
            meter: Default::default(),
        }
    }

    /// The bounds on a connector's instances.
    fn limits(&self, config: &Config) -> Result<Arc<Limits>, Failure> {
        limits_of_connector(&self.settings.limits, config).map(Arc::new).map_err(Failure::Config)
    }

    /// Starts a connector. What becomes of it is told.
    pub fn start_connector(
        self: &Arc<Self>,
        name: &str,
        config: Config,
        ceilings: Ceilings,
        tell: impl Fn(ConnectorEvent) + Send + Sync + 'static,
    ) -> RunningConnector {
        let (builder, telling, told) = (self.clone(), self.telling(&config), name.to_owned());
        let noted = telling.clone();
        let make = move |grace: Grace| async move {
            let parts = builder.connector_parts(config, &ceilings, grace, &noted).await;
            parts.map_err(|failure| TaskFailure { trace: failure.to_string() })
        };
        RunningConnector::start(&self.data, name, make, move |event| tell(telling.of_connector(&told, event)))
    }

    async fn connector_parts(
        &self,
        given: Config,
        ceilings: &Ceilings,
        grace: Grace,
        telling: &Telling,
    ) -> Result<ConnectorParts, Failure> {
        let found = self.looked_up(&given, Config::new(), ceilings).await?;
        telling.looked_up(&found);
        self.hold(Runnable::Connector(found.settings.name.clone()), &found, ceilings);
        let LookedUp { settings, values, .. } = found;
        let settings = &settings;
        let found = self.connector_class(settings)?;
        let kind = connector_kind(found.class.kind);
        match kind {
            ConnectorKind::Sink => drop(subscription(settings)?),
            ConnectorKind::Source => drop(self.topic_rules(&settings.config).map_err(Failure::Config)?),
        }
        let (class, name) = (found.class.name.clone(), settings.name.as_str());
        let grants = granted(&found, &settings.config, ceilings)?;
        let mut context = self.context(format!("{name}|worker"), &found, settings.config.clone(), grants, name);
        context.limits = self.limits(&settings.config)?;
        context.stopping = grace.stopping;
        if kind == ConnectorKind::Source {
            if let (Some(topic), None) = (&settings.delivery.offsets_topic, &self.settings.distributed) {
                tracing::warn!(connector = name, topic, "offsets.storage.topic has no effect on a worker in no group");
            }
            context.offsets = Some(self.offset_reader(self.source_offsets(settings).await?, name));
        }
        let (wish, wishes) = mpsc::channel(WISHES);
        context.wishes = Some(wish);
        let instance = found.component.connector(kind, context).await;
        let failed = |fault| Failure::Guest { class: class.clone(), call: "instantiate", fault };
        let (of_kind, settings, task_class) = (kind, settings.clone(), found.class.task_class());
        let put_back = move |configs: Vec<Config>| -> Vec<Config> {
            configs.into_iter().map(|task| put_back(task, &given, &values)).collect()
        };
        Ok(ConnectorParts {
            instance: instance.map_err(failed)?,
            class,
            watch: found.class.wants.watch,
            tasks_max: settings.tasks_max,
            wishes,
            complete: Box::new(move |configs| complete(configs, of_kind, &settings, &task_class).map(&put_back)),
        })
    }

    /// Starts one of a connector's tasks. Whatever keeps it from running is told as its state.
    pub fn start_task(
        self: &Arc<Self>,
        id: TaskId,
        version: Option<String>,
        connector: Config,
        (config, of, generation): (Config, usize, u64),
        (ceilings, paused): (Ceilings, bool),
    ) -> RunningTask {
        let (builder, telling, session) = (self.clone(), self.telling(&connector), self.session.clone());
        let owned = (id.clone(), self.tasks.show(id));
        RunningTask::start(&self.data, owned, version, telling.clone(), session, move |desk| async move {
            let failed = |failure: Failure| TaskFailure { trace: failure.to_string() };
            let found = builder.looked_up(&connector, config, &ceilings).await.map_err(failed)?;
            telling.looked_up(&found);
            tasks_max::enforce(&found.settings, of).map_err(|trace| TaskFailure { trace })?;
            builder.run_task(desk, generation, found, (ceilings, paused)).await.map_err(failed)
        })
    }

    async fn run_task(
        &self,
        desk: Desk,
        generation: u64,
        found: LookedUp,
        (ceilings, paused): (Ceilings, bool),
    ) -> Result<(), Failure> {
        let Desk { id, grace, commands, report, observed } = desk;
        self.hold(Runnable::Task(id.clone()), &found, &ceilings);
        let LookedUp { settings, task: config, .. } = found;
        let found = self.connector_class(&settings)?;
        self.check_overrides(found.class.kind, &settings.config)?;
        let class = found.class.name.clone();
        let failed = |fault| Failure::Guest { class: class.clone(), call: "instantiate", fault };
        let owner = format!("{}|task-{}", id.connector, id.index);
        // Standard input and output are one each: only the first task may have them.
        let ceilings = Ceilings { stdio: ceilings.stdio && id.index == 0, ..ceilings };
        let grants = granted(&found, &config, &ceilings)?;
        let mut context = self.context(owner, &found, config, grants, &id.connector);
        context.limits = self.limits(&settings.config)?;
        context.stopping = grace.stopping.clone();
        let chain = self.chain(&settings, &context).await?;
        let converters = self.converters(&settings)?;
        let sample = self.settings.metrics.sample;
        let counts = match found.class.kind {
            ClassKind::Sink => TaskCounts::Sink(Arc::new(SinkTaskCounts::new(sample))),
            ClassKind::Source | ClassKind::Transformation | ClassKind::Predicate => {
                TaskCounts::Source(Arc::new(SourceTaskCounts::new(sample)))
            }
        };
        let errors = Arc::new(ErrorCounts::default());
        let tolerance = settings.errors.tolerance;
        let retries = Retries { settings: settings.errors.retries, counts: errors.clone() };
        let reports = self.reports(found.class.kind, &settings, &id, errors.clone()).await?;
        let made = self.made(&settings, &found, counts.clone(), errors, &context);
        let _ = observed.made.set(made); // a task is made once
        if let TaskCounts::Source(counts) = counts {
            let topics = self.topics(&settings, &id)?;
            let Some((delivery, offsets)) = self.delivery(&settings, (&id, generation), &grace).await? else {
                report(TaskState::Unassigned);
                return Ok(());
            };
            context.offsets = Some(self.offset_reader(offsets.clone(), &id.connector));
            run_source(SourceParts {
                guest: found.component.source_task(context).await.map_err(failed)?,
                id,
                class: found.class.name,
                wants: found.class.wants,
                chain,
                converters,
                retries,
                tolerance,
                reports,
                topics,
                delivery,
                offsets: Arc::new(offsets),
                flush_interval: self.settings.offset_flush_interval,
                flush_timeout: self.settings.offset_flush_timeout,
                batch_bytes: self.settings.batch_bytes_max,
                buffer_bytes: self.settings.buffer_memory,
                grace,
                commands,
                report,
                paused,
                counts,
            })
            .await;
            return Ok(());
        }
        let TaskCounts::Sink(counts) = counts else { return Ok(()) };
        let (wish, wishes) = mpsc::channel(WISHES);
        context.wishes = Some(wish);
        let reporter = Arc::new(Reporter::new(tolerance, reports));
        context.errants = reporter.is_offered().then(|| reporter.clone() as Arc<_>);
        let subscription = subscription(&settings)?;
        let consumer = self.broker.consumer(subscription, &self.consumer_settings(&settings, &id)).await;
        let consumer = consumer.map_err(|error| Failure::Broker(format!("The task has no consumer: {error}")))?;
        let consumer: Box<dyn Consumer> = match self.note_topics(&id) {
            Some(note) => Box::new(NotingConsumer::new(consumer, note)),
            None => consumer,
        };
        run_sink(SinkParts {
            guest: found.component.sink_task(context).await.map_err(failed)?,
            id,
            class: found.class.name,
            wants: found.class.wants,
            chain,
            converters,
            retries,
            reporter,
            consumer,
            flush_interval: self.settings.offset_flush_interval,
            batch_bytes: self.settings.batch_bytes_max,
            grace,
            commands,
            wishes,
            report,
            paused,
            counts,
        })
        .await;
        Ok(())
    }

    pub(super) fn note_topics(&self, id: &TaskId) -> Option<NoteTopic> {
        let (id, statuses) = (id.clone(), self.statuses.clone());
        let note = move |topic: &str| statuses.topic(&id, topic);
        self.settings.topic_tracking.then(|| Arc::new(note) as NoteTopic)
    }

    pub(super) fn converters(&self, settings: &ConnectorSettings) -> Result<Converters, Failure> {
        let make = |at: usize, role: ConverterRole| -> Result<(String, Box<dyn Converter>), Failure> {
            let chosen = settings.converters[at].as_ref().unwrap_or(&self.settings.converters[at]);
            self.check_version(chosen, role).map_err(|problem| Failure::Config(vec![problem]))?;
            let converter =
                self.converters.converter(&chosen.class, &chosen.settings, role).map_err(Failure::Config)?;
            Ok((chosen.class.clone(), converter))
        };
        Ok(Converters {
            key: make(0, ConverterRole::Key)?,
            value: make(1, ConverterRole::Value)?,
            header: make(2, ConverterRole::Header)?,
        })
    }

    /// The transformation chain: one instance for each component, neighbouring steps of one component in one segment.
    pub(super) async fn chain(&self, settings: &ConnectorSettings, context: &Context) -> Result<Chain, Failure> {
        let mut plan = ChainPlan::default();
        for step in &settings.steps {
            plan.add(self, step)?;
        }
        let mut chain = Chain { instances: Vec::new(), segments: plan.places };
        for (component, segments) in plan.components {
            let found = component;
            let context = Context {
                class: found.class.name.as_str().into(),
                config: Arc::default(),
                grants: Arc::default(),
                offsets: None,
                ..context.clone()
            };
            let class = found.class.name.clone();
            let failed = |call| move |fault| Failure::Guest { class, call, fault };
            let mut instance: Box<dyn Transformations> =
                found.component.transformations(context).await.map_err(failed.clone()("instantiate"))?;
            for (number, steps) in segments.iter().enumerate() {
                let classes: Vec<&str> = steps.iter().map(|step| step.class.as_str()).collect();
                let failed = |fault| Failure::Guest { class: classes.join(", "), call: "configure", fault };
                instance.configure(number as u32, steps).await.map_err(failed)?;
            }
            chain.instances.push(instance);
        }
        Ok(chain)
    }
}

/// A chain on its way to be made: components with their segments, and where each segment stands in the chain.
#[derive(Default)]
struct ChainPlan {
    components: Vec<(Found, Vec<Vec<Step>>)>,
    by_hash: HashMap<String, usize>,
    places: Vec<ChainSegmentPlace>,
}

impl ChainPlan {
    fn instance(&mut self, found: &Found) -> usize {
        let hash = found.component.hash().to_owned();
        *self.by_hash.entry(hash).or_insert_with(|| {
            self.components.push((found.clone(), Vec::new()));
            self.components.len() - 1
        })
    }

    fn segment(&mut self, instance: usize, steps: Vec<Step>) -> u32 {
        let segments = &mut self.components[instance].1;
        segments.push(steps);
        (segments.len() - 1) as u32
    }

    fn add(&mut self, builder: &Builder, step: &StepSettings) -> Result<(), Failure> {
        let found = builder.find(&step.class, &[ClassKind::Transformation], "Transformation", step.version.as_ref())?;
        let instance = self.instance(&found);
        let mut made = Step { class: found.class.name.clone(), config: step.config.clone(), guard: None };
        let mut gate = None;
        if let Some(guard) = &step.guard {
            let predicate = builder.find(&guard.class, &[ClassKind::Predicate], "Predicate", guard.version.as_ref())?;
            let class = predicate.class.name.clone();
            let (config, negate) = (guard.config.clone(), guard.negate);
            let there = self.instance(&predicate);
            if there == instance {
                made.guard = Some(StepGuard { class, config, negate });
            } else {
                let alone = Step { class, config, guard: None };
                gate = Some(Gate { instance: there, segment: self.segment(there, vec![alone]), negate });
            }
        }
        let class = made.class.clone();
        if gate.is_none()
            && let Some(last) = self.places.last_mut().filter(|last| last.instance == instance && last.gate.is_none())
        {
            self.components[instance].1[last.segment as usize].push(made);
            last.classes.push(class);
            return Ok(());
        }
        let segment = self.segment(instance, vec![made]);
        self.places.push(ChainSegmentPlace { instance, segment, gate, classes: vec![class] });
        Ok(())
    }
}
