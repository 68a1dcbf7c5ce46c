//! What is wrong with a connector's configuration, key by key (AbstractHerder.validateConnectorConfig).

use crate::model::{Ceilings, ClassKind, Config, ConfigKey, ConverterRole, DefaultValue, Problem};
use crate::plugin::{Found, Registry, grants};
use crate::settings::{Checked, ConnectorSettings, Reader, check, check_null, entries, framework};

use super::builder::{Builder, Failure};
use super::request::HerderError;

const ROLES: [ConverterRole; 3] = [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header];

/// A key, its value, and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's name.
    pub name: String,
    /// Its definition; none for a key that nobody defines.
    pub key: Option<ConfigKey>,
    /// Its value and what is wrong with it.
    pub checked: Checked,
    /// Values to choose from.
    pub recommended: Vec<String>,
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
                 the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`",
                errors.len(),
                errors.join("\n"),
            ))
        })
    }

    fn push(&mut self, key: ConfigKey, config: &Config) {
        let checked = check(&key, config);
        self.insert(key, checked);
    }

    fn insert(&mut self, key: ConfigKey, checked: Checked) {
        if let Some(group) = key.group.as_ref().filter(|group| !self.groups.contains(group)) {
            self.groups.push(group.clone());
        }
        let entry = Entry { name: key.name.clone(), key: Some(key), checked, recommended: Vec::new() };
        match self.entries.iter_mut().find(|there| there.name == entry.name) {
            // A plugin's own key takes the place of the worker's.
            Some(there) => *there = entry,
            None => self.entries.push(entry),
        }
    }

    /// The entry of a key; for one that nobody defines it is made.
    fn entry(&mut self, name: &str) -> &mut Entry {
        let at = self.entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
            let (name, checked) = (name.to_owned(), Checked::default());
            self.entries.push(Entry { name, key: None, checked, recommended: Vec::new() });
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    /// Adds an error, unless its key has one already that says more.
    fn add(&mut self, problem: Problem) {
        let errors = &mut self.entry(&problem.key).checked.errors;
        if errors.is_empty() {
            errors.push(problem.message);
        }
    }

    /// Adds that a key was given as null, beside what is wrong with having no value.
    fn add_null(&mut self, key: &str) {
        let entry = self.entry(key);
        entry.checked = entry.key.as_ref().map(check_null).unwrap_or_default();
        entry.checked.errors.push("Null value can not be supplied as the configuration value.".into());
    }

    /// Adds that a key names no class of its kind.
    fn add_unknown_class(&mut self, problem: Problem) {
        self.entry(&problem.key).checked.value = None;
        self.add(problem);
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
        let Some(class) = config.get("connector.class").map(|class| class.trim()) else {
            return Err(HerderError::Invalid(format!("Connector config {} contains no connector type", shown(config))));
        };
        let (found, mut validation) = {
            let plugins = self.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kinds = &[ClassKind::Sink, ClassKind::Source];
            let found = plugins.find_kind(class, kinds, "Connector").map_err(HerderError::Invalid)?.clone();
            let validation = definitions(class, &found, config, &plugins);
            (found, validation)
        };
        self.offer_converters(config, &mut validation);
        nulls.iter().for_each(|key| validation.add_null(key));
        if found.class.kind == ClassKind::Sink {
            self.check_topics(config, &mut validation);
        }
        match ConnectorSettings::parse(config) {
            Ok(settings) => {
                self.check_converters(&settings, &mut validation);
                let wrong = self.check_clients(found.class.kind, &settings).err();
                wrong.into_iter().flatten().for_each(|problem| validation.add(problem));
            }
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

    /// What converters there are to choose from, which the worker has chosen, and what the chosen ones are configured
    /// with.
    fn offer_converters(&self, config: &Config, validation: &mut Validation) {
        for (role, default) in ROLES.into_iter().zip(&self.settings.converters) {
            let property = role.property();
            let entry = validation.entry(property);
            entry.recommended = self.converters.classes(role);
            if let Some(key) = &mut entry.key {
                key.default = DefaultValue::Value(default.class.clone());
                entry.checked = check(key, config);
            }
        }
        // Connect's order: the header converter's keys come first.
        let [key, value, header] = ROLES;
        for property in [header, key, value].map(ConverterRole::property) {
            let chosen = config.get(property).and_then(|class| self.converters.definition(class.trim()));
            let prefix = format!("{property}.");
            let settings = Reader::new(config).below(&prefix);
            for mut key in chosen.into_iter().flatten() {
                if key.name == "converter.type" {
                    key.default = DefaultValue::Value(property.trim_end_matches(".converter").to_owned());
                }
                // Its errors name it as the converter knows it.
                let checked = check(&key, &settings);
                key.name.insert_str(0, &prefix);
                validation.insert(key, checked);
            }
        }
    }

    fn check_topics(&self, config: &Config, validation: &mut Validation) {
        let pattern = config.get("topics.regex").map(|pattern| pattern.trim()).unwrap_or_default();
        if let (false, Err(reason)) = (pattern.is_empty(), self.broker.check_pattern(pattern)) {
            let message = format!("Invalid value {pattern} for configuration topics.regex: Invalid regex: {reason}");
            validation.add(Problem { key: "topics.regex".into(), message });
        }
        require_topics(config, validation);
    }

    fn check_converters(&self, settings: &ConnectorSettings, validation: &mut Validation) {
        for (chosen, role) in settings.converters.iter().zip(ROLES) {
            let Some(chosen) = chosen else { continue };
            let property = role.property();
            let made = self.converters.converter(&chosen.class, &chosen.settings, role);
            for Problem { key, message } in made.err().into_iter().flatten() {
                if key == property {
                    let message = format!("Invalid value {} for configuration {key}: {message}", chosen.class);
                    validation.add_unknown_class(Problem { key, message });
                } else {
                    validation.add(Problem { key: format!("{property}.{key}"), message });
                }
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
    let mut keys = framework::of(found.class.kind);
    let (mut unknown, mut types) = (Vec::new(), Vec::new());
    for alias in aliases(config, "transforms") {
        let (prefix, kind) = (format!("transforms.{alias}."), ClassKind::Transformation);
        types.push((format!("{prefix}type"), kind));
        let step = step_class(&prefix, kind, config, plugins).map_err(|problem| unknown.push(problem)).ok().flatten();
        let own = step.map(|found| found.class.config.as_slice()).unwrap_or_default();
        let [class, negate, predicate] = framework::transformation(alias, own.len());
        let group = class.group.clone();
        keys.push(class);
        keys.extend(own_keys(own, &prefix, group.as_ref()));
        if step.is_some() {
            keys.extend([negate, predicate]);
        }
    }
    for alias in aliases(config, "predicates") {
        let (prefix, kind) = (format!("predicates.{alias}."), ClassKind::Predicate);
        types.push((format!("{prefix}type"), kind));
        let step = step_class(&prefix, kind, config, plugins).map_err(|problem| unknown.push(problem)).ok().flatten();
        let own = step.map(|found| found.class.config.as_slice()).unwrap_or_default();
        let class = framework::predicate(alias);
        let group = class.group.clone();
        keys.push(class);
        keys.extend(own_keys(own, &prefix, group.as_ref()));
    }
    keys.extend(found.class.config.iter().cloned());
    keys.into_iter().for_each(|key| validation.push(key, config));
    unknown.into_iter().for_each(|problem| validation.add_unknown_class(problem));
    for (key, kind) in types {
        validation.entry(&key).recommended = plugins.listed(kind);
    }
    validation
}

fn aliases<'a>(config: &'a Config, key: &str) -> Vec<&'a str> {
    config.get(key).map(|text| entries(text).filter(|alias| !alias.is_empty()).collect()).unwrap_or_default()
}

/// The class of a step; none when the configuration names none.
fn step_class<'a>(
    prefix: &str,
    kind: ClassKind,
    config: &Config,
    plugins: &'a Registry,
) -> Result<Option<&'a Found>, Problem> {
    let key = format!("{prefix}type");
    let Some(name) = config.get(&key).map(|name| name.trim()) else { return Ok(None) };
    match plugins.find(name).filter(|found| found.class.kind == kind) {
        Some(found) => Ok(Some(found)),
        None => {
            let message = format!("Invalid value {name} for configuration {key}: Class {name} could not be found.");
            Err(Problem { key, message })
        }
    }
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

/// SinkConnectorConfig.validate: one of the two, and on each of them what is wrong.
fn require_topics(config: &Config, validation: &mut Validation) {
    let given = |key: &str| config.get(key).is_some_and(|text| !text.trim().is_empty());
    let message = match (given("topics"), given("topics.regex")) {
        (false, false) => "Must configure one of topics or topics.regex",
        (true, true) => "topics and topics.regex are mutually exclusive options, but both are set.",
        (true, false) | (false, true) => return,
    };
    for key in ["topics", "topics.regex"] {
        validation.entry(key).checked.errors.push(message.into());
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
        checked.push(framework::of(ClassKind::Source).remove(2), &config(&[("tasks.max", "0")]));
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
            let topics = framework::of(ClassKind::Sink).into_iter().filter(|key| key.name.starts_with("topics"));
            topics.for_each(|key| checked.push(key, &config(entries)));
            require_topics(&config(entries), &mut checked);
            assert_eq!(checked.errors().count(), errors, "{entries:?}");
        }
    }

    #[test]
    fn a_plugins_own_key_takes_the_place_of_the_workers() {
        let mut checked = validation(vec![]);
        let [mut own, theirs] =
            [framework::of(ClassKind::Source).remove(2), framework::of(ClassKind::Source).remove(2)];
        own.documentation = "mine".into();
        checked.push(theirs, &Config::new());
        checked.push(own, &Config::new());
        assert_eq!(checked.entries.len(), 1);
        assert_eq!(checked.entries[0].key.as_ref().unwrap().documentation, "mine");
    }
}
