//! Pure. The metrics: names and meanings, each in one place. Names are those of Connect's groups and attributes, put
//! together mechanically as the common exporters do; `weir_` is in front of what Connect does not have.

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What its number is.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

/// A metric's value for some labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub metric: &'static Metric,
    /// Labels and their values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal $help:literal;)*) => {
        $(#[doc = $help] pub static $constant: Metric = Metric { name: $name, kind: Kind::$kind, help: $help };)*
        /// All of them.
        pub static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

/// The metrics by what they are.
pub mod table {
    use super::{Kind, Metric};

    metrics! {
        CONNECTOR Gauge "kafka_connect_connector_metrics" "A connector's class, type, version and state as labels.";
        CONNECTOR_CLASS Gauge "kafka_connect_connector_metrics_connector_class_info" "The name of the connector class.";
        CONNECTOR_TYPE Gauge "kafka_connect_connector_metrics_connector_type_info" "The type of the connector: source or sink.";
        CONNECTOR_VERSION Gauge "kafka_connect_connector_metrics_connector_version_info" "The version of the connector class.";
        CONNECTOR_STATUS Gauge "kafka_connect_connector_metrics_status_info" "The state of the connector: running, paused, stopped, failed, unassigned or restarting.";
        TASK_STATUS Gauge "kafka_connect_connector_task_metrics_status_info" "The state of the task: running, paused, failed, unassigned or restarting.";
        TASK_CLASS Gauge "kafka_connect_connector_task_metrics_task_class_info" "The name of the task's class.";
        TASK_VERSION Gauge "kafka_connect_connector_task_metrics_task_version_info" "The version of the task's class.";
        WORKER_CONNECTORS Gauge "kafka_connect_connect_worker_metrics_connector_count" "The number of connectors on this worker.";
        WORKER_TASKS Gauge "kafka_connect_connect_worker_metrics_task_count" "The number of tasks on this worker.";
        CONNECTOR_TASKS Gauge "kafka_connect_connect_worker_metrics_connector_total_task_count" "The number of tasks of the connector on this worker.";
        CONNECTOR_TASKS_RUNNING Gauge "kafka_connect_connect_worker_metrics_connector_running_task_count" "The number of running tasks of the connector on this worker.";
        CONNECTOR_TASKS_PAUSED Gauge "kafka_connect_connect_worker_metrics_connector_paused_task_count" "The number of paused tasks of the connector on this worker.";
        CONNECTOR_TASKS_FAILED Gauge "kafka_connect_connect_worker_metrics_connector_failed_task_count" "The number of failed tasks of the connector on this worker.";
        CONNECTOR_TASKS_UNASSIGNED Gauge "kafka_connect_connect_worker_metrics_connector_unassigned_task_count" "The number of unassigned tasks of the connector on this worker.";
        CONNECTOR_TASKS_RESTARTING Gauge "kafka_connect_connect_worker_metrics_connector_restarting_task_count" "The number of restarting tasks of the connector on this worker.";
        SOURCE_POLLED Counter "kafka_connect_source_task_metrics_source_record_poll_total" "The number of records polled by the source task, before transformations.";
        SOURCE_WRITTEN Counter "kafka_connect_source_task_metrics_source_record_write_total" "The number of records of the source task that were written to Kafka, after transformations.";
        SINK_READ Counter "kafka_connect_sink_task_metrics_sink_record_read_total" "The number of records read from Kafka for the sink task, before transformations.";
        SINK_SENT Counter "kafka_connect_sink_task_metrics_sink_record_send_total" "The number of records given to the sink task, after transformations.";
        SINK_COMMITS Counter "kafka_connect_sink_task_metrics_offset_commit_completion_total" "The number of offset commits of the sink task that were completed.";
        ERROR_FAILURES Gauge "kafka_connect_task_error_metrics_total_record_failures" "The number of record processing failures in this task: of tries that failed.";
        ERRORS Gauge "kafka_connect_task_error_metrics_total_record_errors" "The number of record processing errors in this task: of records that failed for good.";
        ERROR_SKIPPED Gauge "kafka_connect_task_error_metrics_total_records_skipped" "The number of records skipped due to errors.";
        ERROR_RETRIES Gauge "kafka_connect_task_error_metrics_total_retries" "The number of operations retried.";
        ERRORS_LOGGED Gauge "kafka_connect_task_error_metrics_total_errors_logged" "The number of errors that were logged.";
        LETTERS Gauge "kafka_connect_task_error_metrics_deadletterqueue_produce_requests" "The number of attempted writes to the dead letter queue.";
        LETTER_FAILURES Gauge "kafka_connect_task_error_metrics_deadletterqueue_produce_failures" "The number of failed writes to the dead letter queue.";
        LAST_ERROR Gauge "kafka_connect_task_error_metrics_last_error_timestamp" "When this task last encountered an error, in milliseconds since 1970; 0 for never.";
        GUEST_CPU Counter "weir_task_guest_cpu_seconds_total" "CPU time in calls into the task's guests, host functions included.";
        GUEST_CALLS Counter "weir_task_guest_calls_total" "Calls into the task's guests.";
        GUEST_MEMORY Gauge "weir_task_guest_memory_bytes" "Memory of the task's guests together: linear memory and tables.";
        GUEST_MEMORY_PEAK Gauge "weir_task_guest_memory_peak_bytes" "The most memory that the task's guests had together so far.";
        GUEST_MEMORY_LIMIT Gauge "weir_task_guest_memory_limit_bytes" "The most memory that each of the task's guests may have.";
        GUEST_ADMISSION Counter "weir_task_admission_wait_seconds_total" "Time that calls into the task's guests waited to be admitted.";
        GUEST_LOG_DROPPED Counter "weir_task_log_lines_dropped_total" "Log lines of the task's guests that were dropped.";
        GUEST_OWN_COUNTER Counter "weir_task_guest_counter_total" "A counter of the task's guests' own; its name is a label.";
        GUEST_OWN_GAUGE Gauge "weir_task_guest_gauge" "A gauge of the task's guests' own; its name is a label.";
        AUTO_RESTARTS Counter "weir_auto_restarts_total" "How often the connector, or the task where there is a label for it, was restarted by auto.restart on this worker.";
        AUTO_RESTART_ATTEMPTS Gauge "weir_auto_restart_attempts" "The attempts of auto.restart since the connector or task was well.";
        BUILD Gauge "weir_build_info" "The version of weir.";
        PROCESS_CPU Counter "process_cpu_seconds_total" "CPU time of this process, user and system.";
        PROCESS_MEMORY Gauge "process_resident_memory_bytes" "Resident memory of this process.";
        PROCESS_START Gauge "process_start_time_seconds" "When this process started, in seconds since 1970.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_and_a_counter_ends_in_total() {
        let mut names = std::collections::BTreeSet::new();
        for metric in table::ALL {
            assert!(names.insert(metric.name), "{} twice", metric.name);
            assert!(metric.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
