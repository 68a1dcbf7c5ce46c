//! A disk without room: producers wait, others are told, nothing acknowledged is lost, and work goes on once there is
//! room.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_core::contract::{consumer, read, topic, values};
use weir_core::port::{Broker, ClientSettings, LogRecord, Sent, StoreError};
use weir_local::{Local, Settings};

const CHILD_DIR: &str = "WEIR_LOCAL_CHILD_DIR";

/// Longer than an append takes that finds room.
const STUCK: Duration = Duration::from_secs(2);
/// Longer than anything takes once there is room.
const SOON: Duration = Duration::from_secs(20);

/// Fills the store until nothing more goes in, has room made, and looks at everything.
async fn fill(dir: &Path, limit: impl FnOnce(), make_room: impl FnOnce()) {
    let local = Local::open(dir, Settings::default()).unwrap();
    let broker: Arc<dyn Broker> = local.clone();
    local.create_topic(&topic("filling", 1, &[])).await.unwrap();
    let log = broker.compacted_log(&topic("log", 1, &[])).await.unwrap();
    limit();
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    let mut given_up = local.producer(&ClientSettings::new()).await.unwrap();
    let large = "x".repeat(50_000);
    let mut acknowledged = Vec::new();
    let mut last = 0;
    loop {
        last += 1;
        assert!(last < 2000, "nothing was full");
        producer.send(values("filling", None, &[&*large]), &[last]).unwrap();
        let Ok(answers) = tokio::time::timeout(STUCK, producer.answers()).await else { break };
        acknowledged.extend(answers.into_iter().map(offset));
    }
    assert!(acknowledged.len() > 10, "{} records fit", acknowledged.len());
    given_up.send(values("filling", None, &["nobody waits for this"]), &[0]).unwrap();
    drop(given_up);
    for _ in 0..3 {
        last += 1;
        producer.send(values("filling", None, &[&*large]), &[last]).unwrap();
    }
    // Whoever is not a task's producer is told at once.
    let record = LogRecord { key: Some(b"key".to_vec()), value: Some(large.clone().into_bytes()) };
    let Err(StoreError::Unavailable(why)) = log.append(vec![record]).await else { panic!("it was taken") };
    assert!(why.contains(&dir.display().to_string()) && why.contains("room"), "{why}");
    let mut reader = consumer(&broker, "while-full", &["filling"]).await;
    let seen = read(&mut reader, acknowledged.len()).await;
    assert!(acknowledged.iter().all(|offset| seen.iter().any(|row| row.1 == *offset)), "readable while full");
    drop(reader);

    make_room();
    while (acknowledged.len() as u64) < last {
        let answers = tokio::time::timeout(SOON, producer.answers()).await.expect("it goes on by itself");
        acknowledged.extend(answers.into_iter().map(offset));
    }
    assert!(acknowledged.windows(2).all(|pair| pair[0] < pair[1]), "in the order in which they were sent");
    drop((producer, log, broker, local));
    let local: Arc<dyn Broker> = Local::open(dir, Settings::default()).unwrap();
    let mut reader = consumer(&local, "afterwards", &["filling"]).await;
    let seen = read(&mut reader, acknowledged.len()).await;
    assert!(acknowledged.iter().all(|offset| seen.iter().any(|row| row.1 == *offset)));
    assert!(seen.iter().all(|row| row.3.as_deref() == Some(&large)), "what was given up was not written");
}

fn offset(sent: Sent) -> i64 {
    sent.outcome.expect("what is answered was written").1
}

/// Not a test of its own: a process that may not let files grow, and ignores the signal about it.
#[tokio::test]
async fn child_with_a_limit() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let whole = getrlimit(Resource::Fsize);
    let limit = |bytes| setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: whole.maximum }).unwrap();
    fill(Path::new(&dir), || limit(Some(4 << 20)), || limit(whole.current)).await;
    println!("\nfilled and recovered");
}

#[test]
fn a_file_that_may_not_grow_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact child_with_a_limit --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD_DIR, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("filled and recovered"), "{said}");
}

struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(dir.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        println!("SKIPPED: no small tmpfs can be mounted here (needs root); the limit on file size stands in for it");
        return;
    }
    let _mount = Mount(dir.path());
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let store = dir.path().join("store");
    fill(&store, || (), || std::fs::remove_file(&ballast).unwrap()).await;
}
