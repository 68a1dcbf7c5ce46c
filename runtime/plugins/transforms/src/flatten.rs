//! Pure. Flatten: makes fields of nested structs or maps top-level ones.

use std::marker::PhantomData;

use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::settings;
use crate::subject::{self, Half, require_fields};

/// Connect's Flatten.
pub struct Flatten<H> {
    delimiter: String,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for Flatten<H> {
    fn class() -> Class {
        let doc = "Flatten a nested data structure, generating names for each field by concatenating the field names at \
                   each level with a configurable delimiter character. Applies to Struct when schema present, or a Map \
                   in the case of schemaless data. Array fields and their contents are not modified. The default \
                   delimiter is '.'.";
        subject::class::<H>("Flatten", doc).key(Key::text("delimiter").default(".").doc(
            "Delimiter to insert between field names from the input record when generating field names for the output \
             record",
        ))
    }

    fn configure(config: &Config) -> Result<Self> {
        let delimiter = settings::text(config, "delimiter")?.to_owned();
        Ok(Flatten { delimiter, edits: Edits::default(), half: PhantomData })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        if record.is_null(H::SIDE) {
            return Ok(Outcome::Keep);
        }
        self.edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                require_fields(layout, "flattening")?;
                layout.flatten(&self.delimiter)
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}
