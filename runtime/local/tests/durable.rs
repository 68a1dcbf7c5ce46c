//! What is left after a restart, after kill -9 and after damage.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::contract::{consumer, read, send, topic, values};
use weir_core::model::{Position, TopicPartition};
use weir_core::port::{Broker, BrokerError, ClientSettings};
use weir_local::{Local, LocalClient, Settings, TopicAdmin};

const CHILD_DIR: &str = "WEIR_LOCAL_CHILD_DIR";
const ROWS: u64 = 7;

fn open(dir: &Path) -> Arc<Local> {
    Local::open(dir, Settings::default()).unwrap()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let id = {
        let local = open(dir.path());
        let broker: Arc<dyn Broker> = local.clone();
        local.create_topic(&topic("kept", 2, &[("retention.bytes", "1000000")])).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        send(&mut producer, values("kept", Some(1), &["a", "b", "c"])).await;
        let mut reader = consumer(&broker, "g", &["kept"]).await;
        read(&mut reader, 3).await;
        let partition = TopicPartition { topic: "kept".into(), partition: 1 };
        reader.commit(&[Position { partition, offset: 1 }]).await.unwrap();
        local.cluster_id().await.unwrap()
    };
    let local = open(dir.path());
    let broker: Arc<dyn Broker> = local.clone();
    assert_eq!(local.cluster_id().await.unwrap(), id);
    let kept = local.describe("kept").await.unwrap().unwrap();
    assert_eq!((kept.partitions[1].end, kept.config["retention.bytes"].as_str()), (3, "1000000"));
    let mut reader = consumer(&broker, "g", &["kept"]).await;
    assert_eq!(read(&mut reader, 2).await.iter().map(|row| row.1).collect::<Vec<_>>(), [1, 2]);
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    assert_eq!(send(&mut producer, values("kept", Some(1), &["d"])).await[0].outcome, Ok((1, 3)));
}

#[tokio::test]
async fn a_directory_that_is_in_use_is_refused_with_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let _local = open(dir.path());
    let Err(BrokerError::Rejected(why)) = Local::open(dir.path(), Settings::default()) else { panic!("opened twice") };
    assert!(why.contains(&format!("process {}", std::process::id())) && why.contains("weir topic"), "{why}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(Local::open(file.path(), Settings::default()), Err(BrokerError::Rejected(_))));
}

/// Not a test of its own: appends and says what was acknowledged, until it is killed.
#[tokio::test]
async fn child_that_appends() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let local = open(Path::new(&dir));
    local.create_topic(&topic("stream", 1, &[])).await.unwrap();
    let mut number = local.describe("stream").await.unwrap().unwrap().partitions[0].end as u64;
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    let mut out = std::io::stdout();
    loop {
        while producer.unanswered_bytes() < 4000 {
            let texts: Vec<String> = (number..number + ROWS).map(|number| format!("record-{number}")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            producer.send(values("stream", None, &texts), &(number..number + ROWS).collect::<Vec<_>>()).unwrap();
            number += ROWS;
        }
        for sent in producer.answers().await {
            assert_eq!(sent.outcome, Ok((0, sent.ticket as i64)));
            writeln!(out, "\nacknowledged {}", sent.ticket).unwrap();
        }
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_kill_9_is_there_and_nothing_is_there_by_half() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = 0;
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends", "--nocapture", "--test-threads=1"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut last = None;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        wanted += round * round * 311 + 1;
        while last.is_none_or(|last| last < wanted) {
            let line = lines.next().expect("the child goes on").unwrap();
            last = line.strip_prefix("acknowledged ").map(|number| number.parse::<u64>().unwrap()).or(last);
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            // The last line may be cut off, and a cut number is smaller.
            let number = line.strip_prefix("acknowledged ").and_then(|number| number.parse().ok());
            last = last.max(number);
        }
        child.wait().unwrap();

        let begun = Instant::now();
        let local = open(dir.path());
        assert!(begun.elapsed() < Duration::from_secs(5), "reopened after {:?}", begun.elapsed());
        let end = local.describe("stream").await.unwrap().unwrap().partitions[0].end;
        let (last, broker) = (last.unwrap(), local.clone() as Arc<dyn Broker>);
        assert!(end > last as i64 && (end as u64).is_multiple_of(ROWS), "{last} was acknowledged, the end is {end}");
        let mut reader = consumer(&broker, &format!("round-{round}"), &["stream"]).await;
        let all = read(&mut reader, end as usize).await;
        for (number, record) in all.iter().enumerate() {
            assert_eq!(*record, (0, number as i64, None, Some(format!("record-{number}"))));
        }
        assert_eq!(all.len() as i64, end);
        wanted = end as u64;
    }
}

#[tokio::test]
async fn damaged_and_newer_entries_are_left_out_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    {
        let local = open(dir.path());
        local.create_topic(&topic("hurt", 1, &[("cleanup.policy", "compact,delete")])).await.unwrap();
        let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
        for value in ["a", "b", "c", "d", "e", "f"] {
            let mut records = values("hurt", None, &[value]);
            records.key.truncate(0);
            records.key.push(value.as_bytes());
            send(&mut producer, records).await;
        }
    }
    let entries: redb::TableDefinition<(u64, i32, i64), &[u8]> = redb::TableDefinition::new("entries");
    let database = redb::Database::open(dir.path().join("weir.redb")).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(entries).unwrap();
        let mut change = |at: i64, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = table.remove((1, 0, at)).unwrap().unwrap().value().to_vec();
            change(&mut bytes);
            table.insert((1, 0, at), bytes.as_slice()).unwrap();
        };
        change(1, &|bytes| *bytes.last_mut().unwrap() ^= 1);
        change(2, &|bytes| bytes[0] = 9);
        change(3, &|bytes| bytes.truncate(20));
        change(5, &|bytes| bytes.clear());
    }
    write.commit().unwrap();
    drop(database);
    let local = open(dir.path());
    local.upkeep().unwrap();
    let broker: Arc<dyn Broker> = local.clone();
    let mut reader = consumer(&broker, "g", &["hurt"]).await;
    let left = read(&mut reader, 2).await;
    assert_eq!(left.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 4]);
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    let mut next = values("hurt", None, &["g"]);
    next.key.truncate(0);
    next.key.push(b"g");
    assert_eq!(send(&mut producer, next).await[0].outcome, Ok((0, 6)));
    assert_eq!(read(&mut reader, 1).await[0].1, 6);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("weir.redb"), b"these are somebody's notes").unwrap();
    assert!(Local::open(dir.path(), Settings::default()).is_err());
    assert!(LocalClient::connect(dir.path()).await.is_err());
    assert_eq!(std::fs::read(dir.path().join("weir.redb")).unwrap(), b"these are somebody's notes");
}
