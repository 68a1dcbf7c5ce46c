//! Requests that another worker has to carry out: sent on to it, at most twice (Connect's HerderRequestHandler).

use std::future::pending;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use weir_core::herder::HerderError;
use weir_core::herder::stage::of_request;

use super::error::Error;
use super::media::{Base, read_body};
use super::query::without_forward;
use super::{AppSlot, TIMEOUT};
use crate::peers::whole;

/// An answer's note that another worker has to be asked: where that one answers REST.
#[derive(Clone)]
pub struct Elsewhere(pub String);

/// What the worker that was asked next is told about going on, by what this one was told; none when it ends here.
fn next_hop(forward: Option<&str>) -> Option<bool> {
    match forward {
        None => Some(true),
        Some(told) if told.eq_ignore_ascii_case("true") => Some(false),
        Some(_) => None,
    }
}

/// Sends a request on whose answer is that somebody else has to be asked.
pub async fn forwarded(State(app): State<AppSlot>, request: Request, next: Next) -> Response {
    let client = app.get().and_then(|app| app.client.clone());
    let (Some(client), true) = (client, request.method() != Method::GET) else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let Ok(Base(base)) = Base::from_request_parts(&mut parts, &app).await;
    let bytes = match read_body(body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
    let answer = next.run(Request::from_parts(parts, Body::from(bytes.clone()))).await;
    let Some(Elsewhere(to)) = answer.extensions().get::<Elsewhere>().cloned() else { return answer };
    let (kept, forward) = without_forward(uri.query().unwrap_or_default());
    let Some(again) = next_hop(forward) else { return answer };
    let url = format!("{}{}?{kept}forward={again}", to.trim_end_matches('/'), uri.path());
    tracing::debug!(%method, url, "a request is sent on");
    let _stage = of_request(&format!("forwarding the request to the worker at {url}"));
    tokio::select! {
        answered = sent_on(&client, method, &url, &headers, bytes) => answered.map(|answer| at(&base, answer)).unwrap_or_else(|error| {
            let message = format!("IO Error trying to forward REST request: {}", whole(&error));
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }),
        () = left(&app, &to) => Error::from(HerderError::Rebalancing).into_response(),
    }
}

/// Returns once the worker that answers REST there is not in the group any more: nobody need wait for its answer.
async fn left(app: &AppSlot, url: &str) {
    let Some(app) = app.get() else { return pending().await };
    let mut reachable = app.herder.view.reachable.subscribe();
    if reachable.wait_for(|workers| !workers.contains(url)).await.is_err() {
        pending().await // the worker is stopping
    }
}

/// An answer as a worker gives it whose addresses begin so: what was made is found here, too (ConnectorsResource, which
/// makes the address of what another worker has made).
fn at(base: &str, mut answer: Response) -> Response {
    let path = |location: &HeaderValue| {
        let location = location.to_str().ok()?;
        HeaderValue::from_str(&format!("{base}{}", &location[location.find("/connectors/")?..])).ok()
    };
    if let Some(here) = answer.headers().get(header::LOCATION).and_then(path) {
        answer.headers_mut().insert(header::LOCATION, here);
    }
    answer
}

/// The answer of another worker.
pub async fn sent_on(
    client: &reqwest::Client,
    method: Method,
    url: &str,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<Response, reqwest::Error> {
    // Whoever waits is told at what the worker is before this time is over.
    let mut request = client.request(method, url).timeout(TIMEOUT + Duration::from_secs(1)).body(body);
    for name in [header::CONTENT_TYPE, header::ACCEPT, header::AUTHORIZATION] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for name in [header::CONTENT_TYPE, header::LOCATION] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    *response.body_mut() = Body::from(answer.bytes().await?);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_worker_made_is_found_where_it_was_asked_for() {
        let location = |location: &str| {
            let mut answer = Response::new(Body::empty());
            answer.headers_mut().insert(header::LOCATION, location.parse().unwrap());
            let answer = at("https://here:8083", answer);
            answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(location("http://there:1/connectors/a%2Fb"), "https://here:8083/connectors/a%2Fb");
        assert_eq!(location("/elsewhere"), "/elsewhere");
    }

    #[test]
    fn a_request_takes_two_hops_at_most() {
        assert_eq!([None, Some("true"), Some("false"), Some("x")].map(next_hop), [Some(true), Some(false), None, None]);
    }
}
