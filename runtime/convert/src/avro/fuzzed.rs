//! What fuzz targets and properties run of Avro.

use super::names::DataSettings;
use super::schema::AvroSchema;
use super::to_connect::Readable;
use super::write_plan::WritePlan;
use super::{from_connect, print, read, to_connect, write};

/// Both ways of one schema.
pub(crate) struct Plans {
    readable: Readable,
    plan: Result<WritePlan, String>,
}

impl Plans {
    pub(crate) fn schema(&self) -> &weir_data::Schema {
        &self.readable.schema
    }

    pub(crate) fn read(&self, record: &[u8], most: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        self.readable.cell(record, most, out)
    }

    pub(crate) fn write(&self, cell: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        self.plan.as_ref().map_err(String::clone)?.cell(cell, most, out)
    }
}

/// The plans of a schema by its text.
pub(crate) fn plans(text: &str) -> Result<Plans, String> {
    let settings = DataSettings::default();
    let avro = AvroSchema::parse(text, &[])?;
    let readable = to_connect::readable(&avro, &settings, None)?;
    let plan = WritePlan::new(&readable.schema, &avro, &settings);
    Ok(Plans { readable, plan })
}

/// Reads a schema, makes Connect's of it and Avro's of that, which is read again: from then on it stays what it is.
pub(crate) fn schema(text: &str) -> Result<(), String> {
    let avro = AvroSchema::parse(text, &[])?;
    let printed = print::text(&avro);
    // Names of the wrong kind print as nothing else would be read; what is read prints the same again.
    if let Ok(again) = AvroSchema::parse(&printed, &[]) {
        assert_eq!(print::text(&again), printed);
    }
    for enhanced in [false, true] {
        let settings = DataSettings { enhanced, ..DataSettings::default() };
        let readable = to_connect::readable(&avro, &settings, Some(3))?;
        let made = from_connect::avro(&readable.schema, &settings)?;
        let text = print::text(&made);
        if let Ok(again) = AvroSchema::parse(&text, &[]) {
            let _ = WritePlan::new(&readable.schema, &again, &settings);
        }
    }
    Ok(())
}

/// Reads a value without schema.
pub(crate) fn anything(record: &[u8], out: &mut Vec<u8>) -> Result<bool, String> {
    read::anything(record, 1 << 20, out)
}

/// Writes a value without schema.
pub(crate) fn write_anything(cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    write::anything(cell, 16 << 20, out)
}

/// The format with its defaults.
pub(crate) fn format() -> super::Avro {
    super::Avro(DataSettings::default())
}
