//! The program that weir's throughput is held against (design §7): librdkafka alone, in a process of its own, so that
//! its CPU time can be told from others'. Prints seconds of the clock and seconds of its CPU.
//!
//! `yardstick create|fill-text|fill-json|produce|consume|until BOOTSTRAP TOPIC RECORDS`: makes the topic; fills it with
//! lines or with JSON; times writing lines to it or reading from it; or times others who write to it.

mod raw;

use std::io::Write as _;
use std::time::Duration;

use weir_core::model::Config;
use weir_core::port::{Broker, NewTopic};
use weir_kafka::KafkaBroker;

fn line(_: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'x'; 100]);
}

/// 95 bytes of JSON, all of the same length.
fn json(number: usize, out: &mut Vec<u8>) {
    let id = 1_000_000_000 + number;
    write!(out, r#"{{"id":{id},"name":"customer-{id}","city":"Springfield","amount":1234.5,"paid":true}}"#)
        .expect("it is memory");
}

fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

async fn create(bootstrap: &str, topic: &str) {
    let broker = KafkaBroker::new(&Config::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]));
    let (name, config) = (topic.to_owned(), Default::default());
    let topic = NewTopic { name, partitions: 1, replication_factor: -1, config };
    broker.expect("settings").create_topic(&topic).await.expect("a topic");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, bootstrap, topic, records] = &arguments[..] else {
        eprintln!("yardstick create|fill-text|fill-json|produce|consume|until BOOTSTRAP TOPIC RECORDS");
        std::process::exit(2);
    };
    let records: usize = records.parse().expect("RECORDS is a number");
    let before = cpu();
    let took = match mode.as_str() {
        "create" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(create(bootstrap, topic));
            Duration::ZERO
        }
        "fill-text" | "produce" => raw::produce(bootstrap, topic, records, line),
        "fill-json" => raw::produce(bootstrap, topic, records, json),
        "consume" => raw::consume(bootstrap, topic, records),
        "until" => raw::until_written(bootstrap, topic, records),
        other => panic!("no such mode: {other}"),
    };
    println!("{} {}", took.as_secs_f64(), (cpu() - before).as_secs_f64());
}
