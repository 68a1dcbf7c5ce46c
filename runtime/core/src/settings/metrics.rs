//! Pure. How metrics are made and shown.

use std::time::Duration;

use super::limits::positive_millis;
use super::reader::Reader;

/// By whose names Prometheus sees Connect's metrics (`metrics.naming`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// `confluent`: group and attribute put together, as Confluent's JMX exporter and Strimzi's metrics reporter do.
    #[default]
    Confluent,
    /// `strimzi`: those of Strimzi's JMX exporter.
    Strimzi,
    /// `both`
    Both,
}

/// How metrics are made and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// `metrics.sample.window.ms`: how long each of the two samples of a window is.
    pub sample: Duration,
    /// `metrics.naming`
    pub naming: Naming,
}

impl Default for MetricsSettings {
    fn default() -> MetricsSettings {
        MetricsSettings { sample: Duration::from_secs(30), naming: Naming::default() }
    }
}

impl MetricsSettings {
    /// Reads them.
    pub(super) fn read(reader: &mut Reader) -> MetricsSettings {
        let default = MetricsSettings::default();
        let naming = match reader.get("metrics.naming") {
            None | Some("confluent") => Naming::Confluent,
            Some("strimzi") => Naming::Strimzi,
            Some("both") => Naming::Both,
            Some(other) => {
                let message = format!(
                    "Invalid value {other} for configuration metrics.naming: String must be one of: confluent, strimzi, both"
                );
                reader.problem("metrics.naming", message);
                default.naming
            }
        };
        MetricsSettings { sample: positive_millis(reader, "metrics.sample.window.ms", default.sample), naming }
    }
}
