//! Transformations, predicates, and the chain of steps that one task has in a component.

use crate::bindings::transformation::exports::weir::connect::transformations as wit;
use crate::class::Class;
use crate::config::Config;
use crate::error::{Error, Problem, Result};
use crate::outgoing::Outgoing;
use crate::record::{Input, Outcome, Record};

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

impl Segment {
    fn writes(&self) -> Parts {
        self.steps.iter().fold(Parts::empty(), |parts, step| parts | step.parts().writes)
    }

    pub fn apply(&mut self, input: &Input) -> wit::Output {
        let mut failed = Vec::new();
        let mut out = Outgoing::new(input, self.writes());
        let mut record = Record::first(input);
        'rows: for row in 0..input.rows {
            record.go_to(row);
            let fault =
                |step: usize, error: Error| wit::RowFault { row: row as u32, step: step as u32, error: error.into() };
            for (at, step) in self.steps.iter_mut().enumerate() {
                match step.run(&mut record) {
                    Ok(Outcome::Keep) => {}
                    Ok(Outcome::Drop) => continue 'rows,
                    Err(error) => {
                        failed.push(fault(at, error));
                        continue 'rows;
                    }
                }
            }
            if let Err(error) = out.keep(row, &record) {
                failed.push(fault(self.steps.len() - 1, error));
            }
        }
        out.into_wit(failed)
    }
}
