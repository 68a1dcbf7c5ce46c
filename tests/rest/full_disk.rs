//! A disk without room, seen from REST: an error with its reason, nothing half done, and work goes on once there is room.
//! Files that may not grow stand in for the disk; where a small file system can be mounted, it is tried too.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::harness::guest;
use weir_tests::harness::http::{Answer, send};
use weir_tests::harness::worker::Worker;

use super::uploads::upload;
use super::{get, properties, states};

fn assert_no_room(answer: &Answer, status: u16, place: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["error_code"], status, "{answer:?}");
    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains(place), "{place}: {answer:?}");
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn an_upload_without_room_is_refused_with_its_reason_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::confined(folder, &properties(folder, "local:memory"));
    let url = worker.url();
    let (uploads, compiled) = (folder.join("uploads"), folder.join("cache/weir/compiled"));
    let compiled_before = files(&compiled);
    let wasm = guest("counter_source");
    let size = wasm.len() as u64;
    for (bound, place) in [(size / 2, &uploads), (size + 1, &compiled)] {
        worker.bound_files(Some(bound));
        assert_no_room(&upload(&url, &wasm), 503, &place.display().to_string());
        assert_eq!((files(&uploads), files(&compiled)), (0, compiled_before), "{bound}");
    }
    worker.bound_files(None);
    assert_eq!(upload(&url, &wasm).status, 201);
    assert!(worker.stop());
}

struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn an_upload_onto_a_full_disk_is_refused_and_taken_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let uploads = folder.join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&uploads).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        println!("SKIPPED: no small tmpfs can be mounted here (needs root); the bound on file sizes stands in for it");
        return;
    }
    let _mount = Mount(&uploads);
    let wasm = guest("counter_source");
    let ballast = uploads.join("ballast");
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    std::fs::write(&ballast, vec![1; (2 << 20) - wasm.len() / 2]).unwrap();
    assert_no_room(&upload(&url, &wasm), 503, &uploads.display().to_string());
    assert_eq!(files(&uploads), 1, "but for the ballast nothing is there");
    assert!(!get(&format!("{url}/connector-plugins")).to_string().contains("CounterSource"));
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(upload(&url, &wasm).status, 201);
    assert!(worker.stop());
}

#[test]
fn changes_without_room_are_answered_with_an_error_and_go_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = folder.join("data");
    let mut worker = Worker::confined(folder, &properties(folder, &format!("local:{}", data.display())));
    let url = worker.url();
    let connectors = format!("{url}/connectors");
    std::fs::write(folder.join("in.txt"), "a\n").unwrap();
    let source = |note: &str| -> Value {
        json!({"connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": "lines", "note": note})
    };
    assert_eq!(send("PUT", &format!("{connectors}/src/config"), &source("")).status, 201);
    worker.until("running", || states(&url, "src").1 == ["RUNNING"]);
    let store = std::fs::metadata(data.join("weir.redb")).unwrap().len();
    worker.bound_files(Some(store + (1 << 20)));
    let large = "x".repeat(1 << 20);
    let full = (0..100).map(|n| send("PUT", &format!("{connectors}/src/config"), &source(&format!("{n}{large}"))));
    let full = full.into_iter().find(|answer| answer.status != 200).expect("the store is full at last");
    assert_no_room(&full, 500, &data.display().to_string());
    let named = |name: &str| json!({"name": name, "config": source(&large)});
    assert_no_room(&send("POST", &connectors, &named("late")), 500, &data.display().to_string());
    assert_eq!(get(&connectors), json!(["src"]), "what was refused is not there");
    worker.bound_files(None);
    assert_eq!(send("POST", &connectors, &named("late")).status, 201);
    assert_eq!(send("PUT", &format!("{connectors}/src/config"), &source("small")).status, 200);
    worker.until("running again", || ["src", "late"].iter().all(|name| states(&url, name).1 == ["RUNNING"]));
    assert_eq!(get(&format!("{connectors}/src/config"))["note"], "small");
    assert!(worker.stop());
}
