//! Records a second through this crate's producer and consumer, beside librdkafka alone, in one run on one broker:
//! 100 B records, one partition, no connector, no conversion. `raw` is the yardstick that design §7 measures weir's
//! sources and sinks against: rd_kafka_produce with a delivery report for each record on one side, a loop over
//! rd_kafka_consume_batch_queue that looks at each record on the other, with the same client properties as ours.
//!
//! `throughput [records] [bootstrap]`; without a broker's address it starts one.

#[allow(dead_code, reason = "an example uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use weir_core::model::{RawRecords, Subscription};
use weir_core::port::{Broker, ClientSettings, ConsumerPolled as Polled, NewTopic};
use weir_kafka::KafkaBroker;

const LINE: [u8; 100] = [b'x'; 100];
/// As a task: records of a poll, bytes that may be unanswered, bytes of a batch.
const BATCH: usize = 10_000;
const UNANSWERED_MAX: usize = 32 << 20;
const BATCH_BYTES: usize = 1 << 20;
const ROUNDS: usize = 3;

#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok());
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn report(what: &str, records: usize, took: Duration) {
    println!("{what:<14} {:>10.0} records/s", records as f64 / took.as_secs_f64());
}

fn raw_produce(bootstrap: &str, topic: &str, records: usize) -> Duration {
    let answered = Counting::default();
    let producer: BaseProducer<Counting> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "0")
        .create_with_context(answered.clone())
        .unwrap();
    let begun = Instant::now();
    for sent in 0..records {
        producer.send(BaseRecord::<(), [u8]>::to(topic).payload(&LINE)).map_err(|(e, _)| e).unwrap();
        while (sent - answered.0.load(Ordering::Relaxed)) * LINE.len() > UNANSWERED_MAX {
            producer.poll(Duration::from_millis(10));
        }
        if sent % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    begun.elapsed()
}

fn raw_consume(bootstrap: &str, topic: &str, records: usize, round: usize) -> Duration {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("raw-{round}"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.max.bytes", "8388608")
        .set("fetch.queue.backoff.ms", "1")
        .create()
        .unwrap();
    // Without a group: rdkafka takes rebalances as events, which the loop below does not see.
    let mut whole = TopicPartitionList::new();
    whole.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&whole).unwrap();
    raw_loop(&consumer, records)
}

/// The clock runs from the first record on: joining a group takes seconds.
#[allow(unsafe_code, reason = "the yardstick is librdkafka's own interface")]
fn raw_loop(consumer: &BaseConsumer, records: usize) -> Duration {
    let mut messages = vec![std::ptr::null_mut(); 2048];
    let (mut seen, mut bytes, mut begun) = (0, 0, None);
    // SAFETY: the client outlives the queue; messages are looked at before they are destroyed, once each.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        while seen < records {
            let taken = sys::rd_kafka_consume_batch_queue(queue, 100, messages.as_mut_ptr(), messages.len());
            if taken > 0 {
                begun.get_or_insert_with(Instant::now);
            }
            for &message in &messages[..taken.max(0) as usize] {
                bytes += (*message).len;
                seen += 1;
                sys::rd_kafka_message_destroy(message);
            }
        }
        sys::rd_kafka_queue_destroy(queue);
    }
    assert!(bytes >= seen * LINE.len());
    begun.expect("records came").elapsed()
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
        let took = tokio::task::spawn_blocking(move || raw_produce(&at, &name, records)).await.unwrap();
        report("produce raw", records, took);
        report("produce ours", records, our_produce(&broker, &topic("ours"), records).await);
        let (at, name) = (bootstrap.clone(), topic("raw"));
        let took = tokio::task::spawn_blocking(move || raw_consume(&at, &name, records, round)).await.unwrap();
        report("consume raw", records, took);
        report("consume ours", records, our_consume(&broker, &topic("raw"), records, round).await);
    }
}
