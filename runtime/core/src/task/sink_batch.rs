//! Pure. A batch on its way into a sink: what is left of it, where its rows came from, and what may be cut off.

use std::sync::Arc;

use crate::model::{RawRecords, Records, TopicPartition};
use crate::port::SinkRecords;
use crate::process::consumed_at;

use super::TaskFailure;

/// A batch on its way into the guest.
pub(super) struct Batch {
    pub records: SinkRecords,
    /// The row of the consumed batch that each record came from.
    pub origin: Option<Vec<u32>>,
    /// Where every consumed row was.
    pub consumed: Consumed,
    /// The rows as they were consumed, where reports need them.
    pub raw: Option<Arc<RawRecords>>,
    /// Consumed rows from here on have not been delivered, and end the task.
    pub failed: Option<(u32, TaskFailure)>,
}

impl Batch {
    /// The consumed row that a record came from.
    pub fn came_from(&self, row: u32) -> u32 {
        self.origin.as_ref().map_or(row, |origin| origin[row as usize])
    }
}

/// Where the rows of a consumed batch were.
#[derive(Default)]
pub(super) struct Consumed {
    pub partitions: Vec<TopicPartition>,
    /// Position of each row's partition.
    pub partition: Vec<u32>,
    pub offset: Vec<i64>,
}

impl Consumed {
    /// A row as traces name it.
    pub fn name(&self, row: u32) -> String {
        let (partition, offset) = (self.partition[row as usize] as usize, self.offset[row as usize]);
        consumed_at(&self.partitions[partition], offset)
    }
}

pub(super) fn consumed(raw: &RawRecords) -> Consumed {
    let at = |positions: &[u32], row: usize| positions.get(row).copied().unwrap_or(0);
    let mut known: Vec<(u32, u32)> = Vec::new();
    let mut consumed = Consumed { offset: raw.offset.clone(), ..Consumed::default() };
    for row in 0..raw.rows {
        let place = (at(&raw.topic, row), at(&raw.partition, row));
        let position = known.iter().rposition(|known| *known == place).unwrap_or_else(|| {
            known.push(place);
            let partition = raw.partition_of(row).unwrap_or(-1);
            consumed.partitions.push(TopicPartition { topic: raw.topic_of(row).clone(), partition });
            known.len() - 1
        });
        consumed.partition.push(position as u32);
    }
    consumed
}

/// Topics and partitions before transformations.
pub(super) struct Placed {
    topics: Vec<Arc<str>>,
    topic: Vec<u32>,
    partitions: Vec<Option<i32>>,
    partition: Vec<u32>,
}

impl Placed {
    pub fn new(raw: &RawRecords) -> Placed {
        Placed {
            topics: raw.topics.clone(),
            topic: raw.topic.clone(),
            partitions: raw.partitions.clone(),
            partition: raw.partition.clone(),
        }
    }

    /// Topic and partition of what is left, when they are not what they were.
    pub fn original(self, records: &mut Records, origin: Option<&[u32]>) -> Option<(Vec<u32>, Vec<u32>)> {
        let Placed { topics, topic, partitions, partition } = self;
        let same = records.tables.topics == topics && records.tables.partitions == partitions;
        let came = |row: usize| origin.map_or(row, |origin| origin[row] as usize);
        let at = |positions: &[u32], row: usize| positions.get(row).copied().unwrap_or(0);
        let unmoved = (0..records.rows).all(|row| {
            at(&records.topic, row) == at(&topic, came(row)) && at(&records.partition, row) == at(&partition, came(row))
        });
        if same && unmoved {
            return None;
        }
        let (topic_shift, partition_shift) =
            (records.tables.topics.len() as u32, records.tables.partitions.len() as u32);
        records.tables.topics.extend(topics);
        records.tables.partitions.extend(partitions);
        let original_topic = (0..records.rows).map(|row| at(&topic, came(row)) + topic_shift).collect();
        let original_partition = (0..records.rows).map(|row| at(&partition, came(row)) + partition_shift).collect();
        Some((original_topic, original_partition))
    }
}

pub(super) fn select(batch: Batch, rows: &[u32]) -> Batch {
    let pick = |positions: &[u32]| rows.iter().map(|&row| positions[row as usize]).collect();
    Batch {
        origin: Some(match &batch.origin {
            Some(origin) => pick(origin),
            None => rows.to_vec(),
        }),
        records: SinkRecords {
            original: batch.records.original.as_ref().map(|(topic, partition)| (pick(topic), pick(partition))),
            records: batch.records.records.select(rows),
        },
        ..batch
    }
}
