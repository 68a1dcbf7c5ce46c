//! What requests say in their headers: the media types they bring and take, and how they address the worker.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;

use weir_core::settings::Scheme;

use super::error::Error;
use super::{JSON_BYTES_MAX, SILENCE};

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

/// The bytes of a body, within their bounds and at its sender's pace.
pub async fn read_body(body: Body) -> Result<Vec<u8>, Error> {
    let (mut body, mut bytes) = (body.into_data_stream(), Vec::new());
    let silent = |_| {
        let message = format!("The body stood still for {} s: send it again", SILENCE.as_secs());
        Error::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    while let Some(piece) = tokio::time::timeout(SILENCE, body.next()).await.map_err(silent)? {
        let piece = piece.map_err(|_| Error::bad_request("The body broke off before its end: send it again"))?;
        if bytes.len() + piece.len() > JSON_BYTES_MAX {
            let message = format!("The body has more than {JSON_BYTES_MAX} bytes");
            return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A body in JSON, or the refusal of another type.
pub struct JsonBody(pub Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<JsonBody, Error> {
        let typed = has_type(request.headers(), JSON);
        let bytes = read_body(request.into_body()).await?;
        // Who sends nothing need not say what it is.
        if typed || bytes.is_empty() {
            Ok(JsonBody(bytes))
        } else {
            Err(Error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE))
        }
    }
}

/// What addresses of this worker begin with, as the client addressed it; nothing when it did not say.
pub struct Base(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Base, Self::Rejection> {
        let host = text(&parts.headers, header::HOST);
        let scheme = parts.extensions.get::<Scheme>().map_or("http", |scheme| scheme.name());
        Ok(Base(host.map(|host| format!("{scheme}://{host}")).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::body::Bytes;
    use futures::stream;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up_and_a_slow_one_is_not() {
        let sent = |pieces: stream::BoxStream<'static, Result<Bytes, std::io::Error>>| {
            let request = Request::builder().header("content-type", JSON).body(Body::from_stream(pieces));
            JsonBody::from_request(request.unwrap(), &())
        };
        let piece = || Ok(Bytes::from_static(b"{}"));
        let Err(refused) = sent(stream::iter([piece()]).chain(stream::pending()).boxed()).await else {
            panic!("it was taken")
        };
        assert_eq!(refused.into_response().status(), StatusCode::REQUEST_TIMEOUT);
        let paces = stream::iter([SILENCE / 2; 3]).then(move |pause| async move {
            tokio::time::sleep(pause).await;
            piece()
        });
        assert!(sent(paces.boxed()).await.is_ok_and(|JsonBody(bytes)| bytes == b"{}{}{}"));
    }

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
