//! Plugins over REST: what is taken is usable at once and kept, what is refused leaves nothing behind, and nobody waits
//! for another's line.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_tests::harness::http::{Answer, Wire, request, send};
use weir_tests::harness::unfit::swapped;
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{built, guest, kafka};

use super::{get, properties, states};

pub fn upload(url: &str, wasm: &[u8]) -> Answer {
    request("POST", &format!("{url}/connector-plugins"), Some(("application/wasm", wasm)))
}

/// An upload that has sent nothing yet.
pub fn begin(url: &str, wasm: &[u8]) -> Wire {
    let length = wasm.len().to_string();
    let headers = [("content-type", "application/wasm"), ("content-length", &*length)];
    Wire::begin(url, "POST", "/connector-plugins", &headers)
}

/// A plugin of other bytes that says the same of itself: a custom section called x, with nothing in it, comes last.
fn other_bytes(mut wasm: Vec<u8>) -> Vec<u8> {
    wasm.extend(b"\0\x02\x01x");
    wasm
}

pub fn hash(wasm: &[u8]) -> String {
    Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Uploads a class and runs a connector of it, in a worker and in the next one. A worker that forgets its connectors is
/// given it again.
fn an_uploaded_class_lasts(folder: &Path, bootstrap: &str, topic: &str, forgets: bool) {
    let properties = properties(folder, bootstrap);
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let wasm = guest("counter_source");
    let counter = json!({"connector.class": "example.CounterSource", "topic": topic, "interval.ms": "1"});
    let put = |url: &str| send("PUT", &format!("{url}/connectors/counter/config"), &counter).status;
    assert_eq!(put(&url), 400, "nobody knows the class");
    let answer = upload(&url, &wasm);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["classes"][0]["class"], "example.CounterSource");
    assert_eq!(upload(&url, &wasm).status, 200, "the same again");
    assert_eq!(put(&url), 201);
    worker.until("running", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());

    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let plugins = get(&format!("{url}/connector-plugins"));
    let names = |plugins: &Value, class: &str| plugins.as_array().unwrap().iter().any(|it| it["class"] == class);
    assert!(names(&plugins, "example.CounterSource"), "{plugins}");
    assert_eq!(upload(&url, &wasm).status, 200, "it is known");
    if forgets {
        assert_eq!(get(&format!("{url}/connectors")), json!([]));
        assert_eq!(put(&url), 201);
    }
    worker.until("running after the restart", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());
}

#[test]
fn an_uploaded_class_is_usable_at_once_and_after_a_restart_on_the_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = format!("local:{}", folder.path().join("data").display());
    an_uploaded_class_lasts(folder.path(), &bootstrap, "numbers", false);
}

#[test]
fn an_uploaded_class_is_usable_at_once_and_after_a_restart_on_kafka() {
    let folder = tempfile::tempdir().unwrap();
    an_uploaded_class_lasts(folder.path(), &kafka::shared().bootstrap(), "uploaded-numbers", true);
}

#[test]
fn an_upload_is_answered_with_what_the_plugin_is_and_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    let version = env!("CARGO_PKG_VERSION");
    let class = |class: &str, kind: &str, may_ask_for: Value| json!({"class": class, "type": kind, "version": version, "aliases": [], "may_ask_for": may_ask_for});
    for (name, classes, imported, not_imported) in [
        (
            "http_sink",
            json!([class("example.HttpSink", "sink", json!([{"key": "url", "opens": "URL"}]))]),
            "wasi:http/outgoing-handler@0.2.",
            "wasi:sockets/tcp@0.2.",
        ),
        (
            "counter_source",
            json!([class("example.CounterSource", "source", json!([]))]),
            "weir:connect/",
            "wasi:http/outgoing-handler@0.2.",
        ),
    ] {
        let wasm = guest(name);
        let mut answers = [upload(&url, &wasm), upload(&url, &wasm)].map(|answer| (answer.status, answer.json()));
        for (_, answer) in &mut answers {
            let imports = answer["imports"].take();
            let imports: Vec<&str> = imports.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let imports_it = |interface: &str| imports.iter().any(|import| import.starts_with(interface));
            assert!(imports_it(imported) && !imports_it(not_imported), "{imports:?}");
            let named = |import: &&str| wasm.windows(import.len()).any(|bytes| bytes == import.as_bytes());
            assert!(imports.iter().all(named), "{imports:?}");
        }
        let told = json!({"sha256": hash(&wasm), "size": wasm.len(), "classes": classes, "imports": null});
        assert_eq!(answers, [(201, told.clone()), (200, told)]);
        assert_eq!(std::fs::read(folder.join(format!("uploads/{}.wasm", hash(&wasm)))).unwrap(), wasm);
    }
    assert!(worker.stop());
}

/// Everything that uploads leave behind: files, compiled code, classes.
pub fn left(folder: &Path, url: &str) -> (Vec<String>, Vec<String>, Value) {
    let files = |folder: &str, path: &Path| {
        let entries = std::fs::read_dir(path.join(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let classes = get(&format!("{url}/connector-plugins?connectorsOnly=false"));
    (files("uploads", folder), files("cache/weir/compiled", folder), classes)
}

#[test]
fn what_is_no_plugin_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = properties(folder, "local:memory") + "plugin.upload.max.bytes=2000000\n";
    let mut worker = Worker::confined(folder, &properties);
    let url = worker.url();
    assert_eq!(upload(&url, &guest("counter_source")).status, 201);
    let before = left(folder, &url);
    assert_eq!(before.0.len(), 1, "{before:?}");
    // (component (import "foo:bar/baz" (instance (export "f" (func)))))
    let unknown = b"\0asm\x0d\0\x01\0\
        \x07\x0e\x01\x42\x02\x01\x40\0\x01\0\x04\0\x01f\x01\0\
        \x0a\x10\x01\0\x0bfoo:bar/baz\x05\0";
    let mut cut = guest("counter_source");
    cut.truncate(cut.len() / 2);
    let stock = std::fs::read(built("guests/weir_file.wasm")).unwrap();
    for (what, wasm, status, reason) in [
        ("garbage", b"not wasm at all".to_vec(), 400, "not WebAssembly"),
        ("nothing", Vec::new(), 400, "0 bytes"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), 400, "core WebAssembly module"),
        ("a component that imports the unknown", unknown.to_vec(), 400, "foo:bar/baz"),
        ("a component for another world", b"\0asm\x0d\0\x01\0".to_vec(), 400, "another world"),
        ("exports of other types", swapped(guest("counter_source"), "start", "watch"), 400, "source-connector@0.1.0"),
        ("half a component", cut, 400, "does not compile"),
        ("too much", vec![0; 2_000_001], 413, "plugin.upload.max.bytes"),
        ("a stock plugin", stock.clone(), 409, "weir.file.S"),
        ("a stock plugin with other bytes", other_bytes(stock), 409, "weir.file.S"),
        ("a version with other bytes", other_bytes(guest("counter_source")), 409, "example.CounterSource"),
    ] {
        let answer = upload(&url, &wasm);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap_or_default().contains(reason), "{what}: {answer:?}");
        assert_eq!(left(folder, &url), before, "{what}");
    }
    let media = request("POST", &format!("{url}/connector-plugins"), Some(("application/json", b"{}")));
    assert_eq!(media.status, 415);
    // Bytes without a type of their own are looked at.
    let bytes = request("POST", &format!("{url}/connector-plugins"), Some(("application/octet-stream", b"{}")));
    assert_eq!((bytes.status, bytes.text.contains("not WebAssembly")), (400, true), "{}", bytes.text);
    let weather = guest("weather");
    let mut broken_off = begin(&url, &weather);
    broken_off.send(&weather[..weather.len() / 2]);
    drop(broken_off);
    assert_eq!(left(folder, &url), before);
    assert!(worker.stop());
    let mut worker = Worker::confined(folder, &properties);
    let url = worker.url();
    assert_eq!(left(folder, &url), before, "after a restart");
    assert!(worker.stop());
}

#[test]
fn a_slow_upload_delays_nobody_and_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    let slow = guest("weather");
    let (first, second) = slow.split_at(slow.len() / 2);
    let mut halves = [begin(&url, &slow), begin(&url, &slow), begin(&url, &slow)];
    for half in &mut halves {
        half.send(first);
    }
    assert_eq!(upload(&url, &guest("counter_source")).status, 201);
    for half in &mut halves {
        half.send(second);
    }
    let mut statuses = halves.map(|half| half.answer().status);
    statuses.sort();
    assert_eq!(statuses, [200, 200, 201]);
    assert!(worker.stop());
}

#[test]
fn more_uploads_than_there_are_places_for_are_put_off() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker = Worker::standalone(folder, &properties(folder, "local:memory"), &[]);
    let url = worker.url();
    let mut waiting: Vec<Wire> = Vec::new();
    let mut last = upload(&url, b"garbage");
    worker.until("all places to be taken", || {
        // One more each time: what is tried here may have had the last place when the one before came.
        waiting.push(begin(&url, &guest("weather")));
        last = upload(&url, b"garbage");
        last.status == 429
    });
    assert!(last.json()["message"].as_str().is_some_and(|message| message.contains("try again later")), "{last:?}");
    drop(waiting);
    worker.until("places to be free again", || upload(&url, b"garbage").status == 400);
    assert!(worker.stop());
}
