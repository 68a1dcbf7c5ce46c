//! The metrics of what a worker runs, as samples.

use crate::model::{ClassKind, Limits};
use crate::observe::table as metric;
use crate::observe::{Metric, ObservedTask, OwnMetric, Sample, TaskCounts};
use crate::store::State;

use super::builder::Builder;
use super::request::View;
use super::runnable::Runnable;

const PER_STATE: [(State, &Metric); 5] = [
    (State::Running, &metric::CONNECTOR_TASKS_RUNNING),
    (State::Paused, &metric::CONNECTOR_TASKS_PAUSED),
    (State::Failed, &metric::CONNECTOR_TASKS_FAILED),
    (State::Unassigned, &metric::CONNECTOR_TASKS_UNASSIGNED),
    (State::Restarting, &metric::CONNECTOR_TASKS_RESTARTING),
];

/// Everything that can be said now.
pub fn samples(view: &View, builder: &Builder) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |metric, labels: Vec<(&'static str, String)>, value| samples.push(Sample { metric, labels, value });
    let (mut connectors, mut task_count) = (0, 0);
    for name in view.connectors() {
        let (Some(status), Some(info)) = (view.status(&name), view.info(&name)) else { continue };
        // What others run they count.
        let runs_here = status.connector.worker_id == view.statuses.worker_id();
        let tasks: Vec<_> =
            status.tasks.iter().filter(|(_, task)| task.worker_id == view.statuses.worker_id()).collect();
        if !runs_here && tasks.is_empty() {
            continue;
        }
        let own = || vec![("connector", name.clone())];
        connectors += u32::from(runs_here);
        let class = info.config.get("connector.class").and_then(|class| view.plugins().find(class).cloned());
        let kind = match info.kind {
            Some(ClassKind::Source) => "source",
            Some(ClassKind::Sink) => "sink",
            Some(ClassKind::Transformation | ClassKind::Predicate) | None => "unknown",
        };
        let class_name = class.as_ref().map(|found| found.class.name.clone());
        let version = class.map(|found| found.class.version);
        for (metric, label, text) in [
            (&metric::CONNECTOR_CLASS, "connector_class", class_name),
            (&metric::CONNECTOR_TYPE, "connector_type", Some(kind.to_owned())),
            (&metric::CONNECTOR_VERSION, "connector_version", version),
            (&metric::CONNECTOR_STATUS, "status", Some(status.connector.state.name().to_lowercase())),
        ] {
            let Some(text) = text.filter(|_| runs_here) else { continue };
            let labels = [own(), vec![(label, text)]].concat();
            add(&metric::CONNECTOR, labels.clone(), 1.0);
            add(metric, labels, 1.0);
        }
        add(&metric::CONNECTOR_TASKS, own(), tasks.len() as f64);
        for (state, metric) in PER_STATE {
            let count = tasks.iter().filter(|(_, task)| task.state == state).count();
            add(metric, own(), count as f64);
        }
        for (id, task) in tasks {
            task_count += 1;
            let labels = [own(), vec![("task", id.index.to_string())]].concat();
            let state = ("status", task.state.name().to_lowercase());
            add(&metric::TASK_STATUS, [labels, vec![state]].concat(), 1.0);
        }
    }
    add(&metric::WORKER_CONNECTORS, vec![], f64::from(connectors));
    add(&metric::WORKER_TASKS, vec![], f64::from(task_count));
    for (owner, restarts, attempts) in builder.auto_restart.counts() {
        let labels = match owner {
            Runnable::Connector(name) => vec![("connector", name)],
            Runnable::Task(id) => vec![("connector", id.connector), ("task", id.index.to_string())],
        };
        add(&metric::AUTO_RESTARTS, labels.clone(), restarts as f64);
        add(&metric::AUTO_RESTART_ATTEMPTS, labels, f64::from(attempts));
    }
    for (id, task) in builder.tasks.all() {
        let labels = vec![("connector", id.connector.clone()), ("task", id.index.to_string())];
        of_task(&task, &labels, &builder.settings.limits, &mut samples);
    }
    samples
}

fn of_task(task: &ObservedTask, labels: &[(&'static str, String)], limits: &Limits, samples: &mut Vec<Sample>) {
    use std::sync::atomic::Ordering::Relaxed;
    let mut add = |metric, value| samples.push(Sample { metric, labels: labels.to_vec(), value });
    match &task.counts {
        TaskCounts::Source(counts) => {
            add(&metric::SOURCE_POLLED, counts.polled.get() as f64);
            add(&metric::SOURCE_WRITTEN, counts.written.get() as f64);
        }
        TaskCounts::Sink(counts) => {
            add(&metric::SINK_READ, counts.read.get() as f64);
            add(&metric::SINK_SENT, counts.sent.get() as f64);
            add(&metric::SINK_COMMITS, counts.commits.get() as f64);
        }
    }
    let errors = &task.errors;
    for (metric, count) in [
        (&metric::ERROR_FAILURES, &errors.failures),
        (&metric::ERRORS, &errors.errors),
        (&metric::ERROR_SKIPPED, &errors.skipped),
        (&metric::ERROR_RETRIES, &errors.retries),
        (&metric::ERRORS_LOGGED, &errors.logged),
        (&metric::LETTERS, &errors.letters),
        (&metric::LETTER_FAILURES, &errors.letter_failures),
    ] {
        add(metric, count.get() as f64);
    }
    add(&metric::LAST_ERROR, errors.last_error.get() as f64);
    let meter = &task.meter;
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    add(&metric::GUEST_CPU, seconds(meter.cpu_nanos.load(Relaxed)));
    add(&metric::GUEST_CALLS, meter.calls.load(Relaxed) as f64);
    add(&metric::GUEST_MEMORY, meter.memory_bytes.load(Relaxed) as f64);
    add(&metric::GUEST_MEMORY_PEAK, meter.memory_peak_bytes.load(Relaxed) as f64);
    add(&metric::GUEST_MEMORY_LIMIT, limits.memory_bytes as f64);
    add(&metric::GUEST_ADMISSION, seconds(meter.admission_nanos.load(Relaxed)));
    add(&metric::GUEST_LOG_DROPPED, meter.log_lines_dropped.load(Relaxed) as f64);
    for (metric, label, text) in
        [(&metric::TASK_CLASS, "task_class", &task.class), (&metric::TASK_VERSION, "task_version", &task.version)]
    {
        samples.push(Sample { metric, labels: [labels, &[(label, text.clone())]].concat(), value: 1.0 });
    }
    for (name, own) in meter.own.all() {
        let (metric, value) = match own {
            OwnMetric::Counter(value) => (&metric::GUEST_OWN_COUNTER, value as f64),
            OwnMetric::Gauge(value) => (&metric::GUEST_OWN_GAUGE, value),
        };
        samples.push(Sample { metric, labels: [labels, &[("name", name)]].concat(), value });
    }
}
