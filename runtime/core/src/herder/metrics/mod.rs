//! The metrics of what a worker runs, as samples.

mod client;
mod group;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{ClassKind, TaskId};
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

/// The labels of a task.
fn of_task(id: &TaskId) -> Labels {
    labels([("connector", &id.connector), ("task", &id.index.to_string())])
}

/// The state that a task of this worker's is in: what everybody was told of it, where that was told of this worker.
fn state(task: &ObservedTask, told: Option<&Status>, worker_id: &str) -> String {
    match (task.phase(), told) {
        // Before it says something itself, and when somebody says that it is made anew.
        (None, Some(told)) | (Some(_), Some(told @ Status { state: State::Restarting, .. }))
            if told.worker_id == worker_id =>
        {
            told.state.name().to_lowercase()
        }
        (phase, _) => phase.unwrap_or(TaskPhase::Unassigned).name().to_owned(),
    }
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
    let (mut connectors, task_count) = (0, by_connector.values().map(Vec::len).sum::<usize>());
    let names = view.connectors();
    for name in names.iter().filter(|name| only.is_none_or(|only| only == *name)) {
        connectors += usize::from(connector(view, name, &mut samples));
    }
    for (name, tasks) in by_connector {
        tasks_of(view, builder, &name, &tasks, &mut samples);
    }
    for (owner, restarts, attempts) in builder.auto_restart.counts() {
        let (name, labels) = match owner {
            Runnable::Connector(name) => (name.clone(), labels([("connector", &name)])),
            Runnable::Task(id) => (id.connector.clone(), of_task(&id)),
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
    samples.number(&none, &metric::WORKER_CONNECTOR_COUNT, connectors as f64);
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

/// What a connector is, where it is this worker's; answers whether it is.
fn connector(view: &View, name: &str, samples: &mut Samples) -> bool {
    let (Some(status), Some(info)) = (view.status(name), view.info(name)) else { return false };
    // What others run they show.
    if status.connector.worker_id != view.statuses.worker_id() {
        return false;
    }
    let labels = labels([("connector", name)]);
    let class = info.config.get("connector.class").and_then(|class| view.plugins().find(class).cloned());
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
        (&metric::CONNECTOR_STATUS, "status", status.connector.state.name().to_lowercase()),
    ] {
        let text: Arc<str> = text.into();
        samples.number_of(&labels, &metric::CONNECTOR, (label, text.clone()), 1.0);
        samples.text(&labels, metric, text);
    }
    true
}

fn tasks_of(view: &View, builder: &Builder, name: &str, tasks: &[(TaskId, Arc<ObservedTask>)], samples: &mut Samples) {
    let statuses = view.status(name).map(|status| status.tasks).unwrap_or_default();
    let told = |id: &TaskId| statuses.iter().find(|(told, _)| told == id).map(|(_, status)| status);
    let states: Vec<String> = tasks.iter().map(|(id, task)| state(task, told(id), view.statuses.worker_id())).collect();
    let of_connector = labels([("connector", name)]);
    samples.number(&of_connector, &metric::WORKER_CONNECTOR_TOTAL_TASK_COUNT, tasks.len() as f64);
    for (state, metric) in PER_STATE {
        let count = states.iter().filter(|own| *own == state).count();
        samples.number(&of_connector, metric, count as f64);
    }
    for ((id, task), state) in tasks.iter().zip(states) {
        let labels = of_task(id);
        samples.text(&labels, &metric::TASK_STATUS, state);
        task::task(task, &labels, &builder.settings.limits, samples);
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
