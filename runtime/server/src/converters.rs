//! Converters by class name, for core.

use weir_core::model::{Config, ConverterRole, Problem};
use weir_core::port::{Converter, ConverterFactory};

/// The converters of weir-convert.
pub struct StockConverters;

impl ConverterFactory for StockConverters {
    fn converter(
        &self,
        class: &str,
        settings: &Config,
        role: ConverterRole,
    ) -> Result<Box<dyn Converter>, Vec<Problem>> {
        let role = match role {
            ConverterRole::Key => weir_convert::Role::Key,
            ConverterRole::Value => weir_convert::Role::Value,
            ConverterRole::Header => weir_convert::Role::Header,
        };
        weir_convert::converter(class, settings, role)
    }
}
