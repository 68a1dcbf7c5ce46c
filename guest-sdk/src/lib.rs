//! Write sources, sinks and transformations for weir.
//!
//! Authors write rows; the SDK keeps the columns in which rows cross the sandbox. A plugin is a library crate with
//! `crate-type = ["cdylib", "rlib"]`, built for `wasm32-wasip2`, that names its classes in one [`export!`]. It also
//! builds natively, so that its classes can be tested like any other code.
//!
//! ```
//! use weir_sdk::prelude::*;
//!
//! /// Puts the topic's name in capitals.
//! struct Shout;
//!
//! impl Transformation for Shout {
//!     fn class() -> Class {
//!         Class::new("example.Shout", "1.0.0").doc("Puts the topic's name in capitals.")
//!     }
//!
//!     fn configure(_: &Config) -> Result<Self> {
//!         Ok(Shout)
//!     }
//!
//!     fn parts(&self) -> StepParts {
//!         StepParts { reads: Parts::TOPIC, writes: Parts::TOPIC }
//!     }
//!
//!     fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
//!         let shouted = record.topic().to_uppercase();
//!         record.set_topic(shouted);
//!         Ok(Outcome::Keep)
//!     }
//! }
//!
//! weir_sdk::export!(transformations: [Shout]);
//!
//! // Natively, as in a test:
//! fn main() {
//!     let mut shout = Shout::configure(&Config::new([])).unwrap();
//!     let mut record = Record::new("quiet", Data::text("value"));
//!     assert_eq!(shout.apply(&mut record), Ok(Outcome::Keep));
//!     assert_eq!(record.topic(), "QUIET");
//! }
//! ```

pub mod bindings;
mod class;
mod classes;
mod config;
mod context;
mod data;
mod error;
pub mod fields;
mod glue;
mod headers;
pub mod log;
mod outgoing;
mod record;
mod schemas;
mod sink;
mod source;
mod tables;
mod transformation;

pub use class::{Access, Class, Endpoint, Importance, Key, Recommended, Recommender, Width};
pub use classes::{Classes, Component, Plugin};
pub use config::Config;
pub use context::{SinkContext, metrics, offsets, reconfigure, report_errant, stopping};
pub use data::{Cell, Data};
pub use error::{Error, Problem, Result};
pub use record::{Header, Outcome, Record};
pub use sink::{Delivery, Position, Retry, SinkBatch, SinkConnector, SinkRecord, SinkTask, TopicPartition};
pub use source::{Acknowledged, SourceBatch, SourceConnector, SourceRecord, SourceRow, SourceTask, Support, Texts};
pub use transformation::{Parts, Predicate, StepParts, Transformation};
pub use weir_data::{Field, Node, Schema, Type, Value};

#[doc(hidden)]
pub use bindings::{
    plugin::export_plugin as __export_plugin, sink::export_sink as __export_sink,
    source::export_source as __export_source, transformation::export_transformation as __export_transformation,
};

/// What an author's file begins with.
pub mod prelude {
    pub use crate::{
        Access, Acknowledged, Cell, Class, Config, Data, Delivery, Endpoint, Error, Importance, Key, Outcome, Parts,
        Position, Predicate, Problem, Recommended, Record, Result, Schema, SinkBatch, SinkConnector, SinkContext,
        SinkTask, SourceBatch, SourceConnector, SourceRecord, SourceTask, StepParts, Support, TopicPartition,
        Transformation, Value,
    };
}

/// Names the classes of a component. Every list may be left out, in this order:
/// `sources`, `sinks`, `transformations`, `predicates`.
#[macro_export]
macro_rules! export {
    ($(sources: [$($source:ty),* $(,)?] $(,)?)?
     $(sinks: [$($sink:ty),* $(,)?] $(,)?)?
     $(transformations: [$($transformation:ty),* $(,)?] $(,)?)?
     $(predicates: [$($predicate:ty),* $(,)?] $(,)?)?) => {
        #[doc(hidden)]
        pub struct __WeirPlugin;

        impl $crate::Plugin for __WeirPlugin {
            fn classes() -> $crate::Classes {
                #[allow(unused_mut)]
                let mut classes = $crate::Classes::default();
                $($(classes.source::<$source>();)*)?
                $($(classes.sink::<$sink>();)*)?
                $($(classes.transformation::<$transformation>();)*)?
                $($(classes.predicate::<$predicate>();)*)?
                classes
            }
        }

        #[cfg(target_arch = "wasm32")]
        type __WeirComponent = $crate::Component<__WeirPlugin>;
        #[cfg(target_arch = "wasm32")]
        $crate::__export_plugin!(__WeirComponent with_types_in $crate::bindings::plugin);
        $crate::__export_if!(source $($($source)*)?);
        $crate::__export_if!(sink $($($sink)*)?);
        $crate::__export_if!(transformation $($($transformation)*)? $($($predicate)*)?);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_if {
    ($world:ident) => {};
    (source $($class:ty)+) => {
        #[cfg(target_arch = "wasm32")]
        $crate::__export_source!(__WeirComponent with_types_in $crate::bindings::source);
    };
    (sink $($class:ty)+) => {
        #[cfg(target_arch = "wasm32")]
        $crate::__export_sink!(__WeirComponent with_types_in $crate::bindings::sink);
    };
    (transformation $($class:ty)+) => {
        #[cfg(target_arch = "wasm32")]
        $crate::__export_transformation!(__WeirComponent with_types_in $crate::bindings::transformation);
    };
}
