//! Retention, compaction and the burying of deleted topics: in the background, in short transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use redb::ReadableTable;
use tracing::{debug, error, warn};
use weir_core::port::BrokerError;

use crate::catalog::{Topic, entries_from};
use crate::codec::{Batch, decode, encode, head};
use crate::commit::{Done, Op};
use crate::compaction::{Latest, Stored, due, replacements};
use crate::local::Shared;
use crate::retention::{Aged, expired};
use crate::store::{ENTRIES, GRAVES};

/// Entries looked at in one read.
const LOOKED_AT: usize = 256;
/// Bytes read, or written, in one transaction of compaction.
const CHUNK: usize = 1 << 20;

/// The thread that looks for work now and then.
pub(crate) struct Upkeep {
    nudges: Sender<()>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Upkeep> {
        let (nudges, nudged) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let work = move || {
            loop {
                match nudged.recv_timeout(shared.settings.upkeep_interval) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if let Err(error) = run(&shared, &|| stopping.load(Ordering::Relaxed)) {
                    warn!(%error, "retention and compaction could not be done and are tried again later");
                }
            }
        };
        let thread = std::thread::Builder::new().name("weir-local-upkeep".into()).spawn(work)?;
        Ok(Upkeep { nudges, stop, thread })
    }

    /// Has it look now.
    pub fn nudge(&self) {
        let _ = self.nudges.send(());
    }

    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.nudges);
        if self.thread.join().is_err() {
            error!("the store's upkeep panicked");
        }
    }
}

/// Does all there is to do, or what there is until `stop` says so.
pub(crate) fn run(shared: &Shared, stop: &dyn Fn() -> bool) -> Result<(), BrokerError> {
    bury_until(shared, stop)?;
    for topic in shared.catalog.all() {
        for partition in 0..topic.partitions.len() as i32 {
            if topic.config.delete {
                retain(shared, &topic, partition, stop)?;
            }
            if topic.config.compact {
                compact(shared, &topic, partition, stop)?;
            }
            if stop() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Gives back the room of deleted topics.
pub(crate) fn bury(shared: &Shared) -> Result<(), BrokerError> {
    bury_until(shared, &|| false)
}

fn bury_until(shared: &Shared, stop: &dyn Fn() -> bool) -> Result<(), BrokerError> {
    let graves: Vec<(u64, i32)> = shared.store.read(|read| {
        let mut graves = Vec::new();
        for grave in read.open_table(GRAVES)?.iter()? {
            let (topic, partitions) = grave?;
            graves.push((topic.value(), partitions.value()));
        }
        Ok(graves)
    })?;
    for (topic, partitions) in graves {
        while !stop() && matches!(shared.writer.apply(Op::Bury { topic, partitions })?, Done::Found(true)) {}
    }
    Ok(())
}

fn retain(shared: &Shared, topic: &Arc<Topic>, number: i32, stop: &dyn Fn() -> bool) -> Result<(), BrokerError> {
    let Some(partition) = topic.partition(number) else { return Ok(()) };
    while !stop() && !topic.is_deleted() {
        let extent = partition.extent();
        let oldest: Vec<Aged> = shared.store.read(|read| {
            let mut oldest = Vec::new();
            for entry in entries_from(&read.open_table(ENTRIES)?, topic.id, number, extent.start)?.take(LOOKED_AT + 1) {
                let (key, value) = entry?;
                if key.value().2 < extent.end {
                    oldest.push(aged(key.value().2, value.value()));
                }
            }
            Ok(oldest)
        })?;
        let looked_at = oldest.len().min(LOOKED_AT);
        let gone = expired(&oldest[..looked_at], &topic.config, extent.bytes, shared.settings.clock.now());
        if gone == 0 {
            return Ok(());
        }
        let start = oldest.get(gone).map_or(extent.end, |next| next.base);
        let entries = oldest[..gone].iter().map(|entry| (entry.base, entry.bytes)).collect();
        debug!(topic = %topic.name, partition = number, entries = gone, start, "old records go");
        shared.writer.apply(Op::Trim { topic: topic.clone(), partition: number, entries, start })?;
        if gone < looked_at {
            return Ok(());
        }
    }
    Ok(())
}

fn aged(base: i64, bytes: &[u8]) -> Aged {
    let mut newest = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let Ok(head) = head(rest) else {
            newest = None;
            break;
        };
        newest = newest.max(Some(head.newest));
        rest = &rest[head.length..];
    }
    Aged { base, newest, bytes: bytes.len() as u64 }
}

fn compact(shared: &Shared, topic: &Arc<Topic>, number: i32, stop: &dyn Fn() -> bool) -> Result<(), BrokerError> {
    let Some(partition) = topic.partition(number) else { return Ok(()) };
    let extent = partition.extent();
    if !due(&extent, topic.config.dirty_ratio) {
        return Ok(());
    }
    let mut latest = Latest::new(shared.settings.compaction_bytes_max);
    let mut seen = extent.start;
    'seeing: while seen < extent.end {
        let (entries, next) = chunk(shared, topic, number, seen, extent.end)?;
        for entry in entries {
            let whole = entry.batches.iter().flatten().all(|(base, batch)| latest.see(*base, batch));
            if !whole || stop() {
                seen = entry.base;
                break 'seeing;
            }
        }
        seen = next;
    }
    let horizon = shared.settings.clock.now().saturating_sub(topic.config.delete_retention_ms);
    let mut from = extent.start;
    while from < seen {
        let (mut entries, next) = chunk(shared, topic, number, from, seen)?;
        entries.retain(|entry| entry.base < seen);
        for done in replacements(entries, &latest, horizon, shared.settings.entry_bytes_max) {
            if stop() || topic.is_deleted() {
                return Ok(());
            }
            let new = done.new.map(|(base, batch)| {
                let mut bytes = Vec::new();
                encode(&batch, &mut bytes);
                (base, bytes)
            });
            let (topic, new) = (topic.clone(), new.into_iter().collect());
            shared.writer.apply(Op::Rewrite { topic, partition: number, old: done.old, new, done: None })?;
        }
        from = next;
    }
    debug!(topic = %topic.name, partition = number, up_to = seen, "compacted");
    let op = Op::Rewrite { topic: topic.clone(), partition: number, old: vec![], new: vec![], done: Some(seen) };
    shared.writer.apply(op).map(drop)
}

/// The entries from an offset on, about [`CHUNK`] bytes of them, and where the next ones begin.
fn chunk(
    shared: &Shared,
    topic: &Topic,
    partition: i32,
    from: i64,
    end: i64,
) -> Result<(Vec<Stored>, i64), BrokerError> {
    shared.store.read(|read| {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in entries_from(&read.open_table(ENTRIES)?, topic.id, partition, from)? {
            let (key, value) = entry?;
            let base = key.value().2;
            if base >= end {
                break;
            }
            if bytes >= CHUNK {
                return Ok((entries, base));
            }
            // The search for `from` may begin with an entry that ends before it.
            if base >= from {
                bytes += value.value().len();
                let batches = batches(topic, partition, base, value.value());
                entries.push(Stored { base, bytes: value.value().len() as u64, batches });
            }
        }
        Ok((entries, end))
    })
}

fn batches(topic: &Topic, partition: i32, base: i64, mut bytes: &[u8]) -> Option<Vec<(i64, Batch)>> {
    let (mut batches, mut offset) = (Vec::new(), base);
    while !bytes.is_empty() {
        match decode(bytes) {
            Ok((head, batch)) => {
                bytes = &bytes[head.length..];
                batches.push((offset, batch));
                offset += i64::from(head.span);
            }
            Err(why) => {
                error!(topic = %topic.name, partition, offset, %why, "stored records cannot be read and are not compacted");
                return None;
            }
        }
    }
    Some(batches)
}
