//! Pure. InsertHeader: a header with the same value on every record, of the type that its text looks like.

use std::rc::Rc;

use weir_data::{encode_cell, values};
use weir_sdk::prelude::*;

use crate::naming;
use crate::settings;

/// Connect's InsertHeader.
pub struct InsertHeader {
    name: Rc<str>,
    schema: Option<Rc<Schema>>,
    cell: Option<Vec<u8>>,
}

impl Transformation for InsertHeader {
    fn class() -> Class {
        naming::transformation("InsertHeader")
            .doc("Add a header to each record.")
            .key(Key::text("header").importance(Importance::High).doc("The name of the header."))
            .key(
                Key::text("value.literal")
                    .importance(Importance::High)
                    .doc("The literal value that is to be set as the header value on all records."),
            )
    }

    fn configure(config: &Config) -> Result<Self> {
        let name = settings::text(config, "header")?.into();
        let literal = settings::text(config, "value.literal")?;
        let data = match values::parse(literal) {
            _ if literal.is_empty() => Data::text(""),
            Some(parsed) => Data { schema: parsed.schema.map(Rc::new), value: parsed.value },
            None => Data::null(),
        };
        let cell = match &data.value {
            Value::Null => None,
            value => {
                let mut cell = Vec::new();
                encode_cell(data.schema.as_deref(), value, &mut cell)
                    .map_err(|why| settings::invalid("value.literal", literal, &why.to_string()))?;
                Some(cell)
            }
        };
        Ok(InsertHeader { name, schema: data.schema, cell })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::HEADERS, writes: Parts::HEADERS }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        record.add_header_cell(&self.name, self.schema.as_ref(), self.cell.as_deref());
        Ok(Outcome::Keep)
    }
}
