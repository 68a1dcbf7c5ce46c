//! Pure. Batches of more schemas than a side may have defined at a time, in pieces that cross one after the other.

use weir_core::model::Records;
use weir_data::{Cells, limits};

/// Schemas of a piece, and bytes of them: the other side may answer with as many of its own, and remembers some.
const SCHEMAS: usize = limits::SCHEMAS / 4;
const SCHEMAS_BYTES: usize = limits::SCHEMAS_BYTES / 4;

/// The rows of each piece; none for a batch that crosses whole. A row of too many schemas is a piece of its own.
pub(crate) fn pieces(records: &Records) -> Option<Vec<Vec<u32>>> {
    let schemas = &records.tables.schemas;
    let bytes: Vec<usize> =
        schemas.iter().map(|schema| schema.as_ref().map_or(0, |schema| schema.schema().bytes())).collect();
    if schemas.len() <= SCHEMAS && bytes.iter().sum::<usize>() <= SCHEMAS_BYTES {
        return None;
    }
    let mut pieces: Vec<Vec<u32>> = vec![Vec::new()];
    // The piece that a schema was counted in last, from 1 on.
    let mut counted = vec![0; schemas.len()];
    let (mut held, mut held_bytes) = (0, 0);
    for row in 0..records.rows {
        let fresh = |counted: &[usize], piece: usize| {
            let mut fresh: Vec<usize> = positions(records, row).filter(|at| counted[*at] != piece).collect();
            fresh.sort_unstable();
            fresh.dedup();
            let more = fresh.iter().map(|at| bytes[*at]).sum::<usize>();
            (fresh, more)
        };
        let (mut added, mut more) = fresh(&counted, pieces.len());
        let full = held + added.len() > SCHEMAS || held_bytes + more > SCHEMAS_BYTES;
        if full && pieces.last().is_some_and(|piece| !piece.is_empty()) {
            pieces.push(Vec::new());
            (held, held_bytes) = (0, 0);
            (added, more) = fresh(&counted, pieces.len());
        }
        (held, held_bytes) = (held + added.len(), held_bytes + more);
        added.into_iter().for_each(|at| counted[at] = pieces.len());
        pieces.last_mut()?.push(row as u32);
    }
    (pieces.len() > 1).then_some(pieces)
}

/// The positions of a row's schemas.
fn positions(records: &Records, row: usize) -> impl Iterator<Item = usize> {
    let of = |cells: &Cells| (!cells.column.is_null() || !cells.schema.is_empty()).then(|| cells.schema_of(row));
    let headers = records.headers.range(row).map(|at| records.headers.value.schema_of(at));
    of(&records.key).into_iter().chain(of(&records.value)).chain(headers)
}

/// The given rows, over a table of no schemas but theirs.
pub(crate) fn piece(records: &Records, rows: &[u32]) -> Records {
    let mut piece = records.select(rows);
    let headers = piece.headers.name.len();
    let mut places = vec![None; records.tables.schemas.len()];
    let mut used = Vec::new();
    for (cells, count) in
        [(&mut piece.key, rows.len()), (&mut piece.value, rows.len()), (&mut piece.headers.value, headers)]
    {
        if cells.column.is_null() && cells.schema.is_empty() {
            continue;
        }
        let positions = (0..count).map(|at| {
            let position = cells.schema_of(at);
            *places[position].get_or_insert_with(|| {
                used.push(records.tables.schemas[position].clone());
                (used.len() - 1) as u32
            })
        });
        cells.schema = positions.collect();
    }
    piece.tables.schemas = used;
    piece
}

#[cfg(test)]
mod tests {
    use weir_core::model::SchemaHandle;
    use weir_data::{Column, Headers, Node, Schema, Type};

    use super::*;

    fn records(rows: usize, schemas: usize, headers: usize) -> Records {
        let mut records = Records { rows, ..Records::default() };
        records.tables.topics.push("t".into());
        records.tables.header_names.push("h".into());
        records.tables.schemas =
            (0..schemas).map(|_| Some(SchemaHandle::new(Schema::of(Node::new(Type::Int8))))).collect();
        let mut column = Column::default();
        (0..rows).for_each(|row| column.push(&[row as u8 % 24]));
        records.value = Cells { column, schema: (0..rows).map(|row| (row % schemas) as u32).collect() };
        let (mut value, count) = (Column::default(), rows * headers);
        (0..count).for_each(|_| value.push(&[7]));
        records.headers = Headers {
            ends: (1..=rows).map(|row| (row * headers) as u32).collect(),
            name: vec![0; count],
            value: Cells { column: value, schema: (0..count).map(|at| (at % schemas) as u32).collect() },
        };
        records.check().unwrap();
        records
    }

    #[test]
    fn every_row_is_in_one_piece_in_order_and_under_its_own_schema() {
        for (rows, schemas, headers) in [(3_000, 3_000, 0), (2_000, 700, 1), (40, 1_200, 30), (3, 2_000, 600)] {
            let whole = records(rows, schemas, headers);
            let pieces = pieces(&whole).unwrap();
            assert!(pieces.concat().iter().copied().eq(0..rows as u32));
            for rows in &pieces {
                let piece = piece(&whole, rows);
                piece.check().unwrap();
                assert!(piece.tables.schemas.len() <= SCHEMAS || rows.len() == 1, "{}", piece.tables.schemas.len());
                for (at, &row) in rows.iter().enumerate() {
                    let schema = |records: &Records, at| records.tables.schemas[records.value.schema_of(at)].clone();
                    assert_eq!(schema(&piece, at), schema(&whole, row as usize));
                    assert_eq!(piece.value.column.get(at), whole.value.column.get(row as usize));
                    let of_headers = |records: &Records, row: usize| {
                        let positions = records.headers.range(row).map(|at| records.headers.value.schema_of(at));
                        positions.map(|at| records.tables.schemas[at].clone()).collect::<Vec<_>>()
                    };
                    assert_eq!(of_headers(&piece, at), of_headers(&whole, row as usize));
                }
            }
        }
    }

    #[test]
    fn few_schemas_cross_whole_however_many_rows_there_are() {
        assert_eq!(pieces(&records(10_000, SCHEMAS, 1)), None);
        assert_eq!(pieces(&Records::default()), None);
        let unused = Records { rows: 0, ..records(1, 2_000, 0) };
        assert_eq!(pieces(&unused), None);
    }
}
