//! What plugins are asked about a configuration, each in an instance of its own on the data runtime.

use std::future::Future;

use crate::model::{Ceilings, Config, Fault, Grants, Problem, Recommendation};
use crate::plugin::{Found, grants};
use crate::port::Step;
use crate::settings::{below, own_config};

use super::builder::{Builder, Failure, connector_kind, granted};
use super::stage::of_request;

/// A class in a configuration, and the prefix under which its keys stand there: none for the connector's own.
pub(super) struct Asked {
    pub found: Found,
    pub prefix: String,
}

impl Asked {
    /// Whether it is a transformation or a predicate, to which a configuration opens nothing.
    fn is_step(&self) -> bool {
        !self.prefix.is_empty()
    }

    fn own_config(&self, config: &Config) -> Config {
        below(config, &self.prefix).map(|(rest, _, value)| (rest.to_owned(), value.clone())).collect()
    }
}

impl Builder {
    /// Asks a connector's own `validate`.
    pub(super) async fn validate(
        &self,
        found: &Found,
        config: &Config,
        ceilings: &Ceilings,
    ) -> Result<Vec<Problem>, Failure> {
        if !found.class.wants.validate {
            return Ok(Vec::new());
        }
        let _stage = of_request("performing multi-property validation for the connector");
        let (name, grants) = (name(config), granted(found, config, ceilings)?);
        let context = self.context(name.to_owned(), found, config.clone(), grants, name);
        let (component, kind) = (found.component.clone(), connector_kind(found.class.kind));
        let class = found.class.name.clone();
        self.on_data(async move {
            let instance = component.connector(kind, context).await;
            let mut instance = instance.map_err(guest_failed(class.clone(), "instantiate"))?;
            instance.validate().await.map_err(guest_failed(class, "validate"))
        })
        .await
    }

    /// Asks classes what they offer for their keys. A configuration that opens nothing, because something is wrong with
    /// it, is asked about all the same. Answers each class's prefix and recommendation.
    pub(super) async fn recommend(
        &self,
        asked: &[Asked],
        config: &Config,
        ceilings: &Ceilings,
    ) -> Vec<(String, Recommendation)> {
        let (name, mut all) = (name(config), Vec::new());
        for one in asked.iter().filter(|one| one.found.class.wants.recommend) {
            let own = one.own_config(config);
            let opened = if one.is_step() { None } else { grants(&one.found.class, &own, ceilings).ok() };
            let context = self.context(name.to_owned(), &one.found, own, opened.unwrap_or_default(), name);
            let Found { component, class, .. } = one.found.clone();
            let failed = guest_failed(class.name, "recommend");
            match self.on_data(async move { component.recommend(context).await.map_err(failed) }).await {
                Ok(answered) => all.extend(answered.into_iter().map(|answer| (one.prefix.clone(), answer))),
                // It is but a hint.
                Err(failure) => tracing::warn!(connector = name, %failure, "no values are recommended"),
            }
        }
        all
    }

    /// Tries steps: asks their own `validate` where they want that, and sets each up in an instance of its own. Answers
    /// what they object to, by the keys' full names. What else goes wrong is left to the task.
    pub(super) async fn try_steps(&self, asked: &[Asked], config: &Config) -> Vec<Problem> {
        let (name, mut all) = (name(config), Vec::new());
        for one in asked.iter().filter(|one| one.is_step()) {
            let own = own_config(one.own_config(config));
            let context = self.context(name.to_owned(), &one.found, own.clone(), Grants::default(), name);
            let Found { component, class, .. } = one.found.clone();
            let tried = self.on_data(async move {
                let failed = |call| guest_failed(class.name.clone(), call);
                let mut instance = component.transformations(context).await.map_err(failed("instantiate"))?;
                if class.wants.validate {
                    let problems = instance.validate(&class.name, &own).await.map_err(failed("validate"))?;
                    if !problems.is_empty() {
                        return Ok(problems);
                    }
                }
                let step = Step { class: class.name.clone(), config: own, guard: None };
                match instance.configure(0, &vec![step]).await {
                    Err(Fault::Config(problems)) => Ok(problems),
                    answer => answer.map(|_| Vec::new()).map_err(failed("configure")),
                }
            });
            match tried.await {
                Ok(problems) => all.extend(
                    problems
                        .into_iter()
                        .map(|Problem { key, message }| Problem { key: format!("{}{key}", one.prefix), message }),
                ),
                Err(failure) => tracing::warn!(connector = name, %failure, "a step could not be tried"),
            }
        }
        all
    }

    /// Asks on the data runtime, apart from everything that must not wait for a guest.
    pub(super) async fn on_data<T: Send + 'static>(
        &self,
        asked: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let asked = self.data.spawn(asked);
        asked.await.unwrap_or_else(|error| Err(Failure::Broker(format!("the call ended early: {error}"))))
    }
}

fn name(config: &Config) -> &str {
    config.get("name").map_or("validation", String::as_str)
}

pub(super) fn guest_failed(class: String, call: &'static str) -> impl FnOnce(Fault) -> Failure {
    move |fault| Failure::Guest { class, call, fault }
}
