//! What is wrong with a connector's configuration, key by key (AbstractHerder.validateConnectorConfig).

use std::collections::HashMap;

use crate::model::{
    Ceilings, ClassKind, Config, ConfigKey, ConverterRole, DefaultValue, Problem, Recommendation, VersionRange,
};
use crate::plugin::{grants, is_of_converter, no_version};
use crate::settings::{Checked, ConnectorSettings, ConverterSettings, Reader, check, check_null, limits_of_connector};

use super::builder::{Builder, Failure};
use super::clients::Override;
use super::definitions::{asked, definitions, without_version};
use super::kinds::check_kind;
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
    /// That of a class, before anything was looked at.
    pub(super) fn new(class: &str) -> Validation {
        Validation { class: class.to_owned(), groups: Vec::new(), entries: Vec::new(), places: HashMap::new() }
    }

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

    pub(super) fn push(&mut self, key: ConfigKey, config: &Config) {
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
    pub(super) fn entry(&mut self, name: &str) -> &mut Entry {
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
    pub(super) fn add(&mut self, problem: Problem) {
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

    /// Shows a configuration as it was given, and not what its variables stand for.
    pub(super) fn show(&mut self, given: &Config, looked_up: &Config, hide: impl Fn(String) -> String) {
        let change = |text: &mut String| *text = hide(std::mem::take(text));
        for entry in &mut self.entries {
            if let Some(raw) = given.get(&entry.name).filter(|raw| looked_up.get(&entry.name) != Some(raw)) {
                entry.checked.value = entry.checked.value.as_ref().map(|_| raw.clone());
            }
            if let Some(key) = &mut entry.key {
                [&mut key.name, &mut key.documentation, &mut key.display_name].into_iter().for_each(&change);
                key.group.iter_mut().chain(&mut key.dependents).for_each(&change);
            }
            change(&mut entry.name);
            entry.checked.errors.iter_mut().chain(&mut entry.recommended).for_each(&change);
        }
        self.groups.iter_mut().for_each(change);
    }

    /// Adds that a key names no class of its kind.
    pub(super) fn add_unknown_class(&mut self, problem: Problem) {
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
            plugins.find_kind(class, kinds, "Connector").map_err(HerderError::Invalid)?;
            let wanted = config.get("connector.plugin.version").map_or(Ok(None), |text| VersionRange::parse(text));
            let found = match plugins.find_within(class, wanted.map_err(HerderError::Invalid)?.as_ref()) {
                Ok(found) => found.clone(),
                Err(said) => {
                    let mut validation = without_version(class, &said, config, &plugins);
                    nulls.iter().for_each(|key| validation.add_null(key));
                    return Ok(validation);
                }
            };
            let validation = definitions(class, &found, config, &plugins);
            let asked = asked(&found, config, &plugins);
            (found, asked, validation)
        };
        self.offer_converters(config, &mut validation);
        validation.push_overrides(self.overrides(found.class.kind, config));
        self.push_converter_keys(config, &mut validation);
        nulls.iter().for_each(|key| validation.add_null(key));
        let workers = self.settings.distributed.as_ref().map(|group| group.group.as_str());
        check_kind(found.class.kind, config, workers, &mut validation);
        if found.class.kind != ClassKind::Sink {
            self.topic_rules(config).err().into_iter().flatten().for_each(|problem| validation.add(problem));
            self.check_once(&found, config, ceilings, &mut validation).await;
        }
        let denied = grants(&found.class, config, ceilings).err().unwrap_or_default();
        match ConnectorSettings::parse(config) {
            Ok(settings) => {
                // A converter reads key stores, so none is made of what it may not open.
                if !denied.iter().any(is_of_converter) {
                    self.check_converters(&settings, &mut validation);
                }
                let wrong = self.check_clients(found.class.kind, &settings).err();
                wrong.into_iter().flatten().for_each(|problem| validation.add(problem));
            }
            Err(problems) => problems.into_iter().for_each(|problem| validation.add(problem)),
        }
        let beyond = limits_of_connector(&self.settings.limits, config).err();
        denied.into_iter().chain(beyond.into_iter().flatten()).for_each(|problem| validation.add(problem));
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
            self.offer_version(role, default, config, validation);
        }
    }

    /// Which versions of a converter there are, and whether those that a configuration wants are among them.
    fn offer_version(
        &self,
        role: ConverterRole,
        default: &ConverterSettings,
        config: &Config,
        validation: &mut Validation,
    ) {
        let (property, own) = (role.property(), config.get(role.property()).map(|class| class.trim()));
        let class = own.unwrap_or(&default.class);
        let there: Vec<String> =
            self.converters.definition(class).iter().map(|_| self.converters.version().to_owned()).collect();
        let name = format!("{property}.plugin.version");
        let entry = validation.entry(&name);
        if let Some(key) = &mut entry.key {
            let of_worker = self.settings.config.get(&name).filter(|_| own.is_none());
            key.default = of_worker.or(there.first()).cloned().map_or(DefaultValue::Null, DefaultValue::Value);
            entry.checked = check(key, config);
        }
        (entry.recommended, entry.visible) = (there.clone(), !there.is_empty());
        match config.get(&name).map_or(Ok(None), |text| VersionRange::parse(text)) {
            Err(said) => entry.checked.errors.push(said),
            Ok(Some(wanted)) if own.is_some() && !there.is_empty() && !there.iter().any(|one| wanted.holds(one)) => {
                let said = no_version(class, &wanted, &there);
                entry.checked.errors.push(said.clone());
                validation.entry(property).checked.errors.push(said);
            }
            Ok(_) => {}
        }
    }

    /// Says that a converter is wanted in a version that it has not.
    pub(super) fn check_version(&self, chosen: &ConverterSettings, role: ConverterRole) -> Result<(), Problem> {
        let (version, class) = (self.converters.version(), &chosen.class);
        match &chosen.version {
            Some(wanted) if !wanted.holds(version) => {
                let key = format!("{}.plugin.version", role.property());
                Err(Problem { key, message: no_version(class, wanted, &[version.to_owned()]) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What the converters that a configuration chooses are configured with.
    fn push_converter_keys(&self, config: &Config, validation: &mut Validation) {
        // Connect's order: the header converter's keys come first.
        let [key, value, header] = ROLES;
        for property in [header, key, value].map(ConverterRole::property) {
            let prefix = format!("{property}.");
            if !validation.entry(&format!("{prefix}plugin.version")).checked.errors.is_empty() {
                continue;
            }
            let chosen = config.get(property).and_then(|class| self.converters.definition(class.trim()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::framework;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn validation(entries: Vec<Entry>) -> Validation {
        let mut validation = Validation::new("X");
        entries.into_iter().for_each(|entry| validation.append(entry));
        validation
    }

    #[test]
    fn a_refusal_counts_and_names_every_error() {
        let mut checked = validation(vec![]);
        checked.push(framework::of(ClassKind::Source, "1").remove(3), &config(&[("tasks.max", "0")]));
        checked.add(Problem { key: "file".into(), message: "Missing".into() });
        let Some(HerderError::Invalid(text)) = checked.refusal() else { panic!("no refusal") };
        let start = "Connector configuration is invalid and contains the following 2 error(s):\nInvalid value 0 for \
                     configuration tasks.max: Value must be at least 1\nMissing\n";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(validation(vec![]).refusal(), None);
    }

    #[test]
    fn a_class_has_a_say_for_its_own_keys_that_it_recommends_values_for_and_for_no_others() {
        let mut checked = validation(vec![]);
        for (name, recommended) in [("transforms.t.port", true), ("transforms.t.host", false)] {
            let key = ConfigKey { name: name.into(), recommended, ..framework::of(ClassKind::Source, "1").remove(3) };
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
            [framework::of(ClassKind::Source, "1").remove(3), framework::of(ClassKind::Source, "1").remove(3)];
        own.documentation = "mine".into();
        checked.push(theirs, &Config::new());
        checked.push(own, &Config::new());
        assert_eq!(checked.entries.len(), 1);
        assert_eq!(checked.entries[0].key.as_ref().unwrap().documentation, "mine");
    }
}
