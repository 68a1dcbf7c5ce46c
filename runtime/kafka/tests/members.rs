//! Members of worker groups on a real Kafka: what is asked of a coordinator that is looked for again, and one that dies.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::time::{Duration, Instant};

use kafka::Kafka;
use weir_core::port::{ClientSettings, Coordinator, MemberId, Refused};
use weir_kafka::KafkaCoordinator;

/// Well below the time-outs of requests and rebalances.
const SOON: Duration = Duration::from_secs(5);

fn member(kafka: &Kafka, group: &str) -> KafkaCoordinator {
    let settings = [("bootstrap.servers", kafka.bootstrap()), ("group.id", group.into()), ("client.id", group.into())];
    let settings: ClientSettings = settings.map(|(key, value)| (key.to_string(), value)).into();
    KafkaCoordinator::new(&settings).unwrap()
}

fn offered() -> Vec<(String, Vec<u8>)> {
    vec![("compatible".to_string(), vec![1])]
}

/// Finds the coordinator and asks it something; it may take a moment when nobody looked for it before.
async fn speaks(member: &KafkaCoordinator) {
    let since = Instant::now();
    let nobody = MemberId { member: "nobody".into(), generation: 1 };
    loop {
        let answer = match member.find().await {
            Ok(()) => member.heartbeat(&nobody).await,
            refused => refused,
        };
        match answer {
            Err(Refused::Expelled) => break,
            // A coordinator that still reads its groups is content with every heartbeat.
            Ok(()) | Err(Refused::Loading | Refused::NoCoordinator) => {}
            other => panic!("a stranger is told so, not {other:?}"),
        }
        assert!(since.elapsed() < Duration::from_secs(60), "no coordinator in time: {answer:?}");
    }
}

/// Under its client's name, as the id that it was given says.
async fn given_id(member: &KafkaCoordinator, group: &str) -> String {
    match member.join("", &offered()).await {
        Err(Refused::IdRequired(id)) if id.starts_with(&format!("{group}-")) => id,
        other => panic!("an id is given, not {other:?}"),
    }
}

/// In its group, alone.
async fn alone(member: &KafkaCoordinator, group: &str) -> MemberId {
    speaks(member).await;
    let id = given_id(member, group).await;
    let joined = member.join(&id, &offered()).await.unwrap();
    let me = MemberId { member: joined.member, generation: joined.generation };
    assert_eq!(member.sync(&me, &[(id, vec![7])]).await, Ok(vec![7]));
    me
}

async fn soon<T>(asked: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, asked).await.expect("an answer in time")
}

#[tokio::test]
async fn a_join_that_waits_is_in_nobodys_way_and_ends_when_the_coordinator_is_looked_for() {
    let kafka = kafka::shared();
    let (first, second) = (member(kafka, "waits"), member(kafka, "waits"));
    let me = alone(&first, "waits").await;
    speaks(&second).await;
    let (id, offered) = (given_id(&second, "waits").await, offered());
    // It waits for the first member, which does not answer the round.
    let mut join = std::pin::pin!(second.join(&id, &offered));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut join).await.is_err());
    assert_eq!(soon(first.heartbeat(&me)).await, Err(Refused::Rebalancing));
    // Nobody looks at the join while the second leaves and looks for its coordinator.
    soon(second.leave(&id)).await;
    assert_eq!(soon(second.find()).await, Ok(()));
    assert_eq!(soon(join).await, Err(Refused::NoCoordinator));
    assert_eq!(soon(first.join(&me.member, &offered)).await.unwrap().members.len(), 1);
}

#[tokio::test]
async fn a_broker_that_dies_is_missed_at_once_and_found_again() {
    let mut kafka = Kafka::start(&[]);
    let member = member(&kafka, "survives");
    let me = alone(&member, "survives").await;
    kafka.stop();
    let since = Instant::now();
    assert_eq!(member.heartbeat(&me).await, Err(Refused::NoCoordinator));
    assert_eq!(member.join(&me.member, &offered()).await, Err(Refused::NoCoordinator));
    assert_eq!(member.find().await, Err(Refused::NoCoordinator));
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    kafka.restart();
    speaks(&member).await;
    assert_eq!(member.heartbeat(&me).await, Ok(()), "the group was kept");
}
