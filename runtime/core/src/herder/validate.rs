//! What is wrong with a connector's configuration, key by key (AbstractHerder.validateConnectorConfig).

use crate::model::{Ceilings, ClassKind, Config, ConfigKey, ConverterRole, Problem};
use crate::plugin::{Found, Registry, grants};
use crate::settings::{Checked, ConnectorSettings, check, entries, framework};

use super::builder::{Builder, Failure};
use super::request::HerderError;

/// A key, its value, and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's name.
    pub name: String,
    /// Its definition; none for a key that nobody defines.
    pub key: Option<ConfigKey>,
    /// Its value and what is wrong with it.
    pub checked: Checked,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// The connector's class, as the configuration names it.
    pub class: String,
    /// The groups of keys, in order.
    pub groups: Vec<String>,
    /// The keys, in order.
    pub entries: Vec<Entry>,
}

impl Validation {
    /// Everything that is wrong.
    pub fn errors(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().flat_map(|entry| &entry.checked.errors)
    }

    /// The refusal of a configuration with errors.
    pub fn refusal(&self) -> Option<HerderError> {
        let errors: Vec<&str> = self.errors().map(String::as_str).collect();
        (!errors.is_empty()).then(|| {
            HerderError::Invalid(format!(
                "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find \
                 the above list of errors at the endpoint `/connector-plugins/{}/config/validate`",
                errors.len(),
                errors.join("\n"),
                self.class
            ))
        })
    }

    fn push(&mut self, key: ConfigKey, config: &Config) {
        let checked = check(&key, config);
        if let Some(group) = key.group.as_ref().filter(|group| !self.groups.contains(group)) {
            self.groups.push(group.clone());
        }
        let entry = Entry { name: key.name.clone(), key: Some(key), checked };
        match self.entries.iter_mut().find(|there| there.name == entry.name) {
            // A plugin's own key takes the place of the worker's.
            Some(there) => *there = entry,
            None => self.entries.push(entry),
        }
    }

    /// Adds an error, unless its key has one already that says more.
    fn add(&mut self, problem: Problem) {
        let Problem { key, message } = problem;
        match self.entries.iter_mut().find(|entry| entry.name == key) {
            Some(entry) if entry.checked.errors.is_empty() => entry.checked.errors.push(message),
            Some(_) => {}
            None => {
                let checked = Checked { value: None, errors: vec![message] };
                self.entries.push(Entry { name: key, key: None, checked });
            }
        }
    }
}

impl Builder {
    /// Checks a configuration. `nulls` are the keys that were given without a value. The error says that there is no
    /// such connector class.
    pub async fn check(
        &self,
        config: &Config,
        nulls: &[String],
        ceilings: &Ceilings,
    ) -> Result<Validation, HerderError> {
        let class = config.get("connector.class").map(|class| class.trim()).filter(|class| !class.is_empty());
        let Some(class) = class else {
            return Err(HerderError::Invalid(format!("Connector config {} contains no connector type", shown(config))));
        };
        let (found, mut validation) = {
            let plugins = self.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kinds = &[ClassKind::Source, ClassKind::Sink];
            let found = plugins.find_kind(class, kinds, "Connector").map_err(HerderError::Invalid)?.clone();
            let validation = definitions(class, &found, config, &plugins);
            (found, validation)
        };
        for key in nulls {
            let message = "Null value can not be supplied as the configuration value.".to_owned();
            validation.entries.retain(|entry| entry.name != *key || entry.key.is_some());
            validation.add(Problem { key: key.clone(), message });
        }
        match ConnectorSettings::parse(config) {
            Ok(settings) => self.check_converters(&settings, &mut validation),
            Err(problems) => problems.into_iter().for_each(|problem| validation.add(problem)),
        }
        if let Err(problems) = grants(&found.class, config, ceilings) {
            problems.into_iter().for_each(|problem| validation.add(problem));
        }
        if validation.errors().next().is_none() {
            match self.validate(&found, config, ceilings).await {
                Ok(problems) => problems.into_iter().for_each(|problem| validation.add(problem)),
                Err(Failure::Config(problems)) => problems.into_iter().for_each(|problem| validation.add(problem)),
                Err(failure) => return Err(HerderError::Failed(failure.to_string())),
            }
        }
        Ok(validation)
    }

    fn check_converters(&self, settings: &ConnectorSettings, validation: &mut Validation) {
        let roles = [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header];
        for (chosen, role) in settings.converters.iter().zip(roles) {
            let Some(chosen) = chosen else { continue };
            if let Err(problems) = self.converters.converter(&chosen.class, &chosen.settings, role) {
                problems.into_iter().for_each(|problem| validation.add(problem));
            }
        }
    }
}

/// A configuration as Java prints a map.
fn shown(config: &Config) -> String {
    let entries: Vec<String> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// Every key that is defined for a configuration, with its value checked.
fn definitions(class: &str, found: &Found, config: &Config, plugins: &Registry) -> Validation {
    let mut validation = Validation { class: class.to_owned(), groups: Vec::new(), entries: Vec::new() };
    let mut keys = framework::common();
    if found.class.kind == ClassKind::Sink {
        keys.extend(framework::sink());
    }
    let mut problems = Vec::new();
    for alias in aliases(config, "transforms") {
        let [class, negate, predicate] = framework::transformation(alias);
        let own = own_keys(&class, ClassKind::Transformation, config, plugins, &mut problems);
        keys.push(class);
        keys.extend(own);
        keys.extend([negate, predicate]);
    }
    for alias in aliases(config, "predicates") {
        let class = framework::predicate(alias);
        let own = own_keys(&class, ClassKind::Predicate, config, plugins, &mut problems);
        keys.push(class);
        keys.extend(own);
    }
    keys.extend(found.class.config.iter().cloned());
    keys.into_iter().for_each(|key| validation.push(key, config));
    problems.into_iter().for_each(|problem| validation.add(problem));
    if found.class.kind == ClassKind::Sink {
        require_topics(config, &mut validation);
    }
    validation
}

fn aliases<'a>(config: &'a Config, key: &str) -> Vec<&'a str> {
    config.get(key).map(|text| entries(text).filter(|alias| !alias.is_empty()).collect()).unwrap_or_default()
}

/// The keys that the class of a step defines, under the step's prefix.
fn own_keys(
    class: &ConfigKey,
    kind: ClassKind,
    config: &Config,
    plugins: &Registry,
    problems: &mut Vec<Problem>,
) -> Vec<ConfigKey> {
    let Some(name) = config.get(&class.name).map(|name| name.trim()) else { return Vec::new() };
    let Some(found) = plugins.find(name).filter(|found| found.class.kind == kind) else {
        let message =
            format!("Invalid value {name} for configuration {}: Class {name} could not be found.", class.name);
        problems.push(Problem { key: class.name.clone(), message });
        return Vec::new();
    };
    let prefix = class.name.strip_suffix("type").unwrap_or(&class.name);
    let own = found.class.config.iter().cloned().map(|mut key| {
        key.name = format!("{prefix}{}", key.name);
        key.group.clone_from(&class.group);
        key.dependents.iter_mut().for_each(|dependent| *dependent = format!("{prefix}{dependent}"));
        key
    });
    own.collect()
}

/// SinkConnectorConfig.validate: one of the two, and on each of them what is wrong.
fn require_topics(config: &Config, validation: &mut Validation) {
    let given = |key: &str| config.get(key).is_some_and(|text| !text.trim().is_empty());
    let message = match (given("topics"), given("topics.regex")) {
        (false, false) => "Must configure one of topics or topics.regex",
        (true, true) => "topics and topics.regex are mutually exclusive options, but both are set.",
        (true, false) | (false, true) => return,
    };
    for key in ["topics", "topics.regex"] {
        validation.add(Problem { key: key.into(), message: message.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn validation(entries: Vec<Entry>) -> Validation {
        Validation { class: "X".into(), groups: vec![], entries }
    }

    #[test]
    fn a_refusal_counts_and_names_every_error() {
        let mut checked = validation(vec![]);
        checked.push(framework::common().remove(2), &config(&[("tasks.max", "0")]));
        checked.add(Problem { key: "file".into(), message: "Missing".into() });
        let Some(HerderError::Invalid(text)) = checked.refusal() else { panic!("no refusal") };
        let start = "Connector configuration is invalid and contains the following 2 error(s):\nInvalid value 0 for \
                     configuration tasks.max: Value must be at least 1\nMissing\n";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(validation(vec![]).refusal(), None);
    }

    #[test]
    fn a_sink_needs_topics_or_a_pattern_and_not_both() {
        for (entries, errors) in [
            (&[][..], 2),
            (&[("topics", "a")], 0),
            (&[("topics", ""), ("topics.regex", "a.*")], 0),
            (&[("topics", "a"), ("topics.regex", "a.*")], 2),
        ] {
            let mut checked = validation(vec![]);
            framework::sink().into_iter().for_each(|key| checked.push(key, &config(entries)));
            require_topics(&config(entries), &mut checked);
            assert_eq!(checked.errors().count(), errors, "{entries:?}");
        }
    }

    #[test]
    fn a_plugins_own_key_takes_the_place_of_the_workers() {
        let mut checked = validation(vec![]);
        let [mut own, theirs] = [framework::common().remove(2), framework::common().remove(2)];
        own.documentation = "mine".into();
        checked.push(theirs, &Config::new());
        checked.push(own, &Config::new());
        assert_eq!(checked.entries.len(), 1);
        assert_eq!(checked.entries[0].key.as_ref().unwrap().documentation, "mine");
    }
}
