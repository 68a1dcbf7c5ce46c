//! Pure. Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0, with the same names in both.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use weir_core::observe::{BOUNDS, Kind, Labels, Metric, Name, Observed, Sample, Value, names, table};
use weir_core::settings::Naming;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The one that is wanted more, by what a scraper says that it accepts.
    pub fn accepted(accept: &str) -> Format {
        let accept = accept.to_ascii_lowercase();
        let weight = |entry: &str| -> f32 {
            let quality = entry.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
            quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0))
        };
        let most = |wanted: &str| {
            let is = |entry: &&str| entry.split(';').next().unwrap_or_default().trim() == wanted;
            accept.split(',').filter(is).map(weight).fold(0.0, f32::max)
        };
        // Both forms are one and the same to who takes anything.
        let open = most("application/openmetrics-text");
        if open > 0.0 && open >= most("text/plain") { Format::OpenMetrics } else { Format::Text }
    }

    /// What its answers say that they are.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Samples in a format, each name's in one block.
pub fn exposition(samples: &[Sample], naming: Naming, format: Format) -> String {
    let mut of_metric: Vec<Vec<&Sample>> = vec![Vec::new(); table::all().count()];
    for sample in samples {
        of_metric[sample.metric.index].push(sample);
    }
    // About what a line takes.
    let mut text = String::with_capacity(samples.len() * 128);
    let mut shared = Shared::default();
    for (metric, samples) in table::all().zip(of_metric) {
        if samples.is_empty() {
            continue;
        }
        for name in names(metric, naming) {
            match name.name.split_once("{}") {
                None => block(&mut text, metric, &name, &samples, format, &mut shared),
                Some(parts) => named_by_label(&mut text, metric, parts, &samples, format, &mut shared),
            }
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// Blocks of a metric whose name holds the value of its own label.
fn named_by_label(
    text: &mut String,
    metric: &Metric,
    (before, behind): (&str, &str),
    samples: &[&Sample],
    format: Format,
    shared: &mut Shared,
) {
    let mut of_name: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        let Some((_, own)) = &sample.own else { continue };
        of_name.entry(own).or_default().push(Sample { own: None, ..(*sample).clone() });
    }
    for (own, samples) in of_name {
        let counter = metric.kind == Kind::Counter;
        let name = Name { name: format!("{before}{own}{behind}"), counter, also_bare: false, run_together: false };
        block(text, metric, &name, &samples.iter().collect::<Vec<_>>(), format, shared);
    }
}

fn block(text: &mut String, metric: &Metric, name: &Name, samples: &[&Sample], format: Format, shared: &mut Shared) {
    let Name { name, counter, also_bare, run_together } = name;
    // OpenMetrics calls a family what its samples are called without what their kind puts behind.
    let (family, kind) = match (metric.kind, format) {
        (Kind::Histogram, _) => (name.as_str(), "histogram"),
        (_, Format::Text) if *counter => (name.as_str(), "counter"),
        (_, Format::OpenMetrics) if *also_bare => (name.as_str(), "unknown"),
        (_, Format::OpenMetrics) if *counter => (name.strip_suffix("_total").unwrap_or(name), "counter"),
        (Kind::Info, Format::OpenMetrics) => match name.strip_suffix("_info") {
            Some(family) => (family, "info"),
            None => (name.as_str(), "gauge"),
        },
        _ => (name.as_str(), "gauge"),
    };
    // A string takes everything.
    let _ = write!(text, "# HELP {family} ");
    let unit = if metric.unit.is_empty() { String::new() } else { format!(" [{}]", metric.unit) };
    escape(text, &format!("{}{unit}", metric.help), format == Format::OpenMetrics);
    let _ = writeln!(text, "\n# TYPE {family} {kind}");
    if format == Format::OpenMetrics
        && !metric.unit.is_empty()
        && family.strip_suffix(metric.unit).is_some_and(|rest| rest.ends_with('_'))
    {
        let _ = writeln!(text, "# UNIT {family} {}", metric.unit);
    }
    for sample in samples {
        line(text, metric, name, shared.of(&sample.labels, *run_together), sample);
    }
}

/// Labels as they are written, each once however many samples share them: of a thousand tasks there are thousands of
/// labels, and a hundred times as many lines.
#[derive(Default)]
struct Shared(HashMap<(*const (&'static str, Arc<str>), bool), Box<str>>);

impl Shared {
    /// Labels between braces, without these. Whoever asks has the labels as long as this lives: the address is theirs.
    fn of(&mut self, labels: &Labels, run_together: bool) -> &str {
        let written = self.0.entry((labels.as_ptr(), run_together));
        written.or_insert_with(|| {
            let mut text = String::new();
            for (label, value) in labels.iter() {
                if !text.is_empty() {
                    text.push(',');
                }
                if run_together {
                    text.extend(label.chars().filter(|c| *c != '-'));
                } else {
                    text.extend(label.chars().map(|c| if c == '-' { '_' } else { c }));
                }
                quoted(&mut text, value);
            }
            text.into()
        })
    }
}

fn quoted(text: &mut String, value: &str) {
    text.push_str("=\"");
    escape(text, value, true);
    text.push('"');
}

fn line(text: &mut String, metric: &Metric, name: &str, of: &str, sample: &Sample) {
    let own = sample.own.as_ref().map(|(label, value)| (*label, &**value));
    match &sample.value {
        Value::Number(value) => {
            text.push_str(name);
            labels(text, of, own.into_iter());
            number(text, *value);
        }
        Value::Text(value) => {
            let label = metric.attribute.replace('-', "_");
            text.push_str(name);
            labels(text, of, std::iter::once((&*label, &**value)));
            text.push_str(" 1\n");
        }
        Value::Durations(observed) => durations(text, name, of, own, observed),
    }
}

fn durations(text: &mut String, name: &str, of: &str, own: Option<(&str, &str)>, observed: &Observed) {
    let mut below = 0;
    let bounds = bounds();
    for (at, count) in observed.buckets.iter().enumerate() {
        below += count;
        text.push_str(name);
        text.push_str("_bucket");
        labels(text, of, own.into_iter().chain([("le", bounds[at].as_ref())]));
        number(text, below as f64);
    }
    for (suffix, value) in [("_sum", observed.sum), ("_count", below as f64)] {
        text.push_str(name);
        text.push_str(suffix);
        labels(text, of, own.into_iter());
        number(text, value);
    }
}

/// The buckets' bounds as texts: seconds, as OpenMetrics wants them never without a point.
fn bounds() -> &'static [Cow<'static, str>] {
    static TEXTS: LazyLock<Vec<Cow<'static, str>>> = LazyLock::new(|| {
        let seconds = |micros: &u64| {
            let seconds = (*micros as f64 / 1e6).to_string();
            Cow::Owned(if seconds.contains('.') { seconds } else { format!("{seconds}.0") })
        };
        BOUNDS.iter().map(seconds).chain([Cow::Borrowed("+Inf")]).collect()
    });
    &TEXTS
}

/// Labels that are written already, and others of one sample's own.
fn labels<'a>(text: &mut String, of: &str, own: impl Iterator<Item = (&'a str, &'a str)>) {
    let begun = text.len();
    text.push('{');
    text.push_str(of);
    for (label, value) in own {
        if text.len() > begun + 1 {
            text.push(',');
        }
        text.push_str(label);
        quoted(text, value);
    }
    if text.len() > begun + 1 { text.push('}') } else { text.truncate(begun) }
}

fn escape(text: &mut String, value: &str, quotes_too: bool) {
    if !value.contains(['\\', '\n', '"']) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes_too => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

fn number(text: &mut String, value: f64) {
    // A string takes everything.
    let _ = match value {
        _ if value.is_nan() => writeln!(text, " NaN"),
        f64::INFINITY => writeln!(text, " +Inf"),
        f64::NEG_INFINITY => writeln!(text, " -Inf"),
        _ if value.fract() == 0.0 && value.abs() < 1e15 => {
            text.push(' ');
            text.push_str(itoa::Buffer::new().format(value as i64));
            text.push('\n');
            Ok(())
        }
        _ => writeln!(text, " {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::observe::{Samples, labels};

    fn samples() -> Samples {
        let mut samples = Samples::default();
        let task = |connector| labels([("connector", connector), ("task", "0")]);
        samples.number(&task("a\"b\\c\nd"), &table::SOURCE_POLL_TOTAL, 1e15);
        samples.number(&labels([]), &table::WORKER_TASK_COUNT, 2.0);
        samples.number(&task("e"), &table::SOURCE_POLL_TOTAL, f64::NAN);
        samples.text(&task("e"), &table::TASK_STATUS, "running");
        let failed = table::find("connect-metrics", "failed-authentication-total").unwrap();
        samples.number(&labels([("client-id", "c")]), failed, 3.0);
        samples.number_of(&task("e"), &table::GUEST_OWN_COUNTER, ("name", "files".into()), 7.0);
        samples.number(&task("e"), &table::TASK_OFFSET_COMMIT_MAX_TIME_MS, 0.25);
        let mut buckets = [0; BOUNDS.len() + 1];
        (buckets[1], buckets[12]) = (2, 1);
        let observed = Observed { buckets, sum: 61.5 };
        samples.durations(&task("e"), &table::GUEST_CALL_SECONDS, Some(("call", "put".into())), Some(observed));
        samples
    }

    fn lines(naming: Naming, format: Format) -> Vec<String> {
        exposition(&samples().0, naming, format).lines().map(str::to_owned).collect()
    }

    fn has(lines: &[String], line: &str) -> bool {
        lines.iter().any(|own| own == line)
    }

    #[test]
    fn the_text_format_has_blocks_with_escaped_labels() {
        let lines = lines(Naming::Confluent, Format::Text);
        let at = |line: &str| lines.iter().position(|own| own == line).unwrap_or_else(|| panic!("{line}: {lines:#?}"));
        let total = "kafka_connect_source_task_metrics_source_record_poll_total";
        let first = at(&format!("{total}{{connector=\"a\\\"b\\\\c\\nd\",task=\"0\"}} 1000000000000000"));
        assert_eq!(at(&format!("{total}{{connector=\"e\",task=\"0\"}} NaN")), first + 1);
        assert_eq!(at(&format!("# TYPE {total} counter")), first - 1);
        at("kafka_connect_connect_worker_metrics_task_count 2");
        at("kafka_connect_connector_task_metrics_status_info{connector=\"e\",task=\"0\",status=\"running\"} 1");
        at("weir_guest_counter_files_total{connector=\"e\",task=\"0\"} 7");
        at("weir_task_guest_call_seconds_bucket{connector=\"e\",task=\"0\",call=\"put\",le=\"0.00025\"} 2");
        at("weir_task_guest_call_seconds_bucket{connector=\"e\",task=\"0\",call=\"put\",le=\"60.0\"} 2");
        at("weir_task_guest_call_seconds_bucket{connector=\"e\",task=\"0\",call=\"put\",le=\"+Inf\"} 3");
        at("weir_task_guest_call_seconds_sum{connector=\"e\",task=\"0\",call=\"put\"} 61.5");
        at("weir_task_guest_call_seconds_count{connector=\"e\",task=\"0\",call=\"put\"} 3");
    }

    #[test]
    fn open_metrics_has_the_same_samples_and_calls_families_without_their_suffix() {
        let (text, open) = (lines(Naming::Both, Format::Text), lines(Naming::Both, Format::OpenMetrics));
        let of = |lines: &[String]| lines.iter().filter(|line| !line.starts_with('#')).cloned().collect::<Vec<_>>();
        assert_eq!(of(&text), of(&open));
        assert!(has(&open, "# TYPE kafka_connect_source_task_metrics_source_record_poll counter"));
        assert!(has(&open, "# TYPE kafka_connect_connector_task_metrics_status info"));
        assert!(has(&open, "# TYPE kafka_connect_connect_metrics_failed_authentication_total unknown"));
        assert!(has(&open, "# UNIT kafka_connect_connector_task_metrics_offset_commit_max_time_ms ms"));
        assert_eq!(open.last().map(String::as_str), Some("# EOF"));
        assert!(!text.iter().any(|line| line.starts_with("# UNIT") || line == "# EOF"));
    }

    #[test]
    fn strimzis_names_have_labels_without_a_line_between() {
        let strimzi = lines(Naming::Strimzi, Format::Text);
        assert!(has(&strimzi, "kafka_connect_failed_authentication_total{clientid=\"c\"} 3"));
        assert!(has(&strimzi, "kafka_connect_connector_task_status{connector=\"e\",task=\"0\",status=\"running\"} 1"));
        let both = lines(Naming::Both, Format::Text);
        assert!(has(&both, "kafka_connect_connect_metrics_failed_authentication{client_id=\"c\"} 3"));
        assert!(has(&both, "kafka_connect_connect_metrics_failed_authentication_total{client_id=\"c\"} 3"));
    }

    #[test]
    fn a_scraper_gets_the_format_that_it_wants_more() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain, application/openmetrics-text;q=0.2", Format::Text),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("application/openmetrics-text; q=0", Format::Text),
            ("application/openmetrics-text;q=abc", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
