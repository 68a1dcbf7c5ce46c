//! What crossing the sandbox costs: nanoseconds a record, through transformations (there and back), into a sink's put
//! and out of a source's poll. Medians of several runs. Arguments narrow it: a line runs when it holds all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::model::{Limits, Records, SchemaHandle};
use weir_core::port::{Component, SinkRecords, Step};
use weir_data::{Cells, Column, Node, Schema, Type};
use weir_tests::harness::{BATCH, component, context, plugins};

/// The worker's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [(&str, usize); 3] = [("100 B", 100), ("1 KB", 1_000), ("1 MB", 1_000_000)];
const BATCHES: [usize; 4] = [1, 100, 500, 2_000];
/// What may be in flight in a guest's 32-bit memory, there and back and once more while a list grows.
const FITS: usize = 600 << 20;
const RUNS: usize = 9;

/// The lines of the table. A transformation that keeps or reads answers that the value is unchanged, so bytes cross
/// one way only; one that rewrites sends every value back.
const LINES: [(&str, &str); 5] = [
    ("transformation, reads", "test.Look"),
    ("transformation, keeps", "test.Echo"),
    ("transformation, rewrites", "test.Rewrite"),
    ("sink put", "test.EchoSink"),
    ("source poll", "test.EchoSource"),
];

fn records(rows: usize, bytes: usize, string: &SchemaHandle) -> Records {
    let mut value = Column::with_capacity(rows, rows * bytes);
    let cell = vec![b'x'; bytes];
    (0..rows).for_each(|_| value.push(&cell));
    let mut records = Records { rows, value: Cells { column: value, schema: vec![] }, ..Records::default() };
    records.tables.topics.push("topic".into());
    records.tables.partitions.push(Some(0));
    records.tables.schemas.push(Some(string.clone()));
    records.offset = (0..rows as i64).collect();
    records
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// How often to repeat a call so that one run takes long enough to be measured.
fn repeats(rows: usize, bytes: usize) -> usize {
    (20_000_000 / (rows * bytes + rows * 20 + 2_000)).clamp(1, 5_000)
}

fn limits() -> Limits {
    Limits { memory_bytes: 4 << 30, ..Limits::default() }
}

/// One line of the table: its name, and nanoseconds a record by batch size.
async fn measure(echo: &Arc<dyn Component>, class: &str, bytes: usize) -> Vec<Option<f64>> {
    let string = SchemaHandle::new(Schema::of(Node::new(Type::String)));
    let mut line = Vec::new();
    for rows in BATCHES {
        if rows * bytes > FITS {
            line.push(None);
            continue;
        }
        let times = repeats(rows, bytes);
        let mut runs = Vec::new();
        let limits = limits();
        match class {
            "test.Look" | "test.Echo" | "test.Rewrite" => {
                let mut chain = echo.transformations(context("", &[], &limits)).await.unwrap();
                let step = Step { class: class.into(), config: Default::default(), guard: None };
                chain.configure(0, &vec![step]).await.unwrap();
                let mut records = records(rows, bytes, &string);
                for _ in 0..RUNS {
                    let began = Instant::now();
                    for _ in 0..times {
                        records.tables.schemas.truncate(1);
                        records.value.schema.clear();
                        records = chain.apply(0, records).await.unwrap().records;
                    }
                    runs.push(began.elapsed().as_nanos() as f64 / (times * rows) as f64);
                    assert_eq!(records.rows, rows);
                }
            }
            "test.EchoSink" => {
                let mut sink = echo.sink_task(context(class, &[], &limits)).await.unwrap();
                sink.start().await.unwrap();
                let batch = SinkRecords { records: records(rows, bytes, &string), original: None };
                for _ in 0..RUNS {
                    let began = Instant::now();
                    for _ in 0..times {
                        sink.put(&batch).await.unwrap();
                    }
                    runs.push(began.elapsed().as_nanos() as f64 / (times * rows) as f64);
                }
            }
            _ => {
                let (rows_text, bytes_text) = (rows.to_string(), bytes.to_string());
                let entries = [("rows", rows_text.as_str()), ("bytes", bytes_text.as_str())];
                let mut source = echo.source_task(context(class, &entries, &limits)).await.unwrap();
                source.start().await.unwrap();
                for _ in 0..RUNS {
                    let began = Instant::now();
                    for _ in 0..times {
                        assert_eq!(source.poll(Duration::ZERO, BATCH).await.unwrap().records.rows, rows);
                    }
                    runs.push(began.elapsed().as_nanos() as f64 / (times * rows) as f64);
                }
            }
        }
        line.push(Some(median(runs)));
    }
    line
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // What cargo says of itself begins with dashes.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    runtime.block_on(async {
        let plugins = plugins(limits());
        let echo = component(&plugins, "guest_echo").await;
        println!("crossing the sandbox, ns a record, median of {RUNS} runs (batches across)");
        println!("{:<28} {:>7} {:>10} {:>10} {:>10} {:>10}", "", "size", 1, 100, 500, 2_000);
        for (what, class) in LINES {
            for (name, bytes) in SIZES {
                if !wanted.iter().all(|wanted| format!("{what}, {name}").contains(wanted)) {
                    continue;
                }
                let line = measure(&echo, class, bytes).await;
                print!("{what:<28} {name:>7}");
                for cell in line {
                    match cell {
                        Some(nanos) => print!(" {nanos:>10.1}"),
                        None => print!(" {:>10}", "-"),
                    }
                }
                println!();
            }
        }
        println!("-: there and back does not fit in the 4 GiB of a 32-bit guest");
    });
}
