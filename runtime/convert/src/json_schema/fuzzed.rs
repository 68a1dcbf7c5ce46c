//! What fuzz targets and properties run of JSON Schema.

use weir_data::Schema;

use super::settings::DataSettings;
use super::{from_connect, to_connect};

/// Connect's schema of a text.
pub(crate) fn schema(text: &str) -> Result<Schema, String> {
    to_connect::schema(text, &[], &DataSettings::default(), None)
}

/// Reads a schema and makes JSON Schema of it, which is read again: from then on it stays what it is.
pub(crate) fn there_and_back(text: &str) -> Result<(), String> {
    let settings = DataSettings::default();
    let made = from_connect::schema(&schema(text)?, &settings)?.to_string();
    let once = schema(&made)?;
    let again = schema(&from_connect::schema(&once, &settings)?.to_string())?;
    assert_eq!(again, once);
    Ok(())
}

/// The format with its defaults.
pub(crate) fn format() -> super::JsonSchema {
    super::JsonSchema(DataSettings::default())
}
