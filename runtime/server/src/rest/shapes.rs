//! Pure. Answers as JSON, members in Connect's order.

use serde_json::{Map, Value, json};

use weir_core::herder::{ConnectorInfo, ConnectorStatus, Entry, Validation};
use weir_core::model::{
    Class, ClassKind, ConfigKey, ConfigType, DefaultValue, EndpointKind, GrantKind, Importance, PathAccess, TaskId,
    Width,
};
use weir_core::port::Component;
use weir_core::store::Status;

/// A kind as clients see it.
pub fn kind(kind: Option<ClassKind>) -> &'static str {
    match kind {
        Some(ClassKind::Source) => "source",
        Some(ClassKind::Sink) => "sink",
        Some(ClassKind::Transformation) => "transformation",
        Some(ClassKind::Predicate) => "predicate",
        None => "unknown",
    }
}

fn task_id(id: &TaskId) -> Value {
    json!({"connector": id.connector, "task": id.index})
}

/// ConnectorInfo
pub fn info(info: &ConnectorInfo) -> Value {
    let tasks: Vec<Value> = info.tasks.iter().map(task_id).collect();
    json!({"name": info.name, "config": info.config, "tasks": tasks, "type": kind(info.kind)})
}

/// TaskInfo
pub fn task(id: &TaskId, config: &weir_core::model::Config) -> Value {
    json!({"id": task_id(id), "config": config})
}

fn state(mut members: Map<String, Value>, status: &Status) -> Value {
    members.insert("state".into(), status.state.name().into());
    members.insert("worker_id".into(), status.worker_id.clone().into());
    members.insert("version".into(), status.version.clone().into());
    if let Some(trace) = status.trace.as_ref().filter(|trace| !trace.is_empty()) {
        members.insert("trace".into(), trace.clone().into());
    }
    Value::Object(members)
}

/// ConnectorStateInfo.TaskState
pub fn task_status(id: &TaskId, status: &Status) -> Value {
    state(Map::from_iter([("id".to_owned(), Value::from(id.index))]), status)
}

/// ConnectorStateInfo
pub fn status(status: &ConnectorStatus) -> Value {
    let tasks: Vec<Value> = status.tasks.iter().map(|(id, task)| task_status(id, task)).collect();
    let connector = state(Map::new(), &status.connector);
    json!({"name": status.name, "connector": connector, "tasks": tasks, "type": kind(status.kind)})
}

fn type_name(kind: ConfigType) -> &'static str {
    match kind {
        ConfigType::Boolean => "BOOLEAN",
        ConfigType::String => "STRING",
        ConfigType::Int => "INT",
        ConfigType::Short => "SHORT",
        ConfigType::Long => "LONG",
        ConfigType::Double => "DOUBLE",
        ConfigType::List => "LIST",
        ConfigType::Class => "CLASS",
        ConfigType::Password => "PASSWORD",
    }
}

/// ConfigKeyInfo
pub fn config_key(key: &ConfigKey) -> Value {
    let (required, default) = match &key.default {
        DefaultValue::Required => (true, None),
        DefaultValue::Null => (false, None),
        DefaultValue::Value(_) if key.kind == ConfigType::Password => (false, Some("[hidden]")),
        DefaultValue::Value(text) => (false, Some(text.as_str())),
    };
    json!({
        "name": key.name,
        "type": type_name(key.kind),
        "required": required,
        "default_value": default,
        "importance": match key.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        },
        "documentation": key.documentation,
        "group": key.group,
        "order_in_group": key.order,
        "width": match key.width {
            Width::None => "NONE",
            Width::Short => "SHORT",
            Width::Medium => "MEDIUM",
            Width::Long => "LONG",
        },
        "display_name": key.display_name,
        "dependents": key.dependents,
    })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "definition": entry.key.as_ref().map(config_key),
        "value": {
            "name": entry.name,
            "value": entry.checked.value,
            "recommended_values": entry.recommended,
            "errors": entry.checked.errors,
            "visible": entry.visible,
        },
    })
}

/// ConfigInfos
pub fn validation(validation: &Validation) -> Value {
    // What nobody defines comes first, as in Connect.
    let (defined, undefined): (Vec<&Entry>, Vec<&Entry>) =
        validation.entries.iter().partition(|entry| entry.key.is_some() || entry.of_client);
    let configs: Vec<Value> = undefined.into_iter().chain(defined).map(entry).collect();
    json!({
        "name": validation.class,
        "error_count": validation.errors().count(),
        "groups": validation.groups,
        "configs": configs,
    })
}

/// What a key's value opens.
fn ask(key: &ConfigKey) -> Option<Value> {
    let opens = match key.grant.as_ref()? {
        GrantKind::Path { access: PathAccess::Read, .. } => "path, to read",
        GrantKind::Path { access: PathAccess::Write, .. } => "path, to read and write",
        GrantKind::Endpoint(EndpointKind::HostPort | EndpointKind::HostPorts) => "host and port",
        GrantKind::Endpoint(EndpointKind::Url | EndpointKind::Urls) => "URL",
        GrantKind::Endpoint(EndpointKind::JdbcUrl) => "JDBC URL",
        GrantKind::Endpoint(EndpointKind::Template(template)) => {
            return Some(json!({"key": key.name, "opens": format!("endpoint {template}")}));
        }
    };
    Some(json!({"key": key.name, "opens": opens}))
}

/// A class of an uploaded plugin, with what its configuration may open.
pub fn uploaded_class(class: &Class) -> Value {
    json!({
        "class": class.name,
        "type": kind(Some(class.kind)),
        "version": class.version,
        "aliases": class.aliases,
        "may_ask_for": class.config.iter().filter_map(ask).collect::<Vec<Value>>(),
    })
}

/// An uploaded plugin.
pub fn uploaded(component: &dyn Component) -> Value {
    json!({
        "sha256": component.hash(),
        "size": component.size(),
        "classes": component.classes().iter().map(uploaded_class).collect::<Vec<Value>>(),
        "imports": component.imports(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::store::State;

    #[test]
    fn a_status_has_connects_members_in_connects_order() {
        let of = |state, trace: Option<&str>, version: Option<&str>| Status {
            state,
            trace: trace.map(str::to_owned),
            worker_id: "w:1".into(),
            generation: 0,
            version: version.map(str::to_owned),
        };
        let id = TaskId { connector: "c".into(), index: 0 };
        let shown = status(&ConnectorStatus {
            name: "c".into(),
            connector: of(State::Running, None, Some("1.0")),
            tasks: vec![(id, of(State::Failed, Some("boom"), None))],
            kind: Some(ClassKind::Sink),
        });
        let expected = r#"{"name":"c","connector":{"state":"RUNNING","worker_id":"w:1","version":"1.0"},"tasks":[{"id":0,"state":"FAILED","worker_id":"w:1","version":null,"trace":"boom"}],"type":"sink"}"#;
        assert_eq!(shown.to_string(), expected);
    }
}
