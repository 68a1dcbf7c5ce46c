//! The classes of a component, and the component that the contract sees.

use std::marker::PhantomData;

use crate::bindings::plugin::exports::weir::connect::plugin as wit;
use crate::class::Class;
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::glue::{SinkMethods, SourceMethods};
use crate::sink::SinkConnector;
use crate::source::SourceConnector;
use crate::transformation::{Predicate, Transformation};

/// What [`crate::export!`] makes of the lists it is given.
pub trait Plugin: 'static {
    /// The classes.
    fn classes() -> Classes;
}

/// The component of a plugin.
pub struct Component<P>(PhantomData<P>);

pub(crate) struct TransformationMethods {
    pub class: fn() -> Class,
    pub validate: fn(&Config) -> Vec<Problem>,
    pub configure: fn(&Config) -> Result<Box<dyn Transformation>>,
}

pub(crate) struct PredicateMethods {
    pub class: fn() -> Class,
    pub configure: fn(&Config) -> Result<Box<dyn Predicate>>,
}

/// The classes of a component.
#[derive(Default)]
pub struct Classes {
    pub(crate) sources: Vec<SourceMethods>,
    pub(crate) sinks: Vec<SinkMethods>,
    pub(crate) transformations: Vec<TransformationMethods>,
    pub(crate) predicates: Vec<PredicateMethods>,
}

impl Classes {
    /// Adds a source.
    pub fn source<C: SourceConnector>(&mut self) {
        self.sources.push(SourceMethods::of::<C>());
    }

    /// Adds a sink.
    pub fn sink<C: SinkConnector>(&mut self) {
        self.sinks.push(SinkMethods::of::<C>());
    }

    /// Adds a transformation.
    pub fn transformation<T: Transformation>(&mut self) {
        self.transformations.push(TransformationMethods {
            class: T::class,
            validate: T::validate,
            configure: |config| Ok(Box::new(T::configure(config)?)),
        });
    }

    /// Adds a predicate.
    pub fn predicate<T: Predicate>(&mut self) {
        self.predicates
            .push(PredicateMethods { class: T::class, configure: |config| Ok(Box::new(T::configure(config)?)) });
    }

    /// The class of a name or an alias.
    pub(crate) fn find(&self, name: &str) -> Option<Class> {
        let sources = self.sources.iter().map(|m| m.class);
        let sinks = self.sinks.iter().map(|m| m.class);
        let transformations = self.transformations.iter().map(|m| m.class);
        let predicates = self.predicates.iter().map(|m| m.class);
        let all = sources.chain(sinks).chain(transformations).chain(predicates);
        all.map(|class| class()).find(|class| class.answers_to(name))
    }

    pub(crate) fn describe(&self) -> Vec<wit::Class> {
        let sources = self.sources.iter().map(|m| (m.class)().into_wit(wit::ClassKind::Source));
        let sinks = self.sinks.iter().map(|m| (m.class)().into_wit(wit::ClassKind::Sink));
        let transformations = self.transformations.iter().map(|m| (m.class)().into_wit(wit::ClassKind::Transformation));
        let predicates = self.predicates.iter().map(|m| (m.class)().into_wit(wit::ClassKind::Predicate));
        sources.chain(sinks).chain(transformations).chain(predicates).collect()
    }
}
