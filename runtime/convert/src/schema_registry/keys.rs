//! Pure. What converters of a schema registry are configured with, for those who ask what there is to configure.

use weir_core::model::{
    ConfigKey, ConfigType, DefaultValue, EndpointKind, GrantKind, Importance, PathAccess, Validator,
};

fn key(name: &str, kind: ConfigType, default: Option<&str>, importance: Importance, documentation: &str) -> ConfigKey {
    let default = default.map_or(DefaultValue::Null, |default| DefaultValue::Value(default.into()));
    crate::settings::key(name, kind, default, importance, documentation)
}

/// A switch.
pub(crate) fn flag(name: &str, default: bool, importance: Importance, documentation: &str) -> ConfigKey {
    key(name, ConfigType::Boolean, Some(if default { "true" } else { "false" }), importance, documentation)
}

/// A whole number, at least `least`.
pub(crate) fn whole_number(name: &str, default: i32, least: i32, documentation: &str) -> ConfigKey {
    let key = key(name, ConfigType::Int, Some(&default.to_string()), Importance::Low, documentation);
    ConfigKey { validators: vec![Validator::AtLeast(f64::from(least))], ..key }
}

fn text(name: &str, default: Option<&str>, importance: Importance, documentation: &str) -> ConfigKey {
    key(name, ConfigType::String, default, importance, documentation)
}

fn secret(name: &str, documentation: &str) -> ConfigKey {
    key(name, ConfigType::Password, None, Importance::Medium, documentation)
}

fn file(name: &str, documentation: &str) -> ConfigKey {
    let grant = GrantKind::Path { access: PathAccess::Read, stdio_when_unset: false };
    ConfigKey { grant: Some(grant), ..text(name, None, Importance::High, documentation) }
}

/// The keys of every converter that asks a registry.
pub(crate) fn registry_keys() -> Vec<ConfigKey> {
    let urls = key(
        "schema.registry.url",
        ConfigType::List,
        None,
        Importance::High,
        "Comma-separated list of URLs for schema registry instances that can be used to register or look up schemas.",
    );
    let strategy = |name, part| {
        let documentation = format!(
            "Determines how to construct the subject name under which the {part} schema is registered with the schema \
             registry: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy. By default, <topic>-{part} is \
             used as subject."
        );
        let default = "io.confluent.kafka.serializers.subject.TopicNameStrategy";
        text(name, Some(default), Importance::Medium, &documentation)
    };
    let (low, medium) = (Importance::Low, Importance::Medium);
    vec![
        ConfigKey { default: DefaultValue::Required, grant: Some(GrantKind::Endpoint(EndpointKind::Urls)), ..urls },
        flag(
            "auto.register.schemas",
            true,
            medium,
            "Specify if the Serializer should attempt to register the Schema with Schema Registry",
        ),
        flag(
            "use.latest.version",
            false,
            low,
            "Specify if the Serializer should use the latest subject version for serialization, which takes \
             auto.register.schemas=false",
        ),
        flag(
            "normalize.schemas",
            false,
            medium,
            "Whether to normalize schemas, which generally ignores ordering when it is not significant",
        ),
        ConfigKey {
            validators: Vec::new(),
            ..whole_number("use.schema.id", -1, -1, "Schema ID to use for serialization")
        },
        strategy("key.subject.name.strategy", "key"),
        strategy("value.subject.name.strategy", "value"),
        text(
            "basic.auth.credentials.source",
            Some("URL"),
            medium,
            "Specify how to pick the credentials for Basic Auth header. The supported values are URL and USER_INFO",
        ),
        secret("basic.auth.user.info", "Specify the user info for Basic Auth in the form of {username}:{password}"),
        text(
            "bearer.auth.credentials.source",
            None,
            medium,
            "Specify how to pick the credentials for Bearer Auth header. The supported value is STATIC_TOKEN",
        ),
        secret("bearer.auth.token", "Specify the Bearer token to be used for authentication"),
        text("schema.registry.ssl.truststore.type", None, medium, "The file format of the trust store file."),
        file("schema.registry.ssl.truststore.location", "The location of the trust store file."),
        secret("schema.registry.ssl.truststore.password", "The password for the trust store file."),
        secret("schema.registry.ssl.truststore.certificates", "Trusted certificates in the format of PEM."),
        text("schema.registry.ssl.keystore.type", None, medium, "The file format of the key store file."),
        file("schema.registry.ssl.keystore.location", "The location of the key store file."),
        secret("schema.registry.ssl.keystore.password", "The store password for the key store file."),
        secret("schema.registry.ssl.keystore.key", "Private key in the format of PEM."),
        secret("schema.registry.ssl.keystore.certificate.chain", "Certificate chain in the format of PEM."),
        secret("schema.registry.ssl.key.password", "The password of the private key."),
        text(
            "schema.registry.ssl.endpoint.identification.algorithm",
            Some("https"),
            low,
            "The endpoint identification algorithm to validate server hostname using server certificate.",
        ),
        whole_number("http.connect.timeout.ms", 60_000, 0, "Specify the http connection timeout in milliseconds"),
        whole_number("http.read.timeout.ms", 60_000, 0, "Specify the http read timeout in milliseconds"),
        whole_number("max.retries", 3, 0, "The maximum number of retries for a request"),
        whole_number("retries.wait.ms", 1_000, 0, "The time to wait for the first retry, doubled for each other"),
        whole_number("retries.max.wait.ms", 20_000, 0, "The maximum time to wait for any retry."),
    ]
}
