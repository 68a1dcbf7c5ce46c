//! Requests to a worker, as curl would send them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may be: metrics of a thousand tasks are long.
const BODY_MOST: u64 = 256 << 20;

/// What was answered; status 0 when nobody answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
    /// Its media type, as the server says it.
    pub content_type: Option<String>,
    /// The header `Location`.
    pub location: Option<String>,
    /// Every header, by its name in small letters.
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Sends a request with a body of a media type, or with none.
pub fn request(method: &str, url: &str, body: Option<(&str, &[u8])>) -> Answer {
    let media: Vec<(&str, &str)> = body.iter().map(|(media, _)| ("content-type", *media)).collect();
    request_with(method, url, &media, body.map(|(_, bytes)| bytes))
}

/// Sends JSON.
pub fn send(method: &str, url: &str, body: &Value) -> Answer {
    request(method, url, Some(("application/json", body.to_string().as_bytes())))
}

/// Sends a request with these headers, and with a body or none.
pub fn request_with(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(100)))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = match body {
        Some(bytes) => agent.run(request.body(bytes).expect("a request")),
        None => agent.run(request.body(()).expect("a request")),
    };
    match answer {
        Ok(mut answer) => {
            let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            Answer {
                status: answer.status().as_u16(),
                content_type: header("content-type"),
                location: header("location"),
                headers: answer
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                    .collect(),
                text: answer.body_mut().with_config().limit(BODY_MOST).read_to_string().unwrap_or_default(),
            }
        }
        Err(_) => Answer { status: 0, text: String::new(), content_type: None, location: None, headers: Vec::new() },
    }
}

/// A connection on which a test writes the bytes of a request by itself, at its own pace.
pub struct Wire(TcpStream);

impl Wire {
    /// Connects to the worker at an address and begins a request, the last one of the connection.
    pub fn begin(url: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Wire {
        let host = url.trim_start_matches("http://");
        let stream = TcpStream::connect(host).expect("the worker listens");
        stream.set_read_timeout(Some(Duration::from_secs(100))).expect("a bound on reading");
        let mut wire = Wire(stream);
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        wire.send(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n").as_bytes());
        wire
    }

    /// Sends more of the body.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the worker reads");
    }

    /// What is answered.
    pub fn answer(mut self) -> Answer {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("an answer in time");
        Answer::parse(&text)
    }
}

impl Answer {
    /// Reads what came over a connection that was closed after it.
    pub fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let named = head.lines().filter_map(|line| line.split_once(": "));
        let headers: Vec<(String, String)> =
            named.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        Answer {
            status: head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default(),
            text: body.to_owned(),
            content_type: header("content-type"),
            location: header("location"),
            headers,
        }
    }
}
