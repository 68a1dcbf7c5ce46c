//! A consumer: a member of a group, with a position in each partition it owns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;
use weir_core::model::{Position, RawRecords, TopicPartition};
use weir_core::port::{BrokerError, Consumer, ConsumerPolled as Polled};

use crate::assignment::MemberId;
use crate::catalog::{Partition, Topic};
use crate::commit::Op;
use crate::group::Change;
use crate::local::Engine;
use crate::read::{Stretch, read};

/// Where to read when there is no usable committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    Earliest,
    Latest,
    None,
}

impl Reset {
    pub fn parse(value: &str) -> Result<Reset, String> {
        match value.trim().to_ascii_lowercase().as_str() {
            "earliest" => Ok(Reset::Earliest),
            "latest" => Ok(Reset::Latest),
            "none" => Ok(Reset::None),
            _ => Err(format!("auto.offset.reset={value}: expected earliest, latest or none")),
        }
    }

    /// The offset to read from, given a wanted one.
    fn place(self, wanted: Option<i64>, partition: &Partition) -> Option<i64> {
        let (start, end) = (partition.start(), partition.end());
        match wanted.filter(|wanted| (start..=end).contains(wanted)) {
            Some(wanted) => Some(wanted),
            None => match self {
                Reset::Earliest => Some(start),
                Reset::Latest => Some(end),
                Reset::None => None,
            },
        }
    }
}

#[derive(Debug)]
struct Cursor {
    topic: Arc<Topic>,
    offset: i64,
    paused: bool,
}

pub(crate) struct LocalConsumer {
    engine: Arc<Engine>,
    group: String,
    id: MemberId,
    signal: Arc<Notify>,
    reset: Reset,
    cursors: BTreeMap<TopicPartition, Cursor>,
    /// Counts fetches, so that each begins with another partition.
    turn: usize,
}

impl LocalConsumer {
    pub fn new(engine: Arc<Engine>, group: String, id: MemberId, signal: Arc<Notify>, reset: Reset) -> LocalConsumer {
        LocalConsumer { engine, group, id, signal, reset, cursors: BTreeMap::new(), turn: 0 }
    }

    /// What the group has to say. Nobody else changes it meanwhile, so that no commit falls between.
    fn change(&mut self) -> Result<Option<Polled>, BrokerError> {
        let shared = self.engine.shared.clone();
        let (id, reset, name) = (self.id, self.reset, &self.group);
        let change = shared.groups.with(name, |group| -> Result<_, BrokerError> {
            let waiting = group
                .waiting(id)
                .filter_map(|partition| Some((partition.clone(), shared.catalog.get(&partition.topic)?)));
            let waiting: Vec<(TopicPartition, Arc<Topic>)> = waiting.collect();
            let wanted: Vec<(u64, i32)> = waiting.iter().map(|(at, topic)| (topic.id, at.partition)).collect();
            let committed = if wanted.is_empty() { Vec::new() } else { shared.committed(name, &wanted)? };
            let mut cursors = BTreeMap::new();
            for ((at, topic), committed) in waiting.into_iter().zip(committed) {
                let Some(partition) = topic.partition(at.partition) else { continue };
                let offset = reset.place(committed, partition).ok_or_else(|| no_offset(&at))?;
                cursors.insert(at, Cursor { topic, offset, paused: false });
            }
            Ok(group.next(id).map(|change| (change, cursors)))
        });
        let Some((change, cursors)) = change.transpose()?.flatten() else { return Ok(None) };
        Ok(Some(match change {
            Change::Lost(partitions) => {
                self.forget(&partitions);
                Polled::Lost(partitions)
            }
            Change::Revoked(partitions) => {
                self.forget(&partitions);
                Polled::Revoked(partitions)
            }
            Change::Assigned(partitions) => {
                let mut positions = Vec::with_capacity(partitions.len());
                let mut cursors = cursors;
                for partition in partitions {
                    let Some(cursor) = cursors.remove(&partition) else { continue };
                    if let Some(watched) = cursor.topic.partition(partition.partition) {
                        watched.watch(&self.signal);
                    }
                    positions.push(Position { partition: partition.clone(), offset: cursor.offset });
                    self.cursors.insert(partition, cursor);
                }
                Polled::Assigned(positions)
            }
        }))
    }

    /// Gives up everything and goes. Idempotent.
    fn leave(&mut self) {
        let all: Vec<TopicPartition> = self.cursors.keys().cloned().collect();
        self.forget(&all);
        self.engine.shared.groups.leave(&self.group, self.id);
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            let partition = self.cursors.remove(at);
            if let Some(watched) = partition.as_ref().and_then(|cursor| cursor.topic.partition(at.partition)) {
                watched.unwatch(&self.signal);
            }
        }
    }

    /// What there is to read, each time beginning with another partition.
    fn stretches(&mut self) -> Result<Vec<Stretch>, BrokerError> {
        let catalog = &self.engine.shared.catalog;
        let mut stretches = Vec::new();
        for (at, cursor) in &mut self.cursors {
            if cursor.topic.is_deleted() {
                // Deleted and made again between two polls: another topic of the same name.
                let Some(topic) = catalog.get(&at.topic) else { continue };
                (cursor.topic, cursor.offset) = (topic, 0);
                if let Some(partition) = cursor.topic.partition(at.partition) {
                    partition.watch(&self.signal);
                }
            }
            let Some(partition) = cursor.topic.partition(at.partition) else { continue };
            let offset = self.reset.place(Some(cursor.offset), partition).ok_or_else(|| no_offset(at))?;
            if offset != cursor.offset {
                warn!(partition = %at, group = self.group, from = cursor.offset, to = offset, "position is out of range and was reset");
                cursor.offset = offset;
            }
            let end = partition.end();
            if !cursor.paused && offset < end {
                let topic = cursor.topic.clone();
                stretches.push(Stretch { topic, partition: at.partition, from: offset, end });
            }
        }
        if !stretches.is_empty() {
            let first = self.turn % stretches.len();
            stretches.rotate_left(first);
        }
        Ok(stretches)
    }

    async fn fetch(&mut self, bytes_max: usize) -> Result<Option<RawRecords>, BrokerError> {
        loop {
            let stretches = self.stretches()?;
            if stretches.is_empty() {
                return Ok(None);
            }
            let shared = &self.engine.shared;
            let wanted = stretches.clone();
            let (records, reached) = shared.blocking(move |shared| read(shared, &wanted, bytes_max)).await?;
            // Positions move only here, after the last await: a poll that is dropped before has read nothing.
            for (stretch, reached) in stretches.iter().zip(reached) {
                let at = TopicPartition { topic: stretch.topic.name.clone(), partition: stretch.partition };
                if let Some(cursor) = self.cursors.get_mut(&at) {
                    cursor.offset = reached;
                }
            }
            self.turn = self.turn.wrapping_add(1);
            if records.rows > 0 {
                return Ok(Some(records));
            }
        }
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        for at in partitions {
            if let Some(cursor) = self.cursors.get_mut(at) {
                cursor.paused = paused;
            }
        }
    }
}

fn no_offset(at: &TopicPartition) -> BrokerError {
    BrokerError::Rejected(format!(
        "no committed offset for {at} that exists, and auto.offset.reset=none says not to choose one; set it to earliest or latest"
    ))
}

#[async_trait]
impl Consumer for LocalConsumer {
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<Polled, BrokerError> {
        let far = Duration::from_secs(86_400 * 365);
        let deadline = Instant::now() + max_wait.min(far);
        loop {
            if let Some(change) = self.change()? {
                return Ok(change);
            }
            if let Some(records) = self.fetch(max_bytes).await? {
                return Ok(Polled::Records(records));
            }
            tokio::select! {
                biased;
                () = self.signal.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(Polled::Nothing),
            }
        }
    }

    async fn release(&mut self) -> Result<(), BrokerError> {
        self.engine.shared.groups.release(&self.group, self.id);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.set_paused(partitions, true);
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        self.set_paused(partitions, false);
        Ok(())
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        for position in positions {
            if let Some(cursor) = self.cursors.get_mut(&position.partition) {
                cursor.offset = position.offset;
            }
        }
        Ok(())
    }

    fn ends(&self) -> Vec<Position> {
        let end = |(at, cursor): (&TopicPartition, &Cursor)| {
            Some(Position { partition: at.clone(), offset: cursor.topic.partition(at.partition)?.end() })
        };
        self.cursors.iter().filter_map(end).collect()
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        if positions.is_empty() {
            return Ok(());
        }
        let shared = &self.engine.shared;
        let id = self.id;
        let lost =
            |at: &TopicPartition| BrokerError::Fenced(format!("partition {at} belongs to this consumer no more"));
        let foreign = shared.groups.with(&self.group, |group| {
            positions.iter().map(|position| &position.partition).find(|at| !group.owns(id, at)).cloned()
        });
        if let Some(at) = foreign.unwrap_or_else(|| Some(positions[0].partition.clone())) {
            return Err(lost(&at));
        }
        let mut offsets = Vec::with_capacity(positions.len());
        for Position { partition, offset } in positions {
            let topic = shared.catalog.get(&partition.topic).ok_or_else(|| lost(partition))?;
            if *offset < 0 {
                return Err(BrokerError::Rejected(format!("offset {offset} of {partition} is below 0")));
            }
            offsets.push((topic.id, partition.partition, Some(*offset)));
        }
        shared.writer.done(Op::Commit { group: self.group.clone(), offsets }).await.map(drop)
    }

    async fn close(&mut self) -> Result<(), BrokerError> {
        self.leave();
        Ok(())
    }
}

/// Leaving is the same whether it was said or not.
impl Drop for LocalConsumer {
    fn drop(&mut self) {
        self.leave();
    }
}
