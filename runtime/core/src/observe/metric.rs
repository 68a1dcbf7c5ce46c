//! Pure. What a metric is, and a sample of one.

use std::sync::Arc;

use super::Observed;

/// What a metric's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that is what it is now.
    Gauge,
    /// A text.
    Info,
    /// How often something took how long.
    Histogram,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its place in the table.
    pub index: usize,
    /// Connect's group; empty for what is not Connect's.
    pub group: &'static str,
    /// Connect's attribute, or the whole name of what is not Connect's.
    pub attribute: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Their unit; empty for plain numbers and texts.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// A metric's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A text.
    Text(Arc<str>),
    /// How often something took how long.
    Durations(Box<Observed>),
}

/// Whom or what a sample is of: labels and their values, by Connect's names of tags. Shared by many samples.
pub type Labels = Arc<[(&'static str, Arc<str>)]>;

/// A metric's value for some labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub metric: &'static Metric,
    /// Whom or what it is of.
    pub labels: Labels,
    /// One label more, for this metric alone.
    pub own: Option<(&'static str, Arc<str>)>,
    /// The value.
    pub value: Value,
}

/// Samples as they are gathered.
#[derive(Debug, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// Adds a number.
    pub fn number(&mut self, labels: &Labels, metric: &'static Metric, value: f64) {
        self.0.push(Sample { metric, labels: labels.clone(), own: None, value: Value::Number(value) });
    }

    /// Adds a number that has a label of its own.
    pub fn number_of(&mut self, labels: &Labels, metric: &'static Metric, own: (&'static str, Arc<str>), value: f64) {
        self.0.push(Sample { metric, labels: labels.clone(), own: Some(own), value: Value::Number(value) });
    }

    /// Adds a text.
    pub fn text(&mut self, labels: &Labels, metric: &'static Metric, value: impl Into<Arc<str>>) {
        self.0.push(Sample { metric, labels: labels.clone(), own: None, value: Value::Text(value.into()) });
    }

    /// Adds durations, if there are any.
    pub fn durations(
        &mut self,
        labels: &Labels,
        metric: &'static Metric,
        own: Option<(&'static str, Arc<str>)>,
        value: Option<Observed>,
    ) {
        let Some(value) = value else { return };
        self.0.push(Sample { metric, labels: labels.clone(), own, value: Value::Durations(Box::new(value)) });
    }
}

/// Labels out of names and values.
pub fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name, Arc::from(value))).collect()
}
