//! Requests that pages of other origins make (`access.control.allow.*`; Jetty's CrossOriginHandler).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use weir_core::model::Pattern;
use weir_core::settings::CrossOrigin;

/// Seconds for which a browser may remember what it was told (CrossOriginHandler.setPreflightMaxAge).
const MAX_AGE: HeaderValue = HeaderValue::from_static("60");
/// Headers that pages may send beside those that every page may.
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type");

/// Whose pages may ask, and how.
pub struct Origins {
    patterns: Vec<Pattern>,
    any: bool,
    methods: HeaderValue,
}

impl Origins {
    /// Compiles the patterns of origins.
    pub fn new(settings: &CrossOrigin) -> Result<Origins, String> {
        let any = settings.origins.iter().any(|origin| origin == "*");
        let mut patterns = Vec::new();
        for origin in settings.origins.iter().filter(|origin| *origin != "*") {
            let pattern = Pattern::new(&format!("(?i){origin}")).map_err(|error| {
                format!("Invalid value {origin} for configuration access.control.allow.origin: {error}")
            })?;
            patterns.push(pattern);
        }
        let methods = settings.methods.join(",");
        let methods = HeaderValue::from_str(&methods).map_err(|_| {
            format!("Invalid value {methods} for configuration access.control.allow.methods: name methods, as GET,POST")
        })?;
        Ok(Origins { patterns, any, methods })
    }

    /// One header may name several origins.
    fn allows(&self, origins: &str) -> bool {
        self.any
            || origins
                .split(' ')
                .map(str::trim)
                .filter(|origin| !origin.is_empty())
                .any(|origin| self.patterns.iter().any(|pattern| pattern.matches(origin)))
    }

    /// What is said to a page about whether it may read an answer.
    fn said(&self, origin: &HeaderValue, preflight: bool) -> HeaderMap {
        let mut said = HeaderMap::new();
        if !origin.to_str().is_ok_and(|origin| self.allows(origin)) {
            return said;
        }
        said.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if preflight {
            said.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            said.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            said.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        }
        said
    }
}

/// Answers as without it, and says whether the page that asked may read the answer.
pub async fn told(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let asks_first = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let preflight = request.method() == Method::OPTIONS && asks_first;
    let said = headers.get(header::ORIGIN).map(|origin| origins.said(origin, preflight)).unwrap_or_default();
    let mut answer = next.run(request).await;
    answer.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    answer.headers_mut().extend(said);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(origins: &[&str]) -> Result<Origins, String> {
        let origins = origins.iter().map(|origin| origin.to_string()).collect();
        Origins::new(&CrossOrigin { origins, methods: vec!["GET".into(), "PUT".into()] })
    }

    #[test]
    fn origins_are_whole_patterns_whatever_their_case() {
        let some = origins(&["http://.*\\.example\\.com", "https://a:1"]).unwrap();
        for (origin, allowed) in [
            ("http://x.example.com", true),
            ("HTTPS://A:1", true),
            ("https://b https://a:1", true),
            ("http://x.example.com.evil", false),
            ("null", false),
        ] {
            assert_eq!(some.allows(origin), allowed, "{origin}");
        }
        assert!(origins(&["("]).is_err());
    }

    #[test]
    fn an_allowed_origin_is_told_so_and_a_strange_one_nothing() {
        let origin = HeaderValue::from_static("http://a");
        let any = origins(&["*"]).unwrap().said(&origin, true);
        assert_eq!(any[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://a");
        assert_eq!(any[header::ACCESS_CONTROL_ALLOW_METHODS], "GET,PUT");
        assert!(origins(&["http://b"]).unwrap().said(&origin, true).is_empty());
    }
}
