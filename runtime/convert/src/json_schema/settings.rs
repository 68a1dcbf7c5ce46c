//! Pure. JsonSchemaConverter's settings, parsed once with every problem at once.

use weir_core::model::{Config, ConfigKey, Importance, Problem};

use crate::schema_registry::{self, RegistrySettings, Usage, boolean, cache_size, flag, invalid, whole_number};

/// Settings of JsonSchemaData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataSettings {
    pub(crate) additional_properties: bool,
    pub(crate) optional_for_non_required: bool,
    pub(crate) flatten_singleton_unions: bool,
    pub(crate) ignore_default_for_nullables: bool,
    pub(crate) numeric_decimals: bool,
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings {
            additional_properties: true,
            optional_for_non_required: false,
            flatten_singleton_unions: true,
            ignore_default_for_nullables: false,
            numeric_decimals: false,
        }
    }
}

/// JsonSchemaConverter's settings.
pub(crate) struct JsonSchemaSettings {
    pub(crate) data: DataSettings,
    pub(crate) registry: RegistrySettings,
    pub(crate) usage: Usage,
    pub(crate) cache_size: usize,
}

impl JsonSchemaSettings {
    /// Parses a configuration.
    pub(crate) fn parse(config: &Config, is_key: bool) -> Result<JsonSchemaSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let usage = Usage::parse(config, is_key, &mut problems);
        let numeric_decimals = crate::settings::numeric_decimals(config, &mut problems);
        let defaults = DataSettings::default();
        let mut switch = |key: &str, default: bool| boolean(config, key, default, &mut problems);
        let data = DataSettings {
            additional_properties: switch("object.additional.properties", defaults.additional_properties),
            optional_for_non_required: switch("use.optional.for.nonrequired", defaults.optional_for_non_required),
            flatten_singleton_unions: switch("flatten.singleton.unions", defaults.flatten_singleton_unions),
            ignore_default_for_nullables: switch("ignore.default.for.nullables", false),
            numeric_decimals,
        };
        const INVALID: &str = "json.fail.invalid.schema";
        if switch(INVALID, false) {
            let why = "Only false is supported, as records are not validated against their schema; leave the key out";
            problems.push(invalid(INVALID, "true", why));
        }
        let cache_size = cache_size(config, &mut problems);
        let registry = RegistrySettings::parse(config, problems)?;
        Ok(JsonSchemaSettings { data, registry, usage, cache_size })
    }
}

/// The keys of JsonSchemaConverter.
pub(crate) fn json_schema_keys() -> Vec<ConfigKey> {
    let (low, medium) = (Importance::Low, Importance::Medium);
    let mut keys = vec![crate::settings::converter_type()];
    keys.extend(schema_registry::registry_keys());
    keys.extend([
        flag(
            "object.additional.properties",
            true,
            medium,
            "Whether to allow additional properties for object schemas.",
        ),
        flag("use.optional.for.nonrequired", false, medium, "Whether to set non-required properties to be optional."),
        crate::settings::decimal_format(),
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
