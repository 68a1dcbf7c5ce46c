//! `make demo`: that it finds what it looks for, and what it leaves behind where nobody looks on.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_tests::harness::worker::children;

#[test]
fn the_demo_finds_what_it_looks_for_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/demo.sh");
    let mut command = Command::new("sh");
    let ended = command.arg(script).env("TMPDIR", folder.path()).stdin(Stdio::null()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{}{}", said(&ended.stdout), said(&ended.stderr));
    assert!(said(&ended.stdout).contains("weir_guest_counter_dry_days_total"), "{}", said(&ended.stdout));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_demo_that_is_stopped_half_way_leaves_no_file_and_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/demo.sh");
    let mut command = Command::new("sh");
    command.arg(script).env("TMPDIR", folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut demo = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let worker = loop {
        let found = children(demo.id()).into_iter().find(|(line, _)| line.contains("standalone"));
        if let Some((_, process)) = found {
            break process;
        }
        assert!(Instant::now() < until && demo.try_wait().unwrap().is_none(), "it starts no worker");
        std::thread::yield_now();
    };
    assert_ne!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let pid = rustix::process::Pid::from_child(&demo);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(!worker.exists(), "its worker runs on");
}
