//! Pure. HoistField: wraps a key or value as the only field of a struct or map.

use std::marker::PhantomData;

use weir_data::Type;
use weir_data::logical::type_name;
use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::settings;
use crate::subject::{self, Half};

/// Connect's HoistField.
pub struct HoistField<H> {
    field: String,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for HoistField<H> {
    fn class() -> Class {
        let doc = "Wrap data using the specified field name in a Struct when schema present, or a Map in the case of \
                   schemaless data.";
        subject::class::<H>("HoistField", doc).key(
            Key::text("field")
                .doc("Field name for the single field that will be created in the resulting Struct or Map."),
        )
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(HoistField {
            field: settings::text(config, "field")?.to_owned(),
            edits: Edits::default(),
            half: PhantomData,
        })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let null = record.is_null(H::SIDE);
        self.edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                layout.wrap(&self.field)?;
                if let Some(root) = layout.schema().map(|schema| schema.root())
                    && null
                    && !root.optional
                {
                    return Err(null_for_required(&self.field, &root.kind));
                }
                Ok(())
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}

/// What Connect says of null where a field must have a value.
pub fn null_for_required(field: &str, kind: &Type) -> Error {
    let kind = type_name(kind);
    Error::data(format!("Invalid value: null used for required field: \"{field}\", schema type: {kind}"))
}
