//! Measures the converters: medians in nanoseconds a record. `cargo run --release -p weir-convert --example speed`.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use weir_convert::{Http, Role, converter};
use weir_core::model::{BatchTables, Config};
use weir_core::port::{Converter, TopicColumn};
use weir_data::{Cells, Column};

const ROWS: usize = 500;
const ROUNDS: usize = 2_000;
const TOPICS: TopicColumn<'static> = TopicColumn { topics: &[], topic: &[] };

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("these converters do not wait"),
    }
}

/// The median of the rounds, and their best tenth, in nanoseconds a record; inputs are cloned outside the clock.
fn measure<T: Clone, R>(name: &str, input: &T, mut run: impl FnMut(T) -> R) {
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let input = input.clone();
            let start = Instant::now();
            let result = black_box(run(black_box(input)));
            let time = start.elapsed().as_nanos();
            drop(result);
            time
        })
        .collect();
    times.sort_unstable();
    let a_record = |time: u128| time as f64 / ROWS as f64;
    println!("{name:42} {:7.1} ns (best tenth {:.1})", a_record(times[ROUNDS / 2]), a_record(times[ROUNDS / 10]));
}

fn there_and_back(name: &str, converter: &mut dyn Converter, record: impl Fn(usize) -> String) {
    let mut bytes = Column::default();
    (0..ROWS).for_each(|row| bytes.push(record(row).as_bytes()));
    println!("-- {name}, {} bytes a record", bytes.data.len() / ROWS);
    let mut tables = BatchTables::default();
    let converted = now(converter.to_connect(TOPICS, bytes.clone(), &mut tables));
    assert!(converted.faults.is_empty(), "{:?}", converted.faults.first());
    let cells: Cells = converted.cells;
    let back = now(converter.from_connect(TOPICS, cells.clone(), &tables));
    assert_eq!(back.bytes, bytes, "{name} comes back as it was");
    measure("to connect", &bytes, |bytes| now(converter.to_connect(TOPICS, bytes, &mut tables)));
    measure("from connect", &cells, |cells| now(converter.from_connect(TOPICS, cells, &tables)));
}

fn main() {
    let nobody_is_asked: Http = Arc::new(|_| panic!("no schema registry is asked here"));
    let make = |class: &str, config: &[(&str, &str)]| {
        let config: Config = config.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        converter(class, &config, Role::Value, &nobody_is_asked).expect("a valid configuration")
    };
    let object = |row: usize| {
        format!(
            r#"{{"id":{},"name":"customer-{}","amount":{}.25,"active":{},"city":"Berlin","tags":["a","b"]}}"#,
            row + 100_000,
            row + 10_000,
            row % 900 + 100,
            row.is_multiple_of(2)
        )
    };
    let schema = r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"name"},{"type":"double","optional":true,"field":"amount"},{"type":"boolean","optional":false,"field":"active"},{"type":"string","optional":true,"field":"city"},{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"tags"}],"optional":false,"name":"customer"}"#;
    there_and_back("JSON without schema", &mut *make("Json", &[("schemas.enable", "false")]), object);
    there_and_back("JSON in an envelope", &mut *make("Json", &[]), |row| {
        format!("{{\"schema\":{schema},\"payload\":{}}}", object(row))
    });
    let ids = |row: usize| format!("{{\"key-{row}\":1,\"other-{}\":2,\"third\":3}}", row * 7);
    there_and_back("JSON with keys never seen", &mut *make("Json", &[("schemas.enable", "false")]), ids);
    there_and_back("text", &mut *make("String", &[]), object);
    there_and_back("bytes", &mut *make("ByteArray", &[]), object);
}
