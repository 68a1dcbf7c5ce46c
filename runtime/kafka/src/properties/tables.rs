//! Pure. The documented settings of Java's clients (Kafka 4.3), and the rule for each.

use super::ClientKind;
use super::rules::{self, Rule};
use Rule::{Elsewhere, Ignored, Named, Read, Refused, Same};

const REPORTERS: &str = "metrics are those of weir, at /metrics";
const PLUGINS: &str = "Java classes cannot run here; take it out";
const OAUTH: &str = "SASL/OAUTHBEARER is not supported yet; use PLAIN or SCRAM";
const KERBEROS: &str = "SASL/GSSAPI is not supported yet; use PLAIN or SCRAM";
const JVM: &str = "it chooses a part of Java's TLS, and OpenSSL has no such choice";

type Table = &'static [(&'static str, Rule)];

const COMMON: Table = &[
    ("bootstrap.servers", Same),
    ("client.id", Same),
    ("client.dns.lookup", Read(rules::dns_lookup)),
    ("connections.max.idle.ms", Read(rules::connections_max_idle)),
    ("enable.metrics.push", Same),
    ("metadata.max.age.ms", Read(rules::metadata_max_age)),
    ("metadata.recovery.strategy", Read(rules::metadata_recovery)),
    ("metadata.recovery.rebootstrap.trigger.ms", Same),
    ("reconnect.backoff.ms", Same),
    ("reconnect.backoff.max.ms", Same),
    ("retry.backoff.ms", Same),
    ("retry.backoff.max.ms", Same),
    ("send.buffer.bytes", Read(rules::send_buffer)),
    ("receive.buffer.bytes", Read(rules::receive_buffer)),
    ("socket.connection.setup.timeout.ms", Read(rules::setup_timeout)),
    ("socket.connection.setup.timeout.max.ms", Ignored("the time to connect does not grow from try to try")),
    ("metric.reporters", Ignored(REPORTERS)),
    ("auto.include.jmx.reporter", Ignored(REPORTERS)),
    ("metrics.num.samples", Ignored(REPORTERS)),
    ("metrics.recording.level", Ignored(REPORTERS)),
    ("metrics.sample.window.ms", Ignored(REPORTERS)),
    ("config.providers", Elsewhere),
    ("security.protocol", Read(rules::security_protocol)),
    ("security.providers", Refused(PLUGINS)),
    // SASL: user and password are read out of the JAAS configuration.
    ("sasl.mechanism", Read(rules::mechanism)),
    ("sasl.jaas.config", Elsewhere),
    ("sasl.client.callback.handler.class", Refused(PLUGINS)),
    ("sasl.login.callback.handler.class", Refused(PLUGINS)),
    ("sasl.login.class", Refused(PLUGINS)),
    ("sasl.kerberos.service.name", Refused(KERBEROS)),
    ("sasl.kerberos.kinit.cmd", Ignored(KERBEROS)),
    ("sasl.kerberos.min.time.before.relogin", Ignored(KERBEROS)),
    ("sasl.kerberos.ticket.renew.jitter", Ignored(KERBEROS)),
    ("sasl.kerberos.ticket.renew.window.factor", Ignored(KERBEROS)),
    ("sasl.login.connect.timeout.ms", Ignored(OAUTH)),
    ("sasl.login.read.timeout.ms", Ignored(OAUTH)),
    ("sasl.login.refresh.buffer.seconds", Ignored(OAUTH)),
    ("sasl.login.refresh.min.period.seconds", Ignored(OAUTH)),
    ("sasl.login.refresh.window.factor", Ignored(OAUTH)),
    ("sasl.login.refresh.window.jitter", Ignored(OAUTH)),
    ("sasl.login.retry.backoff.max.ms", Ignored(OAUTH)),
    ("sasl.login.retry.backoff.ms", Ignored(OAUTH)),
    // TLS: stores are read by their types.
    ("ssl.keystore.type", Elsewhere),
    ("ssl.keystore.location", Elsewhere),
    ("ssl.keystore.password", Elsewhere),
    ("ssl.keystore.key", Elsewhere),
    ("ssl.keystore.certificate.chain", Elsewhere),
    ("ssl.key.password", Elsewhere),
    ("ssl.truststore.type", Elsewhere),
    ("ssl.truststore.location", Elsewhere),
    ("ssl.truststore.password", Elsewhere),
    ("ssl.truststore.certificates", Elsewhere),
    ("ssl.endpoint.identification.algorithm", Read(rules::endpoint_identification)),
    ("ssl.cipher.suites", Ignored("names of cipher suites are Java's; OpenSSL's default list is used")),
    ("ssl.enabled.protocols", Ignored("OpenSSL offers TLS 1.2 and 1.3")),
    ("ssl.protocol", Ignored(JVM)),
    ("ssl.provider", Ignored(JVM)),
    ("ssl.keymanager.algorithm", Ignored(JVM)),
    ("ssl.trustmanager.algorithm", Ignored(JVM)),
    ("ssl.secure.random.implementation", Ignored(JVM)),
    ("ssl.engine.factory.class", Refused(PLUGINS)),
];

const PRODUCER: Table = &[
    ("acks", Read(rules::acks)),
    ("batch.size", Read(rules::batch_size)),
    ("buffer.memory", Elsewhere),
    ("compression.type", Read(rules::compression_type)),
    ("compression.gzip.level", Named("compression.level")),
    ("compression.lz4.level", Named("compression.level")),
    ("compression.zstd.level", Named("compression.level")),
    ("delivery.timeout.ms", Read(rules::delivery_timeout)),
    ("enable.idempotence", Same),
    ("interceptor.classes", Ignored("Java classes cannot run here")),
    // Records reach clients as bytes that converters made.
    ("key.serializer", Elsewhere),
    ("value.serializer", Elsewhere),
    ("linger.ms", Same),
    (
        "max.block.ms",
        Ignored(
            "sending never blocks: a task polls its connector less instead; in transactions it bounds what waits for brokers",
        ),
    ),
    ("max.in.flight.requests.per.connection", Same),
    ("max.request.size", Read(rules::max_request_size)),
    ("metadata.max.idle.ms", Ignored("topics that were written to stay known")),
    ("partitioner.class", Read(rules::partitioner)),
    ("partitioner.adaptive.partitioning.enable", Ignored("records without key stay in a partition for a moment")),
    ("partitioner.availability.timeout.ms", Ignored("records without key stay in a partition for a moment")),
    ("partitioner.ignore.keys", Read(rules::ignore_keys)),
    ("request.timeout.ms", Read(rules::producer_request_timeout)),
    ("retries", Same),
    ("transaction.timeout.ms", Same),
    ("transaction.two.phase.commit.enable", Ignored("nobody prepares transactions here and commits them elsewhere")),
    ("transactional.id", Refused("the worker sets it for sources that deliver exactly once; take it out")),
];

const CONSUMER: Table = &[
    ("allow.auto.create.topics", Same),
    ("auto.commit.interval.ms", Ignored("offsets are committed every offset.flush.interval.ms")),
    ("auto.offset.reset", Read(rules::offset_reset)),
    ("check.crcs", Same),
    ("client.rack", Same),
    ("default.api.timeout.ms", Elsewhere),
    ("enable.auto.commit", Read(rules::auto_commit)),
    ("exclude.internal.topics", Elsewhere),
    ("fetch.max.bytes", Same),
    ("fetch.max.wait.ms", Named("fetch.wait.max.ms")),
    ("fetch.min.bytes", Same),
    ("group.id", Same),
    ("group.instance.id", Same),
    ("group.protocol", Read(rules::group_protocol)),
    (
        "group.remote.assignor",
        Refused("it belongs to group.protocol=consumer, which is not supported yet; take it out"),
    ),
    ("heartbeat.interval.ms", Same),
    ("interceptor.classes", Ignored("Java classes cannot run here")),
    ("isolation.level", Read(rules::isolation_level)),
    ("key.deserializer", Elsewhere),
    ("value.deserializer", Elsewhere),
    ("max.partition.fetch.bytes", Same),
    ("max.poll.interval.ms", Same),
    ("max.poll.records", Ignored("batches are bounded in bytes: batch.bytes.max")),
    ("partition.assignment.strategy", Read(rules::assignors)),
    ("request.timeout.ms", Read(rules::request_timeout)),
    ("session.timeout.ms", Same),
    ("share.acknowledgement.mode", Ignored("it belongs to share groups, and a sink reads as a member of a group")),
    ("share.acquire.mode", Ignored("it belongs to share groups, and a sink reads as a member of a group")),
];

const ADMIN: Table = &[
    ("bootstrap.controllers", Refused("brokers are asked, not controllers; set bootstrap.servers")),
    ("default.api.timeout.ms", Elsewhere),
    ("request.timeout.ms", Read(rules::request_timeout)),
    ("retries", Ignored("requests are repeated until default.api.timeout.ms is over")),
];

/// The rule for a setting of a client.
pub(super) fn rule(kind: ClientKind, key: &str) -> Option<Rule> {
    if key.starts_with("metrics.context.") || key.starts_with("config.providers.") {
        return Some(Elsewhere);
    }
    if key.starts_with("sasl.oauthbearer.") {
        return Some(Refused(OAUTH));
    }
    let own = match kind {
        ClientKind::Producer => PRODUCER,
        ClientKind::Consumer => CONSUMER,
        ClientKind::Admin => ADMIN,
    };
    let found = own.iter().chain(COMMON).find(|(known, _)| *known == key);
    found.map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::settings::client_key_names;

    #[test]
    fn every_setting_that_java_documents_has_a_rule() {
        for kind in ClientKind::ALL {
            let documented = client_key_names(kind).filter(|key| !key.starts_with("internal."));
            let unruled: Vec<&str> = documented.filter(|key| rule(kind, key).is_none()).collect();
            assert_eq!(unruled, Vec::<&str>::new(), "{kind:?}");
        }
    }

    #[test]
    fn no_setting_stands_in_two_tables() {
        for own in [PRODUCER, CONSUMER, ADMIN] {
            let mut keys: Vec<&str> = own.iter().chain(COMMON).map(|(key, _)| *key).collect();
            keys.sort_unstable();
            let before = keys.len();
            keys.dedup();
            assert_eq!(keys.len(), before);
        }
    }
}
