//! Other processes' way to a store: with a worker that runs and without, and what a hostile one may send.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use weir_core::contract::{send, topic, values};
use weir_core::model::{Position, RawRecords, TopicPartition};
use weir_core::port::{Broker, BrokerError, ClientSettings, Created};
use weir_local::{Local, LocalClient, Server, Settings, TopicAdmin};

fn position(topic: &str, partition: i32, offset: i64) -> Position {
    Position { partition: TopicPartition { topic: topic.into(), partition }, offset }
}

fn texts(records: &RawRecords) -> Vec<String> {
    let text = |row| String::from_utf8(records.value.get(row).unwrap().to_vec()).unwrap();
    (0..records.rows).map(text).collect()
}

/// The operations of `weir topic`, one after the other.
async fn walk(client: &LocalClient) {
    assert_eq!(client.create(&topic("walked", 2, &[("retention.ms", "-1")])).await, Ok(Created::New));
    assert_eq!(client.create(&topic("walked", 2, &[])).await, Ok(Created::Existed));
    assert!(matches!(client.create(&topic("a/b", 1, &[])).await, Err(BrokerError::Rejected(_))));
    let mut records = values("walked", None, &["a", "b", "c"]);
    records.partitions = vec![Some(1), None, Some(5)];
    records.partition = vec![2, 0, 0];
    let outcomes = client.produce(records).await.unwrap();
    assert!(matches!(outcomes[0], Err(BrokerError::Rejected(_))), "{outcomes:?}");
    assert_eq!(outcomes[1..], [Ok((1, 0)), Ok((1, 1))]);
    let keyed = client.produce(RawRecords { key: values("", None, &["21"]).value, ..values("walked", None, &["k"]) });
    assert_eq!(keyed.await.unwrap(), [Ok(((-973_932_308i32 & i32::MAX) % 2, 0))]);

    let listed = client.list().await.unwrap();
    assert_eq!(listed.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["walked"]);
    let described = client.describe("walked").await.unwrap().unwrap();
    assert_eq!(described, listed[0]);
    assert_eq!((described.partitions[1].end, described.config["retention.ms"].as_str()), (2, "-1"));
    assert_eq!(client.describe("nowhere").await.unwrap(), None);

    let from = [position("walked", 1, 0), position("walked", 0, 0)];
    let (records, next) = client.read(&from, Duration::ZERO, 1 << 20).await.unwrap();
    assert_eq!(texts(&records), ["b", "c", "k"]);
    assert!(records.timestamp_of(0).is_some());
    assert_eq!(next, [position("walked", 1, 2), position("walked", 0, 1)]);
    let (none, same) = client.read(&next, Duration::from_millis(5), 1 << 20).await.unwrap();
    assert_eq!((none.rows, &same), (0, &next));
    assert!(client.read(&[position("nowhere", 0, 0)], Duration::ZERO, 1).await.is_err());

    assert_eq!(client.delete("walked").await, Ok(true));
    assert_eq!(client.delete("walked").await, Ok(false));
}

async fn serving<T>(dir: &Path, during: impl AsyncFnOnce(Arc<Local>) -> T) -> T {
    let local = Local::open(dir, Settings::default()).unwrap();
    let server = Server::bind(local.clone()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(server.run(async { _ = stopped.await }));
    let done = during(local).await;
    drop(stop);
    run.await.unwrap();
    done
}

#[tokio::test]
async fn the_same_works_with_a_worker_and_without() {
    let dir = tempfile::tempdir().unwrap();
    assert!(LocalClient::connect(dir.path()).await.is_err(), "no store is made by looking for one");
    let client = LocalClient::connect_or_make(dir.path()).await.unwrap();
    assert!(!client.is_through_worker());
    walk(&client).await;
    drop(client);
    serving(dir.path(), async |_| {
        let client = LocalClient::connect(dir.path()).await.unwrap();
        assert!(client.is_through_worker());
        walk(&client).await;
    })
    .await;
    assert!(!dir.path().join("weir.sock").exists());
    walk(&LocalClient::connect(dir.path()).await.unwrap()).await;
}

#[tokio::test]
async fn directories_with_long_names_have_sockets_too() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120)).join("e".repeat(100));
    serving(&deep, async |_| {
        let mode = std::fs::metadata(deep.join("weir.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let client = LocalClient::connect(&deep).await.unwrap();
        assert!(client.is_through_worker());
        walk(&client).await;
    })
    .await;
}

#[tokio::test]
async fn a_reader_waits_for_records_and_outlives_its_worker() {
    let dir = tempfile::tempdir().unwrap();
    let from = [position("t", 0, 0)];
    let client = serving(dir.path(), async |local| {
        local.create_topic(&topic("t", 1, &[])).await.unwrap();
        let client = LocalClient::connect(dir.path()).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        let write = async { send(&mut producer, values("t", None, &["a"])).await };
        let (read, _) = tokio::join!(client.read(&from, Duration::from_secs(20), 1 << 20), write);
        assert_eq!(texts(&read.unwrap().0), ["a"]);
        client
    })
    .await;
    assert!(matches!(client.read(&from, Duration::ZERO, 100).await, Err(BrokerError::Unavailable(_))));
    serving(dir.path(), async |_| {
        let (read, _) = client.read(&from, Duration::ZERO, 100).await.unwrap();
        assert_eq!(texts(&read), ["a"]);
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    serving(dir.path(), async |_| {
        let frame = |version: u8, header: &[u8], header_length: u32, body_length: u32| {
            let mut frame = vec![version];
            frame.extend_from_slice(&header_length.to_le_bytes());
            frame.extend_from_slice(&body_length.to_le_bytes());
            frame.extend_from_slice(header);
            frame
        };
        let produce = br#"{"op":"produce","chunks":[{"topic":"t","partition":0,"offset":0,"bytes":4000000000}]}"#;
        let read = br#"{"op":"read","from":[{"topic":"t","partition":-5,"offset":-9}],"max_wait_ms":18446744073709551615,"max_bytes":0}"#;
        for bytes in [
            frame(9, b"{}", 2, 0),
            frame(1, b"{}", 2, 0),
            frame(1, b"{\"op\":\"burn\"}", 13, 0),
            frame(1, b"", u32::MAX, u32::MAX),
            frame(1, produce, produce.len() as u32, 0),
            frame(1, read, read.len() as u32, 0),
        ] {
            let mut stream = UnixStream::connect(dir.path().join("weir.sock")).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            let mut answer = [0; 9];
            stream.read_exact(&mut answer).await.unwrap();
            let mut said = vec![0; u32::from_le_bytes(answer[1..5].try_into().unwrap()) as usize];
            stream.read_exact(&mut said).await.unwrap();
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains("\"failed\"") && said.contains("rejected"), "{said}");
        }
        // One that sends half a frame and goes, and one that only holds the line.
        let mut half = UnixStream::connect(dir.path().join("weir.sock")).await.unwrap();
        half.write_all(&frame(1, b"{", 100, 100)).await.unwrap();
        drop(half);
        let _idle = UnixStream::connect(dir.path().join("weir.sock")).await.unwrap();
        walk(&LocalClient::connect(dir.path()).await.unwrap()).await;
    })
    .await;
}
