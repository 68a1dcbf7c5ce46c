//! librdkafka alone, as fast as it goes with weir's client settings: rd_kafka_produce with a delivery report for each
//! record, and a loop over rd_kafka_consume_batch_queue that looks at each record.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Bytes that may be unanswered, as a task's.
const UNANSWERED_MAX: usize = 32 << 20;

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

/// Writes `records` values; `value` puts each into the buffer. Answers how long it took until all were acknowledged.
pub fn produce(bootstrap: &str, topic: &str, records: usize, value: impl Fn(usize, &mut Vec<u8>)) -> Duration {
    let answered = Counting::default();
    let producer: BaseProducer<Counting> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "0")
        .create_with_context(answered.clone())
        .expect("a producer");
    let mut bytes = Vec::new();
    let begun = Instant::now();
    for sent in 0..records {
        bytes.clear();
        value(sent, &mut bytes);
        producer.send(BaseRecord::<(), [u8]>::to(topic).payload(&bytes)).map_err(|(e, _)| e).expect("it is taken");
        while (sent - answered.0.load(Ordering::Relaxed)) * bytes.len() > UNANSWERED_MAX {
            producer.poll(Duration::from_millis(10));
        }
        if sent % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60)).expect("all is written");
    begun.elapsed()
}

/// Reads `records` records of partition 0. The clock runs from the first one on.
pub fn consume(bootstrap: &str, topic: &str, records: usize) -> Duration {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "raw")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.max.bytes", "8388608")
        .set("fetch.queue.backoff.ms", "1")
        .create()
        .expect("a consumer");
    // Without a group: rdkafka takes rebalances as events, which the loop below does not see.
    let mut whole = TopicPartitionList::new();
    whole.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&whole).expect("it is assigned");
    read(&consumer, records)
}

#[allow(unsafe_code, reason = "the yardstick is librdkafka's own interface")]
fn read(consumer: &BaseConsumer, records: usize) -> Duration {
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
    assert!(bytes >= seen);
    begun.expect("records came").elapsed()
}

/// Waits until partition 0 holds `records` records. The clock runs from when it holds the first.
#[allow(dead_code, reason = "only one of the two programs waits for others")]
pub fn until_written(bootstrap: &str, topic: &str, records: usize) -> Duration {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a consumer");
    let mut begun = None;
    let limit = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(Instant::now() < limit, "{topic} did not get its {records} records");
        let end = consumer.fetch_watermarks(topic, 0, Duration::from_secs(10)).map_or(0, |(_, end)| end);
        if end > 0 {
            begun.get_or_insert_with(Instant::now);
        }
        if end >= records as i64 {
            return begun.expect("it is not empty").elapsed();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
