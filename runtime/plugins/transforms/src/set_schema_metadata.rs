//! Pure. SetSchemaMetadata: another name or version for the schema of a key or value.

use std::marker::PhantomData;

use weir_data::Type;
use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::naming;
use crate::settings::{self, invalid};
use crate::subject::{Half, replace_null_with_default};

/// Connect's SetSchemaMetadata.
pub struct SetSchemaMetadata<H> {
    name: Option<String>,
    version: Option<i32>,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for SetSchemaMetadata<H> {
    fn class() -> Class {
        let apache = "org.apache.kafka.connect.transforms.SetSchemaMetadata";
        naming::transformation(&format!("SetSchemaMetadata${}", H::NAME))
            .doc(&format!(
                "Set the schema name, version or both on the record's key (<code>{apache}$Key</code>) or value \
                 (<code>{apache}$Value</code>) schema."
            ))
            .key(Key::text("schema.name").optional().importance(Importance::High).doc("Schema name to set."))
            .key(Key::int("schema.version").optional().importance(Importance::High).doc("Schema version to set."))
            .key(replace_null_with_default())
    }

    fn configure(config: &Config) -> Result<Self> {
        const VERSION: &str = "schema.version";
        let name = config.get("schema.name").map(|name| name.trim().to_owned());
        let version = config.get(VERSION).map(str::trim);
        let version =
            version.map(|text| text.parse::<i32>().map_err(|_| invalid(VERSION, text, "Not a number of type INT")));
        let version = version.transpose()?;
        if name.is_none() && version.is_none() {
            return Err(Error::config("schema.name", "Neither schema name nor version configured"));
        }
        let replace_null = settings::replace_null(config)?;
        Ok(SetSchemaMetadata { name, version, replace_null, edits: Edits::default(), half: PhantomData })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let SetSchemaMetadata { name, version, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                let Some(schema) = layout.schema() else {
                    let nothing = layout.is_null();
                    let why = "Schema required for [updating schema metadata]";
                    return if nothing { Ok(()) } else { Err(Error::data(why)) };
                };
                if !matches!(schema.root().kind, Type::Struct(_)) {
                    return Err(Error::data("Cannot list fields on non-struct type"));
                }
                if *replace_null {
                    layout.default_nulls();
                }
                layout.name_schema(name.as_deref(), *version)
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}
