//! Pure. Which records compaction keeps, and the entries that take the place of those before it.

use std::collections::HashMap;

use weir_core::model::RawHeaders;

use crate::catalog::Extent;
use crate::codec::Batch;
use crate::rows::extend_column;

/// Entries below this many bytes are put together even where every record stays.
const SMALL: u64 = 16 << 10;

/// Whether enough of a partition came in since it was compacted last.
pub(crate) fn due(extent: &Extent, ratio: f64) -> bool {
    let dirty = extent.bytes.saturating_sub(extent.compacted_bytes);
    extent.compacted < extent.end && dirty > 0 && dirty as f64 >= ratio * extent.bytes as f64
}

/// The last offset of each key, as far as there is room for keys.
#[derive(Debug)]
pub struct Latest {
    keys: HashMap<Vec<u8>, i64>,
    room: usize,
}

impl Latest {
    /// With room for this many bytes of keys.
    pub fn new(bytes_max: usize) -> Latest {
        Latest { keys: HashMap::new(), room: bytes_max }
    }

    /// Takes note of a batch; false when there was no room, and none of it may count as seen.
    pub fn see(&mut self, base: i64, batch: &Batch) -> bool {
        // A key weighs itself and about what the table needs for it.
        let weight: usize = (0..batch.rows).filter_map(|row| batch.key.get(row)).map(|key| key.len() + 64).sum();
        if weight > self.room && !self.keys.is_empty() {
            return false;
        }
        for row in 0..batch.rows {
            let Some(key) = batch.key.get(row) else { continue };
            let offset = base + i64::from(batch.delta(row));
            match self.keys.get_mut(key) {
                Some(last) => *last = offset,
                None => {
                    self.room = self.room.saturating_sub(key.len() + 64);
                    self.keys.insert(key.to_vec(), offset);
                }
            }
        }
        true
    }

    /// Whether a row stays. Tombstones from before `horizon` go.
    fn keeps(&self, base: i64, batch: &Batch, row: usize, horizon: i64) -> bool {
        let Some(key) = batch.key.get(row) else { return false };
        let offset = base + i64::from(batch.delta(row));
        // A later offset than noted was not seen: a newer record of the key may not be there.
        self.keys.get(key).is_none_or(|last| *last <= offset)
            && (batch.value.get(row).is_some() || batch.appended >= horizon)
    }
}

/// An entry as it stands, with the first offset of each batch in it.
#[derive(Debug)]
pub struct Stored {
    /// Its first offset.
    pub base: i64,
    /// Its bytes.
    pub bytes: u64,
    /// Its batches; none when it cannot be read.
    pub batches: Option<Vec<(i64, Batch)>>,
}

/// Entries and what takes their place.
#[derive(Debug, Default, PartialEq)]
pub struct Replacement {
    /// First offset and bytes of those that go.
    pub old: Vec<(i64, u64)>,
    /// First offset and records of the one that comes.
    pub new: Option<(i64, Batch)>,
}

/// What becomes of consecutive entries, all seen by `latest`.
pub fn replacements(entries: Vec<Stored>, latest: &Latest, horizon: i64, bytes_max: usize) -> Vec<Replacement> {
    let mut done = Vec::new();
    let mut open = Merge::default();
    for entry in entries {
        let Some(batches) = entry.batches else {
            open.finish(&mut done);
            continue;
        };
        let keep = |base: i64, batch: &Batch| -> Vec<usize> {
            (0..batch.rows).filter(|row| latest.keeps(base, batch, *row, horizon)).collect()
        };
        let kept: Vec<Vec<usize>> = batches.iter().map(|(base, batch)| keep(*base, batch)).collect();
        let whole = batches.iter().zip(&kept).all(|((_, batch), kept)| kept.len() == batch.rows);
        if whole && entry.bytes >= SMALL {
            open.finish(&mut done);
            continue;
        }
        if !open.takes(&batches, bytes_max) {
            open.finish(&mut done);
        }
        open.old.push((entry.base, entry.bytes));
        open.dropped |= !whole;
        batches.iter().zip(&kept).for_each(|((base, batch), kept)| open.add(*base, batch, kept));
    }
    open.finish(&mut done);
    done
}

#[derive(Debug, Default)]
struct Merge {
    old: Vec<(i64, u64)>,
    dropped: bool,
    base: i64,
    batch: Batch,
}

impl Merge {
    fn takes(&self, batches: &[(i64, Batch)], bytes_max: usize) -> bool {
        let bytes = |batch: &Batch| batch.key.data.len() + batch.value.data.len() + batch.rows * 16;
        let Some((base, first)) = batches.first() else { return true };
        self.old.is_empty()
            || (bytes(&self.batch) + batches.iter().map(|(_, batch)| bytes(batch)).sum::<usize>() <= bytes_max
                && (self.batch.rows == 0 || first.timestamp_type == self.batch.timestamp_type)
                && batches.iter().all(|(_, batch)| batch.timestamp_type == first.timestamp_type)
                && base - self.base < i64::from(u32::MAX / 2))
    }

    fn add(&mut self, base: i64, batch: &Batch, rows: &[usize]) {
        if self.batch.span == 0 {
            self.base = base;
        }
        let merged = &mut self.batch;
        for row in rows {
            let before = merged.rows;
            extend_column(&mut merged.key, before, &batch.key, *row..*row + 1);
            extend_column(&mut merged.value, before, &batch.value, *row..*row + 1);
            extend_headers(&mut merged.headers, before, &batch.headers, *row);
            merged.timestamps.push(batch.timestamps[*row]);
            merged.deltas.push((base - self.base) as u32 + batch.delta(*row));
            merged.timestamp_type = batch.timestamp_type;
            merged.rows += 1;
        }
        merged.appended = merged.appended.max(batch.appended);
        merged.span = (base - self.base) as u32 + batch.span;
    }

    fn finish(&mut self, done: &mut Vec<Replacement>) {
        let Merge { old, dropped, base, mut batch } = std::mem::take(self);
        if old.len() < 2 && !dropped {
            return;
        }
        if batch.deltas.iter().enumerate().all(|(row, delta)| row == *delta as usize)
            && batch.span as usize == batch.rows
        {
            batch.deltas = Vec::new();
        }
        done.push(Replacement { old, new: (batch.rows > 0).then_some((base, batch)) });
    }
}

fn extend_headers(headers: &mut RawHeaders, before: usize, more: &RawHeaders, row: usize) {
    if more.ends.is_empty() && headers.ends.is_empty() {
        return;
    }
    headers.ends.resize(before, headers.name.len() as u32);
    if !more.ends.is_empty() {
        let start = if row == 0 { 0 } else { more.ends[row - 1] } as usize;
        for at in start..more.ends[row] as usize {
            let name = &more.names[more.name[at] as usize];
            let known = headers.names.iter().position(|known| known == name);
            let position = known.unwrap_or_else(|| {
                headers.names.push(name.clone());
                headers.names.len() - 1
            });
            extend_column(&mut headers.value, headers.name.len(), &more.value, at..at + 1);
            headers.name.push(position as u32);
        }
    }
    headers.ends.push(headers.name.len() as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(records: &[(&str, Option<&str>)]) -> Batch {
        let mut batch = Batch { rows: records.len(), span: records.len() as u32, appended: 100, ..Batch::default() };
        for (key, value) in records {
            batch.key.push(key.as_bytes());
            batch.value.push_option(value.map(str::as_bytes));
            batch.timestamps.push(100);
        }
        batch
    }

    fn stored(base: i64, bytes: u64, records: &[(&str, Option<&str>)]) -> Stored {
        Stored { base, bytes, batches: Some(vec![(base, batch(records))]) }
    }

    fn latest(entries: &[Stored]) -> Latest {
        let mut latest = Latest::new(1 << 20);
        for (base, batch) in entries.iter().filter_map(|entry| entry.batches.as_ref()).flatten() {
            assert!(latest.see(*base, batch));
        }
        latest
    }

    fn rows(replacement: &Replacement) -> Vec<(i64, String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let Some((base, batch)) = &replacement.new else { return Vec::new() };
        let row = |row| {
            (base + i64::from(batch.delta(row)), text(batch.key.get(row).unwrap()), batch.value.get(row).map(text))
        };
        (0..batch.rows).map(row).collect()
    }

    #[test]
    fn of_each_key_the_last_record_stays_at_its_offset() {
        let entries = vec![
            stored(0, 10, &[("a", Some("1")), ("b", Some("1"))]),
            stored(2, 10, &[("a", Some("2"))]),
            stored(3, 10, &[("c", Some("1")), ("a", Some("3"))]),
        ];
        let latest = latest(&entries);
        let done = replacements(entries, &latest, 0, 1000);
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].old, [(0, 10), (2, 10), (3, 10)]);
        let expected = [(1, "b", "1"), (3, "c", "1"), (4, "a", "3")];
        assert_eq!(rows(&done[0]), expected.map(|(at, key, value)| (at, key.to_string(), Some(value.to_string()))));
        assert_eq!(done[0].new.as_ref().unwrap().1.span, 5);
    }

    #[test]
    fn tombstones_stay_until_the_horizon_passes_them() {
        let entries = || vec![stored(0, 10, &[("a", Some("1")), ("a", None)])];
        let latest = latest(&entries());
        assert_eq!(rows(&replacements(entries(), &latest, 100, 1000)[0]), [(1, "a".into(), None)]);
        assert_eq!(replacements(entries(), &latest, 101, 1000)[0].new, None);
    }

    #[test]
    fn large_entries_that_lose_nothing_and_those_that_cannot_be_read_are_left_alone() {
        let entries = vec![
            stored(0, SMALL, &[("a", Some("1"))]),
            Stored { base: 1, bytes: 5, batches: None },
            stored(2, SMALL, &[("b", Some("1")), ("b", Some("2"))]),
            stored(4, 10, &[("c", Some("1"))]),
            stored(5, SMALL, &[("d", Some("1"))]),
        ];
        let latest = latest(&entries);
        let done = replacements(entries, &latest, 0, 1000);
        assert_eq!(done.iter().map(|done| done.old.clone()).collect::<Vec<_>>(), [vec![(2, SMALL), (4, 10)]]);
    }

    #[test]
    fn keys_without_room_are_not_seen() {
        let mut latest = Latest::new(70);
        assert!(latest.see(0, &batch(&[("a", Some("1"))])));
        assert!(!latest.see(1, &batch(&[("b", Some("1"))])));
    }

    #[test]
    fn compaction_is_due_by_the_share_of_new_bytes() {
        let extent = Extent { start: 0, end: 10, bytes: 100, compacted: 5, compacted_bytes: 60 };
        assert!(due(&extent, 0.4) && !due(&extent, 0.5));
        assert!(!due(&Extent { compacted: 10, ..extent }, 0.0));
    }
}
