//! Pure. Which source offsets may be committed (Connect's SubmittedRecords): an offset is safe once its record and all
//! before it of the same source partition are acknowledged. Knows nothing of Kafka, time or guests.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use weir_data::Column;

use crate::port::{Offsets, Ticket};

/// The source offset of a record: a row of its poll's offsets.
#[derive(Clone, Debug)]
struct Place {
    offsets: Arc<Column>,
    row: u32,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    place: Place,
    acknowledged: bool,
}

#[derive(Debug, Default)]
struct Partition {
    waiting: VecDeque<Waiting>,
    /// The newest safe offset that was not gathered.
    safe: Option<Place>,
}

/// Offsets that may be committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committable {
    /// By source partition, both as JSON text; null resets.
    pub offsets: Offsets,
    /// Records that are acknowledged since offsets were collected last.
    pub acknowledged: u64,
    /// Records that are not.
    pub waiting: u64,
}

/// Records on their way.
#[derive(Debug, Default)]
pub struct SubmittedRecords {
    /// By number; one that nothing waits for is free to be another.
    partitions: Vec<(Arc<str>, Partition)>,
    by_name: HashMap<Arc<str>, u32>,
    free: Vec<u32>,
    /// Partitions with a safe offset that was not gathered.
    safe: Vec<u32>,
    /// Safe offsets that were gathered and not collected.
    gathered: Offsets,
    /// Partition of each ticket from `first` on.
    of_ticket: VecDeque<u32>,
    first: Ticket,
    waiting: u64,
    acknowledged: u64,
}

impl SubmittedRecords {
    /// The tickets that the next records get start here.
    fn next_ticket(&self) -> Ticket {
        self.first + self.of_ticket.len() as u64
    }

    /// The number of a source partition, until nothing of it waits or is to be gathered.
    fn partition(&mut self, name: &Arc<str>) -> u32 {
        if let Some(&known) = self.by_name.get(name) {
            return known;
        }
        let fresh = (name.clone(), Partition::default());
        let number = match self.free.pop() {
            Some(number) => {
                self.partitions[number as usize] = fresh;
                number
            }
            None => {
                self.partitions.push(fresh);
                (self.partitions.len() - 1) as u32
            }
        };
        self.by_name.insert(name.clone(), number);
        number
    }

    /// Gives records tickets, one after the other from the answer on. Records come in the order in which the source
    /// brought them, each with the position of its source partition (none: all at 0) and with its offset.
    pub fn submit(&mut self, rows: usize, names: &[Arc<str>], partition: &[u32], offsets: Column) -> Ticket {
        let base = self.next_ticket();
        let offsets = Arc::new(offsets);
        // A partition without records would never be collected.
        let mut numbers: Vec<Option<u32>> = vec![None; names.len()];
        for row in 0..rows {
            let at = partition.get(row).map_or(0, |&at| at as usize);
            let number = *numbers[at].get_or_insert_with(|| self.partition(&names[at]));
            let place = Place { offsets: offsets.clone(), row: row as u32 };
            let waiting = Waiting { ticket: self.next_ticket(), place, acknowledged: false };
            self.of_ticket.push_back(number);
            self.partitions[number as usize].1.waiting.push_back(waiting);
        }
        self.waiting += rows as u64;
        base
    }

    /// A record is safe, or was dropped on purpose. An unknown ticket, or one that was acknowledged, changes nothing.
    pub fn acknowledge(&mut self, ticket: Ticket) {
        let Some(at) = ticket.checked_sub(self.first) else { return };
        let Some(&number) = self.of_ticket.get(at as usize) else { return };
        let partition = &mut self.partitions[number as usize].1;
        let found = match partition.waiting.front() {
            Some(front) if front.ticket == ticket => Some(0),
            _ => partition.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok(),
        };
        let Some(waiting) = found.and_then(|at| partition.waiting.get_mut(at)) else { return };
        if std::mem::replace(&mut waiting.acknowledged, true) {
            return;
        }
        self.waiting -= 1;
        self.acknowledged += 1;
        let gathered = partition.safe.is_none();
        while partition.waiting.front().is_some_and(|front| front.acknowledged) {
            partition.safe = partition.waiting.pop_front().map(|waiting| waiting.place);
        }
        if gathered && partition.safe.is_some() {
            self.safe.push(number);
        }
        self.forget_tickets();
    }

    /// The source partition and source offset of a record that waits, as JSON text.
    pub fn source_of(&self, ticket: Ticket) -> Option<(String, String)> {
        let at = ticket.checked_sub(self.first)?;
        let (name, partition) = &self.partitions[*self.of_ticket.get(at as usize)? as usize];
        let found = partition.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()?;
        let Place { offsets, row } = &partition.waiting[found].place;
        let offset = offsets.get(*row as usize).map_or("null".into(), String::from_utf8_lossy);
        Some((name.to_string(), offset.into_owned()))
    }

    /// No record waits whose ticket is lower.
    pub fn oldest(&self) -> Ticket {
        self.first
    }

    /// Tickets before the oldest one that waits are not looked up any more.
    fn forget_tickets(&mut self) {
        while let Some(&number) = self.of_ticket.front() {
            let front = self.partitions[number as usize].1.waiting.front();
            if front.is_some_and(|front| front.ticket <= self.first) {
                return;
            }
            self.of_ticket.pop_front();
            self.first += 1;
        }
    }

    /// Gathers the offsets that became safe. One keeps all offsets of its poll in memory until then.
    pub fn gather(&mut self) {
        for number in std::mem::take(&mut self.safe) {
            let (name, partition) = &mut self.partitions[number as usize];
            if let Some(place) = partition.safe.take() {
                let text = place.offsets.get(place.row as usize);
                self.gathered.insert(name.clone(), text.map(|text| String::from_utf8_lossy(text).into_owned()));
            }
            if partition.waiting.is_empty() {
                // Sources may have a partition for each file or key that there ever was.
                self.by_name.remove(name);
                self.free.push(number);
            }
        }
    }

    /// The offsets that became safe since the last call.
    pub fn committable(&mut self) -> Committable {
        self.gather();
        let offsets = std::mem::take(&mut self.gathered);
        Committable { offsets, acknowledged: std::mem::take(&mut self.acknowledged), waiting: self.waiting }
    }

    /// Safe offsets that were gathered and not collected: at most one for each source partition.
    pub fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Records that are not acknowledged.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Source {
        submitted: SubmittedRecords,
    }

    impl Source {
        fn submit(&mut self, partition: &str, offset: u32) -> Ticket {
            let mut offsets = Column::default();
            offsets.push(offset.to_string().as_bytes());
            self.submitted.submit(1, &[partition.into()], &[], offsets)
        }

        fn committable(&mut self) -> Vec<(String, String)> {
            let offsets = self.submitted.committable().offsets;
            offsets.into_iter().map(|(p, o)| (p.to_string(), o.unwrap_or_default())).collect()
        }
    }

    fn pair(partition: &str, offset: &str) -> (String, String) {
        (partition.into(), offset.into())
    }

    #[test]
    fn an_unacknowledged_record_holds_back_every_later_offset_of_its_partition_and_no_other() {
        let mut source = Source::default();
        let tickets = [source.submit("a", 0), source.submit("a", 1), source.submit("b", 2), source.submit("a", 3)];
        source.submitted.acknowledge(tickets[1]);
        source.submitted.acknowledge(tickets[2]);
        source.submitted.acknowledge(tickets[3]);
        assert_eq!(source.committable(), [pair("b", "2")]);
        source.submitted.acknowledge(tickets[0]);
        assert_eq!(source.committable(), [pair("a", "3")]);
        assert_eq!(source.committable(), []);
    }

    #[test]
    fn any_order_of_acknowledgements_ends_with_the_last_offset_and_nothing_kept() {
        for seed in 0..50u64 {
            let mut source = Source::default();
            let mut tickets: Vec<Ticket> =
                (0..100).map(|row| source.submit(["a", "b", "c"][row as usize % 3], row)).collect();
            let mut state = seed;
            for i in (1..tickets.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                tickets.swap(i, (state >> 33) as usize % (i + 1));
            }
            for &ticket in &tickets {
                source.submitted.acknowledge(ticket);
                source.submitted.acknowledge(ticket);
            }
            assert_eq!(source.committable(), [pair("a", "99"), pair("b", "97"), pair("c", "98")]);
            assert_eq!(source.submitted.waiting(), 0);
            assert!(source.submitted.of_ticket.is_empty());
        }
    }

    #[test]
    fn a_partition_that_nothing_waits_for_is_kept_no_longer() {
        let mut source = Source::default();
        let held = source.submit("held", 0);
        for name in 0..1_000 {
            let ticket = source.submit(&name.to_string(), 0);
            source.submitted.acknowledge(ticket);
            assert_eq!(source.committable(), [pair(&name.to_string(), "0")]);
        }
        assert_eq!(source.submitted.partitions.len(), 2);
        assert_eq!(source.submitted.by_name.len(), 1);
        source.submitted.acknowledge(held);
        assert_eq!(source.committable(), [pair("held", "0")]);
    }

    #[test]
    fn a_partition_that_no_record_is_of_is_not_kept() {
        let mut submitted = SubmittedRecords::default();
        let mut offsets = Column::default();
        (0..3).for_each(|row| offsets.push(&[b'0' + row]));
        let names: Vec<Arc<str>> = ["a", "none", "b", "none either"].map(Arc::from).into();
        let base = submitted.submit(3, &names, &[0, 2, 0], offsets);
        assert_eq!(submitted.by_name.len(), 2);
        (0..3).for_each(|row| submitted.acknowledge(base + row));
        let safe = [("a".into(), Some("2".into())), ("b".into(), Some("1".into()))].into();
        assert_eq!(submitted.committable().offsets, safe);
        assert!(submitted.by_name.is_empty());
    }

    #[test]
    fn of_what_is_safe_no_more_than_its_own_text_is_kept() {
        let mut source = Source::default();
        let tickets = [source.submit("a", 1), source.submit("b", 2), source.submit("a", 3)];
        let polls: Vec<_> = source.submitted.partitions.iter().flat_map(|(_, partition)| &partition.waiting).collect();
        let polls: Vec<_> = polls.iter().map(|waiting| Arc::downgrade(&waiting.place.offsets)).collect();
        tickets.iter().for_each(|&ticket| source.submitted.acknowledge(ticket));
        source.submitted.gather();
        assert!(polls.iter().all(|poll| poll.upgrade().is_none()));
        assert!(source.submitted.by_name.is_empty());
        let later = source.submit("b", 4);
        source.submitted.acknowledge(later);
        assert_eq!(source.committable(), [pair("a", "3"), pair("b", "4")]);
    }

    #[test]
    fn a_record_that_waits_can_be_named_by_where_it_was_in_its_source() {
        let mut source = Source::default();
        let tickets = [source.submit("a", 1), source.submit("b", 2), source.submit("a", 3)];
        source.submitted.acknowledge(tickets[0]);
        let of = |ticket| source.submitted.source_of(ticket);
        assert_eq!(of(tickets[2]), Some(pair("a", "3")));
        assert_eq!((of(tickets[0]), of(tickets[2] + 1)), (None, None));
        assert_eq!(source.submitted.oldest(), tickets[1]);
    }

    #[test]
    fn tickets_that_nobody_gave_change_nothing() {
        let mut source = Source::default();
        let ticket = source.submit("a", 0);
        source.submitted.acknowledge(ticket + 1);
        source.submitted.acknowledge(u64::MAX);
        assert_eq!(source.submitted.waiting(), 1);
    }
}
