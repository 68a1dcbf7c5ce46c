//! Pure. Which sink offsets may be committed: up to what was delivered, down to what the task answers, and only for
//! partitions that the task has.

use std::collections::BTreeMap;

use crate::model::{Position, TopicPartition};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// The next offset to be delivered.
    delivered: i64,
    /// What was committed last; none when nothing is known to be.
    committed: Option<i64>,
}

/// The partitions of a sink task and how far each is.
#[derive(Clone, Debug, Default)]
pub struct SinkCommits {
    partitions: BTreeMap<TopicPartition, Progress>,
}

impl SinkCommits {
    /// Partitions that the task has from now on.
    pub fn open(&mut self, positions: &[Position]) {
        for position in positions {
            let progress = Progress { delivered: position.offset, committed: Some(position.offset) };
            self.partitions.insert(position.partition.clone(), progress);
        }
    }

    /// Partitions that the task has no more.
    pub fn close(&mut self, partitions: &[TopicPartition]) {
        partitions.iter().for_each(|partition| {
            self.partitions.remove(partition);
        });
    }

    /// The partitions that the task has.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    /// Records before `offset` are delivered, or were dropped on purpose. Offsets of partitions that the task has not,
    /// or that go back, change nothing.
    pub fn delivered(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.delivered = progress.delivered.max(offset);
        }
    }

    /// Delivery goes on from here, because the task asked for it.
    pub fn rewound(&mut self, position: &Position) {
        if let Some(progress) = self.partitions.get_mut(&position.partition) {
            *progress = Progress { delivered: position.offset, committed: Some(position.offset) };
        }
    }

    /// What the task is asked about before a commit: all its partitions, or some.
    pub fn current(&self, only: Option<&[TopicPartition]>) -> Vec<Position> {
        self.partitions
            .iter()
            .filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)))
            .map(|(partition, progress)| Position { partition: partition.clone(), offset: progress.delivered })
            .collect()
    }

    /// What to commit of the task's answer: positions of its own partitions, not beyond what was delivered, that are
    /// not committed already.
    pub fn to_commit(&self, answer: &[Position]) -> Vec<Position> {
        answer
            .iter()
            .filter(|position| {
                self.partitions.get(&position.partition).is_some_and(|progress| {
                    (0..=progress.delivered).contains(&position.offset) && Some(position.offset) != progress.committed
                })
            })
            .cloned()
            .collect()
    }

    /// What was committed last of each partition.
    pub fn last_committed(&self) -> Vec<Position> {
        let position = |(partition, progress): (&TopicPartition, &Progress)| {
            Some(Position { partition: partition.clone(), offset: progress.committed? })
        };
        self.partitions.iter().filter_map(position).collect()
    }

    /// Positions were committed.
    pub fn committed(&mut self, positions: &[Position]) {
        for position in positions {
            if let Some(progress) = self.partitions.get_mut(&position.partition) {
                progress.committed = Some(position.offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: "t".into(), partition: number }
    }

    fn position(number: i32, offset: i64) -> Position {
        Position { partition: partition(number), offset }
    }

    #[test]
    fn no_offset_passes_an_undelivered_record() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 10), position(1, 0)]);
        commits.delivered(&partition(0), 15);
        let answer = [position(0, 16), position(1, 1), position(2, 0)];
        assert_eq!(commits.to_commit(&answer), []);
        assert_eq!(commits.to_commit(&[position(0, 15), position(1, 0)]), [position(0, 15)]);
        assert_eq!(commits.to_commit(&[position(0, 12)]), [position(0, 12)], "a task may answer lower");
        assert_eq!(commits.to_commit(&[position(0, -1), position(1, -1000)]), [], "but there is nothing below 0");
    }

    #[test]
    fn what_is_committed_or_given_up_is_not_committed_again() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 0)]);
        commits.delivered(&partition(0), 5);
        commits.committed(&[position(0, 5)]);
        assert_eq!(commits.to_commit(&[position(0, 5)]), []);
        commits.delivered(&partition(0), 7);
        commits.close(&[partition(0)]);
        commits.delivered(&partition(0), 9);
        assert_eq!(commits.to_commit(&[position(0, 7)]), []);
        assert_eq!(commits.current(None), []);
    }

    #[test]
    fn a_rewind_takes_progress_back() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 0), position(1, 3)]);
        commits.delivered(&partition(0), 50);
        commits.rewound(&position(0, 20));
        assert_eq!(commits.current(None), [position(0, 20), position(1, 3)]);
        assert_eq!(commits.current(Some(&[partition(1)])), [position(1, 3)]);
        assert_eq!(commits.to_commit(&[position(0, 50)]), []);
    }
}
