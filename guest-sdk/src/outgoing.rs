//! Records on their way out of transformations. A part that no row changed goes back as unchanged; from the first row
//! that did change, rows that steps left alone are copied in runs.

use std::ops::Range;

use weir_data::Cells;

use crate::bindings::transformation::exports::weir::connect::transformations as wit;
use crate::error::Result;
use crate::record::{Input, Part, Record};
use crate::tables::{CellsOut, HeadersOut, Same, Tables};
use crate::transformation::Parts;

/// The rows of the input that are kept, by rising row.
#[derive(Default)]
struct Kept {
    count: usize,
    /// Empty while they are the first `count` ones.
    list: Vec<u32>,
}

impl Kept {
    #[inline]
    fn push(&mut self, row: usize) {
        if self.list.is_empty() && row != self.count {
            self.list = (0..self.count as u32).collect();
        }
        if row != self.count {
            self.list.push(row as u32);
        }
        self.count += 1;
    }

    /// The kept rows from the given one on, in runs of neighbours.
    fn runs(&self, from: usize) -> impl Iterator<Item = Range<usize>> {
        let all = if self.list.is_empty() { from..self.count } else { 0..0 };
        let runs = self.list.get(from..).unwrap_or_default().chunk_by(|a, b| a + 1 == *b);
        [all]
            .into_iter()
            .filter(|all| !all.is_empty())
            .chain(runs.map(|run| run[0] as usize..run[0] as usize + run.len()))
    }

    /// None for all rows of the input.
    fn into_wit(self, rows: usize) -> Option<Vec<u32>> {
        match self.list.is_empty() {
            true if self.count == rows => None,
            true => Some((0..self.count as u32).collect()),
            false => Some(self.list),
        }
    }
}

/// A part under construction. It holds the first `rows` of the kept rows; those behind are as they came.
#[derive(Default)]
struct Changed<T> {
    rows: usize,
    out: T,
}

impl<T> Changed<T> {
    /// Copies the kept rows that are not in yet.
    #[inline]
    fn catch_up(&mut self, kept: &Kept, mut copy: impl FnMut(&mut T, Range<usize>)) {
        if self.rows < kept.count {
            kept.runs(self.rows).for_each(|run| copy(&mut self.out, run));
            self.rows = kept.count;
        }
    }

    /// The part once all kept rows are in, none when no row changed it.
    fn finish(mut self, kept: &Kept, copy: impl FnMut(&mut T, Range<usize>)) -> Option<T> {
        if self.rows == 0 {
            return None;
        }
        self.catch_up(kept, copy);
        Some(self.out)
    }
}

/// What becomes of a batch.
pub(crate) struct Outgoing<'a> {
    input: &'a Input,
    writes: Parts,
    kept: Kept,
    tables: Tables,
    topic: Changed<Same<u32>>,
    partition: Changed<Same<u32>>,
    timestamp: Changed<Same<i64>>,
    key: Changed<CellsOut>,
    value: Changed<CellsOut>,
    headers: Changed<HeadersOut>,
}

impl<'a> Outgoing<'a> {
    pub fn new(input: &'a Input, writes: Parts) -> Outgoing<'a> {
        Outgoing {
            input,
            writes,
            kept: Kept::default(),
            tables: Tables::default(),
            topic: Changed::default(),
            partition: Changed::default(),
            timestamp: Changed::default(),
            key: Changed::default(),
            value: Changed::default(),
            headers: Changed::default(),
        }
    }

    /// Adds what a record has become, or nothing of it; what a step changed without declaring it is left out.
    #[inline]
    pub fn keep(&mut self, row: usize, record: &Record) -> Result<()> {
        let changed = record.changed & self.writes;
        if !changed.is_empty() {
            self.push(record, changed)?;
        }
        self.kept.push(row);
        Ok(())
    }

    fn push(&mut self, record: &Record, changed: Parts) -> Result<()> {
        let Outgoing { input, kept, tables, .. } = self;
        if let Err(error) = (|| {
            if changed.contains(Parts::KEY) {
                push_cell(&mut self.key, &record.key, kept, input, &input.key, tables)?;
            }
            if changed.contains(Parts::VALUE) {
                push_cell(&mut self.value, &record.value, kept, input, &input.value, tables)?;
            }
            if changed.contains(Parts::HEADERS) {
                self.headers.catch_up(kept, |out, rows| copy_headers(out, rows, input, tables));
                self.headers.out.push_row(&record.headers, input, tables)?;
                self.headers.out.end_row();
                self.headers.rows += 1;
            }
            Ok(())
        })() {
            self.undo_row();
            return Err(error);
        }
        if changed.contains(Parts::TOPIC) {
            self.topic.catch_up(kept, |out, rows| copy_topics(out, rows, input, tables));
            self.topic.out.push(tables.topic(record.topic()));
            self.topic.rows += 1;
        }
        if changed.contains(Parts::PARTITION) {
            self.partition.catch_up(kept, |out, rows| copy_partitions(out, rows, input, tables));
            self.partition.out.push(tables.partition(record.partition()));
            self.partition.rows += 1;
        }
        if changed.contains(Parts::TIMESTAMP) {
            self.timestamp.catch_up(kept, |out, rows| copy_timestamps(out, rows, input));
            self.timestamp.out.push(record.timestamp().unwrap_or(-1));
            self.timestamp.rows += 1;
        }
        Ok(())
    }

    fn undo_row(&mut self) {
        for cells in [&mut self.key, &mut self.value] {
            cells.out.truncate(self.kept.count);
            cells.rows = cells.rows.min(self.kept.count);
        }
        self.headers.out.undo_row();
    }

    pub fn into_wit(self, failed: Vec<wit::RowFault>) -> wit::Output {
        let Outgoing { input, kept, mut tables, .. } = self;
        let tables_ref = &mut tables;
        let topic = self.topic.finish(&kept, |out, rows| copy_topics(out, rows, input, tables_ref));
        let partition = self.partition.finish(&kept, |out, rows| copy_partitions(out, rows, input, tables_ref));
        let timestamp = self.timestamp.finish(&kept, |out, rows| copy_timestamps(out, rows, input));
        let key = self.key.finish(&kept, |out, rows| copy_cells(out, rows, input, &input.key, tables_ref));
        let value = self.value.finish(&kept, |out, rows| copy_cells(out, rows, input, &input.value, tables_ref));
        let headers = self.headers.finish(&kept, |out, rows| copy_headers(out, rows, input, tables_ref));
        let (tables, define) = tables.into_wit();
        wit::Output {
            kept: kept.into_wit(input.rows),
            failed,
            define,
            tables,
            topic: topic.map(|topic| topic.into_list(0)),
            partition: partition.map(|partition| partition.into_list(0)),
            timestamp: timestamp.map(|timestamp| timestamp.into_list(-1)),
            key: key.map(CellsOut::into_wit),
            value: value.map(CellsOut::into_wit),
            headers: headers.map(HeadersOut::into_wit),
        }
    }
}

#[inline]
fn push_cell(
    cells: &mut Changed<CellsOut>,
    part: &Part,
    kept: &Kept,
    input: &Input,
    came: &Option<Cells>,
    tables: &mut Tables,
) -> Result<()> {
    if cells.rows == 0 {
        cells.out = room_for(came);
    }
    cells.catch_up(kept, |out, rows| copy_cells(out, rows, input, came, tables));
    match part {
        Part::Set(data) => cells.out.push(data, tables)?,
        Part::Fields(live) => cells.out.push_live(live, tables),
        Part::Came => unreachable!("it is marked as changed"),
    }
    cells.rows += 1;
    Ok(())
}

/// Room for as many cells as came, a quarter larger.
fn room_for(came: &Option<Cells>) -> CellsOut {
    came.as_ref().map_or_else(CellsOut::default, |came| {
        let bytes = came.column.data.len();
        CellsOut::with_capacity(came.column.ends.len(), bytes + bytes / 4)
    })
}

fn copy_cells(out: &mut CellsOut, rows: Range<usize>, input: &Input, came: &Option<Cells>, tables: &mut Tables) {
    match came {
        Some(came) => out.copy(came, rows, &input.schemas, tables),
        None => rows.for_each(|_| out.push_null(tables)),
    }
}

fn copy_headers(out: &mut HeadersOut, rows: Range<usize>, input: &Input, tables: &mut Tables) {
    match &input.headers {
        Some(came) => out.copy(input, came, rows, tables),
        None => rows.for_each(|_| out.end_row()),
    }
}

fn copy_topics(out: &mut Same<u32>, rows: Range<usize>, input: &Input, tables: &mut Tables) {
    rows.for_each(|row| out.push(tables.topic(input.topic(row))));
}

fn copy_partitions(out: &mut Same<u32>, rows: Range<usize>, input: &Input, tables: &mut Tables) {
    rows.for_each(|row| out.push(tables.partition(input.partition(row))));
}

fn copy_timestamps(out: &mut Same<i64>, rows: Range<usize>, input: &Input) {
    let came = input.timestamp.as_deref().unwrap_or_default();
    rows.for_each(|row| out.push(came.get(row).copied().unwrap_or(-1)));
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use weir_data::{Headers, Node, Schema, Type, Value};

    use super::*;
    use crate::class::Class;
    use crate::config::Config;
    use crate::data::Data;
    use crate::record::Outcome;
    use crate::tables::{cells_from_wit, headers_from_wit};
    use crate::transformation::{Segment, Step, StepParts, Transformation};

    const ROWS: usize = 6;
    const WRITES: [Parts; 5] = [Parts::TOPIC, Parts::TIMESTAMP, Parts::KEY, Parts::VALUE, Parts::HEADERS];

    /// Keeps, changes, drops or spoils each row, by the digits of a number.
    struct Acts(usize, u32);

    impl Transformation for Acts {
        fn class() -> Class {
            unreachable!("it is made here")
        }

        fn configure(_: &Config) -> Result<Self> {
            unreachable!("it is made here")
        }

        fn parts(&self) -> StepParts {
            let writes = WRITES.into_iter().fold(Parts::empty(), |all, part| all | part);
            StepParts { reads: writes, writes }
        }

        fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
            let act = self.0 >> (2 * self.1) & 3;
            self.1 += 1;
            match act {
                0 => {}
                1 => {
                    record.set_topic("changed");
                    record.set_timestamp(Some(99));
                    record.set_key(Data::free(1));
                    record.set_value(Data::text("changed"));
                    record.set_headers(vec![("changed".into(), Data::text("h")), ("h".into(), Data::null())]);
                }
                2 => return Ok(Outcome::Drop),
                _ => {
                    record.set_topic("spoilt");
                    record.set_value(Data::text("spoilt"));
                    record.set_headers(vec![("spoilt".into(), Data { schema: None, value: Value::Struct(vec![]) })]);
                }
            }
            Ok(Outcome::Keep)
        }
    }

    fn input() -> Input {
        let (mut tables, mut value, mut headers) = (Tables::default(), CellsOut::default(), HeadersOut::default());
        let int = Rc::new(Schema::of(Node::new(Type::Int32)));
        for row in 0..ROWS {
            match row % 3 {
                0 => value.push(&Data::text(row.to_string()), &mut tables).unwrap(),
                1 => value.push(&Data::under(&int, Value::from(row as i32)), &mut tables).unwrap(),
                _ => value.push_null(&mut tables),
            }
            (0..row % 3).for_each(|at| headers.push(&format!("h{at}"), &Data::text("v"), &mut tables).unwrap());
            headers.end_row();
        }
        let schemas = tables.schemas();
        let (tables, _) = tables.into_wit();
        Input {
            rows: ROWS,
            topics: vec!["a".into(), "b".into()],
            header_names: tables.header_names,
            schemas,
            topic: Some(vec![0, 1, 1, 0, 1, 0]),
            timestamp: Some((0..ROWS as i64).collect()),
            key: Some(Cells::default()),
            value: Some(value.into_cells()),
            headers: Some(headers_from_wit(headers.into_wit())),
            ..Input::default()
        }
    }

    /// What a row of the output holds: of each part that came back, else of the input's row.
    fn shown(input: &Input, output: &Input, at: usize, row: usize) -> String {
        let pick = |back: bool| if back { (output, at) } else { (input, row) };
        let cells = |(input, row): (&Input, usize), cells: &Option<Cells>| {
            let cells = cells.as_ref().unwrap();
            let schema = input.schemas.get(cells.schema_of(row)).cloned().flatten();
            let kind = schema.map(|schema| schema.root().kind.clone());
            format!("{:?} {kind:?}", cells.column.get(row))
        };
        let headers = |(input, row): (&Input, usize)| {
            let headers: &Headers = input.headers.as_ref().unwrap();
            let name = |at: usize| input.header_names[headers.name[at] as usize].clone();
            headers.range(row).map(|at| format!("{} {:?}", name(at), headers.value.column.get(at))).collect::<Vec<_>>()
        };
        let topic = pick(output.topic.is_some());
        let timestamp = pick(output.timestamp.is_some());
        let (key, value) = (pick(output.key.is_some()), pick(output.value.is_some()));
        format!(
            "{} {:?} {} {} {:?}",
            topic.0.topic(topic.1),
            timestamp.0.timestamp.as_ref().unwrap()[timestamp.1],
            cells(key, &key.0.key),
            cells(value, &value.0.value),
            headers(pick(output.headers.is_some())),
        )
    }

    #[test]
    fn rows_come_out_as_the_step_left_them_whatever_happened_to_those_around() {
        let input = input();
        for acts in 0..1 << (2 * ROWS) {
            let step = Step { work: Box::new(Acts(acts, 0)), guard: None };
            let output = Segment { steps: vec![step] }.apply(&input);
            let act = |row: usize| acts >> (2 * row) & 3;
            let kept: Vec<usize> = (0..ROWS).filter(|row| act(*row) < 2).collect();
            let told = output.kept.unwrap_or((0..ROWS as u32).collect());
            assert_eq!(told, kept.iter().map(|row| *row as u32).collect::<Vec<_>>(), "{acts:b}");
            assert!(output.failed.iter().map(|failed| failed.row as usize).eq((0..ROWS).filter(|row| act(*row) == 3)));
            let changed = kept.iter().any(|row| act(*row) == 1);
            assert_eq!(output.topic.is_some(), changed, "{acts:b}");
            if (0..ROWS).all(|row| act(row) != 3) {
                assert_eq!(output.value.is_some(), changed, "{acts:b}");
            }

            let schemas = output.tables.schemas.iter().map(crate::schemas::resolve).collect();
            let topics = output.tables.topics;
            let back = Input {
                rows: kept.len(),
                topics,
                header_names: output.tables.header_names,
                schemas,
                topic: output.topic,
                timestamp: output.timestamp,
                key: output.key.map(cells_from_wit),
                value: output.value.map(cells_from_wit),
                headers: output.headers.map(headers_from_wit),
                ..Input::default()
            };
            for (at, &row) in kept.iter().enumerate() {
                let expected = match act(row) {
                    0 => shown(&input, &Input::default(), 0, row),
                    _ => "changed 99 Some([1]) None Some([99, 104, 97, 110, 103, 101, 100]) Some(String) \
                          [\"changed Some([104])\", \"h None\"]"
                        .into(),
                };
                assert_eq!(shown(&input, &back, at, row), expected, "{acts:b}: row {row}");
            }
        }
    }
}
