//! Pure. AvroConverter's settings, parsed once with every problem at once.

use weir_core::model::{Config, ConfigKey, Importance, Problem};

use super::names::DataSettings;
use crate::schema_registry::{self, RegistrySettings, Usage, boolean, cache_size, flag, whole_number};

/// AvroConverter's settings.
pub(crate) struct AvroSettings {
    pub(crate) data: DataSettings,
    pub(crate) registry: RegistrySettings,
    pub(crate) usage: Usage,
    pub(crate) cache_size: usize,
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
        let cache_size = cache_size(config, &mut problems);
        let registry = RegistrySettings::parse(config, problems)?;
        Ok(AvroSettings { data, registry, usage, cache_size })
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
