//! Pure. The configuration keys that the worker itself gives to every connector (ConnectorConfig, SourceConnectorConfig,
//! SinkConnectorConfig), as far as it acts on them.

use crate::model::{ClassKind, Config, ConfigKey, ConfigType, DefaultValue, Importance, Validator, Width};

use super::limits;

/// A key: name, type, default (none: required; `null`), importance, group, place in it, width, name for people, text.
#[expect(clippy::too_many_arguments, reason = "a table's columns")]
pub(super) fn key(
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

/// The group of keys that say what is done when something fails.
const ERRORS: &str = "Error Handling";

/// The keys of every plugin of a kind, of which this is the latest version.
pub fn of(kind: ClassKind, latest: &str) -> Vec<ConfigKey> {
    match kind {
        ClassKind::Source => [common(latest), source()].concat(),
        ClassKind::Sink => [common(latest), sink()].concat(),
        ClassKind::Transformation | ClassKind::Predicate => Vec::new(),
    }
}

/// Keys of every connector.
pub fn common(latest: &str) -> Vec<ConfigKey> {
    use ConfigType::{Boolean, Class, Int, List, String};
    use DefaultValue::{Null, Required};
    use Importance::{High, Low, Medium};
    let converter_version = |property: &str, order: i32, part: &str| {
        key(
            &format!("{property}.plugin.version"),
            String,
            Null,
            Low,
            "Common",
            order,
            Width::Short,
            &format!("{part} converter version"),
            &format!("Version of the {} converter.", part.to_lowercase()),
        )
    };
    vec![
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
        key(
            "connector.class",
            String,
            Required,
            High,
            "Common",
            2,
            Width::Long,
            "Connector class",
            "Name or alias of the class for this connector. Must be a subclass of org.apache.kafka.connect.connector.Connector. If the connector is org.apache.kafka.connect.file.FileStreamSinkConnector, you can either specify this full name,  or use \"FileStreamSink\" or \"FileStreamSinkConnector\" to make the configuration a bit shorter",
        ),
        key(
            "connector.plugin.version",
            String,
            value(latest),
            Medium,
            "Common",
            3,
            Width::Medium,
            "Connector version",
            "Version of the connector.",
        ),
        with(
            key(
                "tasks.max",
                Int,
                value("1"),
                High,
                "Common",
                4,
                Width::Short,
                "Tasks max",
                "Maximum number of tasks to use for this connector.",
            ),
            Validator::AtLeast(1.0),
        ),
        key(
            "tasks.max.enforce",
            Boolean,
            value("true"),
            Low,
            "Common",
            5,
            Width::Short,
            "Enforce tasks max",
            "(Deprecated) Whether to enforce that the tasks.max property is respected by the connector. By default, connectors that generate too many tasks will fail, and existing sets of tasks that exceed the tasks.max property will also be failed. If this property is set to false, then connectors will be allowed to generate more than the maximum number of tasks, and existing sets of tasks that exceed the tasks.max property will be allowed to run. This property is deprecated and will be removed in an upcoming major release.",
        ),
        key(
            "key.converter",
            Class,
            Null,
            Low,
            "Common",
            6,
            Width::Short,
            "Key converter class",
            "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the keys in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro.",
        ),
        converter_version("key.converter", 7, "Key"),
        key(
            "value.converter",
            Class,
            Null,
            Low,
            "Common",
            8,
            Width::Short,
            "Value converter class",
            "Converter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the values in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro.",
        ),
        converter_version("value.converter", 9, "Value"),
        key(
            "header.converter",
            Class,
            Null,
            Low,
            "Common",
            10,
            Width::Short,
            "Header converter class",
            "HeaderConverter class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the header values in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro. By default, the SimpleHeaderConverter is used to serialize header values to strings and deserialize them by inferring the schemas.",
        ),
        converter_version("header.converter", 11, "Header"),
        key(
            "transforms",
            List,
            value(""),
            Low,
            "Transforms",
            12,
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
            13,
            Width::Long,
            "Predicates",
            "Aliases for the predicates used by transformations.",
        ),
        with(
            key(
                "config.action.reload",
                String,
                value("restart"),
                Low,
                "Common",
                14,
                Width::Medium,
                "Reload Action",
                "The action that Connect should take on the connector when changes in external configuration providers result in a change in the connector's configuration properties. A value of 'none' indicates that Connect will do nothing. A value of 'restart' indicates that Connect should restart/reload the connector with the updated configuration properties.The restart may actually be scheduled in the future if the external configuration provider indicates that a configuration value will expire in the future.",
            ),
            Validator::OneOf(vec!["none".into(), "restart".into()]),
        ),
    ]
    .into_iter()
    .chain(of_errors())
    .collect()
}

/// What every connector may say of records that fail.
fn of_errors() -> [ConfigKey; 5] {
    use ConfigType::{Boolean, Long, String};
    let key = |name: &str, kind, default: &str, order, width, display: &str, text: &str| {
        key(name, kind, value(default), Importance::Medium, ERRORS, order, width, display, text)
    };
    [
        key(
            "errors.retry.timeout",
            Long,
            "0",
            1,
            Width::Medium,
            "Retry Timeout for Errors",
            "The maximum duration in milliseconds that a failed operation will be reattempted. The default is 0, which means no retries will be attempted. Use -1 for infinite retries.",
        ),
        key(
            "errors.retry.delay.max.ms",
            Long,
            "60000",
            2,
            Width::Medium,
            "Maximum Delay Between Retries for Errors",
            "The maximum duration in milliseconds between consecutive retry attempts. Jitter will be added to the delay once this limit is reached to prevent thundering herd issues.",
        ),
        with(
            key(
                "errors.tolerance",
                String,
                "none",
                3,
                Width::Short,
                "Error Tolerance",
                "Behavior for tolerating errors during connector operation. 'none' is the default value and signals that any error will result in an immediate connector task failure; 'all' changes the behavior to skip over problematic records.",
            ),
            Validator::OneOf(vec!["none".into(), "all".into()]),
        ),
        key(
            "errors.log.enable",
            Boolean,
            "false",
            4,
            Width::Short,
            "Log Errors",
            "If true, write each error and the details of the failed operation and problematic record to the Connect application log. This is 'false' by default, so that only errors that are not tolerated are reported.",
        ),
        key(
            "errors.log.include.messages",
            Boolean,
            "false",
            5,
            Width::Short,
            "Log Error Details",
            "Whether to include in the log the Connect record that resulted in a failure. For sink records, the topic, partition, offset, and timestamp will be logged. For source records, the key and value (and their schemas), all headers, and the timestamp, Kafka topic, Kafka partition, source partition, and source offset will be logged. This is 'false' by default, which will prevent record keys, values, and headers from being written to log files.",
        ),
    ]
}

/// What a connector may say of where records go that were given up. Connect has it for sinks.
fn of_dead_letters() -> [ConfigKey; 3] {
    use ConfigType::{Boolean, Short, String};
    let key = |name: &str, kind, default: &str, order, display: &str, text: &str| {
        key(name, kind, value(default), Importance::Medium, ERRORS, order, Width::Medium, display, text)
    };
    [
        key(
            "errors.deadletterqueue.topic.name",
            String,
            "",
            6,
            "Dead Letter Queue Topic Name",
            "The name of the topic to be used as the dead letter queue (DLQ) for messages that result in an error when processed by this sink connector, or its transformations or converters. The topic name is blank by default, which means that no messages are to be recorded in the DLQ.",
        ),
        key(
            "errors.deadletterqueue.topic.replication.factor",
            Short,
            "3",
            7,
            "Dead Letter Queue Topic Replication Factor",
            "Replication factor used to create the dead letter queue topic when it doesn't already exist.",
        ),
        key(
            "errors.deadletterqueue.context.headers.enable",
            Boolean,
            "false",
            8,
            "Enable Error Context Headers",
            "If true, add headers containing error context to the messages written to the dead letter queue. To avoid clashing with headers from the original record, all error context header keys, all error context header keys will start with <code>__connect.errors.</code>",
        ),
    ]
}

/// Further keys of sources.
fn source() -> Vec<ConfigKey> {
    vec![key(
        "topic.creation.groups",
        ConfigType::List,
        value(""),
        Importance::Low,
        "Topic Creation",
        1,
        Width::Long,
        "Topic Creation Groups",
        "Groups of configurations for topics created by source connectors",
    )]
}

/// Further keys of sinks.
fn sink() -> Vec<ConfigKey> {
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
            "List of topics to consume, separated by commas",
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
                "Regular expression giving topics to consume. Under the hood, the regex is compiled to a <code>java.util.regex.Pattern</code>. Only one of topics or topics.regex should be specified.",
            ),
            Validator::Regex,
        ),
    ]
    .into_iter()
    .chain(of_dead_letters())
    .collect()
}

/// The keys that every transformation has, around the `own` keys of its class: type, version, negate, predicate. `latest` is
/// the latest version of the class.
pub fn transformation(alias: &str, own: usize, latest: Option<&str>) -> [ConfigKey; 4] {
    let group = format!("Transforms: {alias}");
    let name = |rest: &str| format!("transforms.{alias}.{rest}");
    let after = OWN_FROM + own as i32;
    let [of_type, version] = step("transforms", "Transforms", "Transformation", alias, latest);
    [
        of_type,
        version,
        key(
            &name("negate"),
            ConfigType::Boolean,
            value("false"),
            Importance::Medium,
            &group,
            after,
            Width::None,
            "negate",
            "Whether the configured predicate should be negated.",
        ),
        key(
            &name("predicate"),
            ConfigType::String,
            DefaultValue::Null,
            Importance::Medium,
            &group,
            after + 1,
            Width::None,
            "predicate",
            "The alias of a predicate used to determine whether to apply this transformation.",
        ),
    ]
}

/// Keys that Connect does not have, or not for this kind of connector, where a configuration names one of them.
pub fn beyond_connect(kind: ClassKind, config: &Config) -> Vec<ConfigKey> {
    let letters = match kind {
        ClassKind::Source => named(config, of_dead_letters().into()),
        ClassKind::Sink | ClassKind::Transformation | ClassKind::Predicate => Vec::new(),
    };
    [letters, named(config, of_auto_restart().into()), limits::definitions(config)].concat()
}

/// Keys that belong together, where a configuration names one of them.
fn named(config: &Config, keys: Vec<ConfigKey>) -> Vec<ConfigKey> {
    if keys.iter().any(|key| config.contains_key(&key.name)) { keys } else { Vec::new() }
}

fn of_auto_restart() -> [ConfigKey; 2] {
    [
        key(
            "auto.restart",
            ConfigType::Boolean,
            value("false"),
            Importance::Medium,
            ERRORS,
            20,
            Width::Short,
            "Restart what has failed",
            "Whether the connector and its tasks are started again after they have failed: after 1 s, and after twice as long each time up to 60 s, until they have run for 10 minutes.",
        ),
        with(
            key(
                "auto.restart.max.attempts",
                ConfigType::Int,
                value("5"),
                Importance::Low,
                ERRORS,
                21,
                Width::Short,
                "Attempts to restart",
                "How often each of them is started again before that is given up.",
            ),
            Validator::AtLeast(1.0),
        ),
    ]
}

/// The place of a step's first own key in its group: after type and version.
pub const OWN_FROM: i32 = 2;

/// The keys that every predicate has: type and version.
pub fn predicate(alias: &str, latest: Option<&str>) -> [ConfigKey; 2] {
    step("predicates", "Predicates", "Predicate", alias, latest)
}

fn step(list: &str, groups: &str, kind: &str, alias: &str, latest: Option<&str>) -> [ConfigKey; 2] {
    let (group, small) = (format!("{groups}: {alias}"), kind.to_lowercase());
    [
        key(
            &format!("{list}.{alias}.type"),
            ConfigType::Class,
            DefaultValue::Required,
            Importance::High,
            &group,
            0,
            Width::Long,
            &format!("{kind} type for {alias}"),
            &format!("Class for the '{alias}' {small}."),
        ),
        key(
            &format!("{list}.{alias}.plugin.version"),
            ConfigType::String,
            latest.map_or(DefaultValue::Null, value),
            Importance::High,
            &group,
            1,
            Width::Long,
            &format!("{kind} version for {alias}"),
            &format!("Version of the '{alias}' {small}."),
        ),
    ]
}
