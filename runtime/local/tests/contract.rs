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
