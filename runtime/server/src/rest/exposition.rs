//! Pure. Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0, with the same names in both.

use std::borrow::Cow;
use std::collections::BTreeMap;
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
    let mut of_metric: Vec<Vec<Labelled<'_>>> = vec![Vec::new(); table::all().count()];
    let mut written = Written::new(naming);
    for sample in samples {
        of_metric[sample.metric.index].push(Labelled { sample, labels: written.place(&sample.labels) });
    }
    // About what a line takes.
    let mut text = String::with_capacity(samples.len() * 128);
    for (metric, samples) in table::all().zip(of_metric) {
        if samples.is_empty() {
            continue;
        }
        for name in names(metric, naming) {
            match name.name.split_once("{}") {
                None => block(&mut text, metric, &name, &samples, format, &written),
                Some(parts) => named_by_label(&mut text, metric, parts, &samples, format, &written),
            }
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// A sample, and the place of its labels among those that are written.
#[derive(Clone, Copy)]
struct Labelled<'a> {
    sample: &'a Sample,
    labels: usize,
}

/// Labels as they are written between braces, each once for the samples of a task that follow one another.
struct Written<'a> {
    naming: Naming,
    last: Option<&'a Labels>,
    plain: Vec<String>,
    run_together: Vec<String>,
}

impl<'a> Written<'a> {
    fn new(naming: Naming) -> Written<'a> {
        Written { naming, last: None, plain: Vec::new(), run_together: Vec::new() }
    }

    fn place(&mut self, labels: &'a Labels) -> usize {
        if self.last.is_none_or(|last| !Arc::ptr_eq(last, labels)) {
            self.last = Some(labels);
            self.plain.push(listed(labels, |text, label| text.extend(label.chars().map(underscored))));
            if self.naming != Naming::Confluent {
                self.run_together.push(listed(labels, |text, label| text.extend(label.split('-'))));
            }
        }
        self.plain.len() - 1
    }

    fn of(&self, sample: Labelled<'_>, run_together: bool) -> &str {
        let all = if run_together { &self.run_together } else { &self.plain };
        all.get(sample.labels).map_or("", String::as_str)
    }
}

fn underscored(c: char) -> char {
    if c == '-' { '_' } else { c }
}

fn listed(labels: &Labels, write: impl Fn(&mut String, &str)) -> String {
    let mut text = String::new();
    for (label, value) in labels.iter() {
        if !text.is_empty() {
            text.push(',');
        }
        write(&mut text, label);
        quoted(&mut text, value);
    }
    text
}

fn quoted(text: &mut String, value: &str) {
    text.push_str("=\"");
    escape(text, value, true);
    text.push('"');
}

/// Blocks of a metric whose name holds the value of its own label.
fn named_by_label(
    text: &mut String,
    metric: &Metric,
    (before, behind): (&str, &str),
    samples: &[Labelled<'_>],
    format: Format,
    written: &Written<'_>,
) {
    let mut of_name: BTreeMap<&str, Vec<(Sample, usize)>> = BTreeMap::new();
    for Labelled { sample, labels } in samples {
        let Some((_, own)) = &sample.own else { continue };
        of_name.entry(own).or_default().push((Sample { own: None, ..(*sample).clone() }, *labels));
    }
    for (own, samples) in of_name {
        let counter = metric.kind == Kind::Counter;
        let name = Name { name: format!("{before}{own}{behind}"), counter, also_bare: false, run_together: false };
        let samples: Vec<_> = samples.iter().map(|(sample, labels)| Labelled { sample, labels: *labels }).collect();
        block(text, metric, &name, &samples, format, written);
    }
}

fn block(
    text: &mut String,
    metric: &Metric,
    name: &Name,
    samples: &[Labelled<'_>],
    format: Format,
    written: &Written<'_>,
) {
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
        line(text, metric, name, written.of(*sample, *run_together), sample.sample);
    }
}

fn line(text: &mut String, metric: &Metric, name: &str, of: &str, sample: &Sample) {
    let own = sample.own.as_ref().map(|(label, value)| (*label, &**value));
    match &sample.value {
        Value::Number(value) => {
            text.push_str(name);
            labels(text, of, own);
            number(text, *value);
        }
        Value::Text(value) => {
            let label = metric.attribute.replace('-', "_");
            text.push_str(name);
            labels(text, of, Some((&label, value)));
            text.push_str(" 1\n");
        }
        Value::Durations(observed) => durations(text, name, of, own, observed),
    }
}

fn durations(text: &mut String, name: &str, of: &str, own: Option<(&str, &str)>, observed: &Observed) {
    let mut shared = String::new();
    labels(&mut shared, of, own);
    let (mut below, inside) = (0, shared.strip_suffix('}').map_or("{".into(), |inside| format!("{inside},")));
    for (bound, count) in bounds().iter().zip(&observed.buckets) {
        below += count;
        for part in [name, "_bucket", &inside, "le=\"", bound, "\"}"] {
            text.push_str(part);
        }
        number(text, below as f64);
    }
    for (suffix, value) in [("_sum", observed.sum), ("_count", below as f64)] {
        for part in [name, suffix, &shared] {
            text.push_str(part);
        }
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

/// Labels that are written already, and one of the sample's own.
fn labels(text: &mut String, of: &str, own: Option<(&str, &str)>) {
    if of.is_empty() && own.is_none() {
        return;
    }
    text.push('{');
    text.push_str(of);
    if let Some((label, value)) = own {
        if !of.is_empty() {
            text.push(',');
        }
        text.push_str(label);
        quoted(text, value);
    }
    text.push('}');
}

fn escape(text: &mut String, value: &str, quotes_too: bool) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
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
