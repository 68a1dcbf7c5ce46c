//! A disk without room: appends say so, nothing acknowledged is lost, and work goes on once there is room.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_core::contract::{consumer, read, send, topic, values};
use weir_core::port::{Broker, BrokerError, ClientSettings};
use weir_local::{Local, Settings};

const CHILD_DIR: &str = "WEIR_LOCAL_CHILD_DIR";

/// Fills the store until it refuses, has room made, and looks at everything.
async fn fill(dir: &Path, limit: impl FnOnce(), make_room: impl FnOnce()) {
    let local = Local::open(dir, Settings::default()).unwrap();
    let broker: Arc<dyn Broker> = local.clone();
    local.create_topic(&topic("filling", 1, &[])).await.unwrap();
    limit();
    let mut producer = local.producer(&ClientSettings::new()).await.unwrap();
    let large = "x".repeat(50_000);
    let (mut acknowledged, mut refused) = (Vec::new(), None);
    for _ in 0..2000 {
        match send(&mut producer, values("filling", None, &[&*large])).await.remove(0).outcome {
            Ok((_, offset)) => acknowledged.push(offset),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let Some(BrokerError::Unavailable(why)) = refused else { panic!("no refusal as there should be: {refused:?}") };
    assert!(why.contains(&dir.display().to_string()) && why.contains("room"), "{why}");
    assert!(acknowledged.len() > 10, "{} records fit", acknowledged.len());
    for _ in 0..3 {
        let sent = send(&mut producer, values("filling", None, &[&*large])).await.remove(0);
        assert!(matches!(sent.outcome, Err(BrokerError::Unavailable(_)) | Ok(_)), "{sent:?}");
        acknowledged.extend(sent.outcome.ok().map(|(_, offset)| offset));
    }
    let mut reader = consumer(&broker, "while-full", &["filling"]).await;
    let seen = read(&mut reader, acknowledged.len()).await;
    assert!(acknowledged.iter().all(|offset| seen.iter().any(|row| row.1 == *offset)), "readable while full");
    drop(reader);

    make_room();
    let sent = send(&mut producer, values("filling", None, &["after"])).await.remove(0);
    acknowledged.push(sent.outcome.expect("it goes on by itself").1);
    drop((producer, broker, local));
    let local: Arc<dyn Broker> = Local::open(dir, Settings::default()).unwrap();
    let mut reader = consumer(&local, "afterwards", &["filling"]).await;
    let seen = read(&mut reader, acknowledged.len()).await;
    assert!(acknowledged.iter().all(|offset| seen.iter().any(|row| row.1 == *offset)));
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
