//! Reading records out of the store: partition after partition, up to a number of bytes.

use std::sync::Arc;

use redb::ReadableTable;
use tracing::error;
use weir_core::model::RawRecords;
use weir_core::port::BrokerError;

use crate::catalog::{Topic, entries_from};
use crate::codec::{Batch, decode, head};
use crate::local::Shared;
use crate::rows::Assembly;
use crate::store::{ENTRIES, EntryKey, Failure};

/// Bytes that are made room for at once.
const ROOM_MAX: usize = 1 << 20;

/// A part of a partition that is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub topic: Arc<Topic>,
    pub partition: i32,
    pub from: i64,
    pub end: i64,
}

/// Reads stretches in their order until there are about `bytes_max`, at least one record where there is one. Answers
/// how far each was read; what cannot be read is reported and left out.
pub(crate) fn read(
    shared: &Shared,
    stretches: &[Stretch],
    bytes_max: usize,
) -> Result<(RawRecords, Vec<i64>), BrokerError> {
    shared.store.read(|read| {
        let entries = read.open_table(ENTRIES)?;
        let mut assembly = Assembly::with_room(bytes_max.min(ROOM_MAX));
        let mut reached: Vec<i64> = stretches.iter().map(|stretch| stretch.from).collect();
        for (stretch, reached) in stretches.iter().zip(&mut reached) {
            *reached = read_stretch(stretch, &entries, &mut assembly, bytes_max)?;
            if *reached < stretch.end {
                break;
            }
        }
        Ok((assembly.finish(), reached))
    })
}

fn read_stretch(
    stretch: &Stretch,
    entries: &impl ReadableTable<EntryKey, &'static [u8]>,
    assembly: &mut Assembly,
    bytes_max: usize,
) -> Result<i64, Failure> {
    for entry in entries_from(entries, stretch.topic.id, stretch.partition, stretch.from)? {
        let (key, value) = entry?;
        let (base, mut bytes) = (key.value().2, value.value());
        let mut offset = base;
        while !bytes.is_empty() && offset < stretch.end {
            let frame = head(bytes).and_then(|head| {
                let passed = offset + i64::from(head.span) <= stretch.from;
                Ok((head, if passed { None } else { Some(decode(bytes)?.1) }))
            });
            let (head, batch) = match frame {
                Ok(frame) => frame,
                Err(unreadable) => {
                    let (topic, partition) = (&stretch.topic.name, stretch.partition);
                    error!(%topic, partition, offset, why = %unreadable, "stored records cannot be read and are left out");
                    break;
                }
            };
            if let Some(batch) = batch
                && let Some(stopped) = take(stretch, offset, batch, assembly, bytes_max)
            {
                return Ok(stopped);
            }
            offset += i64::from(head.span);
            bytes = &bytes[head.length..];
        }
        if offset >= stretch.end {
            break;
        }
    }
    Ok(stretch.end)
}

/// Adds what fits of a batch; some says that there was no room for more and where to go on.
fn take(stretch: &Stretch, base: i64, batch: Batch, assembly: &mut Assembly, bytes_max: usize) -> Option<i64> {
    let at = |row: usize| base + i64::from(batch.delta(row));
    let first = match &batch.deltas[..] {
        [] => (stretch.from - base).clamp(0, batch.rows as i64) as usize,
        deltas => deltas.partition_point(|delta| base + i64::from(*delta) < stretch.from),
    };
    if first == batch.rows {
        return None;
    }
    let size = batch.key.data.len() + batch.value.data.len() + batch.headers.value.data.len() + batch.rows * 24;
    if !assembly.takes(batch.timestamp_type) || (!assembly.is_empty() && assembly.bytes() + size > bytes_max) {
        return Some(at(first).max(stretch.from));
    }
    let mut last = batch.rows;
    if size > bytes_max {
        let cell = |column: &weir_data::Column, row| column.get(row).map_or(0, <[u8]>::len);
        let mut room = bytes_max;
        last = first;
        while last < batch.rows {
            let bytes = cell(&batch.key, last) + cell(&batch.value, last) + 24;
            if bytes > room && last > first {
                break;
            }
            room = room.saturating_sub(bytes);
            last += 1;
        }
    }
    let stopped = (last < batch.rows).then(|| at(last));
    assembly.at(&stretch.topic.name, Some(stretch.partition));
    assembly.add(base, batch, first..last);
    stopped
}
