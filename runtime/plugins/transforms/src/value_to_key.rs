//! Pure. ValueToKey: a key made of some fields of the value.

use weir_sdk::fields::{Edits, Side};
use weir_sdk::prelude::*;

use crate::naming;
use crate::settings::{self, Empty, names};
use crate::subject::{replace_null_with_default, require_fields};

/// Connect's ValueToKey.
pub struct ValueToKey {
    fields: Vec<String>,
    replace_null: bool,
    edits: Edits,
}

impl Transformation for ValueToKey {
    fn class() -> Class {
        naming::transformation("ValueToKey")
            .doc("Replace the record key with a new key formed from a subset of fields in the record value.")
            .key(
                Key::list("fields")
                    .importance(Importance::High)
                    .doc("Field names on the record value to extract as the record key."),
            )
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        settings::wrong_names(config, "fields")
    }

    fn configure(config: &Config) -> Result<Self> {
        let mut fields: Vec<String> = Vec::new();
        for name in names(config, "fields", Empty::Refused)? {
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
        Ok(ValueToKey { fields, replace_null: settings::replace_null(config)?, edits: Edits::default() })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::VALUE, writes: Parts::KEY }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        record.copy(Side::Value)?;
        let ValueToKey { fields, replace_null, edits } = self;
        edits.apply(
            record,
            Side::Key,
            0,
            |layout| {
                require_fields(layout, "copying fields from value to key")?;
                if let Some(missing) = fields.iter().find(|name| layout.field(name).is_none())
                    && layout.has_schema()
                {
                    return Err(Error::data(format!("Field does not exist: {missing}")));
                }
                if *replace_null {
                    layout.default_nulls();
                }
                layout.pick(fields)
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}
