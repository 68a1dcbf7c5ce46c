//! What a task is made of, and what it counts, as samples.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::model::{ClassKind, Limits, TaskId};
use crate::observe::{
    ErrorCounts, GuestMeter, Labels, MadeTask, ObservedTask, OwnMetric, Part, Samples, SinkTaskCounts,
    SourceTaskCounts, TaskCounts, TaskStats, labels, table as metric,
};

use super::{TENANT, TaskLabels};

/// Everything about a task but its state.
pub(super) fn task(task: &ObservedTask, id: &TaskId, labels: &TaskLabels, samples: &mut Samples) {
    let (running, paused) = task.shares();
    samples.number(&labels.connects, &metric::TASK_RUNNING_RATIO, running);
    samples.number(&labels.connects, &metric::TASK_PAUSE_RATIO, paused);
    samples.number(&labels.weirs, &metric::RESTARTS, task.restarts as f64);
    let Some(made) = task.made.get() else { return };
    parts(made, id, &labels.connects, samples);
    match &made.counts {
        TaskCounts::Source(counts) => source(counts, made.exactly_once, labels, samples),
        TaskCounts::Sink(counts) => sink(counts, id, labels, samples),
    }
    errors(&made.errors, &labels.connects, samples);
    guests(&made.meter, &labels.weirs, &made.limits, samples);
}

fn parts(made: &MadeTask, id: &TaskId, of_task: &Labels, samples: &mut Samples) {
    let kind = if made.kind == ClassKind::Sink { "sink" } else { "source" };
    for (metric, text) in [
        (&metric::TASK_CONNECTOR_CLASS, made.class.as_str()),
        (&metric::TASK_CONNECTOR_TYPE, kind),
        (&metric::TASK_CONNECTOR_VERSION, &made.version),
        (&metric::TASK_TASK_CLASS, &made.task_class),
        (&metric::TASK_TASK_VERSION, &made.version),
    ] {
        samples.text(of_task, metric, text);
    }
    let undefined = |part: &Part| part.version.clone().unwrap_or_else(|| "undefined".to_owned());
    for (part, class, version) in [
        (0, &metric::TASK_KEY_CONVERTER_CLASS, &metric::TASK_KEY_CONVERTER_VERSION),
        (1, &metric::TASK_VALUE_CONVERTER_CLASS, &metric::TASK_VALUE_CONVERTER_VERSION),
        (2, &metric::TASK_HEADER_CONVERTER_CLASS, &metric::TASK_HEADER_CONVERTER_VERSION),
    ] {
        let Some(part) = made.converters.get(part) else { continue };
        samples.text(of_task, class, part.class.as_str());
        samples.text(of_task, version, undefined(part));
    }
    for (parts, label, class, version) in [
        (&made.transforms, "transform", &metric::STEP_CLASS, &metric::STEP_VERSION),
        (&made.predicates, "predicate", &metric::GUARD_CLASS, &metric::GUARD_VERSION),
    ] {
        for part in parts {
            let task = id.index.to_string();
            let labels = labels([("connector", &id.connector), ("task", &task), (label, &part.alias)]);
            samples.text(&labels, class, part.class.as_str());
            samples.text(&labels, version, undefined(part));
        }
    }
}

fn every(stats: &TaskStats, labels: &TaskLabels, samples: &mut Samples) {
    let (success, failure) = stats.commit_attempts.shares();
    for (metric, value) in [
        (&metric::TASK_BATCH_SIZE_AVG, stats.batch_size.avg()),
        (&metric::TASK_BATCH_SIZE_MAX, stats.batch_size.max()),
        (&metric::TASK_OFFSET_COMMIT_AVG_TIME_MS, stats.commit_time.avg()),
        (&metric::TASK_OFFSET_COMMIT_MAX_TIME_MS, stats.commit_time.max()),
        (&metric::TASK_OFFSET_COMMIT_SUCCESS_PERCENTAGE, success),
        (&metric::TASK_OFFSET_COMMIT_FAILURE_PERCENTAGE, failure),
    ] {
        samples.number(&labels.connects, metric, value);
    }
    let labels = &labels.weirs;
    // Milliseconds of each second.
    samples.number(labels, &metric::BACKPRESSURE, stats.held_back.ratio());
    samples.durations(labels, &metric::COMMIT_SECONDS, None, stats.commit_durations.get());
    samples.durations(labels, &metric::RECORD_LATENCY, None, stats.latency.get());
}

fn source(counts: &SourceTaskCounts, exactly_once: bool, labels: &TaskLabels, samples: &mut Samples) {
    every(&counts.task, labels, samples);
    samples.number(&labels.weirs, &metric::QUEUE_RECORDS, counts.active.get() as f64);
    samples.number(&labels.weirs, &metric::QUEUE_BYTES, counts.unanswered_bytes.get() as f64);
    let labels = &labels.connects;
    for (metric, value) in [
        (&metric::SOURCE_POLL_TOTAL, counts.polled.get() as f64),
        (&metric::SOURCE_POLL_RATE, counts.polled.rate()),
        (&metric::SOURCE_WRITE_TOTAL, counts.written.get() as f64),
        (&metric::SOURCE_WRITE_RATE, counts.written.rate()),
        (&metric::SOURCE_POLL_BATCH_AVG_TIME_MS, counts.poll_time.avg()),
        (&metric::SOURCE_POLL_BATCH_MAX_TIME_MS, counts.poll_time.max()),
        (&metric::SOURCE_ACTIVE_COUNT, counts.active.get() as f64),
        (&metric::SOURCE_ACTIVE_COUNT_AVG, counts.actives.avg()),
        (&metric::SOURCE_ACTIVE_COUNT_MAX, counts.actives.max()),
    ] {
        samples.number(labels, metric, value);
    }
    if exactly_once {
        for (metric, value) in [
            (&metric::SOURCE_TRANSACTION_SIZE_MIN, counts.transaction_size.min()),
            (&metric::SOURCE_TRANSACTION_SIZE_MAX, counts.transaction_size.max()),
            (&metric::SOURCE_TRANSACTION_SIZE_AVG, counts.transaction_size.avg()),
        ] {
            samples.number(labels, metric, value);
        }
    }
}

fn sink(counts: &SinkTaskCounts, id: &TaskId, of_task: &TaskLabels, samples: &mut Samples) {
    every(&counts.task, of_task, samples);
    samples.number(&of_task.weirs, &metric::QUEUE_RECORDS, counts.active.get() as f64);
    for (metric, value) in [
        (&metric::SINK_READ_TOTAL, counts.read.get() as f64),
        (&metric::SINK_READ_RATE, counts.read.rate()),
        (&metric::SINK_SEND_TOTAL, counts.sent.get() as f64),
        (&metric::SINK_SEND_RATE, counts.sent.rate()),
        (&metric::SINK_PUT_BATCH_AVG_TIME_MS, counts.put_time.avg()),
        (&metric::SINK_PUT_BATCH_MAX_TIME_MS, counts.put_time.max()),
        (&metric::SINK_OFFSET_COMMIT_SEQ_NO, counts.commit_seq_no.get() as f64),
        (&metric::SINK_OFFSET_COMMIT_COMPLETION_TOTAL, counts.commits.get() as f64),
        (&metric::SINK_OFFSET_COMMIT_COMPLETION_RATE, counts.commits.rate()),
        (&metric::SINK_OFFSET_COMMIT_SKIP_TOTAL, counts.commit_skips.get() as f64),
        (&metric::SINK_OFFSET_COMMIT_SKIP_RATE, counts.commit_skips.rate()),
        (&metric::SINK_PARTITION_COUNT, counts.partitions.get() as f64),
        (&metric::SINK_ACTIVE_COUNT, counts.active.get() as f64),
        (&metric::SINK_ACTIVE_COUNT_AVG, counts.actives.avg()),
        (&metric::SINK_ACTIVE_COUNT_MAX, counts.actives.max()),
        (&metric::SINK_LAG_MAX, counts.active_most.get() as f64),
    ] {
        samples.number(&of_task.connects, metric, value);
    }
    for (partition, lag) in counts.lags.get() {
        let (number, task) = (partition.partition.to_string(), id.index.to_string());
        let of_partition = [("topic", &*partition.topic), ("partition", &*number)];
        let of_task = [("connector", id.connector.as_str()), ("task", &task)];
        let labels = labels([of_task[0], of_task[1], TENANT, of_partition[0], of_partition[1]]);
        samples.number(&labels, &metric::CONSUMER_LAG, lag as f64);
    }
}

fn errors(errors: &ErrorCounts, labels: &Labels, samples: &mut Samples) {
    for (metric, count) in [
        (&metric::ERROR_TOTAL_RECORD_FAILURES, &errors.failures),
        (&metric::ERROR_TOTAL_RECORD_ERRORS, &errors.errors),
        (&metric::ERROR_TOTAL_RECORDS_SKIPPED, &errors.skipped),
        (&metric::ERROR_TOTAL_RETRIES, &errors.retries),
        (&metric::ERROR_TOTAL_ERRORS_LOGGED, &errors.logged),
        (&metric::ERROR_DEADLETTERQUEUE_PRODUCE_REQUESTS, &errors.letters),
        (&metric::ERROR_DEADLETTERQUEUE_PRODUCE_FAILURES, &errors.letter_failures),
    ] {
        samples.number(labels, metric, count.get() as f64);
    }
    samples.number(labels, &metric::ERROR_LAST_ERROR_TIMESTAMP, errors.last_error.get() as f64);
}

fn guests(meter: &GuestMeter, labels: &Labels, limits: &Limits, samples: &mut Samples) {
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    for (metric, value) in [
        (&metric::GUEST_CPU, seconds(meter.cpu_nanos.load(Relaxed))),
        (&metric::HOST_CALL_SECONDS, seconds(meter.host_nanos.load(Relaxed))),
        (&metric::GUEST_MEMORY, meter.memory_bytes.load(Relaxed) as f64),
        (&metric::GUEST_MEMORY_PEAK, meter.memory_peak_bytes.load(Relaxed) as f64),
        (&metric::GUEST_MEMORY_LIMIT, (limits.memory_bytes * meter.instances.load(Relaxed)) as f64),
        (&metric::GUEST_ADMISSION, seconds(meter.admission_nanos.load(Relaxed))),
        (&metric::GUEST_ADMISSIONS, meter.admissions.load(Relaxed) as f64),
        (&metric::GUEST_LOG_DROPPED, meter.log_lines_dropped.load(Relaxed) as f64),
    ] {
        samples.number(labels, metric, value);
    }
    for (call, observed) in meter.calls.all() {
        let own = ("call", Arc::from(call));
        samples.number_of(labels, &metric::GUEST_CALLS, own.clone(), observed.count() as f64);
        samples.durations(labels, &metric::GUEST_CALL_SECONDS, Some(own), Some(observed));
    }
    for (direction, crossed) in [("in", &meter.into), ("out", &meter.out_of)] {
        let own = ("direction", Arc::from(direction));
        samples.number_of(labels, &metric::BOUNDARY_RECORDS, own.clone(), crossed.records.get() as f64);
        samples.number_of(labels, &metric::BOUNDARY_BYTES, own, crossed.bytes.get() as f64);
    }
    for (kind, count) in meter.traps.all() {
        samples.number_of(labels, &metric::GUEST_TRAPS, ("kind", Arc::from(kind)), count as f64);
    }
    for (limit, count) in meter.limit_hits.all() {
        samples.number_of(labels, &metric::LIMIT_HITS, ("limit", Arc::from(limit)), count as f64);
    }
    for (name, own) in meter.own.all() {
        let (metric, value) = match own {
            OwnMetric::Counter(value) => (&metric::GUEST_OWN_COUNTER, value as f64),
            OwnMetric::Gauge(value) => (&metric::GUEST_OWN_GAUGE, value),
        };
        samples.number_of(labels, metric, ("name", Arc::from(name)), value);
    }
}
