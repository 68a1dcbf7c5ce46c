//! Transformations, predicates, and the chain of steps that one task has in a component.

use weir_data::Cells;

use crate::bindings::transformation::exports::weir::connect::transformations as wit;
use crate::class::Class;
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::record::{Input, Outcome, Part, Record};
use crate::tables::{CellsOut, HeadersOut, Tables, abbreviate};

pub use wit::{Parts, StepParts};

/// Changes records, one at a time. State over records is lost when the task's instance is made anew.
pub trait Transformation: 'static {
    /// Its name, version and configuration definition.
    fn class() -> Class
    where
        Self: Sized;

    /// Problems in a configuration beyond what the definition checks; asked with [`Class::wants_validate`].
    fn validate(_config: &Config) -> Vec<Problem>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// Sets it up.
    fn configure(config: &Config) -> Result<Self>
    where
        Self: Sized;

    /// What it looks at and what it may change. What it does not read is empty in the records it gets.
    fn parts(&self) -> StepParts;

    /// Changes a record, or says that it is filtered.
    fn apply(&mut self, record: &mut Record) -> Result<Outcome>;
}

/// Tells records apart.
pub trait Predicate: 'static {
    /// Its name, version and configuration definition.
    fn class() -> Class
    where
        Self: Sized;

    /// Sets it up.
    fn configure(config: &Config) -> Result<Self>
    where
        Self: Sized;

    /// What it looks at.
    fn reads(&self) -> Parts;

    /// Whether it holds for a record.
    fn test(&mut self, record: &Record) -> Result<bool>;
}

pub(crate) struct Guard {
    pub predicate: Box<dyn Predicate>,
    pub negate: bool,
}

pub(crate) struct Step {
    pub work: Box<dyn Transformation>,
    pub guard: Option<Guard>,
}

impl Step {
    pub fn parts(&self) -> StepParts {
        let StepParts { reads, writes } = self.work.parts();
        let guard = self.guard.as_ref().map_or(Parts::empty(), |guard| guard.predicate.reads());
        // A row that the step leaves alone goes out as it came, so what is written must have come.
        StepParts { reads: reads | writes | guard, writes }
    }

    fn run(&mut self, record: &mut Record) -> Result<Outcome> {
        if let Some(guard) = &mut self.guard
            && guard.predicate.test(record)? == guard.negate
        {
            return Ok(Outcome::Keep);
        }
        self.work.apply(record)
    }
}

/// A predicate standing alone: it keeps the rows for which it holds.
pub(crate) struct KeepIf(pub Box<dyn Predicate>);

impl Transformation for KeepIf {
    fn class() -> Class {
        unreachable!("stands for the class of its predicate")
    }

    fn configure(_: &Config) -> Result<Self> {
        unreachable!("is made from a predicate")
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: self.0.reads(), writes: Parts::empty() }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        Ok(if self.0.test(record)? { Outcome::Keep } else { Outcome::Drop })
    }
}

/// Neighbouring steps of a chain.
pub(crate) struct Segment {
    pub steps: Vec<Step>,
}

/// The parts that some step may write, under construction.
#[derive(Default)]
struct Out {
    rows: usize,
    tables: Tables,
    topic: Vec<u32>,
    partition: Vec<u32>,
    timestamp: Vec<i64>,
    key: CellsOut,
    value: CellsOut,
    headers: HeadersOut,
}

impl Out {
    /// Adds what a record has become, or nothing of it; parts that no step writes are left out.
    fn push(&mut self, record: &Record, writes: Parts) -> Result<()> {
        if let Err(error) = self.push_cells(record, writes) {
            self.key.truncate(self.rows);
            self.value.truncate(self.rows);
            self.headers.undo_row();
            return Err(error);
        }
        if writes.contains(Parts::HEADERS) {
            self.headers.end_row();
        }
        if writes.contains(Parts::TOPIC) {
            self.topic.push(self.tables.topic(record.topic()));
        }
        if writes.contains(Parts::PARTITION) {
            self.partition.push(self.tables.partition(record.partition()));
        }
        if writes.contains(Parts::TIMESTAMP) {
            self.timestamp.push(record.timestamp().unwrap_or(-1));
        }
        self.rows += 1;
        Ok(())
    }

    fn push_cells(&mut self, record: &Record, writes: Parts) -> Result<()> {
        if writes.contains(Parts::KEY) {
            push_part(&mut self.key, &record.key, &mut self.tables)?;
        }
        if writes.contains(Parts::VALUE) {
            push_part(&mut self.value, &record.value, &mut self.tables)?;
        }
        if writes.contains(Parts::HEADERS) {
            for (name, value) in record.headers()? {
                self.headers.push(&name, &value, &mut self.tables)?;
            }
        }
        Ok(())
    }
}

/// Room for as many cells as came, a quarter larger.
fn room_for(came: &Option<Cells>) -> CellsOut {
    came.as_ref().map_or_else(CellsOut::default, |came| {
        let bytes = came.column.data.len();
        CellsOut::with_capacity(came.column.ends.len(), bytes + bytes / 4)
    })
}

fn push_part(cells: &mut CellsOut, part: &Part, tables: &mut Tables) -> Result<()> {
    match part {
        Part::Came { cell, schema } => {
            cells.push_cell(*cell, *schema, tables);
            Ok(())
        }
        Part::Set(data) => cells.push(data, tables),
        Part::Fields(live) => {
            cells.push_live(live, tables);
            Ok(())
        }
    }
}

impl Segment {
    fn writes(&self) -> Parts {
        self.steps.iter().fold(Parts::empty(), |parts, step| parts | step.parts().writes)
    }

    pub fn apply(&mut self, input: &Input) -> wit::Output {
        let writes = self.writes();
        let mut kept = Vec::with_capacity(input.rows);
        let mut failed = Vec::new();
        let mut out = Out { key: room_for(&input.key), value: room_for(&input.value), ..Out::default() };
        'rows: for row in 0..input.rows as u32 {
            let mut record = Record::of(input, row as usize);
            for (at, step) in self.steps.iter_mut().enumerate() {
                match step.run(&mut record) {
                    Ok(Outcome::Keep) => {}
                    Ok(Outcome::Drop) => continue 'rows,
                    Err(error) => {
                        failed.push(wit::RowFault { row, step: at as u32, error: error.into() });
                        continue 'rows;
                    }
                }
            }
            match out.push(&record, writes) {
                Ok(()) => kept.push(row),
                Err(error) => {
                    let step = (self.steps.len() - 1) as u32;
                    failed.push(wit::RowFault { row, step, error: error.into() });
                }
            }
        }
        self.finish(input, kept, failed, out, writes)
    }

    fn finish(
        &self,
        input: &Input,
        kept: Vec<u32>,
        failed: Vec<wit::RowFault>,
        mut out: Out,
        writes: Parts,
    ) -> wit::Output {
        let has = |part: Parts| writes.contains(part);
        abbreviate(&mut out.topic);
        abbreviate(&mut out.partition);
        if out.timestamp.iter().all(|&timestamp| timestamp < 0) {
            out.timestamp.clear();
        }
        let (tables, define) = out.tables.into_wit();
        wit::Output {
            kept: (kept.len() != input.rows).then_some(kept),
            failed,
            define,
            tables,
            topic: has(Parts::TOPIC).then_some(out.topic),
            partition: has(Parts::PARTITION).then_some(out.partition),
            timestamp: has(Parts::TIMESTAMP).then_some(out.timestamp),
            key: has(Parts::KEY).then(|| out.key.into_wit()),
            value: has(Parts::VALUE).then(|| out.value.into_wit()),
            headers: has(Parts::HEADERS).then(|| out.headers.into_wit()),
        }
    }
}
