//! What every broker must do, as functions over the port alone: they can run against any implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_core::model::{Position, RawHeaders, RawRecords, Subscription, TopicPartition};
use weir_core::port::{
    Broker, BrokerError, ClientSettings, Consumer, ConsumerPolled as Polled, Created, LogRecord, NewTopic, Producer,
    Sent, StoreError, Ticket,
};
use weir_data::Column;

/// Longer than anything here takes; a broker that needs it has lost something.
const SOON: Duration = Duration::from_secs(20);
/// Long enough for a broker to say something that it should not say.
const BRIEFLY: Duration = Duration::from_millis(30);
const MANY: usize = 1 << 20;

pub fn topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> NewTopic {
    let config = config.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
    NewTopic { name: name.into(), partitions, replication_factor: -1, config }
}

fn settings(group: &str) -> ClientSettings {
    ClientSettings::from([("group.id".into(), group.into())])
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

fn position(topic: &str, partition: i32, offset: i64) -> Position {
    Position { partition: at(topic, partition), offset }
}

pub fn values(topic: &str, partition: Option<i32>, values: &[&str]) -> RawRecords {
    let keyed: Vec<_> = values.iter().map(|value| (None, *value)).collect();
    keyed_values(topic, partition, &keyed)
}

fn keyed_values(topic: &str, partition: Option<i32>, records: &[(Option<&str>, &str)]) -> RawRecords {
    let (mut key, mut value) = (Column::default(), Column::default());
    for (k, v) in records {
        key.push_option(k.map(str::as_bytes));
        value.push(v.as_bytes());
    }
    let partitions = partition.map(Some).into_iter().collect();
    RawRecords { rows: records.len(), topics: vec![topic.into()], partitions, key, value, ..RawRecords::default() }
}

pub async fn send(producer: &mut Box<dyn Producer>, records: RawRecords) -> Vec<Sent> {
    let tickets: Vec<Ticket> = (100..100 + records.rows as u64).collect();
    producer.send(records, &tickets).unwrap();
    let mut sent = Vec::new();
    while sent.len() < tickets.len() {
        sent.extend(tokio::time::timeout(SOON, producer.answers()).await.expect("an answer in time"));
    }
    sent.sort_by_key(|sent| sent.ticket);
    sent
}

async fn offsets(producer: &mut Box<dyn Producer>, records: RawRecords) -> Vec<(i32, i64)> {
    send(producer, records).await.into_iter().map(|sent| sent.outcome.unwrap()).collect()
}

/// A record as tests compare it: partition, offset, key, value.
pub type Read = (i32, i64, Option<String>, Option<String>);

fn text(cell: Option<&[u8]>) -> Option<String> {
    cell.map(|cell| String::from_utf8(cell.to_vec()).unwrap())
}

fn rows(records: &RawRecords) -> Vec<Read> {
    let row = |row| {
        let partition = records.partition_of(row).unwrap();
        (partition, records.offset[row], text(records.key.get(row)), text(records.value.get(row)))
    };
    (0..records.rows).map(row).collect()
}

async fn assigned(consumer: &mut Box<dyn Consumer>) -> Vec<Position> {
    match consumer.poll(SOON, MANY).await.unwrap() {
        Polled::Assigned(positions) => positions,
        other => panic!("assigned expected, not {other:?}"),
    }
}

/// Reads `count` records, taking up assignments on the way.
pub async fn read(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Read> {
    let mut read = Vec::new();
    while read.len() < count {
        match consumer.poll(SOON, MANY).await.unwrap() {
            Polled::Records(records) => read.extend(rows(&records)),
            Polled::Assigned(_) => {}
            other => panic!("after {} of {count} records: {other:?}", read.len()),
        }
    }
    read
}

pub async fn consumer(broker: &Arc<dyn Broker>, group: &str, topics: &[&str]) -> Box<dyn Consumer> {
    let topics = topics.iter().map(|topic| (*topic).to_string()).collect();
    broker.consumer(&Subscription::Topics(topics), &settings(group)).await.unwrap()
}

pub async fn topics_are_made_once_and_described(broker: Arc<dyn Broker>) {
    let wanted = topic("made", 3, &[("cleanup.policy", "compact")]);
    assert_eq!(broker.create_topic(&wanted).await, Ok(Created::New));
    assert_eq!(broker.create_topic(&wanted).await, Ok(Created::Existed));
    assert_eq!(broker.create_topic(&topic("by-default", -1, &[])).await, Ok(Created::New));
    let described = broker.describe_topics(&["made", "nowhere", "by-default"]).await.unwrap();
    let made = described[0].clone().unwrap();
    assert_eq!((&*made.name, made.partitions, made.cleanup_policy.as_deref()), ("made", 3, Some("compact")));
    assert_eq!(described[1], None);
    assert_eq!(described[2].as_ref().map(|topic| topic.partitions > 0), Some(true));
    for refused in [topic("a/b", 1, &[]), topic("none", 0, &[]), topic("odd", 1, &[("cleanup.policy", "burn")])] {
        assert!(matches!(broker.create_topic(&refused).await, Err(BrokerError::Rejected(_))), "{refused:?}");
    }
    let id = broker.cluster_id().await.unwrap();
    assert_eq!((id.is_empty(), broker.cluster_id().await.unwrap()), (false, id));
}

pub async fn records_come_back_as_they_were_sent(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("whole", 1, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let column = |cells: &[Option<&str>]| {
        let mut column = Column::default();
        cells.iter().for_each(|cell| column.push_option(cell.map(str::as_bytes)));
        column
    };
    let sent = RawRecords {
        rows: 3,
        topics: vec!["whole".into()],
        timestamp: vec![1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_002],
        key: column(&[Some("k"), None, Some("")]),
        value: column(&[None, Some("v"), Some("")]),
        headers: RawHeaders {
            names: vec!["h".into()],
            ends: vec![2, 2, 3],
            name: vec![0, 0, 0],
            value: column(&[Some("1"), None, Some("3")]),
        },
        ..RawRecords::default()
    };
    assert_eq!(offsets(&mut producer, sent.clone()).await, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(producer.unanswered_bytes(), 0);
    let mut reader = consumer(&broker, "g", &["whole"]).await;
    assert_eq!(assigned(&mut reader).await, [position("whole", 0, 0)]);
    let Polled::Records(read) = reader.poll(SOON, MANY).await.unwrap() else { panic!("records expected") };
    assert_eq!((read.rows, &read.offset, &read.timestamp), (3, &vec![0, 1, 2], &sent.timestamp));
    for row in 0..3 {
        assert_eq!((read.key.get(row), read.value.get(row)), (sent.key.get(row), sent.value.get(row)), "{row}");
        assert_eq!(read.headers.of(row).collect::<Vec<_>>(), sent.headers.of(row).collect::<Vec<_>>(), "{row}");
    }
    assert_eq!(&**read.topic_of(0), "whole");
}

pub async fn keys_go_where_java_puts_them(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("keyed", 7, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    // toPositive(murmur2(key)) % 7 of Kafka's own test vectors.
    let keys = [("21", -973_932_308i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)];
    let records: Vec<_> = keys.iter().map(|(key, _)| (Some(*key), "v")).collect();
    let placed = offsets(&mut producer, keyed_values("keyed", None, &records)).await;
    let expected: Vec<i32> = keys.iter().map(|(_, hash)| (hash & i32::MAX) % 7).collect();
    assert_eq!(placed.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), expected);
    let unkeyed = offsets(&mut producer, values("keyed", None, &["a", "b", "c"])).await;
    assert!(unkeyed.iter().all(|(partition, _)| *partition == unkeyed[0].0), "{unkeyed:?}");
}

pub async fn what_cannot_be_written_is_refused_record_by_record(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("few", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let records = RawRecords {
        topics: vec!["few".into()],
        partitions: vec![Some(1), Some(2), Some(-1)],
        partition: vec![0, 1, 0, 2],
        ..values("few", None, &["a", "b", "c", "d"])
    };
    let sent = send(&mut producer, records).await;
    assert_eq!((&sent[0].outcome, &sent[2].outcome), (&Ok((1, 0)), &Ok((1, 1))));
    for refused in [&sent[1], &sent[3]] {
        assert!(matches!(refused.outcome, Err(BrokerError::Rejected(_))), "{refused:?}");
    }
}

pub async fn committed_offsets_are_where_the_group_goes_on(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("resumed", 1, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    offsets(&mut producer, values("resumed", None, &["a", "b", "c"])).await;
    let mut first = consumer(&broker, "resuming", &["resumed"]).await;
    assert_eq!(read(&mut first, 3).await.len(), 3);
    first.commit(&[position("resumed", 0, 2)]).await.unwrap();
    assert_eq!(broker.group_offsets("resuming").await.unwrap(), [position("resumed", 0, 2)]);
    assert_eq!(broker.group_offsets("another").await.unwrap(), []);
    first.close().await.unwrap();
    let mut second = consumer(&broker, "resuming", &["resumed"]).await;
    assert_eq!(assigned(&mut second).await, [position("resumed", 0, 2)]);
    assert_eq!(read(&mut second, 1).await, [(0, 2, None, Some("c".into()))]);
    let latest =
        ClientSettings::from([("group.id".into(), "late".into()), ("auto.offset.reset".into(), "latest".into())]);
    let mut late = broker.consumer(&Subscription::Topics(vec!["resumed".into()]), &latest).await.unwrap();
    assert_eq!(assigned(&mut late).await, [position("resumed", 0, 3)]);
}

pub async fn a_waiting_poll_wakes_for_records(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("awaited", 1, &[])).await.unwrap();
    let mut reader = consumer(&broker, "awaiting", &["awaited"]).await;
    assigned(&mut reader).await;
    assert_eq!(reader.poll(BRIEFLY, MANY).await, Ok(Polled::Nothing));
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let (polled, sent) = tokio::join!(reader.poll(SOON, MANY), send(&mut producer, values("awaited", None, &["a"])));
    assert_eq!(sent.len(), 1);
    assert!(matches!(polled, Ok(Polled::Records(records)) if records.rows == 1));
}

pub async fn polls_are_bounded_and_a_dropped_one_loses_nothing(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("bounded", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let large = "x".repeat(1000);
    for partition in [0, 1] {
        offsets(&mut producer, values("bounded", Some(partition), &[&*large; 20])).await;
    }
    let mut reader = consumer(&broker, "bounding", &["bounded"]).await;
    assigned(&mut reader).await;
    let mut read = Vec::new();
    while read.len() < 40 {
        drop(tokio::time::timeout(Duration::ZERO, reader.poll(SOON, 5000)).await.map(|polled| {
            if let Ok(Polled::Records(records)) = &polled {
                read.extend(rows(records).into_iter().map(|row| (row.0, row.1)));
            }
        }));
        if read.len() == 40 {
            break;
        }
        if let Polled::Records(records) = reader.poll(SOON, if read.len() < 20 { 5000 } else { 1 }).await.unwrap() {
            assert!((1..=5).contains(&records.rows), "{} rows in 5000 bytes", records.rows);
            read.extend(rows(&records).into_iter().map(|row| (row.0, row.1)));
        }
    }
    let expected: BTreeSet<(i32, i64)> = (0..2).flat_map(|partition| (0..20).map(move |at| (partition, at))).collect();
    assert_eq!(read.len(), 40);
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), expected);
}

pub async fn pause_resume_and_seek_move_only_what_they_name(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("steered", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let mut reader = consumer(&broker, "steering", &["steered"]).await;
    assigned(&mut reader).await;
    reader.pause(&[at("steered", 0)]).unwrap();
    for partition in [0, 1] {
        offsets(&mut producer, values("steered", Some(partition), &["a", "b"])).await;
    }
    assert!(read(&mut reader, 2).await.iter().all(|row| row.0 == 1));
    assert_eq!(reader.poll(BRIEFLY, MANY).await, Ok(Polled::Nothing));
    reader.resume(&[at("steered", 0)]).unwrap();
    assert!(read(&mut reader, 2).await.iter().all(|row| row.0 == 0));
    reader.seek(&[position("steered", 1, 1)]).await.unwrap();
    assert_eq!(read(&mut reader, 1).await, [(1, 1, None, Some("b".into()))]);
    assert!(reader.pause(&[at("steered", 2)]).is_err() && reader.seek(&[position("else", 0, 0)]).await.is_err());
}

pub async fn a_newcomer_gets_its_share_after_the_owner_let_go(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("shared", 4, &[])).await.unwrap();
    let mut first = consumer(&broker, "sharing", &["shared"]).await;
    assert_eq!(assigned(&mut first).await.len(), 4);
    let mut second = consumer(&broker, "sharing", &["shared"]).await;
    let Polled::Revoked(revoked) = poll_both(&mut first, &mut second).await else { panic!("revoked expected") };
    assert_eq!(revoked.len(), 2);
    first.commit(&[Position { partition: revoked[0].clone(), offset: 0 }]).await.unwrap();
    first.release().await.unwrap();
    let refused = first.commit(&[Position { partition: revoked[0].clone(), offset: 0 }]).await;
    assert!(matches!(refused, Err(BrokerError::Fenced(_))), "{refused:?}");
    let taken: BTreeSet<_> = assigned(&mut second).await.into_iter().map(|position| position.partition).collect();
    assert_eq!(taken, revoked.into_iter().collect());
    second.close().await.unwrap();
    assert_eq!(assigned(&mut first).await.len(), 2);
}

/// Polls two members until the first is told something; the second has nothing to hear before.
async fn poll_both(first: &mut Box<dyn Consumer>, second: &mut Box<dyn Consumer>) -> Polled {
    for _ in 0..1000 {
        assert_eq!(second.poll(Duration::ZERO, MANY).await, Ok(Polled::Nothing));
        match first.poll(Duration::from_millis(10), MANY).await.unwrap() {
            Polled::Nothing => {}
            told => return told,
        }
    }
    panic!("the first was told nothing");
}

pub async fn patterns_match_whole_names_and_topics_made_later(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("eu.orders", 1, &[])).await.unwrap();
    broker.create_topic(&topic("eu.orders.old", 1, &[])).await.unwrap();
    let pattern = Subscription::Pattern("(eu|us)\\.orders".into());
    let mut reader = broker.consumer(&pattern, &settings("matching")).await.unwrap();
    assert_eq!(assigned(&mut reader).await, [position("eu.orders", 0, 0)]);
    broker.create_topic(&topic("us.orders", 1, &[])).await.unwrap();
    assert_eq!(assigned(&mut reader).await, [position("us.orders", 0, 0)]);
    let broken = broker.consumer(&Subscription::Pattern("(".into()), &settings("matching")).await;
    assert!(matches!(broken, Err(BrokerError::Rejected(_))));
    let nameless = broker.consumer(&pattern, &ClientSettings::new()).await;
    assert!(matches!(nameless, Err(BrokerError::Rejected(_))));
}

pub async fn logs_are_read_to_the_end_and_followed(broker: Arc<dyn Broker>) {
    let log = broker.compacted_log(&topic("config-log", 3, &[])).await.unwrap();
    let mut reader = log.reader().await.unwrap();
    assert_eq!(reader.read_to_end().await.unwrap(), []);
    let record = |key: &str, value: Option<&str>| LogRecord {
        key: Some(key.as_bytes().to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let (appended, changed) = tokio::join!(
        log.append(vec![record("a", Some("1")), record("b", Some("1")), record("a", None)]),
        tokio::time::timeout(SOON, reader.changed()),
    );
    appended.unwrap();
    changed.expect("changed in time").unwrap();
    let read = reader.read_to_end().await.unwrap();
    let mut last = BTreeMap::new();
    for entry in read.iter().cloned() {
        last.insert(entry.record.key.clone().unwrap(), entry.record.value);
    }
    assert_eq!(read.len(), 3);
    assert_eq!(last, BTreeMap::from([(b"a".to_vec(), None), (b"b".to_vec(), Some(b"1".to_vec()))]));
    assert_eq!(reader.read_to_end().await.unwrap(), []);
    assert_eq!(log.reader().await.unwrap().read_to_end().await.unwrap(), read);
    let again = broker.compacted_log(&topic("config-log", 3, &[])).await.unwrap();
    assert_eq!(again.reader().await.unwrap().read_to_end().await.unwrap().len(), 3);
    broker.create_topic(&topic("not-compacted", 1, &[])).await.unwrap();
    assert!(matches!(broker.compacted_log(&topic("not-compacted", 1, &[])).await, Err(BrokerError::Rejected(_))));
    let nameless = log.append(vec![LogRecord { key: None, value: None }]).await;
    assert!(matches!(nameless, Err(StoreError::Unusable(_))), "{nameless:?}");
}
