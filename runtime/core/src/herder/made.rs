//! What a task is made of, as metrics show it.

use std::sync::Arc;

use crate::model::{ClassKind, ConverterRole, VersionRange};
use crate::observe::{ErrorCounts, MadeTask, Part, TaskCounts};
use crate::plugin::Found;
use crate::port::Context;
use crate::settings::{ConnectorSettings, GuardSettings, StepSettings};

use super::builder::Builder;

impl Builder {
    /// What a task of a connector is made of.
    pub(super) fn made(
        &self,
        settings: &ConnectorSettings,
        found: &Found,
        counts: TaskCounts,
        errors: Arc<ErrorCounts>,
        context: &Context,
    ) -> MadeTask {
        let roles = [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header];
        let chosen = settings.converters.iter().zip(&self.settings.converters);
        let converters = roles.into_iter().zip(chosen).map(|(role, (own, workers))| Part {
            alias: role.property().to_owned(),
            class: own.as_ref().unwrap_or(workers).class.clone(),
            version: Some(self.converters.version().to_owned()),
        });
        let part = |alias: &str, class: &str, version: Option<&VersionRange>| {
            let plugins = self.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let found = plugins.find_within(class, version).ok();
            let name = found.map_or(class, |found| &found.class.name);
            Part {
                alias: alias.to_owned(),
                class: name.to_owned(),
                version: found.map(|found| found.class.version.clone()),
            }
        };
        let step = |StepSettings { alias, class, version, .. }: &StepSettings| part(alias, class, version.as_ref());
        let guard = |GuardSettings { alias, class, version, .. }: &GuardSettings| part(alias, class, version.as_ref());
        let mut guards: Vec<&GuardSettings> = settings.steps.iter().filter_map(|step| step.guard.as_ref()).collect();
        // One that guards several steps is one.
        guards.sort_by(|one, other| one.alias.cmp(&other.alias));
        guards.dedup_by(|one, other| one.alias == other.alias);
        MadeTask {
            kind: found.class.kind,
            class: found.class.name.clone(),
            version: found.class.version.clone(),
            task_class: found.class.task_class(),
            converters: converters.collect(),
            transforms: settings.steps.iter().map(step).collect(),
            predicates: guards.into_iter().map(guard).collect(),
            exactly_once: found.class.kind == ClassKind::Source && self.preflight().is_some(),
            counts,
            errors,
            meter: context.meter.clone(),
            limits: context.limits.clone(),
        }
    }
}
