//! Errors as Connect's REST gives them: `{"error_code": ..., "message": ...}` (ErrorMessage, ConnectExceptionMapper).

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use weir_core::herder::HerderError;

use super::forward::Elsewhere;

/// An answer that says what went wrong.
#[derive(Debug)]
pub struct Error {
    /// The status, which `error_code` repeats.
    pub status: StatusCode,
    /// What went wrong.
    pub message: String,
    /// Where the worker answers REST that has to be asked instead.
    pub elsewhere: Option<String>,
}

impl Error {
    /// An error.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Error {
        Error { status, message: message.into(), elsewhere: None }
    }

    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, message)
    }

    /// What it is about is not there.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(StatusCode::NOT_FOUND, message)
    }

    /// A status with the words that Connect's server has for it: `HTTP 404 Not Found`.
    pub fn plain(status: StatusCode) -> Error {
        Error::new(status, format!("HTTP {} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()))
    }
}

impl From<HerderError> for Error {
    fn from(error: HerderError) -> Error {
        let status = match &error {
            HerderError::Invalid(_) => StatusCode::BAD_REQUEST,
            HerderError::NotFound(_) => StatusCode::NOT_FOUND,
            HerderError::Conflict(_)
            | HerderError::Elsewhere(_)
            | HerderError::Rebalancing
            | HerderError::OutOfTouch => StatusCode::CONFLICT,
            HerderError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            HerderError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        match error {
            HerderError::Elsewhere(Some(url)) => {
                // What is said when it may not be sent on.
                let message = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
                Error { elsewhere: Some(url), ..Error::new(status, message) }
            }
            error => Error::new(status, error.to_string()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.status.as_u16(), "message": self.message});
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(url) = self.elsewhere {
            response.extensions_mut().insert(Elsewhere(url));
        }
        response
    }
}
