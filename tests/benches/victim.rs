//! What strangers cost a task that shares a worker with them: a sink's throughput and the time of its puts alone, beside
//! three tenants that spin, hoard and flood under a cap, and beside them without one. In turns in one run; medians.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use weir_core::model::{Limits, Records, SchemaHandle};
use weir_core::observe::GuestMeter;
use weir_core::port::{Component, Context, SinkRecords};
use weir_data::{Cells, Column, Node, Schema, Type};
use weir_tests::harness::{BATCH, component, context, plugins};
use weir_wasm::WasmPlugins;

/// The worker's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 5;
const MEASURED: Duration = Duration::from_secs(2);
const ROWS: usize = 2_000;
const CAP: u64 = 250_000_000;
const HOSTILE: [&str; 3] = ["loop", "hoard", "flood"];

fn records() -> Records {
    let mut value = Column::with_capacity(ROWS, ROWS * 100);
    (0..ROWS).for_each(|_| value.push(&[b'x'; 100]));
    let mut records = Records { rows: ROWS, value: Cells { column: value, schema: vec![] }, ..Records::default() };
    records.tables.topics.push("topic".into());
    records.tables.partitions.push(Some(0));
    records.tables.schemas.push(Some(SchemaHandle::new(Schema::of(Node::new(Type::String)))));
    records.offset = (0..ROWS as i64).collect();
    records
}

fn limits(cap: Option<u64>) -> Limits {
    Limits { cpu_nanos_per_second: cap, ..Limits::default() }
}

/// A task of a tenant's that misbehaves in each of its calls, and is made anew as often as it fails.
async fn misbehave(hostile: Arc<dyn Component>, behaviour: &'static str, cap: Option<u64>, meter: Arc<GuestMeter>) {
    let owner: Arc<str> = format!("{behaviour}~c|task-0").into();
    loop {
        let entries = [("behaviour", behaviour)];
        let given = Context {
            owner: owner.clone(),
            tenant: behaviour.into(),
            meter: meter.clone(),
            ..context("test.HostileSource", &entries, &limits(cap))
        };
        let mut task = hostile.source_task(given).await.expect("it can be made");
        while task.poll(Duration::from_secs(1), BATCH).await.is_ok() {}
    }
}

/// What a while of putting came to.
#[derive(Clone, Copy)]
struct Run {
    puts: f64,
    /// Seconds of each put, ninety-nine of a hundred.
    p99: f64,
    /// CPU seconds of the victim, and of all.
    cpu: f64,
    all: f64,
}

async fn run(plugins: &WasmPlugins, beside: Option<Option<u64>>) -> Run {
    let (echo, hostile) = (component(plugins, "guest_echo").await, component(plugins, "guest_hostile").await);
    let mut strangers = JoinSet::new();
    let mut meters = Vec::new();
    for behaviour in beside.map_or(&HOSTILE[..0], |_| &HOSTILE[..]) {
        let meter = Arc::new(GuestMeter::default());
        meters.push(meter.clone());
        strangers.spawn(misbehave(hostile.clone(), behaviour, beside.flatten(), meter));
    }
    let given = Context {
        owner: "victim~c|task-0".into(),
        tenant: "victim".into(),
        ..context("test.EchoSink", &[], &limits(None))
    };
    let meter = given.meter.clone();
    meters.push(meter.clone());
    let mut sink = echo.sink_task(given).await.expect("it can be made");
    sink.start().await.expect("it starts");
    let used = |meter: &GuestMeter| meter.cpu_nanos.load(Ordering::Relaxed) as f64 / 1e9;
    let putting = tokio::spawn(async move {
        let batch = SinkRecords { records: records(), original: None };
        let mut took = Vec::new();
        let began = Instant::now();
        while began.elapsed() < MEASURED {
            let put = Instant::now();
            sink.put(&batch).await.expect("it takes them");
            took.push(put.elapsed().as_secs_f64());
            // The worker's loop goes round through tokio, too.
            tokio::task::yield_now().await;
        }
        (took, began.elapsed().as_secs_f64())
    });
    let before: Vec<f64> = meters.iter().map(|meter| used(meter)).collect();
    let (mut took, seconds) = putting.await.expect("it ends");
    let cpu = used(&meter) - before.last().expect("the victim's");
    let all = meters.iter().zip(&before).map(|(meter, before)| used(meter) - before).sum();
    strangers.shutdown().await;
    took.sort_by(f64::total_cmp);
    Run {
        puts: took.len() as f64 / seconds,
        p99: took[took.len() * 99 / 100],
        cpu: cpu / seconds,
        all: f64::max(all, cpu) / seconds,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if words.iter().any(|word| !"victim".contains(word.as_str())) {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores + 1).enable_all().build().unwrap();
    let mut runs: [Vec<Run>; 3] = Default::default();
    runtime.block_on(async {
        let plugins = plugins(Limits::default());
        for _ in 0..ROUNDS {
            for (runs, beside) in runs.iter_mut().zip([None, Some(Some(CAP)), Some(None)]) {
                runs.push(run(&plugins, beside).await);
            }
        }
    });
    println!(
        "a sink's put of {ROWS} records of 100 B on {cores} cores, alone and beside three tenants that spin, hoard and flood \
         (medians of {ROUNDS} runs)"
    );
    println!(
        "| beside | puts/s | of alone | p99 of a put | of alone | its cores | all guests' cores |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    let of = |runs: &[Run], what: fn(&Run) -> f64| median(runs.iter().map(what).collect());
    let (alone, slow) = (of(&runs[0], |run| run.puts), of(&runs[0], |run| run.p99));
    for (name, runs) in ["nobody", "three, 0.25 cores each", "three, without a cap"].iter().zip(&runs) {
        let (puts, p99) = (of(runs, |run| run.puts), of(runs, |run| run.p99));
        println!(
            "| {name} | {puts:.0} | {:.2} | {:.0} µs | {:.1} | {:.2} | {:.2} |",
            puts / alone,
            p99 * 1e6,
            p99 / slow,
            of(runs, |run| run.cpu),
            of(runs, |run| run.all)
        );
    }
    // Four that want all they can get share the cores equally, and the victim wants no more than one.
    let fair = (cores as f64 / 4.0).min(of(&runs[0], |run| run.cpu));
    println!(
        "with caps: > 0.80 of its throughput, < 3 of its p99; without: {:.2} of its fair share of {fair:.2} cores (> 0.80)",
        of(&runs[2], |run| run.cpu) / fair
    );
}
