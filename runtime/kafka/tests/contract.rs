//! The suite of the broker's port over a real Kafka.

#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::sync::Arc;

use weir_core::contract;
use weir_core::port::ClientSettings;
use weir_kafka::KafkaBroker;

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
