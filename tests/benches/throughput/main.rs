//! Records a second and CPU a record on one Kafka broker, side by side in one run: librdkafka alone (the yardstick),
//! Apache Kafka Connect, weir. Medians of several rounds; `throughput [RECORDS]`.

#[path = "../contender/mod.rs"]
mod contender;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use contender::{Contender, Kind, Mode};
use serde_json::{Value, json};
use weir_tests::harness::built;
use weir_tests::harness::http::request;
use weir_tests::harness::kafka::Kafka;

const ROUNDS: usize = 3;
const STARTS: usize = 3;
/// Rounds of what differs by a hundredth.
const CLOSE_ROUNDS: usize = 15;
/// How often a worker is scraped beside its work; Prometheus does so every fifteen seconds or more.
const SCRAPED: Duration = Duration::from_millis(100);
const RECORDS: usize = 500_000;
/// After this long a worker that has nothing to do is taken to be idle.
const IDLE_AFTER: Duration = Duration::from_secs(5);

/// One measurement: how long it took, and the CPU time of the process.
#[derive(Clone, Copy)]
struct Run {
    took: Duration,
    cpu: Duration,
}

/// Runs the yardstick's program.
fn yardstick(mode: &str, bootstrap: &str, topic: &str, records: usize) -> Run {
    let mut command = Command::new(built("release/yardstick"));
    let output = command.args([mode, bootstrap, topic, &records.to_string()]).output().expect("the yardstick runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: Vec<Duration> =
        text.split_whitespace().filter_map(|s| s.parse().ok()).map(Duration::from_secs_f64).collect();
    let [took, cpu] = seconds[..] else { panic!("yardstick {mode}: {}", String::from_utf8_lossy(&output.stderr)) };
    Run { took, cpu }
}

/// The bench's ground: one broker, its topics, one worker of each kind.
struct Ground<'a> {
    bootstrap: &'a str,
    folder: &'a Path,
    records: usize,
}

impl Ground<'_> {
    fn source(&self, worker: &mut Contender, round: usize) -> Run {
        let topic = format!("lines-{}-{round}", worker.kind.name());
        yardstick("create", self.bootstrap, &topic, 0);
        // A name that nobody had before: offsets outlive connectors.
        let name = format!("source-{round}");
        let before = worker.used().cpu;
        let took = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| yardstick("until", self.bootstrap, &topic, self.records).took);
            let file = self.folder.join("lines.txt");
            worker.create(&name, &json!({"connector.class": "FileStreamSource", "file": file, "topic": topic}));
            waiting.join().expect("the yardstick waits")
        });
        let cpu = worker.used().cpu - before;
        worker.delete(&name);
        Run { took, cpu }
    }

    /// Measured on the file that grows: from its first byte to its last.
    fn sink(&self, worker: &mut Contender, topic: &str, more: &Value, round: usize) -> Run {
        let file = self.folder.join(format!("out-{}-{topic}-{round}.txt", worker.kind.name()));
        let mut config = json!({"connector.class": "FileStreamSink", "file": file, "topics": topic});
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        // A name that nobody had before: its group has no offsets.
        let keys = more.as_object().map_or(0, serde_json::Map::len);
        let name = format!("{}-{topic}-{keys}-{round}", worker.kind.name());
        let before = worker.used().cpu;
        worker.create(&name, &config);
        let (mut began, mut whole) = (None, u64::MAX);
        worker.until("the last record", Duration::from_millis(1), |_| {
            let size = std::fs::metadata(&file).map_or(0, |meta| meta.len());
            if size > 0 && began.is_none() {
                began = Some(Instant::now());
            }
            if size > 0 && whole == u64::MAX {
                // All lines are of one length.
                whole = first_line(&file).map_or(u64::MAX, |length| length * self.records as u64);
            }
            size >= whole
        });
        let took = began.expect("it grew").elapsed();
        let cpu = worker.used().cpu - before;
        worker.delete(&name);
        std::fs::remove_file(&file).expect("it was there");
        Run { took, cpu }
    }
}

/// What has no counterpart among Connect's own connectors: bytes out of and into guests that do next to nothing.
impl Ground<'_> {
    fn binary_source(&self, worker: &mut Contender, round: usize) -> Run {
        let (topic, name) = (format!("bytes-{round}"), format!("bytes-source-{round}"));
        yardstick("create", self.bootstrap, &topic, 0);
        let before = worker.used().cpu;
        let took = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| yardstick("until", self.bootstrap, &topic, self.records).took);
            let config = json!({"connector.class": "test.EchoSource", "topic": topic, "rows": "2000", "bytes": "100",
                "binary": "true", "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"});
            worker.create(&name, &config);
            waiting.join().expect("the yardstick waits")
        });
        // It brings more until it is deleted.
        let (cpu, written) = (worker.used().cpu - before, total(worker, &name, "source", "source-record-write-total"));
        worker.delete(&name);
        Run { took, cpu: cpu.mul_f64(self.records as f64 / written.max(1.0)) }
    }

    fn binary_sink(&self, worker: &mut Contender, more: Option<Duration>, round: usize) -> Run {
        let name = format!("bytes-sink-{}-{round}", more.is_some());
        let config = json!({"connector.class": "test.EchoSink", "topics": "text",
            "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"});
        let before = worker.used().cpu;
        worker.create(&name, &config);
        let (mut began, mut scraped) = (None, Instant::now());
        worker.until("the last record", Duration::from_millis(2), |worker| {
            if more.is_some_and(|pace| scraped.elapsed() >= pace) {
                request("GET", &format!("{}/metrics", worker.url), None);
                scraped = Instant::now();
            }
            let sent = total(worker, &name, "sink", "sink-record-send-total");
            if sent > 0.0 && began.is_none() {
                began = Some(Instant::now());
            }
            sent >= self.records as f64
        });
        let took = began.expect("it began").elapsed();
        let cpu = worker.used().cpu - before;
        worker.delete(&name);
        Run { took, cpu }
    }
}

/// What metrics cost: the text sink and the source of a worker beside those of one that counts nothing, in turn.
fn counting(ground: &Ground<'_>, weir: &mut Contender) {
    let (mut uncounted, _) = Contender::start(Kind::Uncounted, Mode::Standalone, ground.folder, ground.bootstrap);
    let (mut sinks, mut sources) = (Vec::new(), Vec::new());
    for round in ROUNDS..ROUNDS + CLOSE_ROUNDS {
        let mut pair = |run: &dyn Fn(&mut Contender) -> Run| {
            // Whoever comes second finds the machine as the first left it: they take turns in that, too.
            let (counted, not) = if round % 2 == 0 {
                let counted = run(weir);
                (counted, run(&mut uncounted))
            } else {
                let not = run(&mut uncounted);
                (run(weir), not)
            };
            not.took.as_secs_f64() / counted.took.as_secs_f64()
        };
        sinks.push(pair(&|worker| ground.sink(worker, "text", &json!({}), round)));
        sources.push(pair(&|worker| ground.source(worker, round)));
    }
    println!(
        "with metrics {:.3} (sink, 100 B text) and {:.3} (source) of the throughput without (> 0.98), medians of \
         {CLOSE_ROUNDS} pairs",
        median(sinks),
        median(sources)
    );
}

/// What a connector's first task has counted.
fn total(worker: &Contender, name: &str, kind: &str, attribute: &str) -> f64 {
    let answer = request("GET", &format!("{}/connectors/{name}/metrics", worker.url), None);
    if answer.status != 200 {
        return 0.0;
    }
    answer.json()["tasks"][0]["metrics"][format!("{kind}-task-metrics")][attribute].as_f64().unwrap_or(0.0)
}

/// How long the first line is, its end included; none while it is not whole.
fn first_line(file: &Path) -> Option<u64> {
    let mut start = [0; 1024];
    let read = std::fs::File::open(file).and_then(|mut file| file.read(&mut start)).ok()?;
    start[..read].iter().position(|&byte| byte == b'\n').map(|at| at as u64 + 1)
}

/// Rename, insert, mask, hoist, flatten.
fn chain() -> Value {
    let class = |name: &str| format!("org.apache.kafka.connect.transforms.{name}$Value");
    json!({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "transforms": "rename,insert,mask,hoist,flatten",
        "transforms.rename.type": class("ReplaceField"), "transforms.rename.renames": "name:customer",
        "transforms.insert.type": class("InsertField"),
        "transforms.insert.static.field": "origin", "transforms.insert.static.value": "bench",
        "transforms.mask.type": class("MaskField"), "transforms.mask.fields": "city",
        "transforms.hoist.type": class("HoistField"), "transforms.hoist.field": "order",
        "transforms.flatten.type": class("Flatten"), "transforms.flatten.delimiter": "_"
    })
}

fn parsed() -> Value {
    json!({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false"
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One row of the table, from the runs of each.
fn row(what: &str, records: usize, raw: &[Run], apache: &[Run], weir: &[Run]) {
    let rate = |runs: &[Run]| median(runs.iter().map(|run| records as f64 / run.took.as_secs_f64()).collect());
    let cpu = |runs: &[Run]| median(runs.iter().map(|run| run.cpu.as_secs_f64() * 1e6 / records as f64).collect());
    let (raw_rate, apache_rate, weir_rate) = (rate(raw), rate(apache), rate(weir));
    println!(
        "| {what:<36} | {:>7.0} | {:>7.0} | {:>7.0} | {:>6.2} | {:>7.2} | {:>5.2} | {:>7.2} | {:>5.2} |",
        raw_rate / 1e3,
        apache_rate / 1e3,
        weir_rate / 1e3,
        weir_rate / raw_rate,
        weir_rate / apache_rate,
        cpu(raw),
        cpu(apache),
        cpu(weir),
    );
}

fn lines(file: &Path, records: usize) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).expect("a file"));
    for _ in 0..records {
        writeln!(out, "{}", "x".repeat(100)).expect("there is room");
    }
    out.flush().expect("there is room");
}

/// Starts workers of both kinds in turn; prints when they answer and what they hold while they have nothing to do.
fn starts(folder: &Path, bootstrap: &str) {
    println!("\n| worker  | REST answers after | idle memory |\n| --- | --- | --- |");
    for kind in [Kind::Apache, Kind::Weir] {
        let (mut ready, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let (worker, took) = Contender::start(kind, Mode::Standalone, folder, bootstrap);
            ready.push(took.as_secs_f64());
            std::thread::sleep(IDLE_AFTER);
            idle.push(worker.used().resident_bytes as f64 / 1e6);
        }
        println!("| {:<7} | {:>6.3} s | {:>4.0} MB |", kind.name(), median(ready), median(idle));
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let records = words.iter().find_map(|word| word.parse().ok()).unwrap_or(RECORDS);
    if words.iter().any(|word| word.parse::<usize>().is_err() && !"throughput".contains(word.as_str())) {
        return;
    }
    let kafka = Kafka::start_for_benchmarks();
    let bootstrap = kafka.bootstrap();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    lines(&folder.join("lines.txt"), records);
    for (mode, topic) in [("fill-text", "text"), ("fill-json", "json")] {
        yardstick("create", &bootstrap, topic, 0);
        yardstick(mode, &bootstrap, topic, records);
    }
    println!("throughput on one Kafka 4.3.1 broker on this machine, {records} records, medians of {ROUNDS} rounds");
    starts(folder, &bootstrap);

    let ground = Ground { bootstrap: &bootstrap, folder, records };
    let mut workers =
        [Kind::Apache, Kind::Weir].map(|kind| Contender::start(kind, Mode::Standalone, folder, &bootstrap).0);
    let mut runs: [[Vec<Run>; 3]; 6] = Default::default();
    let mut scraped = Vec::new();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        let topic = format!("lines-raw-{round}");
        yardstick("create", &bootstrap, &topic, 0);
        runs[0][0].push(yardstick("produce", &bootstrap, &topic, records));
        for (at, topic) in [(1, "text"), (2, "json"), (3, "json")] {
            runs[at][0].push(yardstick("consume", &bootstrap, topic, records));
        }
        for (of, worker) in workers.iter_mut().enumerate() {
            runs[0][of + 1].push(ground.source(worker, round));
            runs[1][of + 1].push(ground.sink(worker, "text", &json!({}), round));
            runs[2][of + 1].push(ground.sink(worker, "json", &parsed(), round));
            runs[3][of + 1].push(ground.sink(worker, "json", &chain(), round));
        }
        let [_, weir] = &mut workers;
        runs[4][0].push(yardstick("produce", &bootstrap, &topic, records));
        runs[4][2].push(ground.binary_source(weir, round));
        runs[5][0].push(yardstick("consume", &bootstrap, "text", records));
        runs[5][2].push(ground.binary_sink(weir, None, round));
        scraped.push(ground.binary_sink(weir, Some(SCRAPED), round));
    }
    println!(
        "\n| thousand records/s, 1 task           |     raw | Connect |    weir | of raw | of Conn | µs CPU a record: raw | Connect | weir |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let names = [
        "source, 100 B lines",
        "sink, 100 B text",
        "sink, 95 B JSON, parsed",
        "sink, 95 B JSON, 5 transformations",
        "source, 100 B made up, ByteArray",
        "sink, 100 B thrown away, ByteArray",
    ];
    for (name, [raw, apache, weir]) in names.iter().zip(&runs) {
        row(name, records, raw, apache, weir);
    }
    counting(&ground, &mut workers[1]);
    for worker in &workers {
        println!("{} holds {:.0} MB after that", worker.kind.name(), worker.used().resident_bytes as f64 / 1e6);
    }
    let rate = |runs: &[Run]| median(runs.iter().map(|run| records as f64 / run.took.as_secs_f64()).collect());
    println!(
        "the last one scraped every {} ms beside it: {:.3} of its throughput",
        SCRAPED.as_millis(),
        rate(&scraped) / rate(&runs[5][2])
    );
    println!("raw is librdkafka alone with weir's client settings: what it reads or writes is thrown away or made up.");
}
