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

/// What becomes of a task's answer before a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What to commit.
    pub to_commit: Vec<Position>,
    /// Positions that cannot be committed, each with the reason.
    pub ignored: Vec<(Position, &'static str)>,
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

    /// How many records of all partitions are delivered and not committed, and of the partition that has the most.
    pub fn uncommitted(&self) -> (u64, u64) {
        let of =
            |progress: &Progress| (progress.delivered - progress.committed.unwrap_or(progress.delivered)).max(0) as u64;
        self.partitions.values().map(of).fold((0, 0), |(all, most), rows| (all + rows, most.max(rows)))
    }

    /// How many records of each partition are before its end and not delivered.
    pub fn lags(&self, ends: &[Position]) -> Vec<(TopicPartition, u64)> {
        let lag = |end: &Position| {
            let behind = end.offset - self.partitions.get(&end.partition)?.delivered;
            Some((end.partition.clone(), behind.max(0) as u64))
        };
        ends.iter().filter_map(lag).collect()
    }

    /// What the task is asked about before a commit: all its partitions, or some.
    pub fn current(&self, only: Option<&[TopicPartition]>) -> Vec<Position> {
        self.partitions
            .iter()
            .filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)))
            .map(|(partition, progress)| Position { partition: partition.clone(), offset: progress.delivered })
            .collect()
    }

    /// What becomes of a task's answer to the positions that it was asked about. Partitions of its own that it was not
    /// asked about and what is committed already need nothing; of several positions of a partition the last one counts.
    pub fn judge(&self, asked: &[Position], answer: Vec<Position>) -> Judged {
        let mut to_commit = BTreeMap::new();
        let mut ignored = Vec::new();
        for position in answer {
            match self.partitions.get(&position.partition) {
                None => ignored.push((position, "the task does not have this partition")),
                Some(_) if position.offset < 0 => ignored.push((position, "offsets begin at 0")),
                Some(progress) if position.offset > progress.delivered => {
                    ignored.push((position, "it is beyond what was delivered"));
                }
                Some(_) => {
                    to_commit.insert(position.partition, position.offset);
                }
            }
        }
        let wanted = asked.iter().filter_map(|Position { partition, .. }| {
            let offset = to_commit.remove(partition)?;
            (self.partitions.get(partition)?.committed != Some(offset))
                .then(|| Position { partition: partition.clone(), offset })
        });
        Judged { to_commit: wanted.collect(), ignored }
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

    /// What is committed of an answer to all that there is, and what is ignored of it.
    fn judged(commits: &SinkCommits, answer: &[Position]) -> (Vec<Position>, Vec<Position>) {
        let Judged { to_commit, ignored } = commits.judge(&commits.current(None), answer.to_vec());
        (to_commit, ignored.into_iter().map(|(position, _)| position).collect())
    }

    #[test]
    fn no_offset_passes_an_undelivered_record() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 10), position(1, 0)]);
        commits.delivered(&partition(0), 15);
        let answer = [position(0, 16), position(1, 1), position(2, 0)];
        assert_eq!(judged(&commits, &answer), (vec![], answer.to_vec()));
        assert_eq!(judged(&commits, &[position(0, 15), position(1, 0)]), (vec![position(0, 15)], vec![]));
        assert_eq!(judged(&commits, &[position(0, 12)]), (vec![position(0, 12)], vec![]), "a task may answer lower");
        let below = [position(0, -1), position(1, -1000)];
        assert_eq!(judged(&commits, &below), (vec![], below.to_vec()), "but there is nothing below 0");
        let twice = [position(0, 11), position(0, 99), position(0, 13)];
        assert_eq!(judged(&commits, &twice), (vec![position(0, 13)], vec![position(0, 99)]), "the last one counts");
    }

    #[test]
    fn what_was_not_asked_about_is_not_committed() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 0), position(1, 0)]);
        commits.delivered(&partition(0), 5);
        commits.delivered(&partition(1), 5);
        let asked = commits.current(Some(&[partition(1)]));
        let judged = commits.judge(&asked, vec![position(0, 5), position(1, 5)]);
        assert_eq!(judged, Judged { to_commit: vec![position(1, 5)], ignored: vec![] });
    }

    #[test]
    fn what_is_committed_or_given_up_is_not_committed_again() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 0)]);
        commits.delivered(&partition(0), 5);
        commits.committed(&[position(0, 5)]);
        assert_eq!(judged(&commits, &[position(0, 5)]), (vec![], vec![]));
        commits.delivered(&partition(0), 7);
        commits.close(&[partition(0)]);
        commits.delivered(&partition(0), 9);
        assert_eq!(judged(&commits, &[position(0, 7)]), (vec![], vec![position(0, 7)]));
        assert_eq!(commits.current(None), []);
    }

    #[test]
    fn what_is_not_committed_and_what_is_not_read_is_counted_by_partition() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 10), position(1, 0)]);
        commits.delivered(&partition(0), 15);
        commits.delivered(&partition(1), 2);
        assert_eq!(commits.uncommitted(), (7, 5));
        commits.committed(&[position(0, 14)]);
        assert_eq!(commits.uncommitted(), (3, 2));
        let lags = commits.lags(&[position(0, 20), position(1, 1), position(9, 5)]);
        assert_eq!(lags, [(partition(0), 5), (partition(1), 0)], "an end seen before is no reason to be ahead of it");
    }

    #[test]
    fn a_rewind_takes_progress_back() {
        let mut commits = SinkCommits::default();
        commits.open(&[position(0, 0), position(1, 3)]);
        commits.delivered(&partition(0), 50);
        commits.rewound(&position(0, 20));
        assert_eq!(commits.current(None), [position(0, 20), position(1, 3)]);
        assert_eq!(commits.current(Some(&[partition(1)])), [position(1, 3)]);
        assert_eq!(judged(&commits, &[position(0, 50)]), (vec![], vec![position(0, 50)]));
    }
}
