//! What plugins are asked about a configuration, each in an instance of its own on the data runtime.

use std::future::Future;

use crate::model::{Ceilings, Config, Fault, Problem, Recommendation};
use crate::plugin::{Found, grants};

use super::builder::{Builder, Failure, connector_kind, granted};

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
        let own = |(key, value): (&String, &String)| Some((key.strip_prefix(&self.prefix)?.to_owned(), value.clone()));
        config.iter().filter_map(own).collect()
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
        asked: Vec<Asked>,
        config: &Config,
        ceilings: &Ceilings,
    ) -> Result<Vec<(String, Recommendation)>, Failure> {
        let (name, mut all) = (name(config), Vec::new());
        for one in asked {
            let own = one.own_config(config);
            let opened = if one.is_step() { None } else { grants(&one.found.class, &own, ceilings).ok() };
            let context = self.context(name.to_owned(), &one.found, own, opened.unwrap_or_default(), name);
            let Asked { found: Found { component, class, .. }, prefix } = one;
            let failed = guest_failed(class.name, "recommend");
            let answered = self.on_data(async move { component.recommend(context).await.map_err(failed) }).await?;
            all.extend(answered.into_iter().map(|recommendation| (prefix.clone(), recommendation)));
        }
        Ok(all)
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
