//! Pure. HeaderFrom: moves or copies fields into headers.

use std::marker::PhantomData;
use std::rc::Rc;

use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::naming;
use crate::settings;
use crate::subject::{Half, replace_null_with_default, require_fields};

const OPERATIONS: [&str; 2] = ["move", "copy"];

/// Connect's HeaderFrom.
pub struct HeaderFrom<H> {
    fields: Vec<String>,
    headers: Vec<Rc<str>>,
    moves: bool,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for HeaderFrom<H> {
    fn class() -> Class {
        let apache = "org.apache.kafka.connect.transforms.HeaderFrom";
        naming::transformation(&format!("HeaderFrom${}", H::NAME))
            .doc(&format!(
                "Moves or copies fields in the key/value of a record into that record's headers. Corresponding \
                 elements of <code>fields</code> and <code>headers</code> together identify a field and the header it \
                 should be moved or copied to. Use the concrete transformation type designed for the record key \
                 (<code>{apache}$Key</code>) or value (<code>{apache}$Value</code>)."
            ))
            .key(
                Key::list("fields")
                    .importance(Importance::High)
                    .doc("Field names in the record whose values are to be copied or moved to headers."),
            )
            .key(
                Key::list("headers").importance(Importance::High).doc(
                    "Header names, in the same order as the field names listed in the fields configuration property.",
                ),
            )
            .key(Key::text("operation").one_of(&OPERATIONS).importance(Importance::High).doc(
                "Either <code>move</code> if the fields are to be moved to the headers (removed from the key/value), \
                 or <code>copy</code> if the fields are to be copied to the headers (retained in the key/value).",
            ))
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        let given = ["fields", "headers"].into_iter().filter(|key| config.get(key).is_some());
        given.filter_map(|key| settings::filled_list(config, key).err()).flat_map(settings::problems).collect()
    }

    fn configure(config: &Config) -> Result<Self> {
        let fields = settings::filled_list(config, "fields");
        let headers = settings::filled_list(config, "headers");
        let operation = settings::one_of(config, "operation", &OPERATIONS);
        let (fields, headers, operation) = settings::all3(fields, headers, operation)?;
        if fields.len() != headers.len() {
            let why = "'fields' config must have the same number of elements as 'headers' config.";
            return Err(Error::config("fields", why));
        }
        Ok(HeaderFrom {
            fields,
            headers: headers.iter().map(|header| header.as_str().into()).collect(),
            moves: operation == "move",
            replace_null: settings::replace_null(config)?,
            edits: Edits::default(),
            half: PhantomData,
        })
    }

    fn parts(&self) -> StepParts {
        let writes = if self.moves { H::PART | Parts::HEADERS } else { Parts::HEADERS };
        StepParts { reads: H::PART | Parts::HEADERS, writes }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let HeaderFrom { fields, headers, moves, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                require_fields(layout, if *moves { "header move" } else { "header copy" })?;
                for (field, header) in fields.iter().zip(headers.iter()) {
                    if layout.has_schema() && layout.field(field).is_none() {
                        return Err(Error::data(format!("Field does not exist: {field}")));
                    }
                    layout.add_header(header, field, *replace_null)?;
                }
                if *moves {
                    if *replace_null {
                        layout.default_nulls();
                    }
                    layout.select(|name| (!fields.iter().any(|gone| gone == name)).then(|| name.to_owned()))?;
                }
                Ok(())
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}
