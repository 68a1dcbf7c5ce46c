//! Converters by class name, for core.

use weir_convert::Http;
use weir_core::model::{Config, ConfigKey, ConverterRole, Problem};
use weir_core::port::{Converter, ConverterFactory};

/// The converters of weir-convert.
pub struct StockConverters {
    http: Http,
}

impl StockConverters {
    /// Converters that ask schema registries over `http`.
    pub fn new(http: Http) -> StockConverters {
        StockConverters { http }
    }
}

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
        weir_convert::converter(class, settings, role, &self.http)
    }

    fn classes(&self, role: ConverterRole) -> Vec<String> {
        let fits = |class: &&weir_convert::ConverterClass| match role {
            ConverterRole::Key | ConverterRole::Value => class.converts_records,
            ConverterRole::Header => class.converts_headers,
        };
        weir_convert::CLASSES.iter().filter(fits).map(|class| class.name.to_owned()).collect()
    }

    fn version(&self) -> &str {
        crate::CONNECT_VERSION
    }

    fn definition(&self, class: &str) -> Option<Vec<ConfigKey>> {
        weir_convert::ConverterClass::find(class).map(weir_convert::ConverterClass::definition)
    }
}

/// The converters as they are listed: type and class.
pub fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    weir_convert::CLASSES.iter().flat_map(|class| {
        let records = class.converts_records.then_some(("converter", class.name));
        let headers = class.converts_headers.then_some(("header_converter", class.name));
        records.into_iter().chain(headers)
    })
}
