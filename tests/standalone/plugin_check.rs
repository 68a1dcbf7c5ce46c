//! `weir plugin check`: what a worker would say of a component, without a worker.

use std::process::{Command, Output};

use weir_tests::harness::unfit::swapped;
use weir_tests::harness::{built, guest, weir};

fn check(file: &std::path::Path) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(weir()).args(["plugin", "check"]).arg(file).output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_plugin_is_described_and_what_is_none_is_refused_with_its_reason() {
    let (fits, said) = check(&built("guests/counter_source.wasm"));
    let lines: Vec<&str> = said.lines().collect();
    assert!(fits && lines.iter().any(|line| line.starts_with("  source example.CounterSource ")), "{said}");
    assert!(
        lines.iter().any(|line| line.starts_with("  wasi:io/")) && lines.iter().all(|line| line.len() < 200),
        "{said}"
    );
    assert!(lines.last().unwrap().ends_with("counter_source.wasm: accepted"), "{said}");
    let (fits, said) = check(&built("guests/weir_file.wasm"));
    let verdict = "weir_file.wasm: refused: class name weir.file.S";
    assert!(!fits && said.lines().last().unwrap().contains(verdict), "it is there, as a stock plugin: {said}");
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let (fits, said) = check(&module);
    assert!(
        !fits && said.contains("module.wasm: refused: this is a core WebAssembly module, not a component"),
        "{said}"
    );
    let other_types = folder.path().join("other_types.wasm");
    std::fs::write(&other_types, swapped(guest("counter_source"), "start", "watch")).unwrap();
    let (fits, said) = check(&other_types);
    assert!(!fits && said.contains("source-connector@0.1.0 has other types"), "{said}");
    let (fits, said) = check(&folder.path().join("missing.wasm"));
    assert!(!fits && said.contains("missing.wasm"), "{said}");
}
