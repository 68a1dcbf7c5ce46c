//! Fuzz targets of what comes over REST and in connector files.

#[path = "../../../../tests/fuzz/mod.rs"]
mod fuzzing;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};

use super::{body, media, path, query};
use crate::connector_file;
use fuzzing::fuzz;

fn answer<T>(result: Result<T, String>) -> String {
    result.err().unwrap_or_else(|| "fine".into())
}

/// Bodies of every request that has one; the first byte chooses.
#[test]
fn bodies_of_requests() {
    let config = r#"{"name":"c","connector.class":"x","tasks.max":1,"n":null,"b":true,"f":1.50}"#;
    let bodies = [
        config.to_owned(),
        format!(r#"{{"name":"c","config":{config},"initial_state":"PAUSED"}}"#),
        r#"{"level":"DEBUG"}"#.to_owned(),
        r#"{"offsets":[{"partition":{"a":[1,{}]},"offset":{"p":1e400}},{"partition":{},"offset":null}]}"#.to_owned(),
    ];
    let seeds = bodies.iter().enumerate().map(|(kind, body)| [&[kind as u8][..], body.as_bytes()].concat());
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "\"name\"",
        "\"config\"",
        "\"offsets\"",
        "\\ud83d",
        "\u{feff}",
        "1e9",
    ];
    fuzz("rest_body", seeds, &words, |bytes| {
        let Some((kind, body)) = bytes.split_first() else { return String::new() };
        match kind % 4 {
            0 => answer(body::config(body).map(|given| {
                // What was taken is taken again as it is written.
                let again = serde_json::to_vec(&given.config).unwrap();
                assert_eq!(body::config(&again).unwrap().config, given.config);
            })),
            1 => answer(body::create(body).and_then(|made| body::named(&made.name, made.given))),
            2 => answer(body::level(body)),
            _ => answer(body::offsets(body).map(|offsets| {
                let said: usize = offsets.iter().map(|(of, at)| of.len() + at.as_ref().map_or(0, String::len)).sum();
                assert!(said <= body.len() + 8 * offsets.len());
            })),
        }
    });
}

/// Paths with their queries, and the headers that say what is brought and taken, one a line.
#[test]
fn paths_queries_and_headers() {
    let seed = "/connectors/a%2Fb;x=1/%FF%C3?forward=true&expand=status\napplication/json; charset=utf-8\n*/*;q=0.1";
    let words = ["%", "%2F", "%ff", "%C3%BC", "//", ";", "?", "&", "forward=", "=", "/", "*/*", "q=0", ","];
    fuzz("rest_path", [seed.as_bytes().to_vec()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n');
        let mut next = || lines.next().unwrap_or_default();
        let (uri, brings, takes) = (next(), next(), next());
        let (kept, _) = query::without_forward(uri);
        assert!(kept.len() <= uri.len() + 1);
        let mut headers = header::HeaderMap::new();
        for (name, value) in [(header::CONTENT_TYPE, brings), (header::ACCEPT, takes)] {
            HeaderValue::from_str(value).into_iter().for_each(|value| drop(headers.insert(name.clone(), value)));
        }
        let typed = media::has_type(&headers, "application/json");
        let Ok(request) = Request::builder().uri(uri).body(Body::empty()) else { return "no address".into() };
        match path::readable(request) {
            Ok(request) => {
                let path = request.uri().path().to_owned();
                let again = path::readable(request).unwrap_or_else(|_| panic!("{path} is read once and not twice"));
                assert_eq!(again.uri().path(), path);
                format!("fine {typed}")
            }
            Err(_) => format!("not found {typed}"),
        }
    });
}

/// Connector files in their three forms.
#[test]
fn connector_files() {
    let seeds = [
        "name=c\ntasks.max=1",
        r#"{"name":"c","tasks.max":1}"#,
        r#"{"name":"c","config":{"a":"b"},"initial_state":"STOPPED"}"#,
    ];
    let words = ["{", "}", ":", ",", "\"", "null", "\"name\"", "\"config\"", "\n", "=", "\\u00e4", "[", "]"];
    fuzz("connector_file", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        answer(connector_file::parse(&String::from_utf8_lossy(bytes)))
    });
}
