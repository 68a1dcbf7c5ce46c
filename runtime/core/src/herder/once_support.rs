//! Whether what a source's configuration wants of exactly-once delivery can be had: the worker's part, and what the
//! connector says (DistributedHerder.validateSourceConnectorExactlyOnceSupport and ...TransactionBoundary).

use crate::model::{Ceilings, Config, Problem, Support};
use crate::plugin::Found;
use crate::port::SupportOf;
use crate::settings::{DeliverySettings, ExactlyOnceSupport, Reader, TransactionBoundary};

use super::asked::guest_failed;
use super::builder::{Builder, Failure, connector_kind, granted};
use super::validate::Validation;

const SUPPORT: &str = "exactly.once.support";
const BOUNDARY: &str = "transaction.boundary";

/// What is said of the answer to whether a connector can deliver exactly once.
fn of_delivery(answer: Result<Support, String>) -> Option<String> {
    match answer {
        Ok(Support::Supported) => None,
        Ok(Support::Unsupported) => {
            Some("The connector does not support exactly-once semantics with the provided configuration.".into())
        }
        Ok(Support::Unknown) => Some(
            "The connector does not implement the API required for preflight validation of exactly-once source support. \
             Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and \
             then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable \
             this preflight check and allow the connector to be created)."
                .into(),
        ),
        Err(why) => Some(format!("An unexpected error occurred during validation: {why}")),
    }
}

/// What is said of the answer to whether a connector's tasks can say where transactions end.
fn of_boundaries(answer: Result<Support, String>) -> Option<String> {
    match answer {
        Ok(Support::Supported) => None,
        Ok(Support::Unsupported | Support::Unknown) => Some(
            "The connector does not support connector-defined transaction boundaries with the given configuration. Please \
             reconfigure it to use a different transaction boundary definition."
                .into(),
        ),
        Err(why) => Some(format!("An unexpected error occurred during validation: {why}")),
    }
}

impl Builder {
    /// Adds what keeps a source of a worker in a group from what its configuration wants of exactly-once delivery.
    pub(super) async fn check_once(
        &self,
        found: &Found,
        config: &Config,
        ceilings: &Ceilings,
        validation: &mut Validation,
    ) {
        let Some(group) = &self.settings.distributed else { return };
        let wanted = DeliverySettings::read(&mut Reader::new(config));
        if let Err(problem) = self.check_offsets_topic(wanted.offsets_topic.as_deref()) {
            validation.add(problem);
        }
        if wanted.required {
            if group.exactly_once != ExactlyOnceSupport::Enabled {
                let said = "This worker does not have exactly-once source support enabled.";
                validation.entry(SUPPORT).checked.errors.push(said.into());
            }
            let answer = self.supports(SupportOf::Delivery, found, config, ceilings).await;
            validation.entry(SUPPORT).checked.errors.extend(of_delivery(answer));
        }
        if wanted.boundary == TransactionBoundary::Connector {
            let answer = self.supports(SupportOf::Boundaries, found, config, ceilings).await;
            validation.entry(BOUNDARY).checked.errors.extend(of_boundaries(answer));
        }
    }

    async fn supports(
        &self,
        of: SupportOf,
        found: &Found,
        config: &Config,
        ceilings: &Ceilings,
    ) -> Result<Support, String> {
        let name = config.get("name").map_or("validation", String::as_str);
        let said = |failure: Failure| match failure {
            Failure::Config(problems) => Problem::lines(&problems),
            failure => failure.to_string(),
        };
        let grants = granted(found, config, ceilings).map_err(said)?;
        let context = self.context(name.to_owned(), found, config.clone(), grants, name);
        let (component, kind) = (found.component.clone(), connector_kind(found.class.kind));
        let class = found.class.name.clone();
        let asked = self.on_data(async move {
            let instance = component.connector(kind, context).await;
            let mut instance = instance.map_err(guest_failed(class.clone(), "instantiate"))?;
            instance.supports(of).await.map_err(guest_failed(class, of.call()))
        });
        asked.await.map_err(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_supported_is_refused_with_what_to_do() {
        assert_eq!((of_delivery(Ok(Support::Supported)), of_boundaries(Ok(Support::Supported))), (None, None));
        for answer in [Ok(Support::Unknown), Ok(Support::Unsupported), Err("it trapped".to_owned())] {
            assert!(of_delivery(answer.clone()).is_some() && of_boundaries(answer).is_some());
        }
        let unknown = of_delivery(Ok(Support::Unknown)).unwrap();
        assert!(unknown.contains("to use the value \"requested\""), "{unknown}");
    }
}
