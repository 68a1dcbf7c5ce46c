//! Pure. ProtobufConverter's settings, parsed once with every problem at once.

use weir_core::model::{Config, ConfigKey, Importance, Problem};

use crate::schema_registry::{self, RegistrySettings, Usage, boolean, cache_size, flag, invalid, whole_number};

/// Settings of ProtobufData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataSettings {
    pub(crate) enhanced: bool,
    pub(crate) int_for_enums: bool,
    pub(crate) optional_for_nullables: bool,
    pub(crate) optional_for_proto2: bool,
    pub(crate) wrapper_for_nullables: bool,
    pub(crate) wrapper_for_raw_primitives: bool,
    pub(crate) index_for_unions: bool,
    pub(crate) ignore_default_for_nullables: bool,
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings {
            enhanced: false,
            int_for_enums: false,
            optional_for_nullables: false,
            optional_for_proto2: true,
            wrapper_for_nullables: false,
            wrapper_for_raw_primitives: true,
            index_for_unions: true,
            ignore_default_for_nullables: false,
        }
    }
}

/// ProtobufConverter's settings.
pub(crate) struct ProtobufSettings {
    pub(crate) data: DataSettings,
    pub(crate) registry: RegistrySettings,
    pub(crate) usage: Usage,
    pub(crate) cache_size: usize,
}

impl ProtobufSettings {
    /// Parses a configuration.
    pub(crate) fn parse(config: &Config, is_key: bool) -> Result<ProtobufSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let usage = Usage::parse(config, is_key, &mut problems);
        let defaults = DataSettings::default();
        let mut switch = |key: &str, default: bool| boolean(config, key, default, &mut problems);
        let data = DataSettings {
            enhanced: switch("enhanced.protobuf.schema.support", defaults.enhanced),
            int_for_enums: switch("int.for.enums", defaults.int_for_enums),
            optional_for_nullables: switch("optional.for.nullables", defaults.optional_for_nullables),
            optional_for_proto2: switch("optional.for.proto2", defaults.optional_for_proto2),
            wrapper_for_nullables: switch("wrapper.for.nullables", defaults.wrapper_for_nullables),
            wrapper_for_raw_primitives: switch("wrapper.for.raw.primitives", defaults.wrapper_for_raw_primitives),
            index_for_unions: switch("generate.index.for.unions", defaults.index_for_unions),
            ignore_default_for_nullables: switch("ignore.default.for.nullables", false),
        };
        let unsupported = ["generate.struct.for.nulls", "flatten.unions", "scrub.invalid.names"];
        for key in unsupported.into_iter().filter(|key| switch(key, false)).collect::<Vec<_>>() {
            problems.push(invalid(key, "true", "Only false is supported; leave the key out"));
        }
        let cache_size = cache_size(config, &mut problems);
        let registry = RegistrySettings::parse(config, problems)?;
        Ok(ProtobufSettings { data, registry, usage, cache_size })
    }
}

/// The keys of ProtobufConverter.
pub(crate) fn protobuf_keys() -> Vec<ConfigKey> {
    let (low, medium) = (Importance::Low, Importance::Medium);
    let mut keys = vec![crate::settings::converter_type()];
    keys.extend(schema_registry::registry_keys());
    keys.extend([
        flag(
            "enhanced.protobuf.schema.support",
            false,
            medium,
            "Toggle for enabling/disabling enhanced protobuf schema support: package name preservation",
        ),
        flag("int.for.enums", false, medium, "Whether to represent enums as integers"),
        flag(
            "optional.for.nullables",
            false,
            medium,
            "Whether nullable fields should be specified with an optional label",
        ),
        flag("optional.for.proto2", true, medium, "Whether proto2 optionals are supported"),
        flag("wrapper.for.nullables", false, medium, "Whether nullable fields should use primitive wrapper messages"),
        flag(
            "wrapper.for.raw.primitives",
            true,
            medium,
            "Whether a wrapper message should be interpreted as a raw primitive at the root level",
        ),
        flag(
            "generate.index.for.unions",
            true,
            low,
            "Whether to suffix unionnames with an underscore followed by an index",
        ),
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
