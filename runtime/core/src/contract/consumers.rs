//! What every consumer must do by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::steps::{BRIEFLY, MANY, SOON, assigned, at, consumer, offsets, position, read, rows, send, topic, values};
use crate::port::{Broker, ClientSettings, ConsumerPolled as Polled};

/// A poll that waits wakes for records.
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

/// Polls are bounded in bytes, and dropping one loses no record.
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

/// Pause, resume and seek touch only the partitions they name.
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
    // What it has not, or has no more, is left alone: it will hear of that next.
    reader.pause(&[at("steered", 2)]).unwrap();
    reader.resume(&[at("else", 0)]).unwrap();
    reader.seek(&[position("else", 0, 0), position("steered", 0, 1)]).await.unwrap();
    assert_eq!(read(&mut reader, 1).await, [(0, 1, None, Some("b".into()))]);
}
