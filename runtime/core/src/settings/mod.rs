//! Typed settings, parsed once, with every problem at once.

mod connector;
mod definition;
mod distributed;
pub mod framework;
mod limits;
mod properties;
mod providers;
mod reader;
mod rest;
mod variables;
mod without_effect;
mod worker;

pub use connector::{ALIASES_MAX, ConnectorSettings, ConverterSettings, StepSettings, asks_for_tolerance};
pub use definition::{Checked, check, check_null, entries};
pub use distributed::{DistributedSettings, InternalTopic, MAC_ALGORITHMS};
pub use limits::MEMORY_BYTES_LEAST;
pub use properties::parse_properties;
pub use providers::{ProviderKind, ProviderSettings, providers};
pub use reader::{Reader, below};
pub use rest::{AdminListeners, CrossOrigin, HeaderRule, HeaderValueRule, Listener, RestSettings, Scheme};
pub use variables::{Hidden, Values, Variable, put_back, resolved, variables_of};
pub use without_effect::without_effect;
pub use worker::{Bootstrap, PLUGIN_BYTES_MAX, WorkerSettings};
