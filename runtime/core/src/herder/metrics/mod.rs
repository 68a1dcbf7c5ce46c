//! The metrics of what a worker runs, as samples.

mod client;
mod group;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{ClassKind, TaskId, VersionRange};
use crate::observe::{Labels, Metric, ObservedTask, Samples, Startups, TaskPhase, labels, table as metric};
use crate::store::{State, Status};

use super::builder::Builder;
use super::request::View;
use super::runnable::Runnable;

const PER_STATE: [(&str, &Metric); 6] = [
    ("running", &metric::WORKER_CONNECTOR_RUNNING_TASK_COUNT),
    ("paused", &metric::WORKER_CONNECTOR_PAUSED_TASK_COUNT),
    ("failed", &metric::WORKER_CONNECTOR_FAILED_TASK_COUNT),
    ("unassigned", &metric::WORKER_CONNECTOR_UNASSIGNED_TASK_COUNT),
    ("destroyed", &metric::WORKER_CONNECTOR_DESTROYED_TASK_COUNT),
    ("restarting", &metric::WORKER_CONNECTOR_RESTARTING_TASK_COUNT),
];

/// The labels of a task: those that Connect's metrics have, and those of weir's own, which say whose it is too.
struct TaskLabels {
    connects: Labels,
    weirs: Labels,
}

/// Whose a task is: nobody's in particular, as long as there are no tenants.
const TENANT: (&str, &str) = ("tenant", "");

impl TaskLabels {
    fn of(id: &TaskId) -> TaskLabels {
        let index = id.index.to_string();
        let connects = [("connector", id.connector.as_str()), ("task", &index)];
        TaskLabels { connects: labels(connects), weirs: labels([connects[0], connects[1], TENANT]) }
    }
}

/// What is said of something of this worker's that is being made anew, which who makes it anew says; else what it says
/// itself.
fn state(own: &'static str, told: Option<&Status>, worker_id: &str) -> &'static str {
    let anew = |told: &Status| told.state == State::Restarting && told.worker_id == worker_id;
    if told.is_some_and(anew) { "restarting" } else { own }
}

/// Everything that can be said now; `only` of one connector where that is named.
pub fn samples(view: &View, builder: &Builder, only: Option<&str>) -> Samples {
    let mut samples = Samples::default();
    let mut by_connector: BTreeMap<String, Vec<(TaskId, Arc<ObservedTask>)>> = BTreeMap::new();
    for (id, task) in builder.tasks.all() {
        if only.is_none_or(|only| only == id.connector) {
            by_connector.entry(id.connector.clone()).or_default().push((id, task));
        }
    }
    let task_count = by_connector.values().map(Vec::len).sum::<usize>();
    let connectors = builder.tasks.connectors();
    for (name, state) in connectors.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        connector(view, name, state, &mut samples);
    }
    for (name, tasks) in by_connector {
        tasks_of(view, &name, &tasks, &mut samples);
    }
    for (owner, restarts, attempts) in builder.auto_restart.counts() {
        let (name, labels) = match owner {
            Runnable::Connector(name) => (name.clone(), labels([("connector", &name), TENANT])),
            Runnable::Task(id) => (id.connector.clone(), TaskLabels::of(&id).weirs),
        };
        if only.is_none_or(|only| only == name) {
            samples.number(&labels, &metric::AUTO_RESTARTS, restarts as f64);
            samples.number(&labels, &metric::AUTO_RESTART_ATTEMPTS, f64::from(attempts));
        }
    }
    if only.is_some() {
        return samples;
    }
    let none = labels([]);
    samples.number(&none, &metric::WORKER_CONNECTOR_COUNT, connectors.len() as f64);
    samples.number(&none, &metric::WORKER_TASK_COUNT, task_count as f64);
    startups(builder, &mut samples);
    if let Some(stats) = &builder.group {
        group::group(stats, &mut samples);
    }
    client::clients(&builder.broker.clients(), &mut samples);
    compilations(view, &mut samples);
    samples
}

/// What was done to have each plugin compiled, under the name of its first class.
fn compilations(view: &View, samples: &mut Samples) {
    let plugins = view.plugins();
    let mut seen = BTreeSet::new();
    for found in plugins.classes() {
        if !seen.insert(found.component.hash()) {
            continue;
        }
        let first = found.component.classes().first().unwrap_or(&found.class);
        let labels = labels([("plugin", &first.name), ("version", &first.version)]);
        let done = found.component.compilation();
        samples.number(&labels, &metric::COMPILES, done.compiles as f64);
        samples.number(&labels, &metric::COMPILE_CACHE_HITS, done.cache_hits as f64);
        if let Some(took) = done.took {
            samples.number(&labels, &metric::COMPILE_SECONDS, took.as_secs_f64());
        }
    }
}

/// What a connector of this worker's is.
fn connector(view: &View, name: &str, own: &'static str, samples: &mut Samples) {
    let Some(info) = view.info(name) else { return };
    let status = view.status(name);
    let status = state(own, status.as_ref().map(|status| &status.connector), view.statuses.worker_id());
    let labels = labels([("connector", name)]);
    let wanted = info.config.get("connector.plugin.version").and_then(|text| VersionRange::parse(text).ok().flatten());
    let found = |class: &String| view.plugins().find_within(class, wanted.as_ref()).ok().cloned();
    let class = info.config.get("connector.class").and_then(found);
    let kind = match info.kind {
        Some(ClassKind::Source) => "source",
        Some(ClassKind::Sink) => "sink",
        Some(ClassKind::Transformation | ClassKind::Predicate) | None => "unknown",
    };
    let named = info.config.get("connector.class").cloned().unwrap_or_default();
    let class_name = class.as_ref().map_or(named, |found| found.class.name.clone());
    let version = class.map_or_else(|| "unknown".to_owned(), |found| found.class.version);
    for (metric, label, text) in [
        (&metric::CONNECTOR_CLASS, "connector_class", class_name),
        (&metric::CONNECTOR_TYPE, "connector_type", kind.to_owned()),
        (&metric::CONNECTOR_VERSION, "connector_version", version),
        (&metric::CONNECTOR_STATUS, "status", status.to_owned()),
    ] {
        let text: Arc<str> = text.into();
        samples.number_of(&labels, &metric::CONNECTOR, (label, text.clone()), 1.0);
        samples.text(&labels, metric, text);
    }
}

fn tasks_of(view: &View, name: &str, tasks: &[(TaskId, Arc<ObservedTask>)], samples: &mut Samples) {
    let statuses = view.status(name).map(|status| status.tasks).unwrap_or_default();
    let told: BTreeMap<&TaskId, &Status> = statuses.iter().map(|(id, status)| (id, status)).collect();
    let state = |(id, task): &(TaskId, Arc<ObservedTask>)| {
        let own = task.phase().unwrap_or(TaskPhase::Unassigned).name();
        state(own, told.get(id).copied(), view.statuses.worker_id())
    };
    let states: Vec<&str> = tasks.iter().map(state).collect();
    let of_connector = labels([("connector", name)]);
    samples.number(&of_connector, &metric::WORKER_CONNECTOR_TOTAL_TASK_COUNT, tasks.len() as f64);
    for (state, metric) in PER_STATE {
        let count = states.iter().filter(|own| **own == state).count();
        samples.number(&of_connector, metric, count as f64);
    }
    for ((id, task), state) in tasks.iter().zip(states) {
        let labels = TaskLabels::of(id);
        samples.text(&labels.connects, &metric::TASK_STATUS, state);
        task::task(task, id, &labels, samples);
    }
}

fn startups(builder: &Builder, samples: &mut Samples) {
    let none = labels([]);
    let mut add = |startups: &Startups, metrics: [&'static Metric; 5]| {
        let (successes, failures) = (startups.successes.get(), startups.failures.get());
        let (success, failure) = startups.attempts.shares();
        let values = [(successes + failures) as f64, successes as f64, failures as f64, success, failure];
        metrics.iter().zip(values).for_each(|(metric, value)| samples.number(&none, metric, value));
    };
    add(
        &builder.tasks.connector_startups,
        [
            &metric::WORKER_CONNECTOR_STARTUP_ATTEMPTS_TOTAL,
            &metric::WORKER_CONNECTOR_STARTUP_SUCCESS_TOTAL,
            &metric::WORKER_CONNECTOR_STARTUP_FAILURE_TOTAL,
            &metric::WORKER_CONNECTOR_STARTUP_SUCCESS_PERCENTAGE,
            &metric::WORKER_CONNECTOR_STARTUP_FAILURE_PERCENTAGE,
        ],
    );
    add(
        &builder.tasks.startups,
        [
            &metric::WORKER_TASK_STARTUP_ATTEMPTS_TOTAL,
            &metric::WORKER_TASK_STARTUP_SUCCESS_TOTAL,
            &metric::WORKER_TASK_STARTUP_FAILURE_TOTAL,
            &metric::WORKER_TASK_STARTUP_SUCCESS_PERCENTAGE,
            &metric::WORKER_TASK_STARTUP_FAILURE_PERCENTAGE,
        ],
    );
}
