//! OPTIONS: every resource says which methods it takes, as JAX-RS has it.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The order in which Connect names them, that of Java's hash set.
const METHODS: [&str; 7] = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"];

/// Answers OPTIONS from the header `Allow` of the refusal that it would get, and everything else as it is.
pub async fn answered(request: Request, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let answer = next.run(request).await;
    if !asked || answer.status() != StatusCode::METHOD_NOT_ALLOWED {
        return answer;
    }
    let allowed = answer.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok()).unwrap_or_default();
    let is_allowed =
        |method: &&str| *method == "OPTIONS" || allowed.split(',').any(|allowed| allowed.trim() == *method);
    let methods: Vec<&str> = METHODS.into_iter().filter(is_allowed).collect();
    let text = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))];
    let allow = [(header::ALLOW, methods.join(","))];
    (text, allow, methods.join(", ")).into_response()
}
