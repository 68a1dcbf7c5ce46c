//! The compiling process: what bounds it, what it sees, and what becomes of code that was kept and is damaged.

use std::path::{Path, PathBuf};

use weir_tests::harness::worker::children;
use weir_tests::harness::{built, compiled_in, weir};
use weir_wasm::CompileBounds;

use super::*;

/// The compiling processes of a bound that only one test has.
fn compiling(memory_bytes: u64) -> Vec<PathBuf> {
    let arguments = format!("\0compile\0{memory_bytes}\0");
    children(std::process::id())
        .into_iter()
        .filter(|(line, _)| line.ends_with(&arguments))
        .map(|(_, process)| process)
        .collect()
}

fn bounded(cache: &Path, time: Duration, memory_bytes: u64) -> WasmPlugins {
    compiled_in(cache.to_owned(), CompileBounds { time, memory_bytes }, tight())
}

async fn refused(plugins: &WasmPlugins) -> String {
    match plugins.load(guest("weir_transforms").into()).await {
        Err(refusal) => refusal.to_string(),
        Ok(_) => panic!("it was compiled"),
    }
}

fn files(cache: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect()
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_a_killed_writer_left_unfinished_is_removed_and_what_is_being_written_is_not() {
    let cache = tempfile::tempdir().unwrap();
    let write = |name: &str, ago: u64| {
        let file = std::fs::File::create(cache.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(ago)).unwrap();
        file
    };
    write("left.1-0.tmp", 3600);
    write("begun.1-1.tmp", 0);
    write("whole.cwasm", 3600);
    let held = write("held.1-2.tmp", 3600);
    held.lock().unwrap();
    bounded(cache.path(), PATIENCE, 4 << 30);
    let mut there = files(cache.path());
    there.sort();
    assert_eq!(there, ["begun.1-1.tmp", "held.1-2.tmp", "whole.cwasm"].map(|name| cache.path().join(name)));
}

#[tokio::test]
async fn a_component_that_takes_too_long_to_compile_is_refused_and_its_process_is_gone() {
    let cache = tempfile::tempdir().unwrap();
    let memory_bytes = (4 << 30) + 1;
    let plugins = bounded(cache.path(), Duration::from_millis(100), memory_bytes);
    let began = Instant::now();
    assert_eq!(refused(&plugins).await, "compiling took longer than 0.1 s");
    while !compiling(memory_bytes).is_empty() {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        tokio::task::yield_now().await;
    }
    assert_eq!(files(cache.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_component_that_takes_too_much_memory_to_compile_is_refused_with_the_bound() {
    let cache = tempfile::tempdir().unwrap();
    let memory_bytes = 100 << 20;
    let said = refused(&bounded(cache.path(), PATIENCE, memory_bytes)).await;
    assert!(said.contains(&format!("which may have {memory_bytes} bytes of memory")), "{said}");
    assert_eq!(files(cache.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn the_compiling_process_has_an_empty_environment_and_its_bound_on_memory() {
    let cache = tempfile::tempdir().unwrap();
    let memory_bytes = (4 << 30) + 2;
    let plugins = bounded(cache.path(), PATIENCE, memory_bytes);
    let compiled = tokio::spawn(async move { plugins.load(guest("weir_transforms").into()).await.map(drop) });
    let began = Instant::now();
    let bound = format!("Max address space         {memory_bytes}");
    loop {
        assert!(began.elapsed() < PATIENCE && !compiled.is_finished(), "it was not seen");
        if let Some(process) = compiling(memory_bytes).first()
            && let Ok(environment) = std::fs::read(process.join("environ"))
            && let Ok(limits) = std::fs::read_to_string(process.join("limits"))
            && limits.contains(&bound)
        {
            assert_eq!(String::from_utf8_lossy(&environment), "");
            break;
        }
        tokio::task::yield_now().await;
    }
    compiled.await.unwrap().unwrap();
}

#[test]
fn a_worker_that_may_have_less_memory_than_the_bound_compiles_all_the_same() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 2000000 && exec \"$0\" compile 4294967296"]).arg(weir());
    command.stdin(std::fs::File::open(built("guests/counter_source.wasm")).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn compiled_code_that_is_damaged_is_made_anew() {
    let cache = tempfile::tempdir().unwrap();
    let plugins = bounded(cache.path(), PATIENCE, 4 << 30);
    component(&plugins, "counter_source").await;
    let [file] = &files(cache.path())[..] else { panic!("one file") };
    let whole = std::fs::read(file).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap());
    let untouched = inode();
    component(&plugins, "counter_source").await;
    assert_eq!(inode(), untouched, "what is whole is used");
    let cut = |length: usize| whole[..length].to_vec();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let (half, last) = (whole.len() / 2, whole.len() - 1);
    for (what, damaged) in [
        ("nothing is left", cut(0)),
        ("less than its sum is left", cut(3)),
        ("half is left", cut(half)),
        ("its end is gone", cut(last)),
        ("its first bit is another", flipped(0)),
        ("a bit in its midst is another", flipped(half)),
        ("a bit of its sum is another", flipped(last)),
        ("more stands behind it", [&whole[..], b"more"].concat()),
    ] {
        // Written beside it and moved there: what is there may still be mapped.
        let beside = cache.path().join("beside");
        std::fs::write(&beside, damaged).unwrap();
        std::fs::rename(&beside, file).unwrap();
        assert_eq!(component(&plugins, "counter_source").await.classes()[0].name, "example.CounterSource", "{what}");
        assert!(std::fs::read(file).unwrap() == whole, "{what}");
    }
    assert_eq!(files(cache.path()), std::slice::from_ref(file));
}
