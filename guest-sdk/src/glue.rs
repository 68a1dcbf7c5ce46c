//! The contract's calls, passed on to the class that the host names. An instance serves one connector, one task or one
//! chain, so its state is one value.

use std::cell::RefCell;
use std::time::Duration;

use crate::bindings::plugin::exports::weir::connect::plugin as plugin_wit;
use crate::bindings::sink::exports::weir::connect::{sink_connector, sink_task};
use crate::bindings::source::exports::weir::connect::{source_connector, source_task};
use crate::bindings::transformation::exports::weir::connect::transformations;
use crate::bindings::words::weir::connect::connectors::{AlteredOffset, Config as WitConfig, Support};
use crate::bindings::words::weir::connect::errors as wit;
use crate::class::Class;
use crate::classes::{Classes, Component, Plugin};
use crate::config::Config;
use crate::error::{Error, Problem, Result};
use crate::record::Input;
use crate::schemas;
use crate::sink::{Position, SinkBatch, SinkConnector, SinkTask, TopicPartition};
use crate::source::{Acknowledged, Room, SourceBatch, SourceConnector, SourceTask};
use crate::transformation::{Guard, KeepIf, Segment, Step};

type Offsets = [(String, Option<String>)];

/// A connector's calls once it is started, whatever its class.
pub(crate) trait RunningConnector {
    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>>;
    fn watch(&mut self, max_wait: Duration) -> Result<bool>;
    fn stop(&mut self) -> Result<()>;
}

struct RunningSource<C>(C);

impl<C: SourceConnector> RunningConnector for RunningSource<C> {
    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        self.0.task_configs(max_tasks)
    }
    fn watch(&mut self, max_wait: Duration) -> Result<bool> {
        self.0.watch(max_wait)
    }
    fn stop(&mut self) -> Result<()> {
        self.0.stop()
    }
}

struct RunningSink<C>(C);

impl<C: SinkConnector> RunningConnector for RunningSink<C> {
    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        self.0.task_configs(max_tasks)
    }
    fn watch(&mut self, max_wait: Duration) -> Result<bool> {
        self.0.watch(max_wait)
    }
    fn stop(&mut self) -> Result<()> {
        self.0.stop()
    }
}

pub(crate) struct SourceMethods {
    pub class: fn() -> Class,
    validate: fn(&Config) -> Vec<Problem>,
    start: fn(Config) -> Result<Box<dyn RunningConnector>>,
    start_task: fn(Config) -> Result<Box<dyn SourceTask>>,
    alter_offsets: fn(&Config, &Offsets) -> Result<bool>,
    exactly_once_support: fn(&Config) -> Support,
    can_define_boundaries: fn(&Config) -> Support,
}

impl SourceMethods {
    pub fn of<C: SourceConnector>() -> SourceMethods {
        SourceMethods {
            class: C::class,
            validate: C::validate,
            start: |config| Ok(Box::new(RunningSource(C::start(config)?))),
            start_task: |config| Ok(Box::new(C::Task::start(config)?)),
            alter_offsets: C::alter_offsets,
            exactly_once_support: C::exactly_once_support,
            can_define_boundaries: C::can_define_boundaries,
        }
    }
}

pub(crate) struct SinkMethods {
    pub class: fn() -> Class,
    validate: fn(&Config) -> Vec<Problem>,
    start: fn(Config) -> Result<Box<dyn RunningConnector>>,
    start_task: fn(Config) -> Result<Box<dyn SinkTask>>,
    alter_offsets: fn(&Config, &Offsets) -> Result<bool>,
}

impl SinkMethods {
    pub fn of<C: SinkConnector>() -> SinkMethods {
        SinkMethods {
            class: C::class,
            validate: C::validate,
            start: |config| Ok(Box::new(RunningSink(C::start(config)?))),
            start_task: |config| Ok(Box::new(C::Task::start(config)?)),
            alter_offsets: C::alter_offsets,
        }
    }
}

/// What this instance has become.
enum State {
    New,
    Connector(Box<dyn RunningConnector>),
    Source { task: Box<dyn SourceTask>, next_row_id: u64, room: Room },
    Sink(Box<dyn SinkTask>),
    Chain(Vec<Segment>),
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::New) };
}

fn out_of_order(call: &str) -> Error {
    Error::Fatal(format!("{call} was called on an instance that was not started for it"))
}

fn with_connector<T>(call: &str, run: impl FnOnce(&mut dyn RunningConnector) -> Result<T>) -> Answer<T> {
    STATE.with_borrow_mut(|state| match state {
        State::Connector(connector) => Ok(run(&mut **connector)?),
        _ => Err(out_of_order(call).into()),
    })
}

fn with_source<T>(call: &str, run: impl FnOnce(&mut dyn SourceTask, &mut u64, &mut Room) -> Result<T>) -> Answer<T> {
    STATE.with_borrow_mut(|state| match state {
        State::Source { task, next_row_id, room } => Ok(run(&mut **task, next_row_id, room)?),
        _ => Err(out_of_order(call).into()),
    })
}

fn with_sink<T>(call: &str, run: impl FnOnce(&mut dyn SinkTask) -> Result<T>) -> Answer<T> {
    STATE.with_borrow_mut(|state| match state {
        State::Sink(task) => Ok(run(&mut **task)?),
        _ => Err(out_of_order(call).into()),
    })
}

fn become_state(state: State) {
    STATE.with_borrow_mut(|current| *current = state);
}

type Answer<T> = std::result::Result<T, wit::Error>;

impl From<Error> for wit::Error {
    fn from(error: Error) -> wit::Error {
        match error {
            Error::Retriable(reason) => wit::Error::Retriable(reason),
            Error::Data(reason) => wit::Error::Data(reason),
            Error::Config(problems) => wit::Error::Config(problems_to_wit(problems)),
            Error::Fatal(reason) => wit::Error::Fatal(reason),
        }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Error {
        match error {
            wit::Error::Retriable(reason) => Error::Retriable(reason),
            wit::Error::Data(reason) => Error::Data(reason),
            wit::Error::Config(problems) => {
                Error::Config(problems.into_iter().map(|p| Problem { key: p.key, message: p.message }).collect())
            }
            wit::Error::Fatal(reason) => Error::Fatal(reason),
        }
    }
}

fn problems_to_wit(problems: Vec<Problem>) -> Vec<wit::Problem> {
    problems.into_iter().map(|p| wit::Problem { key: p.key, message: p.message }).collect()
}

fn find<'a, T>(methods: &'a [T], class_of: impl Fn(&T) -> Class, name: &str) -> Result<(&'a T, Class)> {
    methods
        .iter()
        .map(|m| (m, class_of(m)))
        .find(|(_, class)| class.answers_to(name))
        .ok_or_else(|| Error::fatal(format!("this component has no class {name}")))
}

fn source<'a>(name: &str, config: WitConfig, classes: &'a Classes) -> Result<(&'a SourceMethods, Config)> {
    let (methods, class) = find(&classes.sources, |m| (m.class)(), name)?;
    Ok((methods, Config::from_wit(config, &class)))
}

fn sink<'a>(name: &str, config: WitConfig, classes: &'a Classes) -> Result<(&'a SinkMethods, Config)> {
    let (methods, class) = find(&classes.sinks, |m| (m.class)(), name)?;
    Ok((methods, Config::from_wit(config, &class)))
}

fn no_class(error: Error) -> Vec<wit::Problem> {
    vec![wit::Problem { key: "connector.class".into(), message: error.to_string() }]
}

fn altered(offsets: Vec<AlteredOffset>) -> Vec<(String, Option<String>)> {
    offsets.into_iter().map(|altered| (altered.partition, altered.offset)).collect()
}

fn task_configs(max_tasks: u32) -> Answer<Vec<WitConfig>> {
    let configs = with_connector("task-configs", |connector| connector.task_configs(max_tasks))?;
    Ok(configs.into_iter().map(Config::into_wit).collect())
}

fn watch(max_wait_ms: u64) -> Answer<bool> {
    with_connector("watch", |connector| connector.watch(Duration::from_millis(max_wait_ms)))
}

impl<P: Plugin> plugin_wit::Guest for Component<P> {
    fn describe() -> Vec<plugin_wit::Class> {
        P::classes().describe()
    }

    fn recommend(class: String, config: WitConfig) -> Vec<plugin_wit::Recommendation> {
        let Some(class) = P::classes().find(&class) else { return Vec::new() };
        class.recommend(&Config::from_wit(config, &class))
    }
}

impl<P: Plugin> source_connector::Guest for Component<P> {
    fn validate(class: String, config: WitConfig) -> Vec<wit::Problem> {
        match source(&class, config, &P::classes()) {
            Ok((methods, config)) => problems_to_wit((methods.validate)(&config)),
            Err(error) => no_class(error),
        }
    }

    fn start(class: String, config: WitConfig) -> Answer<()> {
        let classes = P::classes();
        let (methods, config) = source(&class, config, &classes)?;
        become_state(State::Connector((methods.start)(config)?));
        Ok(())
    }

    fn task_configs(max_tasks: u32) -> Answer<Vec<WitConfig>> {
        task_configs(max_tasks)
    }

    fn watch(max_wait_ms: u64) -> Answer<bool> {
        watch(max_wait_ms)
    }

    fn alter_offsets(class: String, config: WitConfig, offsets: Vec<AlteredOffset>) -> Answer<bool> {
        let classes = P::classes();
        let (methods, config) = source(&class, config, &classes)?;
        Ok((methods.alter_offsets)(&config, &altered(offsets))?)
    }

    fn exactly_once_support(class: String, config: WitConfig) -> Support {
        source(&class, config, &P::classes()).map_or(Support::Unknown, |(m, config)| (m.exactly_once_support)(&config))
    }

    fn can_define_boundaries(class: String, config: WitConfig) -> Support {
        source(&class, config, &P::classes()).map_or(Support::Unknown, |(m, config)| (m.can_define_boundaries)(&config))
    }

    fn stop() -> Answer<()> {
        with_connector("stop", |connector| connector.stop())
    }
}

impl<P: Plugin> source_task::Guest for Component<P> {
    fn start(class: String, config: WitConfig) -> Answer<()> {
        let classes = P::classes();
        let (methods, config) = source(&class, config, &classes)?;
        become_state(State::Source { task: (methods.start_task)(config)?, next_row_id: 0, room: Room::default() });
        Ok(())
    }

    fn poll(max_wait_ms: u64, max_bytes: u64, forgotten: Vec<u32>) -> Answer<source_task::Polled> {
        schemas::forgotten(&forgotten);
        with_source("poll", |task, next_row_id, room| {
            let mut batch = SourceBatch::new(*next_row_id, *room, usize::try_from(max_bytes).unwrap_or(usize::MAX));
            task.poll(Duration::from_millis(max_wait_ms), &mut batch)?;
            *next_row_id += batch.len() as u64;
            *room = batch.room();
            Ok(batch.into_wit())
        })
    }

    fn acknowledged(rows: source_task::Acknowledgements) -> Answer<()> {
        let acknowledged: Vec<Acknowledged> = rows
            .row_id
            .iter()
            .enumerate()
            .map(|(i, &row_id)| {
                let topic = || rows.topics[rows.topic.get(i).map_or(0, |&at| at as usize)].clone();
                let position = (rows.offset[i] >= 0).then(|| (topic(), rows.partition[i], rows.offset[i]));
                Acknowledged { row_id, position }
            })
            .collect();
        with_source("acknowledged", |task, _, _| task.acknowledged(&acknowledged))
    }

    fn committed() -> Answer<()> {
        with_source("committed", |task, _, _| task.committed())
    }

    fn stop() -> Answer<()> {
        with_source("stop", |task, _, _| task.stop())
    }
}

impl<P: Plugin> sink_connector::Guest for Component<P> {
    fn validate(class: String, config: WitConfig) -> Vec<wit::Problem> {
        match sink(&class, config, &P::classes()) {
            Ok((methods, config)) => problems_to_wit((methods.validate)(&config)),
            Err(error) => no_class(error),
        }
    }

    fn start(class: String, config: WitConfig) -> Answer<()> {
        let classes = P::classes();
        let (methods, config) = sink(&class, config, &classes)?;
        become_state(State::Connector((methods.start)(config)?));
        Ok(())
    }

    fn task_configs(max_tasks: u32) -> Answer<Vec<WitConfig>> {
        task_configs(max_tasks)
    }

    fn watch(max_wait_ms: u64) -> Answer<bool> {
        watch(max_wait_ms)
    }

    fn alter_offsets(class: String, config: WitConfig, offsets: Vec<AlteredOffset>) -> Answer<bool> {
        let classes = P::classes();
        let (methods, config) = sink(&class, config, &classes)?;
        Ok((methods.alter_offsets)(&config, &altered(offsets))?)
    }

    fn stop() -> Answer<()> {
        with_connector("stop", |connector| connector.stop())
    }
}

impl<P: Plugin> sink_task::Guest for Component<P> {
    fn start(class: String, config: WitConfig) -> Answer<()> {
        let classes = P::classes();
        let (methods, config) = sink(&class, config, &classes)?;
        become_state(State::Sink((methods.start_task)(config)?));
        Ok(())
    }

    fn open(partitions: Vec<Position>) -> Answer<()> {
        with_sink("open", |task| task.open(&partitions))
    }

    fn put(batch: sink_task::SinkBatch) -> Answer<sink_task::Delivery> {
        let batch = SinkBatch::from_wit(batch);
        let delivery = with_sink("put", |task| task.put(&batch))?;
        let faults = delivery.0.into_iter().map(|(row, error)| sink_task::RowFault { row, error: error.into() });
        let retry = delivery.1.map(|retry| sink_task::Retry {
            from: retry.from as u32,
            after_ms: retry.after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            reason: retry.reason,
        });
        Ok(sink_task::Delivery { faults: faults.collect(), retry })
    }

    fn pre_commit(positions: Vec<Position>) -> Answer<Vec<Position>> {
        with_sink("pre-commit", |task| task.pre_commit(positions))
    }

    fn close(partitions: Vec<TopicPartition>) -> Answer<()> {
        with_sink("close", |task| task.close(&partitions))
    }

    fn stop() -> Answer<()> {
        with_sink("stop", |task| task.stop())
    }
}

impl<P: Plugin> transformations::Guest for Component<P> {
    fn validate(class: String, config: WitConfig) -> Vec<wit::Problem> {
        let classes = P::classes();
        match find(&classes.transformations, |m| (m.class)(), &class) {
            Ok((methods, class)) => problems_to_wit((methods.validate)(&Config::from_wit(config, &class))),
            Err(error) => no_class(error),
        }
    }

    fn configure(segment: u32, steps: Vec<transformations::Step>) -> Answer<Vec<transformations::StepParts>> {
        let classes = P::classes();
        let steps = steps.into_iter().map(|step| configure_step(step, &classes)).collect::<Result<Vec<_>>>()?;
        let parts = steps.iter().map(Step::parts).collect();
        STATE.with_borrow_mut(|state| {
            if let State::New = state {
                *state = State::Chain(Vec::new());
            }
            match state {
                State::Chain(segments) if segments.len() == segment as usize => segments.push(Segment { steps }),
                _ => return Err(out_of_order("configure").into()),
            }
            Ok(parts)
        })
    }

    fn apply(segment: u32, input: transformations::Input) -> Answer<transformations::Output> {
        STATE.with_borrow_mut(|state| match state {
            State::Chain(segments) => match segments.get_mut(segment as usize) {
                Some(segment) => Ok(segment.apply(&Input::from_wit(input))),
                None => Err(out_of_order("apply").into()),
            },
            _ => Err(out_of_order("apply").into()),
        })
    }
}

fn configure_step(step: transformations::Step, classes: &Classes) -> Result<Step> {
    let predicate = |name: &str, config: WitConfig| {
        let (methods, class) = find(&classes.predicates, |m| (m.class)(), name)?;
        (methods.configure)(&Config::from_wit(config, &class))
    };
    let guard = match step.guard {
        Some(guard) => Some(Guard { predicate: predicate(&guard.class, guard.config)?, negate: guard.negate }),
        None => None,
    };
    match find(&classes.transformations, |m| (m.class)(), &step.class) {
        Ok((methods, class)) => Ok(Step { work: (methods.configure)(&Config::from_wit(step.config, &class))?, guard }),
        Err(_) => Ok(Step { work: Box::new(KeepIf(predicate(&step.class, step.config)?)), guard }),
    }
}
