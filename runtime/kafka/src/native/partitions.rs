//! librdkafka's lists of partitions.

use std::sync::Arc;

use rdkafka::bindings as sys;
use weir_core::model::{Position, TopicPartition};

use super::client::Client;
use super::{KafkaError, c_string};

impl Client {
    /// The offset behind the last record of a partition, as the last fetch saw it. Asks nobody.
    pub fn end_seen(&self, partition: &TopicPartition) -> Option<i64> {
        let (topic, mut low, mut high) = (c_string(&partition.topic), -1, -1);
        // SAFETY: the client is alive, and so are name and numbers during the call.
        let seen = unsafe {
            sys::rd_kafka_get_watermark_offsets(self.rk(), topic.as_ptr(), partition.partition, &mut low, &mut high)
        };
        KafkaError::check(seen).ok().map(|()| high).filter(|high| *high >= 0)
    }
}

/// An owned list. Offsets are librdkafka's: -1001 for none.
pub(super) struct PartitionList(*mut sys::rd_kafka_topic_partition_list_t);

impl PartitionList {
    pub fn new<'a>(entries: impl ExactSizeIterator<Item = (&'a TopicPartition, Option<i64>)>) -> PartitionList {
        // SAFETY: the list is owned by what is returned; added entries live as long as it.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(entries.len() as i32);
            for (at, offset) in entries {
                let entry = sys::rd_kafka_topic_partition_list_add(list, c_string(&at.topic).as_ptr(), at.partition);
                if let Some(offset) = offset {
                    (*entry).offset = offset;
                }
            }
            PartitionList(list)
        }
    }

    pub fn of(partitions: &[TopicPartition]) -> PartitionList {
        PartitionList::new(partitions.iter().map(|at| (at, None)))
    }

    pub fn at(positions: &[Position]) -> PartitionList {
        PartitionList::new(positions.iter().map(|position| (&position.partition, Some(position.offset))))
    }

    /// A list of whole topics, for subscribing.
    pub fn topics(names: &[String]) -> PartitionList {
        // SAFETY: as in `new`.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(names.len() as i32);
            for name in names {
                sys::rd_kafka_topic_partition_list_add(list, c_string(name).as_ptr(), -1);
            }
            PartitionList(list)
        }
    }

    pub fn as_ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0
    }

    /// Every entry: partition, offset, error.
    pub fn entries(&self) -> Vec<(Position, Result<(), KafkaError>)> {
        // SAFETY: the list is alive as long as self.
        unsafe { entries(self.0) }
    }

    /// The first error of an entry, named by its partition.
    pub fn first_error(&self) -> Result<(), KafkaError> {
        self.entries().into_iter().try_for_each(|(position, error)| {
            error.map_err(|e| KafkaError { message: format!("{}: {}", position.partition, e.message), ..e })
        })
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: owned, and not used after.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0) }
    }
}

/// What a list holds. Names that follow each other are shared.
///
/// # Safety
/// The pointer is null or points to a list that lives during the call.
pub(super) unsafe fn entries(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> Vec<(Position, Result<(), KafkaError>)> {
    // SAFETY: by this function's contract; an empty list may have no entries to point to.
    if list.is_null() || unsafe { (*list).cnt == 0 } {
        return Vec::new();
    }
    let mut last: Option<Arc<str>> = None;
    // SAFETY: by this function's contract; a list holds `cnt` entries with a name each.
    unsafe {
        let elements = std::slice::from_raw_parts((*list).elems, (*list).cnt as usize);
        let entry = |element: &sys::rd_kafka_topic_partition_t| {
            let name = std::ffi::CStr::from_ptr(element.topic).to_string_lossy();
            let topic = last.take().filter(|last| **last == *name).unwrap_or_else(|| name.into());
            last = Some(topic.clone());
            let partition = TopicPartition { topic, partition: element.partition };
            (Position { partition, offset: element.offset }, KafkaError::check(element.err))
        };
        elements.iter().map(entry).collect()
    }
}
