//! Levels of loggers over REST (KIP-495, KIP-976; LoggingResource).

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use weir_core::herder::Request;
use weir_core::port::{LoggerLevel, NoLevel};

use super::error::Error;
use super::query::Parameters;
use super::{Answer, AppSlot, JsonBody, body, herder, ok};

fn shape(level: &LoggerLevel) -> Value {
    json!({"level": level.level, "last_modified": level.last_modified})
}

/// GET /admin/loggers
pub async fn list(State(app): State<AppSlot>) -> Answer {
    let all = herder(&app)?.view.loggers.all();
    ok(Value::Object(all.iter().map(|(name, level)| (name.clone(), shape(level))).collect::<Map<_, _>>()))
}

/// GET /admin/loggers/{name}
pub async fn get(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let level = herder(&app)?.view.loggers.get(&name);
    ok(shape(&level.ok_or_else(|| Error::not_found(format!("Logger {name} not found.")))?))
}

/// PUT /admin/loggers/{name}, with `scope=worker` or `scope=cluster`
pub async fn set(
    State(app): State<AppSlot>,
    Path(name): Path<String>,
    Query(query): Query<Parameters>,
    JsonBody(body): JsonBody,
) -> Answer {
    let herder = herder(&app)?;
    let level = body::level(&body).map_err(Error::bad_request)?;
    let scope = query.iter().find(|(key, _)| key == "scope").map_or("worker", |(_, scope)| scope.as_str());
    let unknown = |NoLevel(level)| Error::not_found(format!("invalid log level '{level}'."));
    if scope.eq_ignore_ascii_case("cluster") {
        herder.view.loggers.check(&level).map_err(unknown)?;
        herder.ask(|answer| Request::LoggerLevel { logger: name, level, answer }).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if !scope.eq_ignore_ascii_case("worker") {
        tracing::warn!(scope, "an unknown scope of a logger's level is taken as worker");
    }
    ok(json!(herder.view.loggers.set(&name, &level).map_err(unknown)?))
}
