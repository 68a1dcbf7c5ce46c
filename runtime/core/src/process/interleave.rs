//! Pure. Two parts of a batch put together again, row by row, in the order in which their rows came.

use weir_data::{Cells, Headers};

use crate::model::{BatchTables, Records};

/// Puts together two parts of one batch. `left_rows` and `right_rows` say where each part's rows came from, rising; the
/// answer says the same of the whole. Tables are joined, the left part's first.
pub fn interleave(left: &Records, left_rows: &[u32], right: &Records, right_rows: &[u32]) -> (Records, Vec<u32>) {
    let order = merged(left_rows, right_rows);
    let rows = order.iter().map(|&(is_left, at)| if is_left { left_rows[at] } else { right_rows[at] }).collect();
    let tables = joined(&left.tables, &right.tables);
    let shift = |of: usize, is_left: bool| if is_left { 0 } else { of as u32 };
    let positions = |l: &[u32], r: &[u32], moved: usize| -> Vec<u32> {
        order
            .iter()
            .map(|&(is_left, at)| {
                let list = if is_left { l } else { r };
                list.get(at).copied().unwrap_or(0) + shift(moved, is_left)
            })
            .collect()
    };
    let numbers = |l: &[i64], r: &[i64]| -> Vec<i64> {
        if l.is_empty() && r.is_empty() {
            return Vec::new();
        }
        order.iter().map(|&(is_left, at)| (if is_left { l } else { r }).get(at).copied().unwrap_or(-1)).collect()
    };
    let cells = |l: &Cells, r: &Cells| -> Cells {
        let mut whole = Cells::default();
        for &(is_left, at) in &order {
            let part = if is_left { l } else { r };
            whole.column.push_option(part.column.get(at));
            whole.schema.push(part.schema_of(at) as u32 + shift(left.tables.schemas.len(), is_left));
        }
        if whole.column.absent.iter().map(|byte| byte.count_ones() as usize).sum::<usize>() == order.len() {
            whole.column = Default::default();
        }
        whole
    };
    let records = Records {
        rows: order.len(),
        topic: positions(&left.topic, &right.topic, left.tables.topics.len()),
        partition: positions(&left.partition, &right.partition, partitions(&left.tables).len()),
        offset: numbers(&left.offset, &right.offset),
        timestamp: numbers(&left.timestamp, &right.timestamp),
        timestamp_type: if left.timestamp.is_empty() { right.timestamp_type } else { left.timestamp_type },
        key: cells(&left.key, &right.key),
        value: cells(&left.value, &right.value),
        headers: headers(left, right, &order),
        tables,
    };
    (records, rows)
}

/// For each row of the whole: whether it is the left part's, and its position there.
fn merged(left: &[u32], right: &[u32]) -> Vec<(bool, usize)> {
    let (mut l, mut r) = (0, 0);
    let mut order = Vec::with_capacity(left.len() + right.len());
    while l < left.len() || r < right.len() {
        let take_left = r >= right.len() || (l < left.len() && left[l] < right[r]);
        if take_left {
            order.push((true, l));
            l += 1;
        } else {
            order.push((false, r));
            r += 1;
        }
    }
    order
}

fn joined(left: &BatchTables, right: &BatchTables) -> BatchTables {
    BatchTables {
        topics: [&left.topics[..], &right.topics].concat(),
        partitions: [partitions(left), partitions(right)].concat(),
        header_names: [&left.header_names[..], &right.header_names].concat(),
        schemas: [&left.schemas[..], &right.schemas].concat(),
    }
}

/// The partitions of a part; without any, every row leaves the choice to the producer.
fn partitions(tables: &BatchTables) -> &[Option<i32>] {
    if tables.partitions.is_empty() { &[None] } else { &tables.partitions }
}

fn headers(left: &Records, right: &Records, order: &[(bool, usize)]) -> Headers {
    let mut whole = Headers::default();
    if left.headers.ends.is_empty() && right.headers.ends.is_empty() {
        return whole;
    }
    for &(is_left, row) in order {
        let part = if is_left { left } else { right };
        for at in part.headers.range(row) {
            let (names, schemas) =
                if is_left { (0, 0) } else { (left.tables.header_names.len(), left.tables.schemas.len()) };
            whole.name.push(part.headers.name[at] + names as u32);
            whole.value.column.push_option(part.headers.value.column.get(at));
            whole.value.schema.push((part.headers.value.schema_of(at) + schemas) as u32);
        }
        whole.ends.push(whole.name.len() as u32);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_data::Column;

    fn part(topic: &str, values: &[&str]) -> Records {
        let mut column = Column::default();
        values.iter().for_each(|value| column.push(value.as_bytes()));
        let mut records = Records { rows: values.len(), ..Records::default() };
        records.tables.topics.push(topic.into());
        records.tables.schemas.push(None);
        records.value.column = column;
        records.offset = (0..values.len() as i64).collect();
        records
    }

    #[test]
    fn rows_come_back_in_the_order_in_which_they_came() {
        let (left, right) = (part("l", &["a", "b"]), part("r", &["c", "d", "e"]));
        let (whole, rows) = interleave(&left, &[1, 5], &right, &[0, 3, 7]);
        assert_eq!(rows, [0, 1, 3, 5, 7]);
        whole.check().unwrap();
        let read: Vec<(String, String)> = (0..whole.rows)
            .map(|row| {
                let value = String::from_utf8(whole.value.column.get(row).unwrap().to_vec()).unwrap();
                (whole.topic_of(row).to_string(), value)
            })
            .collect();
        let expected = [("r", "c"), ("l", "a"), ("r", "d"), ("l", "b"), ("r", "e")];
        assert_eq!(read, expected.map(|(topic, value)| (topic.to_owned(), value.to_owned())));
        assert_eq!(whole.offset, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn an_empty_part_changes_nothing() {
        let (left, right) = (part("l", &["a", "b"]), part("r", &[]));
        let (whole, rows) = interleave(&left, &[4, 5], &right, &[]);
        assert_eq!(rows, [4, 5]);
        whole.check().unwrap();
        assert_eq!(whole.value.column, left.value.column);
    }
}
