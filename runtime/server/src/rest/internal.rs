//! What workers of a group ask each other (InternalClusterResource).

use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use weir_core::herder::Request;
use weir_core::model::Config;
use weir_core::port::SessionKey;
use weir_core::settings::MAC_ALGORITHMS;

use super::error::Error;
use super::{App, AppSlot, JsonBody, started};
use crate::peers::{ALGORITHM, SIGNATURE, is_signed};

/// Checks a request's signature (InternalRequestSignature, AbstractHerder.verifyInternalRequest).
fn verify(headers: &HeaderMap, body: &[u8], key: Option<&SessionKey>, taken: &[String]) -> Result<(), Error> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(algorithm)) = (header(SIGNATURE), header(ALGORITHM)) else {
        return Err(Error::bad_request("Internal request missing required signature"));
    };
    let signature = STANDARD.decode(signature).map_err(|error| Error::bad_request(error.to_string()))?;
    if !MAC_ALGORITHMS.iter().any(|(name, _)| *name == algorithm) && !algorithm.starts_with("Hmac") {
        return Err(Error::bad_request(format!("Algorithm {algorithm} not available")));
    }
    if !taken.iter().any(|name| name == algorithm) {
        let ours = taken.join(", ");
        let message = format!(
            "This worker does not support the '{algorithm}' key signing algorithm used by other workers. This worker is \
             currently configured to use: [{ours}]. Check that all workers' configuration files permit the same set of \
             signature algorithms, and correct any misconfigured worker and restart it."
        );
        return Err(Error::bad_request(message));
    }
    let Some(key) = key else {
        let message = "This worker is still starting up and has not been able to read a session key from the config \
                       topic yet";
        return Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, message));
    };
    if key.algorithm == algorithm && is_signed(key, body, &signature) {
        return Ok(());
    }
    Err(Error::new(StatusCode::FORBIDDEN, "Internal request contained invalid signature."))
}

/// Checks that another worker of the group asks.
fn check(app: &App, headers: &HeaderMap, body: &[u8], alone: Error) -> Result<(), Error> {
    let Some(group) = &app.herder.builder.settings.distributed else { return Err(alone) };
    // By what the group has agreed on: a worker of an older protocol in it signs nothing.
    if app.herder.view.signs.load(Ordering::Relaxed) {
        let key = app.herder.view.state().session_key().cloned();
        verify(headers, body, key.as_ref(), &group.verifies)?;
    }
    Ok(())
}

/// POST /connectors/{name}/tasks
pub async fn tasks(
    State(app): State<AppSlot>,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Error> {
    let app = started(&app)?;
    let alone = "Kafka Connect in standalone mode does not support externally setting task configurations.";
    check(app, &headers, &body, Error::bad_request(alone))?;
    let configs: Vec<Config> = serde_json::from_slice(&body)
        .map_err(|error| Error::bad_request(format!("The body is not a list of task configurations: {error}")))?;
    app.herder.ask(|answer| Request::Tasks { name, configs, answer }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// PUT /connectors/{name}/fence
pub async fn fence(
    State(app): State<AppSlot>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let app = started(&app)?;
    let alone = "Kafka Connect in standalone mode does not support exactly-once source connectors.";
    check(app, &headers, &body, Error::bad_request(alone))?;
    app.herder.ask(|answer| Request::Fence { name, answer }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_groups_key_signed_is_taken() {
        let key = SessionKey { key: b"Jefe".to_vec(), algorithm: "HmacSHA256".into(), created: 0 };
        let body = b"what do ya want for nothing?";
        let signature = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        let check = |signature: Option<&str>, algorithm: &str, key: Option<&SessionKey>| {
            let mut headers = HeaderMap::new();
            if let Some(signature) = signature {
                headers.insert(SIGNATURE, signature.parse().unwrap());
            }
            headers.insert(ALGORITHM, algorithm.parse().unwrap());
            verify(&headers, body, key, &["HmacSHA256".to_owned(), "HmacSHA384".to_owned()])
                .map_err(|error| error.status.as_u16())
        };
        assert_eq!(check(Some(signature), "HmacSHA256", Some(&key)), Ok(()));
        assert_eq!(check(None, "HmacSHA256", Some(&key)), Err(400));
        assert_eq!(check(Some("%"), "HmacSHA256", Some(&key)), Err(400));
        for refused in ["HmacMD5", "none", "HmacSHA512"] {
            assert_eq!(check(Some(signature), refused, Some(&key)), Err(400), "{refused}");
        }
        assert_eq!(check(Some(signature), "HmacSHA256", None), Err(503));
        assert_eq!(check(Some("AAAA"), "HmacSHA256", Some(&key)), Err(403));
        assert_eq!(check(Some(signature), "HmacSHA384", Some(&key)), Err(403));
    }
}
