//! Configurations with variables: looked up when they are checked or something is made out of them, put back before
//! tasks are stored, and hidden in whatever is said (Connect's WorkerConfigTransformer).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Ceilings, Config};
use crate::port::LookupError;
use crate::settings::{ConnectorSettings, Values, resolved, variables_of};

use super::builder::{Builder, Failure};
use super::offsets::OffsetChange;
use super::request::HerderError;
use super::validate::Validation;

impl From<LookupError> for HerderError {
    fn from(error: LookupError) -> HerderError {
        match error {
            LookupError::Denied(why) => HerderError::Invalid(why),
            LookupError::Unreadable(why) => HerderError::Failed(why),
        }
    }
}

impl Builder {
    /// What the variables of configurations stand for.
    async fn values(&self, configs: &[&Config], ceilings: &Ceilings) -> Result<Values, LookupError> {
        let known = |config: &&Config| variables_of(config, |provider| self.providers.is_known(provider));
        let wanted: BTreeSet<_> = configs.iter().flat_map(known).collect();
        if wanted.is_empty() {
            return Ok(Values::new());
        }
        let values = self.providers.values(wanted, ceilings).await?;
        self.secrets.add(&values);
        Ok(values)
    }

    /// A connector's settings, and the configuration of one of its tasks, with their variables looked up.
    pub(super) async fn looked_up(
        &self,
        settings: &Arc<ConnectorSettings>,
        task: Config,
        ceilings: &Ceilings,
    ) -> Result<(Arc<ConnectorSettings>, Config, Values), Failure> {
        let values = self.values(&[&settings.config, &task], ceilings).await.map_err(Failure::Lookup)?;
        if values.is_empty() {
            return Ok((settings.clone(), task, values));
        }
        let settings = ConnectorSettings::parse(&resolved(&settings.config, &values)).map_err(Failure::Config)?;
        Ok((Arc::new(settings), resolved(&task, &values), values))
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
        let plain = resolved(config, &values);
        let hidden = |error: HerderError| error.map(|text| self.secrets.hide(text));
        let mut validation = self.check_looked_up(&plain, nulls, ceilings).await.map_err(hidden)?;
        validation.show(config, &plain, |text| self.secrets.hide(text));
        Ok(validation)
    }

    /// The offsets of a connector: partitions and offsets as JSON text of one object each.
    pub async fn offsets(&self, settings: &Arc<ConnectorSettings>) -> Result<Vec<(String, String)>, HerderError> {
        let (settings, ..) = self.looked_up(settings, Config::new(), &self.settings.ceilings).await.map_err(failed)?;
        let found = self.stored_offsets(&settings).await;
        found.map_err(|error| error.map(|text| self.secrets.hide(text)))
    }

    /// Alters or resets the offsets of a connector of which nothing runs. Its class is asked first, and may object.
    pub async fn change_offsets(
        &self,
        settings: &Arc<ConnectorSettings>,
        ceilings: &Ceilings,
        change: OffsetChange,
    ) -> Result<String, HerderError> {
        let (settings, ..) = self.looked_up(settings, Config::new(), ceilings).await.map_err(failed)?;
        let changed = self.change_stored_offsets(&settings, ceilings, change).await;
        changed.map_err(|error| error.map(|text| self.secrets.hide(text)))
    }
}

fn failed(failure: Failure) -> HerderError {
    match failure {
        Failure::Lookup(error) => error.into(),
        failure => HerderError::Failed(failure.to_string()),
    }
}
