//! What a worker's file has wrong is said when the worker starts, and names the keys.

use super::*;

#[test]
fn keys_without_effect_are_named_once_in_one_line_whatever_the_topics_are_on() {
    let bogus = "bogus=1\nmetric.reporters=R\nrest.extension.classes=E\nproducer.bogus=1\nproducer.linger.ms=5\nadmin.listeners=\n";
    let unknown = "bogus, producer.bogus (unknown: correct their names, or take them out)";
    let unsupported = "metric.reporters, rest.extension.classes (not supported here: take them out)";
    let kafka = kafka::shared().bootstrap();
    for bootstrap in ["local:memory", &kafka] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        append(folder, 0..3);
        let offsets = folder.join("offsets");
        let properties = format!("{}{bogus}offset.storage.file.filename={}\n", on(bootstrap), offsets.display());
        let mut worker = start(folder, &properties, "without-effect");
        worker.until("lines of a task whose client ignores what it does not know", || lines(folder).len() == 3);
        let log = worker.log();
        let said: Vec<&str> = log.lines().filter(|line| line.contains("bogus")).collect();
        assert_eq!(said.len(), 1, "{log}");
        assert!(said[0].contains(&format!("are not used: {unknown}; {unsupported}")), "{}", said[0]);
        assert!(!log.contains("linger.ms") && !log.contains("admin.listeners"), "{log}");
        assert!(worker.stop());
    }
}

#[test]
fn a_broker_that_does_not_answer_ends_the_worker_with_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let own =
        format!("default.api.timeout.ms=1500\noffset.storage.file.filename={}\n", folder.join("offsets").display());
    let (well, log) = Worker::standalone(folder, &format!("{}{own}", on("127.0.0.1:1")), &[]).ended();
    let said = "weir: bootstrap.servers=127.0.0.1:1: failed to connect to and describe the Kafka cluster: ";
    assert!(!well && log.contains(said) && log.contains("Check the worker's broker connection"), "{log}");
    let said = log.lines().last().unwrap_or_default();
    assert!(said.contains("Connection refused"), "why it did not: {said}");
}

#[test]
fn values_that_clients_would_refuse_keep_the_worker_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let wrong = "producer.compression.type=bogus\nconsumer.fetch.max.wait.ms=soon\nretry.backoff.ms=-1\n";
    let offsets = folder.join("offsets");
    let properties = format!("{}{wrong}offset.storage.file.filename={}\n", on("127.0.0.1:1"), offsets.display());
    let (well, log) = Worker::standalone(folder, &properties, &[]).ended();
    assert!(!well);
    for said in [
        "producer.compression.type: compression.type=bogus: expected none, gzip, snappy, lz4 or zstd",
        "consumer.fetch.max.wait.ms: fetch.max.wait.ms=soon: ",
        "retry.backoff.ms: retry.backoff.ms=-1: ",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[test]
fn what_could_only_fail_later_keeps_the_worker_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let offsets = format!("offset.storage.file.filename={}\n", folder.join("offsets").display());
    let kafka = on("127.0.0.1:1") + &offsets;
    let login = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n";
    for (properties, said) in [
        (on("localhost") + &offsets, "Invalid url in bootstrap.servers: localhost. Name servers as host:port"),
        (on("locl:/tmp/x") + &offsets, "Invalid port in bootstrap.servers: locl:/tmp/x."),
        (
            format!("{kafka}value.converter=JsonConvertor\n"),
            "Invalid value JsonConvertor for configuration value.converter: Class JsonConvertor could not be found. Known are",
        ),
        (
            format!("{kafka}{login}"),
            "sasl.jaas.config: is missing, and PLAIN needs it: org.apache.kafka.common.security.plain.",
        ),
        (
            on("127.0.0.1:1") + "offset.storage.file.filename=/nowhere/o\n",
            "/nowhere/o: its folder cannot be written to",
        ),
        (
            format!("{kafka}sandbox.endpoint.ceiling=http://foo\n"),
            "for configuration sandbox.endpoint.ceiling: write host:port",
        ),
        (
            format!("{kafka}sandbox.path.ceiling=data\n"),
            "for configuration sandbox.path.ceiling: it has to be an absolute path",
        ),
        (
            format!("{kafka}status.storage.topic=one\noffset.storage.topic=one\n"),
            "Invalid value one for configuration status.storage.topic: it is the offset.storage.topic",
        ),
        (format!("\u{feff}{kafka}offset.flush.interval.ms=ten\n"), "offset.flush.interval.ms: Not a whole number"),
        (format!("{kafka}offset.flush.interval.ms=-5\n"), "offset.flush.interval.ms: Value must be at least 0"),
    ] {
        let (well, log) = Worker::standalone(folder, &properties, &[]).ended();
        assert!(!well && log.contains(said), "{said}: {log}");
        assert!(!log.contains("ready"), "{log}");
    }
}
