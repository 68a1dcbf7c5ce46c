//! Pure. Properties that every client begins with; settings come over them. Those of Connect's framework, those of
//! Java's clients where librdkafka's differ, and what bounds memory.

use std::collections::BTreeMap;

/// Properties by name.
pub(crate) type Properties = BTreeMap<String, String>;

const ALL: &[(&str, &str)] = &[
    // Idle connections are closed by brokers all the time.
    ("log.connection.close", "false"),
];

const PRODUCER: &[(&str, &str)] = &[
    // As Connect: a record is tried for as long as it takes.
    ("message.timeout.ms", "2147483647"),
    ("enable.idempotence", "true"),
    ("acks", "-1"),
    ("partitioner", "murmur2_random"),
    ("message.max.bytes", "1048576"),
    // Tasks bound what they send; these only have to lie above.
    ("queue.buffering.max.messages", "0"),
    ("queue.buffering.max.kbytes", "2147483647"),
];

const READER: &[(&str, &str)] = &[
    ("isolation.level", "read_uncommitted"),
    ("queued.max.messages.kbytes", "8192"),
    ("fetch.max.bytes", "8388608"),
    // 1,000 stalls a fast reader whenever its queue was full.
    ("fetch.queue.backoff.ms", "1"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
];

const MEMBER: &[(&str, &str)] = &[
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("allow.auto.create.topics", "true"),
];

fn of(tables: &[&[(&str, &str)]]) -> Properties {
    let all = tables.iter().flat_map(|table| table.iter());
    all.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(crate) fn producer(settings: Properties) -> Properties {
    let mut properties = of(&[ALL, PRODUCER]);
    properties.extend(settings);
    if properties["enable.idempotence"] != "true" {
        // Without idempotence only one request at a time keeps the order.
        properties.entry("max.in.flight.requests.per.connection".into()).or_insert_with(|| "1".into());
    }
    properties
}

/// Java's time for a transaction.
const TRANSACTION_MS: u64 = 60_000;

/// What a producer needs to write in transactions, whatever else it is to be.
pub(crate) fn transactional_producer(id: &str, settings: Properties) -> Properties {
    let mut properties = producer(settings);
    for (key, value) in [("transactional.id", id), ("enable.idempotence", "true"), ("acks", "all")] {
        properties.insert(key.into(), value.into());
    }
    properties.remove("max.in.flight.requests.per.connection");
    let number = |key: &str| properties.get(key).and_then(|value| value.parse::<u64>().ok());
    let transaction = number("transaction.timeout.ms").unwrap_or(TRANSACTION_MS);
    // A record that comes after its transaction has ended is none of it.
    let message = number("message.timeout.ms").filter(|&most| most > 0).unwrap_or(transaction).min(transaction);
    properties.insert("transaction.timeout.ms".into(), transaction.to_string());
    properties.insert("message.timeout.ms".into(), message.to_string());
    properties
}

pub(crate) fn member(settings: Properties) -> Properties {
    let mut properties = of(&[ALL, READER, MEMBER]);
    properties.extend(settings);
    properties
}

pub(crate) fn log_producer(settings: Properties) -> Properties {
    let mut properties = producer(Properties::new());
    // Whoever appends waits: at once, and not for ever.
    properties.insert("linger.ms".into(), "0".into());
    properties.insert("message.timeout.ms".into(), "120000".into());
    properties.extend(settings);
    properties
}

pub(crate) fn log_reader(settings: Properties) -> Properties {
    let mut properties = of(&[ALL, READER]);
    // A cluster from which this one takes over may have written with transactions, and given some up.
    properties.insert("isolation.level".into(), "read_committed".into());
    properties.extend(settings);
    properties.insert("enable.partition.eof".into(), "true".into());
    properties
}

pub(crate) fn admin(settings: Properties) -> Properties {
    let mut properties = of(&[ALL]);
    properties.extend(settings);
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_idempotence_one_request_keeps_the_order() {
        let off = Properties::from([("enable.idempotence".into(), "false".into())]);
        assert_eq!(producer(off)["max.in.flight.requests.per.connection"], "1");
        assert_eq!(producer(Properties::new()).get("max.in.flight.requests.per.connection"), None);
    }
}
