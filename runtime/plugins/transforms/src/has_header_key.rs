//! Pure. HasHeaderKey: whether a record has a header of a name.

use weir_sdk::prelude::*;

use crate::naming;
use crate::settings;

/// Connect's HasHeaderKey.
pub struct HasHeaderKey {
    name: String,
}

impl Predicate for HasHeaderKey {
    fn class() -> Class {
        naming::predicate("HasHeaderKey")
            .doc("A predicate which is true for records with at least one header with the configured name.")
            .key(Key::text("name").non_empty().doc("The header name."))
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(HasHeaderKey { name: settings::non_empty(config, "name")?.to_owned() })
    }

    fn reads(&self) -> Parts {
        Parts::HEADERS
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.has_header(&self.name))
    }
}
