//! Where variables of configurations are looked up (Connect's ConfigProvider, KIP-297).

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::Ceilings;
use crate::settings::{Values, Variable};

/// Why variables were not looked up, by what whoever uses them can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// They may not be: say something else, or have the operator allow it.
    #[error("{0}")]
    Denied(String),
    /// They cannot be, now.
    #[error("{0}")]
    Unreadable(String),
}

/// The config providers of a worker.
#[async_trait]
pub trait ConfigProviders: Send + Sync {
    /// Whether a provider of that name is there.
    fn is_known(&self, provider: &str) -> bool;

    /// How long what a provider says holds; none when for ever.
    fn ttl(&self, provider: &str) -> Option<Duration>;

    /// What variables stand for; one that its provider knows nothing of is left out.
    async fn values(&self, wanted: BTreeSet<Variable>, ceilings: &Ceilings) -> Result<Values, LookupError>;
}

/// No provider at all.
pub struct NoConfigProviders;

#[async_trait]
impl ConfigProviders for NoConfigProviders {
    fn is_known(&self, _: &str) -> bool {
        false
    }

    fn ttl(&self, _: &str) -> Option<Duration> {
        None
    }

    async fn values(&self, _: BTreeSet<Variable>, _: &Ceilings) -> Result<Values, LookupError> {
        Ok(Values::new())
    }
}
