//! Requests to a worker, as curl would send them.

use std::time::Duration;

use serde_json::Value;

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
                text: answer.body_mut().read_to_string().unwrap_or_default(),
            }
        }
        Err(_) => Answer { status: 0, text: String::new(), content_type: None, location: None },
    }
}
