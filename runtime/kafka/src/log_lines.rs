//! librdkafka's log lines, in our log.

use tracing::{debug, error, info, warn};

/// Writes one line at the level that fits it: brokers that go and come back are nobody's error.
pub(crate) fn write(client: &str, syslog_level: i32, facility: &str, line: &str) {
    match syslog_level {
        ..=2 => error!(target: "weir_kafka::librdkafka", client, facility, "{line}"),
        3 | 4 => warn!(target: "weir_kafka::librdkafka", client, facility, "{line}"),
        5 | 6 => info!(target: "weir_kafka::librdkafka", client, facility, "{line}"),
        _ => debug!(target: "weir_kafka::librdkafka", client, facility, "{line}"),
    }
}
