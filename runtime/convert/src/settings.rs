//! Pure. The converters' settings: their definitions as Connect shows them, and their values, parsed once with every
//! problem at once.

use weir_core::model::{Config, ConfigKey, ConfigType, DefaultValue, Importance, Problem, Validator, Width};

/// Settings of JsonConverter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonSettings {
    pub(crate) schemas_enable: bool,
    pub(crate) schemas_cache_size: i32,
    pub(crate) schema_content: Option<String>,
    pub(crate) numeric_decimals: bool,
    pub(crate) replace_null_with_default: bool,
}

impl JsonSettings {
    /// Parses a configuration.
    pub(crate) fn parse(config: &Config) -> Result<JsonSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let settings = JsonSettings {
            schemas_enable: boolean(config, "schemas.enable", true, &mut problems),
            schemas_cache_size: integer(config, "schemas.cache.size", 1000, &mut problems),
            schema_content: config.get("schema.content").filter(|content| !content.is_empty()).cloned(),
            numeric_decimals: numeric_decimals(config, &mut problems),
            replace_null_with_default: boolean(config, "replace.null.with.default", true, &mut problems),
        };
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}

/// Whether decimals are numbers instead of base64.
pub(crate) fn numeric_decimals(config: &Config, problems: &mut Vec<Problem>) -> bool {
    match config.get("decimal.format") {
        Some(format) if format.eq_ignore_ascii_case("NUMERIC") => true,
        Some(format) if !format.eq_ignore_ascii_case("BASE64") => {
            let why = "String must be one of (case insensitive): BASE64, NUMERIC";
            problems.push(problem("decimal.format", format, why));
            false
        }
        _ => false,
    }
}

/// Checks the settings of StringConverter. Only UTF-8 is there, under the names Java has for it.
pub(crate) fn check_encoding(config: &Config) -> Result<(), Vec<Problem>> {
    const KEY: &str = "converter.encoding";
    match config.get(KEY) {
        Some(encoding)
            if !["UTF-8", "UTF8", "unicode-1-1-utf-8"].iter().any(|name| name.eq_ignore_ascii_case(encoding)) =>
        {
            Err(vec![problem(KEY, encoding, "Only UTF-8 is supported; leave the key out or set it to UTF-8")])
        }
        _ => Ok(()),
    }
}

fn problem(key: &str, value: &str, why: &str) -> Problem {
    Problem { key: key.into(), message: format!("Invalid value {value} for configuration {key}: {why}") }
}

fn boolean(config: &Config, key: &str, default: bool, problems: &mut Vec<Problem>) -> bool {
    match config.get(key).map(|value| value.trim()) {
        None => default,
        Some(value) if value.eq_ignore_ascii_case("true") => true,
        Some(value) if value.eq_ignore_ascii_case("false") => false,
        Some(value) => {
            problems.push(problem(key, value, "Expected value to be either true or false"));
            default
        }
    }
}

/// A whole number.
pub(crate) fn integer(config: &Config, key: &str, default: i32, problems: &mut Vec<Problem>) -> i32 {
    let Some(value) = config.get(key).map(|value| value.trim()) else {
        return default;
    };
    value.parse().unwrap_or_else(|_| {
        problems.push(problem(key, value, "Not a number of type INT"));
        default
    })
}

/// A key that anybody may set, in no group.
pub(crate) fn key(
    name: &str,
    kind: ConfigType,
    default: DefaultValue,
    importance: Importance,
    documentation: &str,
) -> ConfigKey {
    ConfigKey {
        name: name.into(),
        kind,
        default,
        importance,
        documentation: documentation.into(),
        validators: Vec::new(),
        group: None,
        order: -1,
        width: Width::None,
        display_name: name.into(),
        dependents: Vec::new(),
        recommended: false,
        grant: None,
    }
}

fn shown(mut key: ConfigKey, group: Option<&str>, order: i32, display_name: &str) -> ConfigKey {
    key.group = group.map(Into::into);
    key.order = order;
    key.width = Width::Medium;
    key.display_name = display_name.into();
    key
}

/// `converter.type`, which the framework sets.
pub(crate) fn converter_type() -> ConfigKey {
    let names = ["key", "value", "header"].map(String::from).to_vec();
    let key = key(
        "converter.type",
        ConfigType::String,
        DefaultValue::Required,
        Importance::Low,
        "How this converter will be used.",
    );
    ConfigKey { validators: vec![Validator::OneOf(names)], ..key }
}

/// The keys of StringConverter.
pub(crate) fn string_keys() -> Vec<ConfigKey> {
    let encoding = key(
        "converter.encoding",
        ConfigType::String,
        DefaultValue::Value("UTF-8".into()),
        Importance::High,
        "The name of the Java character set to use for encoding strings as byte arrays.",
    );
    vec![converter_type(), shown(encoding, None, -1, "Encoding")]
}

/// `decimal.format`.
pub(crate) fn decimal_format() -> ConfigKey {
    let key = key(
        "decimal.format",
        ConfigType::String,
        DefaultValue::Value("BASE64".into()),
        Importance::Low,
        "Controls which format this converter will serialize decimals in. This value is case insensitive and can be \
         either 'BASE64' (default) or 'NUMERIC'",
    );
    ConfigKey { validators: vec![Validator::OneOfIgnoringCase(vec!["BASE64".into(), "NUMERIC".into()])], ..key }
}

/// The keys of JsonConverter.
pub(crate) fn json_keys() -> Vec<ConfigKey> {
    let value = |text: &str| DefaultValue::Value(text.into());
    let (schemas, serialization) = (Some("Schemas"), Some("Serialization"));
    let enable = key(
        "schemas.enable",
        ConfigType::Boolean,
        value("true"),
        Importance::High,
        "Include schemas within each of the serialized values and keys.",
    );
    let cache = key(
        "schemas.cache.size",
        ConfigType::Int,
        value("1000"),
        Importance::High,
        "The maximum number of schemas that can be cached in this converter instance.",
    );
    let content = key(
        "schema.content",
        ConfigType::String,
        DefaultValue::Null,
        Importance::High,
        "When set, this is used as the schema for all messages, and the schemas within each of the message will be \
         ignored.Otherwise, the schema will be included in the content of each message. This configuration applies \
         only 'schemas.enable' is true, and it exclusively affects the sink connector.",
    );
    let replace = key(
        "replace.null.with.default",
        ConfigType::Boolean,
        value("true"),
        Importance::Low,
        "Whether to replace fields that have a default value and that are null to the default value. When set to \
         true, the default value is used, otherwise null is used.",
    );
    vec![
        converter_type(),
        shown(enable, schemas, 0, "Enable Schemas"),
        shown(cache, schemas, 1, "Schema Cache Size"),
        shown(content, schemas, 2, "Schema Content"),
        shown(decimal_format(), serialization, 0, "Decimal Format"),
        shown(replace, serialization, 1, "Replace null with default"),
    ]
}
