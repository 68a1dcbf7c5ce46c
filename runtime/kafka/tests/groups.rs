//! Groups on a real Kafka: who reads what when members come and go, cooperative and not.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_core::contract::{send, topic, values};
use weir_core::model::{Position, Subscription, TopicPartition};
use weir_core::port::{Broker, ClientSettings, Consumer, ConsumerPolled as Polled};
use weir_kafka::KafkaBroker;

const SOON: Duration = Duration::from_secs(30);
const MANY: usize = 1 << 20;
const RANGE: &str = "org.apache.kafka.clients.consumer.RangeAssignor";
const COOPERATIVE: &str = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

fn broker() -> Arc<dyn Broker> {
    let settings = ClientSettings::from([("bootstrap.servers".into(), kafka::shared().bootstrap())]);
    Arc::new(KafkaBroker::new(&settings).unwrap())
}

async fn member(broker: &Arc<dyn Broker>, topic: &str, assignor: &str) -> Box<dyn Consumer> {
    let settings = ClientSettings::from([
        ("group.id".into(), format!("group of {topic}")),
        ("partition.assignment.strategy".into(), assignor.into()),
        ("heartbeat.interval.ms".into(), "200".into()),
    ]);
    broker.consumer(&Subscription::Topics(vec![topic.into()]), &settings).await.unwrap()
}

async fn told(consumer: &mut Box<dyn Consumer>) -> Polled {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(200), MANY).await.unwrap() {
            Polled::Nothing | Polled::Records(_) => {}
            told => return told,
        }
    }
    panic!("nothing was told in time");
}

fn partitions(polled: Polled) -> Vec<TopicPartition> {
    match polled {
        Polled::Assigned(positions) => positions.into_iter().map(|position| position.partition).collect(),
        Polled::Revoked(partitions) => partitions,
        other => panic!("assigned or revoked expected, not {other:?}"),
    }
}

/// A second member comes; the first is told and takes its time. Nothing reaches the second before the first let go,
/// and then it goes on where the first committed.
async fn hand_over(name: &str, assignor: &str, revoked_count: usize) {
    let broker = broker();
    broker.create_topic(&topic(name, 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    for partition in [0, 1] {
        send(&mut producer, values(name, Some(partition), &["a", "b", "c"])).await;
    }
    let mut first = member(&broker, name, assignor).await;
    assert_eq!(partitions(told(&mut first).await).len(), 2);
    let mut second = member(&broker, name, assignor).await;
    let revoked = partitions(told(&mut first).await);
    assert_eq!(revoked.len(), revoked_count);
    assert_eq!(second.poll(Duration::from_millis(700), MANY).await.unwrap(), Polled::Nothing);
    let positions: Vec<Position> =
        revoked.iter().map(|partition| Position { partition: partition.clone(), offset: 1 }).collect();
    first.commit(&positions).await.unwrap();
    first.release().await.unwrap();
    let (again, taken) = match revoked_count {
        1 => (Vec::new(), told(&mut second).await),
        _ => {
            let (again, taken) = tokio::join!(told(&mut first), told(&mut second));
            (partitions(again), taken)
        }
    };
    let Polled::Assigned(taken) = taken else { panic!("assigned expected, not {taken:?}") };
    assert_eq!(taken.len(), 1);
    assert!(positions.contains(&taken[0]), "{taken:?} goes on where the first committed, {positions:?}");
    assert!(!again.contains(&taken[0].partition));
    loop {
        if let Polled::Records(records) = second.poll(SOON, MANY).await.unwrap() {
            assert_eq!(records.offset[0], 1);
            break;
        }
    }
    first.close().await.unwrap();
    assert!(!partitions(told(&mut second).await).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cooperative_member_gives_up_one_partition_once_it_let_go() {
    hand_over("cooperative", COOPERATIVE, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eager_member_gives_up_all_and_gets_back_its_share() {
    hand_over("eager", RANGE, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_member_leaves_at_once() {
    let broker = broker();
    broker.create_topic(&topic("dropped", 1, &[])).await.unwrap();
    let mut first = member(&broker, "dropped", COOPERATIVE).await;
    assert_eq!(partitions(told(&mut first).await).len(), 1);
    drop(first);
    // Far below the session's 45 seconds.
    let mut second = member(&broker, "dropped", COOPERATIVE).await;
    assert_eq!(partitions(told(&mut second).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_of_a_paused_partition_comes_once_and_in_order_after_it_is_resumed() {
    let broker = broker();
    broker.create_topic(&topic("held", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    let texts: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for partition in [0, 1] {
        send(&mut producer, values("held", Some(partition), &texts)).await;
    }
    let mut reader = member(&broker, "held", COOPERATIVE).await;
    partitions(told(&mut reader).await);
    let mut next = [0i64; 2];
    let paused = TopicPartition { topic: "held".into(), partition: 0 };
    let mut polls = 0;
    while next != [500, 500] {
        polls += 1;
        // Small batches leave messages behind that were taken out of the queue already.
        if let Polled::Records(records) = reader.poll(Duration::from_millis(100), 700).await.unwrap() {
            for row in 0..records.rows {
                let partition = records.partition_of(row).unwrap() as usize;
                assert!(polls % 7 < 3 || partition == 1, "poll {polls} gave out what is paused");
                assert_eq!(records.offset[row], next[partition]);
                next[partition] += 1;
            }
        }
        match polls % 7 {
            2 => reader.pause(std::slice::from_ref(&paused)).unwrap(),
            6 => reader.resume(std::slice::from_ref(&paused)).unwrap(),
            _ => {}
        }
        assert!(polls < 5000, "{next:?}");
    }
}
