//! Retention, compaction and deletion over the whole store, in memory and on disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use weir_core::contract::{consumer, read, send, topic, values};
use weir_core::port::{Broker, ClientSettings, CompactedLog, ConsumerPolled as Polled, LogRecord};
use weir_local::{Clock, Local, PartitionDetails, Place, Settings, TopicAdmin};

/// A store whose clock stands until it is moved; without a directory it is in memory.
fn store(dir: Option<&Path>) -> (Arc<Local>, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let told = now.clone();
    let settings = Settings { clock: Clock::new(move || told.load(Ordering::Relaxed)), ..Settings::default() };
    let local = match dir {
        Some(dir) => Local::open(dir, settings),
        None => Local::memory(settings),
    };
    (local.unwrap(), now)
}

async fn on_both<F: Future<Output = ()>>(check: impl Fn(Arc<Local>, Arc<AtomicI64>) -> F) {
    let (local, now) = store(None);
    check(local, now).await;
    let dir = tempfile::tempdir().unwrap();
    let (local, now) = store(Some(dir.path()));
    check(local, now).await;
}

async fn numbers(local: &Local, topic: &str) -> PartitionDetails {
    local.describe(topic).await.unwrap().unwrap().partitions[0]
}

#[tokio::test]
async fn old_records_go_and_readers_go_on_with_what_is_left() {
    on_both(|local, now| async move {
        let broker: Arc<dyn Broker> = local.clone();
        local.create_topic(&topic("aging", 1, &[("retention.ms", "1000")])).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        send(&mut producer, values("aging", None, &["old", "older"])).await;
        now.fetch_add(600, Ordering::Relaxed);
        send(&mut producer, values("aging", None, &["young"])).await;
        local.upkeep().unwrap();
        assert_eq!(numbers(&local, "aging").await.start, 0);
        now.fetch_add(600, Ordering::Relaxed);
        local.upkeep().unwrap();
        assert_eq!(numbers(&local, "aging").await.start, 2);
        let mut reader = consumer(&broker, "g", &["aging"]).await;
        assert_eq!(read(&mut reader, 1).await, [(0, 2, None, Some("young".into()))]);
        now.fetch_add(600, Ordering::Relaxed);
        local.upkeep().unwrap();
        assert_eq!(numbers(&local, "aging").await, PartitionDetails { start: 3, end: 3, bytes: 0 });
        let sent = send(&mut producer, values("aging", None, &["next"])).await;
        assert_eq!(sent[0].outcome, Ok((0, 3)), "offsets go on after everything went");
    })
    .await;
}

#[tokio::test]
async fn bytes_beyond_the_limit_go() {
    on_both(|local, _| async move {
        let config = [("retention.ms", "-1"), ("retention.bytes", "50000")];
        local.create_topic(&topic("full", 1, &config)).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        let large = "x".repeat(1000);
        for _ in 0..200 {
            send(&mut producer, values("full", None, &[&*large])).await;
        }
        local.upkeep().unwrap();
        let left = numbers(&local, "full").await;
        assert!((50_000..55_000).contains(&left.bytes) && left.end == 200, "{left:?}");
        assert!((140..160).contains(&left.start), "{left:?}");
    })
    .await;
}

fn record(key: &str, value: Option<&str>) -> LogRecord {
    LogRecord { key: Some(key.into()), value: value.map(Into::into) }
}

async fn entries(log: &Arc<dyn CompactedLog>) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let entries = log.reader().await.unwrap().read_to_end().await.unwrap();
    entries
        .into_iter()
        .map(|entry| (entry.offset, text(entry.record.key.unwrap()), entry.record.value.map(text)))
        .collect()
}

#[tokio::test]
async fn compaction_keeps_the_last_of_each_key_and_tombstones_for_a_while() {
    on_both(|local, now| async move {
        let log = local.compacted_log(&topic("log", 1, &[("delete.retention.ms", "1000")])).await.unwrap();
        let mut follower = log.reader().await.unwrap();
        for round in 0..60 {
            let value = round.to_string();
            log.append(vec![record("a", Some(&value)), record(&format!("k{}", round % 3), Some(&value))])
                .await
                .unwrap();
        }
        log.append(vec![record("a", None)]).await.unwrap();
        assert_eq!(follower.read_to_end().await.unwrap().len(), 121);
        local.upkeep().unwrap();
        let kept = [(115, "k0", Some("57")), (117, "k1", Some("58")), (119, "k2", Some("59")), (120, "a", None)];
        let kept = kept.map(|(offset, key, value)| (offset, key.to_string(), value.map(str::to_string)));
        assert_eq!(entries(&log).await, kept);
        log.append(vec![record("b", Some("new"))]).await.unwrap();
        assert_eq!(follower.read_to_end().await.unwrap().len(), 1, "a follower goes on where it was");
        now.fetch_add(1001, Ordering::Relaxed);
        for _ in 0..9 {
            log.append(vec![record("b", Some("newer"))]).await.unwrap();
        }
        local.upkeep().unwrap();
        let left: Vec<String> = entries(&log).await.into_iter().map(|entry| entry.1).collect();
        assert_eq!(left, ["k0", "k1", "k2", "b"]);
    })
    .await;
}

#[tokio::test]
async fn compaction_works_with_less_room_than_there_are_keys() {
    let local = Local::memory(Settings { compaction_bytes_max: 2000, ..Settings::default() }).unwrap();
    let log = local.compacted_log(&topic("log", 1, &[("min.cleanable.dirty.ratio", "0")])).await.unwrap();
    for round in 0..3 {
        for key in 0..50 {
            log.append(vec![record(&format!("key-{key}"), Some(&round.to_string()))]).await.unwrap();
        }
    }
    local.upkeep().unwrap();
    let all = entries(&log).await;
    for key in 0..50 {
        let key = format!("key-{key}");
        let last = all.iter().rfind(|entry| entry.1 == key).unwrap();
        assert_eq!(last.2.as_deref(), Some("2"), "{key}");
    }
}

#[tokio::test]
async fn a_deleted_topic_is_gone_and_a_new_one_of_its_name_begins_anew() {
    on_both(|local, _| async move {
        let broker: Arc<dyn Broker> = local.clone();
        local.create_topic(&topic("gone", 1, &[])).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        // More entries than go in one transaction, where they cost little.
        let count = if *local.place() == Place::Memory { 300 } else { 30 };
        for _ in 0..count {
            send(&mut producer, values("gone", None, &["a"])).await;
        }
        let mut reader = consumer(&broker, "g", &["gone"]).await;
        let all = read(&mut reader, count).await;
        let partition = weir_core::model::TopicPartition { topic: "gone".into(), partition: 0 };
        let position = weir_core::model::Position { partition: partition.clone(), offset: all.len() as i64 };
        reader.commit(std::slice::from_ref(&position)).await.unwrap();
        assert_eq!(local.delete_topic("gone").await, Ok(true));
        assert_eq!(local.delete_topic("gone").await, Ok(false));
        assert_eq!(reader.poll(Duration::from_secs(9), 1000).await, Ok(Polled::Lost(vec![partition])));
        assert!(reader.commit(&[position]).await.is_err());
        assert!(send(&mut producer, values("gone", None, &["b"])).await[0].outcome.is_err());
        local.upkeep().unwrap();
        local.create_topic(&topic("gone", 1, &[])).await.unwrap();
        assert_eq!(broker.group_offsets("g").await.unwrap(), []);
        assert_eq!(send(&mut producer, values("gone", None, &["c"])).await[0].outcome, Ok((0, 0)));
        assert_eq!(read(&mut reader, 1).await, [(0, 0, None, Some("c".into()))]);
    })
    .await;
}

#[tokio::test]
async fn a_topic_made_again_before_its_reader_looked_is_read_from_its_beginning() {
    on_both(|local, _| async move {
        let broker: Arc<dyn Broker> = local.clone();
        local.create_topic(&topic("again", 1, &[])).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        send(&mut producer, values("again", None, &["a", "b"])).await;
        let mut reader = consumer(&broker, "g", &["again"]).await;
        read(&mut reader, 2).await;
        local.delete_topic("again").await.unwrap();
        local.create_topic(&topic("again", 1, &[])).await.unwrap();
        send(&mut producer, values("again", None, &["c"])).await;
        assert_eq!(read(&mut reader, 1).await, [(0, 0, None, Some("c".into()))]);
    })
    .await;
}

#[tokio::test]
async fn upkeep_comes_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { upkeep_interval: Duration::from_millis(20), ..Settings::default() };
    let local = Local::open(dir.path(), settings).unwrap();
    local.create_topic(&topic("aging", 1, &[("retention.ms", "1")])).await.unwrap();
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    send(&mut producer, values("aging", None, &["a"])).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while numbers(&local, "aging").await.start == 0 {
        assert!(Instant::now() < deadline, "nothing went");
        tokio::task::yield_now().await;
    }

    let (local, now) = store(None);
    local.create_topic(&topic("aging", 1, &[("retention.ms", "1")])).await.unwrap();
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    send(&mut producer, values("aging", None, &["a"])).await;
    now.fetch_add(60_000, Ordering::Relaxed);
    send(&mut producer, values("aging", None, &["b"])).await;
    assert_eq!(numbers(&local, "aging").await.start, 1, "in memory it comes with an append");
}
