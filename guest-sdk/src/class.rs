//! Pure. What a class says of itself: name, version, documentation, configuration definition.

use crate::bindings::plugin::exports::weir::connect::plugin as wit;

use crate::config::Config;

pub use wit::{Importance, PathAccess as Access, Width};

/// How a value names endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `host:port`.
    HostPort,
    /// A comma-separated list of `host:port`.
    HostPorts,
    /// A URL.
    Url,
    /// A comma-separated list of URLs.
    Urls,
    /// A JDBC URL.
    JdbcUrl,
    /// A template over other keys: `{s3.bucket.name}.s3.{s3.region}.amazonaws.com:443`.
    Template(String),
}

/// What to offer for a key under a configuration (Connect's ConfigDef.Recommender).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommended {
    /// Values to choose from. They are offered, not enforced: what must be one of them needs a check.
    pub values: Vec<String>,
    /// Whether a form shows the key.
    pub visible: bool,
}

impl Recommended {
    /// Values to choose from, of a key that is shown.
    pub fn values(values: impl IntoIterator<Item = impl ToString>) -> Recommended {
        Recommended { values: values.into_iter().map(|value| value.to_string()).collect(), visible: true }
    }

    /// Nothing to choose from, of a key that is shown only when it matters.
    pub fn shown_if(visible: bool) -> Recommended {
        Recommended { values: Vec::new(), visible }
    }
}

/// What to offer for a key under a configuration, which may lack values or hold wrong ones.
pub type Recommender = fn(&Config) -> Recommended;

/// A configuration key.
#[derive(Clone, Debug)]
pub struct Key {
    pub(crate) definition: wit::ConfigKey,
    recommender: Option<Recommender>,
}

macro_rules! key_type {
    ($($(#[$doc:meta])* $name:ident $kind:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(name: &str) -> Key {
            Key::new(name, wit::ConfigType::$kind)
        })*
    };
}

impl Key {
    fn new(name: &str, kind: wit::ConfigType) -> Key {
        let definition = wit::ConfigKey {
            name: name.to_owned(),
            type_: kind,
            default: wit::DefaultValue::Required,
            importance: Importance::Medium,
            documentation: String::new(),
            validators: Vec::new(),
            group: None,
            order: -1,
            width: Width::None,
            display_name: name.to_owned(),
            dependents: Vec::new(),
            recommended: false,
            grant: None,
        };
        Key { definition, recommender: None }
    }

    key_type! {
        /// A key whose value is `true` or `false`. Required until it is given a default.
        boolean Boolean;
        /// A key whose value is text. Required until it is given a default.
        text String;
        /// A key whose value is a 32-bit integer. Required until it is given a default.
        int Int;
        /// A key whose value is a 16-bit integer. Required until it is given a default.
        short Short;
        /// A key whose value is a 64-bit integer. Required until it is given a default.
        long Long;
        /// A key whose value is a double. Required until it is given a default.
        double Double;
        /// A key whose value is a comma-separated list. Required until it is given a default.
        list List;
        /// A key whose value names a plugin class. Required until it is given a default.
        class Class;
        /// A key whose value is never shown. Required until it is given a default.
        password Password;
    }

    /// Holds this when not given.
    pub fn default(mut self, value: impl ToString) -> Key {
        self.definition.default = wit::DefaultValue::Value(value.to_string());
        self
    }

    /// Holds nothing when not given.
    pub fn optional(mut self) -> Key {
        self.definition.default = wit::DefaultValue::Null;
        self
    }

    /// How much the key matters; medium unless said.
    pub fn importance(mut self, importance: Importance) -> Key {
        self.definition.importance = importance;
        self
    }

    /// What the key is for.
    pub fn doc(mut self, documentation: &str) -> Key {
        self.definition.documentation = documentation.to_owned();
        self
    }

    /// The key's name for people; the key itself unless said.
    pub fn display_name(mut self, name: &str) -> Key {
        self.definition.display_name = name.to_owned();
        self
    }

    /// The group in which it is shown, its place there and how wide.
    pub fn group(mut self, group: &str, order: i32, width: Width) -> Key {
        self.definition.group = Some(group.to_owned());
        self.definition.order = order;
        self.definition.width = width;
        self
    }

    /// Further keys of the class whose recommendations depend on this one's value.
    pub fn dependents(mut self, keys: &[&str]) -> Key {
        self.definition.dependents = keys.iter().map(|key| key.to_string()).collect();
        self
    }

    /// Has values to choose from, or is shown only sometimes: validation asks `recommender`, every time and with the
    /// configuration as it is then.
    ///
    /// ```
    /// use weir_sdk::prelude::*;
    ///
    /// Class::new("example.Mail", "1.0.0")
    ///     .key(Key::boolean("encrypted").default(true).dependents(&["port"]))
    ///     .key(Key::int("port").default(465).recommended(|config| match config.boolean("encrypted") {
    ///         Ok(false) => Recommended::values([25, 587]),
    ///         _ => Recommended::values([465]),
    ///     }));
    /// ```
    pub fn recommended(mut self, recommender: Recommender) -> Key {
        self.definition.recommended = true;
        self.recommender = Some(recommender);
        self
    }

    /// Must not be empty.
    pub fn non_empty(self) -> Key {
        self.check(wit::Validator::NonEmpty)
    }

    /// Must be one of these.
    pub fn one_of(self, values: &[&str]) -> Key {
        self.check(wit::Validator::OneOf(values.iter().map(|v| v.to_string()).collect()))
    }

    /// Must be one of these in any case.
    pub fn one_of_ignoring_case(self, values: &[&str]) -> Key {
        self.check(wit::Validator::OneOfIgnoringCase(values.iter().map(|v| v.to_string()).collect()))
    }

    /// Must not be below this.
    pub fn at_least(self, least: f64) -> Key {
        self.check(wit::Validator::AtLeast(least))
    }

    /// Must be between these, both included.
    pub fn between(self, least: f64, most: f64) -> Key {
        self.check(wit::Validator::Between((least, most)))
    }

    /// Must be a regular expression in Java's syntax.
    pub fn regex(self) -> Key {
        self.check(wit::Validator::Regex)
    }

    fn check(mut self, validator: wit::Validator) -> Key {
        self.definition.validators.push(validator);
        self
    }

    /// The value is a path, which is opened to the instances that get this configuration.
    pub fn path(mut self, access: Access) -> Key {
        self.definition.grant = Some(wit::Grant::Path(wit::PathGrant { access, stdio_when_unset: false }));
        self
    }

    /// The value is a path, as with [`Key::path`]; without a value, standard input or output is asked for.
    pub fn path_or_stdio(mut self, access: Access) -> Key {
        self.definition.grant = Some(wit::Grant::Path(wit::PathGrant { access, stdio_when_unset: true }));
        self
    }

    /// The value names endpoints, which are opened to the instances that get this configuration.
    pub fn endpoint(mut self, kind: Endpoint) -> Key {
        self.definition.grant = Some(wit::Grant::Endpoint(match kind {
            Endpoint::HostPort => wit::EndpointKind::HostPort,
            Endpoint::HostPorts => wit::EndpointKind::HostPorts,
            Endpoint::Url => wit::EndpointKind::Url,
            Endpoint::Urls => wit::EndpointKind::Urls,
            Endpoint::JdbcUrl => wit::EndpointKind::JdbcUrl,
            Endpoint::Template(template) => wit::EndpointKind::Template(template),
        }));
        self
    }
}

/// A class: what it is called and how it is configured.
#[derive(Clone, Debug)]
pub struct Class {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) version: String,
    pub(crate) documentation: String,
    pub(crate) keys: Vec<Key>,
    pub(crate) wants: wit::OptionalCalls,
}

impl Class {
    /// A class by the name under which configurations ask for it, and its version.
    pub fn new(name: &str, version: &str) -> Class {
        Class {
            name: name.to_owned(),
            aliases: Vec::new(),
            version: version.to_owned(),
            documentation: String::new(),
            keys: Vec::new(),
            wants: wit::OptionalCalls::empty(),
        }
    }

    /// A further name it answers to.
    pub fn alias(mut self, name: &str) -> Class {
        self.aliases.push(name.to_owned());
        self
    }

    /// What the class is for.
    pub fn doc(mut self, documentation: &str) -> Class {
        self.documentation = documentation.to_owned();
        self
    }

    /// Adds a configuration key.
    pub fn key(mut self, key: Key) -> Class {
        self.keys.push(key);
        self
    }

    /// Asks for the connector's `validate`, or the transformation's.
    pub fn wants_validate(self) -> Class {
        self.wants(wit::OptionalCalls::VALIDATE)
    }

    /// Asks for the connector's `watch`.
    pub fn wants_watch(self) -> Class {
        self.wants(wit::OptionalCalls::WATCH)
    }

    /// Asks for the connector's `alter_offsets`.
    pub fn wants_alter_offsets(self) -> Class {
        self.wants(wit::OptionalCalls::ALTER_OFFSETS)
    }

    /// Asks for the source task's `acknowledged`.
    pub fn wants_acknowledged(self) -> Class {
        self.wants(wit::OptionalCalls::ACKNOWLEDGED)
    }

    /// Asks for the source task's `committed`.
    pub fn wants_committed(self) -> Class {
        self.wants(wit::OptionalCalls::COMMITTED)
    }

    /// Asks for the sink task's `pre_commit`.
    pub fn wants_pre_commit(self) -> Class {
        self.wants(wit::OptionalCalls::PRE_COMMIT)
    }

    fn wants(mut self, call: wit::OptionalCalls) -> Class {
        self.wants |= call;
        self
    }

    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    pub(crate) fn recommend(&self, config: &Config) -> Vec<wit::Recommendation> {
        let recommendation = |Key { definition, recommender }: &Key| {
            let Recommended { values, visible } = recommender.as_ref()?(config);
            Some(wit::Recommendation { key: definition.name.clone(), values, visible })
        };
        self.keys.iter().filter_map(recommendation).collect()
    }

    pub(crate) fn into_wit(mut self, kind: wit::ClassKind) -> wit::Class {
        if self.keys.iter().any(|key| key.recommender.is_some()) {
            self.wants |= wit::OptionalCalls::RECOMMEND;
        }
        wit::Class {
            name: self.name,
            aliases: self.aliases,
            kind,
            version: self.version,
            documentation: self.documentation,
            config: self.keys.into_iter().map(|key| key.definition).collect(),
            wants: self.wants,
            encoding: wit::Encoding::Cbor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_with_recommenders_asks_for_the_call_and_answers_for_their_keys_only() {
        let class = Class::new("Mail", "1")
            .key(Key::boolean("encrypted").default(true).dependents(&["port"]))
            .key(Key::int("port").recommended(|config| match config.boolean("encrypted") {
                Ok(true) => Recommended::values([465]),
                _ => Recommended::values([25, 587]),
            }))
            .key(
                Key::text("certificate")
                    .optional()
                    .recommended(|config| Recommended::shown_if(config.boolean("encrypted") == Ok(true))),
            );
        let asked = |config: Config| -> Vec<(String, Vec<String>, bool)> {
            let answer = class.recommend(&config.with_defaults(&class));
            answer.into_iter().map(|answer| (answer.key, answer.values, answer.visible)).collect()
        };
        let of = |key: &str, values: &[&str], visible| {
            (key.to_owned(), values.iter().map(|value| value.to_string()).collect::<Vec<_>>(), visible)
        };
        assert_eq!(asked(Config::default()), [of("port", &["465"], true), of("certificate", &[], true)]);
        let plain = asked(Config::new([("encrypted", "false")]));
        assert_eq!(plain, [of("port", &["25", "587"], true), of("certificate", &[], false)]);
        let described = class.clone().into_wit(wit::ClassKind::Sink);
        assert!(described.wants.contains(wit::OptionalCalls::RECOMMEND));
        let recommended: Vec<bool> = described.config.iter().map(|key| key.recommended).collect();
        assert_eq!(recommended, [false, true, true]);
        assert_eq!(described.config[0].dependents, ["port"]);
    }
}
