//! Pure. DropHeaders: takes headers away by their names.

use weir_sdk::prelude::*;

use crate::naming;
use crate::settings::{self, Empty, names};

/// Connect's DropHeaders.
pub struct DropHeaders {
    headers: Vec<String>,
}

impl Transformation for DropHeaders {
    fn class() -> Class {
        naming::transformation("DropHeaders")
            .doc("Removes one or more headers from each record.")
            .key(Key::list("headers").importance(Importance::High).doc("The name of the headers to be removed."))
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        settings::wrong_names(config, "headers")
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(DropHeaders { headers: names(config, "headers", Empty::Refused)? })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::HEADERS, writes: Parts::HEADERS }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        record.remove_headers(|name| self.headers.iter().any(|gone| gone == name));
        Ok(Outcome::Keep)
    }
}
