//! Pure. What can become of one setting, and how values are read that both sides spell differently.

/// A librdkafka property.
pub(super) type Property = (&'static str, String);

/// What becomes of a setting.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// librdkafka calls it the same.
    Same,
    /// librdkafka calls it so.
    Named(&'static str),
    /// The value is read; an error says what to do.
    Read(fn(&str) -> Result<Vec<Property>, String>),
    /// Read by another part of this crate, by core, or set by the framework.
    Elsewhere,
    /// It has no effect, and why.
    Ignored(&'static str),
    /// It is refused, and what to do.
    Refused(&'static str),
}

fn number(value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| "expected a whole number".to_string())
}

/// -1 is the system's default, which librdkafka calls 0.
pub(super) fn send_buffer(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("socket.send.buffer.bytes", number(value)?.max(0).to_string())])
}

pub(super) fn receive_buffer(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("socket.receive.buffer.bytes", number(value)?.max(0).to_string())])
}

/// How often topics are looked at. librdkafka keeps what it saw three times as long.
pub(super) fn metadata_max_age(value: &str) -> Result<Vec<Property>, String> {
    let age = number(value)?.clamp(1, 3_600_000);
    let kept = age.saturating_mul(3).clamp(1, 86_400_000);
    Ok(vec![("topic.metadata.refresh.interval.ms", age.to_string()), ("metadata.max.age.ms", kept.to_string())])
}

/// How long a request may take. Producers also tell the broker.
pub(super) fn producer_request_timeout(value: &str) -> Result<Vec<Property>, String> {
    let wait = number(value)?;
    Ok(vec![
        ("request.timeout.ms", wait.clamp(1, 900_000).to_string()),
        ("socket.timeout.ms", wait.clamp(10, 300_000).to_string()),
    ])
}

pub(super) fn request_timeout(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("socket.timeout.ms", number(value)?.clamp(10, 300_000).to_string())])
}

pub(super) fn setup_timeout(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("socket.connection.setup.timeout.ms", number(value)?.max(1000).to_string())])
}

/// -1 is never, which librdkafka calls 0.
pub(super) fn connections_max_idle(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("connections.max.idle.ms", number(value)?.clamp(0, i64::from(i32::MAX)).to_string())])
}

pub(super) fn delivery_timeout(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("message.timeout.ms", number(value)?.clamp(1, i64::from(i32::MAX)).to_string())])
}

/// Java's smallest record is larger than librdkafka's smallest limit.
pub(super) fn max_request_size(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("message.max.bytes", number(value)?.clamp(1000, 1_000_000_000).to_string())])
}

/// 0 switches batching off, which librdkafka calls 1.
pub(super) fn batch_size(value: &str) -> Result<Vec<Property>, String> {
    Ok(vec![("batch.size", number(value)?.max(1).to_string())])
}

fn lower(name: &'static str, value: &str, known: &[&str], remedy: &str) -> Result<Vec<Property>, String> {
    let value = value.to_ascii_lowercase();
    if known.contains(&value.as_str()) { Ok(vec![(name, value)]) } else { Err(remedy.into()) }
}

pub(super) fn security_protocol(value: &str) -> Result<Vec<Property>, String> {
    let known = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    lower("security.protocol", value, &known, "expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
}

pub(super) fn isolation_level(value: &str) -> Result<Vec<Property>, String> {
    let known = ["read_committed", "read_uncommitted"];
    lower("isolation.level", value, &known, "expected read_committed or read_uncommitted")
}

pub(super) fn compression_type(value: &str) -> Result<Vec<Property>, String> {
    let known = ["none", "gzip", "snappy", "lz4", "zstd"];
    lower("compression.type", value, &known, "expected none, gzip, snappy, lz4 or zstd")
}

pub(super) fn dns_lookup(value: &str) -> Result<Vec<Property>, String> {
    let known = ["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"];
    let remedy = "expected use_all_dns_ips or resolve_canonical_bootstrap_servers_only";
    lower("client.dns.lookup", value, &known, remedy)
}

pub(super) fn metadata_recovery(value: &str) -> Result<Vec<Property>, String> {
    lower("metadata.recovery.strategy", value, &["none", "rebootstrap"], "expected none or rebootstrap")
}

pub(super) fn acks(value: &str) -> Result<Vec<Property>, String> {
    match value {
        "all" | "-1" => Ok(vec![("acks", "-1".into())]),
        "0" | "1" => Ok(vec![("acks", value.into()), ("enable.idempotence", "false".into())]),
        _ => Err("expected all, 1 or 0".into()),
    }
}

pub(super) fn offset_reset(value: &str) -> Result<Vec<Property>, String> {
    let value = match value.to_ascii_lowercase().as_str() {
        "earliest" => "earliest",
        "latest" => "latest",
        "none" => "error",
        _ => return Err("expected earliest, latest or none".into()),
    };
    Ok(vec![("auto.offset.reset", value.into())])
}

pub(super) fn endpoint_identification(value: &str) -> Result<Vec<Property>, String> {
    let value = match value.to_ascii_lowercase().as_str() {
        "" => "none",
        "https" => "https",
        _ => return Err("expected https, or nothing to switch the check of host names off".into()),
    };
    Ok(vec![("ssl.endpoint.identification.algorithm", value.into())])
}

pub(super) fn mechanism(value: &str) -> Result<Vec<Property>, String> {
    match value {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => Ok(vec![("sasl.mechanism", value.into())]),
        _ => Err("expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512: other mechanisms are not supported yet".into()),
    }
}

/// Java's assignors by class. librdkafka does not mix cooperative with others, so where a list names both, the first
/// one decides, as it does in a group of Java's.
pub(super) fn assignors(value: &str) -> Result<Vec<Property>, String> {
    let mut names = Vec::new();
    for class in value.split(',').map(str::trim).filter(|class| !class.is_empty()) {
        names.push(match class.rsplit('.').next().unwrap_or(class) {
            "RangeAssignor" | "range" => "range",
            "RoundRobinAssignor" | "roundrobin" => "roundrobin",
            "CooperativeStickyAssignor" | "cooperative-sticky" => "cooperative-sticky",
            _ => {
                return Err(format!(
                    "{class} is not supported; use RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor of org.apache.kafka.clients.consumer"
                ));
            }
        });
    }
    let first = *names.first().ok_or(
        "expected at least one assignor, for example org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    )?;
    let cooperative = |name: &str| name == "cooperative-sticky";
    names.retain(|name| cooperative(name) == cooperative(first));
    Ok(vec![("partition.assignment.strategy", names.join(","))])
}

pub(super) fn group_protocol(value: &str) -> Result<Vec<Property>, String> {
    match value.to_ascii_lowercase().as_str() {
        "classic" => Ok(vec![("group.protocol", "classic".into())]),
        _ => Err("only classic is supported yet".into()),
    }
}

pub(super) fn auto_commit(value: &str) -> Result<Vec<Property>, String> {
    match value.to_ascii_lowercase().as_str() {
        "false" => Ok(Vec::new()),
        _ => Err("offsets are committed when the connector says so; take it out, or set it to false".into()),
    }
}

pub(super) fn ignore_keys(value: &str) -> Result<Vec<Property>, String> {
    match value.to_ascii_lowercase().as_str() {
        "false" => Ok(Vec::new()),
        "true" => Ok(vec![("partitioner", "random".into())]),
        _ => Err("expected true or false".into()),
    }
}

pub(super) fn partitioner(value: &str) -> Result<Vec<Property>, String> {
    match value.rsplit('.').next().unwrap_or(value) {
        "" | "DefaultPartitioner" => Ok(Vec::new()),
        _ => Err("partitioners of Java cannot run here; take it out for Java's default, or set partitioner.ignore.keys=true to spread records without regard to keys".into()),
    }
}
