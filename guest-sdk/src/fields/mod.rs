//! Pure. Work on the fields of keys and values without decoding them: of structs by their schemas, of maps without schema
//! by their sequences of keys.
//!
//! Rows of one schema, or maps with the same keys in the same order, have one shape. What a step does to fields is
//! worked out once for each shape and kept in its [`Edits`]; a row then only has its fields' places found, by skipping
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
mod flatten;
mod layout;
mod row;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use layout::{Layout, LayoutField};

pub(crate) use base::{live, live_of_data};
pub(crate) use row::Live;

use crate::error::Result;
use crate::record::Record;
use layout::Plan;

/// Plans that one step keeps. Data that has more shapes makes them anew.
const PLANS_MAX: usize = 1_024;
/// Plans for one shape: there are several where a plan depends on what is nested in rows.
const ALTERNATIVES_MAX: usize = 32;

/// The key of a record, or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// What a shape is asked for by: its number, and what else the plan depends on.
type Ask = (u64, u32);

/// What one step does to fields, by their shapes. See the [module](self).
#[derive(Debug, Default)]
pub struct Edits {
    last: Option<(Ask, Rc<Plan>)>,
    plans: BTreeMap<Ask, Vec<Rc<Plan>>>,
    kept: usize,
    scratch: Vec<u8>,
}

impl Edits {
    /// Changes a record's key or value. `plan` is called once for each shape and `variant`, which stands for whatever
    /// else decides what `plan` does; its errors are this row's, and it is asked again for the next one. `fill` is called
    /// for each row with the tag of a field to fill, its value so far as CBOR, and where to put the new one as CBOR.
    pub fn apply(
        &mut self,
        record: &mut Record<'_>,
        side: Side,
        variant: u32,
        plan: impl FnOnce(&mut Layout<'_>) -> Result<()>,
        mut fill: impl FnMut(u32, Option<&[u8]>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let live = record.live(side)?;
        let ask = (live.shape.id, variant);
        if let Some((last, plan)) = &self.last
            && *last == ask
            && live.row.meets(live.cell, &plan.expects)
        {
            return plan.run(live, &mut self.scratch, &mut fill);
        }
        let plan = match self.find(ask, live) {
            Some(plan) => plan,
            None => self.make(ask, live, plan)?,
        };
        self.last = Some((ask, plan.clone()));
        plan.run(live, &mut self.scratch, &mut fill)
    }

    fn find(&self, ask: Ask, live: &mut Live<'_>) -> Option<Rc<Plan>> {
        self.plans.get(&ask)?.iter().find(|plan| live.row.meets(live.cell, &plan.expects)).cloned()
    }

    fn make(
        &mut self,
        ask: Ask,
        live: &mut Live<'_>,
        plan: impl FnOnce(&mut Layout<'_>) -> Result<()>,
    ) -> Result<Rc<Plan>> {
        let slots = live.row.slots();
        let mut layout = Layout::new(live.cell, &mut live.row, &live.shape);
        let planned = plan(&mut layout).and_then(|()| layout.finish());
        if planned.is_err() {
            live.row.forget_slots(slots);
        }
        let plan = Rc::new(planned?);
        if self.kept >= PLANS_MAX {
            self.plans.clear();
            self.kept = 0;
        }
        let alternatives = self.plans.entry(ask).or_default();
        if alternatives.len() >= ALTERNATIVES_MAX {
            alternatives.remove(0);
            self.kept -= 1;
        }
        alternatives.push(plan.clone());
        self.kept += 1;
        Ok(plan)
    }
}
