//! Converters by class name, for core.

use weir_convert::Http;
use weir_core::model::{Config, ConfigKey, ConverterRole, Problem};
use weir_core::port::{Converter, ConverterFactory};
use weir_core::settings::ConverterSettings;

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
        classes(role)
    }

    fn version(&self) -> &str {
        crate::CONNECT_VERSION
    }

    fn definition(&self, class: &str) -> Option<Vec<ConfigKey>> {
        weir_convert::ConverterClass::find(class).map(weir_convert::ConverterClass::definition)
    }
}

/// The classes that fit a role.
pub fn classes(role: ConverterRole) -> Vec<String> {
    let fits = |class: &&weir_convert::ConverterClass| match role {
        ConverterRole::Key | ConverterRole::Value => class.converts_records,
        ConverterRole::Header => class.converts_headers,
    };
    weir_convert::CLASSES.iter().filter(fits).map(|class| class.name.to_owned()).collect()
}

/// What is wrong with the classes of a worker's converters, for keys, values and headers (Connect's WorkerConfig reads them as
/// classes).
pub fn unknown(converters: &[ConverterSettings; 3]) -> Vec<Problem> {
    let roles = [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header].into_iter();
    let wrong = roles.zip(converters).filter_map(|(role, ConverterSettings { class, .. })| {
        let (key, known) = (role.property(), classes(role));
        let why = match weir_convert::ConverterClass::find(class) {
            Some(found) if known.iter().any(|name| name == found.name) => return None,
            Some(_) => format!("{class} does not convert that"),
            None => format!("Class {class} could not be found"),
        };
        let message = format!("Invalid value {class} for configuration {key}: {why}. Known are {}", known.join(", "));
        Some(Problem { key: key.into(), message })
    });
    wrong.collect()
}

/// The converters as they are listed: type and class.
pub fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    weir_convert::CLASSES.iter().flat_map(|class| {
        let records = class.converts_records.then_some(("converter", class.name));
        let headers = class.converts_headers.then_some(("header_converter", class.name));
        records.into_iter().chain(headers)
    })
}
