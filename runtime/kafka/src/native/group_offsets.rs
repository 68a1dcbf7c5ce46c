//! Committed offsets of groups, as an admin client asks for them and changes them. Every call here waits.

use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Op;
use rdkafka::types::RDKafkaErrorCode as Code;
use weir_core::model::{Position, TopicPartition};

use super::admin::Admin;
use super::partitions::{PartitionList, entries};
use super::{KafkaError, c_string, text};

/// What the first of some groups' results holds.
///
/// # Safety
/// The results are an answer's that lives during the call.
unsafe fn answered(
    groups: *mut *const sys::rd_kafka_group_result_t,
    count: usize,
) -> Result<Vec<Position>, KafkaError> {
    let mut positions = Vec::new();
    for at in 0..count {
        // SAFETY: by this function's contract.
        unsafe {
            let group = *groups.add(at);
            let error = sys::rd_kafka_group_result_error(group);
            if !error.is_null() {
                return Err(KafkaError::new(sys::rd_kafka_error_code(error), text(sys::rd_kafka_error_string(error))));
            }
            for (position, error) in entries(sys::rd_kafka_group_result_partitions(group)) {
                error.map_err(|e| KafkaError { message: format!("{}: {}", position.partition, e.message), ..e })?;
                positions.push(position);
            }
        }
    }
    Ok(positions)
}

/// A group that is not there has no offsets, and nothing to forget.
fn missing_is_empty<T: Default>(answer: Result<T, KafkaError>) -> Result<T, KafkaError> {
    match answer {
        Err(error) if error.code == Code::GroupIdNotFound => Ok(T::default()),
        answer => answer,
    }
}

impl Admin<'_> {
    /// The committed offsets of a group.
    pub fn group_offsets(&self, group: &str) -> Result<Vec<Position>, KafkaError> {
        // SAFETY: the request is owned here; results live as long as the answer.
        let listed = unsafe {
            let wanted = sys::rd_kafka_ListConsumerGroupOffsets_new(c_string(group).as_ptr(), ptr::null());
            let mut all = [wanted];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, |options, queue| {
                sys::rd_kafka_ListConsumerGroupOffsets(self.client.rk(), all.as_mut_ptr(), 1, options, queue);
            });
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
            answer.and_then(|answer| {
                let mut count = 0;
                let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(answer.event);
                let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
                answered(groups, count)
            })
        };
        Ok(missing_is_empty(listed)?.into_iter().filter(|position| position.offset >= 0).collect())
    }

    /// Sets committed offsets of a group without members.
    pub fn alter_group_offsets(&self, group: &str, positions: &[Position]) -> Result<(), KafkaError> {
        let list = PartitionList::at(positions);
        // SAFETY: as above; the request copies the list.
        unsafe {
            let wanted = sys::rd_kafka_AlterConsumerGroupOffsets_new(c_string(group).as_ptr(), list.as_ptr());
            let mut all = [wanted];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, |options, queue| {
                sys::rd_kafka_AlterConsumerGroupOffsets(self.client.rk(), all.as_mut_ptr(), 1, options, queue);
            });
            sys::rd_kafka_AlterConsumerGroupOffsets_destroy(wanted);
            let answer = answer?;
            let mut count = 0;
            let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(answer.event);
            answered(sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count), count).map(drop)
        }
    }

    /// Forgets committed offsets of a group.
    pub fn remove_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions);
        // SAFETY: as above.
        let removed = unsafe {
            let wanted = sys::rd_kafka_DeleteConsumerGroupOffsets_new(c_string(group).as_ptr(), list.as_ptr());
            let mut all = [wanted];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, |options, queue| {
                sys::rd_kafka_DeleteConsumerGroupOffsets(self.client.rk(), all.as_mut_ptr(), 1, options, queue);
            });
            sys::rd_kafka_DeleteConsumerGroupOffsets_destroy(wanted);
            answer.and_then(|answer| {
                let mut count = 0;
                let result = sys::rd_kafka_event_DeleteConsumerGroupOffsets_result(answer.event);
                answered(sys::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &mut count), count).map(drop)
            })
        };
        missing_is_empty(removed)
    }

    /// Forgets a group without members.
    pub fn delete_group(&self, group: &str) -> Result<(), KafkaError> {
        // SAFETY: as above.
        let deleted = unsafe {
            let wanted = sys::rd_kafka_DeleteGroup_new(c_string(group).as_ptr());
            let mut all = [wanted];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETEGROUPS, |options, queue| {
                sys::rd_kafka_DeleteGroups(self.client.rk(), all.as_mut_ptr(), 1, options, queue);
            });
            sys::rd_kafka_DeleteGroup_destroy(wanted);
            answer.and_then(|answer| {
                let mut count = 0;
                let result = sys::rd_kafka_event_DeleteGroups_result(answer.event);
                answered(sys::rd_kafka_DeleteGroups_result_groups(result, &mut count), count).map(drop)
            })
        };
        missing_is_empty(deleted)
    }
}
