//! `weir plugin check`: what a worker would say of a component, without a worker.

use std::process::{Command, Output};

use weir_tests::harness::{built, weir};

fn check(file: &std::path::Path) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(weir()).args(["plugin", "check"]).arg(file).output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_plugin_is_described_and_what_is_none_is_refused_with_its_reason() {
    let (fits, said) = check(&built("guests/counter_source.wasm"));
    assert!(fits && said.contains("example.CounterSource"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let (fits, said) = check(&module);
    assert!(!fits && said.contains("core WebAssembly module, not a component"), "{said}");
    let (fits, said) = check(&folder.path().join("missing.wasm"));
    assert!(!fits && said.contains("missing.wasm"), "{said}");
}
