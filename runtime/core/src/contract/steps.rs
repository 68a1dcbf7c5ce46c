//! The words in which the suite speaks: making records, sending them, reading them.

use std::sync::Arc;
use std::time::Duration;

use weir_data::Column;

use crate::model::{Position, RawRecords, Subscription, TopicPartition};
use crate::port::{Broker, ClientSettings, Consumer, ConsumerPolled as Polled, NewTopic, Producer, Sent, Ticket};

/// Longer than anything here takes; a broker that needs it has lost something.
pub(super) const SOON: Duration = Duration::from_secs(20);
/// Long enough for a broker to say something that it should not say.
pub(super) const BRIEFLY: Duration = Duration::from_millis(30);
/// More bytes than a test has.
pub(super) const MANY: usize = 1 << 20;

/// A topic to be made.
pub fn topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> NewTopic {
    let config = config.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
    NewTopic { name: name.into(), partitions, replication_factor: -1, config }
}

pub(super) fn settings(group: &str) -> ClientSettings {
    ClientSettings::from([("group.id".into(), group.into())])
}

pub(super) fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

pub(super) fn position(topic: &str, partition: i32, offset: i64) -> Position {
    Position { partition: at(topic, partition), offset }
}

/// Records without key.
pub fn values(topic: &str, partition: Option<i32>, values: &[&str]) -> RawRecords {
    let keyed: Vec<_> = values.iter().map(|value| (None, *value)).collect();
    keyed_values(topic, partition, &keyed)
}

pub(super) fn keyed_values(topic: &str, partition: Option<i32>, records: &[(Option<&str>, &str)]) -> RawRecords {
    let (mut key, mut value) = (Column::default(), Column::default());
    for (k, v) in records {
        key.push_option(k.map(str::as_bytes));
        value.push(v.as_bytes());
    }
    let partitions = partition.map(Some).into_iter().collect();
    RawRecords { rows: records.len(), topics: vec![topic.into()], partitions, key, value, ..RawRecords::default() }
}

/// Sends records and waits for all answers, in the order of their tickets.
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

pub(super) async fn offsets(producer: &mut Box<dyn Producer>, records: RawRecords) -> Vec<(i32, i64)> {
    send(producer, records).await.into_iter().map(|sent| sent.outcome.unwrap()).collect()
}

/// A record as tests compare it: partition, offset, key, value.
pub type Read = (i32, i64, Option<String>, Option<String>);

pub(super) fn text(cell: Option<&[u8]>) -> Option<String> {
    cell.map(|cell| String::from_utf8(cell.to_vec()).unwrap())
}

pub(super) fn rows(records: &RawRecords) -> Vec<Read> {
    let row = |row| {
        let partition = records.partition_of(row).unwrap();
        (partition, records.offset[row], text(records.key.get(row)), text(records.value.get(row)))
    };
    (0..records.rows).map(row).collect()
}

pub(super) async fn assigned(consumer: &mut Box<dyn Consumer>) -> Vec<Position> {
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

/// A consumer of topics in a group.
pub async fn consumer(broker: &Arc<dyn Broker>, group: &str, topics: &[&str]) -> Box<dyn Consumer> {
    let topics = topics.iter().map(|topic| (*topic).to_string()).collect();
    broker.consumer(&Subscription::Topics(topics), &settings(group)).await.unwrap()
}
