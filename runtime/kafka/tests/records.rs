//! Records through a real Kafka: where keys land, what comes back, what a broker that goes away in between changes.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_core::contract::{consumer, send, topic, values};
use weir_core::model::{ClientKind, RawHeaders, RawRecords, TimestampType};
use weir_core::observe::ClientStats;
use weir_core::port::{Broker, BrokerError, ClientSettings, ConsumerPolled as Polled};
use weir_data::Column;
use weir_kafka::KafkaBroker;

const SOON: Duration = Duration::from_secs(30);

fn broker_at(bootstrap: String) -> Arc<dyn Broker> {
    Arc::new(KafkaBroker::new(&ClientSettings::from([("bootstrap.servers".into(), bootstrap)])).unwrap())
}

fn broker() -> Arc<dyn Broker> {
    broker_at(kafka::shared().bootstrap())
}

/// Java's `Utils.murmur2`, written once more: the client under test has its own.
fn murmur2(key: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (word ^ (word >> 24)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u32::from(byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_keys_land_where_java_puts_them() {
    // Kafka's own vectors, so that the yardstick is right.
    assert_eq!((murmur2(b"21"), murmur2(b"foobar"), murmur2(b"abc")), (-973_932_308, -790_332_482, 479_470_107));
    let broker = broker();
    broker.create_topic(&topic("thousand", 13, &[])).await.unwrap();
    let keys: Vec<Vec<u8>> = (0..1000u32).map(|n| (0..n % 23).map(|at| (n * 31 + at * 7) as u8).collect()).collect();
    let mut records = values("thousand", None, &["v"; 1000]);
    records.key = Column::default();
    keys.iter().for_each(|key| records.key.push(key));
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let sent = send(&mut producer, records).await;
    for (key, sent) in keys.iter().zip(sent) {
        let expected = (murmur2(key) & i32::MAX) % 13;
        assert_eq!(sent.outcome.map(|(partition, _)| partition), Ok(expected), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nulls_headers_and_times_survive_whichever_rows_have_them() {
    let broker = broker();
    broker.create_topic(&topic("survivors", 1, &[])).await.unwrap();
    let column = |cells: &[Option<&str>]| {
        let mut column = Column::default();
        cells.iter().for_each(|cell| column.push_option(cell.map(str::as_bytes)));
        column
    };
    let all = RawRecords {
        rows: 4,
        topics: vec!["survivors".into()],
        timestamp: vec![5, -1, 7, 8],
        timestamp_type: TimestampType::CreateTime,
        key: column(&[None, None, Some("k"), Some("")]),
        value: column(&[Some("v"), None, Some(""), None]),
        headers: RawHeaders {
            names: vec!["a".into(), "ü".into()],
            ends: vec![0, 3, 3, 4],
            name: vec![0, 1, 0, 1],
            value: column(&[Some("1"), Some(""), None, Some("2")]),
        },
        ..RawRecords::default()
    };
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let sent = send(&mut producer, all.clone()).await;
    assert!(sent.iter().all(|sent| sent.outcome.is_ok()), "{sent:?}");
    assert_eq!(producer.unanswered_bytes(), 0);
    let mut reader = consumer(&broker, "surviving", &["survivors"]).await;
    let mut row = 0;
    while row < 4 {
        let Polled::Records(read) = reader.poll(SOON, 1 << 20).await.unwrap() else { continue };
        for at in 0..read.rows {
            let cells = (read.key.get(at), read.value.get(at), read.headers.of(at).collect::<Vec<_>>());
            assert_eq!(cells, (all.key.get(row), all.value.get(row), all.headers.of(row).collect()), "{row}");
            match all.timestamp_of(row) {
                Some(given) => assert_eq!(read.timestamp_of(at), Some(given)),
                None => assert!(read.timestamp_of(at) > Some(1_700_000_000_000), "the client says what time it is"),
            }
            row += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_cannot_be_written_are_answered_and_others_go_on() {
    let broker = broker();
    broker.create_topic(&topic("takes", 1, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let large = "x".repeat(2 << 20);
    let sent = send(&mut producer, values("takes", None, &["a", &large, "b"])).await;
    assert_eq!((&sent[0].outcome, &sent[2].outcome), (&Ok((0, 0)), &Ok((0, 1))));
    let Err(BrokerError::BadRecord(why)) = &sent[1].outcome else { panic!("{:?}", sent[1]) };
    assert!(why.contains("2097152 bytes") && why.contains("max.request.size"), "{why}");
    producer.send(values("takes", None, &[&large]), &[7]).unwrap();
    assert!(producer.unanswered_bytes() > 0, "who looks there first asks for the answer of a lone refused record too");
    assert_eq!(producer.answers().await[0].ticket, 7);
    assert_eq!(producer.unanswered_bytes(), 0);
    let worker = ClientSettings::from([
        ("bootstrap.servers".into(), kafka::shared().bootstrap()),
        ("librdkafka.topic.metadata.propagation.max.ms".into(), "200".into()),
    ]);
    let impatient = KafkaBroker::new(&worker).unwrap();
    let mut producer = impatient.producer(&ClientSettings::new()).await.unwrap();
    let sent = send(&mut producer, values("no-such-topic", None, &["a"])).await;
    assert!(matches!(sent[0].outcome, Err(BrokerError::Rejected(_))), "{sent:?}");
    assert_eq!(producer.unanswered_bytes(), 0);
    let counted = |(of, stats): (ClientKind, Arc<ClientStats>)| {
        (of == ClientKind::Producer).then(|| (stats.records.get(), stats.record_errors.get()))
    };
    assert_eq!(impatient.clients().into_iter().filter_map(counted).collect::<Vec<_>>(), [(0, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_restarts_costs_no_record_and_no_order() {
    let mut kafka = kafka::Kafka::start(&[]);
    let broker = broker_at(kafka.bootstrap());
    broker.create_topic(&topic("restarted", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    const BATCHES: u64 = 60;
    const ROWS: u64 = 100;
    let batch = |nth: u64| {
        let texts: Vec<String> = (nth * ROWS..(nth + 1) * ROWS).map(|n| n.to_string()).collect();
        values("restarted", Some((nth % 2) as i32), &texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut places = BTreeMap::new();
    for nth in 0..BATCHES {
        let tickets: Vec<u64> = (nth * ROWS..(nth + 1) * ROWS).collect();
        producer.send(batch(nth), &tickets).unwrap();
        if nth == BATCHES / 2 {
            // In the middle of what was sent and not answered.
            kafka.stop();
        }
    }
    kafka.restart();
    while places.len() < (BATCHES * ROWS) as usize {
        for sent in tokio::time::timeout(SOON, producer.answers()).await.expect("answers in time") {
            let place = sent.outcome.unwrap();
            assert_eq!(places.insert(sent.ticket, place), None, "one answer a record");
        }
    }
    assert_eq!(producer.unanswered_bytes(), 0);
    for partition in [0, 1] {
        let offsets: Vec<i64> = places.values().filter(|place| place.0 == partition).map(|place| place.1).collect();
        assert!(offsets.is_sorted_by(|a, b| a < b), "partition {partition} keeps the order");
    }
    let mut reader = consumer(&broker, "after", &["restarted"]).await;
    let mut read = Vec::new();
    while read.len() < places.len() {
        let Polled::Records(records) = reader.poll(SOON, 1 << 20).await.unwrap() else { continue };
        let number = |row| std::str::from_utf8(records.value.get(row).unwrap()).unwrap().parse::<u64>().unwrap();
        read.extend((0..records.rows).map(number));
    }
    assert_eq!(read.len(), places.len(), "nothing twice");
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), (0..BATCHES * ROWS).collect());
}

#[tokio::test]
async fn unknown_settings_are_refused_with_a_remedy() {
    let broker = broker_at("127.0.0.1:1".into());
    let odd = ClientSettings::from([("lingr.ms".into(), "5".into()), ("plugin.library.paths".into(), "x.so".into())]);
    let Err(BrokerError::Rejected(why)) = broker.producer(&odd).await else { panic!("refused expected") };
    assert!(why.contains("lingr.ms=5") && why.contains("plugin.library.paths") && why.contains("take it out"), "{why}");
    let nothing = KafkaBroker::new(&ClientSettings::new()).err().unwrap();
    assert_eq!(nothing[0].key, "bootstrap.servers");
    let secret =
        ClientSettings::from([("ssl.key.password".into(), "hunter2".into()), ("ssl.keystore.key".into(), "x".into())]);
    let refused = broker.producer(&secret).await.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(!refused.contains("hunter2"), "{refused}");
}
