//! Pure. The configuration keys that the worker itself gives to every connector (ConnectorConfig, SourceConnectorConfig,
//! SinkConnectorConfig), as far as it acts on them.

use crate::model::{ConfigKey, ConfigType, DefaultValue, Importance, Validator, Width};

/// A key: name, type, default (none: required; `null`), importance, group, place in it, width, name for people, text.
#[expect(clippy::too_many_arguments, reason = "a table's columns")]
fn key(
    name: &str,
    kind: ConfigType,
    default: DefaultValue,
    importance: Importance,
    group: &str,
    order: i32,
    width: Width,
    display_name: &str,
    documentation: &str,
) -> ConfigKey {
    ConfigKey {
        name: name.into(),
        kind,
        default,
        importance,
        documentation: documentation.into(),
        validators: Vec::new(),
        group: Some(group.into()),
        order,
        width,
        display_name: display_name.into(),
        dependents: Vec::new(),
        recommended: false,
        grant: None,
    }
}

fn with(mut key: ConfigKey, validator: Validator) -> ConfigKey {
    key.validators.push(validator);
    key
}

fn value(text: &str) -> DefaultValue {
    DefaultValue::Value(text.into())
}

/// Keys of every connector.
pub fn common() -> Vec<ConfigKey> {
    use ConfigType::{Class, Int, List, String};
    use DefaultValue::{Null, Required};
    use Importance::{High, Low};
    vec![
        with(
            key(
                "name",
                String,
                Required,
                High,
                "Common",
                1,
                Width::Medium,
                "Connector name",
                "Globally unique name to use for this connector.",
            ),
            Validator::NonEmpty,
        ),
        key(
            "connector.class",
            String,
            Required,
            High,
            "Common",
            2,
            Width::Long,
            "Connector class",
            "Name or alias of the class for this connector.",
        ),
        with(
            key(
                "tasks.max",
                Int,
                value("1"),
                High,
                "Common",
                3,
                Width::Short,
                "Tasks max",
                "Maximum number of tasks to use for this connector.",
            ),
            Validator::AtLeast(1.0),
        ),
        key(
            "key.converter",
            Class,
            Null,
            Low,
            "Common",
            5,
            Width::Short,
            "Key converter class",
            "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka, for keys.",
        ),
        key(
            "value.converter",
            Class,
            Null,
            Low,
            "Common",
            6,
            Width::Short,
            "Value converter class",
            "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka, for values.",
        ),
        key(
            "header.converter",
            Class,
            Null,
            Low,
            "Common",
            7,
            Width::Short,
            "Header converter class",
            "HeaderConverter class used to convert between Kafka Connect format and the serialized form that is written to Kafka, for header values.",
        ),
        key(
            "transforms",
            List,
            value(""),
            Low,
            "Transforms",
            8,
            Width::Long,
            "Transforms",
            "Aliases for the transformations to be applied to records.",
        ),
        key(
            "predicates",
            List,
            value(""),
            Low,
            "Predicates",
            9,
            Width::Long,
            "Predicates",
            "Aliases for the predicates used by transformations.",
        ),
    ]
}

/// Further keys of sinks.
pub fn sink() -> Vec<ConfigKey> {
    use ConfigType::{List, String};
    use Importance::High;
    vec![
        key(
            "topics",
            List,
            value(""),
            High,
            "Common",
            4,
            Width::Long,
            "Topics",
            "List of topics to consume, separated by commas.",
        ),
        with(
            key(
                "topics.regex",
                String,
                value(""),
                High,
                "Common",
                4,
                Width::Long,
                "Topics regex",
                "Regular expression giving topics to consume. The regex is compiled to a java.util.regex.Pattern. Only one of topics or topics.regex should be specified.",
            ),
            Validator::Regex,
        ),
    ]
}

/// The keys that every step of a chain has; `prefix` is `transforms.<alias>.`.
pub fn transformation(alias: &str) -> [ConfigKey; 3] {
    let prefix = format!("transforms.{alias}.");
    let group = format!("Transforms: {alias}");
    let name = |rest: &str| format!("{prefix}{rest}");
    [
        key(
            &name("type"),
            ConfigType::Class,
            DefaultValue::Required,
            Importance::High,
            &group,
            0,
            Width::Long,
            &format!("Transformation type for {alias}"),
            "Class for the transformation.",
        ),
        key(
            &name("negate"),
            ConfigType::Boolean,
            value("false"),
            Importance::Medium,
            &group,
            -1,
            Width::None,
            &name("negate"),
            "Whether the configured predicate should be negated.",
        ),
        key(
            &name("predicate"),
            ConfigType::String,
            DefaultValue::Null,
            Importance::Medium,
            &group,
            -1,
            Width::None,
            &name("predicate"),
            "The alias of a predicate used to determine whether to apply this transformation.",
        ),
    ]
}

/// The key that every predicate has.
pub fn predicate(alias: &str) -> ConfigKey {
    let (name, group) = (format!("predicates.{alias}.type"), format!("Predicates: {alias}"));
    key(
        &name,
        ConfigType::Class,
        DefaultValue::Required,
        Importance::High,
        &group,
        0,
        Width::Long,
        &format!("Predicate type for {alias}"),
        "Class for the predicate.",
    )
}
