//! Pure. Paths as JAX-RS reads them, before a route is chosen by them. Bytes that are not UTF-8 mean U+FFFD, so that every
//! name in a path can be looked for; what stands behind a ; is no part of a segment; no segment is empty.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{StatusCode, Uri};

use super::error::Error;

/// A request whose path can be read.
pub fn readable(mut request: Request) -> Result<Request, Error> {
    let path = request.uri().path();
    let read = with_replacements(path);
    let read = without_parameters(&read);
    if read.contains("//") {
        return Err(Error::plain(StatusCode::NOT_FOUND));
    }
    if read != path {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        // What stood there was a path, and encoded bytes took the place of encoded bytes.
        parts.path_and_query = format!("{read}{query}").parse().ok().or(parts.path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    Ok(request)
}

/// A path without the parameters of its segments (JAX-RS' matrix parameters).
fn without_parameters(path: &str) -> String {
    let segments = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    segments.collect::<Vec<&str>>().join("/")
}

/// A byte that is percent-encoded at the beginning of a text.
fn encoded_byte(text: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = text else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn with_replacements(path: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let (mut done, mut at) = (0, 0);
    while at < path.len() {
        let mut bytes = Vec::new();
        let from = at;
        while let Some(byte) = encoded_byte(&path.as_bytes()[at..]) {
            bytes.push(byte);
            at += 3;
        }
        if let Cow::Owned(text) = String::from_utf8_lossy(&bytes) {
            replaced.push_str(&path[done..from]);
            replaced.extend(text.bytes().map(|byte| format!("%{byte:02X}")));
            done = at;
        }
        if bytes.is_empty() {
            at += 1;
        }
    }
    if done == 0 {
        return path.into();
    }
    replaced.push_str(&path[done..]);
    replaced.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_utf_8_is_replaced() {
        for (path, expected) in [
            ("/connectors/x/status", "/connectors/x/status"),
            ("/connectors/%C3%BCmlaut/a%2Fb", "/connectors/%C3%BCmlaut/a%2Fb"),
            ("/100%/%zz/%4", "/100%/%zz/%4"),
            ("/%FF", "/%EF%BF%BD"),
            ("/%FF/x", "/%EF%BF%BD/x"),
            ("/a%c3/%BCb%2F%FFc", "/a%EF%BF%BD/%EF%BF%BDb%2F%EF%BF%BDc"),
            ("/ü%C3ü%", "/ü%EF%BF%BDü%"),
        ] {
            assert_eq!(with_replacements(path), expected);
        }
    }

    #[test]
    fn parameters_of_segments_are_left_out_and_an_encoded_semicolon_is_none() {
        for (path, expected) in [
            ("/connectors/x", "/connectors/x"),
            ("/connectors;a=b/x;c;d/status;", "/connectors/x/status"),
            ("/connectors/a%3Bb/", "/connectors/a%3Bb/"),
            ("/;a/x", "//x"),
        ] {
            assert_eq!(without_parameters(path), expected);
        }
    }
}
