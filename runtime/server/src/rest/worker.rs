//! The worker itself: what it is, and whether it is well (KIP-1017).

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use weir_core::herder::Request;

use super::error::Error;
use super::{AppSlot, ok, stage, started};

/// How long the herder may take to answer (RestServer.DEFAULT_HEALTH_CHECK_TIMEOUT_MS).
const TIMEOUT: Duration = Duration::from_secs(10);

/// GET /
pub async fn root(State(app): State<AppSlot>) -> Result<Response, Error> {
    let app = started(&app)?;
    ok(json!({"version": crate::CONNECT_VERSION, "commit": app.commit, "kafka_cluster_id": app.cluster_id}))
}

/// GET /health
pub async fn health(State(app): State<AppSlot>) -> Result<Response, Error> {
    let (started, stages) = (started(&app)?, &app.stages);
    let answered = tokio::time::timeout(TIMEOUT, started.herder.ask(|answer| Request::Ping { answer })).await;
    let answered = matches!(answered, Ok(Ok(())));
    let staged = |message| stage::with(message, stages.latest().as_ref());
    Ok(match (answered, started.ready.load(Ordering::Relaxed)) {
        (true, true) => {
            health_answer(StatusCode::OK, "healthy", "Worker has completed startup and is ready to handle requests.")
        }
        (_, false) => {
            health_answer(StatusCode::SERVICE_UNAVAILABLE, "starting", &staged("Worker is still starting up."))
        }
        (false, true) => health_answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unhealthy",
            &staged("Worker was unable to handle this request and may be unable to handle other requests."),
        ),
    })
}

/// WorkerStatus
pub fn health_answer(code: StatusCode, status: &str, message: &str) -> Response {
    super::json(code, json!({"status": status, "message": message}))
}
