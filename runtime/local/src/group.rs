//! Pure. One consumer group: who is in it, who reads what, and who must give up what first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_core::model::{Pattern, TopicPartition};

use crate::assignment::{MemberId, assign};

/// What a member reads.
#[derive(Clone, Debug)]
pub enum Wish {
    /// These topics.
    Topics(BTreeSet<String>),
    /// Topics whose whole name matches.
    Pattern(Pattern),
}

impl Wish {
    fn takes(&self, topic: &str) -> bool {
        match self {
            Wish::Topics(topics) => topics.contains(topic),
            Wish::Pattern(pattern) => pattern.matches(topic),
        }
    }
}

/// What a member is to be told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are gone.
    Lost(Vec<TopicPartition>),
    /// These are to be released.
    Revoked(Vec<TopicPartition>),
    /// These are its own now.
    Assigned(Vec<TopicPartition>),
}

#[derive(Debug)]
struct Member {
    wish: Wish,
    owned: BTreeSet<TopicPartition>,
    revoking: BTreeSet<TopicPartition>,
}

/// A consumer group.
#[derive(Debug, Default)]
pub struct Group {
    members: BTreeMap<MemberId, Member>,
    topics: BTreeMap<Arc<str>, i32>,
    target: BTreeMap<TopicPartition, MemberId>,
}

impl Group {
    /// A member comes in.
    pub fn join(&mut self, member: MemberId, wish: Wish) {
        self.members.insert(member, Member { wish, owned: BTreeSet::new(), revoking: BTreeSet::new() });
        self.plan();
    }

    /// A member goes, and gives up what it had.
    pub fn leave(&mut self, member: MemberId) {
        if self.members.remove(&member).is_some() {
            self.plan();
        }
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Topics came or went; these are all that there are, with their numbers of partitions.
    pub fn topics(&mut self, topics: BTreeMap<Arc<str>, i32>) {
        if self.topics != topics {
            self.topics = topics;
            self.plan();
        }
    }

    /// What to tell a member next. It counts as told: what is assigned here is owned from now on.
    pub fn next(&mut self, id: MemberId) -> Option<Change> {
        let member = self.members.get_mut(&id)?;
        let exists = |partition: &TopicPartition| {
            self.topics.get(&partition.topic).is_some_and(|partitions| partition.partition < *partitions)
        };
        let lost: Vec<_> = member.owned.iter().filter(|partition| !exists(partition)).cloned().collect();
        if !lost.is_empty() {
            lost.iter().for_each(|partition| _ = member.owned.remove(partition));
            lost.iter().for_each(|partition| _ = member.revoking.remove(partition));
            return Some(Change::Lost(lost));
        }
        let unwanted = member.owned.iter().filter(|partition| self.target.get(partition) != Some(&id));
        let revoked: Vec<_> = unwanted.filter(|partition| !member.revoking.contains(partition)).cloned().collect();
        if !revoked.is_empty() {
            member.revoking.extend(revoked.iter().cloned());
            return Some(Change::Revoked(revoked));
        }
        let assigned: Vec<_> = self.waiting(id).cloned().collect();
        if assigned.is_empty() {
            return None;
        }
        self.members.get_mut(&id)?.owned.extend(assigned.iter().cloned());
        Some(Change::Assigned(assigned))
    }

    /// Partitions that a member is to have and that nobody owns, itself included.
    pub fn waiting(&self, id: MemberId) -> impl Iterator<Item = &TopicPartition> {
        let owned = |partition: &TopicPartition| self.members.values().any(|member| member.owned.contains(partition));
        self.target.iter().filter(move |(partition, owner)| **owner == id && !owned(partition)).map(|(p, _)| p)
    }

    /// A member gives up all that was revoked from it.
    pub fn release(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            let revoking = std::mem::take(&mut member.revoking);
            member.owned.retain(|partition| !revoking.contains(partition));
        }
    }

    /// Whether a member may commit for a partition.
    pub fn owns(&self, id: MemberId, partition: &TopicPartition) -> bool {
        self.members.get(&id).is_some_and(|member| member.owned.contains(partition))
    }

    fn plan(&mut self) {
        let wanted = |member: &Member| self.topics.keys().filter(|topic| member.wish.takes(topic)).cloned().collect();
        let subscriptions = self.members.iter().map(|(id, member)| (*id, wanted(member))).collect();
        self.target = assign(&subscriptions, &self.topics, &self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(partitions: i32) -> Group {
        let mut group = Group::default();
        group.topics(BTreeMap::from([("t".into(), partitions)]));
        group
    }

    fn wish() -> Wish {
        Wish::Topics(BTreeSet::from(["t".to_string()]))
    }

    fn parts(partitions: &[i32]) -> Vec<TopicPartition> {
        partitions.iter().map(|partition| TopicPartition { topic: "t".into(), partition: *partition }).collect()
    }

    #[test]
    fn a_partition_moves_only_after_its_owner_released_it() {
        let mut group = group(2);
        group.join(1, wish());
        assert_eq!(group.next(1), Some(Change::Assigned(parts(&[0, 1]))));
        group.join(2, wish());
        assert_eq!(group.next(2), None);
        assert_eq!(group.next(1), Some(Change::Revoked(parts(&[1]))));
        assert_eq!((group.next(1), group.next(2)), (None, None));
        assert!(group.owns(1, &parts(&[1])[0]), "it may commit until it releases");
        group.release(1);
        assert!(!group.owns(1, &parts(&[1])[0]));
        assert_eq!(group.next(2), Some(Change::Assigned(parts(&[1]))));
        assert_eq!((group.next(1), group.next(2)), (None, None));
    }

    #[test]
    fn a_partition_that_comes_back_before_it_was_released_is_assigned_again_after_it() {
        let mut group = group(2);
        group.join(1, wish());
        group.next(1);
        group.join(2, wish());
        assert_eq!(group.next(1), Some(Change::Revoked(parts(&[1]))));
        group.leave(2);
        assert_eq!(group.next(1), None);
        group.release(1);
        assert_eq!(group.next(1), Some(Change::Assigned(parts(&[1]))));
    }

    #[test]
    fn a_leaver_frees_what_it_had_at_once() {
        let mut group = group(2);
        group.join(1, wish());
        group.join(2, wish());
        assert_eq!(group.next(1), Some(Change::Assigned(parts(&[0]))));
        assert_eq!(group.next(2), Some(Change::Assigned(parts(&[1]))));
        group.leave(1);
        assert_eq!(group.next(2), Some(Change::Assigned(parts(&[0]))));
        group.leave(2);
        assert!(group.is_empty());
    }

    #[test]
    fn topics_that_come_later_match_and_those_that_go_are_lost() {
        let mut group = group(1);
        group.join(1, Wish::Pattern(Pattern::new("t.*").unwrap()));
        group.next(1);
        group.topics(BTreeMap::from([("t".into(), 1), ("t2".into(), 1), ("other".into(), 1)]));
        assert_eq!(group.next(1), Some(Change::Assigned(vec![TopicPartition { topic: "t2".into(), partition: 0 }])));
        group.topics(BTreeMap::from([("t2".into(), 1)]));
        assert_eq!(group.next(1), Some(Change::Lost(parts(&[0]))));
        assert!(!group.owns(1, &parts(&[0])[0]));
    }
}
