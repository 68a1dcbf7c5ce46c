//! The suite of the broker's port over the store in memory and on disk.

use weir_core::contract;
use weir_local::{Local, Settings};

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                super::contract::$behaviour(super::Local::memory(super::Settings::default()).unwrap()).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test]
            async fn $behaviour() {
                let dir = tempfile::tempdir().unwrap();
                super::contract::$behaviour(super::Local::open(dir.path(), super::Settings::default()).unwrap()).await;
            })*
        }
    };
}

weir_core::every_behaviour!(on_both);

macro_rules! for_coordinators {
    ($($behaviour:ident),* $(,)?) => {
        mod coordinators {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                let groups = weir_local::WorkerGroups::default();
                let rebalance = std::time::Duration::from_secs(60);
                let make = || std::sync::Arc::new(groups.coordinator("g", super::contract::SESSION, rebalance)) as _;
                super::contract::$behaviour(make).await;
            })*
        }
    };
}

weir_core::every_behaviour_of_coordinators!(for_coordinators);
