//! Pure. Which partition each record of a producer goes to, as Java's producer decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::murmur2::partition_of_key;

/// Decides for one producer. Keyed records go by their key; those without key stay with one partition for a batch's
/// bytes, then another is drawn.
#[derive(Debug)]
pub struct Partitioner {
    batch_bytes: usize,
    drawn: u64,
    stuck: BTreeMap<Arc<str>, (i32, usize)>,
}

impl Partitioner {
    /// A partitioner that changes its partition after `batch_bytes`; the same seed draws the same partitions.
    pub fn new(batch_bytes: usize, seed: u64) -> Partitioner {
        Partitioner { batch_bytes: batch_bytes.max(1), drawn: seed ^ 0x9e37_79b9_7f4a_7c15, stuck: BTreeMap::new() }
    }

    /// A record's partition; an error says which partition there is not. `partitions` is at least one.
    pub fn place(
        &mut self,
        topic: &Arc<str>,
        partitions: i32,
        wanted: Option<i32>,
        key: Option<&[u8]>,
        bytes: usize,
    ) -> Result<i32, String> {
        match (wanted, key) {
            (Some(wanted), _) if (0..partitions).contains(&wanted) => Ok(wanted),
            (Some(wanted), _) => {
                Err(format!("topic {topic} has partitions 0 to {}, no partition {wanted}", partitions - 1))
            }
            (None, _) if partitions == 1 => Ok(0),
            (None, Some(key)) => Ok(partition_of_key(key, partitions)),
            (None, None) => Ok(self.stick(topic, partitions, bytes)),
        }
    }

    fn stick(&mut self, topic: &Arc<str>, partitions: i32, bytes: usize) -> i32 {
        if let Some((partition, held)) = self.stuck.get_mut(topic)
            && *held < self.batch_bytes
            && *partition < partitions
        {
            *held += bytes;
            return *partition;
        }
        let partition = (self.draw() % u64::from(partitions.unsigned_abs())) as i32;
        self.stuck.insert(topic.clone(), (partition, bytes));
        partition
    }

    fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.drawn;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_partition_is_respected_or_refused() {
        let topic: Arc<str> = "t".into();
        let mut partitioner = Partitioner::new(100, 1);
        assert_eq!(partitioner.place(&topic, 3, Some(2), Some(b"21"), 1), Ok(2));
        for wanted in [-1, 3] {
            assert!(partitioner.place(&topic, 3, Some(wanted), None, 1).is_err());
        }
    }

    #[test]
    fn records_without_key_stay_together_for_a_batch_and_reach_every_partition() {
        let topic: Arc<str> = "t".into();
        let mut partitioner = Partitioner::new(100, 7);
        let mut seen = [0; 4];
        for _ in 0..100 {
            let batch: Vec<i32> = (0..10).map(|_| partitioner.place(&topic, 4, None, None, 10).unwrap()).collect();
            assert!(batch.iter().all(|partition| *partition == batch[0]), "{batch:?}");
            seen[batch[0] as usize] += 1;
        }
        assert!(seen.iter().all(|batches| *batches > 5), "{seen:?}");
    }
}
