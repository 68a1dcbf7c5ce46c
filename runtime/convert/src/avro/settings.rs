//! Pure. AvroConverter's settings, parsed once with every problem at once.

use weir_core::model::{Config, ConfigKey, Importance, Problem};

use super::names::DataSettings;
use crate::schema_registry::{self, RegistrySettings, SubjectStrategy, boolean, flag, whole_number};
use crate::settings::integer;

/// Which schema records are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Their own, which is registered.
    Registered,
    /// Their own, which has to be there.
    Known,
    /// The subject's latest.
    Latest,
    /// That of this id.
    Id(u32),
}

/// What of a converter's use of a registry does not depend on the kind of schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) writing: Writing,
    pub(crate) normalize: bool,
    pub(crate) strategy: SubjectStrategy,
}

/// AvroConverter's settings.
pub(crate) struct AvroSettings {
    pub(crate) data: DataSettings,
    pub(crate) registry: RegistrySettings,
    pub(crate) usage: Usage,
    pub(crate) cache_size: usize,
}

fn invalid(key: &str, value: &str, why: &str) -> Problem {
    Problem { key: key.into(), message: format!("Invalid value {value} for configuration {key}: {why}") }
}

impl Usage {
    /// Parses a converter's configuration.
    pub(crate) fn parse(config: &Config, is_key: bool, problems: &mut Vec<Problem>) -> Usage {
        let register = boolean(config, "auto.register.schemas", true, problems);
        let latest = boolean(config, "use.latest.version", false, problems);
        let id = integer(config, "use.schema.id", -1, problems);
        let writing = match (register, u32::try_from(id), latest) {
            (true, ..) => Writing::Registered,
            (false, Ok(id), _) => Writing::Id(id),
            (false, Err(_), true) => Writing::Latest,
            (false, Err(_), false) => Writing::Known,
        };
        let key = if is_key { "key.subject.name.strategy" } else { "value.subject.name.strategy" };
        let given = config.get(key).map(|class| class.trim()).filter(|class| !class.is_empty());
        let found = given.map(|class| (class, SubjectStrategy::find(class)));
        if let Some((class, None)) = found {
            let why = "Name TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy";
            problems.push(invalid(key, class, why));
        }
        let strategy = found.and_then(|(_, strategy)| strategy).unwrap_or(SubjectStrategy::TopicName);
        Usage { writing, normalize: boolean(config, "normalize.schemas", false, problems), strategy }
    }
}

impl AvroSettings {
    /// Parses a configuration.
    pub(crate) fn parse(config: &Config, is_key: bool) -> Result<AvroSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let usage = Usage::parse(config, is_key, &mut problems);
        let defaults = DataSettings::default();
        let mut switch = |key: &str, default: bool| boolean(config, key, default, &mut problems);
        let data = DataSettings {
            enhanced: switch("enhanced.avro.schema.support", defaults.enhanced),
            connect_meta_data: switch("connect.meta.data", defaults.connect_meta_data),
            scrub_invalid_names: switch("scrub.invalid.names", defaults.scrub_invalid_names),
            discard_type_doc_default: switch("discard.type.doc.default", defaults.discard_type_doc_default),
            allow_optional_map_keys: switch("allow.optional.map.keys", defaults.allow_optional_map_keys),
            flatten_singleton_unions: switch("flatten.singleton.unions", defaults.flatten_singleton_unions),
            ignore_default_for_nullables: switch("ignore.default.for.nullables", false),
        };
        const GENERALIZED: &str = "generalized.sum.type.support";
        if switch(GENERALIZED, false) {
            problems.push(invalid(GENERALIZED, "true", "Only false is supported; leave the key out"));
        }
        let cache_size = integer(config, "schemas.cache.config", 1000, &mut problems);
        let cache_size = usize::try_from(cache_size).unwrap_or(0).max(1);
        match RegistrySettings::parse(config) {
            Ok(registry) if problems.is_empty() => Ok(AvroSettings { data, registry, usage, cache_size }),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }
}

/// The keys of AvroConverter.
pub(crate) fn avro_keys() -> Vec<ConfigKey> {
    let (low, medium) = (Importance::Low, Importance::Medium);
    let mut keys = vec![crate::settings::converter_type()];
    keys.extend(schema_registry::registry_keys());
    keys.extend([
        flag(
            "enhanced.avro.schema.support",
            false,
            medium,
            "Toggle for enabling/disabling enhanced avro schema support: Enum symbol preservation and Package Name \
             awareness",
        ),
        flag(
            "scrub.invalid.names",
            false,
            medium,
            "Whether to scrub invalid names by replacing invalid characters with valid ones",
        ),
        flag(
            "connect.meta.data",
            true,
            low,
            "Toggle for enabling/disabling connect converter to add its meta data to the output schema or not",
        ),
        flag(
            "discard.type.doc.default",
            false,
            low,
            "Only Avro field doc and default will be retained during conversion of Avro and Connect schema.",
        ),
        flag(
            "allow.optional.map.keys",
            false,
            low,
            "Allow optional string map key when converting from Connect Schema to Avro Schema.",
        ),
        flag("flatten.singleton.unions", true, low, "Whether to flatten singleton unions"),
        flag(
            "ignore.default.for.nullables",
            false,
            medium,
            "Whether to ignore the default for nullable fields when the value is null",
        ),
        whole_number("schemas.cache.config", 1000, 1, "Size of the converted schemas cache"),
    ]);
    keys
}
