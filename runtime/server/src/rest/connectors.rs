//! Connectors and their tasks over REST (ConnectorsResource).

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use weir_core::herder::{ConnectorInfo, Herder, HerderError, Put, Request};
use weir_core::model::{Config, TaskId};
use weir_core::store::TargetState;

use super::body::{self, GivenConfig};
use super::error::Error;
use super::query::{Parameters, flag};
use super::{Answer, AppSlot, Base, JsonBody, herder, ok, shapes, unknown};

/// GET /connectors, with `expand=status` and `expand=info`
pub async fn list(State(app): State<AppSlot>, Query(query): Query<Parameters>) -> Answer {
    let view = &herder(&app)?.view;
    let names = view.connectors();
    let expand: Vec<&str> = query.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    if expand.is_empty() {
        return ok(names.into());
    }
    let mut expanded = Map::new();
    for name in names {
        let shown = |part: &str| match part {
            "status" => Some(view.status(&name).map(|status| shapes::status(&status))),
            "info" => Some(view.info(&name).map(|info| shapes::info(&info))),
            _ => None, // names of other expansions are ignored
        };
        let parts = expand.iter().filter_map(|part| Some(shown(part)?.map(|shown| ((*part).to_owned(), shown))));
        // One that has no status yet, or is gone by now, is left out.
        if let Some(parts) = parts.collect::<Option<Map<String, Value>>>() {
            expanded.insert(name, Value::Object(parts));
        }
    }
    ok(Value::Object(expanded))
}

/// POST /connectors
pub async fn create(State(app): State<AppSlot>, base: Base, JsonBody(body): JsonBody) -> Answer {
    let request = body::create(&body).map_err(Error::bad_request)?;
    put(herder(&app)?, &base, &request.name, request.given, request.target, false).await
}

/// PUT /connectors/{name}/config
pub async fn configure(
    State(app): State<AppSlot>,
    Path(name): Path<String>,
    base: Base,
    JsonBody(body): JsonBody,
) -> Answer {
    let given = body::config(&body).map_err(Error::bad_request)?;
    put(herder(&app)?, &base, &name, given, None, true).await
}

/// PATCH /connectors/{name}/config (KIP-477). When somebody else changes the configuration meanwhile it is made anew, for
/// as long as a request may take.
pub async fn patch(
    State(app): State<AppSlot>,
    Path(name): Path<String>,
    base: Base,
    JsonBody(body): JsonBody,
) -> Answer {
    let given = body::config(&body).map_err(Error::bad_request)?;
    let herder = herder(&app)?;
    loop {
        let there = herder.view.info(&name).ok_or_else(|| unknown(&name))?.config;
        let mut config = there.clone();
        config.extend(given.config.clone());
        given.nulls.iter().for_each(|key| drop(config.remove(key)));
        if config.contains_key("name") {
            body::named(&name, GivenConfig { config: config.clone(), nulls: Vec::new() })
                .map_err(Error::bad_request)?;
        }
        check(herder, &config, &[]).await?;
        let put = Put { config, target: None, replace: true, ceilings: None, made_from: Some(there.clone()) };
        let done = herder.ask(|answer| Request::Put { put, answer }).await;
        let changed = || herder.view.info(&name).is_some_and(|info| info.config != there);
        match done {
            Err(HerderError::Rebalancing) if changed() => {}
            done => return done.map(|(info, created)| made(&info, created, &base)).map_err(Error::from),
        }
    }
}

async fn put(
    herder: &Herder,
    base: &Base,
    name: &str,
    given: GivenConfig,
    target: Option<TargetState>,
    replace: bool,
) -> Answer {
    let given = body::named(name, given).map_err(Error::bad_request)?;
    check(herder, &given.config, &given.nulls).await?;
    let put = Put { config: given.config, target, replace, ceilings: None, made_from: None };
    let (info, created) = herder.ask(|answer| Request::Put { put, answer }).await?;
    Ok(made(&info, created, base))
}

async fn check(herder: &Herder, config: &Config, nulls: &[String]) -> Result<(), HerderError> {
    let ceilings = &herder.builder.settings.ceilings;
    herder.builder.check(config, nulls, ceilings).await?.refusal().map_or(Ok(()), Err)
}

fn made(info: &ConnectorInfo, created: bool, Base(base): &Base) -> Response {
    if !created {
        return super::json(StatusCode::OK, shapes::info(info));
    }
    let mut response = super::json(StatusCode::CREATED, shapes::info(info));
    let location = format!("{base}/connectors/{}", super::path_segment(&info.name));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// GET /connectors/{name}
pub async fn info(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let info = herder(&app)?.view.info(&name).ok_or_else(|| unknown(&name))?;
    ok(shapes::info(&info))
}

/// GET /connectors/{name}/config
pub async fn config(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let info = herder(&app)?.view.info(&name).ok_or_else(|| unknown(&name))?;
    ok(json!(info.config))
}

/// DELETE /connectors/{name}
pub async fn delete(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    herder(&app)?.ask(|answer| Request::Delete { name, answer }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// GET /connectors/{name}/status
pub async fn status(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let status = herder(&app)?.view.status(&name);
    let status = status.ok_or_else(|| Error::not_found(format!("No status found for connector {name}")))?;
    ok(shapes::status(&status))
}

/// GET /connectors/{name}/tasks
pub async fn tasks(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let tasks = herder(&app)?.view.task_configs(&name).ok_or_else(|| unknown(&name))?;
    ok(tasks.iter().map(|(id, config)| shapes::task(id, config)).collect::<Vec<Value>>().into())
}

/// A task's number. What is none names nothing; a task below 0 is missing.
fn task_id(connector: String, index: &str, missing: fn(&str) -> String) -> Result<TaskId, Error> {
    let number: i32 = index.parse().map_err(|_| Error::plain(StatusCode::NOT_FOUND))?;
    match u32::try_from(number) {
        Ok(index) => Ok(TaskId { connector, index }),
        Err(_) => Err(Error::not_found(missing(&format!("{connector}-{number}")))),
    }
}

fn no_status(task: &str) -> String {
    format!("No status found for task {task}")
}

/// GET /connectors/{name}/tasks/{task}/status
pub async fn task_status(State(app): State<AppSlot>, Path((name, task)): Path<(String, String)>) -> Answer {
    let id = task_id(name, &task, no_status)?;
    let status = herder(&app)?.view.statuses.of_task(&id);
    let status = status.ok_or_else(|| Error::not_found(no_status(&id.to_string())))?;
    ok(shapes::task_status(&id, &status))
}

/// POST /connectors/{name}/tasks/{task}/restart
pub async fn restart_task(State(app): State<AppSlot>, Path((name, task)): Path<(String, String)>) -> Answer {
    let id = task_id(name, &task, |task| format!("Task {task} not found"))?;
    herder(&app)?.ask(|answer| Request::RestartTask { id, answer }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// POST /connectors/{name}/restart, with `includeTasks` and `onlyFailed` (KIP-745)
pub async fn restart(State(app): State<AppSlot>, Path(name): Path<String>, Query(query): Query<Parameters>) -> Answer {
    let herder = herder(&app)?;
    let include_tasks = flag(&query, "includeTasks", false);
    let only_failed = flag(&query, "onlyFailed", false);
    if !include_tasks && !only_failed {
        herder.ask(|answer| Request::RestartConnector { name, answer }).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let restarted = herder.ask(|answer| Request::Restart { name, include_tasks, only_failed, answer }).await?;
    Ok(super::json(StatusCode::ACCEPTED, shapes::status(&restarted)))
}

async fn target(app: &AppSlot, name: String, target: TargetState, done: StatusCode) -> Answer {
    herder(app)?.ask(|answer| Request::Target { name, target, answer }).await?;
    Ok(done.into_response())
}

/// PUT /connectors/{name}/pause
pub async fn pause(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    target(&app, name, TargetState::Paused, StatusCode::ACCEPTED).await
}

/// PUT /connectors/{name}/resume
pub async fn resume(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    target(&app, name, TargetState::Started, StatusCode::ACCEPTED).await
}

/// PUT /connectors/{name}/stop
pub async fn stop(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    target(&app, name, TargetState::Stopped, StatusCode::NO_CONTENT).await
}
