//! Pure. Every key that is defined for a configuration: by the worker, by its connector's class, and by those of its steps.

use std::collections::HashSet;

use crate::model::{ClassKind, Config, ConfigKey, ConverterRole, Problem, VersionRange};
use crate::plugin::{Found, Registry};
use crate::settings::{ALIASES_MAX, entries, framework};

use super::asked::Asked;
use super::validate::Validation;

/// Every key that is defined for a configuration, with its value checked.
pub(super) fn definitions(class: &str, found: &Found, config: &Config, plugins: &Registry) -> Validation {
    let mut validation = Validation::new(class);
    let versions = plugins.versions_of(class);
    let mut keys = framework::of(found.class.kind, versions.last().unwrap_or(&found.class.version));
    let (mut unknown, mut unfit, mut offered) = (Vec::new(), Vec::new(), Vec::new());
    for Step { alias, prefix, kind, class, versions, .. } in steps(config, plugins) {
        offered.push((format!("{prefix}type"), plugins.listed(kind)));
        offered.push((format!("{prefix}plugin.version"), versions.clone()));
        let class = class.unwrap_or_else(|wrong| {
            match wrong {
                Wrong::Class(problem) => unknown.push(problem),
                Wrong::Version(said) => unfit.push((prefix.clone(), said)),
            }
            None
        });
        let own = class.map(|found| found.class.config.as_slice()).unwrap_or_default();
        let latest = versions.last().map(String::as_str);
        let (of_step, of_all) = if kind == ClassKind::Predicate {
            (framework::predicate(alias, latest), None)
        } else {
            let [of_type, version, negate, predicate] = framework::transformation(alias, own.len(), latest);
            ([of_type, version], class.map(|_| [negate, predicate]))
        };
        let group = of_step[0].group.clone();
        keys.extend(of_step);
        keys.extend(own_keys(own, &prefix, group.as_ref()));
        keys.extend(of_all.into_iter().flatten());
    }
    keys.extend(framework::beyond_connect(found.class.kind, config));
    keys.extend(found.class.config.iter().cloned());
    keys.into_iter().for_each(|key| validation.push(key, config));
    unknown.into_iter().for_each(|problem| validation.add_unknown_class(problem));
    for (prefix, said) in unfit {
        for key in ["type", "plugin.version"] {
            validation.entry(&format!("{prefix}{key}")).checked.errors.push(said.clone());
        }
    }
    for (key, values) in offered {
        validation.entry(&key).recommended = values;
    }
    validation.entry("connector.plugin.version").recommended = versions;
    validation
}

/// What is shown where a connector's class is not there in a version that is wanted
/// (AbstractHerder.invalidVersionedConnectorValidation).
pub(super) fn without_version(class: &str, said: &str, config: &Config, plugins: &Registry) -> Validation {
    let mut validation = Validation::new(class);
    let versions = plugins.versions_of(class);
    let keys = framework::common(versions.last().map(String::as_str).unwrap_or_default());
    keys.into_iter().for_each(|key| validation.push(key, config));
    for key in ["connector.class", "connector.plugin.version"] {
        validation.entry(key).checked.errors.push(said.to_owned());
    }
    validation.entry("connector.plugin.version").recommended = versions;
    // Which converters are meant is not looked at either.
    for role in [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header] {
        validation.entry(&format!("{}.plugin.version", role.property())).visible = false;
    }
    validation
}

/// The aliases in a list, each once; those beyond what a connector may have are left out.
fn aliases<'a>(config: &'a Config, key: &str) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let listed = config.get(key).into_iter().flat_map(|text| entries(text));
    listed.filter(|alias| !alias.is_empty() && seen.insert(*alias)).take(ALIASES_MAX).collect()
}

/// What keeps a step's class from being had.
enum Wrong {
    /// There is none of this name.
    Class(Problem),
    /// There is none of the versions that are wanted.
    Version(String),
}

/// A transformation or predicate of a configuration.
struct Step<'a> {
    alias: &'a str,
    /// In front of its keys.
    prefix: String,
    kind: ClassKind,
    /// None when the configuration names none.
    class: Result<Option<&'a Found>, Wrong>,
    /// The versions of the class, the latest last.
    versions: Vec<String>,
}

/// The steps of a configuration, transformations first.
fn steps<'a>(config: &'a Config, plugins: &'a Registry) -> Vec<Step<'a>> {
    let listed = [("transforms", ClassKind::Transformation), ("predicates", ClassKind::Predicate)];
    let of = |(list, kind)| {
        aliases(config, list).into_iter().map(move |alias| {
            let prefix = format!("{list}.{alias}.");
            let class = step_class(&prefix, kind, config, plugins);
            let versions = match &class {
                Ok(None) | Err(Wrong::Class(_)) => Vec::new(),
                Ok(Some(found)) => plugins.versions_of(&found.class.name),
                Err(Wrong::Version(_)) => config
                    .get(&format!("{prefix}type"))
                    .map(|name| plugins.versions_of(name.trim()))
                    .unwrap_or_default(),
            };
            Step { alias, prefix, kind, class, versions }
        })
    };
    listed.into_iter().flat_map(of).collect()
}

/// The classes of a configuration, the connector's own first.
pub(super) fn asked(found: &Found, config: &Config, plugins: &Registry) -> Vec<Asked> {
    let steps = steps(config, plugins).into_iter();
    let of_steps = steps.filter_map(|Step { prefix, class, .. }| Some((prefix, class.ok().flatten()?.clone())));
    std::iter::once((String::new(), found.clone()))
        .chain(of_steps)
        .map(|(prefix, found)| Asked { found, prefix })
        .collect()
}

/// The class of a step; none when the configuration names none.
fn step_class<'a>(
    prefix: &str,
    kind: ClassKind,
    config: &Config,
    plugins: &'a Registry,
) -> Result<Option<&'a Found>, Wrong> {
    let key = format!("{prefix}type");
    let Some(name) = config.get(&key).map(|name| name.trim()) else { return Ok(None) };
    if plugins.find(name).is_none_or(|found| found.class.kind != kind) {
        let message = format!("Invalid value {name} for configuration {key}: Class {name} could not be found.");
        return Err(Wrong::Class(Problem { key, message }));
    }
    let wanted = config.get(&format!("{prefix}plugin.version")).map_or(Ok(None), |text| VersionRange::parse(text));
    wanted.and_then(|wanted| plugins.find_within(name, wanted.as_ref())).map(Some).map_err(Wrong::Version)
}

/// The keys that the class of a step defines, under the step's prefix.
fn own_keys(own: &[ConfigKey], prefix: &str, group: Option<&String>) -> Vec<ConfigKey> {
    let under = |(at, key): (usize, &ConfigKey)| ConfigKey {
        name: format!("{prefix}{}", key.name),
        group: group.cloned(),
        order: framework::OWN_FROM + at as i32,
        dependents: key.dependents.iter().map(|dependent| format!("{prefix}{dependent}")).collect(),
        ..key.clone()
    };
    own.iter().enumerate().map(under).collect()
}
