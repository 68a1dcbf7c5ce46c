//! Typed settings, parsed once, with every problem at once.

mod checks;
mod client_keys;
mod connector;
mod definition;
mod delivery;
mod distributed;
mod errors;
pub mod framework;
mod limits;
mod metrics;
mod overrides;
mod properties;
mod providers;
mod reader;
mod rest;
mod topic_creation;
mod variables;
mod without_effect;
mod worker;

pub use client_keys::{client_key, client_key_names};
pub use connector::{ALIASES_MAX, ConnectorSettings, ConverterSettings, GuardSettings, StepSettings, own_config};
pub use definition::{Checked, check, check_null, entries};
pub use delivery::{DeliverySettings, ExactlyOnceSupport, TransactionBoundary};
pub use distributed::{DistributedSettings, InternalTopic, MAC_ALGORITHMS};
pub use errors::{DEAD_LETTER_TOPIC, DeadLetterSettings, ErrorSettings, RetrySettings, Tolerance};
pub use limits::{MEMORY_BYTES_LEAST, of_connector as limits_of_connector};
pub use metrics::{MetricsSettings, Naming};
pub use overrides::OverridePolicy;
pub use properties::parse_properties;
pub use providers::{ProviderKind, ProviderSettings, providers};
pub use reader::{Reader, below};
pub use rest::{AdminListeners, CrossOrigin, HeaderRule, HeaderValueRule, Listener, RestSettings, Scheme};
pub use topic_creation::{TopicGroup, check_topic_groups, topic_groups};
pub use variables::{Hidden, Values, Variable, put_back, resolved, variables_of};
pub use without_effect::without_effect;
pub use worker::{Bootstrap, PLUGIN_BYTES_MAX, WorkerSettings};
