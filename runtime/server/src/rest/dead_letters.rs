//! A connector's dead letters over REST, which Connect does not have.

use axum::extract::{Path, Query, State};
use serde_json::json;

use super::error::Error;
use super::query::Parameters;
use super::{Answer, AppSlot, herder, ok, unknown};

/// POST /connectors/{name}/dead-letters/redrive, with `dryRun`
pub async fn redrive(State(app): State<AppSlot>, Path(name): Path<String>, Query(query): Query<Parameters>) -> Answer {
    let herder = herder(&app)?;
    let info = herder.view.info(&name).ok_or_else(|| unknown(&name))?;
    // What is misspelt must not be done.
    let dry_run = match &query[..] {
        [] => false,
        [(key, value)] if key == "dryRun" && value == "true" => true,
        [(key, value)] if key == "dryRun" && value == "false" => false,
        [(key, value), ..] => {
            return Err(Error::bad_request(format!(
                "Unknown parameter {key}={value}: dryRun=true says what would go back, without it dead letters do go back"
            )));
        }
    };
    let done = herder.builder.redrive(&info.config, dry_run).await?;
    ok(json!({
        "topic": done.topic,
        "dry_run": dry_run,
        "letters": done.letters,
        "back": done.back.values().sum::<u64>(),
        "back_by_topic": done.back,
        "filtered": done.filtered,
        "failed": done.failed,
        "of_other_connectors": done.of_others,
        "unknown": done.unknown,
        "complete": done.complete,
    }))
}
