//! Pure. The metrics: names, units and meanings, each in one place. Connect's are by its own groups and attributes
//! (ConnectMetricsRegistry, WorkerCoordinator and the Selector of Kafka 4.3.1), out of which `naming` makes names;
//! `weir_` is in front of what Connect does not have.

use super::client_table;
use super::metric::{Kind, Metric};

macro_rules! metrics {
    ($($group:literal { $($constant:ident $kind:ident $attribute:literal $unit:literal $help:literal;)* })*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "they number the constants")]
        enum Index { $($($constant,)*)* }
        $($(#[doc = $help] pub static $constant: Metric = Metric {
            index: Index::$constant as usize,
            group: $group,
            attribute: $attribute,
            kind: Kind::$kind,
            unit: $unit,
            help: $help,
        };)*)*
        /// All but those of Kafka's clients, each where its index says.
        pub(super) static WITHOUT_CLIENTS: &[&Metric] = &[$($(&$constant,)*)*];
    };
}

metrics! {
    "connector-metrics" {
        CONNECTOR_CLASS Info "connector-class" "" "The name of the connector class.";
        CONNECTOR_TYPE Info "connector-type" "" "The type of the connector. One of 'source' or 'sink'.";
        CONNECTOR_VERSION Info "connector-version" "" "The version of the connector class, as reported by the connector.";
        CONNECTOR_STATUS Info "status" "" "The status of the connector. One of 'unassigned', 'running', 'paused', 'stopped', 'failed', or 'restarting'.";
    }
    "connector-task-metrics" {
        TASK_BATCH_SIZE_AVG Gauge "batch-size-avg" "records" "The average number of records in the batches the task has processed so far.";
        TASK_BATCH_SIZE_MAX Gauge "batch-size-max" "records" "The number of records in the largest batch the task has processed so far.";
        TASK_CONNECTOR_CLASS Info "connector-class" "" "The name of the connector class.";
        TASK_CONNECTOR_TYPE Info "connector-type" "" "The type of the connector. One of 'source' or 'sink'.";
        TASK_CONNECTOR_VERSION Info "connector-version" "" "The version of the connector class, as reported by the connector.";
        TASK_HEADER_CONVERTER_CLASS Info "header-converter-class" "" "The fully qualified class name from header.converter.";
        TASK_HEADER_CONVERTER_VERSION Info "header-converter-version" "" "The version instantiated for header.converter. May be undefined.";
        TASK_KEY_CONVERTER_CLASS Info "key-converter-class" "" "The fully qualified class name from key.converter.";
        TASK_KEY_CONVERTER_VERSION Info "key-converter-version" "" "The version instantiated for key.converter. May be undefined.";
        TASK_OFFSET_COMMIT_AVG_TIME_MS Gauge "offset-commit-avg-time-ms" "ms" "The average time in milliseconds taken by this task to commit offsets.";
        TASK_OFFSET_COMMIT_FAILURE_PERCENTAGE Gauge "offset-commit-failure-percentage" "ratio" "The average percentage of this task's offset commit attempts that failed.";
        TASK_OFFSET_COMMIT_MAX_TIME_MS Gauge "offset-commit-max-time-ms" "ms" "The maximum time in milliseconds taken by this task to commit offsets.";
        TASK_OFFSET_COMMIT_SUCCESS_PERCENTAGE Gauge "offset-commit-success-percentage" "ratio" "The average percentage of this task's offset commit attempts that succeeded.";
        TASK_PAUSE_RATIO Gauge "pause-ratio" "ratio" "The fraction of time this task has spent in the pause state.";
        TASK_RUNNING_RATIO Gauge "running-ratio" "ratio" "The fraction of time this task has spent in the running state.";
        TASK_STATUS Info "status" "" "The status of the connector task. One of 'unassigned', 'running', 'paused', 'failed', or 'restarting'.";
        TASK_TASK_CLASS Info "task-class" "" "The class name of the task.";
        TASK_TASK_VERSION Info "task-version" "" "The version of the task.";
        TASK_VALUE_CONVERTER_CLASS Info "value-converter-class" "" "The fully qualified class name from value.converter.";
        TASK_VALUE_CONVERTER_VERSION Info "value-converter-version" "" "The version instantiated for value.converter. May be undefined.";
    }
    "connect-worker-metrics" {
        WORKER_CONNECTOR_COUNT Gauge "connector-count" "connectors" "The number of connectors run in this worker.";
        WORKER_CONNECTOR_STARTUP_ATTEMPTS_TOTAL Counter "connector-startup-attempts-total" "startups" "The total number of connector startups that this worker has attempted.";
        WORKER_CONNECTOR_STARTUP_FAILURE_PERCENTAGE Gauge "connector-startup-failure-percentage" "ratio" "The average percentage of this worker's connectors starts that failed.";
        WORKER_CONNECTOR_STARTUP_FAILURE_TOTAL Counter "connector-startup-failure-total" "startups" "The total number of connector starts that failed.";
        WORKER_CONNECTOR_STARTUP_SUCCESS_PERCENTAGE Gauge "connector-startup-success-percentage" "ratio" "The average percentage of this worker's connectors starts that succeeded.";
        WORKER_CONNECTOR_STARTUP_SUCCESS_TOTAL Counter "connector-startup-success-total" "startups" "The total number of connector starts that succeeded.";
        WORKER_TASK_COUNT Gauge "task-count" "tasks" "The number of tasks run in this worker.";
        WORKER_TASK_STARTUP_ATTEMPTS_TOTAL Counter "task-startup-attempts-total" "startups" "The total number of task startups that this worker has attempted.";
        WORKER_TASK_STARTUP_FAILURE_PERCENTAGE Gauge "task-startup-failure-percentage" "ratio" "The average percentage of this worker's tasks starts that failed.";
        WORKER_TASK_STARTUP_FAILURE_TOTAL Counter "task-startup-failure-total" "startups" "The total number of task starts that failed.";
        WORKER_TASK_STARTUP_SUCCESS_PERCENTAGE Gauge "task-startup-success-percentage" "ratio" "The average percentage of this worker's tasks starts that succeeded.";
        WORKER_TASK_STARTUP_SUCCESS_TOTAL Counter "task-startup-success-total" "startups" "The total number of task starts that succeeded.";
        WORKER_CONNECTOR_DESTROYED_TASK_COUNT Gauge "connector-destroyed-task-count" "tasks" "The number of destroyed tasks of the connector on the worker.";
        WORKER_CONNECTOR_FAILED_TASK_COUNT Gauge "connector-failed-task-count" "tasks" "The number of failed tasks of the connector on the worker.";
        WORKER_CONNECTOR_PAUSED_TASK_COUNT Gauge "connector-paused-task-count" "tasks" "The number of paused tasks of the connector on the worker.";
        WORKER_CONNECTOR_RESTARTING_TASK_COUNT Gauge "connector-restarting-task-count" "tasks" "The number of restarting tasks of the connector on the worker.";
        WORKER_CONNECTOR_RUNNING_TASK_COUNT Gauge "connector-running-task-count" "tasks" "The number of running tasks of the connector on the worker.";
        WORKER_CONNECTOR_TOTAL_TASK_COUNT Gauge "connector-total-task-count" "tasks" "The number of tasks of the connector on the worker.";
        WORKER_CONNECTOR_UNASSIGNED_TASK_COUNT Gauge "connector-unassigned-task-count" "tasks" "The number of unassigned tasks of the connector on the worker.";
    }
    "connect-worker-rebalance-metrics" {
        REBALANCE_COMPLETED_REBALANCES_TOTAL Counter "completed-rebalances-total" "rebalances" "The total number of rebalances completed by this worker.";
        REBALANCE_CONNECT_PROTOCOL Info "connect-protocol" "" "The Connect protocol used by this cluster.";
        REBALANCE_EPOCH Gauge "epoch" "generation" "The epoch or generation number of this worker.";
        REBALANCE_LEADER_NAME Info "leader-name" "" "The name of the group leader.";
        REBALANCE_REBALANCE_AVG_TIME_MS Gauge "rebalance-avg-time-ms" "ms" "The average time in milliseconds spent by this worker to rebalance.";
        REBALANCE_REBALANCE_MAX_TIME_MS Gauge "rebalance-max-time-ms" "ms" "The maximum time in milliseconds spent by this worker to rebalance.";
        REBALANCE_REBALANCING Gauge "rebalancing" "" "Whether this worker is currently rebalancing.";
        REBALANCE_TIME_SINCE_LAST_REBALANCE_MS Gauge "time-since-last-rebalance-ms" "ms" "The time in milliseconds since this worker completed the most recent rebalance.";
    }
    "source-task-metrics" {
        SOURCE_POLL_BATCH_AVG_TIME_MS Gauge "poll-batch-avg-time-ms" "ms" "The average time in milliseconds taken by this task to poll for a batch of source records.";
        SOURCE_POLL_BATCH_MAX_TIME_MS Gauge "poll-batch-max-time-ms" "ms" "The maximum time in milliseconds taken by this task to poll for a batch of source records.";
        SOURCE_ACTIVE_COUNT Gauge "source-record-active-count" "records" "The number of records that have been produced by this task but not yet completely written to Kafka.";
        SOURCE_ACTIVE_COUNT_AVG Gauge "source-record-active-count-avg" "records" "The average number of records that have been produced by this task but not yet completely written to Kafka.";
        SOURCE_ACTIVE_COUNT_MAX Gauge "source-record-active-count-max" "records" "The maximum number of records that have been produced by this task but not yet completely written to Kafka.";
        SOURCE_POLL_RATE Gauge "source-record-poll-rate" "records/s" "The average per-second number of records produced/polled (before transformation) by this task.";
        SOURCE_POLL_TOTAL Counter "source-record-poll-total" "records" "The total number of records produced/polled (before transformation) by this task.";
        SOURCE_WRITE_RATE Gauge "source-record-write-rate" "records/s" "The average per-second number of records written to Kafka for this task since it was last restarted, after transformations.";
        SOURCE_WRITE_TOTAL Counter "source-record-write-total" "records" "The number of records written to Kafka for this task since it was last restarted, after transformations.";
        SOURCE_TRANSACTION_SIZE_AVG Gauge "transaction-size-avg" "records" "The average number of records in the transactions the task has committed so far.";
        SOURCE_TRANSACTION_SIZE_MAX Gauge "transaction-size-max" "records" "The number of records in the largest transaction the task has committed so far.";
        SOURCE_TRANSACTION_SIZE_MIN Gauge "transaction-size-min" "records" "The number of records in the smallest transaction the task has committed so far.";
    }
    "sink-task-metrics" {
        SINK_OFFSET_COMMIT_COMPLETION_RATE Gauge "offset-commit-completion-rate" "commits/s" "The average per-second number of offset commit completions that were completed successfully.";
        SINK_OFFSET_COMMIT_COMPLETION_TOTAL Counter "offset-commit-completion-total" "commits" "The total number of offset commit completions that were completed successfully.";
        SINK_OFFSET_COMMIT_SEQ_NO Gauge "offset-commit-seq-no" "" "The current sequence number for offset commits.";
        SINK_OFFSET_COMMIT_SKIP_RATE Gauge "offset-commit-skip-rate" "commits/s" "The average per-second number of offset commit completions that were received too late and skipped/ignored.";
        SINK_OFFSET_COMMIT_SKIP_TOTAL Counter "offset-commit-skip-total" "commits" "The total number of offset commit completions that were received too late and skipped/ignored.";
        SINK_PARTITION_COUNT Gauge "partition-count" "partitions" "The number of topic partitions assigned to this task belonging to the named sink connector in this worker.";
        SINK_PUT_BATCH_AVG_TIME_MS Gauge "put-batch-avg-time-ms" "ms" "The average time taken by this task to put a batch of sinks records.";
        SINK_PUT_BATCH_MAX_TIME_MS Gauge "put-batch-max-time-ms" "ms" "The maximum time taken by this task to put a batch of sinks records.";
        SINK_ACTIVE_COUNT Gauge "sink-record-active-count" "records" "The number of records that have been read from Kafka but not yet completely committed/flushed/acknowledged by the sink task.";
        SINK_ACTIVE_COUNT_AVG Gauge "sink-record-active-count-avg" "records" "The average number of records that have been read from Kafka but not yet completely committed/flushed/acknowledged by the sink task.";
        SINK_ACTIVE_COUNT_MAX Gauge "sink-record-active-count-max" "records" "The maximum number of records that have been read from Kafka but not yet completely committed/flushed/acknowledged by the sink task.";
        SINK_LAG_MAX Gauge "sink-record-lag-max" "records" "Maximum lag behind the consumer position for any partition.";
        SINK_READ_RATE Gauge "sink-record-read-rate" "records/s" "The average per-second number of records read from Kafka for this task, before transformations.";
        SINK_READ_TOTAL Counter "sink-record-read-total" "records" "The total number of records read from Kafka by this task since it was last restarted.";
        SINK_SEND_RATE Gauge "sink-record-send-rate" "records/s" "The average per-second number of records output from the transformations and sent/put to this task.";
        SINK_SEND_TOTAL Counter "sink-record-send-total" "records" "The total number of records output from the transformations and sent/put to this task since it was last restarted.";
    }
    "task-error-metrics" {
        ERROR_DEADLETTERQUEUE_PRODUCE_FAILURES Gauge "deadletterqueue-produce-failures" "records" "The number of failed writes to the dead letter queue.";
        ERROR_DEADLETTERQUEUE_PRODUCE_REQUESTS Gauge "deadletterqueue-produce-requests" "records" "The number of attempted writes to the dead letter queue.";
        ERROR_LAST_ERROR_TIMESTAMP Gauge "last-error-timestamp" "ms since epoch" "The epoch timestamp when this task last encountered an error.";
        ERROR_TOTAL_ERRORS_LOGGED Gauge "total-errors-logged" "errors" "The number of errors that were logged.";
        ERROR_TOTAL_RECORD_ERRORS Gauge "total-record-errors" "operations" "The number of record processing errors in this task.";
        ERROR_TOTAL_RECORD_FAILURES Gauge "total-record-failures" "operations" "The number of record processing failures in this task.";
        ERROR_TOTAL_RECORDS_SKIPPED Gauge "total-records-skipped" "records" "The number of records skipped due to errors.";
        ERROR_TOTAL_RETRIES Gauge "total-retries" "operations" "The number of operations retried.";
    }
    "connector-transform-metrics" {
        STEP_CLASS Info "transform-class" "" "The class name of the transformation class.";
        STEP_VERSION Info "transform-version" "" "The version of the transformation class.";
    }
    "connector-predicate-metrics" {
        GUARD_CLASS Info "predicate-class" "" "The class name of the predicate class.";
        GUARD_VERSION Info "predicate-version" "" "The version of the predicate class.";
    }
    "connect-coordinator-metrics" {
        COORDINATOR_ASSIGNED_CONNECTORS Gauge "assigned-connectors" "connectors" "The number of connector instances currently assigned to this worker.";
        COORDINATOR_ASSIGNED_TASKS Gauge "assigned-tasks" "tasks" "The number of tasks currently assigned to this worker.";
        COORDINATOR_FAILED_REBALANCE_RATE_PER_HOUR Gauge "failed-rebalance-rate-per-hour" "1/h" "The number of failed rebalance events per hour.";
        COORDINATOR_FAILED_REBALANCE_TOTAL Counter "failed-rebalance-total" "" "The total number of failed rebalance events.";
        COORDINATOR_HEARTBEAT_RATE Gauge "heartbeat-rate" "heartbeats/s" "The number of heartbeats per second.";
        COORDINATOR_HEARTBEAT_RESPONSE_TIME_MAX Gauge "heartbeat-response-time-max" "ms" "The max time taken to receive a response to a heartbeat request.";
        COORDINATOR_HEARTBEAT_TOTAL Counter "heartbeat-total" "" "The total number of heartbeats.";
        COORDINATOR_JOIN_RATE Gauge "join-rate" "joins/s" "The number of group joins per second.";
        COORDINATOR_JOIN_TIME_AVG Gauge "join-time-avg" "ms" "The average time taken for a group rejoin.";
        COORDINATOR_JOIN_TIME_MAX Gauge "join-time-max" "ms" "The max time taken for a group rejoin.";
        COORDINATOR_JOIN_TOTAL Counter "join-total" "" "The total number of group joins.";
        COORDINATOR_LAST_HEARTBEAT_SECONDS_AGO Gauge "last-heartbeat-seconds-ago" "s" "The number of seconds since the last coordinator heartbeat was sent.";
        COORDINATOR_LAST_REBALANCE_SECONDS_AGO Gauge "last-rebalance-seconds-ago" "s" "The number of seconds since the last successful rebalance event.";
        COORDINATOR_REBALANCE_LATENCY_AVG Gauge "rebalance-latency-avg" "ms" "The average time taken for a group to complete a successful rebalance, which may be composed of several failed re-trials until it succeeded.";
        COORDINATOR_REBALANCE_LATENCY_MAX Gauge "rebalance-latency-max" "ms" "The max time taken for a group to complete a successful rebalance, which may be composed of several failed re-trials until it succeeded.";
        COORDINATOR_REBALANCE_LATENCY_TOTAL Counter "rebalance-latency-total" "ms" "The total number of milliseconds this consumer has spent in successful rebalances since creation.";
        COORDINATOR_REBALANCE_RATE_PER_HOUR Gauge "rebalance-rate-per-hour" "1/h" "The number of successful rebalance events per hour, each event is composed of several failed re-trials until it succeeded.";
        COORDINATOR_REBALANCE_TOTAL Counter "rebalance-total" "" "The total number of successful rebalance events, each event is composed of several failed re-trials until it succeeded.";
        COORDINATOR_SYNC_RATE Gauge "sync-rate" "syncs/s" "The number of group syncs per second.";
        COORDINATOR_SYNC_TIME_AVG Gauge "sync-time-avg" "ms" "The average time taken for a group sync.";
        COORDINATOR_SYNC_TIME_MAX Gauge "sync-time-max" "ms" "The max time taken for a group sync.";
        COORDINATOR_SYNC_TOTAL Counter "sync-total" "" "The total number of group syncs.";
    }
    "app-info" {
        APP_COMMIT_ID Info "commit-id" "" "Metric indicating commit-id.";
        APP_START_TIME_MS Gauge "start-time-ms" "ms since epoch" "Metric indicating start-time-ms.";
        APP_VERSION Info "version" "" "Metric indicating version.";
    }
    "kafka-metrics-count" {
        REGISTRY_COUNT Gauge "count" "metrics" "Total number of registered metrics.";
    }
    "" {
        CONNECTOR Gauge "kafka_connect_connector_metrics" "" "A connector's class, type, version and state, each as a label of a series of its own.";
        APP Gauge "kafka_connect_app" "" "The version of Kafka Connect that is served, its commit, and when the worker started, as labels.";
        APP_INFO Gauge "kafka_connect_app_info" "" "The same as kafka_connect_app, by the name that older exporters give it.";
        GUEST_CPU Counter "weir_task_guest_cpu_seconds_total" "seconds" "CPU time in calls into the task's guests, host functions included.";
        GUEST_CALLS Counter "weir_task_guest_calls_total" "" "Calls into the task's guests, by call.";
        GUEST_CALL_SECONDS Histogram "weir_task_guest_call_seconds" "seconds" "How long calls into the task's guests took, admission included, by call.";
        HOST_CALL_SECONDS Counter "weir_task_host_call_seconds_total" "seconds" "Time in host functions that the task's guests called, waits included.";
        BOUNDARY_RECORDS Counter "weir_task_boundary_records_total" "records" "Records that crossed into (in) and out of (out) the task's guests.";
        BOUNDARY_BYTES Counter "weir_task_boundary_bytes_total" "bytes" "Bytes of records that crossed into (in) and out of (out) the task's guests.";
        GUEST_MEMORY Gauge "weir_task_guest_memory_bytes" "bytes" "Memory of the task's guests together: linear memory and tables.";
        GUEST_MEMORY_PEAK Gauge "weir_task_guest_memory_peak_bytes" "bytes" "The most memory that the task's guests had together so far.";
        GUEST_MEMORY_LIMIT Gauge "weir_task_guest_memory_limit_bytes" "bytes" "The most memory that the task's guests may have together.";
        GUEST_ADMISSION Counter "weir_task_admission_wait_seconds_total" "seconds" "Time that the task's guests waited for a turn on the CPU, for what their cap lets them have among it.";
        GUEST_ADMISSIONS Counter "weir_task_admission_waits_total" "" "How often the task's guests waited for a turn on the CPU.";
        GUEST_TRAPS Counter "weir_task_guest_traps_total" "" "Instances of the task that trapped, by the kind of trap.";
        LIMIT_HITS Counter "weir_task_limit_hits_total" "" "How often a limit stopped a guest of the task, by limit.";
        GUEST_LOG_DROPPED Counter "weir_task_log_lines_dropped_total" "" "Log lines of the task's guests that were dropped.";
        RECORD_LATENCY Histogram "weir_task_record_latency_seconds" "seconds" "Sink: from a record's timestamp until its put is done. Source: from a poll until its records are acknowledged.";
        COMMIT_SECONDS Histogram "weir_task_commit_seconds" "seconds" "How long commits of the task's offsets took, failed ones included.";
        CONSUMER_LAG Gauge "weir_task_consumer_lag_records" "records" "How many records of the partition the task has not read yet.";
        QUEUE_RECORDS Gauge "weir_task_queue_records" "records" "Records that the task holds: read, or polled, and not done with.";
        QUEUE_BYTES Gauge "weir_task_queue_bytes" "bytes" "Bytes that a source task has sent and that are not answered.";
        BACKPRESSURE Gauge "weir_task_backpressure_ratio" "ratio" "The fraction of the time in which the task took no more, because what it had was not done with.";
        RESTARTS Counter "weir_task_restarts_total" "" "How often the task was started on this worker after its first start there.";
        GUEST_OWN_COUNTER Counter "weir_guest_counter_{}_total" "" "A counter of the task's guests' own.";
        GUEST_OWN_GAUGE Gauge "weir_guest_gauge_{}" "" "A gauge of the task's guests' own.";
        AUTO_RESTARTS Counter "weir_auto_restarts_total" "" "How often the connector, or the task where there is a label for it, was restarted by auto.restart on this worker.";
        AUTO_RESTART_ATTEMPTS Gauge "weir_auto_restart_attempts" "" "The attempts of auto.restart since the connector or task was well.";
        COMPILE_SECONDS Gauge "weir_plugin_compile_seconds" "seconds" "How long the plugin's last compilation took on this worker.";
        COMPILES Counter "weir_plugin_compiles_total" "" "How often the plugin was compiled on this worker.";
        COMPILE_CACHE_HITS Counter "weir_plugin_compile_cache_hits_total" "" "How often the plugin was there compiled.";
        BUILD Gauge "weir_build_info" "" "The version of weir.";
        PROCESS_CPU Counter "process_cpu_seconds_total" "seconds" "CPU time of this process, user and system.";
        PROCESS_MEMORY Gauge "process_resident_memory_bytes" "bytes" "Resident memory of this process.";
        PROCESS_VIRTUAL Gauge "process_virtual_memory_bytes" "bytes" "Virtual memory of this process.";
        PROCESS_START Gauge "process_start_time_seconds" "seconds" "When this process started, in seconds since 1970.";
        PROCESS_FDS Gauge "process_open_fds" "" "Open file descriptors of this process.";
        PROCESS_FDS_MOST Gauge "process_max_fds" "" "How many file descriptors this process may have open.";
    }
}

/// All metrics, each where its index says.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    WITHOUT_CLIENTS.iter().copied().chain(client_table::all())
}

/// A metric of Connect's or of Kafka's clients.
pub fn find(group: &str, attribute: &str) -> Option<&'static Metric> {
    all().find(|metric| (metric.group, metric.attribute) == (group, attribute))
}
