//! Pure. Which member of a group reads which partition: balanced, and moving as little as it can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_core::model::TopicPartition;

/// A member of a group; later members have higher numbers.
pub type MemberId = u64;

/// Assigns every partition that somebody subscribed to. Owners keep what they have unless balance needs it elsewhere:
/// where all subscribe to the same topics, no two members differ by more than one partition.
pub fn assign(
    subscriptions: &BTreeMap<MemberId, BTreeSet<Arc<str>>>,
    topics: &BTreeMap<Arc<str>, i32>,
    owners: &BTreeMap<TopicPartition, MemberId>,
) -> BTreeMap<TopicPartition, MemberId> {
    let reads = |member: &MemberId, topic: &str| subscriptions.get(member).is_some_and(|topics| topics.contains(topic));
    let mut held: BTreeMap<MemberId, BTreeSet<TopicPartition>> =
        subscriptions.keys().map(|member| (*member, BTreeSet::new())).collect();
    let mut free = Vec::new();
    for (topic, partitions) in topics {
        for partition in 0..*partitions {
            let partition = TopicPartition { topic: topic.clone(), partition };
            match owners.get(&partition).filter(|owner| reads(owner, topic)) {
                Some(owner) => _ = held.entry(*owner).or_default().insert(partition),
                None => free.push(partition),
            }
        }
    }
    for partition in free {
        let emptiest =
            held.iter().filter(|(member, _)| reads(member, &partition.topic)).min_by_key(|(_, held)| held.len());
        if let Some(member) = emptiest.map(|(member, _)| *member) {
            held.entry(member).or_default().insert(partition);
        }
    }
    while let Some((partition, from, to)) = improvement(&held, reads) {
        held.entry(from).or_default().remove(&partition);
        held.entry(to).or_default().insert(partition);
    }
    held.into_iter().flat_map(|(member, held)| held.into_iter().map(move |partition| (partition, member))).collect()
}

/// A move from the fullest member that can give to the emptiest that can take; none when nobody gains by it.
fn improvement(
    held: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    reads: impl Fn(&MemberId, &str) -> bool,
) -> Option<(TopicPartition, MemberId, MemberId)> {
    let mut givers: Vec<_> = held.iter().collect();
    givers.sort_by_key(|(member, held)| (std::cmp::Reverse(held.len()), **member));
    let mut takers: Vec<_> = held.iter().map(|(member, held)| (held.len(), *member)).collect();
    takers.sort_unstable();
    for (from, partitions) in givers {
        for (count, to) in takers.iter().take_while(|(count, _)| count + 1 < partitions.len()) {
            debug_assert!(count + 1 < partitions.len());
            if let Some(partition) = partitions.iter().rev().find(|partition| reads(to, &partition.topic)) {
                return Some((partition.clone(), *from, *to));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owners = BTreeMap<TopicPartition, MemberId>;

    fn subscribe(members: &[(MemberId, &[&str])]) -> BTreeMap<MemberId, BTreeSet<Arc<str>>> {
        members
            .iter()
            .map(|(member, topics)| (*member, topics.iter().map(|topic| Arc::from(*topic)).collect()))
            .collect()
    }

    fn topics(topics: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
        topics.iter().map(|(topic, partitions)| (Arc::from(*topic), *partitions)).collect()
    }

    fn counts(owners: &Owners) -> BTreeMap<MemberId, usize> {
        owners.values().fold(BTreeMap::new(), |mut counts, member| {
            *counts.entry(*member).or_default() += 1;
            counts
        })
    }

    fn moved(before: &Owners, after: &Owners) -> usize {
        before.iter().filter(|(partition, owner)| after.get(partition) != Some(owner)).count()
    }

    #[test]
    fn members_share_evenly_and_a_newcomer_takes_only_its_share() {
        let topics = topics(&[("a", 6), ("b", 3)]);
        let two = assign(&subscribe(&[(1, &["a", "b"]), (2, &["a", "b"])]), &topics, &Owners::new());
        assert_eq!(counts(&two), BTreeMap::from([(1, 5), (2, 4)]));
        let three = assign(&subscribe(&[(1, &["a", "b"]), (2, &["a", "b"]), (3, &["a", "b"])]), &topics, &two);
        assert_eq!(counts(&three), BTreeMap::from([(1, 3), (2, 3), (3, 3)]));
        assert_eq!(moved(&two, &three), 3);
    }

    #[test]
    fn what_a_leaver_had_goes_round_and_nothing_else_moves() {
        let topics = topics(&[("a", 9)]);
        let three = assign(&subscribe(&[(1, &["a"]), (2, &["a"]), (3, &["a"])]), &topics, &Owners::new());
        let two = assign(&subscribe(&[(1, &["a"]), (3, &["a"])]), &topics, &three);
        assert_eq!(moved(&three, &two), 3);
        let mut loads: Vec<usize> = counts(&two).into_values().collect();
        loads.sort_unstable();
        assert_eq!(loads, [4, 5]);
    }

    #[test]
    fn a_topic_goes_only_to_its_subscribers() {
        let topics = topics(&[("a", 4), ("b", 2), ("nobody", 3)]);
        let owners = assign(&subscribe(&[(1, &["a"]), (2, &["a", "b"])]), &topics, &Owners::new());
        assert_eq!(owners.len(), 6);
        assert_eq!(counts(&owners), BTreeMap::from([(1, 3), (2, 3)]));
        assert!(owners.iter().all(|(partition, owner)| &*partition.topic != "b" || *owner == 2));
        assert!(assign(&BTreeMap::new(), &topics, &owners).is_empty());
    }

    proptest! {
        #[test]
        fn every_partition_with_a_reader_has_one_owner_and_a_second_look_moves_nothing(
            partitions in prop::collection::vec(1i32..6, 1..4),
            members in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 0..5),
            before in prop::collection::vec(0u64..6, 20),
        ) {
            let topics: BTreeMap<Arc<str>, i32> =
                partitions.iter().enumerate().map(|(i, n)| (Arc::from(format!("t{i}")), *n)).collect();
            let subscriptions: BTreeMap<MemberId, BTreeSet<Arc<str>>> = members.iter().enumerate().map(|(id, wants)| {
                let wanted = topics.keys().zip(wants).filter(|(_, wants)| **wants).map(|(topic, _)| topic.clone());
                (id as u64, wanted.collect())
            }).collect();
            let all: Vec<TopicPartition> = topics.iter().flat_map(|(topic, n)| {
                (0..*n).map(|partition| TopicPartition { topic: topic.clone(), partition })
            }).collect();
            let owners: Owners = all.iter().cloned().zip(before).collect();
            let after = assign(&subscriptions, &topics, &owners);
            for partition in &all {
                let readers = subscriptions.values().filter(|topics| topics.contains(&partition.topic)).count();
                prop_assert_eq!(after.contains_key(partition), readers > 0);
            }
            for (partition, owner) in &after {
                prop_assert!(subscriptions[owner].contains(&partition.topic));
            }
            prop_assert_eq!(assign(&subscriptions, &topics, &after), after);
        }
    }
}
