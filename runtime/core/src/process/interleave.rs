//! Pure. Two parts of a batch put together again, row by row, in the order in which their rows came.

use weir_data::{Cells, Headers};

use crate::model::{BatchTables, Records};

/// Puts together two parts of one batch. `left_rows` and `right_rows` say where each part's rows came from, rising; the
/// answer says the same of the whole. Tables are joined; where one part's is the beginning of the other's it is kept once.
pub fn interleave(left: &Records, left_rows: &[u32], right: &Records, right_rows: &[u32]) -> (Records, Vec<u32>) {
    if right.rows == 0 {
        return (left.clone(), left_rows.to_vec());
    }
    if left.rows == 0 {
        return (right.clone(), right_rows.to_vec());
    }
    let order = merged(left_rows, right_rows);
    let rows = order.iter().map(|&(is_left, at)| if is_left { left_rows[at] } else { right_rows[at] }).collect();
    let (topics, topic_shift) = joined(&left.tables.topics, &right.tables.topics);
    let (partitions, partition_shift) = joined(partitions(&left.tables), partitions(&right.tables));
    let (header_names, name_shift) = joined(&left.tables.header_names, &right.tables.header_names);
    let (schemas, schema_shift) = joined(&left.tables.schemas, &right.tables.schemas);
    let shift = |by: u32, is_left: bool| if is_left { 0 } else { by };
    let positions = |l: &[u32], r: &[u32], moved: u32| -> Vec<u32> {
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
            whole.schema.push(part.schema_of(at) as u32 + shift(schema_shift, is_left));
        }
        if whole.column.absent.iter().map(|byte| byte.count_ones() as usize).sum::<usize>() == order.len() {
            whole.column = Default::default();
        }
        whole
    };
    let records = Records {
        rows: order.len(),
        topic: positions(&left.topic, &right.topic, topic_shift),
        partition: positions(&left.partition, &right.partition, partition_shift),
        offset: numbers(&left.offset, &right.offset),
        timestamp: numbers(&left.timestamp, &right.timestamp),
        timestamp_type: if left.timestamp.is_empty() { right.timestamp_type } else { left.timestamp_type },
        key: cells(&left.key, &right.key),
        value: cells(&left.value, &right.value),
        headers: headers(left, right, &order, (name_shift, schema_shift)),
        tables: BatchTables { topics, partitions, header_names, schemas },
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

/// Two tables as one, and by how much the right one's positions move in it.
fn joined<T: Clone + PartialEq>(left: &[T], right: &[T]) -> (Vec<T>, u32) {
    if left.starts_with(right) {
        return (left.to_vec(), 0);
    }
    if right.starts_with(left) {
        return (right.to_vec(), 0);
    }
    ([left, right].concat(), left.len() as u32)
}

/// The partitions of a part; without any, every row leaves the choice to the producer.
fn partitions(tables: &BatchTables) -> &[Option<i32>] {
    if tables.partitions.is_empty() { &[None] } else { &tables.partitions }
}

fn headers(left: &Records, right: &Records, order: &[(bool, usize)], shifts: (u32, u32)) -> Headers {
    let mut whole = Headers::default();
    if left.headers.ends.is_empty() && right.headers.ends.is_empty() {
        return whole;
    }
    for &(is_left, row) in order {
        let part = if is_left { left } else { right };
        for at in part.headers.range(row) {
            let (names, schemas) = if is_left { (0, 0) } else { shifts };
            whole.name.push(part.headers.name[at] + names);
            whole.value.column.push_option(part.headers.value.column.get(at));
            whole.value.schema.push(part.headers.value.schema_of(at) as u32 + schemas);
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
    fn tables_do_not_grow_by_what_both_parts_have() {
        let (mut left, right) = (part("t", &["a", "b"]), part("t", &["c"]));
        left.tables.topics.push("new".into());
        left.topic = vec![1, 0];
        let (whole, _) = interleave(&left, &[0, 2], &right, &[1]);
        whole.check().unwrap();
        assert_eq!((whole.tables.topics.len(), whole.tables.schemas.len()), (2, 1));
        let topics: Vec<&str> = (0..3).map(|row| &**whole.topic_of(row)).collect();
        assert_eq!(topics, ["new", "t", "t"]);
        let (again, _) = interleave(&right, &[1], &left, &[0, 2]);
        assert_eq!((again.tables.topics, again.topic), (whole.tables.topics, whole.topic));
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
