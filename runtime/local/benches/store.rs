//! Append, kill -9, reopen, read: the database by itself as the store drives it, then the whole store.
//!
//! `cargo bench -p weir-local`. `WEIR_BENCH_BYTES` says how much to write (64 MiB unless said), `WEIR_BENCH_DIR` where.
//! Under `cargo test --all-targets`, which runs benchmarks too, it does nothing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use weir_core::model::{RawRecords, Subscription};
use weir_core::port::{Broker, ClientSettings, ConsumerPolled, NewTopic};
use weir_data::Column;
use weir_local::{Local, Settings};

const ENTRIES: TableDefinition<(u64, i32, i64), &[u8]> = TableDefinition::new("entries");
const ROWS: usize = 500;
const ROW_BYTES: usize = 100;
/// What a batch takes in the store: its rows with their ends and a head.
const ENTRY_BYTES: usize = ROWS * (ROW_BYTES + 4) + 55;
const GROUP_BYTES: usize = 1 << 20;
const WINDOW_BYTES: usize = 8 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments[at].parse().expect("a number");
    match arguments.get(1).map(String::as_str) {
        Some("fill-redb") => fill_redb(Path::new(&arguments[2]), number(3)),
        Some("open-redb") => open_redb(Path::new(&arguments[2])),
        Some("fill-weir") => runtime(fill_weir(Path::new(&arguments[2]), number(3))),
        Some("open-weir") => runtime(open_weir(Path::new(&arguments[2]), number(3))),
        Some("--bench") => run(),
        _ => println!("run by cargo bench"),
    }
}

fn run() {
    let bytes: u64 =
        std::env::var("WEIR_BENCH_BYTES").map_or(64 << 20, |bytes| bytes.parse().expect("WEIR_BENCH_BYTES: a number"));
    let base = std::env::var_os("WEIR_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    for engine in ["redb", "weir"] {
        let dir = tempfile::tempdir_in(&base).expect("a directory");
        let me = std::env::current_exe().expect("a path");
        let fill = format!("fill-{engine}");
        let mut child = Command::new(&me)
            .args([fill.as_str(), &dir.path().display().to_string(), &bytes.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        // It says `filled` and goes on writing, so that the kill falls in the middle of a commit.
        for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok) {
            if line == "filled" {
                break;
            }
            println!("{engine}: {line}");
        }
        child.kill().expect("killed");
        child.wait().expect("waited");
        let (apparent, taken) = size(dir.path());
        println!("{engine}: files {} MB, {} MB on disk, for {} MB of cells", apparent >> 20, taken >> 20, bytes >> 20);
        let open = format!("open-{engine}");
        let opened = Command::new(&me)
            .args([open.as_str(), &dir.path().display().to_string(), &bytes.to_string()])
            .output()
            .expect("a child");
        String::from_utf8_lossy(&opened.stdout).lines().for_each(|line| println!("{engine}: {line}"));
    }
}

fn size(dir: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(dir).expect("readable").filter_map(|file| file.ok()?.metadata().ok());
    files.fold((0, 0), |(apparent, taken), file| (apparent + file.len(), taken + file.blocks() * 512))
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap_or("").replace(['\t', ' '], "");
    format!("{} {}", line("VmRSS"), line("VmHWM"))
}

/// Bytes that do not compress.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

fn tell(what: &str, bytes: usize, begun: Instant, latencies: &mut [Duration]) {
    latencies.sort_unstable();
    let seconds = begun.elapsed().as_secs_f64();
    let at = |share: usize| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)].as_micros();
    let (mb, records) = (bytes as f64 / 1e6 / seconds, bytes as f64 / ROW_BYTES as f64 / seconds / 1e3);
    println!("{what} {mb:.0} MB/s, {records:.0} k records/s; p50 {} us, p99 {} us; {}", at(50), at(99), resident());
}

fn fill_redb(dir: &Path, bytes: usize) {
    let database = Database::builder().set_cache_size(16 << 20).create(dir.join("raw.redb")).expect("made");
    let (begun, mut written, mut at, mut latencies) = (Instant::now(), 0, 0i64, Vec::new());
    loop {
        let committing = Instant::now();
        let mut write = database.begin_write().expect("begun");
        write.set_durability(Durability::Immediate).expect("set");
        write.set_quick_repair(true);
        let mut group = 0;
        {
            let mut entries = write.open_table(ENTRIES).expect("opened");
            while group < GROUP_BYTES {
                entries.insert((1, 0, at), noise(at as u64, ENTRY_BYTES).as_slice()).expect("inserted");
                at += ROWS as i64;
                group += ROWS * ROW_BYTES;
            }
        }
        write.commit().expect("committed");
        latencies.push(committing.elapsed());
        let before = written;
        written += group;
        if before < bytes && written >= bytes {
            tell("append", written, begun, &mut latencies);
            println!("filled");
            std::io::stdout().flush().expect("told");
        }
    }
}

fn open_redb(dir: &Path) {
    let begun = Instant::now();
    let database = Database::builder().set_cache_size(16 << 20).open(dir.join("raw.redb")).expect("opened");
    let read = database.begin_read().expect("begun");
    let entries = read.open_table(ENTRIES).expect("opened");
    let last = entries.last().expect("read").map(|(key, _)| key.value().2);
    println!("reopen {:.1} ms, last {last:?}; {}", begun.elapsed().as_secs_f64() * 1e3, resident());
    let begun = Instant::now();
    let bytes: usize = entries.iter().expect("read").map(|entry| entry.expect("read").1.value().to_vec().len()).sum();
    println!("read {:.0} MB/s; {}", bytes as f64 / 1e6 / begun.elapsed().as_secs_f64(), resident());
}

fn runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
}

fn records(seed: u64) -> RawRecords {
    let value = Column {
        ends: (1..=ROWS as u32).map(|row| row * ROW_BYTES as u32).collect(),
        data: noise(seed, ROWS * ROW_BYTES),
        absent: vec![],
    };
    RawRecords { rows: ROWS, topics: vec!["t".into()], value, ..RawRecords::default() }
}

async fn fill_weir(dir: &Path, bytes: usize) {
    let local = Local::open(dir, Settings::default()).expect("opened");
    let topic = NewTopic { name: "t".into(), partitions: 1, replication_factor: -1, config: Default::default() };
    local.create_topic(&topic).await.expect("made");
    let mut producer = local.producer(&ClientSettings::new()).await.expect("made");
    let (begun, mut ticket, mut done, mut latencies) = (Instant::now(), 0u64, 0, Vec::new());
    let mut sent_at = std::collections::VecDeque::new();
    loop {
        while producer.unanswered_bytes() < WINDOW_BYTES {
            let tickets: Vec<u64> = (ticket..ticket + ROWS as u64).collect();
            producer.send(records(ticket), &tickets).expect("taken");
            ticket += ROWS as u64;
            sent_at.push_back(Instant::now());
        }
        let answered = producer.answers().await;
        assert!(answered.iter().all(|sent| sent.outcome.is_ok()));
        for _ in 0..answered.len() / ROWS {
            latencies.extend(sent_at.pop_front().map(|sent| sent.elapsed()));
        }
        let before = done;
        done += answered.len() * ROW_BYTES;
        if before < bytes && done >= bytes {
            tell("append (8 MiB in flight)", done, begun, &mut latencies);
            println!("filled");
            std::io::stdout().flush().expect("told");
        }
    }
}

async fn open_weir(dir: &Path, bytes: usize) {
    let begun = Instant::now();
    let local = Local::open(dir, Settings::default()).expect("opened");
    println!("reopen {:.1} ms; {}", begun.elapsed().as_secs_f64() * 1e3, resident());
    let settings = ClientSettings::from([("group.id".into(), "bench".into())]);
    let subscription = Subscription::Topics(vec!["t".into()]);
    let mut consumer = local.consumer(&subscription, &settings).await.expect("made");
    let (begun, mut read) = (Instant::now(), 0);
    while read < bytes {
        if let ConsumerPolled::Records(records) = consumer.poll(Duration::from_secs(9), 1 << 20).await.expect("read") {
            read += records.rows * ROW_BYTES;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (mb, rate) = (read as f64 / 1e6 / seconds, read as f64 / ROW_BYTES as f64 / seconds / 1e3);
    println!("consume {mb:.0} MB/s, {rate:.0} k records/s; {}", resident());
    drop(consumer);
    // One record at a time, each waited for: what a lone append costs.
    let mut producer = local.producer(&ClientSettings::new()).await.expect("made");
    let mut latencies = Vec::new();
    let begun = Instant::now();
    for _ in 0..200 {
        let one = Instant::now();
        let record = records(1).select(&[0]);
        producer.send(record, &[1]).expect("taken");
        producer.answers().await;
        latencies.push(one.elapsed());
    }
    tell("one record at a time", 200 * ROW_BYTES, begun, &mut latencies);
}
