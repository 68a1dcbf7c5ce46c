//! Compacted logs on a real Kafka: transactions at their ends, policies that would lose what is stored.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use weir_core::contract::topic;
use weir_core::port::{Broker, BrokerError, ClientSettings, LogRecord};
use weir_kafka::KafkaBroker;

const SOON: Duration = Duration::from_secs(30);

fn broker(isolation: Option<&str>) -> Arc<dyn Broker> {
    let mut settings = ClientSettings::from([
        ("bootstrap.servers".into(), kafka::shared().bootstrap()),
        // A worker's file holds more than clients know.
        ("key.converter".into(), "org.apache.kafka.connect.json.JsonConverter".into()),
        ("group.id".into(), "workers".into()),
    ]);
    settings.extend(isolation.map(|isolation| ("isolation.level".to_owned(), isolation.to_owned())));
    Arc::new(KafkaBroker::new(&settings).unwrap())
}

fn transact(name: &'static str, value: &'static str, commit: bool) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::shared().bootstrap())
        .set("transactional.id", "logs")
        .create()
        .unwrap();
    producer.init_transactions(SOON).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::to(name).key("k").payload(value)).map_err(|(e, _)| e).unwrap();
    producer.flush(SOON).unwrap();
    if commit { producer.commit_transaction(SOON) } else { producer.abort_transaction(SOON) }.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_has_an_end_behind_markers_of_transactions_and_shows_what_was_aborted_only_to_whoever_asks_for_it() {
    let name = "transactions";
    let committed = broker(None).compacted_log(&topic(name, 1, &[])).await.unwrap();
    let all = broker(Some("read_uncommitted")).compacted_log(&topic(name, 1, &[])).await.unwrap();
    let record = LogRecord { key: Some(b"k".to_vec()), value: Some(b"plain".to_vec()) };
    committed.append(vec![record]).await.unwrap();
    tokio::task::spawn_blocking(move || {
        transact(name, "committed", true);
        transact(name, "aborted", false);
    })
    .await
    .unwrap();
    for (log, expected) in [(&committed, &["plain", "committed"][..]), (&all, &["plain", "committed", "aborted"])] {
        let mut reader = log.reader().await.unwrap();
        let read = tokio::time::timeout(SOON, reader.read_to_end()).await.expect("an end").unwrap();
        let values: Vec<_> = read.iter().map(|entry| entry.record.value.clone().unwrap()).collect();
        assert_eq!(values, expected.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(reader.read_to_end().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_would_lose_records_is_no_log() {
    let broker = broker(Some("read_uncommitted"));
    for (name, policy) in [("deleting", "delete"), ("both", "compact,delete")] {
        broker.create_topic(&topic(name, 1, &[("cleanup.policy", policy)])).await.unwrap();
        let refused = broker.compacted_log(&topic(name, 1, &[])).await.err();
        let Some(BrokerError::Rejected(why)) = refused else { panic!("refused expected, not {refused:?}") };
        assert!(why.contains(&format!(" cleanup.policy={policy},")) && why.contains(name), "{why}");
    }
    let made = broker.compacted_log(&topic("made-as-log", -1, &[])).await;
    assert!(made.is_ok());
    let described = broker.describe_topics(&["made-as-log"]).await.unwrap();
    assert_eq!(described[0].as_ref().and_then(|topic| topic.cleanup_policy.as_deref()), Some("compact"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_at_the_same_time_keep_their_order_each() {
    let log = broker(Some("read_uncommitted")).compacted_log(&topic("busy-log", 3, &[])).await.unwrap();
    let record = |key: usize, value: usize| LogRecord {
        key: Some(format!("key {key}").into_bytes()),
        value: Some(value.to_string().into_bytes()),
    };
    let appends: Vec<_> = (0..20)
        .map(|key| {
            let log = log.clone();
            let records = (0..10).map(|value| record(key, value)).collect();
            tokio::spawn(async move { log.append(records).await })
        })
        .collect();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    let read = log.reader().await.unwrap().read_to_end().await.unwrap();
    assert_eq!(read.len(), 200);
    for key in 0..20 {
        let own = format!("key {key}").into_bytes();
        let values = read.iter().filter(|entry| entry.record.key.as_ref() == Some(&own));
        let values: Vec<_> = values.map(|entry| entry.record.value.clone().unwrap()).collect();
        assert_eq!(values, (0..10).map(|value: usize| value.to_string().into_bytes()).collect::<Vec<_>>());
    }
}
