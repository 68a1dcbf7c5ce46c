//! Pure. A polled batch on its way through the task: in one piece, or in several where it is larger than a batch is to be.

use weir_data::select_positions;

use crate::model::{Boundary, Polled};

/// What a row counts beside its bytes, as `poll` in `wit/source.wit` says: a guest that keeps to the size it was told is
/// never cut.
const ROW_BYTES: usize = 28;

/// What is left of a polled batch.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    polled: Polled,
    /// Rows that were taken.
    taken: usize,
}

impl Pieces {
    pub fn new(polled: Polled) -> Pieces {
        Pieces { polled, taken: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.taken == self.polled.records.rows
    }

    /// The next rows, up to the one that brings them to `bytes_max`; none when all were taken.
    pub fn next(&mut self, bytes_max: usize) -> Option<Polled> {
        let (from, rows) = (self.taken, self.polled.records.rows);
        if from == rows {
            return None;
        }
        let until = self.bytes_before(from).saturating_add(bytes_max);
        // Bytes never fall, so where they reach the bound can be searched for.
        let (mut end, mut beyond) = (from + 1, rows);
        while end < beyond {
            let middle = end + (beyond - end) / 2;
            if self.bytes_before(middle) < until {
                end = middle + 1;
            } else {
                beyond = middle;
            }
        }
        self.taken = end;
        if end == rows && from == 0 {
            self.taken = 0;
            return Some(std::mem::take(&mut self.polled));
        }
        let piece = self.piece(from, end);
        if end == rows {
            *self = Pieces::default();
        }
        Some(piece)
    }

    /// Bytes of the rows before `row`.
    fn bytes_before(&self, row: usize) -> usize {
        let Some(last) = row.checked_sub(1) else { return 0 };
        let end = |ends: &[u32], at: usize| ends.get(at).map_or(0, |&end| end as usize);
        let records = &self.polled.records;
        let headers = end(&records.headers.ends, last);
        let header_bytes = headers.checked_sub(1).map_or(0, |last| end(&records.headers.value.column.ends, last));
        row * ROW_BYTES
            + end(&records.key.column.ends, last)
            + end(&records.value.column.ends, last)
            + end(&self.polled.source_offset.ends, last)
            + headers * size_of::<u32>()
            + header_bytes
    }

    fn piece(&self, from: usize, end: usize) -> Polled {
        let rows: Vec<u32> = (from as u32..end as u32).collect();
        let Polled { records, source_partitions, source_partition, source_offset, row_id, boundaries } = &self.polled;
        let inside = boundaries.iter().filter(|boundary| (from..end).contains(&(boundary.row as usize)));
        Polled {
            records: records.select(&rows),
            source_partitions: source_partitions.clone(),
            source_partition: select_positions(source_partition, &rows),
            source_offset: source_offset.select(&rows),
            row_id: row_id[from..end].to_vec(),
            boundaries: inside.map(|boundary| Boundary { row: boundary.row - from as u32, ..*boundary }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BoundaryKind, Records};
    use weir_data::{Cells, Column};

    fn polled(values: &[&str]) -> Polled {
        let mut polled = Polled { source_partitions: vec!["a".into(), "b".into()], ..Polled::default() };
        polled.records = Records { rows: values.len(), ..Records::default() };
        polled.records.tables.topics.push("topic".into());
        polled.records.tables.schemas.push(None);
        let mut value = Column::default();
        for (row, text) in values.iter().enumerate() {
            value.push(text.as_bytes());
            polled.source_offset.push(&[row as u8]);
            polled.source_partition.push(row as u32 % 2);
            polled.row_id.push(row as u64 + 100);
        }
        polled.records.value = Cells { column: value, schema: vec![] };
        polled
    }

    fn rows_of(polled: Polled, bytes_max: usize) -> Vec<usize> {
        let mut pieces = Pieces::new(polled);
        let mut rows = vec![];
        while let Some(piece) = pieces.next(bytes_max) {
            rows.push(piece.records.rows);
        }
        assert!(pieces.is_empty() && pieces.next(bytes_max).is_none());
        rows
    }

    #[test]
    fn a_piece_ends_with_the_row_that_fills_it_and_has_at_least_one() {
        // A row counts 28, its offset of one byte, and its value.
        for (values, bytes_max, expected) in [
            (&["", "", ""][..], 1 << 20, &[3][..]),
            (&["", "", ""], 87, &[3]),
            (&["", "", ""], 58, &[2, 1]),
            (&["", "", ""], 59, &[3]),
            (&["", "", ""], 0, &[1, 1, 1]),
            (&["xxxxxxxxxx", "x", "x", "xxxxxxxxxx"], 60, &[2, 2]),
            (&[], 60, &[]),
        ] {
            assert_eq!(rows_of(polled(values), bytes_max), expected, "{values:?} in {bytes_max}");
        }
    }

    #[test]
    fn keys_headers_and_offsets_count_too() {
        let long = || {
            let mut column = Column::default();
            (0..4).for_each(|_| column.push(&[0; 100]));
            column
        };
        let texts = ["", "", "", ""];
        let mut keyed = polled(&texts);
        keyed.records.key.column = long();
        let mut headed = polled(&texts);
        headed.records.headers.ends = vec![1, 2, 3, 4];
        headed.records.headers.name = vec![0; 4];
        headed.records.headers.value.column = long();
        let far = Polled { source_offset: long(), ..polled(&texts) };
        for polled in [keyed, headed, far] {
            assert_eq!(rows_of(polled, 200), [2, 2]);
        }
        assert_eq!(rows_of(polled(&texts), 200), [4]);
    }

    #[test]
    fn a_piece_is_the_batch_of_its_rows() {
        let mut whole = polled(&["a", "b", "c", "d", "e"]);
        whole.boundaries =
            vec![Boundary { row: 0, kind: BoundaryKind::Abort }, Boundary { row: 3, kind: BoundaryKind::Commit }];
        let mut pieces = Pieces::new(whole);
        pieces.next(31).unwrap();
        let piece = pieces.next(31).unwrap();
        piece.records.check().unwrap();
        let texts: Vec<_> = (0..2).map(|row| piece.records.value.column.get(row).unwrap()).collect();
        assert_eq!(texts, [b"c", b"d"]);
        assert_eq!((&piece.source_partition[..], &piece.row_id[..]), (&[0, 1][..], &[102, 103][..]));
        assert_eq!((piece.source_offset.get(0), piece.source_offset.get(1)), (Some(&[2][..]), Some(&[3][..])));
        assert_eq!(piece.boundaries, [Boundary { row: 1, kind: BoundaryKind::Commit }]);
    }
}
