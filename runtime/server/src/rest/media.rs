//! What requests say in their headers: the media types they bring and take, and how they address the worker.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::JSON_BYTES_MAX;
use super::error::Error;

/// What Connect's resources speak.
const JSON: &str = "application/json";

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a request brings a media type.
pub fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    given.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(wanted))
}

/// Whether an Accept header takes JSON. One that names nothing takes everything.
fn takes_json(accept: &str) -> bool {
    accept.trim().is_empty()
        || accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse() == Ok(0.0));
            matches!(media.as_str(), "*/*" | "application/*" | JSON) && !refused
        })
}

/// Refuses requests that bring or take something other than JSON, whether or not they need a body.
pub async fn json_only(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_TYPE) && !has_type(headers, JSON) {
        return Error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    if text(headers, header::ACCEPT).is_some_and(|accept| !takes_json(accept)) {
        return Error::plain(StatusCode::NOT_ACCEPTABLE).into_response();
    }
    next.run(request).await
}

/// A body in JSON, or the refusal of another type.
pub struct JsonBody(pub Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody, Error> {
        let typed = has_type(request.headers(), JSON);
        match Bytes::from_request(request, state).await {
            // Who sends nothing need not say what it is.
            Ok(bytes) if typed || bytes.is_empty() => Ok(JsonBody(bytes.into())),
            Ok(_) => Err(Error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Error::new(rejection.status(), format!("The body has more than {JSON_BYTES_MAX} bytes")))
            }
            Err(_) => Err(Error::bad_request("The body broke off before its end: send it again")),
        }
    }
}

/// What addresses of this worker begin with, as the client addressed it; nothing when it did not say.
pub struct Base(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Base, Self::Rejection> {
        let host = text(&parts.headers, header::HOST);
        Ok(Base(host.map(|host| format!("http://{host}")).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_by_its_name_and_by_ranges_around_it() {
        for (accept, takes) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/html, */*;q=0.1", true),
            ("application/*", true),
            ("text/plain", false),
            ("application/json;q=0", false),
            ("", true),
        ] {
            assert_eq!(takes_json(accept), takes, "{accept}");
        }
    }
}
