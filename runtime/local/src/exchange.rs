//! Pure. What goes over the socket: requests and answers as JSON, records as chunks of stored batches behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_core::model::{Position, RawRecords, TimestampType, TopicPartition};
use weir_core::port::BrokerError;

use crate::admin::TopicDetails;
use crate::codec::{Batch, Unreadable, decode, encode};
use crate::rows::{Assembly, present, select, select_headers};

/// The protocol's version, first in every frame.
pub const VERSION: u8 = 1;
/// Bytes of JSON in a frame.
pub const HEADER_MAX: usize = 8 << 20;
/// Bytes of records in a frame: one record of the largest size fits.
pub const BODY_MAX: usize = 72 << 20;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Every topic.
    List,
    /// One topic.
    Describe {
        /// Its name.
        topic: String,
    },
    /// Make one.
    Create {
        /// Its name.
        topic: String,
        /// How many partitions, or -1.
        partitions: i32,
        /// How many replicas, or -1.
        replication_factor: i16,
        /// Its configuration.
        config: BTreeMap<String, String>,
    },
    /// Delete one.
    Delete {
        /// Its name.
        topic: String,
    },
    /// Write the records behind this.
    Produce {
        /// What they are.
        chunks: Vec<Chunk>,
    },
    /// Read.
    Read {
        /// From where.
        from: Vec<At>,
        /// For how long to wait.
        max_wait_ms: u64,
        /// How many bytes.
        max_bytes: usize,
    },
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `List`, and with one or none to `Describe`.
    Topics {
        /// The topics.
        topics: Vec<TopicDetails>,
    },
    /// To `Create` and `Delete`: whether something was made or deleted.
    Changed {
        /// It was.
        changed: bool,
    },
    /// To `Produce`, chunk by chunk.
    Produced {
        /// Partition and offset, or why not.
        outcomes: Vec<Result<(i32, i64), Refusal>>,
    },
    /// To `Read`, with records behind it.
    Records {
        /// What they are.
        chunks: Vec<Chunk>,
        /// Where to go on.
        next: Vec<At>,
    },
    /// It was not done.
    Failed {
        /// Why.
        why: Refusal,
    },
}

/// Records of one partition in the bytes behind a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Their topic.
    pub topic: String,
    /// Their partition; none lets the store choose.
    pub partition: Option<i32>,
    /// The first one's offset.
    pub offset: i64,
    /// How many bytes they take.
    pub bytes: usize,
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    topic: String,
    partition: i32,
    offset: i64,
}

/// A broker's error on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
pub enum Refusal {
    /// As [`BrokerError::Unavailable`].
    Unavailable(String),
    /// As [`BrokerError::Rejected`].
    Rejected(String),
    /// As [`BrokerError::BadRecord`].
    BadRecord(String),
    /// As [`BrokerError::Fenced`].
    Fenced(String),
    /// As [`BrokerError::Denied`].
    Denied(String),
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Refusal {
        match error {
            BrokerError::Unavailable(why) => Refusal::Unavailable(why),
            BrokerError::Rejected(why) => Refusal::Rejected(why),
            BrokerError::BadRecord(why) => Refusal::BadRecord(why),
            BrokerError::Fenced(why) => Refusal::Fenced(why),
            BrokerError::Denied(why) => Refusal::Denied(why),
        }
    }
}

impl From<Refusal> for BrokerError {
    fn from(refusal: Refusal) -> BrokerError {
        match refusal {
            Refusal::Unavailable(why) => BrokerError::Unavailable(why),
            Refusal::Rejected(why) => BrokerError::Rejected(why),
            Refusal::BadRecord(why) => BrokerError::BadRecord(why),
            Refusal::Fenced(why) => BrokerError::Fenced(why),
            Refusal::Denied(why) => BrokerError::Denied(why),
        }
    }
}

impl From<&Position> for At {
    fn from(position: &Position) -> At {
        let TopicPartition { topic, partition } = &position.partition;
        At { topic: topic.to_string(), partition: *partition, offset: position.offset }
    }
}

impl From<At> for Position {
    fn from(at: At) -> Position {
        Position { partition: TopicPartition { topic: at.topic.into(), partition: at.partition }, offset: at.offset }
    }
}

/// Records as chunks, and for each row of the chunks, in their order, the row it was.
pub fn to_chunks(records: &RawRecords) -> (Vec<Chunk>, Vec<u8>, Vec<u32>) {
    type Place = (u32, Option<i32>);
    let mut groups: Vec<(Place, Vec<u32>)> = Vec::new();
    let mut known: BTreeMap<Place, usize> = BTreeMap::new();
    for row in 0..records.rows {
        let at = (records.topic.get(row).copied().unwrap_or(0), records.partition_of(row));
        let group = *known.entry(at).or_insert_with(|| {
            groups.push((at, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(row as u32);
    }
    let (mut chunks, mut body, mut order) = (Vec::new(), Vec::new(), Vec::with_capacity(records.rows));
    for ((_, partition), rows) in groups {
        let offset_of = |row: u32| records.offset.get(row as usize).copied().unwrap_or(0);
        // Offsets further apart than a batch can say begin another one.
        for rows in rows.chunk_by(|a, b| offset_of(*b) - offset_of(*a) < 1 << 16) {
            for rows in rows.chunks(1 << 15) {
                let offset = offset_of(rows[0]);
                let start = body.len();
                encode(&batch(records, rows, offset), &mut body);
                let topic = records.topic_of(rows[0] as usize).to_string();
                chunks.push(Chunk { topic, partition, offset, bytes: body.len() - start });
                order.extend_from_slice(rows);
            }
        }
    }
    (chunks, body, order)
}

fn batch(records: &RawRecords, rows: &[u32], offset: i64) -> Batch {
    let deltas: Vec<u32> = match records.offset.is_empty() {
        true => Vec::new(),
        false => rows.iter().map(|row| (records.offset[*row as usize] - offset) as u32).collect(),
    };
    Batch {
        rows: rows.len(),
        span: deltas.last().map_or(rows.len() as u32, |last| last + 1),
        appended: 0,
        timestamps: rows.iter().map(|row| records.timestamp_of(*row as usize).unwrap_or(-1)).collect(),
        timestamp_type: records.timestamp_type,
        deltas,
        key: present(select(&records.key, rows)),
        value: present(select(&records.value, rows)),
        headers: select_headers(&records.headers, rows),
    }
}

/// Chunks as records.
pub fn from_chunks(chunks: &[Chunk], mut body: &[u8]) -> Result<RawRecords, Unreadable> {
    let mut assembly = Assembly::default();
    let mut names: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    for chunk in chunks {
        let (bytes, rest) = body.split_at_checked(chunk.bytes).ok_or(Unreadable::Cut)?;
        body = rest;
        let (head, batch) = decode(bytes)?;
        if head.length != bytes.len() || !assembly.takes(batch.timestamp_type) {
            return Err(Unreadable::Senseless("a chunk is not one batch like the others".into()));
        }
        if chunk.offset.checked_add(i64::from(head.span)).is_none() {
            return Err(Unreadable::Senseless(format!("offset {}", chunk.offset)));
        }
        let topic = names.entry(&chunk.topic).or_insert_with(|| chunk.topic.as_str().into());
        let rows = batch.rows;
        assembly.at(topic, chunk.partition);
        assembly.add(chunk.offset, batch, 0..rows);
    }
    let mut records = assembly.finish();
    if records.timestamp_type != TimestampType::LogAppendTime && records.timestamp.iter().all(|stamp| *stamp < 0) {
        records.timestamp = Vec::new();
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use weir_data::Column;

    fn records() -> RawRecords {
        let mut value = Column::default();
        ["a", "b", "c", "d"].iter().for_each(|cell| value.push(cell.as_bytes()));
        RawRecords {
            rows: 4,
            topics: vec!["t".into(), "u".into()],
            topic: vec![1, 0, 1, 1],
            partitions: vec![None, Some(3)],
            partition: vec![0, 0, 1, 0],
            value,
            ..RawRecords::default()
        }
    }

    #[test]
    fn records_come_over_with_their_places() {
        let records = records();
        let (chunks, body, order) = to_chunks(&records);
        let back = from_chunks(&chunks, &body).unwrap();
        assert_eq!((back.rows, order.len()), (4, 4));
        for (row, was) in order.iter().map(|was| *was as usize).enumerate() {
            assert_eq!(back.value.get(row), records.value.get(was));
            assert_eq!(back.topic_of(row), records.topic_of(was));
            assert_eq!(back.partition_of(row), records.partition_of(was));
            assert_eq!(back.timestamp_of(row), None);
        }
    }

    #[test]
    fn offsets_with_gaps_come_over() {
        let offset = vec![5, 9, 1 << 40, (1 << 40) + 1];
        let records = RawRecords { topic: vec![], partition: vec![], offset: offset.clone(), ..records() };
        let (chunks, body, _) = to_chunks(&records);
        assert_eq!(chunks.len(), 2);
        assert_eq!(from_chunks(&chunks, &body).unwrap().offset, offset);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_over_makes_it_panic(
            lengths in prop::collection::vec(0usize..80, 0..4), at in any::<prop::sample::Index>(), byte in any::<u8>(),
            offset in any::<i64>(),
        ) {
            let (mut chunks, mut body, _) = to_chunks(&records());
            for (chunk, bytes) in chunks.iter_mut().zip(lengths) {
                (chunk.bytes, chunk.offset) = (bytes, offset);
            }
            let at = at.index(body.len());
            body[at] = byte;
            let _ = from_chunks(&chunks, &body);
        }
    }
}
