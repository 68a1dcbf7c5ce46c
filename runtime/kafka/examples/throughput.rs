//! Records a second through this crate's producer and consumer, beside librdkafka alone, in one run on one broker:
//! 100 B records, one partition, no connector, no conversion.
//!
//! `throughput [records] [bootstrap]`; without a broker's address it starts one.

#[allow(dead_code, reason = "an example uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

#[path = "yardstick/raw.rs"]
mod raw;

use std::time::{Duration, Instant};

use weir_core::model::{RawRecords, Subscription};
use weir_core::port::{Broker, ClientSettings, ConsumerPolled as Polled, NewTopic};
use weir_kafka::KafkaBroker;

const LINE: [u8; 100] = [b'x'; 100];
/// As a task: records of a poll, bytes that may be unanswered, bytes of a batch.
const BATCH: usize = 10_000;
const UNANSWERED_MAX: usize = 32 << 20;
const BATCH_BYTES: usize = 1 << 20;
const ROUNDS: usize = 3;

fn report(what: &str, records: usize, took: Duration) {
    println!("{what:<14} {:>10.0} records/s", records as f64 / took.as_secs_f64());
}

async fn our_produce(broker: &KafkaBroker, topic: &str, records: usize) -> Duration {
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let mut batch = RawRecords { rows: BATCH, topics: vec![topic.into()], ..RawRecords::default() };
    (0..BATCH).for_each(|_| batch.value.push(&LINE));
    let begun = Instant::now();
    let (mut sent, mut answered) = (0, 0);
    while answered < records {
        if sent < records && producer.unanswered_bytes() < UNANSWERED_MAX {
            let tickets: Vec<u64> = (sent as u64..(sent + BATCH) as u64).collect();
            producer.send(batch.clone(), &tickets).unwrap();
            sent += BATCH;
        } else {
            answered += producer.answers().await.into_iter().filter(|sent| sent.outcome.is_ok()).count();
        }
    }
    begun.elapsed()
}

async fn our_consume(broker: &KafkaBroker, topic: &str, records: usize, round: usize) -> Duration {
    let settings = ClientSettings::from([("group.id".into(), format!("ours-{round}"))]);
    let mut consumer = broker.consumer(&Subscription::Topics(vec![topic.into()]), &settings).await.unwrap();
    let (mut seen, mut begun) = (0, None);
    while seen < records {
        if let Polled::Records(records) = consumer.poll(Duration::from_secs(1), BATCH_BYTES).await.unwrap() {
            begun.get_or_insert_with(Instant::now);
            seen += records.rows;
        }
    }
    begun.expect("records came").elapsed()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let records: usize = arguments.next().map_or(2_000_000, |records| records.parse().expect("a number of records"));
    let records = records.div_ceil(BATCH) * BATCH;
    let started = arguments.next();
    let bootstrap = started.unwrap_or_else(|| kafka::shared().bootstrap());
    let broker = KafkaBroker::new(&ClientSettings::from([("bootstrap.servers".into(), bootstrap.clone())])).unwrap();
    for round in 0..ROUNDS {
        let topic = |of: &str| format!("throughput-{of}-{}-{round}", std::process::id());
        for of in ["raw", "ours"] {
            let (name, config) = (topic(of), Default::default());
            broker.create_topic(&NewTopic { name, partitions: 1, replication_factor: -1, config }).await.unwrap();
        }
        let (at, name) = (bootstrap.clone(), topic("raw"));
        let lines = move || raw::produce(&at, &name, records, |_, out| out.extend_from_slice(&LINE));
        let took = tokio::task::spawn_blocking(lines).await.unwrap();
        report("produce raw", records, took);
        report("produce ours", records, our_produce(&broker, &topic("ours"), records).await);
        let (at, name) = (bootstrap.clone(), topic("raw"));
        let took = tokio::task::spawn_blocking(move || raw::consume(&at, &name, records)).await.unwrap();
        report("consume raw", records, took);
        report("consume ours", records, our_consume(&broker, &topic("raw"), records, round).await);
    }
}
