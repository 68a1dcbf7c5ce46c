//! The suite of the broker's port over the store in memory and on disk.

#[path = "contract/suite.rs"]
mod suite;

use weir_local::{Local, Settings};

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                super::suite::$behaviour(super::Local::memory(super::Settings::default()).unwrap()).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test]
            async fn $behaviour() {
                let dir = tempfile::tempdir().unwrap();
                super::suite::$behaviour(super::Local::open(dir.path(), super::Settings::default()).unwrap()).await;
            })*
        }
    };
}

on_both!(
    topics_are_made_once_and_described,
    records_come_back_as_they_were_sent,
    keys_go_where_java_puts_them,
    what_cannot_be_written_is_refused_record_by_record,
    committed_offsets_are_where_the_group_goes_on,
    a_waiting_poll_wakes_for_records,
    polls_are_bounded_and_a_dropped_one_loses_nothing,
    pause_resume_and_seek_move_only_what_they_name,
    a_newcomer_gets_its_share_after_the_owner_let_go,
    patterns_match_whole_names_and_topics_made_later,
    logs_are_read_to_the_end_and_followed,
);
