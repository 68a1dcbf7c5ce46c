//! Plugins over REST: what is taken is usable at once and kept, what is refused leaves nothing behind.

use serde_json::json;
use weir_tests::harness::http::{Answer, request};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{built, guest};

use super::{get, properties, send, states};

fn upload(url: &str, wasm: &[u8]) -> Answer {
    request("POST", &format!("{url}/connector-plugins"), Some(("application/wasm", wasm)))
}

#[test]
fn an_uploaded_class_is_usable_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let properties = properties(folder, &format!("local:{}", folder.join("data").display()));
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let wasm = guest("counter_source");
    let answer = upload(&url, &wasm);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["classes"][0]["class"], "example.CounterSource");
    assert_eq!(upload(&url, &wasm).status, 200, "the same again");
    let counter = json!({"connector.class": "example.CounterSource", "topic": "n", "interval.ms": "1"});
    assert_eq!(send("PUT", &format!("{url}/connectors/counter/config"), &counter).status, 201);
    worker.until("running", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    worker.until("running after the restart", || states(&url, "counter").1 == ["RUNNING"]);
    assert!(worker.stop());
}

#[test]
fn what_is_no_plugin_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut worker =
        Worker::standalone(folder, &(properties(folder, "local:memory") + "plugin.upload.max.bytes=2000000\n"), &[]);
    let url = worker.url();
    let before = get(&format!("{url}/connector-plugins?connectorsOnly=false"));
    let stock = std::fs::read(built("guests/weir_file.wasm")).unwrap();
    // (component (import "foo:bar/baz" (instance (export "f" (func)))))
    let unknown = b"\0asm\x0d\0\x01\0\
        \x07\x0e\x01\x42\x02\x01\x40\0\x01\0\x04\0\x01f\x01\0\
        \x0a\x10\x01\0\x0bfoo:bar/baz\x05\0";
    let mut cut = guest("counter_source");
    cut.truncate(cut.len() / 2);
    for (what, wasm, status, reason) in [
        ("garbage", b"not wasm at all".to_vec(), 400, "not WebAssembly"),
        ("nothing", Vec::new(), 400, "0 bytes"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), 400, "core WebAssembly module"),
        ("a component that imports the unknown", unknown.to_vec(), 400, "foo:bar/baz"),
        ("a component for another world", b"\0asm\x0d\0\x01\0".to_vec(), 400, "another world"),
        ("half a component", cut, 400, "does not compile"),
        ("too much", vec![0; 2_000_001], 413, "plugin.upload.max.bytes"),
    ] {
        let answer = upload(&url, &wasm);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap_or_default().contains(reason), "{what}: {answer:?}");
    }
    let answer = upload(&url, &stock);
    assert_eq!(answer.status, 409, "a stock name: {answer:?}");
    assert!(answer.text.contains("weir.file.S"), "{answer:?}");
    let media = request("POST", &format!("{url}/connector-plugins"), Some(("application/json", b"{}")));
    assert_eq!(media.status, 415);
    assert_eq!(get(&format!("{url}/connector-plugins?connectorsOnly=false")), before);
    assert_eq!(std::fs::read_dir(folder.join("uploads")).unwrap().count(), 0);
    assert!(worker.stop());
}
