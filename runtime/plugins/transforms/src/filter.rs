//! Pure. Filter: drops every record; of use with a predicate.

use weir_sdk::prelude::*;

use crate::naming;

/// Connect's Filter.
pub struct Filter;

impl Transformation for Filter {
    fn class() -> Class {
        naming::transformation("Filter").doc(
            "Drops all records, filtering them from subsequent transformations in the chain. This is intended to be \
             used conditionally to filter out records matching (or not matching) a particular Predicate.",
        )
    }

    fn configure(_: &Config) -> Result<Self> {
        Ok(Filter)
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::empty(), writes: Parts::empty() }
    }

    fn apply(&mut self, _: &mut Record) -> Result<Outcome> {
        Ok(Outcome::Drop)
    }
}
