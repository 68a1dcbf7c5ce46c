//! Senders of plugins that go away before they are answered: nothing half done is left, and nobody stands in the way of
//! those who come after.

use std::path::Path;

use weir_tests::harness::guest;
use weir_tests::harness::worker::{Worker, children};

use super::properties;
use super::uploads::{begin, hash, left, upload};

/// Whether a worker has something compiled.
fn compiles(worker: u32) -> bool {
    children(worker).iter().any(|(line, _)| line.contains("\0compile\0"))
}

/// Files below a folder that a worker has open, with a name or without.
fn open_files(worker: u32, folder: &Path) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{worker}/fd")).unwrap().flatten();
    descriptors.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder))).count()
}

#[test]
fn senders_that_go_away_in_mid_upload_leave_nothing_behind_and_no_place_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::confined(folder, &properties(folder, "local:memory"));
    let (url, id) = (worker.url(), worker.id());
    let before = left(folder, &url);
    let uploads = folder.join("uploads");
    let wasm = guest("weather");
    // More than there are places for.
    for _ in 0..20 {
        let mut sender = begin(&url, &wasm);
        sender.send(&wasm[..wasm.len() / 2]);
        worker.until("its file, or no place for it", || open_files(id, &uploads) > 0);
    }
    worker.until("no open file", || open_files(id, &uploads) == 0);
    assert_eq!(left(folder, &url), before);
    assert_eq!(upload(&url, &wasm).status, 201);
    assert!(worker.stop());
}

#[test]
fn senders_that_go_away_while_their_plugin_is_compiled_leave_it_whole_and_no_turn_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::confined(folder, &properties(folder, "local:memory"));
    let (url, id) = (worker.url(), worker.id());
    let known = || left(folder, &url).2.as_array().unwrap().len();
    let compiled_before = left(folder, &url).1;
    // More than have their turn at a time.
    let plugins = ["weather", "counter_source", "guest_hostile"].map(guest);
    for wasm in &plugins {
        let before = known();
        let mut sender = begin(&url, wasm);
        sender.send(wasm);
        worker.until("its compiling", || compiles(id));
        drop(sender);
        // It is known last of all.
        worker.until("the plugin", || known() > before);
    }
    let (kept, compiled, _) = left(folder, &url);
    let mut whole: Vec<String> = plugins.iter().map(|wasm| format!("{}.wasm", hash(wasm))).collect();
    whole.sort();
    assert_eq!(kept, whole);
    assert_eq!(compiled.len(), compiled_before.len() + plugins.len(), "{compiled:?}");
    assert!(compiled.iter().all(|name| name.ends_with(".cwasm")), "{compiled:?}");
    assert_eq!(upload(&url, &plugins[0]).status, 200, "sent again");
    assert_eq!(upload(&url, &guest("http_sink")).status, 201);
    assert!(worker.stop());
}
