//! What every producer must do.

use std::sync::Arc;

use weir_data::Column;

use super::steps::{MANY, SOON, assigned, consumer, keyed_values, offsets, position, send, topic, values};
use crate::model::{RawHeaders, RawRecords};
use crate::port::{Broker, BrokerError, ClientSettings, ConsumerPolled as Polled};

/// Keys, values, nulls, headers and timestamps come back as they were sent.
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
    assert_eq!(broker.topic_ends("whole").await.unwrap(), [position("whole", 0, 0)]);
    assert_eq!(offsets(&mut producer, sent.clone()).await, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(broker.topic_ends("whole").await.unwrap(), [position("whole", 0, 3)]);
    assert_eq!(producer.unanswered_bytes(), 0);
    let mut reader = consumer(&broker, "g", &["whole"]).await;
    assert_eq!(assigned(&mut reader).await, [position("whole", 0, 0)]);
    let mut row = 0;
    while row < 3 {
        let Polled::Records(read) = reader.poll(SOON, MANY).await.unwrap() else { panic!("records expected") };
        for at in 0..read.rows {
            assert_eq!((&**read.topic_of(at), read.partition_of(at)), ("whole", Some(0)));
            assert_eq!((read.offset[at], read.timestamp_of(at)), (row as i64, sent.timestamp_of(row)));
            assert_eq!((read.key.get(at), read.value.get(at)), (sent.key.get(row), sent.value.get(row)), "{row}");
            assert_eq!(read.headers.of(at).collect::<Vec<_>>(), sent.headers.of(row).collect::<Vec<_>>(), "{row}");
            row += 1;
        }
    }
}

/// Keyed records go where Java puts them.
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

/// A record without a place is refused; those around it are written.
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
