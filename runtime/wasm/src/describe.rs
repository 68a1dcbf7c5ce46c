//! What a component says of itself, checked and in core's words.

use std::collections::BTreeSet;

use weir_core::model as core;

use crate::bindings::exports::weir::connect::plugin as wit;

/// Bounds on a description.
const CLASSES: usize = 200;
const KEYS: usize = 1_000;
const NAME: usize = 255;

/// The classes, or what is wrong with them.
pub(crate) fn classes(described: Vec<wit::Class>) -> Result<Vec<core::Class>, String> {
    if described.is_empty() {
        return Err("it describes no class".into());
    }
    if described.len() > CLASSES {
        return Err(format!("it describes {} classes, more than {CLASSES}", described.len()));
    }
    let mut names = BTreeSet::new();
    for class in &described {
        for name in std::iter::once(&class.name).chain(&class.aliases) {
            let fits = !name.is_empty()
                && name.len() <= NAME
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$'));
            if !fits {
                return Err(format!("class name {name:?} is not 1 to {NAME} letters, digits, dots, dashes, _ or $"));
            }
            if !names.insert(name.as_str()) {
                return Err(format!("class name {name} stands twice"));
            }
        }
        if class.config.len() > KEYS {
            return Err(format!("class {} has {} keys, more than {KEYS}", class.name, class.config.len()));
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = class.config.iter().find(|key| !keys.insert(key.name.as_str())) {
            return Err(format!("key {} stands twice in class {}", twice.name, class.name));
        }
        for key in &class.config {
            if let Some(missing) = key.dependents.iter().find(|dependent| !keys.contains(dependent.as_str())) {
                let (class, key) = (&class.name, &key.name);
                return Err(format!("key {key} of class {class} has the dependent {missing}, which is no key of it"));
            }
        }
        if class.version.trim().is_empty() {
            return Err(format!("class {} has no version", class.name));
        }
    }
    Ok(described.into_iter().map(class).collect())
}

fn class(class: wit::Class) -> core::Class {
    let wants = |call: wit::OptionalCalls| class.wants.contains(call);
    core::Class {
        kind: match class.kind {
            wit::ClassKind::Source => core::ClassKind::Source,
            wit::ClassKind::Sink => core::ClassKind::Sink,
            wit::ClassKind::Transformation => core::ClassKind::Transformation,
            wit::ClassKind::Predicate => core::ClassKind::Predicate,
        },
        wants: core::OptionalCalls {
            validate: wants(wit::OptionalCalls::VALIDATE),
            watch: wants(wit::OptionalCalls::WATCH),
            alter_offsets: wants(wit::OptionalCalls::ALTER_OFFSETS),
            acknowledged: wants(wit::OptionalCalls::ACKNOWLEDGED),
            committed: wants(wit::OptionalCalls::COMMITTED),
            pre_commit: wants(wit::OptionalCalls::PRE_COMMIT),
            recommend: wants(wit::OptionalCalls::RECOMMEND),
        },
        name: class.name,
        aliases: class.aliases,
        version: class.version,
        documentation: class.documentation,
        config: class.config.into_iter().map(key).collect(),
    }
}

fn key(key: wit::ConfigKey) -> core::ConfigKey {
    core::ConfigKey {
        name: key.name,
        kind: match key.type_ {
            wit::ConfigType::Boolean => core::ConfigType::Boolean,
            wit::ConfigType::String => core::ConfigType::String,
            wit::ConfigType::Int => core::ConfigType::Int,
            wit::ConfigType::Short => core::ConfigType::Short,
            wit::ConfigType::Long => core::ConfigType::Long,
            wit::ConfigType::Double => core::ConfigType::Double,
            wit::ConfigType::List => core::ConfigType::List,
            wit::ConfigType::Class => core::ConfigType::Class,
            wit::ConfigType::Password => core::ConfigType::Password,
        },
        default: match key.default {
            wit::DefaultValue::Required => core::DefaultValue::Required,
            wit::DefaultValue::Null => core::DefaultValue::Null,
            wit::DefaultValue::Value(value) => core::DefaultValue::Value(value),
        },
        importance: match key.importance {
            wit::Importance::High => core::Importance::High,
            wit::Importance::Medium => core::Importance::Medium,
            wit::Importance::Low => core::Importance::Low,
        },
        documentation: key.documentation,
        validators: key.validators.into_iter().map(validator).collect(),
        group: key.group,
        order: key.order,
        width: match key.width {
            wit::Width::None => core::Width::None,
            wit::Width::Short => core::Width::Short,
            wit::Width::Medium => core::Width::Medium,
            wit::Width::Long => core::Width::Long,
        },
        display_name: key.display_name,
        dependents: key.dependents,
        recommended: key.recommended,
        grant: key.grant.map(grant),
    }
}

pub(crate) fn recommendation(recommendation: wit::Recommendation) -> core::Recommendation {
    let wit::Recommendation { key, values, visible } = recommendation;
    core::Recommendation { key, values, visible }
}

fn validator(validator: wit::Validator) -> core::Validator {
    match validator {
        wit::Validator::NonEmpty => core::Validator::NonEmpty,
        wit::Validator::OneOf(values) => core::Validator::OneOf(values),
        wit::Validator::OneOfIgnoringCase(values) => core::Validator::OneOfIgnoringCase(values),
        wit::Validator::AtLeast(least) => core::Validator::AtLeast(least),
        wit::Validator::Between((least, most)) => core::Validator::Between(least, most),
        wit::Validator::Regex => core::Validator::Regex,
    }
}

fn grant(grant: wit::Grant) -> core::GrantKind {
    match grant {
        wit::Grant::Path(path) => core::GrantKind::Path {
            access: match path.access {
                wit::PathAccess::Read => core::PathAccess::Read,
                wit::PathAccess::Write => core::PathAccess::Write,
            },
            stdio_when_unset: path.stdio_when_unset,
        },
        wit::Grant::Endpoint(kind) => core::GrantKind::Endpoint(match kind {
            wit::EndpointKind::HostPort => core::EndpointKind::HostPort,
            wit::EndpointKind::HostPorts => core::EndpointKind::HostPorts,
            wit::EndpointKind::Url => core::EndpointKind::Url,
            wit::EndpointKind::Urls => core::EndpointKind::Urls,
            wit::EndpointKind::JdbcUrl => core::EndpointKind::JdbcUrl,
            wit::EndpointKind::Template(template) => core::EndpointKind::Template(template),
        }),
    }
}
