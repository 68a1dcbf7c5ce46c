//! Connector instances.

use std::time::Duration;

use async_trait::async_trait;
use weir_core::model::{Config, Fault, Problem, Support};
use weir_core::port::{Instance, SupportOf};

use crate::bindings::exports::weir::connect::{sink_connector, source_connector};
use crate::bindings::weir::connect::connectors::{self, AlteredOffset};
use crate::call::{lie, problem};
use crate::instance::{Live, call, lower_config};

pub(crate) struct SourceConnector(pub Live<source_connector::Guest>);
pub(crate) struct SinkConnector(pub Live<sink_connector::Guest>);

fn lift_configs(configs: Vec<Vec<(String, String)>>, max_tasks: u32) -> Result<Vec<Config>, Fault> {
    // More than asked for is not a lie: whether it is an error depends on tasks.max.enforce. More than anybody runs is.
    if configs.len() > (max_tasks as usize).saturating_mul(16).max(1_000) {
        return Err(lie("task-configs", format!("{} configurations for {max_tasks} tasks", configs.len())));
    }
    Ok(configs.into_iter().map(|config| config.into_iter().collect()).collect())
}

macro_rules! connector {
    ($name:ident $(, $more:item)?) => {
        #[async_trait]
        impl Instance for $name {
            async fn validate(&mut self) -> Result<Vec<Problem>, Fault> {
                let (class, config) = (self.0.class.clone(), self.0.config.clone());
                let (config, exports, deadline) = (lower_config(&config), &self.0.exports, self.0.other());
                let problems = self
                    .0
                    .guest
                    .call("validate", deadline, |mut store| async move {
                        let problems = exports.call_validate(&mut store, &class, &config).await;
                        (store, problems)
                    })
                    .await?;
                Ok(problems.into_iter().map(problem).collect())
            }

            async fn start(&mut self) -> Result<(), Fault> {
                let (class, config) = (self.0.class.clone(), self.0.config.clone());
                let config = lower_config(&config);
                call!(self.0, "start", self.0.start(), call_start(&class, &config))
            }

            async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>, Fault> {
                let configs = call!(self.0, "task-configs", self.0.other(), call_task_configs(max_tasks))?;
                lift_configs(configs, max_tasks)
            }

            async fn alter_offsets(&mut self, offsets: &[(String, Option<String>)]) -> Result<bool, Fault> {
                let (class, config) = (self.0.class.clone(), self.0.config.clone());
                let config = lower_config(&config);
                let offsets =
                    offsets.iter().map(|(partition, offset)| AlteredOffset { partition, offset: offset.as_deref() });
                let offsets: Vec<AlteredOffset<'_>> = offsets.collect();
                call!(self.0, "alter-offsets", self.0.other(), call_alter_offsets(&class, &config, &offsets))
            }

            $($more)?

            async fn watch(&mut self, max_wait: Duration) -> Result<bool, Fault> {
                let millis = max_wait.as_millis() as u64;
                call!(self.0, "watch", self.0.waiting(max_wait), call_watch(millis))
            }

            async fn stop(&mut self) -> Result<(), Fault> {
                call!(self.0, "stop", self.0.other(), call_stop())
            }
        }
    };
}

connector!(
    SourceConnector,
    async fn supports(&mut self, of: SupportOf) -> Result<Support, Fault> {
        let (class, config) = (self.0.class.clone(), self.0.config.clone());
        let (config, exports, deadline) = (lower_config(&config), &self.0.exports, self.0.other());
        let answer = self.0.guest.call(of.call(), deadline, |mut store| async move {
            let answer = match of {
                SupportOf::Delivery => exports.call_exactly_once_support(&mut store, &class, &config).await,
                SupportOf::Boundaries => exports.call_can_define_boundaries(&mut store, &class, &config).await,
            };
            (store, answer)
        });
        Ok(match answer.await? {
            connectors::Support::Unknown => Support::Unknown,
            connectors::Support::Supported => Support::Supported,
            connectors::Support::Unsupported => Support::Unsupported,
        })
    }
);
connector!(SinkConnector);
