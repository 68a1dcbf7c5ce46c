//! Pure. Text forms: a segment of a path, and metrics in Prometheus' text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;

use weir_core::observe::{Kind, Sample};

/// A name as a segment of a path, everything percent-encoded that could mean something else there.
pub fn path_segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Samples in the text format, each metric's in one block.
pub fn prometheus(samples: &[Sample]) -> String {
    let mut blocks: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        blocks.entry(sample.metric.name).or_default().push(sample);
    }
    let mut text = String::new();
    for (name, samples) in blocks {
        let metric = samples[0].metric;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // A string takes everything.
        let _ = writeln!(text, "# HELP {name} {}", metric.help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sample in samples {
            let labels: Vec<String> =
                sample.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", label_value(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {}", number(sample.value));
        }
    }
    text
}

fn label_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::observe::table;

    #[test]
    fn a_segment_survives_in_a_path() {
        assert_eq!(path_segment("plain-name_1.x"), "plain-name_1.x");
        assert_eq!(path_segment("a/b %?#;ü"), "a%2Fb%20%25%3F%23%3B%C3%BC");
    }

    #[test]
    fn metrics_stand_in_blocks_with_escaped_labels() {
        let sample = |metric, labels: &[(&'static str, &str)], value| Sample {
            metric,
            labels: labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect(),
            value,
        };
        let text = prometheus(&[
            sample(&table::WORKER_TASKS, &[], 2.0),
            sample(&table::SOURCE_POLLED, &[("connector", "a\"b\\c\nd"), ("task", "0")], 1e15),
            sample(&table::GUEST_CPU, &[], 0.25),
            sample(&table::SOURCE_POLLED, &[("connector", "e"), ("task", "0")], f64::NAN),
        ]);
        let expected = r#"# HELP kafka_connect_connect_worker_metrics_task_count The number of tasks on this worker.
# TYPE kafka_connect_connect_worker_metrics_task_count gauge
kafka_connect_connect_worker_metrics_task_count 2
# HELP kafka_connect_source_task_metrics_source_record_poll_total The number of records polled by the source task, before transformations.
# TYPE kafka_connect_source_task_metrics_source_record_poll_total counter
kafka_connect_source_task_metrics_source_record_poll_total{connector="a\"b\\c\nd",task="0"} 1000000000000000
kafka_connect_source_task_metrics_source_record_poll_total{connector="e",task="0"} NaN
# HELP weir_task_guest_cpu_seconds_total CPU time in calls into the task's guests, host functions included.
# TYPE weir_task_guest_cpu_seconds_total counter
weir_task_guest_cpu_seconds_total 0.25
"#;
        assert_eq!(text, expected);
    }
}
