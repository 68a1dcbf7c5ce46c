//! Pure. Work on the fields of keys and values without decoding them: of structs by their schemas, of maps without schema
//! by their sequences of keys.
//!
//! Rows of one schema, or maps with the same keys in the same order, have one shape. What a step does to fields is
//! worked out once for each shape; a row then only has its fields' places found, by skipping
//! values and comparing keys with those seen before, and its bytes copied once, after the last step of the chain.
//!
//! ```
//! use std::rc::Rc;
//! use weir_sdk::fields::{Edits, Side};
//! use weir_sdk::prelude::*;
//! use weir_sdk::{Node, Type};
//!
//! /// Renames `name`, adds the length of the topic, and blanks `email`.
//! struct Tidy {
//!     edits: Edits,
//!     number: Rc<Schema>,
//! }
//!
//! const BLANK: u32 = 0;
//! const LENGTH: u32 = 1;
//!
//! impl Transformation for Tidy {
//!     fn class() -> Class {
//!         Class::new("example.Tidy", "1.0.0")
//!     }
//!
//!     fn configure(_: &Config) -> Result<Self> {
//!         Ok(Tidy { edits: Edits::default(), number: Rc::new(Schema::of(Node::new(Type::Int64))) })
//!     }
//!
//!     fn parts(&self) -> StepParts {
//!         StepParts { reads: Parts::VALUE | Parts::TOPIC, writes: Parts::VALUE }
//!     }
//!
//!     fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
//!         let length = record.topic().len() as i64;
//!         // The first closure is called for each shape, the second for each row and each field to be filled.
//!         self.edits.apply(
//!             record,
//!             Side::Value,
//!             0,
//!             |layout| {
//!                 layout.rename("name", "full_name")?;
//!                 layout.fill("email", BLANK)?;
//!                 layout.insert_filled("length", &self.number, LENGTH)
//!             },
//!             |tag, _was, cbor| {
//!                 match tag {
//!                     BLANK => weir_data::cbor::text(cbor, b""),
//!                     _ => weir_data::cbor::integer(cbor, length),
//!                 }
//!                 Ok(())
//!             },
//!         )?;
//!         Ok(Outcome::Keep)
//!     }
//! }
//!
//! let mut tidy = Tidy::configure(&Config::new([])).unwrap();
//! let person = Value::map([("name", "Ada".into()), ("email", "ada@example.com".into())]);
//! let mut record = Record::new("people", Data::free(person));
//! tidy.apply(&mut record).unwrap();
//! let tidied = Value::map([("full_name", "Ada".into()), ("email", "".into()), ("length", 6.into())]);
//! assert_eq!(record.value().unwrap().value, tidied);
//! ```

mod base;
mod extract;
mod flatten;
mod layout;
mod plan;
mod row;
mod shape;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::rc::Rc;

pub use layout::{Layout, LayoutField};

pub(crate) use base::{live, live_of_data};
pub(crate) use row::Live;

use weir_data::cbor;

use crate::error::Result;
use crate::record::Record;
use plan::{HeaderPlan, Plan, body};
use row::Row;
use shape::{Next, Shape};

/// Plans of one step for one shape: there are several where a plan depends on what is nested in rows.
const ALTERNATIVES_MAX: usize = 32;
/// Steps, and variants of them, whose plans one shape keeps.
const STEPS_MAX: usize = 32;

/// The key of a record, or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// What one step does to fields, by their shapes. See the [module](self).
#[derive(Debug)]
pub struct Edits {
    number: u32,
    scratch: Vec<u8>,
}

impl Default for Edits {
    fn default() -> Edits {
        thread_local! {
            static NEXT: Cell<u32> = const { Cell::new(0) };
        }
        Edits { number: NEXT.replace(NEXT.get() + 1), scratch: Vec::new() }
    }
}

impl Edits {
    /// Changes a record's key or value. `plan` is called once for each shape and `variant`, which stands for whatever
    /// else decides what `plan` does; its errors are this row's, and it is asked again for the next one. `fill` is called
    /// for each row with the tag of a field to fill, its value so far as CBOR, and where to put the new one as CBOR. The
    /// headers that the plan adds are added to the record.
    #[inline]
    pub fn apply(
        &mut self,
        record: &mut Record<'_>,
        side: Side,
        variant: u32,
        plan: impl FnOnce(&mut Layout<'_>) -> Result<()>,
        mut fill: impl FnMut(u32, Option<&[u8]>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let Live { cell, row, shape } = record.live(side)?;
        let ask = (self.number, variant);
        let known = shape.next.borrow();
        let fits = known
            .iter()
            .find(|next| next.ask == ask)
            .and_then(|next| next.plans.iter().find(|plan| plan.expects.is_empty() || row.meets(cell, &plan.expects)));
        let (next, heads) = match fits {
            Some(plan) => {
                plan.fill(cell, row, &mut self.scratch, &mut fill)?;
                (plan.shape.clone(), (!plan.headers.is_empty()).then(|| plan.clone()))
            }
            None => {
                drop(known);
                let plan = make(ask, cell, row, shape, plan)?;
                plan.fill(cell, row, &mut self.scratch, &mut fill)?;
                *shape = plan.shape.clone();
                return self.add_headers(&plan, record, side);
            }
        };
        drop(known);
        *shape = next;
        match heads {
            Some(plan) => self.add_headers(&plan, record, side),
            None => Ok(()),
        }
    }

    fn add_headers(&mut self, plan: &Plan, record: &mut Record<'_>, side: Side) -> Result<()> {
        for HeaderPlan { name, shape } in &plan.headers {
            let Live { cell, row, .. } = record.live(side)?;
            self.scratch.clear();
            shape.write(cell, row, &mut self.scratch);
            let schema = shape.schema.as_ref();
            let cell = match &self.scratch[..] {
                [cbor::NULL] => None,
                cbor if schema.is_some_and(|schema| schema.is_raw()) => Some(body(cbor)?),
                cbor => Some(cbor),
            };
            record.add_header_cell(name, schema, cell);
        }
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn make(
    ask: (u32, u32),
    cell: &[u8],
    row: &mut Row,
    shape: &Shape,
    plan: impl FnOnce(&mut Layout<'_>) -> Result<()>,
) -> Result<Rc<Plan>> {
    let slots = row.slots();
    let mut layout = Layout::new(cell, row, shape);
    let planned = plan(&mut layout).and_then(|()| layout.finish());
    if planned.is_err() {
        row.forget_slots(slots);
    }
    let plan = Rc::new(planned?);
    let mut known = shape.next.borrow_mut();
    match known.iter_mut().find(|next| next.ask == ask) {
        Some(Next { plans, .. }) => {
            if plans.len() >= ALTERNATIVES_MAX {
                plans.remove(0);
            }
            plans.push(plan.clone());
        }
        None => {
            if known.len() >= STEPS_MAX {
                known.remove(0);
            }
            known.push(Next { ask, plans: vec![plan.clone()] });
        }
    }
    Ok(plan)
}
