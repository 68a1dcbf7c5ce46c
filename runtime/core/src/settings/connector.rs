//! Pure. A connector's settings: what the worker itself reads of a connector's configuration.

use crate::model::{Config, ConverterRole, Problem, Subscription, VersionRange};

use super::delivery::DeliverySettings;
use super::errors::ErrorSettings;
use super::reader::Reader;

/// A converter's class and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConverterSettings {
    /// The class.
    pub class: String,
    /// `plugin.version` below its prefix: which versions of the class are meant; none for the latest.
    pub version: Option<VersionRange>,
    /// Its settings, prefix taken off.
    pub settings: Config,
}

impl ConverterSettings {
    /// Reads what stands below a converter's property.
    pub(super) fn read(reader: &mut Reader, property: &str, class: String) -> ConverterSettings {
        let prefix = format!("{property}.");
        let version = wanted(reader, &format!("{prefix}{VERSION}"));
        let mut settings = reader.below(&prefix);
        settings.remove(VERSION);
        ConverterSettings { class, version, settings }
    }
}

/// The key, below a plugin's prefix, that says which versions of it are meant.
const VERSION: &str = "plugin.version";

fn wanted(reader: &mut Reader, key: &str) -> Option<VersionRange> {
    let read = VersionRange::parse(reader.get(key)?);
    read.unwrap_or_else(|said| {
        reader.problem(key, said);
        None
    })
}

/// The predicate that guards a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Its alias.
    pub alias: String,
    /// Its class.
    pub class: String,
    /// Which versions of the class are meant; none for the latest.
    pub version: Option<VersionRange>,
    /// Its configuration.
    pub config: Config,
    /// Whether its answer is turned round.
    pub negate: bool,
}

/// A step of the transformation chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSettings {
    /// Its alias.
    pub alias: String,
    /// Its class.
    pub class: String,
    /// Which versions of the class are meant; none for the latest.
    pub version: Option<VersionRange>,
    /// Its configuration.
    pub config: Config,
    /// The predicate that guards it.
    pub guard: Option<GuardSettings>,
}

/// What the worker reads of a connector's configuration.
#[derive(Clone, Debug)]
pub struct ConnectorSettings {
    /// `name`
    pub name: String,
    /// `connector.class`
    pub class: String,
    /// `connector.plugin.version`: which versions of the class are meant; none for the latest.
    pub version: Option<VersionRange>,
    /// `tasks.max`
    pub tasks_max: u32,
    /// `tasks.max.enforce`: whether more tasks than that are a failure (KIP-1004).
    pub tasks_max_enforce: bool,
    /// The connector's own converters; none where the worker's hold.
    pub converters: [Option<ConverterSettings>; 3],
    /// `transforms` and `predicates`
    pub steps: Vec<StepSettings>,
    /// `topics` or `topics.regex`; sinks only.
    pub subscription: Option<Subscription>,
    /// What is done about records that fail.
    pub errors: ErrorSettings,
    /// How records are delivered; sources only.
    pub delivery: DeliverySettings,
    /// Settings below `producer.override.`.
    pub producer: Config,
    /// Settings below `consumer.override.`.
    pub consumer: Config,
    /// Settings below `admin.override.`.
    pub admin: Config,
    /// Everything.
    pub config: Config,
}

impl ConnectorSettings {
    /// Reads a connector's settings, or says everything that is wrong with them.
    pub fn parse(config: &Config) -> Result<ConnectorSettings, Vec<Problem>> {
        let mut reader = Reader::new(config);
        let name = name(&mut reader);
        let class = reader.required("connector.class");
        let version = wanted(&mut reader, "connector.plugin.version");
        let tasks_max: i64 = reader.number("tasks.max", 1);
        if tasks_max < 1 {
            let message = format!("Invalid value {tasks_max} for configuration tasks.max: Value must be at least 1");
            reader.problem("tasks.max", message);
        }
        let mut converter = |role: ConverterRole| {
            let key = role.property();
            let class = reader.get(key).filter(|class| !class.is_empty())?.to_owned();
            Some(ConverterSettings::read(&mut reader, key, class))
        };
        let converters =
            [converter(ConverterRole::Key), converter(ConverterRole::Value), converter(ConverterRole::Header)];
        let steps = steps(&mut reader);
        let topics = reader.list("topics");
        let pattern = reader.get("topics.regex").filter(|pattern| !pattern.is_empty()).map(str::to_owned);
        let subscription = match (topics.is_empty(), pattern) {
            (false, None) => Some(Subscription::Topics(topics)),
            (true, Some(pattern)) => Some(Subscription::Pattern(pattern)),
            (true, None) => None,
            (false, Some(_)) => {
                for key in ["topics", "topics.regex"] {
                    reader.problem(key, "topics and topics.regex are mutually exclusive options, but both are set.");
                }
                None
            }
        };
        let settings = ConnectorSettings {
            name,
            class,
            version,
            tasks_max: u32::try_from(tasks_max).unwrap_or(1),
            tasks_max_enforce: reader.boolean("tasks.max.enforce", true),
            converters,
            steps,
            subscription,
            errors: ErrorSettings::read(&mut reader),
            delivery: DeliverySettings::read(&mut reader),
            producer: reader.below("producer.override."),
            consumer: reader.below("consumer.override."),
            admin: reader.below("admin.override."),
            config: config.clone(),
        };
        reader.finish().map(|()| settings)
    }
}

fn name(reader: &mut Reader) -> String {
    let Some(name) = reader.get("name").filter(|name| !name.is_empty()) else {
        match reader.get("name") {
            Some(_) => reader.problem("name", "Invalid value  for configuration name: String may not be empty"),
            None => drop(reader.required("name")),
        }
        return String::new();
    };
    let controls: Vec<String> =
        name.chars().filter(|one| one.is_control()).map(|one| u32::from(one).to_string()).collect();
    if !controls.is_empty() {
        let message = format!(
            "Invalid value {name} for configuration name: String may not contain control sequences but had the \
             following ASCII chars: {}",
            controls.join(", ")
        );
        reader.problem("name", message);
    }
    name.to_owned()
}

/// How many transformations, and how many predicates, a connector may have.
pub const ALIASES_MAX: usize = 1_000;

fn aliases(reader: &mut Reader, key: &str) -> Vec<String> {
    let mut aliases = reader.list(key);
    if aliases.len() > ALIASES_MAX {
        let message = format!(
            "Invalid value for configuration {key}: it has {} aliases, at most {ALIASES_MAX} may be",
            aliases.len()
        );
        reader.problem(key, message);
        aliases.truncate(ALIASES_MAX);
    }
    let invalid = |what: &str| format!("Invalid value [{}] for configuration {key}: {what}", aliases.join(", "));
    let distinct: std::collections::BTreeSet<&String> = aliases.iter().collect();
    if distinct.len() < aliases.len() {
        reader.problem(key, invalid("Duplicate alias provided."));
    }
    if aliases.iter().any(String::is_empty) {
        reader.problem(key, invalid("Empty alias provided."));
    }
    aliases
}

fn steps(reader: &mut Reader) -> Vec<StepSettings> {
    let predicates = aliases(reader, "predicates");
    let mut steps = Vec::new();
    for alias in aliases(reader, "transforms") {
        let prefix = format!("transforms.{alias}.");
        let class = reader.required(&format!("{prefix}type"));
        let negate = reader.boolean(&format!("{prefix}negate"), false);
        let guard_key = format!("{prefix}predicate");
        let guard = reader.get(&guard_key).filter(|guard| !guard.is_empty()).map(str::to_owned);
        let version = wanted(reader, &format!("{prefix}{VERSION}"));
        let config = own_config(reader.below(&prefix));
        let guard = match guard {
            None if reader.get(&format!("{prefix}negate")).is_some() => {
                let message = format!(
                    "Config '{prefix}negate' was provided but there is no config '{guard_key}' defining a predicate to \
                     be negated."
                );
                reader.problem(&format!("{prefix}type"), message);
                None
            }
            None => None,
            Some(guard) if !predicates.contains(&guard) => {
                reader.problem(&guard_key, format!("{guard:?} is no alias of predicates"));
                None
            }
            Some(guard) => {
                let prefix = format!("predicates.{guard}.");
                let class = reader.required(&format!("{prefix}type"));
                let version = wanted(reader, &format!("{prefix}{VERSION}"));
                let config = own_config(reader.below(&prefix));
                Some(GuardSettings { alias: guard, class, version, config, negate })
            }
        };
        steps.push(StepSettings { alias, class, version, config, guard });
    }
    steps
}

/// What a step's class is configured with, of what stands below the step's prefix.
pub fn own_config(mut below: Config) -> Config {
    ["type", VERSION, "negate", "predicate"].iter().for_each(|key| drop(below.remove(*key)));
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_chain_is_read_with_its_predicates() {
        let settings = ConnectorSettings::parse(&config(&[
            ("name", "c"),
            ("connector.class", "X"),
            ("transforms", "a, b"),
            ("transforms.a.type", "A"),
            ("transforms.a.field", "f"),
            ("transforms.a.predicate", "p"),
            ("transforms.a.negate", "true"),
            ("transforms.b.type", "B"),
            ("transforms.b.plugin.version", "2"),
            ("predicates", "p"),
            ("predicates.p.type", "P"),
            ("predicates.p.pattern", "x"),
        ]))
        .unwrap();
        let guard = Some(GuardSettings {
            alias: "p".into(),
            class: "P".into(),
            version: None,
            config: config(&[("pattern", "x")]),
            negate: true,
        });
        let a = StepSettings {
            alias: "a".into(),
            class: "A".into(),
            version: None,
            config: config(&[("field", "f")]),
            guard,
        };
        let version = VersionRange::parse("[2]").unwrap();
        let b = StepSettings { alias: "b".into(), class: "B".into(), version, config: config(&[]), guard: None };
        assert_eq!(settings.steps, [a, b]);
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let problems = ConnectorSettings::parse(&config(&[
            ("connector.class", ""),
            ("tasks.max", "0"),
            ("transforms", "a,a"),
            ("transforms.a.negate", "true"),
            ("topics", "t"),
            ("topics.regex", "t.*"),
            ("connector.plugin.version", "["),
        ]))
        .unwrap_err();
        let keys: std::collections::BTreeSet<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = [
            "connector.class",
            "connector.plugin.version",
            "name",
            "tasks.max",
            "topics",
            "topics.regex",
            "transforms",
            "transforms.a.type",
        ];
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), expected);
    }
}
