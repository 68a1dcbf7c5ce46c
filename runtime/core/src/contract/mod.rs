//! What every implementation of a port must do, as functions over the port alone. Each runs on a broker that holds no
//! topic of the function's; a function never looks at what others made.

mod consumers;
mod groups;
mod logs;
mod members;
mod producers;
mod steps;
mod topics;
mod transactions;

pub use consumers::{
    a_waiting_poll_wakes_for_records, pause_resume_and_seek_move_only_what_they_name,
    polls_are_bounded_and_a_dropped_one_loses_nothing,
};
pub use groups::{
    a_newcomer_gets_its_share_after_the_owner_let_go, committed_offsets_are_altered_while_nobody_reads,
    committed_offsets_are_where_the_group_goes_on, patterns_match_whole_names_and_topics_made_later,
};
pub use logs::logs_are_read_to_the_end_and_followed;
pub use members::{
    SESSION, a_member_alone_leads_itself, strangers_are_turned_away_and_dropped_joins_forgotten,
    two_members_agree_and_each_gets_its_own, who_leaves_or_is_silent_is_put_out,
};
pub use producers::{
    keys_go_where_java_puts_them, records_come_back_as_they_were_sent,
    what_cannot_be_written_is_refused_record_by_record,
};
pub use steps::{Read, consumer, read, send, topic, values};
pub use topics::topics_are_made_once_and_described;
pub use transactions::{
    a_newer_producer_of_an_id_fences_the_older, a_refused_record_fails_its_transaction_and_no_other,
    logs_take_part_in_transactions, transactions_follow_each_other_at_once,
    what_is_committed_is_seen_whole_and_what_is_given_up_never, what_was_open_when_its_producer_went_is_given_up,
};

/// Hands a macro the name of every function of the suite, to make a test of each.
#[macro_export]
macro_rules! every_behaviour {
    ($make:ident) => {
        $make!(
            topics_are_made_once_and_described,
            records_come_back_as_they_were_sent,
            keys_go_where_java_puts_them,
            what_cannot_be_written_is_refused_record_by_record,
            committed_offsets_are_where_the_group_goes_on,
            committed_offsets_are_altered_while_nobody_reads,
            a_waiting_poll_wakes_for_records,
            polls_are_bounded_and_a_dropped_one_loses_nothing,
            pause_resume_and_seek_move_only_what_they_name,
            a_newcomer_gets_its_share_after_the_owner_let_go,
            patterns_match_whole_names_and_topics_made_later,
            logs_are_read_to_the_end_and_followed,
            transactions_follow_each_other_at_once,
            what_is_committed_is_seen_whole_and_what_is_given_up_never,
            a_newer_producer_of_an_id_fences_the_older,
            what_was_open_when_its_producer_went_is_given_up,
            a_refused_record_fails_its_transaction_and_no_other,
            logs_take_part_in_transactions,
        );
    };
}

/// Hands a macro the name of every function about coordinators, to make a test of each.
#[macro_export]
macro_rules! every_behaviour_of_coordinators {
    ($make:ident) => {
        $make!(
            a_member_alone_leads_itself,
            two_members_agree_and_each_gets_its_own,
            who_leaves_or_is_silent_is_put_out,
            strangers_are_turned_away_and_dropped_joins_forgotten,
        );
    };
}
