//! The topics that a connector has used, over REST (KIP-558).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use super::error::Error;
use super::{Answer, AppSlot, herder, ok};

fn forbidden(message: &str) -> Error {
    Error::new(StatusCode::FORBIDDEN, message)
}

/// GET /connectors/{name}/topics. A connector that nobody has heard of has used none.
pub async fn list(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let herder = herder(&app)?;
    if !herder.builder.settings.topic_tracking {
        return Err(forbidden("Topic tracking is disabled."));
    }
    ok(json!({ name.as_str(): {"topics": herder.view.statuses.topics(&name)} }))
}

/// PUT /connectors/{name}/topics/reset
pub async fn reset(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let herder = herder(&app)?;
    if !herder.builder.settings.topic_tracking {
        return Err(forbidden("Topic tracking is disabled."));
    }
    if !herder.builder.settings.topic_tracking_reset {
        return Err(forbidden("Topic tracking reset is disabled."));
    }
    herder.view.statuses.forget_topics(&name);
    Ok(StatusCode::ACCEPTED.into_response())
}
