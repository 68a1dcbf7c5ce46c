//! A connector's offsets over REST (KIP-875).

use axum::extract::{Path, State};
use serde_json::{Value, json};

use weir_core::herder::{OffsetChange, Request};

use super::error::Error;
use super::{Answer, AppSlot, JsonBody, body, herder, ok, unknown};

/// GET /connectors/{name}/offsets (KIP-875)
pub async fn list(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    let herder = herder(&app)?;
    let info = herder.view.info(&name).ok_or_else(|| unknown(&name))?;
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    let offsets = herder.builder.offsets(&info.config).await?;
    let shown =
        offsets.iter().map(|(partition, offset)| json!({"partition": value(partition), "offset": value(offset)}));
    ok(json!({"offsets": shown.collect::<Vec<_>>()}))
}

/// PATCH /connectors/{name}/offsets
pub async fn alter(State(app): State<AppSlot>, Path(name): Path<String>, JsonBody(body): JsonBody) -> Answer {
    let altered = body::offsets(&body).map_err(Error::bad_request)?;
    if altered.is_empty() {
        return Err(Error::bad_request("Partitions / offsets need to be provided for an alter offsets request"));
    }
    change(&app, name, OffsetChange::Alter(altered)).await
}

/// DELETE /connectors/{name}/offsets
pub async fn reset(State(app): State<AppSlot>, Path(name): Path<String>) -> Answer {
    change(&app, name, OffsetChange::Reset).await
}

async fn change(app: &AppSlot, name: String, change: OffsetChange) -> Answer {
    let message = herder(app)?.ask(|answer| Request::Offsets { name, change, answer }).await?;
    ok(json!({"message": message}))
}
