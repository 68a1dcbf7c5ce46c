//! Configurations with variables: looked up when they are checked or something is made out of them, put back before
//! tasks are stored, and hidden in whatever is said (Connect's WorkerConfigTransformer).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Ceilings, Config};
use crate::port::LookupError;
use crate::settings::{ConnectorSettings, Hidden, Values, resolved, variables_of};

use super::builder::{Builder, Failure};
use super::offsets::OffsetChange;
use super::request::HerderError;
use super::validate::Validation;

/// Variables that a configuration may have.
const VARIABLES_MAX: usize = 1_000;

impl From<LookupError> for HerderError {
    fn from(error: LookupError) -> HerderError {
        match error {
            LookupError::Denied(why) => HerderError::Invalid(why),
            LookupError::Unreadable(why) => HerderError::Failed(why),
        }
    }
}

/// A connector's configuration, and that of one of its tasks, with their variables looked up.
pub(super) struct LookedUp {
    pub settings: Arc<ConnectorSettings>,
    pub task: Config,
    pub values: Values,
}

impl Builder {
    /// What the variables of configurations stand for.
    async fn values(&self, configs: &[&Config], ceilings: &Ceilings) -> Result<Values, LookupError> {
        let known = |config: &&Config| variables_of(config, |provider| self.providers.is_known(provider));
        let wanted: BTreeSet<_> = configs.iter().flat_map(known).collect();
        if wanted.is_empty() {
            return Ok(Values::new());
        }
        if wanted.len() > VARIABLES_MAX {
            let message = format!("The configuration has {} variables; it may have {VARIABLES_MAX}", wanted.len());
            return Err(LookupError::Denied(message));
        }
        let values = self.providers.values(wanted, ceilings).await?;
        self.secrets.add(&values);
        Ok(values)
    }

    /// Looks the variables of a connector's configuration up, and of one of its tasks, and reads its settings.
    pub(super) async fn looked_up(
        &self,
        connector: &Config,
        task: Config,
        ceilings: &Ceilings,
    ) -> Result<LookedUp, Failure> {
        let values = self.values(&[connector, &task], ceilings).await.map_err(Failure::Lookup)?;
        let settings = ConnectorSettings::parse(&resolved(connector, &values)).map_err(Failure::Config)?;
        Ok(LookedUp { settings: Arc::new(settings), task: resolved(&task, &values), values })
    }

    /// Checks a configuration. `nulls` are the keys that were given without a value. The error says that there is no
    /// such connector class, or that a variable cannot be looked up.
    pub async fn check(
        &self,
        config: &Config,
        nulls: &[String],
        ceilings: &Ceilings,
    ) -> Result<Validation, HerderError> {
        let values = self.values(&[config], ceilings).await?;
        if values.is_empty() {
            return self.check_looked_up(config, nulls, ceilings).await;
        }
        let (plain, hidden) = (resolved(config, &values), Hidden::new(&values));
        let checked = self.check_looked_up(&plain, nulls, ceilings).await;
        let mut validation = checked.map_err(|error| error.map(|text| hidden.hide(text)))?;
        validation.show(config, &plain, |text| hidden.hide(text));
        Ok(validation)
    }

    /// What may be looked into for a connector that there is: that was seen when it was made, which may have been on the
    /// command line.
    pub(super) fn looked_up_before(&self) -> Ceilings {
        Ceilings { any_path: true, ..self.settings.ceilings.clone() }
    }

    /// The offsets of a connector: partitions and offsets as JSON text of one object each.
    pub async fn offsets(&self, connector: &Config) -> Result<Vec<(String, String)>, HerderError> {
        let found = self.looked_up(connector, Config::new(), &self.looked_up_before()).await.map_err(failed)?;
        let (offsets, hidden) = (self.stored_offsets(&found.settings).await, Hidden::new(&found.values));
        offsets.map_err(|error| error.map(|text| hidden.hide(text)))
    }

    /// Alters or resets the offsets of a connector of which nothing runs. Its class is asked first, and may object.
    pub async fn change_offsets(
        &self,
        connector: &Config,
        ceilings: &Ceilings,
        change: OffsetChange,
    ) -> Result<String, HerderError> {
        let found = self.looked_up(connector, Config::new(), ceilings).await.map_err(failed)?;
        let changed = self.change_stored_offsets(&found.settings, ceilings, change).await;
        let hidden = Hidden::new(&found.values);
        changed.map_err(|error| error.map(|text| hidden.hide(text)))
    }
}

fn failed(failure: Failure) -> HerderError {
    match failure {
        Failure::Lookup(error) => error.into(),
        failure => HerderError::Failed(failure.to_string()),
    }
}
