//! What every producer that writes in transactions must do.

use std::sync::Arc;

use tokio::time::timeout;

use super::steps::{BRIEFLY, MANY, SOON, keyed_values, rows, text, topic, values};
use crate::model::{RawRecords, Subscription};
use crate::port::{Broker, BrokerError, ClientSettings, Consumer, ConsumerPolled as Polled, TransactionalProducer};

async fn writer(broker: &Arc<dyn Broker>, id: &str) -> Box<dyn TransactionalProducer> {
    broker.transactional_producer(id, &ClientSettings::new()).await.unwrap()
}

fn send(writer: &mut Box<dyn TransactionalProducer>, records: RawRecords) {
    let tickets: Vec<u64> = (0..records.rows as u64).collect();
    writer.send(records, &tickets).unwrap();
}

/// Who reads only what is committed.
async fn reader(broker: &Arc<dyn Broker>, topics: &[&str]) -> Box<dyn Consumer> {
    let settings = ClientSettings::from([
        ("group.id".into(), format!("committed-of-{}", topics.join("-"))),
        ("isolation.level".into(), "read_committed".into()),
    ]);
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    broker.consumer(&Subscription::Topics(topics), &settings).await.unwrap()
}

/// The values of the next records, at least as many as asked for.
async fn seen(reader: &mut Box<dyn Consumer>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        match reader.poll(SOON, MANY).await.unwrap() {
            Polled::Records(records) => seen.extend(rows(&records).into_iter().filter_map(|(.., value)| value)),
            Polled::Assigned(_) => {}
            other => panic!("after {seen:?} of {count}: {other:?}"),
        }
    }
    seen
}

async fn sees_nothing(reader: &mut Box<dyn Consumer>) {
    loop {
        match reader.poll(BRIEFLY, MANY).await.unwrap() {
            Polled::Nothing => return,
            Polled::Assigned(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A transaction over several topics is seen once it is committed, and what was given up never is.
pub async fn what_is_committed_is_seen_whole_and_what_is_given_up_never(broker: Arc<dyn Broker>) {
    for name in ["left", "right"] {
        broker.create_topic(&topic(name, 1, &[])).await.unwrap();
    }
    let mut writer = writer(&broker, "whole").await;
    let mut reader = reader(&broker, &["left", "right"]).await;
    assert_eq!(writer.commit().await, Ok(Vec::new()), "a transaction of nothing");
    send(&mut writer, values("left", None, &["given up"]));
    writer.abort().await.unwrap();
    send(&mut writer, values("left", None, &["a", "b"]));
    send(&mut writer, values("right", None, &["c"]));
    sees_nothing(&mut reader).await;
    let answered = writer.commit().await.unwrap();
    assert!(answered.iter().all(|sent| sent.outcome.is_ok()), "{answered:?}");
    assert_eq!(writer.unanswered_bytes(), 0);
    let mut all = seen(&mut reader, 3).await;
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
    sees_nothing(&mut reader).await;
}

/// Transactions that are committed and given up follow each other without a pause.
pub async fn transactions_follow_each_other_at_once(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("swift", 1, &[])).await.unwrap();
    let (mut writer, mut reader) = (writer(&broker, "swift").await, reader(&broker, &["swift"]).await);
    let kept: Vec<String> = (0..30).map(|number| format!("kept {number}")).collect();
    for value in &kept {
        send(&mut writer, values("swift", None, &[value]));
        writer.commit().await.unwrap();
        send(&mut writer, values("swift", None, &["given up"]));
        writer.abort().await.unwrap();
    }
    assert_eq!(seen(&mut reader, kept.len()).await, kept);
    sees_nothing(&mut reader).await;
}

/// Who takes an id over fences whoever had it, whose open transaction is given up.
pub async fn a_newer_producer_of_an_id_fences_the_older(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("fenced", 1, &[])).await.unwrap();
    let (mut older, mut reader) = (writer(&broker, "fenced").await, reader(&broker, &["fenced"]).await);
    send(&mut older, values("fenced", None, &["of the older"]));
    let mut newer = writer(&broker, "fenced").await;
    let refused = older.commit().await;
    assert!(matches!(refused, Err(BrokerError::Fenced(_))), "{refused:?}");
    send(&mut newer, values("fenced", None, &["of the newer"]));
    newer.commit().await.unwrap();
    assert_eq!(seen(&mut reader, 1).await, ["of the newer"]);
    let mut other = writer(&broker, "another").await;
    send(&mut other, values("fenced", None, &["of another"]));
    other.commit().await.unwrap();
    send(&mut newer, values("fenced", None, &["once more"]));
    newer.commit().await.unwrap();
    assert_eq!(seen(&mut reader, 2).await, ["of another", "once more"]);
}

/// What a producer had not committed when it went is given up by the next of its id.
pub async fn what_was_open_when_its_producer_went_is_given_up(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("gone", 1, &[])).await.unwrap();
    let mut reader = reader(&broker, &["gone"]).await;
    for round in ["first", "second"] {
        let mut writer = writer(&broker, "gone").await;
        send(&mut writer, values("gone", None, &[round]));
        writer.commit().await.unwrap();
        send(&mut writer, values("gone", None, &["open"]));
        drop(writer);
    }
    writer(&broker, "gone").await;
    assert_eq!(seen(&mut reader, 2).await, ["first", "second"]);
    sees_nothing(&mut reader).await;
}

/// A record that is refused takes its whole transaction with it, and no other.
pub async fn a_refused_record_fails_its_transaction_and_no_other(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("strict", 1, &[("max.message.bytes", "1000")])).await.unwrap();
    let (mut writer, mut reader) = (writer(&broker, "strict").await, reader(&broker, &["strict"]).await);
    send(&mut writer, values("strict", None, &["its mate"]));
    send(&mut writer, values("strict", None, &["x".repeat(2_000).as_str()]));
    let refused = writer.commit().await;
    assert!(matches!(refused, Err(BrokerError::BadRecord(_))), "{refused:?}");
    drop(writer);
    let mut writer = self::writer(&broker, "strict").await;
    send(&mut writer, values("strict", None, &["the next"]));
    writer.commit().await.unwrap();
    assert_eq!(seen(&mut reader, 1).await, ["the next"]);
    sees_nothing(&mut reader).await;
}

/// A compacted log that is written beside other topics in a transaction is read with them, and not before.
pub async fn logs_take_part_in_transactions(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("records", 1, &[])).await.unwrap();
    let log = broker.compacted_log(&topic("offsets", 1, &[("cleanup.policy", "compact")])).await.unwrap();
    let mut writer = writer(&broker, "both").await;
    let mut reading = log.reader().await.unwrap();
    for (value, committed) in [("given up", false), ("kept", true)] {
        send(&mut writer, values("records", None, &[value]));
        send(&mut writer, keyed_values("offsets", None, &[(Some("k"), value)]));
        // Brokers may have whoever reads wait for what is open.
        if let Ok(read) = timeout(BRIEFLY, reading.read_to_end()).await {
            assert_eq!(read.unwrap(), []);
        }
        if committed {
            writer.commit().await.unwrap();
        } else {
            writer.abort().await.unwrap();
        }
    }
    // A commit is for certain when it is answered; each partition hears of it a moment later.
    let until = std::time::Instant::now() + SOON;
    let mut read = Vec::new();
    while read.is_empty() {
        assert!(std::time::Instant::now() < until, "what is committed is not read");
        read = reading.read_to_end().await.unwrap();
    }
    let values: Vec<_> = read.iter().map(|entry| text(entry.record.value.as_deref())).collect();
    assert_eq!(values, [Some("kept".to_owned())]);
}
