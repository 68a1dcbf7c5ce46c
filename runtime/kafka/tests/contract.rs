//! The suites of the broker's and the coordinator's ports over a real Kafka.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::sync::Arc;

use weir_core::contract;
use weir_core::port::{ClientSettings, Coordinator};
use weir_kafka::{KafkaBroker, KafkaCoordinator};

fn broker() -> Arc<KafkaBroker> {
    let settings = ClientSettings::from([("bootstrap.servers".into(), kafka::shared().bootstrap())]);
    Arc::new(KafkaBroker::new(&settings).unwrap())
}

macro_rules! on_kafka {
    ($($behaviour:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            contract::$behaviour(broker()).await;
        })*
    };
}

weir_core::every_behaviour!(on_kafka);

/// A member of a worker group that is named after its test.
fn coordinator(group: &str) -> Arc<dyn Coordinator> {
    let session = contract::SESSION.as_millis().to_string();
    let settings = [
        ("bootstrap.servers", kafka::shared().bootstrap()),
        ("group.id", group.to_owned()),
        ("session.timeout.ms", session),
        ("rebalance.timeout.ms", "30000".to_owned()),
    ];
    let settings: ClientSettings = settings.map(|(key, value)| (key.to_owned(), value)).into();
    Arc::new(KafkaCoordinator::new(&settings).unwrap())
}

macro_rules! of_groups {
    ($($behaviour:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            contract::$behaviour(|| coordinator(stringify!($behaviour))).await;
        })*
    };
}

weir_core::every_behaviour_of_coordinators!(of_groups);
