//! What is wrong with a connector's configuration, key by key (AbstractHerder.validateConnectorConfig).

use std::collections::{HashMap, HashSet};

use crate::model::{Ceilings, ClassKind, Config, ConfigKey, ConverterRole, DefaultValue, Problem, Recommendation};
use crate::plugin::{Found, Registry, grants};
use crate::settings::{ALIASES_MAX, Checked, ConnectorSettings, Reader, check, check_null, entries, framework};

use super::asked::Asked;
use super::builder::{Builder, Failure};
use super::clients::Override;
use super::request::HerderError;
use super::stage::of_request;

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
    /// Whether a form shows it.
    pub visible: bool,
    /// Whether it is of a client that the connector uses: those stand together, defined or not.
    pub of_client: bool,
}

impl Entry {
    fn new(name: String, key: Option<ConfigKey>, checked: Checked) -> Entry {
        Entry { name, key, checked, recommended: Vec::new(), visible: true, of_client: false }
    }
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
    /// Where each key stands.
    places: HashMap<String, usize>,
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
        // Keys of one group follow each other, but for the few of the worker's own.
        let known = |group: &&String| self.groups.last() == Some(group) || self.groups.contains(group);
        if let Some(group) = key.group.as_ref().filter(|group| !known(group)) {
            self.groups.push(group.clone());
        }
        let entry = Entry::new(key.name.clone(), Some(key), checked);
        match self.places.get(&entry.name) {
            // A plugin's own key takes the place of the worker's.
            Some(&at) => self.entries[at] = entry,
            None => self.append(entry),
        }
    }

    fn push_overrides(&mut self, overrides: Vec<Override>) {
        for Override { name, key, checked } in overrides {
            match key {
                Some(key) => self.insert(key, checked),
                None => self.append(Entry::new(name.clone(), None, checked)),
            }
            self.entry(&name).of_client = true;
        }
    }

    fn append(&mut self, entry: Entry) {
        self.places.insert(entry.name.clone(), self.entries.len());
        self.entries.push(entry);
    }

    /// The entry of a key; for one that nobody defines it is made.
    fn entry(&mut self, name: &str) -> &mut Entry {
        if !self.places.contains_key(name) {
            self.append(Entry::new(name.to_owned(), None, Checked::default()));
        }
        let at = self.places[name];
        &mut self.entries[at]
    }

    /// Takes what a class offers for a key of its own, which stands under a prefix; for others it has no say.
    fn recommend(&mut self, prefix: &str, recommendation: Recommendation) {
        let Recommendation { key, values, visible } = recommendation;
        let name = format!("{prefix}{key}");
        let Some(entry) = self.places.get(&name).map(|&at| &mut self.entries[at]) else { return };
        if entry.key.as_ref().is_some_and(|key| key.recommended) {
            (entry.recommended, entry.visible) = (values, visible);
        }
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

    /// Shows the values of a configuration as they were given, and not what their variables stand for.
    pub(super) fn show(&mut self, given: &Config, looked_up: &Config, hide: impl Fn(String) -> String) {
        for entry in &mut self.entries {
            if let Some(raw) = given.get(&entry.name).filter(|raw| looked_up.get(&entry.name) != Some(raw)) {
                entry.checked.value = entry.checked.value.as_ref().map(|_| raw.clone());
            }
            let errors = std::mem::take(&mut entry.checked.errors);
            entry.checked.errors = errors.into_iter().map(&hide).collect();
        }
    }

    /// Adds that a key names no class of its kind.
    fn add_unknown_class(&mut self, problem: Problem) {
        self.entry(&problem.key).checked.value = None;
        self.add(problem);
    }
}

impl Builder {
    /// Checks a configuration whose variables were looked up.
    pub(super) async fn check_looked_up(
        &self,
        config: &Config,
        nulls: &[String],
        ceilings: &Ceilings,
    ) -> Result<Validation, HerderError> {
        let _stage = of_request("validating connector configuration");
        let Some(class) = config.get("connector.class").map(|class| class.trim()) else {
            return Err(HerderError::Invalid(format!("Connector config {} contains no connector type", shown(config))));
        };
        let (found, asked, mut validation) = {
            let plugins = self.plugins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kinds = &[ClassKind::Sink, ClassKind::Source];
            let found = plugins.find_kind(class, kinds, "Connector").map_err(HerderError::Invalid)?.clone();
            let validation = definitions(class, &found, config, &plugins);
            let asked = asked(&found, config, &plugins);
            (found, asked, validation)
        };
        self.offer_converters(config, &mut validation);
        validation.push_overrides(self.overrides(found.class.kind, config));
        self.push_converter_keys(config, &mut validation);
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
        for (prefix, recommendation) in self.recommend(&asked, config, ceilings).await {
            validation.recommend(&prefix, recommendation);
        }
        if validation.errors().next().is_none() {
            self.try_steps(&asked, config).await.into_iter().for_each(|problem| validation.add(problem));
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

    /// What converters there are to choose from, and which the worker has chosen.
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
    }

    /// What the converters that a configuration chooses are configured with.
    fn push_converter_keys(&self, config: &Config, validation: &mut Validation) {
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
    let mut validation =
        Validation { class: class.to_owned(), groups: Vec::new(), entries: Vec::new(), places: HashMap::new() };
    let mut keys = framework::of(found.class.kind);
    let (mut unknown, mut types) = (Vec::new(), Vec::new());
    for Step { alias, prefix, kind, class } in steps(config, plugins) {
        types.push((format!("{prefix}type"), kind));
        let class = class.map_err(|problem| unknown.push(problem)).ok().flatten();
        let own = class.map(|found| found.class.config.as_slice()).unwrap_or_default();
        let (of_type, of_all) = if kind == ClassKind::Predicate {
            (framework::predicate(alias), None)
        } else {
            let [of_type, negate, predicate] = framework::transformation(alias, own.len());
            (of_type, class.map(|_| [negate, predicate]))
        };
        let group = of_type.group.clone();
        keys.push(of_type);
        keys.extend(own_keys(own, &prefix, group.as_ref()));
        keys.extend(of_all.into_iter().flatten());
    }
    keys.extend(framework::beyond_connect(config));
    keys.extend(found.class.config.iter().cloned());
    keys.into_iter().for_each(|key| validation.push(key, config));
    unknown.into_iter().for_each(|problem| validation.add_unknown_class(problem));
    for (key, kind) in types {
        validation.entry(&key).recommended = plugins.listed(kind);
    }
    validation
}

/// The aliases in a list, each once; those beyond what a connector may have are left out.
fn aliases<'a>(config: &'a Config, key: &str) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let listed = config.get(key).into_iter().flat_map(|text| entries(text));
    listed.filter(|alias| !alias.is_empty() && seen.insert(*alias)).take(ALIASES_MAX).collect()
}

/// A transformation or predicate of a configuration.
struct Step<'a> {
    alias: &'a str,
    /// In front of its keys.
    prefix: String,
    kind: ClassKind,
    /// None when the configuration names none.
    class: Result<Option<&'a Found>, Problem>,
}

/// The steps of a configuration, transformations first.
fn steps<'a>(config: &'a Config, plugins: &'a Registry) -> Vec<Step<'a>> {
    let listed = [("transforms", ClassKind::Transformation), ("predicates", ClassKind::Predicate)];
    let of = |(list, kind)| {
        aliases(config, list).into_iter().map(move |alias| {
            let prefix = format!("{list}.{alias}.");
            let class = step_class(&prefix, kind, config, plugins);
            Step { alias, prefix, kind, class }
        })
    };
    listed.into_iter().flat_map(of).collect()
}

/// The classes of a configuration, the connector's own first.
fn asked(found: &Found, config: &Config, plugins: &Registry) -> Vec<Asked> {
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
        let mut validation = Validation { class: "X".into(), groups: vec![], entries: vec![], places: HashMap::new() };
        entries.into_iter().for_each(|entry| validation.append(entry));
        validation
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
    fn a_class_has_a_say_for_its_own_keys_that_it_recommends_values_for_and_for_no_others() {
        let mut checked = validation(vec![]);
        for (name, recommended) in [("transforms.t.port", true), ("transforms.t.host", false)] {
            let key = ConfigKey { name: name.into(), recommended, ..framework::of(ClassKind::Source).remove(2) };
            checked.push(key, &Config::new());
        }
        for key in ["port", "host", "nobody's"] {
            let values = vec!["465".to_owned()];
            checked.recommend("transforms.t.", Recommendation { key: key.into(), values, visible: false });
        }
        let shown = checked.entries.iter().map(|entry| (entry.recommended.len(), entry.visible));
        assert_eq!(shown.collect::<Vec<_>>(), [(1, false), (0, true)]);
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
