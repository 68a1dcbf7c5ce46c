//! Typed settings, parsed once, with every problem at once.

mod connector;
mod properties;
mod reader;
mod worker;

pub use connector::{ConnectorSettings, ConverterSettings, StepSettings};
pub use properties::parse_properties;
pub use reader::Reader;
pub use worker::{Bootstrap, WorkerSettings};
